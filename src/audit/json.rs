//! Canonical JSON (RFC 8785) written straight from domain values: the keys of fixed objects are written in their
//! sorted order by hand, names from documents are sorted here. Decimals are text, so nothing is lost to a double.
//! What plain JSON cannot tell apart is tagged with a key that begins with `$`; such keys of a caller get another
//! `$`. Absent: reading; a stored body is read by serde_json.

use std::fmt::Write as _;

use crate::domain::facts::Given;
use crate::domain::value::Value;

/// Integers beyond this are not exact as a double.
const SAFE: u64 = (1 << 53) - 1;

/// A growing canonical JSON text.
#[derive(Debug, Default)]
pub struct Json {
    text: String,
}

impl Json {
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes) }
    }

    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// Punctuation, or text that already is canonical JSON.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.text.push_str(json);
        self
    }

    pub fn null(&mut self) -> &mut Self {
        self.raw("null")
    }

    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    /// As RFC 8785 section 3.2.2.2: escapes only what JSON demands.
    pub fn string(&mut self, value: &str) -> &mut Self {
        self.text.push('"');
        self.escaped(value);
        self.text.push('"');
        self
    }

    fn escaped(&mut self, value: &str) {
        // Nearly every text needs no escape: find that out on bytes, then copy whole.
        if value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.text.push_str(value);
            return;
        }
        for c in value.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\u{8}' => self.text.push_str("\\b"),
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\u{c}' => self.text.push_str("\\f"),
                '\r' => self.text.push_str("\\r"),
                c if c < '\u{20}' => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(c));
                }
                c => self.text.push(c),
            }
        }
    }

    /// A finite double, as ECMAScript writes it.
    pub fn number(&mut self, value: f64) -> &mut Self {
        self.text.push_str(ryu_js::Buffer::new().format_finite(value));
        self
    }

    /// A bare number when a double holds it exactly, else tagged text.
    pub fn integer(&mut self, value: i64) -> &mut Self {
        if value.unsigned_abs() <= SAFE {
            let _ = write!(self.text, "{value}");
        } else {
            let _ = write!(self.text, "{{\"$integer\":\"{value}\"}}");
        }
        self
    }

    /// Counters: never beyond what a double holds.
    pub fn count(&mut self, value: u64) -> &mut Self {
        let _ = write!(self.text, "{}", value.min(SAFE));
        self
    }

    pub fn display(&mut self, value: impl std::fmt::Display) -> &mut Self {
        let _ = write!(self.text, "\"{value}\"");
        self
    }

    pub fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        self.text.push('"');
        data_encoding::HEXLOWER.encode_append(bytes, &mut self.text);
        self.text.push('"');
        self
    }

    /// `"key":`, for keys known to need no escape; the caller sorts.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
        self
    }

    /// `[a,b,…]`
    pub fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.text.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            each(self, item);
        }
        self.text.push(']');
        self
    }

    /// `{"name":value,…}` sorted by name; a name that begins with `$` gets another one.
    pub fn object<'a, T>(
        &mut self,
        entries: impl IntoIterator<Item = (&'a str, T)>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| order(a, b));
        self.text.push('{');
        for (index, (name, item)) in entries.into_iter().enumerate() {
            self.text.push_str(if index > 0 { ",\"" } else { "\"" });
            if name.starts_with('$') {
                self.text.push('$');
            }
            self.escaped(name);
            self.text.push_str("\":");
            each(self, item);
        }
        self.text.push('}');
        self
    }

    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Missing => self.null(),
            Value::Boolean(value) => self.boolean(*value),
            Value::Integer(value) => self.integer(*value),
            Value::Decimal(value) => self.display(value),
            Value::Number(value) => self.number(*value),
            Value::Text(value) => self.string(value),
            Value::Date(value) => self.display(value),
            Value::Time(value) => self.display(value),
            Value::List(items) => self.array(items.iter(), |json, item| {
                json.value(item);
            }),
            Value::Map(entries) => {
                self.object(entries.iter().map(|(name, value)| (&**name, value)), |json, item| {
                    json.value(item);
                })
            }
        }
    }

    /// A tree as it was sent. A number whose text is not how a double is written is kept as tagged text.
    pub fn given(&mut self, given: &Given) -> &mut Self {
        match given {
            Given::Null => self.null(),
            Given::Boolean(value) => self.boolean(*value),
            Given::Number(text) if is_canonical_number(text) => self.raw(text),
            Given::Number(text) => self.raw("{\"$number\":").string(text).raw("}"),
            Given::Text(text) => self.string(text),
            Given::List(items) => self.array(items, |json, item| {
                json.given(item);
            }),
            Given::Map(entries) => {
                self.object(entries.iter().map(|(name, item)| (name.as_str(), item)), |json, item| {
                    json.given(item);
                })
            }
        }
    }
}

