//! What one decision reaches, and where it stands at a boundary: one step more or less of one fact, and a rule, row,
//! bin or condition says something else. Two decisions with the same marks show the same of a policy.

use std::collections::{BTreeMap, BTreeSet};

use super::applicant::Applicant;
use super::axes::Axis;
use super::evidence::Evidence;
use crate::bundle::FlowRevision;
use crate::bundle::cases::{Expectation, Prepared};
use crate::domain::flow::watch::Site;
use crate::domain::place::Span;
use crate::domain::value::Name;
use crate::domain::verdict::{RuleResult, Verdict};

/// Something that answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// Set, and the place of the rule in it.
    Rule(Name, usize),
    Table(Name),
    /// Scorecard and characteristic.
    Bin(Name, Name),
    /// Of the script, its functions and the features.
    Condition(Site, Span),
    Outcome,
    Reason(Name),
    /// A choice, or something that may be missing, by its path.
    Fact(String),
}

/// What it answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Hit,
    Missed,
    Failed,
    Rows(Vec<u32>),
    Bin(u32),
    Is(bool),
    Word(String),
}

/// Every answer of one decision.
pub type State = BTreeMap<Element, Answer>;

/// Something that one decision shows, in a market.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Reached(Name, Element, Answer),
    /// One step further it answers something else. With the fact that was moved, where the element asks it directly.
    Edge(Name, Element, Option<Name>, Answer, Answer),
}

/// A flow as it is watched, in one market.
pub struct Watched<'a> {
    pub here: &'a FlowRevision,
    pub base: &'a FlowRevision,
    pub market: Name,
    /// Inputs that something other than a model reads.
    read: BTreeSet<Name>,
    axes: &'a [Axis],
}

impl<'a> Watched<'a> {
    pub fn new(base: &'a FlowRevision, here: &'a FlowRevision, market: &Name, axes: &'a [Axis]) -> Self {
        let flow = &here.flow;
        // What only a model reads makes no difference to a policy that is held to a pinned answer.
        let mut read: BTreeSet<Name> = BTreeSet::new();
        for set in &flow.rule_sets {
            read.extend(set.rules.iter().flat_map(|rule| rule.reads.iter().cloned()));
        }
        read.extend(flow.features.iter().flat_map(|feature| feature.reads.iter().cloned()));
        read.extend(flow.tables.iter().flat_map(|table| table.columns.iter().map(|c| c.name.clone())));
        let cards = flow.scorecards.iter();
        read.extend(cards.flat_map(|card| card.characteristics.iter().map(|of| of.name.clone())));
        let asked = flow.sub_flows.iter().flat_map(|sub| sub.flow.inputs.iter());
        read.extend(asked.map(|input| input.name.clone()));
        let script = here.declaration.script.value.split(|c: char| !c.is_alphanumeric() && c != '_');
        read.extend(script.map(Name::from));
        read.extend(flow.needs.iter().map(|need| need.name.clone()));
        read.extend(flow.models.iter().map(|used| used.name.clone()));
        if let Some(subject) = flow.subject.and_then(|at| flow.inputs.get(at)) {
            read.remove(&subject.name);
        }
        Self { here, base, market: market.clone(), read, axes }
    }

    /// The axes that can change an answer.
    pub fn axes(&self) -> impl Iterator<Item = &'a Axis> + '_ {
        self.axes.iter().filter(|axis| self.read.contains(axis.root()))
    }

    /// Decides while looking on; `None` where the facts are not admitted.
    pub fn state(&self, applicant: &Applicant) -> Option<(Verdict, State)> {
        let facts = applicant.admitted(&self.here.flow)?;
        let case = Prepared {
            name: String::new(),
            path: String::new(),
            line: 0,
            market: self.market.clone(),
            given: applicant.given.clone(),
            facts,
            at: Some(applicant.at),
            decided_at: applicant.at,
            pins: applicant.pins.clone(),
            expect: Expectation::default(),
        };
        let (verdict, evidence) = Evidence::of(&self.here.flow, &case);
        let mut state = answers(&evidence, &verdict);
        for axis in self.axes() {
            let few = matches!(axis.values, super::axes::Values::Few(_));
            let (value, is_fact) = (axis.of(applicant), matches!(axis.at, super::axes::At::Fact(_)));
            let word = match value {
                None if axis.optional && is_fact => "missing".to_owned(),
                Some(crate::domain::facts::Given::Text(text)) if few => text,
                Some(crate::domain::facts::Given::Boolean(truth)) if few => truth.to_string(),
                _ => continue,
            };
            state.insert(Element::Fact(axis.name()), Answer::Word(word));
        }
        Some((verdict, state))
    }

