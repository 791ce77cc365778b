//! An axis: its ends, its round numbers, and how they are written.

/// How an axis' figures are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Number,
    /// 0.25 is written `25 %`.
    Share,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Axis<'a> {
    pub label: &'a str,
    pub from: f64,
    pub to: f64,
    pub unit: Unit,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub at: f64,
    pub says: String,
}

impl<'a> Axis<'a> {
    /// From 0 to 1.
    #[must_use]
    pub fn whole(label: &'a str, unit: Unit) -> Self {
        Self { label, from: 0.0, to: 1.0, unit }
    }

    /// Wide enough for all of these, from a round number to a round number. What is not finite is left aside.
    #[must_use]
    pub fn over(label: &'a str, values: impl IntoIterator<Item = f64>, unit: Unit) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            (from, to) = (from.min(value), to.max(value));
        }
        if from > to {
            return Self::whole(label, unit);
        }
        if to - from <= f64::EPSILON * from.abs().max(to.abs()).max(1.0) {
            // One value alone: it stands in the middle, but for 0, which axes begin at.
            let beside = if to.abs() > f64::EPSILON { to.abs() / 2.0 } else { 1.0 };
            (from, to) = if to.abs() > f64::EPSILON { (from - beside, to + beside) } else { (0.0, beside) };
        }
        let step = step(from, to, 6);
        Self { label, from: (from / step).floor() * step, to: (to / step).ceil() * step, unit }
    }

    /// Where on the axis a value stands: 0 at its beginning, 1 at its end, and never beyond.
    pub(super) fn share(&self, value: f64) -> f64 {
        let length = self.to - self.from;
        if length > 0.0 && value.is_finite() { ((value - self.from) / length).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Round numbers, at most about so many.
    pub(super) fn ticks(&self, most: usize) -> Vec<Tick> {
        let step = step(self.from, self.to, most);
        let near = step * 1e-9;
        let first = ((self.from - near) / step).ceil();
        let mut ticks = Vec::new();
        let mut number = first;
        while number * step <= self.to + near && ticks.len() <= most.saturating_mul(3) {
            let at = number * step;
            ticks.push(Tick { at, says: self.written(at, step) });
            number += 1.0;
        }
        ticks
    }

    fn written(&self, value: f64, step: f64) -> String {
        match self.unit {
            Unit::Number => grouped(value, decimals(step)),
            Unit::Share => format!("{} %", grouped(value * 100.0, decimals(step * 100.0))),
        }
    }
}

/// The least of 1, 2 and 5 times a power of ten that divides the way into at most so many parts.
fn step(from: f64, to: f64, most: usize) -> f64 {
    let rough = (to - from).abs() / most.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return 1.0;
    }
    let power = libm::pow(10.0, rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough * (1.0 - 1e-9));
    times.unwrap_or(10.0) * power
}

/// How many decimals tell the multiples of a step apart.
fn decimals(step: f64) -> usize {
    let places = (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 12.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 12")]
    let places = places as usize;
    places
}

/// A number for people: so many decimals, thousands told apart.
#[must_use]
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::with_capacity(text.len() + 4);
    let is_nothing = text.bytes().all(|b| matches!(b, b'0' | b'.'));
    if value < 0.0 && !is_nothing {
        out.push('-');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers_and_say_them_with_the_decimals_that_tell_them_apart() {
        let check = |values: &[f64], unit, says: &[&str]| {
            let axis = Axis::over("", values.iter().copied(), unit);
            let found: Vec<String> = axis.ticks(6).into_iter().map(|tick| tick.says).collect();
            assert_eq!(found, says, "{values:?}");
        };
        check(&[0.0, 1.0], Unit::Number, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(&[0.0, 0.31], Unit::Share, &["0 %", "10 %", "20 %", "30 %", "40 %"]);
        check(&[12.0, 9_731.0], Unit::Number, &["0", "2,000", "4,000", "6,000", "8,000", "10,000"]);
        check(&[-3.0, 3.0], Unit::Number, &["-3", "-2", "-1", "0", "1", "2", "3"]);
        check(&[0.001, 0.005], Unit::Number, &["0.001", "0.002", "0.003", "0.004", "0.005"]);
        check(&[4.0], Unit::Number, &["2", "3", "4", "5", "6"]);
        check(&[0.0], Unit::Number, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(&[], Unit::Share, &["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        check(
            &[f64::NAN, f64::INFINITY, 1.0, 2.0],
            Unit::Number,
            &["1.0", "1.2", "1.4", "1.6", "1.8", "2.0"],
        );
    }

    #[test]
    fn thousands_are_told_apart_and_nothing_has_no_sign() {
        assert_eq!(grouped(1_234_567.891, 2), "1,234,567.89");
        assert_eq!(grouped(-999.0, 0), "-999");
        assert_eq!(grouped(-1000.0, 0), "-1,000");
        assert_eq!(grouped(-0.001, 2), "0.00");
    }
}
