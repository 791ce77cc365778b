//! What a word of a cell or bin stands for in a column of some type: a literal as conditions would read it, or a
//! threshold. What spreadsheets make of values is refused with the way to write them, never guessed back.

use rust_decimal::Decimal;

use super::cell::{Misread, Word};
use super::damage;
use crate::domain::expression::compile::article;
use crate::domain::expression::scope::Threshold;
use crate::domain::nearest::nearest;
use crate::domain::value::{self, Kind, Name, Value};

/// Where a value stands: it decides whether thresholds may be named in texts, and how exact a number has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `a`, `a|b`: a text is a text here, whatever thresholds there are.
    Value,
    /// One end of a range.
    Bound,
    /// What a row gives: in the column's type to the letter.
    Given,
}

/// Reads the words of one table or scorecard.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub thresholds: &'a [(Name, Threshold)],
    /// Cells write `0,129` for 0.129.
    pub is_decimal_comma: bool,
}

/// A value, and the threshold that it came from.
pub type Read = (Value, Option<Name>);

impl Reader<'_> {
    /// The value that a word stands for.
    ///
    /// # Errors
    /// Why it is none in a column of this type, and the way out.
    pub fn value(&self, word: &Word, kind: &Kind, role: Role) -> Result<Read, Misread> {
        let text = word.text.as_str();
        match kind {
            Kind::Text => {
                if !word.is_quoted {
                    if role != Role::Value
                        && let Some(read) = self.threshold(word, kind, role)?
                    {
                        return Ok(read);
                    }
                    damage::of_text(word)?;
                    if role == Role::Bound && plain(text, self.is_decimal_comma).is_some() {
                        let message = format!("a text is compared with the number `{text}`");
                        let help = format!("write `'{text}'` for a text, or declare the column's type");
                        return Err(Misread::new("T044", word.span, message, help));
                    }
                }
                return Ok((Value::text(text), None));
            }
            Kind::Choice(of) => return choice(word, of).map(|value| (value, None)),
            _ if word.is_quoted => {
                let message = format!("`'{text}'` is a text, and this column is {}", article(kind.word()));
                return Err(Misread::new("T044", word.span, message, "remove the quotes"));
            }
            _ => {}
        }
        let literal = match kind {
            Kind::Boolean => boolean(text),
            Kind::Date => value::date(text).map(Value::Date),
            Kind::Time => value::time(text).map(Value::Time),
            Kind::Integer | Kind::Decimal | Kind::Number => self.number(word, kind, role)?,
            _ => None,
        };
        if let Some(literal) = literal {
            return Ok((literal, None));
        }
        if let Some(read) = self.threshold(word, kind, role)? {
            return Ok(read);
        }
        damage::of_typed(word, kind, self.is_decimal_comma)?;
        let is_name =
            text.chars().all(|c| c.is_alphanumeric() || c == '_') && text.starts_with(char::is_alphabetic);
        let near = nearest(text, self.thresholds.iter().map(|(name, _)| &**name));
        let help = match near {
            Some(near) if is_name => format!("this flow has a threshold `{near}`"),
            _ => format!("write {}", example(kind)),
        };
        let message = if is_name && !matches!(kind, Kind::Boolean) {
            format!("`{text}` is neither {} nor a threshold", article(kind.word()))
        } else {
            format!("`{text}` is not {}", article(kind.word()))
        };
        Err(Misread::new("T044", word.span, message, help))
    }

    /// The threshold of this name in the type of what it meets.
    fn threshold(&self, word: &Word, kind: &Kind, role: Role) -> Result<Option<Read>, Misread> {
        let Some((name, threshold)) = self.thresholds.iter().find(|(name, _)| **name == *word.text) else {
            return Ok(None);
        };
        let value = match (threshold, kind) {
            (Threshold::Value(value @ Value::Boolean(_)), Kind::Boolean)
            | (Threshold::Value(value @ Value::Text(_)), Kind::Text)
            | (Threshold::Value(value @ Value::Integer(_)), Kind::Integer) => Some(value.clone()),
            (Threshold::Value(Value::Integer(whole)), Kind::Decimal | Kind::Number) => {
                Some(whole_in(*whole, kind, role))
            }
            (Threshold::Value(value @ Value::Number(_)), Kind::Number) => Some(value.clone()),
            (Threshold::Value(value @ Value::Number(_)), Kind::Integer) if role != Role::Given => {
                Some(value.clone())
            }
            (Threshold::Literal { decimal, .. }, Kind::Decimal) => Some(Value::Decimal(*decimal)),
            (Threshold::Literal { number, .. }, Kind::Number) => Some(Value::Number(*number)),
            (Threshold::Literal { number, .. }, Kind::Integer) if role != Role::Given => {
                Some(Value::Number(*number))
            }
            _ => None,
        };
        match value {
            Some(value) => Ok(Some((value, Some(name.clone())))),
            None => {
                let message =
                    format!("the threshold `{name}` is not {}, as this column is", article(kind.word()));
                let help = "name another threshold, or write the value; a text stands in `'…'`";
                Err(Misread::new("T044", word.span, message, help))
            }
        }
    }

    /// A number as a condition reads it beside a value of this type; `None` for what is no number at all.
    fn number(&self, word: &Word, kind: &Kind, role: Role) -> Result<Option<Value>, Misread> {
        damage::of_number(word, kind)?;
        let Some(text) = plain(&word.text, self.is_decimal_comma) else { return Ok(None) };
        let out_of_range = || {
            let message = format!("`{}` is out of the range of {}", word.text, article(kind.word()));
            Misread::new("T044", word.span, message, "write a number that can be reached")
        };
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if is_whole && let Ok(whole) = text.parse::<i64>() {
            return Ok(Some(whole_in(whole, kind, role)));
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Number);
        let value = match kind {
            Kind::Decimal => {
                text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(&text)).ok().map(Value::Decimal)
            }
            Kind::Integer if is_whole => None,
            Kind::Integer if role == Role::Given => {
                let message = format!("`{}` is not a whole number, as this column gives", word.text);
                let help = "write a whole number, or declare the column `decimal` or `number`";
                return Err(Misread::new("T044", word.span, message, help));
            }
            _ => number,
        };
        value.map(Some).ok_or_else(out_of_range)
    }
}

