//! A literal moved by one step: a whole number by one, a number with decimals by one in its last place, a date by a
//! day, a time by a second.

use jiff::ToSpan as _;
use rust_decimal::Decimal;

use crate::domain::value;

/// Down and up, as texts in the spelling of the literal; nothing for what has no step.
pub(super) fn moved(text: &str) -> Vec<String> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return [whole.checked_sub(1), whole.checked_add(1)]
            .into_iter()
            .flatten()
            .map(|n| n.to_string())
            .collect();
    }
    if let Some(date) = value::date(text) {
        let days = [date.checked_sub(1.day()), date.checked_add(1.day())];
        return days.into_iter().filter_map(Result::ok).map(|date| date.to_string()).collect();
    }
    if let Some(time) = value::time(text) {
        let times = [time.checked_sub(1.second()), time.checked_add(1.second())];
        return times.into_iter().filter_map(Result::ok).map(|time| time.to_string()).collect();
    }
    let Ok(number) = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)) else {
        return Vec::new();
    };
    let step = Decimal::new(1, number.scale());
    [number.checked_sub(step), number.checked_add(step)]
        .into_iter()
        .flatten()
        .map(|number| number.to_string())
        .collect()
}

/// As `moved`, where a comma separates the decimals.
pub(super) fn moved_with_comma(text: &str) -> Vec<String> {
    if !text.contains(',') {
        return moved(text);
    }
    let moved = moved(&text.replacen(',', ".", 1));
    moved.into_iter().map(|text| text.replacen('.', ",", 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_moves_by_the_smallest_step_that_it_is_written_with() {
        for (text, expected) in [
            ("18", &["17", "19"][..]),
            ("0", &["-1", "1"]),
            ("0.40", &["0.39", "0.41"]),
            ("1.0", &["0.9", "1.1"]),
            ("2026-03-01", &["2026-02-28", "2026-03-02"]),
            ("2026-03-01T00:00:00Z", &["2026-02-28T23:59:59Z", "2026-03-01T00:00:01Z"]),
            ("9223372036854775807", &["9223372036854775806"]),
            ("high_apr", &[]),
        ] {
            assert_eq!(moved(text), expected, "{text}");
        }
        assert_eq!(moved_with_comma("0,129"), ["0,128", "0,130"]);
    }
}
