//! Why not a milder outcome: what was recorded that is stricter, because of which conditions, and what would stand in
//! the way without it. That is evaluated, not guessed: the flow decides again on the same facts with these conditions
//! taken to have gone the other way. Absent on purpose: which facts would have to be other ones.

use std::collections::BTreeMap;

use super::drawn_up::{Account, Asked, Teller};
use super::steps::By;
use super::{Condition, Read, RecordTold, Told, Truth};
use crate::domain::expression::ExpressionId;
use crate::domain::flow::watch::{Assumed, TableId};
use crate::domain::value::Name;
use crate::domain::verdict::{RecordedBy, RuleResult};

/// Rounds in which what stands in the way is taken away, and what then does is looked for.
const MOST_ROUNDS: usize = 12;
/// Obstacles of which each is taken away alone.
const MOST_ALONE: usize = 50;

/// A condition that led to where the script is.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// `None`: a choice that cannot simply go the other way.
    pub condition: Option<(ExpressionId, bool)>,
    pub told: Condition,
}

impl Link {
    /// An arm of a `switch`.
    pub fn chosen(on: &Read) -> Self {
        let told = Condition {
            text: format!("switch {}", on.name),
            shown: on.shown(),
            truth: Truth::True,
            decided: true,
            reads: vec![on.clone()],
            parts: Vec::new(),
        };
        Self { condition: None, told }
    }
}

/// What stood in the way of a milder outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Obstacle {
    pub outcome: Name,
    pub reasons: Vec<Name>,
    pub by: RecordedBy,
    /// Of `flow.rhai`, 0 if it has none.
    pub line: u32,
    /// Why it was recorded: the conditions that led there, the rule's own last; the cells of a table's row.
    pub conditions: Vec<Condition>,
    /// What stood in the way within the flow that was asked.
    pub within: Vec<Obstacle>,
    /// The verdict without this alone; `None` where that cannot be told.
    pub alone: Option<Name>,
    /// It stands in the way whether the first one does or not.
    pub is_still: bool,
    gone: Vec<Gone>,
}

/// How an obstacle is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Condition(ExpressionId, bool),
    Row(TableId, u32),
    Silent(ExpressionId),
}

/// What stood between the verdict and one milder outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct WhyNot {
    pub outcome: Name,
    /// Strictest first, then in the order recorded.
    pub in_the_way: Vec<Obstacle>,
    /// What comes up only once others are gone.
    pub then: Vec<Obstacle>,
    /// What would be decided with all of them gone that can be taken away.
    pub ends_in: Name,
}

impl Obstacle {
    fn is(&self, other: &Self) -> bool {
        (&self.by, self.line, &self.outcome) == (&other.by, other.line, &other.outcome)
            && self.conditions.iter().map(|c| &c.text).eq(other.conditions.iter().map(|c| &c.text))
    }
}

impl<'f> Teller<'f> {
    /// Notes a record that is stricter than the mildest outcome.
    pub(super) fn obstacle(&mut self, told: &RecordTold, by: By<'f, '_>) {
        if self.on.flow.outcomes.first() == Some(&told.outcome) {
            return;
        }
        let mut conditions: Vec<Condition> = self.way.iter().map(|link| link.told.clone()).collect();
        let (mut gone, mut within) = (Vec::new(), Vec::new());
        let recorder = by.map(|(expression, _)| expression.id());
        match &told.by {
            RecordedBy::Verb => {
                let last = self.way.iter().rev().find_map(|link| link.condition);
                gone.extend(last.map(|(id, truth)| Gone::Condition(id, !truth)));
                if gone.is_empty() {
                    gone.extend(recorder.map(Gone::Silent));
                }
            }
            RecordedBy::Rule { rule_set, rule } => {
                conditions.extend(self.hit(rule_set, rule));
                let set = self.on.flow.rule_sets.iter().find(|set| set.name == *rule_set);
                let rule = set.and_then(|set| set.rules.iter().find(|known| known.id == *rule));
                gone.extend(rule.map(|rule| Gone::Condition(rule.condition.id(), false)));
            }
            RecordedBy::Row { table, row } => {
                conditions.extend(self.answered(table, *row));
                let table = self.on.flow.tables.iter().find(|known| known.name == *table);
                gone.extend(table.map(|table| Gone::Row(TableId::of(table), *row)));
            }
            RecordedBy::SubFlow(flow) => {
                let asked = self
                    .below
                    .iter()
                    .rev()
                    .find(|(name, outcome, _)| name == flow && *outcome == told.outcome);
                let all = asked.map(|(_, _, all)| all.iter().filter(|inner| inner.outcome == told.outcome));
                within = all.into_iter().flatten().cloned().collect();
                let all_can_go = !within.is_empty() && within.iter().all(|inner| !inner.gone.is_empty());
                if all_can_go {
                    gone = within.iter().flat_map(|inner| inner.gone.iter().copied()).collect();
                } else {
                    gone.extend(recorder.map(Gone::Silent));
                }
            }
            // What failed does not become right by being looked away from.
            RecordedBy::IfItFails(_) | RecordedBy::OnError | RecordedBy::OnInvalid => {}
        }
        self.obstacles.push(Obstacle {
            outcome: told.outcome.clone(),
            reasons: told.reasons.clone(),
            by: told.by.clone(),
            line: told.line,
            conditions,
            within,
            alone: None,
            is_still: true,
            gone,
        });
    }