/// A whole number in a column of this type. In what is asked it stays one: it compares exactly with anything.
fn whole_in(whole: i64, kind: &Kind, role: Role) -> Value {
    match kind {
        Kind::Decimal => Value::Decimal(Decimal::from(whole)),
        #[expect(clippy::cast_precision_loss, reason = "declared as a number: the nearest float")]
        Kind::Number if role == Role::Given => Value::Number(whole as f64),
        _ => Value::Integer(whole),
    }
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "true" => Some(Value::Boolean(true)),
        "false" => Some(Value::Boolean(false)),
        _ => None,
    }
}

fn choice(word: &Word, of: &[Name]) -> Result<Value, Misread> {
    if let Some(found) = of.iter().find(|one| ***one == *word.text) {
        return Ok(Value::Text(found.clone()));
    }
    if !word.is_quoted {
        damage::of_text(word)?;
    }
    let help = nearest(&word.text, of.iter().map(|one| &**one)).map_or_else(
        || format!("it is one of {}", of.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Err(Misread::new("T007", word.span, format!("this choice can never be `{}`", word.text), help))
}

/// How a value of this type is written.
fn example(kind: &Kind) -> &'static str {
    match kind {
        Kind::Boolean => "`true` or `false`",
        Kind::Integer => "a whole number such as `12`",
        Kind::Decimal | Kind::Number => "a number such as `0.05`",
        Kind::Date => "a date as `2026-01-31`",
        Kind::Time => "a time with its offset, as `2026-01-31T09:00:00Z`",
        _ => "a text",
    }
}

/// A number as JSON writes it, with a point; `None` for anything else.
#[must_use]
pub fn plain(text: &str, is_decimal_comma: bool) -> Option<String> {
    let text = match (is_decimal_comma, text.contains('.')) {
        (true, true) => return None,
        (true, false) => text.replacen(',', ".", 1),
        (false, _) => text.to_owned(),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_plain = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits);
    is_plain.then_some(text)
}

/// What a word looks like where no type is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Looks {
    Integer,
    Fraction,
    Boolean,
    Date,
    Time,
    /// Digits that no number has: `0043`.
    Digits,
    Text,
}

