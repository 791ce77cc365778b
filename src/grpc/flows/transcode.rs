//! A flow's messages → facts as JSON would have given them, and outputs → a flow's messages. Absent on purpose: checks
//! of the facts; they are the flow's, the same for every door.

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value as Wire};
use serde_json::Value as Json;

use super::super::values::number_text;
use crate::bundle::messages::{ListShape, MessageShape, Shape};
use crate::domain::facts::Given;
use crate::http::problem::{At, Fault};

/// Fields that the flow does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// As `unknown_inputs: refuse`: an old client's field whose type has changed must not count as missing.
    Refuse,
    /// They have no name, so they cannot be kept either.
    Skip,
}

/// The facts in a message.
pub fn facts(
    bytes: &[u8],
    descriptor: MessageDescriptor,
    shape: &MessageShape,
    unknown: Unknown,
    faults: &mut Vec<Fault>,
) -> Given {
    match DynamicMessage::decode(descriptor, bytes) {
        Ok(message) => map(&message, shape, "/facts", unknown, faults),
        Err(_) => {
            faults.push(fault("/facts", "malformed", "is not a message of this flow's `Facts`".to_owned()));
            Given::Null
        }
    }
}

fn map(
    message: &DynamicMessage,
    shape: &MessageShape,
    at: &str,
    unknown: Unknown,
    faults: &mut Vec<Fault>,
) -> Given {
    if unknown == Unknown::Refuse
        && let Some(field) = message.unknown_fields().next()
    {
        let detail = format!(
            "holds a field {} that this flow does not have any more, or not yet; `tollgate proto` prints what it has",
            field.number()
        );
        faults.push(fault(at, "unknown", detail));
    }
    let mut entries = Vec::with_capacity(shape.fields.len());
    for field in &shape.fields {
        if !message.has_field_by_number(field.number) {
            continue;
        }
        if let Some(value) = message.get_field_by_number(field.number) {
            let at = format!("{at}/{}", field.key);
            entries.push((field.key.clone(), given(&value, &field.shape, &at, unknown, faults)));
        }
    }
    Given::Map(entries)
}

fn given(value: &Wire, shape: &Shape, at: &str, unknown: Unknown, faults: &mut Vec<Fault>) -> Given {
    match (shape, value) {
        (Shape::Boolean, Wire::Bool(value)) => Given::Boolean(*value),
        (Shape::Integer, Wire::I64(value)) => Given::Number(value.to_string()),
        (Shape::Number, Wire::F64(value)) if value.is_finite() => Given::Number(number_text(*value)),
        (Shape::Number, Wire::F64(_)) => {
            faults.push(fault(at, "out_of_range", "must be a finite number".to_owned()));
            Given::Null
        }
        (Shape::Text, Wire::String(text)) => Given::Text(text.clone()),
        (Shape::Time, Wire::Message(message)) => time(message, at, faults),
        (Shape::Map(shape), Wire::Message(message)) => map(message, shape, at, unknown, faults),
        (Shape::List(shape), Wire::Message(message)) => list(message, shape, at, unknown, faults),
        _ => Given::Null,
    }
}

fn list(
    message: &DynamicMessage,
    shape: &ListShape,
    at: &str,
    unknown: Unknown,
    faults: &mut Vec<Fault>,
) -> Given {
    let items = message.get_field_by_number(1);
    let Some(Wire::List(items)) = items.as_deref() else { return Given::List(Vec::new()) };
    let one = |(index, item): (usize, &Wire)| {
        let at = format!("{at}/{index}");
        match (&shape.nullable, item) {
            (Some(_), Wire::Message(entry)) if !entry.has_field_by_number(1) => Given::Null,
            (Some(_), Wire::Message(entry)) => entry
                .get_field_by_number(1)
                .map_or(Given::Null, |value| given(&value, &shape.item, &at, unknown, faults)),
            _ => given(item, &shape.item, &at, unknown, faults),
        }
    };
    Given::List(items.iter().enumerate().map(one).collect())
}