    /// The condition of a rule that hit, as it was told.
    fn hit(&self, rule_set: &Name, rule: &Name) -> Option<Condition> {
        let sets = self.told.iter().rev().filter_map(|told| match told {
            Told::Rules { name, rules, .. } if name == rule_set => Some(rules),
            _ => None,
        });
        let mut hits = sets.flatten().filter(|told| told.id == *rule && told.result == RuleResult::Hit);
        hits.next().map(|told| told.condition.clone())
    }

    fn answered(&self, table: &Name, row: u32) -> Vec<Condition> {
        let columns = self.told.iter().rev().find_map(|told| match told {
            Told::Table { name, columns, rows, .. } if name == table && rows.contains(&row) => Some(columns),
            _ => None,
        });
        let found = self.on.flow.tables.iter().find(|known| known.name == *table);
        found
            .zip(columns)
            .map(|(table, columns)| self.row_conditions(table, row, columns))
            .unwrap_or_default()
    }
}

/// Of each outcome milder than the verdict, nearest first, what stood in its way.
pub(super) fn why_not(asked: &Asked<'_>, account: &Account) -> Vec<WhyNot> {
    let outcomes = &asked.flow.outcomes;
    if !account.verdict.needs.is_empty() {
        return Vec::new();
    }
    let verdict = rank(outcomes, &account.verdict.outcome);
    let milder = outcomes.iter().take(verdict).enumerate().rev();
    let mut alone: BTreeMap<String, Name> = BTreeMap::new();
    milder.map(|(at, outcome)| asked.stood_in_the_way(account, (at, outcome), &mut alone)).collect()
}

fn rank(outcomes: &[Name], outcome: &Name) -> usize {
    outcomes.iter().position(|known| known == outcome).unwrap_or_default()
}

impl Asked<'_> {
    fn stood_in_the_way(
        &self,
        account: &Account,
        (at, outcome): (usize, &Name),
        alone: &mut BTreeMap<String, Name>,
    ) -> WhyNot {
        let mut in_the_way = self.stricter(&account.obstacles, at);
        for obstacle in in_the_way.iter_mut().take(MOST_ALONE).filter(|obstacle| !obstacle.gone.is_empty()) {
            let key = format!("{:?}", obstacle.gone);
            let without = || self.account(assumed(&obstacle.gone)).verdict.outcome;
            obstacle.alone = Some(alone.entry(key).or_insert_with(without).clone());
        }
        let mut then: Vec<Obstacle> = Vec::new();
        let mut ends_in = account.verdict.outcome.clone();
        let mut gone: Vec<Gone> = Vec::new();
        if let Some(first) = in_the_way.first().filter(|first| !first.gone.is_empty()) {
            let without = self.stricter(&self.account(assumed(&first.gone)).obstacles, at);
            for obstacle in in_the_way.iter_mut().skip(1) {
                obstacle.is_still = without.iter().any(|still| still.is(obstacle));
            }
            then.extend(without.into_iter().filter(|new| !in_the_way.iter().any(|known| known.is(new))));
        }
        let mut standing = in_the_way.clone();
        for _ in 0..MOST_ROUNDS {
            let more: Vec<Gone> =
                standing.iter().flat_map(|o| o.gone.iter().copied()).filter(|g| !gone.contains(g)).collect();
            if more.is_empty() {
                break;
            }
            gone.extend(more);
            let next = self.account(assumed(&gone));
            ends_in = next.verdict.outcome;
            standing = self.stricter(&next.obstacles, at);
            let is_new = |new: &Obstacle| !in_the_way.iter().chain(&then).any(|known| known.is(new));
            let new: Vec<Obstacle> = standing.iter().filter(|new| is_new(new)).cloned().collect();
            then.extend(new);
        }
        WhyNot { outcome: outcome.clone(), in_the_way, then, ends_in }
    }

    /// What is stricter than an outcome, the strictest first.
    fn stricter(&self, obstacles: &[Obstacle], than: usize) -> Vec<Obstacle> {
        let rank = |obstacle: &Obstacle| rank(&self.flow.outcomes, &obstacle.outcome);
        let mut found: Vec<Obstacle> = obstacles.iter().filter(|o| rank(o) > than).cloned().collect();
        found.sort_by_key(|obstacle| std::cmp::Reverse(rank(obstacle)));
        found
    }
}

fn assumed(gone: &[Gone]) -> Assumed {
    let mut assumed = Assumed::default();
    for gone in gone {
        match *gone {
            Gone::Condition(id, truth) => drop(assumed.conditions.insert(id, truth)),
            Gone::Row(table, row) => drop(assumed.rows.insert((table, row))),
            Gone::Silent(id) => drop(assumed.silent.insert(id)),
        }
    }
    assumed
}

impl Obstacle {
    /// Whether it could be taken away, to see what is behind it.
    #[must_use]
    pub fn can_go(&self) -> bool {
        !self.gone.is_empty()
    }
}
