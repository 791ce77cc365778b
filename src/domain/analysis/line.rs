//! Where the values of one name lie: on a line that is cut by what conditions compare them with. Exact for every
//! type: between 17 and 18 there is no integer, between two floats beside each other nothing, between two decimals
//! nearly always something. No tolerance, and no comparison that the evaluator would not make.

use std::sync::Arc;

use jiff::civil::{Date, date};
use jiff::{Span as Duration, Timestamp};
use rust_decimal::Decimal;

use crate::domain::expression::operators;
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Kind, Name, Value};

/// A place between the values of one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    Start,
    /// Before this value of a line whose values can be counted.
    Whole(i128),
    Decimal(Decimal, Side),
    Text(Arc<str>, Side),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Before,
    After,
}

/// Values from one cut to another: in order, apart from each other, none without extent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans(pub Vec<(Cut, Cut)>);

/// The type of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    Boolean,
    Choice(Arc<[Name]>),
    Integer,
    Number,
    Date,
    Time,
    Decimal,
    Text,
    /// An integer, decimal or number: which one is known only when the script runs.
    AnyNumber,
}

const EPOCH: Date = date(1970, 1, 1);

impl Spans {
    #[must_use]
    pub fn between(from: Cut, to: Cut) -> Self {
        if from < to { Self(vec![(from, to)]) } else { Self(Vec::new()) }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all: Vec<(Cut, Cut)> = self.0.iter().chain(&other.0).cloned().collect();
        all.sort();
        let mut merged: Vec<(Cut, Cut)> = Vec::new();
        for (from, to) in all {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => {
                    if to > *end {
                        *end = to;
                    }
                }
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// What lies between two cuts and not in here.
    #[must_use]
    pub fn outside(&self, domain: &(Cut, Cut)) -> Self {
        let mut rest = Vec::new();
        let mut from = domain.0.clone();
        for (start, end) in &self.0 {
            if from < *start && from < domain.1 {
                rest.push((from.clone(), start.clone().min(domain.1.clone())));
            }
            from = from.max(end.clone());
        }
        if from < domain.1 {
            rest.push((from, domain.1.clone()));
        }
        Self(rest)
    }

    #[must_use]
    pub fn within(&self, domain: &(Cut, Cut)) -> Self {
        let cut = |(from, to): &(Cut, Cut)| {
            let (from, to) = (from.max(&domain.0).clone(), to.min(&domain.1).clone());
            (from < to).then_some((from, to))
        };
        Self(self.0.iter().filter_map(cut).collect())
    }
}

impl Line {
    /// The line of a declared type; lists and maps have none.
    #[must_use]
    pub fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Boolean => Self::Boolean,
            Kind::Choice(of) => Self::Choice(of.clone()),
            Kind::Integer => Self::Integer,
            Kind::Number => Self::Number,
            Kind::Date => Self::Date,
            Kind::Time => Self::Time,
            Kind::Decimal => Self::Decimal,
            Kind::Text => Self::Text,
            Kind::List(_) | Kind::Map(_) => return None,
        })
    }

    /// The first and last cut of the type.
    #[must_use]
    pub fn domain(&self) -> (Cut, Cut) {
        let whole = |from: i128, through: i128| (Cut::Whole(from), Cut::Whole(through + 1));
        match self {
            Self::Boolean => whole(0, 1),
            Self::Choice(of) => (Cut::Whole(0), Cut::Whole(i128::try_from(of.len()).unwrap_or(i128::MAX))),
            Self::Integer => whole(i64::MIN.into(), i64::MAX.into()),
            Self::Number => whole(float_index(f64::MIN), float_index(f64::MAX)),
            Self::Date => whole(day_index(Date::MIN), day_index(Date::MAX)),
            Self::Time => whole(Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond()),
            Self::Decimal | Self::AnyNumber => {
                (Cut::Decimal(Decimal::MIN, Side::Before), Cut::Decimal(Decimal::MAX, Side::After))
            }
            Self::Text => (Cut::Start, Cut::End),
        }
    }

    /// The cuts before and after a constant; the same cut where no value of the line equals it. `None`: the two
    /// do not compare.
    #[must_use]
    pub fn locate(&self, constant: &Value) -> Option<(Cut, Cut)> {
        let at = |index: i128| Some((Cut::Whole(index), Cut::Whole(index + 1)));
        let before = |index: i128| Some((Cut::Whole(index), Cut::Whole(index)));
        match (self, constant) {
            (Self::Boolean, Value::Boolean(value)) => at(i128::from(*value)),
            (Self::Choice(of), Value::Text(text)) => {
                let index = of.iter().position(|choice| choice == text)?;
                at(i128::try_from(index).ok()?)
            }
            (Self::Integer, Value::Integer(whole)) => at(i128::from(*whole)),
            (Self::Integer, Value::Decimal(decimal)) => {
                let floor = i128::try_from(decimal.floor()).ok()?;
                if decimal.fract().is_zero() { at(floor) } else { before(floor + 1) }
            }
            (Self::Integer, Value::Number(number)) => {
                let floor = whole_of(number.floor());
                if number.fract().abs() > 0.0 { before(floor + 1) } else { at(floor) }
            }
            (Self::Number, Value::Number(number)) => at(float_index(*number)),
            (Self::Number, Value::Integer(whole)) => {
                let near = nearest_float(*whole);
                match operators::ordering(&Value::Number(near), constant)? {
                    std::cmp::Ordering::Equal => at(float_index(near)),
                    std::cmp::Ordering::Less => before(float_index(near) + 1),
                    std::cmp::Ordering::Greater => before(float_index(near)),
                }
            }
            (Self::Date, Value::Date(day)) => at(day_index(*day)),
            (Self::Time, Value::Time(time)) => at(time.as_nanosecond()),
            (Self::Decimal | Self::AnyNumber, Value::Decimal(decimal)) => Some(around(*decimal)),
            (Self::Decimal | Self::AnyNumber, Value::Integer(whole)) => Some(around(Decimal::from(*whole))),
            (Self::Text, Value::Text(text)) => {
                Some((Cut::Text(text.clone(), Side::Before), Cut::Text(text.clone(), Side::After)))
            }
            _ => None,
        }
    }

    /// The values for which `value operator constant` holds; `None` where the two do not compare.
    #[must_use]
    pub fn satisfying(&self, operator: Operator, constant: &Value) -> Option<Spans> {
        if let (Self::Choice(of), false) = (self, matches!(operator, Operator::Equal | Operator::NotEqual)) {
            return choices(of, operator, constant);
        }
        let (start, end) = self.domain();
        let located = match (self, constant) {
            // A text that is no choice: nothing equals it.
            (Self::Choice(_), Value::Text(_)) => {
                self.locate(constant).or(Some((start.clone(), start.clone())))
            }
            _ => self.locate(constant),
        };
        let (before, after) = located?;
        let spans = match operator {
            Operator::Less => Spans::between(start, before),
            Operator::AtMost => Spans::between(start, after),
            Operator::Greater => Spans::between(after, end),
            Operator::AtLeast => Spans::between(before, end),
            Operator::Equal => Spans::between(before, after),
            Operator::NotEqual => Spans::between(before, after).outside(&(start, end)),
            _ => return None,
        };
        (!matches!(self, Self::Boolean) || matches!(operator, Operator::Equal | Operator::NotEqual))
            .then_some(spans)
    }

    /// A value between two cuts, as plain as can be; `None` where there is none.
    #[must_use]
    pub fn witness(&self, from: &Cut, to: &Cut) -> Option<Value> {
        match (from, to) {
            (Cut::Whole(from), Cut::Whole(to)) if from < to => self.counted(*from, *to),
            (Cut::Decimal(low, Side::Before), to) if *from < *to && *low > Decimal::MIN => {
                Some(Value::Decimal(low.normalize()))
            }
            (Cut::Decimal(low, _), Cut::Decimal(high, side)) if from < to => {
                plain_decimal(*low, *high, *side).map(Value::Decimal)
            }
            (Cut::Start | Cut::Text(..), Cut::Text(..) | Cut::End) => text_between(from, to),
            _ => None,
        }
    }

    /// The first value of a stretch; of decimals the bound itself, inside or not.
    #[must_use]
    pub fn at_start(&self, from: &Cut, to: &Cut) -> Option<Value> {
        match from {
            Cut::Whole(at) => self.witness(from, &Cut::Whole(at.checked_add(1)?)),
            Cut::Decimal(bound, _) => Some(Value::Decimal(bound.normalize())),
            _ => self.witness(from, to),
        }
    }

    /// The last value of a stretch; of decimals the bound itself, inside or not.
    #[must_use]
    pub fn at_end(&self, from: &Cut, to: &Cut) -> Option<Value> {
        match to {
            Cut::Whole(at) => self.witness(&Cut::Whole(at.checked_sub(1)?), to),
            Cut::Decimal(bound, _) => Some(Value::Decimal(bound.normalize())),
            _ => self.witness(from, to),
        }
    }

    fn counted(&self, from: i128, to: i128) -> Option<Value> {
        let (start, end) = self.domain();
        // The end that somebody wrote says more than the type's own.
        let index = match (start == Cut::Whole(from), end == Cut::Whole(to)) {
            (true, true) => 0.max(from).min(to - 1),
            (true, false) => to - 1,
            _ => from,
        };
        match self {
            Self::Boolean => Some(Value::Boolean(from == 1)),
            Self::Choice(of) => of.get(usize::try_from(from).ok()?).cloned().map(Value::Text),
            Self::Integer => i64::try_from(index).ok().map(Value::Integer),
            Self::Number => Some(Value::Number(plain_float(from, to, index))),
            Self::Date => day_at(index).map(Value::Date),
            Self::Time => Timestamp::from_nanosecond(index).ok().map(Value::Time),
            _ => None,
        }
    }
}

