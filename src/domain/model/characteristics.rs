//! A scorecard as PMML writes it: characteristics, each a list of attributes with a condition, points and a reason; the
//! first attribute that holds counts. Conditions know three answers: a comparison with a missing value is neither true
//! nor false. Absent: points that are computed, and how points become odds.

use std::cmp::Ordering;

use super::ModelError;
use crate::domain::value::Name;

/// Most conditions of one scorecard, each counted with those inside it.
const MAX_CONDITIONS: usize = 100_000;
/// Most levels of conditions in conditions.
const MAX_LEVELS: usize = 32;

/// Points that add up.
#[derive(Debug, Clone, PartialEq)]
pub struct Characteristics {
    pub start: f64,
    /// Columns that the conditions read.
    pub columns: usize,
    pub characteristics: Vec<Characteristic>,
    /// Whether points above the baseline are what speaks against somebody (`pointsAbove`), or points below it.
    pub adverse: Adverse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adverse {
    Above,
    Below,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Characteristic {
    pub name: Name,
    /// What its points are compared with to say why.
    pub baseline: f64,
    /// The column that people know it by.
    pub column: usize,
    pub attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    pub holds: Condition,
    pub points: f64,
    pub reason: Option<Name>,
}

/// A condition on columns. Categories are compared by their codes.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Always,
    Never,
    Compare {
        column: usize,
        how: Compare,
        with: f64,
    },
    /// Whether it was given: never unknown.
    Given {
        column: usize,
        is: bool,
    },
    /// One of these (or none of them).
    OneOf {
        column: usize,
        of: Vec<f64>,
        is: bool,
    },
    All(Vec<Self>),
    Any(Vec<Self>),
    /// An odd number of them.
    Odd(Vec<Self>),
    /// The first that is not unknown.
    FirstKnown(Vec<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Characteristics {
    /// # Errors
    /// When a number is not finite, a column does not exist, or there is nothing to count.
    pub fn checked(self) -> Result<Self, ModelError> {
        let wrong = |at: usize, problem| Err(ModelError::Characteristic { at, problem });
        if self.columns > super::MAX_COLUMNS {
            return Err(ModelError::TooManyColumns { encoded: self.columns });
        }
        if !self.start.is_finite() || self.characteristics.is_empty() {
            return wrong(0, "there is none, or the points to start from are not finite");
        }
        let mut left = MAX_CONDITIONS;
        for (at, characteristic) in self.characteristics.iter().enumerate() {
            if !characteristic.baseline.is_finite() || characteristic.column >= self.columns {
                return wrong(at, "its baseline is not finite, or its column does not exist");
            }
            if characteristic.attributes.is_empty() {
                return wrong(at, "it has no attributes");
            }
            for attribute in &characteristic.attributes {
                if !attribute.points.is_finite() {
                    return wrong(at, "points are not a finite number");
                }
                if let Err(problem) = attribute.holds.check(self.columns, MAX_LEVELS, &mut left) {
                    return wrong(at, problem);
                }
            }
        }
        Ok(self)
    }

    /// All points for one row; `None` when no attribute of a characteristic holds.
    #[must_use]
    pub fn points(&self, columns: &[f64]) -> Option<f64> {
        self.characteristics
            .iter()
            .try_fold(self.start, |sum, characteristic| Some(sum + characteristic.attribute(columns)?.points))
    }
}

impl Characteristic {
    /// The first attribute that holds.
    #[must_use]
    pub fn attribute(&self, columns: &[f64]) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.holds.holds(columns) == Some(true))
    }
}

impl Condition {
    fn check(&self, columns: usize, levels: usize, left: &mut usize) -> Result<(), &'static str> {
        *left = left.checked_sub(1).ok_or("the scorecard has too many conditions")?;
        match self {
            Self::Always | Self::Never => Ok(()),
            Self::Compare { column, .. } | Self::Given { column, .. } | Self::OneOf { column, .. }
                if *column >= columns =>
            {
                Err("a condition reads a column that does not exist")
            }
            Self::Compare { with, .. } if !with.is_finite() => Err("a condition compares with no number"),
            Self::OneOf { of, .. } if of.iter().any(|value| !value.is_finite()) => {
                Err("a condition compares with no number")
            }
            Self::Compare { .. } | Self::Given { .. } | Self::OneOf { .. } => Ok(()),
            Self::All(inner) | Self::Any(inner) | Self::Odd(inner) | Self::FirstKnown(inner) => {
                let levels = levels.checked_sub(1).ok_or("conditions are nested too deep")?;
                inner.iter().try_for_each(|inner| inner.check(columns, levels, left))
            }
        }
    }

