//! What a message takes in memory once it is read, from its bytes alone: two bytes can stand for a whole message, so a
//! limit on bytes does not bound it. Absent on purpose: whether the bytes are right, which reading them tells.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost::encoding::decode_varint;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

use super::DESCRIPTORS;

/// Bytes of a list, a text or a place for one, without what it holds.
const PLACE: usize = 24;
/// How deep messages may stand in each other; beyond, they are refused when they are read.
const DEEPEST: usize = 100;

/// It would take more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooHeavy;

/// Messages by their full name, as of `proto/`.
static SHAPES: LazyLock<HashMap<String, Shape>> = LazyLock::new(shapes);

#[derive(Debug, Default)]
struct Shape {
    fields: HashMap<u32, Field>,
}

#[derive(Debug)]
enum Field {
    Message(String),
    /// A text or bytes.
    Bytes,
    /// Numbers, each of some bytes in memory; side by side they may take one byte each on the wire.
    Varints(usize),
    Fixed,
}

fn shapes() -> HashMap<String, Shape> {
    // A constant of this build; a test reads it.
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default().file;
    let mut found = HashMap::new();
    for file in &files {
        for message in &file.message_type {
            gather(&format!(".{}", file.package()), message, &mut found);
        }
    }
    found
}

fn gather(within: &str, message: &DescriptorProto, found: &mut HashMap<String, Shape>) {
    let name = format!("{within}.{}", message.name());
    for nested in &message.nested_type {
        gather(&name, nested, found);
    }
    let field = |field: &prost_types::FieldDescriptorProto| {
        let number = u32::try_from(field.number()).ok()?;
        let kind = match field.r#type() {
            Type::Message => Field::Message(field.type_name().to_owned()),
            Type::String | Type::Bytes => Field::Bytes,
            Type::Double | Type::Float | Type::Fixed32 | Type::Fixed64 | Type::Sfixed32 | Type::Sfixed64 => {
                Field::Fixed
            }
            Type::Bool => Field::Varints(1),
            Type::Int32 | Type::Uint32 | Type::Sint32 | Type::Enum => Field::Varints(4),
            _ => Field::Varints(8),
        };
        Some((number, kind))
    };
    let fields = message.field.iter().filter_map(field).collect();
    found.insert(name, Shape { fields });
}

/// Whether the message of this full name (`tensorflow.serving.PredictRequest`) fits into so many bytes of memory.
///
/// # Errors
/// When it does not.
pub fn weigh(name: &str, message: &[u8], most: usize) -> Result<(), TooHeavy> {
    let mut left = most;
    walk(&format!(".{name}"), message, 0, &mut left)
}

fn charge(left: &mut usize, bytes: usize) -> Result<(), TooHeavy> {
    *left = left.checked_sub(bytes).ok_or(TooHeavy)?;
    Ok(())
}

fn walk(name: &str, mut bytes: &[u8], depth: usize, left: &mut usize) -> Result<(), TooHeavy> {
    let Some(shape) = SHAPES.get(name).filter(|_| depth < DEEPEST) else { return Ok(()) };
    charge(left, (shape.fields.len() + 1) * PLACE)?;
    // What is no message is left to whoever reads it.
    while let Some((number, wire)) = key(&mut bytes) {
        let taken = match wire {
            0 => decode_varint(&mut bytes).ok().map(|_| [].as_slice()),
            1 => take(&mut bytes, 8),
            2 => length(&mut bytes).and_then(|length| take(&mut bytes, length)),
            5 => take(&mut bytes, 4),
            _ => None,
        };
        let Some(taken) = taken else { return Ok(()) };
        match (shape.fields.get(&number), wire) {
            (Some(Field::Message(name)), 2) => walk(name, taken, depth + 1, left)?,
            (Some(Field::Bytes), 2) => charge(left, PLACE + taken.len())?,
            (Some(Field::Varints(width)), 2) => {
                charge(left, width * taken.iter().filter(|byte| **byte < 0x80).count())?;
            }
            (Some(Field::Fixed), 2) => charge(left, taken.len())?,
            (Some(_), _) => charge(left, size_of::<u64>())?,
            (None, _) => {}
        }
    }
    Ok(())
}

fn key(bytes: &mut &[u8]) -> Option<(u32, u64)> {
    let key = decode_varint(bytes).ok()?;
    Some((u32::try_from(key >> 3).ok()?, key & 7))
}

fn length(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(decode_varint(bytes).ok()?).ok()
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::inference::ModelInferRequest;
    use crate::wire::inference::model_infer_request::InferInputTensor;

    const NAME: &str = "inference.ModelInferRequest";

    fn heaviest(name: &str, bytes: &[u8]) -> usize {
        (0..40).map(|power| 1 << power).find(|most| weigh(name, bytes, *most).is_ok()).unwrap()
    }

    #[test]
    fn empty_messages_weigh_what_they_take() {
        let inputs = vec![InferInputTensor::default(); 10_000];
        let bytes = ModelInferRequest { inputs, ..Default::default() }.encode_to_vec();
        assert_eq!(bytes.len(), 20_000);
        let taken = size_of::<InferInputTensor>() * 10_000;
        let heaviest = heaviest(NAME, &bytes);
        assert!((taken / 4..taken * 4).contains(&heaviest), "{heaviest} for {taken}");
    }

    #[test]
    fn numbers_and_texts_weigh_more_than_their_bytes() {
        let tensor = |contents| InferInputTensor { contents: Some(contents), ..Default::default() };
        let whole = |contents| {
            let inputs = vec![tensor(contents)];
            ModelInferRequest { inputs, ..Default::default() }.encode_to_vec()
        };
        use crate::wire::inference::InferTensorContents as Contents;
        let texts = whole(Contents { bytes_contents: vec![Vec::new(); 50_000], ..Default::default() });
        assert!(weigh(NAME, &texts, 50_000 * PLACE).is_err());
        let integers = whole(Contents { int64_contents: vec![1; 50_000], ..Default::default() });
        assert!(integers.len() < 51_000 && weigh(NAME, &integers, 50_000 * 8).is_err());
        let numbers = whole(Contents { fp64_contents: vec![0.5; 50_000], ..Default::default() });
        assert!(weigh(NAME, &numbers, 50_000 * 8).is_err() && weigh(NAME, &numbers, 50_000 * 9).is_ok());
    }

    #[test]
    fn bytes_that_are_no_message_are_left_to_the_reader() {
        for bytes in [&[0xff; 40][..], &[0x2a, 0x7f], &[0x2a], &[0x0b]] {
            assert_eq!(weigh(NAME, bytes, 10_000), Ok(()));
        }
        assert_eq!(weigh("nothing.Known", &[0xff; 40], 0), Ok(()));
    }

    #[test]
    fn every_message_that_a_call_brings_is_known() {
        let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
        let methods = files.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
        let mut count = 0;
        for method in methods {
            assert!(SHAPES.contains_key(method.input_type()), "{}", method.input_type());
            count += 1;
        }
        assert!(count > 30);
    }
}