fn around(decimal: Decimal) -> (Cut, Cut) {
    (Cut::Decimal(decimal, Side::Before), Cut::Decimal(decimal, Side::After))
}

fn choices(of: &[Name], operator: Operator, constant: &Value) -> Option<Spans> {
    let mut found = Spans::default();
    for (index, choice) in of.iter().enumerate() {
        if operators::comparison(operator, &Value::Text(choice.clone()), constant).ok()? {
            let index = i128::try_from(index).ok()?;
            found = found.union(&Spans::between(Cut::Whole(index), Cut::Whole(index + 1)));
        }
    }
    Some(found)
}

/// The place of a finite float among all floats, `-0.0` with `0.0`.
fn float_index(number: f64) -> i128 {
    let size = i128::from((number.abs() + 0.0).to_bits());
    if number < 0.0 { -size } else { size }
}

fn float_at(index: i128) -> f64 {
    let size = f64::from_bits(u64::try_from(index.abs()).unwrap_or_default());
    if index < 0 { -size } else { size }
}

#[expect(clippy::cast_precision_loss, reason = "the caller compares the two exactly")]
fn nearest_float(whole: i64) -> f64 {
    whole as f64
}

#[expect(clippy::cast_possible_truncation, reason = "beyond the integers any far away place does")]
fn whole_of(number: f64) -> i128 {
    number.clamp(-1e30, 1e30) as i128
}

