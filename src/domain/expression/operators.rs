//! One meaning of arithmetic and comparison, for conditions, features, scripts and words alike. Exact
//! comparison, no conversion between texts and numbers, no mixing of decimals and floats, no infinities.

use std::cmp::Ordering;
use std::sync::Arc;

use rust_decimal::{Decimal, MathematicalOps};

use crate::domain::script::limits;
use crate::domain::script::syntax::Operator;
use crate::domain::value::Value;

/// Why an operation has no result. The text names types, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    pub code: &'static str,
    pub detail: String,
}

impl Impossible {
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// `left operator right` for arithmetic operators.
pub fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Impossible> {
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => integers(operator, *a, *b),
        (Value::Number(a), Value::Number(b)) => numbers(operator, *a, *b),
        (Value::Number(a), Value::Integer(b)) => numbers(operator, *a, as_number(*b)),
        (Value::Integer(a), Value::Number(b)) => numbers(operator, as_number(*a), *b),
        (Value::Decimal(a), Value::Decimal(b)) => decimals(operator, *a, *b),
        (Value::Decimal(a), Value::Integer(b)) => decimals(operator, *a, Decimal::from(*b)),
        (Value::Integer(a), Value::Decimal(b)) => decimals(operator, Decimal::from(*a), *b),
        (Value::Text(a), Value::Text(b)) if operator == Operator::Add => joined(a, b),
        (Value::List(a), b) if operator == Operator::Add => appended(a, b),
        _ => Err(mismatch(operator, left, right)),
    }
}

fn mismatch(operator: Operator, left: &Value, right: &Value) -> Impossible {
    Impossible::new(
        "wrong_type",
        format!("`{}` between {} and {}", operator.symbol(), left.type_word(), right.type_word()),
    )
}

/// The nearest float of an integer, as the language defines `integer` beside `number` in arithmetic.
#[expect(
    clippy::cast_precision_loss,
    reason = "arithmetic with a number is in numbers; comparison stays exact"
)]
fn as_number(integer: i64) -> f64 {
    integer as f64
}

fn overflow() -> Impossible {
    Impossible::new("overflow", "the result is too large")
}

fn division_by_zero() -> Impossible {
    Impossible::new("division_by_zero", "a division by zero")
}

fn integers(operator: Operator, a: i64, b: i64) -> Result<Value, Impossible> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => return numbers(operator, as_number(a), as_number(b)),
        Operator::Remainder if b == 0 => return Err(division_by_zero()),
        Operator::Remainder => a.checked_rem(b),
        Operator::Power => match u32::try_from(b) {
            Ok(exponent) => a.checked_pow(exponent),
            Err(_) => return numbers(operator, as_number(a), as_number(b)),
        },
        _ => return Err(Impossible::new("wrong_type", "not arithmetic")),
    };
    result.map(Value::Integer).ok_or_else(overflow)
}

fn numbers(operator: Operator, a: f64, b: f64) -> Result<Value, Impossible> {
    let is_zero = |x: f64| x.abs() <= 0.0;
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide | Operator::Remainder if is_zero(b) => return Err(division_by_zero()),
        Operator::Divide => a / b,
        Operator::Remainder => libm::fmod(a, b),
        Operator::Power => libm::pow(a, b),
        _ => return Err(Impossible::new("wrong_type", "not arithmetic")),
    };
    finite(result)
}

/// Wraps a float result; infinities and NaN are failures where they arise.
pub fn finite(result: f64) -> Result<Value, Impossible> {
    if result.is_finite() {
        Ok(Value::Number(result))
    } else {
        Err(Impossible::new("not_finite", "the result is not a finite number"))
    }
}

fn decimals(operator: Operator, a: Decimal, b: Decimal) -> Result<Value, Impossible> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide | Operator::Remainder if b.is_zero() => return Err(division_by_zero()),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        Operator::Power => match i64::try_from(b) {
            Ok(exponent) if b.fract().is_zero() => a.checked_powi(exponent),
            _ => return Err(Impossible::new("wrong_type", "a decimal is raised to whole powers only")),
        },
        _ => return Err(Impossible::new("wrong_type", "not arithmetic")),
    };
    result.map(Value::Decimal).ok_or_else(overflow)
}

