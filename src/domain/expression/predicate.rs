//! Conditions that compare names with constants, as predicates over the positions of facts: the evaluator's answer
//! without a walk through its tree, to the tick. What is missing, failed or of another type is left to the evaluator.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{Code, Expression};
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Name, Value};

/// A condition, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    Compare {
        of: Source,
        wanted: Wanted,
        with: Operand,
        ticks: u32,
    },
    /// `purpose in ["house", "other"]`
    OneOf {
        of: Source,
        texts: Box<[Name]>,
        ticks: u32,
    },
    /// A boolean by itself.
    Is(Source),
    IsGiven(Source),
    Not(Box<Predicate>),
    All(Box<[Predicate]>),
    Either(Box<[Predicate]>),
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Input(u16),
    Feature(u16),
}

/// A constant, in the form of each type that it can meet.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Whole { integer: i64, decimal: Decimal, number: f64 },
    Fraction { decimal: Decimal, number: f64 },
    Exact(Decimal),
    Other(Value),
}

/// Which orderings make a comparison true, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted(u8);

const LESS: u8 = 1;
const EQUAL: u8 = 2;
const GREATER: u8 = 4;
/// Whole numbers up to here are floats without loss.
const EXACT_IN_FLOAT: u64 = 1 << 53;

impl Wanted {
    fn of(operator: Operator) -> Option<Self> {
        Some(Self(match operator {
            Operator::Equal => EQUAL,
            Operator::NotEqual => LESS | GREATER,
            Operator::Less => LESS,
            Operator::AtMost => LESS | EQUAL,
            Operator::Greater => GREATER,
            Operator::AtLeast => GREATER | EQUAL,
            _ => return None,
        }))
    }

    /// The same comparison with its sides exchanged.
    fn turned(self) -> Self {
        let swapped = ((self.0 & LESS) << 2) | ((self.0 & GREATER) >> 2);
        Self(swapped | (self.0 & EQUAL))
    }

    #[inline]
    fn holds(self, ordering: Ordering) -> bool {
        let bit = match ordering {
            Ordering::Less => LESS,
            Ordering::Equal => EQUAL,
            Ordering::Greater => GREATER,
        };
        self.0 & bit != 0
    }
}

impl Predicate {
    /// The predicate that a condition is, if it is one.
    #[must_use]
    pub fn of(condition: &Expression) -> Option<Self> {
        match &condition.code {
            Code::Compare(operator, sides) => compare(Wanted::of(*operator)?, sides),
            Code::In(sides) => one_of(sides),
            Code::Input(at) => Some(Self::Is(Source::Input(*at))),
            Code::Feature(at) => Some(Self::Is(Source::Feature(*at))),
            Code::IsGiven(of) => match of.code {
                Code::Input(at) => Some(Self::IsGiven(Source::Input(at))),
                _ => None,
            },
            Code::Not(of) => Some(Self::Not(Box::new(Self::of(of)?))),
            Code::And(parts) => Some(Self::All(parts.iter().map(Self::of).collect::<Option<_>>()?)),
            Code::Or(parts) => Some(Self::Either(parts.iter().map(Self::of).collect::<Option<_>>()?)),
            _ => None,
        }
    }

    /// The most ticks that the evaluator would count.
    #[must_use]
    pub fn most_ticks(&self) -> u32 {
        match self {
            Self::Compare { ticks, .. } | Self::OneOf { ticks, .. } => *ticks,
            Self::Is(_) => 1,
            Self::IsGiven(_) => 2,
            Self::Not(of) => of.most_ticks().saturating_add(1),
            Self::All(parts) | Self::Either(parts) => {
                parts.iter().fold(1, |sum, part| sum.saturating_add(part.most_ticks()))
            }
        }
    }

