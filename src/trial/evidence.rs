//! What one case reached in a flow: every expression and what it gave, rules, rows, bins, lists, features. Seen while
//! the flow decides, and read from the trace. What a sub-flow does in turn is not this flow's.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use crate::bundle::cases::Prepared;
use crate::domain::flow::watch::{Gave, Seen, Site, Watch};
use crate::domain::flow::{Budget, Flow};
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{FeatureState, RecordedBy, RuleResult, Step, Verdict};

/// What an expression was seen to give, in all of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given(u8);

impl Given {
    const TRUE: u8 = 1;
    const FALSE: u8 = 2;
    const OTHER: u8 = 4;

    #[must_use]
    pub fn was_true(self) -> bool {
        self.0 & Self::TRUE != 0
    }

    #[must_use]
    pub fn was_false(self) -> bool {
        self.0 & Self::FALSE != 0
    }
}

/// What one case reached.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub seen: HashMap<(Site, Span), Given>,
    /// Rule set and position: `hit`, `missed`, `failed`, as often as it was evaluated.
    pub rules: HashMap<(Name, usize), Vec<RuleResult>>,
    pub tables: HashSet<Name>,
    /// Table and number of the row that answered.
    pub rows: HashSet<(Name, u32)>,
    pub scorecards: HashSet<Name>,
    /// Scorecard, characteristic and the 1-based bin.
    pub bins: HashSet<(Name, Name, u32)>,
    pub features: HashSet<Name>,
    /// Model, and whether `if_it_fails` answered.
    pub models: HashSet<(Name, bool)>,
    pub outcome: Option<Name>,
    pub reasons: Vec<Name>,
    /// Something failed: `on_error` was recorded, or something handled it.
    pub failed: bool,
    pub on_error: bool,
    pub on_invalid: bool,
}

#[derive(Default)]
struct Onlooker {
    depth: Cell<u32>,
    seen: RefCell<HashMap<(Site, Span), Given>>,
}

impl Watch for Onlooker {
    fn seen(&self, seen: Seen<'_>) {
        if self.depth.get() > 0 {
            return;
        }
        let bit = match seen.gave {
            Gave::Value(Value::Boolean(true)) => Given::TRUE,
            Gave::Value(Value::Boolean(false)) => Given::FALSE,
            _ => Given::OTHER,
        };
        self.seen.borrow_mut().entry((seen.site, seen.expression.span)).or_default().0 |= bit;
    }

    fn enter(&self, _: &Name) {
        self.depth.set(self.depth.get() + 1);
    }

    fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }
}

impl Evidence {
    /// Decides a case while looking on.
    #[must_use]
    pub fn of(flow: &Flow, case: &Prepared) -> (Verdict, Self) {
        let onlooker = Onlooker::default();
        let circumstances = (&Budget::default(), &case.pins);
        let verdict = flow.decide_watched(&case.facts, case.decided_at, circumstances, &onlooker);
        let mut evidence = Self { seen: onlooker.seen.into_inner(), ..Self::default() };
        evidence.read(&verdict);
        (verdict, evidence)
    }

    fn read(&mut self, verdict: &Verdict) {
        if verdict.needs.is_empty() {
            self.outcome = Some(Name::clone(&verdict.outcome));
            self.reasons.clone_from(&verdict.reasons);
        }
        let read = verdict.features.iter().filter(|(_, state)| *state != FeatureState::Unread);
        self.features.extend(read.map(|(name, _)| Name::clone(name)));
        self.failed = !verdict.failures.is_empty();
        for step in &verdict.trace {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Rules { name, rules, .. } => {
                for (at, (_, result)) in rules.iter().enumerate() {
                    self.rules.entry((Name::clone(name), at)).or_default().push(result);
                }
            }
            Step::Model { name, fallback, .. } => {
                self.models.insert((Name::clone(name), *fallback));
            }
            Step::Scorecard { name, bins, .. } => {
                self.scorecards.insert(Name::clone(name));
                let key = |characteristic: &Name, bin| (Name::clone(name), Name::clone(characteristic), bin);
                self.bins.extend(bins.iter().map(|bin| key(&bin.characteristic, bin.bin)));
            }
            Step::Table { name, rows, .. } => {
                self.tables.insert(Name::clone(name));
                self.rows.extend(rows.iter().map(|row| (Name::clone(name), *row)));
            }
            Step::Record { by: RecordedBy::OnError, .. } => self.on_error = true,
            Step::Record { by: RecordedBy::OnInvalid, .. } => self.on_invalid = true,
            Step::Failed(_) => self.failed = true,
            Step::List { .. }
            | Step::Feature { .. }
            | Step::SubFlow { .. }
            | Step::Need { .. }
            | Step::Gathered(_)
            | Step::Record { .. } => {}
        }
    }

    /// Whether a rule came out like this.
    #[must_use]
    pub fn rule(&self, set: &Name, at: usize, result: RuleResult) -> bool {
        self.rules.get(&(Name::clone(set), at)).is_some_and(|results| results.contains(&result))
    }
}