    pub fn reached(&self, state: &State) -> impl Iterator<Item = Mark> {
        state
            .iter()
            .map(|(element, answer)| Mark::Reached(self.home(element), element.clone(), answer.clone()))
    }

    /// What a step along an axis changes, as marks of the decision at `state`.
    pub fn edges(&self, axis: &Axis, state: &State, next: &State) -> Vec<Mark> {
        let mut all = Vec::new();
        for (element, answer) in state {
            if matches!(element, Element::Outcome | Element::Reason(_) | Element::Fact(_)) {
                continue;
            }
            let Some(other) = next.get(element).filter(|other| *other != answer) else { continue };
            let moved = self.asks(element, axis.root()).then(|| axis.root().clone());
            all.push(Mark::Edge(self.home(element), element.clone(), moved, answer.clone(), other.clone()));
        }
        all
    }

    /// Everything that a decision shows, whichever fact is moved.
    pub fn all(&self, applicant: &Applicant) -> BTreeSet<Mark> {
        let Some((_, state)) = self.state(applicant) else { return BTreeSet::new() };
        let mut marks: BTreeSet<Mark> = self.reached(&state).collect();
        for axis in self.axes() {
            marks.extend(self.along(axis, applicant, &state));
        }
        marks
    }

    /// What it shows when one fact is moved.
    pub fn along(&self, axis: &Axis, applicant: &Applicant, state: &State) -> Vec<Mark> {
        let nexts = axis.neighbours(applicant).into_iter().filter_map(|next| self.state(&next));
        nexts.flat_map(|(_, next)| self.edges(axis, state, &next)).collect()
    }

    /// As `along`, of those steps only after which the caller gets another answer.
    pub fn turning(
        &self,
        axis: &Axis,
        applicant: &Applicant,
        (verdict, state): (&Verdict, &State),
    ) -> Vec<Mark> {
        let answer = |verdict: &Verdict| {
            let needs: Vec<Name> = verdict.needs.iter().map(|asked| asked.name.clone()).collect();
            (verdict.outcome.clone(), verdict.reasons.clone(), verdict.output.clone(), needs)
        };
        let own = answer(verdict);
        let nexts = axis.neighbours(applicant).into_iter().filter_map(|next| self.state(&next));
        let turned = nexts.filter(|(next, _)| answer(next) != own);
        turned.flat_map(|(_, next)| self.edges(axis, state, &next)).collect()
    }

    /// Where something is declared as it is here: in `base`, unless this market has another.
    fn home(&self, element: &Element) -> Name {
        let (here, base) = (&self.here.flow, &self.base.flow);
        let is_alike = match element {
            Element::Rule(set, at) => here.is_rule_alike(base, set, *at),
            Element::Table(name) => here.is_table_alike(base, name),
            Element::Bin(card, of) => here.is_characteristic_alike(base, card, of),
            Element::Condition(Site::Feature(at), _) => here.is_feature_alike(base, usize::from(*at)),
            Element::Condition(..) => here.is_script_alike(base),
            Element::Outcome => true,
            Element::Reason(code) => base.reasons.iter().any(|known| known.code == *code),
            Element::Fact(path) => {
                let root = path.split('.').next().unwrap_or_default();
                base.inputs.iter().any(|input| *input.name == *root)
                    || base.needs.iter().any(|need| *need.name == *root)
            }
        };
        if is_alike { Name::from(crate::bundle::BASE) } else { self.market.clone() }
    }

    /// Whether an element reads a fact itself, not by way of a feature.
    fn asks(&self, element: &Element, root: &Name) -> bool {
        let flow = &self.here.flow;
        match element {
            Element::Rule(set, at) => flow
                .rule_sets
                .iter()
                .find(|known| known.name == *set)
                .and_then(|set| set.rules.get(*at))
                .is_some_and(|rule| rule.reads.contains(root)),
            Element::Table(name) => flow
                .tables
                .iter()
                .find(|known| known.name == *name)
                .is_some_and(|table| table.columns.iter().any(|column| column.name == *root)),
            _ => false,
        }
    }
}

