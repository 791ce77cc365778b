//! Whether what a flow claims of all its answers is so: exactly where nothing could change the answer, else on
//! everybody whom its cases know, on facts from files, and on facts made up near the boundaries, the same in every
//! run. Absent on purpose: reading files, and showing.

mod shrink;

use jiff::Timestamp;

use super::applicant::{Applicant, Dice, known};
use super::axes::{At, Axis, Values, axes};
use super::written::Sets;
use crate::bundle::FlowRevision;
use crate::bundle::cases::CaseFiles;
use crate::domain::analysis::rule_that_decides;
use crate::domain::flow::Flow;
use crate::domain::flow::properties::{Claim, Judgement, Property, Subject};
use crate::domain::place::Place;
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;

/// Values of what there is more of that are tried on each applicant.
const ALONG: usize = 6;

/// What came of one property in one market.
#[derive(Debug, Clone)]
pub struct PropertyResult {
    pub flow: Name,
    pub market: Name,
    /// As an analyst would write it.
    pub property: String,
    pub why: Option<String>,
    pub place: Place,
    /// Answers, or pairs of them, that it was held against.
    pub tried: u64,
    pub held: Held,
}

#[derive(Debug, Clone)]
pub enum Held {
    /// It cannot be otherwise: why.
    Proved(String),
    /// Nothing was found against it.
    NotBroken,
    Broken(Box<Counterexample>),
    /// It could not be evaluated: why.
    Failed(String),
}

/// Facts for which a property does not hold, as near to known ones as can be.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// What happens, in a sentence.
    pub what: String,
    /// As entries of `cases:`; the last of them fails today.
    pub cases: String,
    /// Whom it was made from.
    pub origin: String,
}

impl PropertyResult {
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self.held, Held::Proved(_) | Held::NotBroken)
    }
}

/// A property in a market: one piece of work.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    pub flow: &'a Name,
    pub revision: &'a FlowRevision,
    pub files: &'a CaseFiles,
    pub market: &'a str,
    /// Its place among the flow's properties.
    pub property: usize,
}

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub struct Trying<'a> {
    pub now: Timestamp,
    /// Applicants to make up.
    pub made_up: usize,
    /// Real ones, from files.
    pub more: &'a [Applicant],
}

/// One task for each property in each market.
#[must_use]
pub fn tasks<'a>(flow: &'a Name, revision: &'a FlowRevision, files: &'a CaseFiles) -> Vec<Task<'a>> {
    let of_market = |market: &'a str| {
        let here = revision.variant(market).map_or(0, |here| here.flow.properties.len());
        (0..here).map(move |property| Task { flow, revision, files, market, property })
    };
    revision.market_names().into_iter().flat_map(of_market).collect()
}

impl Task<'_> {
    /// Holds the property against everything there is.
    #[must_use]
    pub fn run(&self, trying: &Trying<'_>) -> Option<PropertyResult> {
        let here = self.revision.variant(self.market)?;
        let flow = &here.flow;
        let property = flow.properties.get(self.property)?;
        let axes = axes(here);
        let mut trial = Trial {
            flow,
            market: self.market,
            axes: &axes,
            sets: &self.files.sets,
            property,
            text: property.text(flow),
            tried: 0,
            baselines: known(self.revision, self.files, self.market, trying.now),
        };
        let held = trial.held(trying);
        Some(PropertyResult {
            flow: self.flow.clone(),
            market: Name::from(self.market),
            property: trial.text,
            why: property.why.clone(),
            place: property.place,
            tried: trial.tried,
            held,
        })
    }
}

struct Trial<'a> {
    flow: &'a Flow,
    market: &'a str,
    axes: &'a [Axis],
    sets: &'a Sets,
    property: &'a Property,
    text: String,
    tried: u64,
    /// Whom the cases know.
    baselines: Vec<Applicant>,
}

/// Somebody, and the answer.
type Answered = Box<(Applicant, Verdict)>;