fn day_index(day: Date) -> i128 {
    EPOCH.until(day).map_or(0, |span| i128::from(span.get_days()))
}

fn day_at(index: i128) -> Option<Date> {
    EPOCH.checked_add(Duration::new().try_days(i64::try_from(index).ok()?).ok()?).ok()
}

/// The float with the fewest digits among those from index `from` up to, not including, `to`.
fn plain_float(from: i128, to: i128, otherwise: i128) -> f64 {
    let within = |number: f64| {
        let index = float_index(number);
        (from..to).contains(&index).then_some(number)
    };
    let (low, high) = (float_at(from), float_at(to - 1));
    let written = [low, high].into_iter().find(|number| number.to_string().len() <= 8);
    let scales = (0..16).map(|digits| libm::pow(10.0, f64::from(digits)));
    let mut plain = scales.flat_map(|scale| [(low * scale).ceil() / scale, (high * scale).floor() / scale]);
    written.or_else(|| within(0.0)).or_else(|| plain.find_map(within)).unwrap_or_else(|| float_at(otherwise))
}

/// A decimal after `low` and before `high` (or `high` itself), with as few digits as can be.
fn plain_decimal(low: Decimal, high: Decimal, side: Side) -> Option<Decimal> {
    let within = |d: &Decimal| *d > low && (*d < high || side == Side::After && *d == high);
    if low == Decimal::MIN || high == Decimal::MAX {
        let near = if low == Decimal::MIN {
            high.saturating_sub(Decimal::ONE)
        } else {
            low.saturating_add(Decimal::ONE)
        };
        let candidates = [Decimal::ZERO, near.floor(), near, high];
        return candidates.into_iter().find(within);
    }
    for digits in 0..=28 {
        let floor = low.trunc_with_scale(digits);
        let unit = Decimal::new(1, digits);
        for candidate in [Some(floor), floor.checked_add(unit)] {
            if let Some(found) = candidate.filter(within) {
                return Some(found.normalize());
            }
        }
    }
    Some(high).filter(within)
}