/// A point in time as the text that JSON would have brought.
fn time(message: &DynamicMessage, at: &str, faults: &mut Vec<Fault>) -> Given {
    let seconds = message.get_field_by_number(1).and_then(|value| value.as_i64());
    let nanos = message.get_field_by_number(2).and_then(|value| value.as_i32());
    let within = nanos.filter(|nanos| (0..1_000_000_000).contains(nanos));
    match seconds.zip(within).and_then(|(seconds, nanos)| jiff::Timestamp::new(seconds, nanos).ok()) {
        Some(time) => Given::Text(time.to_string()),
        None => {
            faults.push(fault(at, "out_of_range", "must be a time from year 1 to 9999".to_owned()));
            Given::Null
        }
    }
}

fn fault(at: &str, code: &'static str, detail: String) -> Fault {
    Fault { at: At::Pointer(at.to_owned()), code, detail }
}

/// An object of values as the answer's JSON has them, as a message. What the message has no field for is left out.
pub fn encoded(json: &Json, descriptor: MessageDescriptor, shape: &MessageShape) -> Vec<u8> {
    message_of(json, descriptor, shape).encode_to_vec()
}

fn message_of(json: &Json, descriptor: MessageDescriptor, shape: &MessageShape) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor);
    for field in &shape.fields {
        let Some(value) = json.get(&field.key) else { continue };
        let Some(described) = message.descriptor().get_field(field.number) else { continue };
        let inner = match described.kind() {
            prost_reflect::Kind::Message(inner) => Some(inner),
            _ => None,
        };
        if let Some(value) = wire(value, &field.shape, inner) {
            message.set_field(&described, value);
        }
    }
    message
}

/// `None` for what is missing, and for what is not of this shape: another market's output of the same name.
fn wire(json: &Json, shape: &Shape, descriptor: Option<MessageDescriptor>) -> Option<Wire> {
    match shape {
        Shape::Boolean => json.as_bool().map(Wire::Bool),
        Shape::Integer => json.as_i64().map(Wire::I64),
        Shape::Number => json.as_f64().map(Wire::F64),
        Shape::Text => json.as_str().map(|text| Wire::String(text.to_owned())),
        Shape::Time => {
            let time: jiff::Timestamp = json.as_str()?.parse().ok()?;
            let time = super::super::decision_message::timestamp(time);
            let mut message = DynamicMessage::new(descriptor?);
            message.set_field_by_number(1, Wire::I64(time.seconds));
            message.set_field_by_number(2, Wire::I32(time.nanos));
            Some(Wire::Message(message))
        }
        Shape::Map(shape) => {
            json.is_object().then_some(())?;
            Some(Wire::Message(message_of(json, descriptor?, shape)))
        }
        Shape::List(shape) => list_wire(json.as_array()?, shape, descriptor?),
    }
}

fn list_wire(items: &[Json], shape: &ListShape, descriptor: MessageDescriptor) -> Option<Wire> {
    let field = descriptor.get_field(1)?;
    let inner = match field.kind() {
        prost_reflect::Kind::Message(inner) => Some(inner),
        _ => None,
    };
    let one = |item: &Json| match &shape.nullable {
        None => wire(item, &shape.item, inner.clone()),
        Some(_) => {
            let mut entry = DynamicMessage::new(inner.clone()?);
            let described = entry.descriptor().get_field(1)?;
            let within = match described.kind() {
                prost_reflect::Kind::Message(within) => Some(within),
                _ => None,
            };
            if let Some(value) = wire(item, &shape.item, within) {
                entry.set_field(&described, value);
            }
            Some(Wire::Message(entry))
        }
    };
    let items = items.iter().map(one).collect::<Option<Vec<Wire>>>()?;
    let mut message = DynamicMessage::new(descriptor);
    message.set_field(&field, Wire::List(items));
    Some(Wire::Message(message))
}
