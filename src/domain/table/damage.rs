//! What spreadsheets do to values: digits lost to `5.21E+12`, dates in the order of some country, `TRUE`, thousands
//! separators, error cells. Each is refused with the way to write it. Leading zeros that were lost can only be
//! suspected: `lost_zeros` says where.

use rust_decimal::Decimal;

use super::cell::{Misread, Word};
use super::literal::plain;
use crate::domain::value::Kind;

const AS_TEXT: &str = "and format the column as text";

fn refuse(word: &Word, what: &str, help: String) -> Result<(), Misread> {
    Err(Misread::new("T045", word.span, format!("`{}` is {what}", word.text), help))
}

/// Refuses what a spreadsheet left in a text without quotes.
pub(super) fn of_text(word: &Word) -> Result<(), Misread> {
    let text = word.text.as_str();
    of_any(word)?;
    if is_scientific(text) {
        return scientific(word);
    }
    if is_local_date(text) {
        return local_date(word);
    }
    Ok(())
}

/// Refuses a number in which a spreadsheet has rounded digits away.
pub(super) fn of_number(word: &Word, kind: &Kind) -> Result<(), Misread> {
    let text = word.text.as_str();
    let is_small_number = *kind == Kind::Number && text.contains("E-");
    if is_scientific(text) && !is_small_number { scientific(word) } else { Ok(()) }
}

/// Refuses what is no value of the column's type and can be told.
pub(super) fn of_typed(word: &Word, kind: &Kind, is_decimal_comma: bool) -> Result<(), Misread> {
    let text = word.text.as_str();
    of_any(word)?;
    if is_local_date(text) {
        return local_date(word);
    }
    let lower = text.to_ascii_lowercase();
    match kind {
        Kind::Boolean if lower == "true" || lower == "false" => {
            refuse(word, "a spreadsheet's writing", format!("write `{lower}`, {AS_TEXT}"))
        }
        Kind::Date | Kind::Time if text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            let what = "the number that a spreadsheet gives a day";
            refuse(word, what, format!("write it as `2026-01-31`, {AS_TEXT}"))
        }
        Kind::Integer | Kind::Decimal | Kind::Number => number(word, is_decimal_comma),
        _ => Ok(()),
    }
}

fn number(word: &Word, is_decimal_comma: bool) -> Result<(), Misread> {
    let text = word.text.as_str();
    if let Some(share) = text.strip_suffix('%').and_then(|share| plain(share.trim(), is_decimal_comma)) {
        let part = share.parse::<Decimal>().ok().and_then(|share| share.checked_div(Decimal::from(100)));
        let part = part.map_or_else(
            || "the number".to_owned(),
            |part| {
                let part = part.normalize().to_string();
                if is_decimal_comma { part.replace('.', ",") } else { part }
            },
        );
        return refuse(word, "a share", format!("write `{part}`"));
    }
    let bare: String = text.chars().filter(|c| !"€$£¥ \u{a0}\u{202f}'’_".contains(*c)).collect();
    if bare != text && plain(&bare, is_decimal_comma).is_some() {
        return refuse(word, "not a plain number", format!("write `{bare}`"));
    }
    let (decimal, thousands) = if is_decimal_comma { (',', '.') } else { ('.', ',') };
    let without: String = bare.chars().filter(|c| *c != thousands).collect();
    let as_fraction = bare.replacen(thousands, &decimal.to_string(), 1);
    let is_number = |text: &str| plain(text, is_decimal_comma).is_some();
    if without == bare || !is_number(&without) && !is_number(&as_fraction) {
        return Ok(());
    }
    let parts: Vec<&str> = bare.trim_start_matches('-').split(thousands).collect();
    let last = parts.last().map_or("", |last| last.split(decimal).next().unwrap_or_default());
    let looks_like_thousands =
        last.len() == 3 && parts.first().is_some_and(|first| (1..=3).contains(&first.len()) && *first != "0");
    let help = match (is_decimal_comma, parts.len(), bare.contains(decimal), looks_like_thousands) {
        (_, 3.., _, _) | (_, _, true, _) => format!("write `{without}`"),
        (false, _, _, true) => {
            format!("write `{without}`; if the comma is a decimal one, declare `decimal_comma: true`")
        }
        (false, ..) => format!("write `{as_fraction}`, or declare `decimal_comma: true`"),
        (true, _, _, true) => {
            format!("write `{without}`, or `{as_fraction}` for a fraction: `decimal_comma: true` is declared")
        }
        (true, ..) => format!("write `{as_fraction}`: `decimal_comma: true` is declared"),
    };
    refuse(word, "written with another separator", help)
}