fn answers(evidence: &Evidence, verdict: &Verdict) -> State {
    let mut state = State::new();
    for ((set, at), results) in &evidence.rules {
        let answer = match results.last() {
            Some(RuleResult::Hit) => Answer::Hit,
            Some(RuleResult::Failed) => Answer::Failed,
            _ => Answer::Missed,
        };
        state.insert(Element::Rule(set.clone(), *at), answer);
    }
    for table in &evidence.tables {
        state.insert(Element::Table(table.clone()), Answer::Rows(Vec::new()));
    }
    for (table, row) in &evidence.rows {
        if let Some(Answer::Rows(rows)) = state.get_mut(&Element::Table(table.clone())) {
            rows.push(*row);
            rows.sort_unstable();
        }
    }
    for (card, of, bin) in &evidence.bins {
        state.insert(Element::Bin(card.clone(), of.clone()), Answer::Bin(*bin));
    }
    for ((site, span), gave) in &evidence.seen {
        let is_one = gave.was_true() != gave.was_false();
        if is_one && !matches!(site, Site::Rule { .. }) {
            state.insert(Element::Condition(*site, *span), Answer::Is(gave.was_true()));
        }
    }
    if verdict.needs.is_empty() {
        state.insert(Element::Outcome, Answer::Word(verdict.outcome.to_string()));
        for reason in &verdict.reasons {
            state.insert(Element::Reason(reason.clone()), Answer::Is(true));
        }
    } else {
        let asked: Vec<&str> = verdict.needs.iter().map(|asked| &*asked.name).collect();
        state.insert(Element::Outcome, Answer::Word(format!("asks for {}", asked.join(", "))));
    }
    state
}

impl Mark {
    /// `rule amount_too_large hits`: what a decision shows, in a few words.
    #[must_use]
    pub fn words(&self, here: &FlowRevision) -> String {
        let flow = &here.flow;
        let (element, answer) = match self {
            Self::Reached(_, element, answer) | Self::Edge(_, element, _, answer, _) => (element, answer),
        };
        match (element, answer) {
            (Element::Rule(set, at), answer) => {
                let set = flow.rule_sets.iter().find(|known| known.name == *set);
                let rule = set.and_then(|set| set.rules.get(*at)).map_or("", |rule| &*rule.id);
                let how = match answer {
                    Answer::Hit => "hits",
                    Answer::Failed => "fails",
                    _ => "misses",
                };
                format!("rule {rule} {how}")
            }
            (Element::Table(name), Answer::Rows(rows)) if rows.is_empty() => {
                format!("no row of {name} answers")
            }
            (Element::Table(name), Answer::Rows(rows)) => {
                let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
                format!("{name} answers with row {}", rows.join(" and "))
            }
            (Element::Bin(card, of), Answer::Bin(bin)) => format!("bin {bin} of {of} counts in {card}"),
            (Element::Condition(Site::Feature(at), _), answer) => {
                let name = flow.features.get(usize::from(*at)).map_or("a feature", |feature| &*feature.name);
                format!("{name} turns {}", if *answer == Answer::Is(true) { "true" } else { "false" })
            }
            (Element::Condition(_, span), answer) => {
                let turns = if *answer == Answer::Is(true) { "holds" } else { "does not hold" };
                let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
                let text = here.declaration.script.value.get(at(span.start)..at(span.end));
                match text.filter(|text| text.len() < 60 && !text.contains('\n')) {
                    Some(text) => format!("{text} {turns}"),
                    None => {
                        format!("the condition in line {} of the script {turns}", flow.script_line(*span))
                    }
                }
            }
            (Element::Outcome, Answer::Word(word)) => format!("the answer is {word}"),
            (Element::Reason(code), _) => format!("{code} is given"),
            _ => String::new(),
        }
    }

    /// What says most comes first.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Edge(_, Element::Rule(..), ..) => 0,
            Self::Edge(_, Element::Table(_), ..) => 1,
            Self::Edge(_, Element::Bin(..), ..) => 2,
            Self::Edge(..) => 3,
            Self::Reached(_, Element::Rule(..), _) => 4,
            Self::Reached(_, Element::Table(_) | Element::Bin(..), _) => 5,
            Self::Reached(_, Element::Reason(_) | Element::Outcome, _) => 6,
            Self::Reached(..) => 7,
        }
    }
}
