//! From a violation to the smallest one: facts as in a set or case that people know, except for what it takes; and
//! two values next to each other where the answer turns. Then as cases.

use super::{Broken, Counterexample, Held, Trial, decided};
use crate::domain::flow::Pins;
use crate::domain::flow::properties::Claim;
use crate::domain::verdict::Verdict;
use crate::trial::applicant::Applicant;
use crate::trial::axes::At;
use crate::trial::written::NewCase;

impl Trial<'_> {
    pub(super) fn shown(&mut self, broken: Broken) -> Held {
        let broken = match broken {
            Broken::Failed(why) => return Held::Failed(why),
            Broken::Alone(..) | Broken::Pair { .. } => self.smallest(&broken),
        };
        match broken {
            Broken::Alone(answered) => {
                let (applicant, verdict) = *answered;
                let what = format!("the answer is {}", told(&verdict));
                let cases = self.written(&self.text.clone(), &applicant, &verdict, None);
                let origin = applicant.origin;
                Held::Broken(Box::new(Counterexample { what, cases, origin }))
            }
            Broken::Pair { axis, first, second } => self.pair(axis, &first, &second),
            Broken::Failed(why) => Held::Failed(why),
        }
    }

    fn pair(&self, axis: usize, first: &(Applicant, Verdict), second: &(Applicant, Verdict)) -> Held {
        let name = self.axes.get(axis).map(super::Axis::name).unwrap_or_default();
        let value = |applicant: &Applicant| {
            let given = self.axes.get(axis).and_then(|axis| axis.of(applicant));
            given.map_or_else(|| "not given".to_owned(), |given| shown(&given))
        };
        let what = format!(
            "with {name} {} the answer is {}, with {name} {} it is {}",
            value(&first.0),
            told(&first.1),
            value(&second.0),
            told(&second.1)
        );
        let of_first = format!("{} - with {name} {}", self.text, value(&first.0));
        let of_second = format!("{} - with {name} {}", self.text, value(&second.0));
        // What must not be is not expected: the second case fails until the policy is what it claims to be.
        let mut cases = self.written(&of_first, &first.0, &first.1, None);
        cases.push_str(&self.written(&of_second, &second.0, &second.1, Some(&first.1)));
        Held::Broken(Box::new(Counterexample { what, cases, origin: first.0.origin.clone() }))
    }

    fn written(&self, name: &str, of: &Applicant, verdict: &Verdict, expected: Option<&Verdict>) -> String {
        let case = NewCase {
            name: name.to_owned(),
            applicant: of,
            verdict,
            market: self.market,
            is_generated: false,
            at: None,
            cards: &[],
            expected,
        };
        case.yaml(self.sets)
    }

    /// Shrinks towards whoever of the known is nearest to begin with.
    fn smallest(&mut self, broken: &Broken) -> Broken {
        let mut best = broken.clone();
        let mut least = usize::MAX;
        let goals: Vec<Applicant> = self.baselines.clone();
        for goal in &goals {
            let shrunk = self.towards(broken, goal);
            let size = self.distance(&shrunk, goal);
            if size < least {
                (best, least) = (shrunk, size);
            }
            if least <= 1 {
                break;
            }
        }
        self.nearer(best)
    }

    fn distance(&self, broken: &Broken, goal: &Applicant) -> usize {
        let Some(applicant) = broken.applicant() else { return usize::MAX };
        self.axes.iter().filter(|axis| axis.of(applicant) != axis.of(goal)).count()
    }

    /// Sets one fact after the other to what it is in `goal`, as long as the violation stays.
    fn towards(&mut self, broken: &Broken, goal: &Applicant) -> Broken {
        let mut best = broken.clone();
        // All circumstances of the goal at once, where the violation does not hang on them.
        let mut again = true;
        while again {
            again = false;
            for at in 0..self.axes.len() {
                let Some(axis) = self.axes.get(at) else { continue };
                let is_own = matches!(&best, Broken::Pair { axis, .. } if *axis == at);
                let Some(current) = best.applicant() else { return best };
                let wanted = axis.of(goal);
                if is_own || axis.of(current) == wanted || axis.optional && wanted.is_none() && is_inner(axis)
                {
                    continue;
                }
                let change = |applicant: &Applicant| {
                    let mut changed = axis.changed(applicant, wanted.clone());
                    changed.origin.clone_from(&goal.origin);
                    changed
                };
                if let Some(smaller) = self.with(&best, &change) {
                    (best, again) = (smaller, true);
                }
            }
            let circumstances = |applicant: &Applicant| Applicant {
                pins: Pins { lists: goal.pins.lists.clone(), ..applicant.pins.clone() },
                at: goal.at,
                origin: goal.origin.clone(),
                ..applicant.clone()
            };
            let differs = best
                .applicant()
                .is_some_and(|applicant| applicant.at != goal.at || applicant.pins.lists != goal.pins.lists);
            if differs && let Some(smaller) = self.with(&best, &circumstances) {
                (best, again) = (smaller, true);
            }
        }
        best
    }

    /// The violation after a change of all who take part in it, if it still is one.
    fn with(&mut self, broken: &Broken, change: &dyn Fn(&Applicant) -> Applicant) -> Option<Broken> {
        match broken {
            Broken::Alone(answered) => match self.alone(&change(&answered.0))? {
                Broken::Failed(_) => None,
                found => Some(found),
            },
            Broken::Pair { axis, first, second } => self.paired(*axis, change(&first.0), change(&second.0)),
            Broken::Failed(_) => None,
        }
    }

    fn paired(&self, axis: usize, first: Applicant, second: Applicant) -> Option<Broken> {
        let ((_, before), (_, after)) = (decided(self.flow, &first)?, decided(self.flow, &second)?);
        if !self.is_forbidden(&before, &after) {
            return None;
        }
        Some(Broken::Pair { axis, first: Box::new((first, before)), second: Box::new((second, after)) })
    }

    /// Moves the two values of a pair towards each other, to where the answer turns.
    fn nearer(&self, broken: Broken) -> Broken {
        let is_monotone = matches!(self.property.claim, Claim::Monotone { .. });
        let Broken::Pair { axis, first, second } = &broken else { return broken };
        let Some(along) = self.axes.get(*axis).filter(|_| is_monotone) else { return broken };
        let (Some(mut low), Some(mut high)) = (along.steps_of(&first.0), along.steps_of(&second.0)) else {
            return broken;
        };
        let mut best = broken.clone();
        while high - low > 1 {
            let middle = low.midpoint(high);
            let at = |steps| along.stepped(&first.0, steps);
            let (Some(from), Some(between), Some(to)) = (at(low), at(middle), at(high)) else { break };
            // Somewhere between the two the answer turns; perhaps in both halves.
            if let Some(found) = self.paired(*axis, between.clone(), to) {
                (best, low) = (found, middle);
            } else if let Some(found) = self.paired(*axis, from, between) {
                (best, high) = (found, middle);
            } else {
                break;
            }
        }
        best
    }
}

/// A field of something that may be missing as a whole: that is reset with it.
fn is_inner(axis: &super::Axis) -> bool {
    matches!(&axis.at, At::Fact(path) if path.len() > 1)
}

fn told(verdict: &Verdict) -> String {
    let mut text = verdict.outcome.to_string();
    if !verdict.reasons.is_empty() {
        let reasons: Vec<&str> = verdict.reasons.iter().map(AsRef::as_ref).collect();
        text.push_str(&format!(" ({})", reasons.join(", ")));
    }
    if !verdict.output.is_empty() {
        let output = verdict
            .output
            .iter()
            .map(|(name, value)| format!("{name} {}", shown(&crate::trial::written::given(value))));
        text.push_str(&format!(" with {}", output.collect::<Vec<_>>().join(", ")));
    }
    text
}

fn shown(given: &crate::domain::facts::Given) -> String {
    use crate::domain::facts::Given;
    match given {
        Given::Null => "nothing".to_owned(),
        Given::Boolean(value) => value.to_string(),
        Given::Number(text) | Given::Text(text) => text.clone(),
        Given::List(items) => format!("{} items", items.len()),
        Given::Map(entries) => format!("{} fields", entries.len()),
    }
}
