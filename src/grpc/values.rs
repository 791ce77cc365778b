//! Values of `google.protobuf.Struct` and of facts and answers, both ways. A number in a Struct is a 64-bit float and
//! nothing else, so what would lose digits in it travels as a text. Absent on purpose: types of a flow's inputs.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as Wire};

use crate::domain::facts::Given;
use crate::domain::value::{Name, Value};
use crate::http::problem::{At, Fault};

/// Whole numbers up to here, and no further, are all there among the floats.
const EXACT: f64 = 9_007_199_254_740_992.0;
const EXACT_INTEGER: u64 = 9_007_199_254_740_992;
/// Nested lists and structs, as in a body of JSON.
const DEEPEST: usize = 64;

/// The entries of a Struct as JSON would have given them; what no JSON can say is a fault at its place.
pub fn given_entries(fields: Struct, at: &str, faults: &mut Vec<Fault>) -> Given {
    given_map(fields, at, 1, faults)
}

fn given_map(fields: Struct, at: &str, depth: usize, faults: &mut Vec<Fault>) -> Given {
    if depth > DEEPEST {
        faults.push(fault(at, "too_deep", "lists and structs are nested too deeply"));
        return Given::Null;
    }
    let entry = |(name, value): (String, Wire)| {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let value = given(value, &at, depth, faults);
        (name, value)
    };
    Given::Map(fields.fields.into_iter().map(entry).collect())
}

fn given(value: Wire, at: &str, depth: usize, faults: &mut Vec<Fault>) -> Given {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Given::Null,
        Some(Kind::BoolValue(value)) => Given::Boolean(value),
        Some(Kind::NumberValue(value)) if value.is_finite() => Given::Number(number_text(value)),
        Some(Kind::NumberValue(_)) => {
            faults.push(fault(at, "out_of_range", "must be a finite number"));
            Given::Null
        }
        Some(Kind::StringValue(text)) if text.contains('\0') => {
            faults.push(fault(at, "wrong_type", "must be a text without NUL characters"));
            Given::Null
        }
        Some(Kind::StringValue(text)) => Given::Text(text),
        Some(Kind::StructValue(fields)) => given_map(fields, at, depth + 1, faults),
        Some(Kind::ListValue(_)) if depth >= DEEPEST => {
            faults.push(fault(at, "too_deep", "lists and structs are nested too deeply"));
            Given::Null
        }
        Some(Kind::ListValue(list)) => {
            let items = list.values.into_iter().enumerate();
            let items = items.map(|(index, item)| given(item, &format!("{at}/{index}"), depth + 1, faults));
            Given::List(items.collect())
        }
    }
}

/// The shortest text that is this number; a whole one beyond 2^53 has a fraction or an exponent, so that it is taken
/// for no exact integer.
pub fn number_text(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "whole and within what both hold without loss")]
    let whole = (value.abs() <= EXACT && value.fract().abs() <= 0.0).then_some(value as i64);
    whole.map_or_else(|| format!("{value:?}"), |whole| whole.to_string())
}

fn fault(at: &str, code: &'static str, detail: &str) -> Fault {
    Fault { at: At::Pointer(at.to_owned()), code, detail: detail.to_owned() }
}

pub fn number(value: f64) -> Wire {
    Wire { kind: Some(Kind::NumberValue(value)) }
}

pub fn text(text: impl Into<String>) -> Wire {
    Wire { kind: Some(Kind::StringValue(text.into())) }
}

fn null() -> Wire {
    Wire { kind: Some(Kind::NullValue(0)) }
}

/// An integer as a number where that is the same one, else as a text.
fn integer(value: i64) -> Wire {
    #[expect(clippy::cast_precision_loss, reason = "no larger than floats hold without loss")]
    let exact = (value.unsigned_abs() <= EXACT_INTEGER).then_some(value as f64);
    exact.map_or_else(|| text(value.to_string()), number)
}

