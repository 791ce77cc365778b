//! A compiled decision table: typed cells, and an index that finds the matching rows without a scan.

mod test;

pub use test::{Bound, Test};

use crate::domain::value::Name;

/// Rows that answer for the values of some columns.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: Name,
}
