//! The index of a table. Every column's values are cut at the bounds that its cells name into slots in which all
//! values match the same rows; a slot has one bit for each row. A value is looked up once a column, and the rows that
//! match are those whose bit is set in all columns. Where a column has so many bounds that a set of bits for each slot
//! would be too large, neighbouring slots share one, and what they let through is tested. Not here: what is done with
//! the rows.

use std::cmp::Ordering;

use super::Row;
use super::test::{Bound, Test, order};
use crate::domain::value::Value;

/// Words of 64 rows that the sets of one column may take: 512 KiB.
const WORDS_A_COLUMN: usize = 64 * 1024;
/// Fewer rows than these are tried one by one.
const FEWEST_ROWS: usize = 9;

/// Which rows match, without trying each.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Words of 64 rows in one set.
    words: usize,
    /// Empty: the rows are tried one by one.
    columns: Box<[ColumnIndex]>,
    is_built: bool,
    /// Some column's slots share sets: what the sets let through has to be tested.
    is_shared: bool,
}

#[derive(Debug, Clone)]
struct ColumnIndex {
    /// Every value that a cell names, in order, each once.
    bounds: Box<[Value]>,
    /// Neighbouring slots that share one set.
    slots_a_set: usize,
    /// `words` for each set.
    sets: Box<[u64]>,
    /// Rows that ask for what is missing.
    missing: Box<[u64]>,
}

impl Index {
    /// The index of some rows with this many columns.
    #[must_use]
    pub fn new(columns: usize, rows: &[Row]) -> Self {
        if rows.len() < FEWEST_ROWS || columns == 0 {
            return Self::default();
        }
        let words = rows.len().div_ceil(64);
        let columns: Box<[ColumnIndex]> = (0..columns)
            .map(|at| {
                let tests: Vec<&Test> = rows.iter().filter_map(|row| row.tests.get(at)).collect();
                ColumnIndex::new(&tests, words)
            })
            .collect();
        let is_shared = columns.iter().any(|column| column.slots_a_set > 1);
        Self { words, columns, is_built: true, is_shared }
    }

    /// Bytes of the sets and bounds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let column = |column: &ColumnIndex| {
            (column.sets.len() + column.missing.len()) * size_of::<u64>() + size_of_val(&*column.bounds)
        };
        self.columns.iter().map(column).sum()
    }

    /// Calls `found` with each matching row, in order, until it says `false`.
    pub(super) fn find(&self, rows: &[Row], values: &[Value], found: &mut dyn FnMut(usize, &Row) -> bool) {
        if !self.is_built {
            for (at, row) in rows.iter().enumerate() {
                if row.matches(values) && !found(at, row) {
                    return;
                }
            }
            return;
        }
        let sets: Vec<&[u64]> =
            self.columns.iter().zip(values).map(|(column, value)| column.set(value, self.words)).collect();
        let Some((first, others)) = sets.split_first() else { return };
        for (word, bits) in first.iter().enumerate() {
            if *bits == 0 {
                continue;
            }
            let mut bits = others.iter().fold(*bits, |bits, set| bits & set.get(word).copied().unwrap_or(0));
            while bits != 0 {
                let at = word * 64 + usize::try_from(bits.trailing_zeros()).unwrap_or_default();
                bits &= bits - 1;
                let Some(row) = rows.get(at) else { return };
                if self.is_shared && !row.matches(values) {
                    continue;
                }
                if !found(at, row) {
                    return;
                }
            }
        }
    }
}