/// A value of an answer, as REST's JSON shows it.
pub fn wire(value: &Value) -> Wire {
    match value {
        Value::Missing | Value::Step(_) => null(),
        Value::Boolean(value) => Wire { kind: Some(Kind::BoolValue(*value)) },
        Value::Integer(value) => integer(*value),
        Value::Decimal(value) => text(value.to_string()),
        Value::Number(value) => number(*value),
        Value::Text(value) => text(&**value),
        Value::Date(value) => text(value.to_string()),
        Value::Time(value) => text(value.to_string()),
        Value::List(items) => list(items.iter().map(wire).collect()),
        Value::Map(entries) => {
            let fields = entries.iter().map(|(name, value)| (name.to_string(), wire(value))).collect();
            Wire { kind: Some(Kind::StructValue(Struct { fields })) }
        }
    }
}

fn list(values: Vec<Wire>) -> Wire {
    Wire { kind: Some(Kind::ListValue(ListValue { values })) }
}

/// Named values as a Struct.
pub fn wire_struct(values: &[(Name, Value)]) -> Struct {
    Struct { fields: values.iter().map(|(name, value)| (name.to_string(), wire(value))).collect() }
}

/// JSON as it was recorded.
pub fn wire_json(json: serde_json::Value) -> Wire {
    use serde_json::Value as Json;
    match json {
        Json::Null => null(),
        Json::Bool(value) => Wire { kind: Some(Kind::BoolValue(value)) },
        Json::Number(value) => match (value.as_i64(), value.as_f64()) {
            (Some(value), _) => integer(value),
            (None, Some(float)) if !value.is_u64() => number(float),
            _ => text(value.to_string()),
        },
        Json::String(value) => text(value),
        Json::Array(items) => list(items.into_iter().map(wire_json).collect()),
        Json::Object(_) => Wire { kind: Some(Kind::StructValue(json_struct(json))) },
    }
}

/// A JSON object as a Struct; anything else has no entries.
pub fn json_struct(json: serde_json::Value) -> Struct {
    let serde_json::Value::Object(entries) = json else { return Struct::default() };
    Struct { fields: entries.into_iter().map(|(name, value)| (name, wire_json(value))).collect() }
}

/// A JSON list as a ListValue; anything else has no items.
pub fn json_list(json: serde_json::Value) -> ListValue {
    let serde_json::Value::Array(items) = json else { return ListValue::default() };
    ListValue { values: items.into_iter().map(wire_json).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_of_a_struct_are_integers_where_they_are_whole_and_exact() {
        for (value, expected) in [
            (41.0, "41"),
            (-3.0, "-3"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (2500.5, "2500.5"),
            (EXACT, "9007199254740992"),
            (EXACT * 2.0, "1.8014398509481984e16"),
            (1e-7, "1e-7"),
            (1e300, "1e300"),
        ] {
            assert_eq!(number_text(value), expected);
        }
    }

    #[test]
    fn what_json_cannot_say_is_a_fault_at_its_place() {
        let inner = Struct { fields: [("x/y".to_owned(), number(f64::NAN))].into() };
        let items = list(vec![text("a\0b"), Wire { kind: Some(Kind::StructValue(inner)) }]);
        let fields = Struct { fields: [("rows".to_owned(), items)].into() };
        let mut faults = Vec::new();
        given_entries(fields, "/facts", &mut faults);
        let told: Vec<_> = faults.iter().map(|fault| (fault.at.clone(), fault.code)).collect();
        let at = |pointer: &str| At::Pointer(pointer.to_owned());
        assert_eq!(told, [(at("/facts/rows/0"), "wrong_type"), (at("/facts/rows/1/x~1y"), "out_of_range")]);
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = (0..80).fold(text("x"), |inner, _| list(vec![inner]));
        let mut faults = Vec::new();
        given_entries(Struct { fields: [("deep".to_owned(), deep)].into() }, "", &mut faults);
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["too_deep"]);
    }

    #[test]
    fn json_comes_through_with_every_digit() {
        let json = json!({"a": [1, 0.25, null, true, "x"], "big": 9_007_199_254_740_993_i64, "u": u64::MAX});
        let wire = json_struct(json);
        assert_eq!(wire.fields["big"], text("9007199254740993"));
        assert_eq!(wire.fields["u"], text("18446744073709551615"));
        let Some(Kind::ListValue(list)) = &wire.fields["a"].kind else { panic!() };
        assert_eq!(list.values.len(), 5);
        assert_eq!((&list.values[0], &list.values[1]), (&number(1.0), &number(0.25)));
    }
}