    /// Whether the condition holds, counting the evaluator's ticks; `None` where the evaluator has to be asked, whose
    /// count then stands.
    #[inline]
    pub fn holds<'v>(&self, value: &impl Fn(Source) -> Option<&'v Value>, counted: &mut u32) -> Option<bool> {
        match self {
            Self::Compare { of, wanted, with, ticks } => {
                *counted += *ticks;
                with.ordering(value(*of)?).map(|ordering| wanted.holds(ordering))
            }
            Self::OneOf { of, texts, ticks } => {
                *counted += *ticks;
                let Value::Text(text) = value(*of)? else { return None };
                Some(texts.contains(text))
            }
            Self::Is(of) => {
                *counted += 1;
                let Value::Boolean(truth) = value(*of)? else { return None };
                Some(*truth)
            }
            Self::IsGiven(of) => {
                *counted += 2;
                Some(!matches!(value(*of)?, Value::Missing))
            }
            Self::Not(of) => {
                *counted += 1;
                of.holds(value, counted).map(|truth| !truth)
            }
            Self::All(parts) => {
                *counted += 1;
                for part in parts {
                    if !part.holds(value, counted)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            Self::Either(parts) => {
                *counted += 1;
                for part in parts {
                    if part.holds(value, counted)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
        }
    }
}

impl Operand {
    fn of(code: &Code) -> Option<Self> {
        match code {
            Code::Constant(Value::Integer(integer)) if integer.unsigned_abs() <= EXACT_IN_FLOAT => {
                #[expect(clippy::cast_precision_loss, reason = "no larger than floats hold without loss")]
                let number = *integer as f64;
                Some(Self::Whole { integer: *integer, decimal: Decimal::from(*integer), number })
            }
            Code::Constant(value @ (Value::Text(_) | Value::Date(_) | Value::Time(_))) => {
                Some(Self::Other(value.clone()))
            }
            Code::Constant(Value::Decimal(decimal)) => Some(Self::Exact(*decimal)),
            Code::Literal { number, decimal } => Some(Self::Fraction { decimal: *decimal, number: *number }),
            _ => None,
        }
    }

    /// How the value stands to this constant, where both are of one type.
    #[inline]
    fn ordering(&self, value: &Value) -> Option<Ordering> {
        match (value, self) {
            (Value::Integer(a), Self::Whole { integer, .. }) => Some(a.cmp(integer)),
            (
                Value::Decimal(a),
                Self::Whole { decimal, .. } | Self::Fraction { decimal, .. } | Self::Exact(decimal),
            ) => Some(a.cmp(decimal)),
            (Value::Number(a), Self::Whole { number, .. } | Self::Fraction { number, .. }) => {
                a.partial_cmp(number)
            }
            (Value::Text(a), Self::Other(Value::Text(b))) => Some(a.cmp(b)),
            (Value::Date(a), Self::Other(Value::Date(b))) => Some(a.cmp(b)),
            (Value::Time(a), Self::Other(Value::Time(b))) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn source(code: &Code) -> Option<Source> {
    match code {
        Code::Input(at) => Some(Source::Input(*at)),
        Code::Feature(at) => Some(Source::Feature(*at)),
        _ => None,
    }
}

fn compare(wanted: Wanted, [left, right]: &[Expression; 2]) -> Option<Predicate> {
    let (of, wanted, constant) = match (source(&left.code), source(&right.code)) {
        (Some(of), None) => (of, wanted, right),
        (None, Some(of)) => (of, wanted.turned(), left),
        _ => return None,
    };
    let with = Operand::of(&constant.code)?;
    // The evaluator has inputs and constants at hand; to read anything else is a tick each.
    let at_hand = matches!((of, &constant.code), (Source::Input(_), Code::Constant(_)));
    Some(Predicate::Compare { of, wanted, with, ticks: if at_hand { 1 } else { 3 } })
}

fn one_of([item, list]: &[Expression; 2]) -> Option<Predicate> {
    let (of, Code::List(items)) = (source(&item.code)?, &list.code) else { return None };
    let text = |item: &Expression| match &item.code {
        Code::Constant(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let texts: Box<[Name]> = items.iter().map(text).collect::<Option<_>>()?;
    // The item, the list and what it holds are read one by one.
    let ticks = u32::try_from(texts.len()).unwrap_or(u32::MAX).saturating_add(3);
    Some(Predicate::OneOf { of, texts, ticks })
}
