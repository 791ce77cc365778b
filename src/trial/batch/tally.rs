//! What is counted of rows, chunk by chunk, and put together in their order: sums that do not grow with the file.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::Asked;
use super::columns::Layout;
use super::comparison::Flips;
use super::counts::Counts;
use super::decide::{Decided, State};
use super::groups::GroupTally;
use super::spread::Spread;
use crate::domain::facts::FactProblem;
use crate::domain::value::{Name, Value};
use crate::learn::SplitMix64;

/// Different values of a score that are counted one by one.
const MOST_SCORES: usize = 200_000;
/// Refused rows that are told one by one, and kinds of refusals that are counted.
const MOST_REFUSED: usize = 20;
const MOST_REFUSALS: usize = 200;
/// Rows that are kept to see which inputs tell groups apart.
const SAMPLE: usize = 20_000;
/// Values of a group column that are counted one by one; with more, it is no grouping.
const MOST_VALUES: usize = 512;

/// Why rows were refused, and how many for that.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refused {
    pub pointer: String,
    pub code: &'static str,
    pub rows: u64,
}

/// One refused row. Never shows a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedRow {
    pub row: u64,
    pub line: Option<u64>,
    #[serde(serialize_with = "wrong")]
    pub errors: Vec<FactProblem>,
}

fn wrong<S: serde::Serializer>(problems: &[FactProblem], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(problems.iter().map(|problem| {
        BTreeMap::from([
            ("pointer", problem.pointer.as_str()),
            ("code", problem.code),
            ("detail", problem.detail.as_str()),
        ])
    }))
}

/// A row of the sample: rows with the lowest lots are in it, so it is the same however the work was dealt out.
#[derive(Debug, Clone)]
pub(super) struct Sampled {
    lot: u64,
    pub row: u64,
    /// Of the inputs of the first flow, in their order.
    pub values: Box<[Value]>,
    pub groups: Box<[String]>,
}

impl PartialEq for Sampled {
    fn eq(&self, other: &Self) -> bool {
        (self.lot, self.row) == (other.lot, other.row)
    }
}
impl Eq for Sampled {}
impl PartialOrd for Sampled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Sampled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.lot, self.row).cmp(&(other.lot, other.row))
    }
}

pub(super) struct Tally {
    pub rows: u64,
    pub decided: Counts,
    pub refused: u64,
    pub degraded: u64,
    pub needs: BTreeMap<Name, u64>,
    pub outcomes: BTreeMap<Name, Counts>,
    pub reasons: BTreeMap<Name, Counts>,
    pub scores: BTreeMap<Name, Spread>,
    pub markets: BTreeMap<String, BTreeMap<Name, Counts>>,
    pub refusals: BTreeMap<(String, &'static str), u64>,
    pub first_refused: Vec<RefusedRow>,
    /// Of each group column: by value; `None` when there are too many.
    pub groups: Vec<Option<BTreeMap<String, GroupTally>>>,
    pub sample: BinaryHeap<Sampled>,
    sample_below: Arc<AtomicU64>,
    inputs: Vec<Name>,
    pub flips: Option<Flips>,
}

impl Tally {
    pub(super) fn new(asked: &Asked, layout: &Layout) -> Self {
        let inputs = layout.first().map(|first| first.flow.inputs.iter().map(|i| i.name.clone()).collect());
        Self {
            rows: 0,
            decided: Counts::default(),
            refused: 0,
            degraded: 0,
            needs: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            reasons: BTreeMap::new(),
            scores: BTreeMap::new(),
            markets: BTreeMap::new(),
            refusals: BTreeMap::new(),
            first_refused: Vec::new(),
            groups: asked.named.groups.iter().map(|_| Some(BTreeMap::new())).collect(),
            sample: BinaryHeap::new(),
            sample_below: Arc::new(AtomicU64::new(u64::MAX)),
            inputs: inputs.unwrap_or_default(),
            flips: asked.there.as_ref().map(|_| Flips::new(asked.show_facts)),
        }
    }

    /// The lot below which a row may still come into the sample; it only falls.
    pub(super) fn sample_below(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sample_below)
    }

    pub(super) fn add(&mut self, decided: &Decided<'_>, sample_below: u64) {
        self.rows += 1;
        if let Some(flips) = &mut self.flips {
            flips.add(decided);
        }
        match decided.here {
            State::Refused(problems) => self.add_refused(decided, problems),
            State::Needs(of) => {
                for need in &of.1.needs {
                    *self.needs.entry(need.name.clone()).or_default() += 1;
                }
            }
            State::Decided(_) => self.add_decided(decided, sample_below),
        }
    }

