//! The words of the language that compute a value from values: dates, numbers, texts. Pure and bounded:
//! the clock is the decision's own time, the time zone the flow's. Words over lists with `|row| …` are nodes.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

use super::operators::{self, Impossible};
use crate::domain::script::limits;
use crate::domain::value::Value;

/// A word that is called with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    YearsBetween,
    MonthsBetween,
    DaysBetween,
    HourOf,
    DayOfWeek,
    DateOf,
    Pmt,
    Round,
    Floor,
    Ceil,
    Min,
    Max,
    Abs,
    Sqrt,
    Exp,
    Ln,
    Money,
    Number,
    ToText,
    Length,
    Upper,
    Lower,
    Trim,
    StartsWith,
    EndsWith,
    Contains,
}

/// Name, least and most arguments, and how it is written.
pub const WORDS: &[(&str, Word, usize, usize, &str)] = &[
    ("years_between", Word::YearsBetween, 2, 2, "years_between(from, to)"),
    ("months_between", Word::MonthsBetween, 2, 2, "months_between(from, to)"),
    ("days_between", Word::DaysBetween, 2, 2, "days_between(from, to)"),
    ("hour_of", Word::HourOf, 1, 1, "hour_of(time)"),
    ("day_of_week", Word::DayOfWeek, 1, 1, "day_of_week(date)"),
    ("date", Word::DateOf, 1, 1, "date(\"2026-01-31\") or date(time)"),
    ("pmt", Word::Pmt, 3, 3, "pmt(rate_per_period, periods, principal)"),
    ("round", Word::Round, 1, 2, "round(x, decimals)"),
    ("floor", Word::Floor, 1, 1, "floor(x)"),
    ("ceil", Word::Ceil, 1, 1, "ceil(x)"),
    ("min", Word::Min, 1, 16, "min(a, b)"),
    ("max", Word::Max, 1, 16, "max(a, b)"),
    ("abs", Word::Abs, 1, 1, "abs(x)"),
    ("sqrt", Word::Sqrt, 1, 1, "sqrt(x)"),
    ("exp", Word::Exp, 1, 1, "exp(x)"),
    ("ln", Word::Ln, 1, 1, "ln(x)"),
    ("money", Word::Money, 2, 2, "money(x, decimals)"),
    ("number", Word::Number, 1, 1, "number(x)"),
    ("to_text", Word::ToText, 1, 1, "to_text(x)"),
    ("len", Word::Length, 1, 1, "len(x)"),
    ("to_upper", Word::Upper, 1, 1, "to_upper(text)"),
    ("to_lower", Word::Lower, 1, 1, "to_lower(text)"),
    ("trim", Word::Trim, 1, 1, "trim(text)"),
    ("starts_with", Word::StartsWith, 2, 2, "starts_with(text, start)"),
    ("ends_with", Word::EndsWith, 2, 2, "ends_with(text, end)"),
    ("contains", Word::Contains, 2, 2, "contains(collection, item)"),
];

/// Words that name a step of a script.
pub const STEPS: &[&str] = &["rules", "model", "scorecard", "table", "flow", "need"];

/// A word that calls use: a function or outcome of that name would never be reached, or hide it.
#[must_use]
pub fn is_word(name: &str) -> bool {
    STEPS.contains(&name)
        || ["is_given", "is_missing"].contains(&name)
        || super::ListWord::from_name(name).is_some()
        || WORDS.iter().any(|(word, ..)| *word == name)
}

/// What a decision knows of time.
#[derive(Debug, Clone)]
pub struct Moment {
    pub decided_at: Timestamp,
    pub time_zone: TimeZone,
}

impl Moment {
    #[must_use]
    pub fn today(&self) -> Date {
        self.time_zone.to_datetime(self.decided_at).date()
    }

    fn date_of(&self, value: &Value) -> Result<Date, Impossible> {
        match value {
            Value::Date(date) => Ok(*date),
            Value::Time(time) => Ok(self.time_zone.to_datetime(*time).date()),
            other => Err(wrong("a date", other)),
        }
    }
}

fn wrong(expected: &str, got: &Value) -> Impossible {
    Impossible::new("wrong_type", format!("{expected} was expected, not {}", got.type_word()))
}