    /// Whether it holds; `None` when a missing value leaves that open.
    fn holds(&self, columns: &[f64]) -> Option<bool> {
        let given = |column: &usize| {
            let value = columns.get(*column).copied().unwrap_or(f64::NAN);
            (!value.is_nan()).then_some(value)
        };
        match self {
            Self::Always => Some(true),
            Self::Never => Some(false),
            Self::Compare { column, how, with } => Some(how.holds(given(column)?, *with)),
            Self::Given { column, is } => Some(given(column).is_some() == *is),
            Self::OneOf { column, of, is } => {
                let value = given(column)?;
                Some(of.iter().any(|one| Compare::Equal.holds(value, *one)) == *is)
            }
            Self::All(inner) => all(inner.iter().map(|inner| inner.holds(columns))),
            Self::Any(inner) => {
                let none = all(inner.iter().map(|inner| inner.holds(columns).map(|holds| !holds)));
                none.map(|none| !none)
            }
            Self::Odd(inner) => inner.iter().try_fold(false, |odd, inner| Some(odd ^ inner.holds(columns)?)),
            Self::FirstKnown(inner) => inner.iter().find_map(|inner| inner.holds(columns)),
        }
    }
}

/// False beats unknown, unknown beats true.
fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for answer in answers {
        match answer {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

impl Compare {
    fn holds(self, x: f64, with: f64) -> bool {
        match self {
            Self::Equal => x.partial_cmp(&with) == Some(Ordering::Equal),
            Self::NotEqual => x.partial_cmp(&with) != Some(Ordering::Equal),
            Self::Below => x < with,
            Self::AtMost => x <= with,
            Self::Above => x > with,
            Self::AtLeast => x >= with,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_least(column: usize, with: f64) -> Condition {
        Condition::Compare { column, how: Compare::AtLeast, with }
    }

    #[test]
    fn a_comparison_with_what_is_missing_is_neither_true_nor_false() {
        let nan = f64::NAN;
        let check = |condition: Condition, row: [f64; 2], answer: Option<bool>| {
            assert_eq!(condition.holds(&row), answer, "{condition:?} of {row:?}");
        };
        let (a, b) = (at_least(0, 1.0), at_least(1, 1.0));
        check(a.clone(), [1.0, nan], Some(true));
        check(a.clone(), [nan, 1.0], None);
        let both = Condition::All(vec![a.clone(), b.clone()]);
        check(both.clone(), [nan, 0.0], Some(false));
        check(both, [nan, 1.0], None);
        let either = Condition::Any(vec![a.clone(), b.clone()]);
        check(either.clone(), [nan, 1.0], Some(true));
        check(either, [nan, 0.0], None);
        check(Condition::Odd(vec![a.clone(), b.clone()]), [1.0, 1.0], Some(false));
        check(Condition::Odd(vec![a.clone(), b.clone()]), [1.0, nan], None);
        check(Condition::FirstKnown(vec![a, b]), [nan, 1.0], Some(true));
        check(Condition::Given { column: 0, is: false }, [nan, 0.0], Some(true));
        check(Condition::OneOf { column: 0, of: vec![2.0, 3.0], is: false }, [4.0, 0.0], Some(true));
        check(Condition::OneOf { column: 0, of: vec![2.0], is: false }, [nan, 0.0], None);
    }

    fn card(attributes: Vec<Attribute>) -> Characteristics {
        let name: Name = std::sync::Arc::from("age");
        let characteristics = vec![Characteristic { name, baseline: 0.0, column: 0, attributes }];
        Characteristics { start: 100.0, columns: 1, characteristics, adverse: Adverse::Below }
    }

    #[test]
    fn the_first_attribute_that_holds_counts_and_none_is_no_score() {
        let attribute = |holds, points| Attribute { holds, points, reason: None };
        let card = card(vec![attribute(at_least(0, 30.0), 20.0), attribute(at_least(0, 18.0), 5.0)]);
        let card = card.checked().unwrap();
        assert_eq!([card.points(&[40.0]), card.points(&[20.0])], [Some(120.0), Some(105.0)]);
        assert_eq!([card.points(&[10.0]), card.points(&[f64::NAN])], [None, None]);
    }

    #[test]
    fn what_is_no_scorecard_is_refused() {
        let attribute = |holds| vec![Attribute { holds, points: 1.0, reason: None }];
        let check = |card: Characteristics, says: &str| {
            assert_eq!(card.checked().unwrap_err().to_string(), format!("characteristic 0: {says}"));
        };
        check(card(vec![]), "it has no attributes");
        check(card(attribute(at_least(3, 0.0))), "a condition reads a column that does not exist");
        check(card(attribute(at_least(0, f64::NAN))), "a condition compares with no number");
        let deep = (0..40).fold(Condition::Always, |inner, _| Condition::All(vec![inner]));
        check(card(attribute(deep)), "conditions are nested too deep");
    }
}
