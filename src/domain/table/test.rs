//! What one cell or bin asks of one value. One order for everything: `expression::operators`'.

use std::cmp::Ordering;

use crate::domain::expression::operators;
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

impl Test {
    /// Whether a value is what is asked for. What does not compare does not match: the compiler keeps such values
    /// away.
    #[must_use]
    pub fn matches(&self, value: &Value) -> bool {
        if matches!(value, Value::Missing) {
            return *self == Self::Missing;
        }
        match self {
            Self::Any => true,
            Self::Missing => false,
            Self::OneOf(values) => values.iter().any(|one| order(value, one) == Some(Ordering::Equal)),
            Self::Range { low, high } => {
                low.as_ref().is_none_or(|low| low.lets(value, Ordering::Greater))
                    && high.as_ref().is_none_or(|high| high.lets(value, Ordering::Less))
            }
        }
    }

    /// Whether no value at all can match: the bounds leave nothing between them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self::Range { low: Some(low), high: Some(high) } = self else { return false };
        match order(&low.value, &high.value) {
            Some(Ordering::Less) => false,
            Some(Ordering::Equal) => !(low.is_inclusive && high.is_inclusive),
            _ => true,
        }
    }
}

impl Bound {
    /// Whether `value` lies on this side of the bound, or on it where that counts.
    fn lets(&self, value: &Value, side: Ordering) -> bool {
        let found = order(value, &self.value);
        found == Some(side) || self.is_inclusive && found == Some(Ordering::Equal)
    }
}

/// The order of two values of one column: that of conditions, and false before true.
#[must_use]
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        _ => operators::ordering(a, b),
    }
}