/// Calls a word. The number of arguments was checked when the script was compiled.
pub fn call(word: Word, arguments: &[Value], moment: &Moment) -> Result<Value, Impossible> {
    match (word, arguments) {
        (Word::YearsBetween, [from, to]) => between(Unit::Year, from, to, moment),
        (Word::MonthsBetween, [from, to]) => between(Unit::Month, from, to, moment),
        (Word::DaysBetween, [from, to]) => between(Unit::Day, from, to, moment),
        (Word::HourOf, [Value::Time(time)]) => {
            Ok(Value::Integer(moment.time_zone.to_datetime(*time).hour().into()))
        }
        (Word::HourOf, [other]) => Err(wrong("a time", other)),
        (Word::DayOfWeek, [date]) => {
            Ok(Value::Integer(moment.date_of(date)?.weekday().to_monday_one_offset().into()))
        }
        (Word::DateOf, [Value::Text(text)]) => text
            .parse()
            .map(Value::Date)
            .map_err(|_| Impossible::new("wrong_type", "a date is written `2026-01-31`")),
        (Word::DateOf, [other]) => moment.date_of(other).map(Value::Date),
        (Word::Pmt, [rate, periods, principal]) => payment(rate, periods, principal),
        (Word::Round, [x]) => rounded(x, 0, RoundingStrategy::MidpointNearestEven),
        (Word::Round, [x, Value::Integer(places)]) => {
            rounded(x, *places, RoundingStrategy::MidpointNearestEven)
        }
        (Word::Floor, [x]) => rounded(x, 0, RoundingStrategy::ToNegativeInfinity),
        (Word::Ceil, [x]) => rounded(x, 0, RoundingStrategy::ToPositiveInfinity),
        (Word::Min, [Value::List(items)]) => extreme(items, std::cmp::Ordering::Less),
        (Word::Max, [Value::List(items)]) => extreme(items, std::cmp::Ordering::Greater),
        (Word::Min, items) => extreme(items, std::cmp::Ordering::Less),
        (Word::Max, items) => extreme(items, std::cmp::Ordering::Greater),
        (Word::Abs, [x]) => absolute(x),
        (Word::Sqrt, [x]) => operators::finite(libm::sqrt(float(x)?)),
        (Word::Exp, [x]) => operators::finite(libm::exp(float(x)?)),
        (Word::Ln, [x]) => operators::finite(libm::log(float(x)?)),
        (Word::Money, [x, Value::Integer(places)]) => money(x, *places),
        (Word::Number, [x]) => operators::finite(float(x)?),
        (Word::ToText, [x]) => text_of(x),
        (Word::Length, [x]) => length(x),
        (Word::Upper, [Value::Text(text)]) => bounded(text.to_uppercase()),
        (Word::Lower, [Value::Text(text)]) => bounded(text.to_lowercase()),
        (Word::Trim, [Value::Text(text)]) => Ok(Value::text(text.trim())),
        (Word::StartsWith, [Value::Text(text), Value::Text(start)]) => {
            Ok(Value::Boolean(text.starts_with(&**start)))
        }
        (Word::EndsWith, [Value::Text(text), Value::Text(end)]) => Ok(Value::Boolean(text.ends_with(&**end))),
        (Word::Contains, [collection, item]) => operators::contains(collection, item).map(Value::Boolean),
        (_, arguments) => {
            let given: Vec<&str> = arguments.iter().map(Value::type_word).collect();
            Err(Impossible::new("wrong_type", format!("called with {}", given.join(", "))))
        }
    }
}

fn between(unit: Unit, from: &Value, to: &Value, moment: &Moment) -> Result<Value, Impossible> {
    let (from, to) = (moment.date_of(from)?, moment.date_of(to)?);
    let out_of_range = |_| Impossible::new("overflow", "the dates are too far apart");
    let span = from.until((unit, to)).map_err(out_of_range)?;
    Ok(Value::Integer(match unit {
        Unit::Year => span.get_years().into(),
        Unit::Month => span.get_months().into(),
        _ => span.get_days().into(),
    }))
}

/// A plain float of any number.
fn float(value: &Value) -> Result<f64, Impossible> {
    match value {
        Value::Number(n) => Ok(*n),
        #[expect(clippy::cast_precision_loss, reason = "`number(x)` is the nearest float by definition")]
        Value::Integer(n) => Ok(*n as f64),
        Value::Decimal(d) => {
            d.to_f64().ok_or_else(|| Impossible::new("overflow", "a decimal is too large for a number"))
        }
        other => Err(wrong("a number", other)),
    }
}