/// Why one applicant, or a pair, breaks the property.
#[derive(Debug, Clone)]
enum Broken {
    Alone(Answered),
    /// The second differs from the first in this axis alone, and is what must not be.
    Pair {
        axis: usize,
        first: Answered,
        second: Answered,
    },
    Failed(String),
}

impl Broken {
    /// Whom it is about; of a pair the one with less.
    fn applicant(&self) -> Option<&Applicant> {
        match self {
            Self::Alone(first) | Self::Pair { first, .. } => Some(&first.0),
            Self::Failed(_) => None,
        }
    }
}

impl Trial<'_> {
    fn held(&mut self, trying: &Trying<'_>) -> Held {
        if let Some(why) = self.proof() {
            return Held::Proved(why);
        }
        let real = trying.more.iter().cloned();
        let all: Vec<Applicant> = self.baselines.iter().cloned().chain(real).collect();
        let mut dice = Dice::of(&format!("{} {} {}", self.flow.name, self.market, self.text));
        for applicant in &all {
            if let Some(broken) = self.breaks(applicant, &mut dice) {
                return self.shown(broken);
            }
        }
        for _ in 0..trying.made_up {
            let Some(applicant) = self.made_up(&mut dice) else { break };
            if let Some(broken) = self.breaks(&applicant, &mut dice) {
                return self.shown(broken);
            }
        }
        Held::NotBroken
    }

    /// What needs no trying.
    fn proof(&self) -> Option<String> {
        let may_read = self.flow.may_read();
        match &self.property.claim {
            Claim::Ignores(inputs) => {
                let mut names = inputs.iter().filter_map(|at| self.flow.inputs.get(usize::from(*at)));
                names
                    .all(|input| !may_read.contains(&input.name))
                    .then(|| "nothing in the flow reads it".to_owned())
            }
            Claim::Monotone { more: Subject::Fact(path), .. } => {
                let root = path.first()?;
                let is_need = self.flow.needs.iter().any(|need| need.name == *root);
                (!is_need && !may_read.contains(root)).then(|| "nothing in the flow reads it".to_owned())
            }
            Claim::Always { when: Some(when), always } => {
                let (set, rule) = rule_that_decides(self.flow, when, always)?;
                Some(format!(
                    "the rule `{rule}` of `{set}` hits whenever that is so, and nothing is stricter"
                ))
            }
            _ => None,
        }
    }

    /// Somebody known with one to four things changed, near the boundaries.
    fn made_up(&self, dice: &mut Dice) -> Option<Applicant> {
        let mut applicant = dice.pick(&self.baselines)?.clone();
        for _ in 0..=dice.below(4) {
            let axis = dice.pick(self.axes)?;
            let value = axis.any(dice);
            applicant = axis.changed(&applicant, value);
        }
        applicant.origin = format!("{}, changed", applicant.origin.trim_end_matches(", changed"));
        Some(applicant)
    }

    fn breaks(&mut self, applicant: &Applicant, dice: &mut Dice) -> Option<Broken> {
        match &self.property.claim {
            Claim::Always { .. } => self.alone(applicant),
            Claim::Ignores(inputs) => {
                let inputs = inputs.clone();
                self.depends(applicant, &inputs, dice)
            }
            Claim::Monotone { more, .. } => {
                let axis = self.axis_of(more)?;
                self.turns(applicant, axis, dice)
            }
        }
    }

    fn axis_of(&self, subject: &Subject) -> Option<usize> {
        let at = match subject {
            Subject::Fact(path) => At::Fact(path.clone()),
            Subject::Model(name) => At::Model(name.clone()),
        };
        self.axes.iter().position(|axis| axis.at == at)
    }

    /// An answer for which the condition does not hold.
    fn alone(&mut self, applicant: &Applicant) -> Option<Broken> {
        let Claim::Always { when, always } = &self.property.claim else { return None };
        let (facts, verdict) = decided(self.flow, applicant)?;
        let judged = |condition| self.flow.judge(condition, &facts, applicant.at, &verdict);
        match when.as_ref().map(judged) {
            None | Some(Judgement::Holds) => {}
            Some(Judgement::Failed(why)) => return Some(Broken::Failed(why)),
            Some(_) => return None,
        }
        let judgement = judged(always);
        match judgement {
            Judgement::Silent => None,
            Judgement::Holds => {
                self.tried += 1;
                None
            }
            Judgement::Failed(why) => Some(Broken::Failed(why)),
            Judgement::Broken => {
                self.tried += 1;
                Some(Broken::Alone(Box::new((applicant.clone(), verdict))))
            }
        }
    }

    /// Two answers that differ although only what is ignored does.
    fn depends(&mut self, applicant: &Applicant, inputs: &[u16], dice: &mut Dice) -> Option<Broken> {
        let (_, verdict) = decided(self.flow, applicant)?;
        for at in inputs {
            let name = &self.flow.inputs.get(usize::from(*at))?.name;
            let own = self.axes.iter().enumerate().filter(|(_, axis)| axis.root() == name);
            for (place, axis) in own {
                for _ in 0..3 {
                    let other = axis.changed(applicant, axis.any(dice));
                    let Some((_, answer)) = decided(self.flow, &other) else { continue };
                    self.tried += 1;
                    if !is_same_answer(&verdict, &answer) {
                        let first = Box::new((applicant.clone(), verdict));
                        return Some(Broken::Pair { axis: place, first, second: Box::new((other, answer)) });
                    }
                }
            }
        }
        None
    }

    /// Two answers of which the one with more is what must not be.
    fn turns(&mut self, applicant: &Applicant, axis: usize, dice: &mut Dice) -> Option<Broken> {
        let mut last: Option<(Applicant, Verdict)> = None;
        for next in self.rising(applicant, axis, dice) {
            let Some((_, verdict)) = decided(self.flow, &next) else { continue };
            if let Some(first) = last.take() {
                self.tried += 1;
                if self.is_forbidden(&first.1, &verdict) {
                    let (first, second) = (Box::new(first), Box::new((next, verdict)));
                    return Some(Broken::Pair { axis, first, second });
                }
            }
            last = Some((next, verdict));
        }
        None
    }

    fn is_forbidden(&self, first: &Verdict, second: &Verdict) -> bool {
        match &self.property.claim {
            Claim::Monotone { never, .. } => self.flow.is_forbidden(never, first, second),
            Claim::Ignores(_) => !is_same_answer(first, second),
            Claim::Always { .. } => false,
        }
    }

    /// The applicant with more and more of something.
    fn rising(&self, applicant: &Applicant, axis: usize, dice: &mut Dice) -> Vec<Applicant> {
        let Some(axis) = self.axes.get(axis) else { return Vec::new() };
        match &axis.values {
            Values::Few(values) => {
                values.iter().map(|value| axis.changed(applicant, Some(value.clone()))).collect()
            }
            Values::Many { .. } => {
                let now = axis.steps_of(applicant);
                let grid = axis.grid(now);
                let mut steps: Vec<i128> = (0..ALONG).filter_map(|_| dice.pick(&grid).copied()).collect();
                steps.extend(now);
                steps.sort_unstable();
                steps.dedup();
                steps.into_iter().filter_map(|steps| axis.stepped(applicant, steps)).collect()
            }
        }
    }
}

/// The answer, where there is one: what stops to ask, or is not admitted, decides nothing.
fn decided(flow: &Flow, applicant: &Applicant) -> Option<(crate::domain::facts::Facts, Verdict)> {
    applicant.decided(flow).filter(|(_, verdict)| verdict.needs.is_empty())
}

fn is_same_answer(a: &Verdict, b: &Verdict) -> bool {
    (&a.outcome, &a.reasons, &a.output) == (&b.outcome, &b.reasons, &b.output)
}