/// A text after one cut and before another, short and readable where one fits.
fn text_between(from: &Cut, to: &Cut) -> Option<Value> {
    let fits = |text: &str| {
        let place = Cut::Text(Arc::from(text), Side::Before);
        *from <= place && place < *to
    };
    if let Cut::Text(text, Side::Before) = from {
        return fits(text).then(|| Value::Text(text.clone()));
    }
    let behind = |end: &str| match from {
        Cut::Text(text, _) => format!("{text}{end}"),
        _ => end.to_owned(),
    };
    let candidates = [
        "other".to_owned(),
        "a".to_owned(),
        behind("a"),
        behind("_"),
        behind("1"),
        behind(" "),
        behind("\0"),
    ];
    let found = candidates.into_iter().chain([String::new()]).find(|text| fits(text));
    found.map(|text| Value::text(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Value {
        Value::Decimal(text.parse().unwrap())
    }

    #[track_caller]
    fn between(line: &Line, low: (Operator, Value), high: (Operator, Value)) -> Option<Value> {
        let (low, high) =
            (line.satisfying(low.0, &low.1).unwrap(), line.satisfying(high.0, &high.1).unwrap());
        let (start, _) = low.0.first()?;
        let (_, end) = high.0.last()?;
        line.witness(start, end)
    }

    #[test]
    fn between_neighbours_there_is_nothing_and_between_decimals_there_is() {
        use Operator::{Greater, Less};
        let table = [
            (Line::Integer, Value::Integer(17), Value::Integer(18), None),
            (Line::Integer, Value::Integer(17), Value::Integer(19), Some(Value::Integer(18))),
            (Line::Integer, Value::Number(17.5), Value::Number(18.5), Some(Value::Integer(18))),
            (Line::Integer, decimal("17.1"), decimal("17.9"), None),
            (Line::Number, Value::Number(1.0), Value::Number(1.0f64.next_up()), None),
            (Line::Number, Value::Number(0.1), Value::Number(0.2), Some(Value::Number(0.11))),
            (Line::Decimal, Value::Integer(17), Value::Integer(18), Some(decimal("17.1"))),
            (Line::Decimal, decimal("0.05"), decimal("0.15"), Some(decimal("0.1"))),
            (
                Line::Decimal,
                decimal("0.0000000000000000000000000001"),
                decimal("0.0000000000000000000000000002"),
                None,
            ),
            (Line::Date, Value::Date(date(2026, 2, 28)), Value::Date(date(2026, 3, 1)), None),
            (Line::Text, Value::text("a"), Value::text("a\0"), None),
            (Line::Text, Value::text("a"), Value::text("b"), Some(Value::text("aa"))),
        ];
        for (line, low, high, expected) in table {
            let found = between(&line, (Greater, low.clone()), (Less, high.clone()));
            assert_eq!(found, expected, "{line:?} between {low:?} and {high:?}");
        }
    }

    #[test]
    fn large_integers_meet_numbers_exactly() {
        let odd = Value::Integer(9_007_199_254_740_993);
        let equal = Line::Number.satisfying(Operator::Equal, &odd).unwrap();
        assert!(equal.is_empty(), "no float equals it");
        let below = Line::Number.satisfying(Operator::Less, &odd).unwrap();
        let above = Line::Number.satisfying(Operator::Greater, &odd).unwrap();
        assert_eq!(below.union(&above).0, [Line::Number.domain()], "and nothing lies between");
    }

    proptest! {
        /// What a line says holds is what the evaluator says holds.
        #[test]
        fn a_line_agrees_with_the_evaluator(a in -1e3..1e3f64, b in -1e3..1e3f64, whole in -50..50i64) {
            use Operator::*;
            let values = [Value::Number(a), Value::Number(whole as f64), Value::Integer(whole)];
            for constant in [Value::Number(b), Value::Integer(whole), Value::Number(a)] {
                for value in &values {
                    let line = if matches!(value, Value::Integer(_)) { Line::Integer } else { Line::Number };
                    for operator in [Less, AtMost, Greater, AtLeast, Equal, NotEqual] {
                        let spans = line.satisfying(operator, &constant).unwrap();
                        let (place, _) = line.locate(value).unwrap();
                        let holds = spans.0.iter().any(|(from, to)| *from <= place && place < *to);
                        let expected = operators::comparison(operator, value, &constant).unwrap();
                        prop_assert_eq!(holds, expected, "{:?} {:?} {:?}", value, operator, constant);
                    }
                }
            }
        }

        /// A witness lies where it is said to lie, and there is one wherever the two cuts leave room.
        #[test]
        fn a_witness_lies_between(low in -9_999i64..9_999, width in 1i64..9_999, scale in 0u32..9) {
            let (low, high) = (Decimal::new(low, scale), Decimal::new(low + width, scale));
            let found = plain_decimal(low, high, Side::Before).unwrap();
            prop_assert!(low < found && found < high, "{} {} {}", low, found, high);
            let number = plain_float(float_index(1.0), float_index(1.0) + i128::from(width), float_index(1.0));
            prop_assert!((float_index(1.0)..float_index(1.0) + i128::from(width)).contains(&float_index(number)));
        }
    }
}