/// Error cells, in any column.
fn of_any(word: &Word) -> Result<(), Misread> {
    let errors = ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"];
    let is_too_narrow = word.text.len() > 2 && word.text.bytes().all(|byte| byte == b'#');
    if errors.contains(&word.text.as_str()) || is_too_narrow {
        return refuse(word, "an error of a spreadsheet", "write the value that was meant".to_owned());
    }
    Ok(())
}

fn scientific(word: &Word) -> Result<(), Misread> {
    refuse(word, "a number that a spreadsheet has rounded", format!("write all digits, {AS_TEXT}"))
}

/// `5.21E+12`: with a capital and a sign, as spreadsheets write and people do not.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once('E') else { return false };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    exponent.len() >= 2
        && digits(exponent)
        && mantissa.strip_prefix('-').unwrap_or(mantissa).split(['.', ',']).all(digits)
}

fn local_date(word: &Word) -> Result<(), Misread> {
    let what = "a date as a spreadsheet writes it";
    let help = if word.text.contains(|c: char| c.is_ascii_alphabetic()) {
        format!("write the value, {AS_TEXT}")
    } else {
        format!("write it as `2026-01-31`, {AS_TEXT}")
    };
    refuse(word, what, help)
}

/// `01/02/2026`, `1.2.26`, `02-Jan`, `Jan-26`, `02-Jan-2026`.
fn is_local_date(text: &str) -> bool {
    const MONTHS: &[&str] =
        &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = |text: &str, least: usize, most: usize| {
        (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_month = |text: &str| MONTHS.contains(&text);
    for separator in ['/', '.'] {
        let parts: Vec<&str> = text.split(separator).collect();
        if let [a, b, c] = parts.as_slice() {
            let ends = number(a, 1, 2) && number(c, 2, 4) || number(a, 4, 4) && number(c, 1, 2);
            return ends && number(b, 1, 2) && c.len() != 3;
        }
    }
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [a, b] => number(a, 1, 2) && is_month(b) || is_month(a) && number(b, 2, 4),
        [a, b, c] => number(a, 1, 2) && is_month(b) && number(c, 2, 4),
        _ => false,
    }
}

/// The values among `words` that may have lost leading zeros: all digits, and shorter than most of the others.
#[must_use]
pub fn lost_zeros<'w>(words: &[&'w Word]) -> Vec<&'w Word> {
    let digits: Vec<&&Word> = words
        .iter()
        .filter(|word| !word.is_quoted && !word.text.is_empty())
        .filter(|word| word.text.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    let widest = digits.iter().map(|word| word.text.len()).max().unwrap_or_default();
    let as_wide = digits.iter().filter(|word| word.text.len() == widest).count();
    if widest < 3 || as_wide < 2 || as_wide * 2 <= digits.len() {
        return Vec::new();
    }
    digits.into_iter().filter(|word| word.text.len() < widest).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::Span;

    #[test]
    fn zeros_are_missed_only_where_the_others_are_wider() {
        let word = |text: &str| Word { text: text.to_owned(), is_quoted: false, span: Span::default() };
        let lost = |texts: &[&str]| {
            let words: Vec<Word> = texts.iter().map(|text| word(text)).collect();
            let all: Vec<&Word> = words.iter().collect();
            lost_zeros(&all).iter().map(|word| word.text.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(lost(&["80331", "1067", "10115", "20095"]), "1067");
        assert_eq!(lost(&["80331", "01067", "10115"]), "");
        assert_eq!(lost(&["1", "12", "123", "1234"]), "");
        assert_eq!(lost(&["a", "12", "b"]), "");
    }
}
