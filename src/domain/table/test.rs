//! What one cell or bin asks of one value.

use crate::domain::value::Value;

/// Values are in the type of the column; thresholds have been put in.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `-`: whatever is given. Never matches what is missing.
    Any,
    /// `missing`
    Missing,
    /// A value, or `a|b|c`.
    OneOf(Box<[Value]>),
    /// At least one bound.
    Range { low: Option<Bound>, high: Option<Bound> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub value: Value,
    pub is_inclusive: bool,
}