/// The decimal that a number shows as: its shortest text that reads back as the same float.
fn decimal(value: &Value) -> Result<Decimal, Impossible> {
    match value {
        Value::Decimal(d) => Ok(*d),
        Value::Integer(n) => Ok(Decimal::from(*n)),
        Value::Number(n) => {
            let text = format!("{n:e}");
            Decimal::from_scientific(&text)
                .map_err(|_| Impossible::new("overflow", "a number is out of a decimal's range"))
        }
        other => Err(wrong("a number", other)),
    }
}

/// Instalment of an annuity loan, paid at the end of each period. Decimal principals give a decimal with ten
/// places (half-even), others a number.
fn payment(rate: &Value, periods: &Value, principal: &Value) -> Result<Value, Impossible> {
    let Value::Integer(count) = periods else { return Err(wrong("a whole number of periods", periods)) };
    if *count <= 0 {
        return Err(Impossible::new("division_by_zero", "`pmt` over no periods"));
    }
    let overflow = || Impossible::new("overflow", "`pmt` is out of range");
    let (rate, principal_exact) = (decimal(rate)?, decimal(principal)?);
    let exact = if rate.is_zero() {
        principal_exact.checked_div(Decimal::from(*count)).ok_or_else(overflow)?
    } else {
        let growth = (Decimal::ONE + rate).checked_powi(*count).ok_or_else(overflow)?;
        let factor = growth.checked_sub(Decimal::ONE).filter(|f| !f.is_zero()).ok_or_else(overflow)?;
        let share = growth.checked_div(factor).and_then(|g| g.checked_mul(rate)).ok_or_else(overflow)?;
        principal_exact.checked_mul(share).ok_or_else(overflow)?
    };
    match principal {
        Value::Number(_) => operators::finite(float(&Value::Decimal(exact))?),
        _ => Ok(Value::Decimal(
            exact.round_dp_with_strategy(10, RoundingStrategy::MidpointNearestEven).normalize(),
        )),
    }
}

fn rounded(x: &Value, places: i64, strategy: RoundingStrategy) -> Result<Value, Impossible> {
    let places = places_of(places)?;
    match x {
        Value::Integer(n) => Ok(Value::Integer(*n)),
        Value::Decimal(d) => Ok(Value::Decimal(d.round_dp_with_strategy(places, strategy))),
        Value::Number(n) if n.abs() >= 1e15 => Ok(Value::Number(*n)),
        Value::Number(_) => {
            let exact = decimal(x)?.round_dp_with_strategy(places, strategy);
            operators::finite(float(&Value::Decimal(exact))?)
        }
        other => Err(wrong("a number", other)),
    }
}

fn places_of(places: i64) -> Result<u32, Impossible> {
    u32::try_from(places)
        .ok()
        .filter(|p| *p <= 20)
        .ok_or_else(|| Impossible::new("wrong_type", "decimals are from 0 to 20"))
}

/// A decimal with this many places, half-even.
fn money(x: &Value, places: i64) -> Result<Value, Impossible> {
    let places = places_of(places)?;
    let mut exact = decimal(x)?.round_dp_with_strategy(places, RoundingStrategy::MidpointNearestEven);
    exact.rescale(places);
    Ok(Value::Decimal(exact))
}

fn absolute(x: &Value) -> Result<Value, Impossible> {
    match x {
        Value::Integer(n) => n
            .checked_abs()
            .map(Value::Integer)
            .ok_or_else(|| Impossible::new("overflow", "the result is too large")),
        Value::Number(n) => Ok(Value::Number(n.abs())),
        Value::Decimal(d) => Ok(Value::Decimal(d.abs())),
        other => Err(wrong("a number", other)),
    }
}

/// The least or greatest of some values of one comparable type.
pub fn extreme(items: &[Value], keep: std::cmp::Ordering) -> Result<Value, Impossible> {
    let mut found: Option<&Value> = None;
    for item in items {
        let best = found.unwrap_or(item);
        let order = operators::ordering(item, best).ok_or_else(|| {
            Impossible::new(
                "wrong_type",
                format!("{} and {} do not compare", item.type_word(), best.type_word()),
            )
        })?;
        found = Some(if order == keep { item } else { best });
    }
    found
        .cloned()
        .ok_or_else(|| Impossible::new("missing_value", "an empty list has neither least nor greatest"))
}

