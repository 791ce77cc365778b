//! A compiled decision table: typed cells, and an index that finds the matching rows without a scan. What becomes of
//! the matching rows (hit policies, records) is `flow::tables`'.

pub mod cell;
pub mod damage;
mod index;
pub mod literal;
mod test;

pub use index::Index;
pub use test::{Bound, Test, order};

use std::sync::Arc;

use super::declaration::TableHitPolicy;
use super::place::Place;
use super::value::{Kind, Name, Value};

/// Rows that answer for the values of some columns.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: Name,
    pub hit_policy: TableHitPolicy,
    /// The columns that are asked, in the order of the header.
    pub columns: Vec<Column>,
    /// What rows give, in the order of the header, without `-> outcome` and `-> reason`.
    pub outputs: Vec<Given>,
    /// There is a column `-> outcome`: `.apply()` records it.
    pub has_outcome: bool,
    pub rows: Vec<Row>,
    /// Inputs and features among the columns.
    pub reads: Arc<[Name]>,
    /// The header row.
    pub place: Place,
    pub(super) index: Index,
}

/// One column that is asked.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: Name,
    pub source: Source,
    /// The type that its cells are in.
    pub kind: Kind,
    /// The value may be missing: only `missing` matches it then.
    pub may_be_missing: bool,
    /// Its name in the header.
    pub place: Place,
}

/// Where the value of a column or characteristic comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// By its place among the flow's inputs.
    Input(u16),
    /// By its place among the flow's features.
    Feature(u16),
    /// What the call hands over, by its place among what is handed over.
    Taken(u16),
}

/// One column that rows give.
#[derive(Debug, Clone)]
pub struct Given {
    pub name: Name,
    pub kind: Kind,
    /// Some cell says `missing`.
    pub may_be_missing: bool,
    /// The flow's output of this name: `.apply()` carries it.
    pub output: Option<u16>,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    /// 1-based among the rows of the table, the header not counted.
    pub number: u32,
    /// One for each column.
    pub tests: Box<[Test]>,
    /// One for each of the table's outputs.
    pub outputs: Box<[Value]>,
    /// Index into the flow's outcomes: what `.apply()` records.
    pub outcome: Option<u16>,
    pub reasons: Box<[Name]>,
    /// The first cell, for findings about the row.
    pub place: Place,
}

impl Row {
    /// Whether each column's value is what this row asks for.
    #[must_use]
    pub fn matches(&self, values: &[Value]) -> bool {
        self.tests.iter().zip(values).all(|(test, value)| test.matches(value))
    }
}

/// What a table is made of; `Table::new` adds the index.
#[derive(Debug, Clone)]
pub struct Parts {
    pub name: Name,
    pub hit_policy: TableHitPolicy,
    pub columns: Vec<Column>,
    pub outputs: Vec<Given>,
    pub has_outcome: bool,
    pub rows: Vec<Row>,
    pub reads: Arc<[Name]>,
    pub place: Place,
}

impl Table {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { name, hit_policy, columns, outputs, has_outcome, rows, reads, place } = parts;
        let index = Index::new(columns.len(), &rows);
        Self { name, hit_policy, columns, outputs, has_outcome, rows, reads, place, index }
    }

    /// Calls `found` with each matching row, by its place, in order, until it says `false`. `values` has one value for
    /// each column, in the column's type or missing.
    pub fn find(&self, values: &[Value], found: &mut dyn FnMut(usize, &Row) -> bool) {
        self.index.find(&self.rows, values, found);
    }

    /// As `find`, row by row and without the index: what the index is held to.
    pub fn scan(&self, values: &[Value], found: &mut dyn FnMut(usize, &Row) -> bool) {
        for (at, row) in self.rows.iter().enumerate() {
            if row.matches(values) && !found(at, row) {
                return;
            }
        }
    }

    /// The columns that the call hands over, in their order there.
    pub fn taken(&self) -> impl Iterator<Item = &Column> + Clone {
        self.columns.iter().filter(|column| matches!(column.source, Source::Taken(_)))
    }

    /// Bytes that the index takes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.index.bytes()
    }
}