/// RFC 8785 orders names by UTF-16 code units; on ASCII that is the order of bytes.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn is_canonical_number(text: &str) -> bool {
    let plain_integer = text.len() <= 15
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && !text.is_empty();
    plain_integer
        || text
            .parse::<f64>()
            .is_ok_and(|value| value.is_finite() && ryu_js::Buffer::new().format_finite(value) == text)
}

/// The tree that a stored one was written from: numbers get their source text back.
///
/// # Errors
/// The place's name when a tagged value is not of its form.
pub fn read_given(json: &serde_json::Value) -> Result<Given, &'static str> {
    use serde_json::Value as Read;
    Ok(match json {
        Read::Null => Given::Null,
        Read::Bool(value) => Given::Boolean(*value),
        Read::Number(number) => Given::Number(number_text(number)),
        Read::String(text) => Given::Text(text.clone()),
        Read::Array(items) => Given::List(items.iter().map(read_given).collect::<Result<_, _>>()?),
        Read::Object(entries) => match (entries.len(), entries.get("$number")) {
            (1, Some(Read::String(text))) => Given::Number(text.clone()),
            _ => Given::Map(
                entries
                    .iter()
                    .map(|(name, item)| {
                        let name = name.strip_prefix('$').unwrap_or(name);
                        Ok((name.to_owned(), read_given(item)?))
                    })
                    .collect::<Result<_, &'static str>>()?,
            ),
        },
    })
}

/// The text that a bare number in a stored body was written as.
fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => ryu_js::Buffer::new().format(value).to_owned(),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(given: &Given) -> String {
        let mut json = Json::default();
        json.given(given);
        json.into_text()
    }

    fn sorted(given: Given) -> Given {
        match given {
            Given::Map(mut entries) => {
                entries.sort_by(|(a, _), (b, _)| order_with_tag(a, b));
                Given::Map(entries.into_iter().map(|(name, item)| (name, sorted(item))).collect())
            }
            Given::List(items) => Given::List(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }

    fn order_with_tag(a: &str, b: &str) -> std::cmp::Ordering {
        order(a, b)
    }

    fn trees() -> impl Strategy<Value = Given> {
        let leaf = prop_oneof![
            Just(Given::Null),
            any::<bool>().prop_map(Given::Boolean),
            any::<i64>().prop_map(|n| Given::Number(n.to_string())),
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?".prop_map(Given::Number),
            any::<String>().prop_map(Given::Text),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Given::List),
                prop::collection::btree_map("[$a-zé𐀀\u{fb33}]{0,4}", inner, 0..5)
                    .prop_map(|map| Given::Map(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical_and_comes_back(given in trees()) {
            let text = written(&given);
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&serde_json_canonicalizer::to_string(&parsed).unwrap(), &text);
            prop_assert_eq!(sorted(read_given(&parsed).unwrap()), sorted(given));
        }
    }

    #[test]
    fn numbers_keep_the_text_they_were_sent_as() {
        for text in
            ["0", "1500", "0.10", "1e3", "-0", "9007199254740993", "100000000000000000000", "0.1", "1E+2"]
        {
            let given = Given::Number(text.to_owned());
            let stored: serde_json::Value = serde_json::from_str(&written(&given)).unwrap();
            assert_eq!(read_given(&stored), Ok(given), "{text}");
        }
        assert_eq!(written(&Given::Number("0.10".to_owned())), "{\"$number\":\"0.10\"}");
        assert_eq!(written(&Given::Number("0.1".to_owned())), "0.1");
    }

    #[test]
    fn a_callers_dollar_names_are_not_mistaken_for_tags() {
        let given = Given::Map(vec![("$number".to_owned(), Given::Text("1".to_owned()))]);
        let text = written(&given);
        assert_eq!(text, "{\"$$number\":\"1\"}");
        assert_eq!(read_given(&serde_json::from_str(&text).unwrap()), Ok(given));
    }

    #[test]
    fn large_integers_and_decimals_stay_exact() {
        let mut json = Json::default();
        json.value(&Value::List(
            [Value::Integer(i64::MIN), Value::Integer(-5), Value::Decimal("2500.00".parse().unwrap())].into(),
        ));
        assert_eq!(json.into_text(), "[{\"$integer\":\"-9223372036854775808\"},-5,\"2500.00\"]");
    }
}
