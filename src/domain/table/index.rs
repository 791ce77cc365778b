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
        Self::within(columns, rows, WORDS_A_COLUMN)
    }

    fn within(columns: usize, rows: &[Row], words_a_column: usize) -> Self {
        if rows.len() < FEWEST_ROWS || columns == 0 {
            return Self::default();
        }
        let words = rows.len().div_ceil(64);
        let columns: Box<[ColumnIndex]> = (0..columns)
            .map(|at| {
                let tests: Vec<&Test> = rows.iter().filter_map(|row| row.tests.get(at)).collect();
                ColumnIndex::new(&tests, words, words_a_column)
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
    fn new(tests: &[&Test], words: usize, words_a_column: usize) -> Self {
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
        let most_sets = (words_a_column / words.max(1)).max(1);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::place::Place;

    /// Integers in the first column, numbers and integers side by side in the second, texts in the third.
    fn value(column: usize, at: i64) -> Value {
        match column {
            0 => Value::Integer(at),
            1 if at % 2 == 0 => Value::Integer(at / 2),
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            1 => Value::Number(at as f64 / 2.0),
            _ => Value::text(&format!("{at:02}")),
        }
    }

    fn tests(column: usize) -> impl Strategy<Value = Test> {
        let bound = move || {
            (0..20_i64, any::<bool>())
                .prop_map(move |(at, is_inclusive)| Bound { value: value(column, at), is_inclusive })
        };
        prop_oneof![
            2 => Just(Test::Any),
            1 => Just(Test::Missing),
            3 => prop::collection::vec(0..20_i64, 1..4)
                .prop_map(move |all| Test::OneOf(all.into_iter().map(|at| value(column, at)).collect())),
            2 => (prop::option::of(bound()), bound())
                .prop_map(|(low, high)| Test::Range { low, high: Some(high) }),
            1 => bound().prop_map(|low| Test::Range { low: Some(low), high: None }),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (tests(0), tests(1), tests(2)).prop_map(|(a, b, c)| Row {
            number: 0,
            tests: Box::new([a, b, c]),
            outputs: Box::default(),
            outcome: None,
            reasons: Box::default(),
            place: Place::default(),
        });
        prop::collection::vec(row, 0..200)
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_scan_finds_whatever_memory_it_has(
            rows in rows(),
            asked in prop::collection::vec((prop::option::of(-1..21_i64), prop::option::of(-1..21_i64), prop::option::of(-1..21_i64)), 8),
            words in prop::sample::select(vec![1_usize, 12, 64 * 1024]),
        ) {
            let index = Index::within(3, &rows, words);
            for (a, b, c) in asked {
                let values: Vec<Value> = [a, b, c]
                    .into_iter()
                    .enumerate()
                    .map(|(column, at)| at.map_or(Value::Missing, |at| value(column, at)))
                    .collect();
                let mut found = Vec::new();
                index.find(&rows, &values, &mut |at, _| {
                    found.push(at);
                    true
                });
                let scanned: Vec<usize> =
                    rows.iter().enumerate().filter(|(_, row)| row.matches(&values)).map(|(at, _)| at).collect();
                prop_assert_eq!(&found, &scanned);
                let mut first = None;
                index.find(&rows, &values, &mut |at, _| {
                    first = Some(at);
                    false
                });
                prop_assert_eq!(first, scanned.first().copied());
            }
        }
    }

    #[test]
    fn an_index_keeps_to_its_memory() {
        let row = |at: i64| Row {
            number: 0,
            tests: Box::new([Test::OneOf(Box::new([Value::Integer(at)]))]),
            outputs: Box::default(),
            outcome: None,
            reasons: Box::default(),
            place: Place::default(),
        };
        let rows: Vec<Row> = (0..20_000).map(row).collect();
        let bytes = Index::new(1, &rows).bytes();
        let bounds = rows.len() * size_of::<Value>();
        assert!(bytes <= WORDS_A_COLUMN * 8 + bounds + 8 * 1024, "{bytes}");
    }
}