fn joined(a: &str, b: &str) -> Result<Value, Impossible> {
    if a.len() + b.len() > limits::TEXT_BYTES {
        return Err(Impossible::new("out_of_budget", "a text is longer than 16 KiB"));
    }
    Ok(Value::Text(Arc::from([a, b].concat())))
}

/// A list with one more item, or with the items of another list behind its own.
fn appended(list: &[Value], more: &Value) -> Result<Value, Impossible> {
    let extra: &[Value] = match more {
        Value::List(items) => items,
        one => std::slice::from_ref(one),
    };
    if list.len() + extra.len() > limits::LIST_ITEMS {
        return Err(Impossible::new("out_of_budget", "a list is longer than 1,000 items"));
    }
    Ok(Value::List(list.iter().chain(extra).cloned().collect()))
}

/// `-value`
pub fn negated(value: &Value) -> Result<Value, Impossible> {
    match value {
        Value::Integer(n) => n.checked_neg().map(Value::Integer).ok_or_else(overflow),
        Value::Number(n) => Ok(Value::Number(-n)),
        Value::Decimal(d) => Ok(Value::Decimal(-*d)),
        other => Err(Impossible::new("wrong_type", format!("`-` before {}", other.type_word()))),
    }
}

/// `left operator right` for comparison operators.
pub fn comparison(operator: Operator, left: &Value, right: &Value) -> Result<bool, Impossible> {
    let wrong = || mismatch(operator, left, right);
    if let (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) = (left, right) {
        return match operator {
            Operator::Equal => equal_within(left, right),
            Operator::NotEqual => equal_within(left, right).map(|equal| !equal),
            _ => Err(wrong()),
        };
    }
    if let (Value::Boolean(a), Value::Boolean(b)) = (left, right) {
        return match operator {
            Operator::Equal => Ok(a == b),
            Operator::NotEqual => Ok(a != b),
            _ => Err(wrong()),
        };
    }
    let ordering = ordering(left, right).ok_or_else(wrong)?;
    Ok(match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::AtMost => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::AtLeast => ordering.is_ge(),
        _ => return Err(wrong()),
    })
}

/// Equality of what lists and maps hold: as `==` between the items, `1` and `1.0` included.
fn equal_within(left: &Value, right: &Value) -> Result<bool, Impossible> {
    match (left, right) {
        (Value::Missing, other) | (other, Value::Missing) => Ok(matches!(other, Value::Missing)),
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            a.iter().zip(&**b).try_fold(true, |equal, (a, b)| Ok(equal && equal_within(a, b)?))
        }
        (Value::Map(a), Value::Map(b)) => {
            if !a.keys().eq(b.keys()) {
                return Ok(false);
            }
            a.values().zip(b.values()).try_fold(true, |equal, (a, b)| Ok(equal && equal_within(a, b)?))
        }
        _ => comparison(Operator::Equal, left, right),
    }
}

/// Exact order of two values of comparable types; `None` for types that do not compare.
#[must_use]
pub fn ordering(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Integer(b)) => Some(a.cmp(&Decimal::from(*b))),
        (Value::Integer(a), Value::Decimal(b)) => Some(Decimal::from(*a).cmp(b)),
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
        (Value::Integer(a), Value::Number(b)) => Some(integer_to_number(*a, *b)),
        (Value::Number(a), Value::Integer(b)) => Some(integer_to_number(*b, *a).reverse()),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Exact comparison of an integer with a finite float: no rounding of the integer.
fn integer_to_number(integer: i64, number: f64) -> Ordering {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if number >= TWO_TO_63 {
        return Ordering::Less;
    }
    if number < -TWO_TO_63 {
        return Ordering::Greater;
    }
    let whole = number.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "whole and within i64's range by the lines above")]
    let by_whole = integer.cmp(&(whole as i64));
    by_whole.then_with(|| 0.0_f64.partial_cmp(&(number - whole)).unwrap_or(Ordering::Equal))
}

/// Equality as `==` means it; values of types that do not compare are not equal.
#[must_use]
pub fn same(left: &Value, right: &Value) -> bool {
    comparison(Operator::Equal, left, right).unwrap_or(false)
}