impl ColumnIndex {
    fn new(tests: &[&Test], words: usize) -> Self {
        let mut bounds: Vec<&Value> = Vec::new();
        for test in tests {
            match test {
                Test::Any | Test::Missing => {}
                Test::OneOf(values) => bounds.extend(values.iter()),
                Test::Range { low, high } => {
                    bounds.extend(low.iter().chain(high).map(|bound| &bound.value));
                }
            }
        }
        let by_order = |a: &Value, b: &Value| order(a, b).unwrap_or(Ordering::Equal);
        bounds.sort_by(|a, b| by_order(a, b));
        bounds.dedup_by(|a, b| by_order(a, b) == Ordering::Equal);
        let bounds: Box<[Value]> = bounds.into_iter().cloned().collect();
        let slots = bounds.len() * 2 + 1;
        let most_sets = (WORDS_A_COLUMN / words.max(1)).max(1);
        let slots_a_set = slots.div_ceil(most_sets);
        let mut column =
            Self { bounds, slots_a_set, sets: Box::default(), missing: vec![0; words].into_boxed_slice() };
        column.fill(tests, words, slots.div_ceil(slots_a_set));
        column
    }

    /// Walks along the slots with the set of rows that match there: rows come in where their range begins and go
    /// where it ends.
    fn fill(&mut self, tests: &[&Test], words: usize, count: usize) {
        let mut current = vec![0_u64; words];
        let mut begin: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut end: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut alone: Vec<Vec<usize>> = vec![Vec::new(); count];
        let into = |all: &mut Vec<Vec<usize>>, set: usize, row: usize| {
            if let Some(rows) = all.get_mut(set) {
                rows.push(row);
            }
        };
        for (row, test) in tests.iter().enumerate() {
            match test {
                Test::Any => put(&mut current, row),
                Test::Missing => put(&mut self.missing, row),
                Test::OneOf(values) => {
                    for value in values {
                        into(&mut alone, self.slot(value) / self.slots_a_set, row);
                    }
                }
                Test::Range { low, high } => {
                    let (first, last) = self.span(low.as_ref(), high.as_ref());
                    if first <= last {
                        into(&mut begin, first / self.slots_a_set, row);
                        into(&mut end, last / self.slots_a_set, row);
                    }
                }
            }
        }
        let mut sets = Vec::with_capacity(count * words);
        for set in 0..count {
            let rows = |all: &Vec<Vec<usize>>| all.get(set).cloned().unwrap_or_default();
            rows(&begin).into_iter().for_each(|row| put(&mut current, row));
            let from = sets.len();
            sets.extend_from_slice(&current);
            if let Some(here) = sets.get_mut(from..) {
                rows(&alone).into_iter().for_each(|row| put(here, row));
            }
            rows(&end).into_iter().for_each(|row| take(&mut current, row));
        }
        self.sets = sets.into();
    }

    /// The slots from one bound to the other, both inclusive.
    fn span(&self, low: Option<&Bound>, high: Option<&Bound>) -> (usize, usize) {
        let first = low.map_or(0, |low| self.slot(&low.value) + usize::from(!low.is_inclusive));
        let last = high.map_or(self.bounds.len() * 2, |high| {
            self.slot(&high.value).saturating_sub(usize::from(!high.is_inclusive))
        });
        (first, last)
    }

    /// Slot 2i lies before bound i, slot 2i + 1 is the bound itself, and the last lies behind all.
    fn slot(&self, value: &Value) -> usize {
        let found = self.bounds.binary_search_by(|bound| order(bound, value).unwrap_or(Ordering::Less));
        match found {
            Ok(at) => at * 2 + 1,
            Err(at) => at * 2,
        }
    }

    fn set(&self, value: &Value, words: usize) -> &[u64] {
        if matches!(value, Value::Missing) {
            return &self.missing;
        }
        let from = self.slot(value) / self.slots_a_set * words;
        self.sets.get(from..from + words).unwrap_or_default()
    }
}

fn put(set: &mut [u64], row: usize) {
    if let Some(word) = set.get_mut(row / 64) {
        *word |= 1 << (row % 64);
    }
}

fn take(set: &mut [u64], row: usize) {
    if let Some(word) = set.get_mut(row / 64) {
        *word &= !(1 << (row % 64));
    }
}
