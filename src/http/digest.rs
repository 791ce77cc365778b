//! The digest of a body as JSON values, so that the same request sent by another JSON library is the same request:
//! the order of names, spaces, escapes and the spelling of numbers (`1.50`, `15e-1`) do not matter. Absent on
//! purpose: types of the flow; a text `"1"` and a number `1` are different values.

use sha2::{Digest, Sha256};

use crate::domain::facts::Given;

/// SHA-256 over an unambiguous form of the tree: each value has a tag, each text and container its length.
#[must_use]
pub fn digest(body: &Given) -> [u8; 32] {
    let mut hasher = Sha256::new();
    feed(&mut hasher, body);
    hasher.finalize().into()
}

fn feed(hasher: &mut Sha256, value: &Given) {
    match value {
        Given::Null => hasher.update(b"z"),
        Given::Boolean(true) => hasher.update(b"t"),
        Given::Boolean(false) => hasher.update(b"f"),
        Given::Number(text) => sized(hasher, b"n", normal_number(text).as_bytes()),
        Given::Text(text) => sized(hasher, b"s", text.as_bytes()),
        Given::List(items) => {
            count(hasher, b"l", items.len());
            for item in items {
                feed(hasher, item);
            }
        }
        Given::Map(entries) => {
            count(hasher, b"m", entries.len());
            let mut sorted: Vec<&(String, Given)> = entries.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            for (name, value) in sorted {
                sized(hasher, b"k", name.as_bytes());
                feed(hasher, value);
            }
        }
    }
}

fn count(hasher: &mut Sha256, tag: &[u8; 1], n: usize) {
    hasher.update(tag);
    hasher.update((n as u64).to_le_bytes());
}

fn sized(hasher: &mut Sha256, tag: &[u8; 1], bytes: &[u8]) {
    count(hasher, tag, bytes.len());
    hasher.update(bytes);
}

/// The number's sign, its digits without zeros at either end, and the power of ten of the last of them.
fn normal_number(text: &str) -> String {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    // Exponents beyond i64 are no finite number and were refused by the parser; saturating keeps this total.
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    let dropped = i64::try_from(digits.len() - significant.len()).unwrap_or(i64::MAX);
    let fraction_digits = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let power = exponent.saturating_sub(fraction_digits).saturating_add(dropped);
    format!("{sign}{significant}e{power}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::json;

    fn of(text: &str) -> [u8; 32] {
        digest(&json::parse(text.as_bytes(), json::JsonLimits::default()).unwrap())
    }

    #[test]
    fn the_same_values_have_the_same_digest_however_they_are_written() {
        for (a, b) in [
            (r#"{"a":1,"b":[true,null]}"#, "{ \"b\" : [ true , null ],\n\"a\": 1 }"),
            (r#"{"a":"\u0041"}"#, r#"{"a":"A"}"#),
            ("[1.50]", "[15e-1]"),
            ("[100]", "[1E+2]"),
            ("[-0]", "[0.000]"),
            ("[120]", "[120.0]"),
            ("[0.001]", "[1e-3]"),
        ] {
            assert_eq!(of(a), of(b), "{a} {b}");
        }
    }

    #[test]
    fn other_values_have_another() {
        for (a, b) in [
            ("[1]", r#"["1"]"#),
            ("[1]", "[10]"),
            ("[1]", "[-1]"),
            ("[1,2]", "[2,1]"),
            ("[[],1]", "[[1]]"),
            (r#"["ab","c"]"#, r#"["a","bc"]"#),
            ("[9007199254740993]", "[9007199254740992]"),
            ("{}", "[]"),
            ("[null]", "[false]"),
        ] {
            assert_ne!(of(a), of(b), "{a} {b}");
        }
    }
}