/// `item in collection`: a list holds an equal item, a text holds the text, a map has the name.
pub fn contains(collection: &Value, item: &Value) -> Result<bool, Impossible> {
    match (collection, item) {
        (Value::List(items), item) => {
            if let Some(other) =
                items.iter().find(|i| ordering(i, item).is_none() && i.type_word() != item.type_word())
            {
                return Err(mismatch(Operator::Equal, item, other));
            }
            Ok(items.iter().any(|i| same(i, item)))
        }
        (Value::Text(text), Value::Text(part)) => Ok(text.contains(&**part)),
        (Value::Map(entries), Value::Text(name)) => Ok(entries.contains_key(name)),
        (collection, item) => Err(Impossible::new(
            "wrong_type",
            format!("`in` between {} and {}", item.type_word(), collection.type_word()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Value {
        Value::Decimal(text.parse().unwrap())
    }

    #[test]
    fn two_integers_divide_to_a_number() {
        let half = arithmetic(Operator::Divide, &Value::Integer(5), &Value::Integer(2)).unwrap();
        assert_eq!(half, Value::Number(2.5));
    }

    #[test]
    fn nothing_divides_by_zero() {
        for (a, b) in [
            (Value::Integer(1), Value::Integer(0)),
            (Value::Number(1.0), Value::Number(-0.0)),
            (decimal("1.5"), decimal("0.00")),
        ] {
            assert_eq!(arithmetic(Operator::Divide, &a, &b).unwrap_err().code, "division_by_zero");
            assert_eq!(arithmetic(Operator::Remainder, &a, &b).unwrap_err().code, "division_by_zero");
        }
    }

    #[test]
    fn what_is_not_finite_fails_where_it_arises() {
        let huge = Value::Number(1e300);
        assert_eq!(arithmetic(Operator::Multiply, &huge, &huge).unwrap_err().code, "not_finite");
        assert_eq!(
            arithmetic(Operator::Add, &Value::Integer(i64::MAX), &Value::Integer(1)).unwrap_err().code,
            "overflow"
        );
    }

    #[test]
    fn different_types_do_not_compare() {
        let values = [
            Value::Integer(1),
            Value::text("1"),
            Value::Boolean(true),
            Value::Missing,
            Value::List([].into()),
        ];
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                if i != j {
                    assert!(comparison(Operator::Greater, a, b).is_err(), "{a:?} > {b:?}");
                    assert!(comparison(Operator::Equal, a, b).is_err(), "{a:?} == {b:?}");
                }
            }
        }
        assert!(comparison(Operator::Less, &decimal("1"), &Value::Number(2.0)).is_err());
    }

    #[test]
    fn floats_compare_exactly() {
        let sum = arithmetic(Operator::Add, &Value::Number(0.1), &Value::Number(0.2)).unwrap();
        assert!(comparison(Operator::Greater, &sum, &Value::Number(0.3)).unwrap());
        assert!(!comparison(Operator::Equal, &Value::Number(1e-17), &Value::Number(0.0)).unwrap());
    }

    #[test]
    fn large_integers_compare_exactly_with_numbers() {
        let above = Value::Integer(9_007_199_254_740_993);
        let number = Value::Number(9_007_199_254_740_992.0);
        assert!(comparison(Operator::Greater, &above, &number).unwrap());
        assert!(comparison(Operator::Less, &Value::Integer(i64::MAX), &Value::Number(9.3e18)).unwrap());
    }

    proptest! {
        #[test]
        fn comparison_is_antisymmetric(a in any::<i64>(), b in -1e19..1e19f64) {
            let (left, right) = (Value::Integer(a), Value::Number(b));
            prop_assert_eq!(
                ordering(&left, &right).unwrap(),
                ordering(&right, &left).unwrap().reverse()
            );
        }

        #[test]
        fn decimals_agree_with_their_integers(a in any::<i64>(), b in any::<i64>()) {
            let exact = ordering(&Value::Decimal(Decimal::from(a)), &Value::Integer(b)).unwrap();
            prop_assert_eq!(exact, a.cmp(&b));
        }
    }
}