fn length(x: &Value) -> Result<Value, Impossible> {
    let length = match x {
        Value::Text(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        other => return Err(wrong("a text or a list", other)),
    };
    Ok(Value::Integer(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn bounded(text: String) -> Result<Value, Impossible> {
    if text.len() > limits::TEXT_BYTES {
        return Err(Impossible::new("out_of_budget", "a text is longer than 16 KiB"));
    }
    Ok(Value::Text(Arc::from(text)))
}

/// A value as text, as interpolation shows it.
pub fn text_of(x: &Value) -> Result<Value, Impossible> {
    let text = match x {
        Value::Text(text) => return Ok(Value::Text(text.clone())),
        Value::Boolean(b) => b.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Decimal(d) => d.to_string(),
        Value::Number(n) => n.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
        other => return Err(wrong("a value with a text", other)),
    };
    bounded(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        Moment { decided_at: text.parse().unwrap(), time_zone: TimeZone::get("Europe/Berlin").unwrap() }
    }

    fn decimal_value(text: &str) -> Value {
        Value::Decimal(text.parse().unwrap())
    }

    #[track_caller]
    fn check(word: Word, arguments: &[Value], expected: &Value) {
        assert_eq!(&call(word, arguments, &at("2026-02-28T23:30:00Z")).unwrap(), expected);
    }

    #[test]
    fn dates_are_the_flows_own() {
        // 23:30 UTC is already the next day in Berlin.
        assert_eq!(at("2026-02-28T23:30:00Z").today().to_string(), "2026-03-01");
        let (born, today) =
            (Value::Date("2008-03-01".parse().unwrap()), Value::Date("2026-02-28".parse().unwrap()));
        check(Word::YearsBetween, &[born.clone(), today], &Value::Integer(17));
        check(
            Word::YearsBetween,
            &[born, Value::Time("2026-02-28T23:30:00Z".parse().unwrap())],
            &Value::Integer(18),
        );
    }

    #[test]
    fn an_instalment_is_exact_in_decimals() {
        // Reference: 10,000 over 12 months at 1 % a month is 888.4878867834 (any annuity table: 888.49).
        check(
            Word::Pmt,
            &[Value::Number(0.01), Value::Integer(12), decimal_value("10000")],
            &decimal_value("888.4878867834"),
        );
        check(Word::Pmt, &[Value::Integer(0), Value::Integer(4), decimal_value("10")], &decimal_value("2.5"));
    }

    #[test]
    fn money_rounds_half_even() {
        check(Word::Money, &[Value::Number(2.345), Value::Integer(2)], &decimal_value("2.34"));
        check(Word::Money, &[decimal_value("2.355"), Value::Integer(2)], &decimal_value("2.36"));
        check(Word::Round, &[Value::Number(2.5)], &Value::Number(2.0));
        check(Word::Round, &[Value::Number(-1e300)], &Value::Number(-1e300));
    }

    #[test]
    fn what_cannot_be_computed_says_why() {
        let moment = at("2026-02-28T00:00:00Z");
        for (word, arguments, code) in [
            (Word::Ln, vec![Value::Integer(0)], "not_finite"),
            (Word::Sqrt, vec![Value::Number(-1.0)], "not_finite"),
            (Word::Min, vec![Value::List([].into())], "missing_value"),
            (Word::Max, vec![Value::Integer(1), Value::text("2")], "wrong_type"),
            (Word::Pmt, vec![Value::Number(0.1), Value::Integer(0), Value::Integer(1)], "division_by_zero"),
            (Word::Pmt, vec![Value::Number(0.9), Value::Integer(1000), Value::Integer(1)], "overflow"),
            (Word::Upper, vec![Value::Integer(1)], "wrong_type"),
            (Word::Round, vec![Value::Number(1.0), Value::Integer(99)], "wrong_type"),
        ] {
            assert_eq!(call(word, &arguments, &moment).unwrap_err().code, code, "{word:?}");
        }
    }
}