    fn add_refused(&mut self, decided: &Decided<'_>, problems: &[FactProblem]) {
        self.refused += 1;
        for problem in problems {
            let key = (problem.pointer.clone(), problem.code);
            if self.refusals.len() < MOST_REFUSALS || self.refusals.contains_key(&key) {
                *self.refusals.entry(key).or_default() += 1;
            }
        }
        if self.first_refused.len() < MOST_REFUSED {
            let (row, line) = (decided.number, decided.line);
            self.first_refused.push(RefusedRow { row, line, errors: problems.to_vec() });
        }
    }

    fn add_decided(&mut self, decided: &Decided<'_>, sample_below: u64) {
        let Some(verdict) = decided.here.verdict() else { return };
        let is_bad = decided.is_bad;
        self.decided.add(is_bad);
        self.degraded += u64::from(verdict.degraded);
        counted(&mut self.outcomes, &verdict.outcome, is_bad);
        for reason in &verdict.reasons {
            counted(&mut self.reasons, reason, is_bad);
        }
        for (name, score) in &verdict.scores {
            if !self.scores.contains_key(name) {
                self.scores.insert(name.clone(), Spread::new(MOST_SCORES));
            }
            if let Some(spread) = self.scores.get_mut(name) {
                spread.add(score.rounded, is_bad);
            }
        }
        if !self.markets.contains_key(decided.market) {
            self.markets.insert(decided.market.to_owned(), BTreeMap::new());
        }
        if let Some(outcomes) = self.markets.get_mut(decided.market) {
            counted(outcomes, &verdict.outcome, is_bad);
        }
        for (groups, value) in self.groups.iter_mut().zip(decided.groups) {
            if let Some(values) = groups {
                values.entry(value.clone()).or_default().add(verdict, is_bad);
            }
        }
        self.limit_groups();
        self.sample(decided, sample_below);
    }

    fn limit_groups(&mut self) {
        for groups in &mut self.groups {
            if groups.as_ref().is_some_and(|values| values.len() > MOST_VALUES) {
                *groups = None;
            }
        }
    }

    fn sample(&mut self, decided: &Decided<'_>, below: u64) {
        // A number that has nothing to do with the row but that it is always the same.
        let lot = SplitMix64::at(decided.number);
        let (Some(facts), Some(flow)) = (decided.here.facts(), decided.flow) else { return };
        if decided.groups.is_empty() || lot > below {
            return;
        }
        let value = |name: &Name| {
            let at = flow.inputs.iter().position(|input| input.name == *name)?;
            facts.values.get(at).cloned()
        };
        let values = self.inputs.iter().map(|name| value(name).unwrap_or(Value::Missing)).collect();
        self.put(Sampled { lot, row: decided.number, values, groups: decided.groups.into() });
    }

    fn put(&mut self, sampled: Sampled) {
        self.sample.push(sampled);
        if self.sample.len() > SAMPLE {
            self.sample.pop();
            if let Some(highest) = self.sample.peek() {
                self.sample_below.store(highest.lot, Ordering::Relaxed);
            }
        }
    }

    /// Adds what was counted of the rows behind.
    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.decided.merge(other.decided);
        self.refused += other.refused;
        self.degraded += other.degraded;
        for (need, rows) in other.needs {
            *self.needs.entry(need).or_default() += rows;
        }
        merged(&mut self.outcomes, other.outcomes);
        merged(&mut self.reasons, other.reasons);
        for (name, spread) in other.scores {
            self.scores.entry(name).or_insert_with(|| Spread::new(MOST_SCORES)).merge(&spread);
        }
        for (market, outcomes) in other.markets {
            merged(self.markets.entry(market).or_default(), outcomes);
        }
        for (key, rows) in other.refusals {
            if self.refusals.len() < MOST_REFUSALS || self.refusals.contains_key(&key) {
                *self.refusals.entry(key).or_default() += rows;
            }
        }
        let room = MOST_REFUSED.saturating_sub(self.first_refused.len());
        self.first_refused.extend(other.first_refused.into_iter().take(room));
        for (mine, theirs) in self.groups.iter_mut().zip(other.groups) {
            match (mine.as_mut(), theirs) {
                (Some(mine), Some(theirs)) => {
                    for (value, tally) in theirs {
                        mine.entry(value).or_default().merge(&tally);
                    }
                }
                _ => *mine = None,
            }
        }
        self.limit_groups();
        for sampled in other.sample {
            self.put(sampled);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.flips, other.flips) {
            mine.merge(theirs);
        }
    }
}

/// Adds one row to a name's counts, without a copy of the name where it is known.
pub(super) fn counted(counts: &mut BTreeMap<Name, Counts>, name: &Name, is_bad: Option<bool>) {
    match counts.get_mut(name) {
        Some(found) => found.add(is_bad),
        None => counts.entry(name.clone()).or_default().add(is_bad),
    }
}

pub(super) fn merged<K: Ord>(mine: &mut BTreeMap<K, Counts>, theirs: BTreeMap<K, Counts>) {
    for (key, counts) in theirs {
        mine.entry(key).or_default().merge(counts);
    }
}
