//! What a text in a cell stands for, where a type is expected. One rule for every file of text: an empty cell is not
//! given; a number is written as JSON writes it, and an integer also as data frames write one beside gaps (`6.0`); `true`
//! and `false` in any case; a list or map is JSON; everything else is the text. Absent on purpose: bounds and choices,
//! which the flow checks, and any guess at formats: what does not fit stays a text, and the flow says what it expects.

use crate::documents::json::{self, JsonLimits, is_number};
use crate::domain::facts::Given;
use crate::domain::value::Kind;

/// What a cell gives where this type is expected; `None` when nothing was given.
#[must_use]
pub fn given(kind: &Kind, text: &str) -> Option<Given> {
    if text.is_empty() {
        return None;
    }
    if matches!(kind, Kind::Text) {
        return Some(Given::Text(text.to_owned()));
    }
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let as_text = || Given::Text(text.to_owned());
    Some(match kind {
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Given::Boolean(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Given::Boolean(false),
        Kind::Integer if is_number(text) => Given::Number(whole(text).to_owned()),
        Kind::Decimal | Kind::Number if is_number(text) => Given::Number(text.to_owned()),
        Kind::List(_) | Kind::Map(_) => {
            json::parse(text.as_bytes(), JsonLimits::default()).unwrap_or_else(|_| as_text())
        }
        _ => as_text(),
    })
}

/// `6` of `6.0`; everything else as it is.
fn whole(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

/// The same of a value that has a type of its own already, as Parquet's have.
#[must_use]
pub fn fitted(kind: &Kind, value: &Given) -> Option<Given> {
    match value {
        Given::Null => None,
        Given::Text(text) => given(kind, text),
        Given::Number(text) if matches!(kind, Kind::Integer) => Some(Given::Number(whole(text).to_owned())),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_what_its_type_asks_for_or_stays_a_text() {
        let number = |text: &str| Some(Given::Number(text.to_owned()));
        let text = |text: &str| Some(Given::Text(text.to_owned()));
        let check = |kind: Kind, cell: &str, gives: Option<Given>| {
            assert_eq!(given(&kind, cell), gives, "{cell} as {}", kind.word());
        };
        for kind in [Kind::Boolean, Kind::Integer, Kind::Decimal, Kind::Number, Kind::Text, Kind::Date] {
            check(kind, "", None);
        }
        check(Kind::Integer, " 6 ", number("6"));
        check(Kind::Integer, "6.00", number("6"));
        check(Kind::Integer, "6.50", number("6.50"));
        check(Kind::Integer, "6.", text("6."));
        check(Kind::Number, "1e3", number("1e3"));
        check(Kind::Number, "NaN", text("NaN"));
        check(Kind::Decimal, "1500.00", number("1500.00"));
        check(Kind::Decimal, "1,5", text("1,5"));
        check(Kind::Boolean, "TRUE", Some(Given::Boolean(true)));
        check(Kind::Boolean, "yes", text("yes"));
        check(Kind::Text, " as it is ", text(" as it is "));
        check(Kind::Date, "2026-01-31", text("2026-01-31"));
        let list = Kind::List(std::sync::Arc::new(crate::domain::value::Field {
            kind: Kind::Integer,
            optional: false,
        }));
        let both = Given::List(vec![Given::Number("1".to_owned()), Given::Number("2".to_owned())]);
        check(list.clone(), "[1, 2]", Some(both));
        check(list, "[1, 2", text("[1, 2"));
    }

    #[test]
    fn a_value_keeps_its_type_but_for_whole_numbers_beside_gaps() {
        assert_eq!(
            fitted(&Kind::Integer, &Given::Number("6.0".to_owned())),
            Some(Given::Number("6".to_owned()))
        );
        assert_eq!(fitted(&Kind::Number, &Given::Null), None);
        assert_eq!(fitted(&Kind::Integer, &Given::Text("7".to_owned())), Some(Given::Number("7".to_owned())));
    }
}
