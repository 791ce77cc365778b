//! Values and texts as explanations show them to people.

use rust_decimal::Decimal;

use crate::domain::place::Span;
use crate::domain::table::{Bound, Test};
use crate::domain::value::Value;

/// A longer list, map or text is cut.
const LONGEST: usize = 72;
/// Decimals of a number that is shown: further ones mostly are noise of its arithmetic.
const DECIMALS: usize = 6;

/// A value in one line: texts in quotes, numbers to six decimals, what is long cut.
#[must_use]
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Missing => "missing".to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Number(number) => rounded(*number),
        Value::Text(text) => format!("\"{}\"", text.escape_debug()),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().take(LONGEST).map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, v)| format!("{name}: {}", shown(v))).collect();
            format!("#{{ {} }}", entries.join(", "))
        }
        Value::Step(_) => "what the step gave".to_owned(),
    };
    cut(text)
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn rounded(number: f64) -> String {
    let text = format!("{number:.DECIMALS$}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    // What is smaller than the last digit is not nothing.
    if number != 0.0 && short.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        return format!("{number:e}");
    }
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// Both sides of a comparison: to their last digit where rounding would hide what it turned on.
pub(super) fn sides(a: &Value, b: &Value) -> (String, String) {
    let (left, right) = (shown(a), shown(b));
    let number = |value: &Value, text: &str| match value {
        Value::Number(number) => number.to_string(),
        _ => text.to_owned(),
    };
    let is_same = decimal(&left).zip(decimal(&right)).is_some_and(|(a, b)| a == b);
    if is_same { (number(a, &left), number(b, &right)) } else { (left, right) }
}

fn decimal(text: &str) -> Option<Decimal> {
    text.parse().ok()
}

/// What a cell or bin asks, with thresholds as the numbers that they are: `<= 0.10`, `a | b`.
pub(super) fn asked(test: &Test) -> String {
    match test {
        Test::Any => "-".to_owned(),
        Test::Missing => "missing".to_owned(),
        Test::OneOf(values) => values.iter().map(shown).collect::<Vec<_>>().join(" | "),
        Test::Range { low: None, high: None } => "-".to_owned(),
        Test::Range { low: Some(low), high: None } => format!("{} {}", sign(low, ">"), shown(&low.value)),
        Test::Range { low: None, high: Some(high) } => format!("{} {}", sign(high, "<"), shown(&high.value)),
        Test::Range { low: Some(low), high: Some(high) } => {
            let (open, close) =
                (if low.is_inclusive { '[' } else { '(' }, if high.is_inclusive { ']' } else { ')' });
            format!("{open}{}..{}{close}", shown(&low.value), shown(&high.value))
        }
    }
}

fn sign(bound: &Bound, strict: &str) -> String {
    if bound.is_inclusive { format!("{strict}=") } else { strict.to_owned() }
}

/// What was written, in one line: the span's text, with the brackets that belong to it.
pub(super) fn written(text: &str, span: Span) -> String {
    let (start, end) = (span.start as usize, span.end as usize);
    let (mut from, mut to) = (start.min(text.len()), end.min(text.len()));
    let (opened, closed) = unbalanced(text.get(from..to).unwrap_or_default());
    for _ in 0..closed {
        from = text.get(..from).and_then(|before| before.rfind('(')).unwrap_or(from);
    }
    for _ in 0..opened {
        let after = text.get(to..).and_then(|after| after.find([')', ']', '}']));
        to = after.map_or(to, |at| to + at + 1);
    }
    let part = text.get(from..to).unwrap_or_default();
    let lines = part.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Brackets that are opened and not closed, and closed and not opened, outside of quotes.
fn unbalanced(text: &str) -> (usize, usize) {
    let (mut opened, mut closed) = (0_usize, 0);
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(sign), c) if c == sign => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => opened += 1,
            (None, ')' | ']' | '}') if opened > 0 => opened -= 1,
            (None, ')' | ']' | '}') => closed += 1,
            _ => {}
        }
    }
    (opened, closed)
}

/// Whether a text stands for itself: a number, a text in quotes, `true`.
pub(super) fn is_literal(text: &str) -> bool {
    let number = text.trim_start_matches('-').trim_start().starts_with(|c: char| c.is_ascii_digit());
    number && !text.contains([' ', '('])
        || text.starts_with(['"', '`', '[', '#'])
        || matches!(text, "true" | "false" | "()")
}