impl Reader<'_> {
    #[must_use]
    pub fn looks(&self, word: &Word, role: Role) -> Looks {
        let text = word.text.as_str();
        if word.is_quoted {
            return Looks::Text;
        }
        if let Some(number) = plain(text, self.is_decimal_comma) {
            let is_whole = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            return if is_whole { Looks::Integer } else { Looks::Fraction };
        }
        if boolean(text).is_some() {
            return Looks::Boolean;
        }
        if value::date(text).is_some() {
            return Looks::Date;
        }
        if value::time(text).is_some() {
            return Looks::Time;
        }
        let threshold = self.thresholds.iter().find(|(name, _)| **name == *text && role != Role::Value);
        match threshold {
            Some((_, Threshold::Value(Value::Integer(_)))) => Looks::Integer,
            Some((_, Threshold::Value(Value::Boolean(_)))) => Looks::Boolean,
            Some((_, Threshold::Literal { .. } | Threshold::Value(Value::Number(_)))) => Looks::Fraction,
            _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Looks::Digits,
            _ => Looks::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::Span;

    fn word(text: &str) -> Word {
        let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        let is_quoted = inner.is_some();
        Word { text: inner.unwrap_or(text).to_owned(), is_quoted, span: Span::default() }
    }

    fn read(text: &str, kind: &Kind, role: Role, is_decimal_comma: bool) -> Result<Value, Misread> {
        let thresholds = [
            (Name::from("min_age"), Threshold::Value(Value::Integer(18))),
            (Name::from("max_share"), Threshold::Literal { number: 0.4, decimal: "0.40".parse().unwrap() }),
            (Name::from("segment"), Threshold::Value(Value::text("vip"))),
        ];
        Reader { thresholds: &thresholds, is_decimal_comma }.value(&word(text), kind, role).map(|read| read.0)
    }

    fn decimal(text: &str) -> Value {
        Value::Decimal(text.parse().unwrap())
    }

    #[test]
    fn a_word_is_what_a_condition_would_read_beside_the_column() {
        let check = |text: &str, kind: &Kind, expected: Value| {
            assert_eq!(read(text, kind, Role::Bound, false), Ok(expected), "{text} {}", kind.word());
        };
        check("12", &Kind::Integer, Value::Integer(12));
        check("0.5", &Kind::Integer, Value::Number(0.5));
        check("-0.10", &Kind::Decimal, decimal("-0.10"));
        check("12", &Kind::Decimal, decimal("12"));
        check("1e-3", &Kind::Decimal, decimal("0.001"));
        check("0.1", &Kind::Number, Value::Number(0.1));
        check("9007199254740993", &Kind::Number, Value::Integer(9_007_199_254_740_993));
        check("1E-05", &Kind::Number, Value::Number(0.000_01));
        check("true", &Kind::Boolean, Value::Boolean(true));
        check("2026-01-31", &Kind::Date, Value::Date("2026-01-31".parse().unwrap()));
        check("min_age", &Kind::Integer, Value::Integer(18));
        check("min_age", &Kind::Decimal, decimal("18"));
        check("max_share", &Kind::Decimal, decimal("0.40"));
        check("max_share", &Kind::Number, Value::Number(0.4));
        check("segment", &Kind::Text, Value::text("vip"));
        check("'segment'", &Kind::Text, Value::text("segment"));
        assert_eq!(read("segment", &Kind::Text, Role::Value, false), Ok(Value::text("segment")));
        assert_eq!(read("12", &Kind::Number, Role::Given, false), Ok(Value::Number(12.0)));
        assert_eq!(read("0,129", &Kind::Decimal, Role::Given, true), Ok(decimal("0.129")));
    }

    #[test]
    fn what_is_no_value_of_the_column_says_what_to_write() {
        let choice = Kind::Choice(["none".into(), "below_0".into()].into());
        for (text, kind, is_decimal_comma, code, help) in [
            ("twelve", Kind::Integer, false, "T044", "write a whole number such as `12`"),
            ("min_agee", Kind::Integer, false, "T044", "this flow has a threshold `min_age`"),
            ("'12'", Kind::Integer, false, "T044", "remove the quotes"),
            (
                "segment",
                Kind::Integer,
                false,
                "T044",
                "name another threshold, or write the value; a text stands in `'…'`",
            ),
            ("99999999999999999999", Kind::Integer, false, "T044", "write a number that can be reached"),
            ("below", choice.clone(), false, "T007", "did you mean `below_0`?"),
            ("5.21E+12", Kind::Text, false, "T045", "write all digits, and format the column as text"),
            ("5.21E+12", Kind::Integer, false, "T045", "write all digits, and format the column as text"),
            (
                "01/02/2026",
                Kind::Date,
                false,
                "T045",
                "write it as `2026-01-31`, and format the column as text",
            ),
            (
                "1.2.2026",
                Kind::Text,
                false,
                "T045",
                "write it as `2026-01-31`, and format the column as text",
            ),
            ("02-Jan", Kind::Integer, false, "T045", "write the value, and format the column as text"),
            ("46053", Kind::Date, false, "T045", "write it as `2026-01-31`, and format the column as text"),
            ("TRUE", Kind::Boolean, false, "T045", "write `true`, and format the column as text"),
            (
                "1,000",
                Kind::Integer,
                false,
                "T045",
                "write `1000`; if the comma is a decimal one, declare `decimal_comma: true`",
            ),
            ("0,129", Kind::Decimal, false, "T045", "write `0.129`, or declare `decimal_comma: true`"),
            ("1.000,50", Kind::Decimal, true, "T045", "write `1000,50`"),
            (
                "1.000",
                Kind::Decimal,
                true,
                "T045",
                "write `1000`, or `1,000` for a fraction: `decimal_comma: true` is declared",
            ),
            ("1 000", Kind::Decimal, false, "T045", "write `1000`"),
            ("12%", Kind::Decimal, false, "T045", "write `0.12`"),
            ("€ 10", Kind::Decimal, false, "T045", "write `10`"),
            ("0.5", Kind::Text, false, "T044", "write `'0.5'` for a text, or declare the column's type"),
            ("#REF!", Kind::Text, false, "T045", "write the value that was meant"),
        ] {
            let misread = read(text, &kind, Role::Bound, is_decimal_comma).unwrap_err();
            assert_eq!((misread.code, misread.help.as_str()), (code, help), "{text}: {}", misread.message);
        }
        assert_eq!(read("0.5", &Kind::Integer, Role::Given, false).unwrap_err().code, "T044");
    }
}
