//! What one plain or quoted scalar can be where no type is declared (a threshold, a fact in a case): a number with
//! its digits, a boolean, a text or nothing. Spellings that YAML readers disagree about are refused, never guessed.

use super::tree::{Scalar, Style};
use crate::documents::json::is_number;
use crate::domain::script::plain_number;

/// A scalar without a declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// Source text of a number as JSON writes it.
    Number(String),
    Text(String),
}

impl Scalar {
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// What this scalar is where nothing else says so; quotes always make a text.
    ///
    /// # Errors
    /// The way to write it unambiguously, for spellings such as `0777`, `1_000`, `0x1F`, `+5` and `True`.
    pub fn literal(&self) -> Result<Literal, String> {
        let text = self.text.as_str();
        if self.style != Style::Plain {
            return Ok(Literal::Text(text.to_owned()));
        }
        if self.is_null() {
            return Ok(Literal::Null);
        }
        match text {
            "true" => return Ok(Literal::Boolean(true)),
            "false" => return Ok(Literal::Boolean(false)),
            "True" | "TRUE" | "False" | "FALSE" => {
                let lower = text.to_ascii_lowercase();
                return Err(format!("write `{lower}`, or {} for a text", quoted(text)));
            }
            _ => {}
        }
        if is_number(text) {
            return Ok(Literal::Number(text.to_owned()));
        }
        match almost_number(text).or_else(|| plain_number(text)) {
            Some(number) => Err(format!("write `{number}` for a number, or {} for a text", quoted(text))),
            None => Ok(Literal::Text(text.to_owned())),
        }
    }
}

/// For a text that some YAML readers take as a number and JSON does not: the number in JSON's spelling.
fn almost_number(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(number) = digits.strip_prefix(prefix) {
            return i64::from_str_radix(number, radix).ok().map(|n| format!("{sign}{n}"));
        }
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let trimmed = digits.trim_start_matches('0');
    let mut number = if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        trimmed.to_owned()
    } else {
        format!("0{trimmed}")
    };
    if number.ends_with('.') {
        number.push('0');
    }
    let number = format!("{sign}{number}");
    is_number(&number).then_some(number)
}

/// The text in single quotes, as YAML writes it.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Result<Literal, String> {
        Scalar { text: text.to_owned(), style: Style::Plain }.literal()
    }

    #[test]
    fn a_plain_scalar_is_what_it_looks_like_and_norway_stays_a_country() {
        for text in [
            "NO",
            "no",
            "yes",
            "on",
            "off",
            "y",
            "none",
            "12:30:45",
            "2026-02-30",
            "a1",
            "1a",
            "-",
            "1e",
            "+",
            "0x",
            "1.2.3",
        ] {
            assert_eq!(literal(text), Ok(Literal::Text(text.to_owned())), "{text}");
        }
        for text in ["0", "-0", "0.40", "1e3", "9007199254740993", "-1.50"] {
            assert_eq!(literal(text), Ok(Literal::Number(text.to_owned())), "{text}");
        }
        for text in ["", "~", "null"] {
            assert_eq!(literal(text), Ok(Literal::Null), "{text}");
        }
        assert_eq!(literal("true"), Ok(Literal::Boolean(true)));
    }

    #[test]
    fn a_spelling_that_readers_disagree_about_is_refused_with_the_way_out() {
        let table = [
            ("0777", "write `777` for a number, or '0777' for a text"),
            ("010.5", "write `10.5` for a number, or '010.5' for a text"),
            ("1_000", "write `1000` for a number, or '1_000' for a text"),
            ("0x1F", "write `31` for a number, or '0x1F' for a text"),
            ("+5", "write `5` for a number, or '+5' for a text"),
            (".5", "write `0.5` for a number, or '.5' for a text"),
            ("-.5", "write `-0.5` for a number, or '-.5' for a text"),
            ("5.", "write `5.0` for a number, or '5.' for a text"),
            ("True", "write `true`, or 'True' for a text"),
            ("1,000", "write `1000` for a number, or '1,000' for a text"),
            ("1.000,50", "write `1000.50` for a number, or '1.000,50' for a text"),
            ("40%", "write `0.4` for a number, or '40%' for a text"),
        ];
        for (text, help) in table {
            assert_eq!(literal(text), Err(help.to_owned()), "{text}");
        }
    }
}
