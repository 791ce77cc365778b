//! The body of `infer`: tensors in JSON, or after the JSON as bytes (the binary tensor extension, with
//! `Inference-Header-Content-Length`). Data may be flat or nested. Unknown fields are ignored.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::bare::{INFINITE, without_bare_words};
use super::cells::no_json;
use super::few::{Few, MOST_TENSORS};
use crate::predict::{Element, MOST_VALUES, PredictError, Tensor, TensorData, Text, shown};

/// A request for answers.
#[derive(Debug)]
pub(super) struct InferRequest {
    pub id: Option<String>,
    pub tensors: Vec<Tensor>,
    /// The outputs that are asked for; all when there is none.
    pub outputs: Vec<OutputAsked>,
    /// Whether outputs that say nothing of it are sent as bytes.
    pub is_binary: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputAsked {
    pub name: String,
    pub is_binary: Option<bool>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    parameters: Option<Parameters>,
    #[serde(borrow, default)]
    inputs: Few<InputWritten<'a>>,
    #[serde(default)]
    outputs: Few<OutputWritten>,
}

#[derive(Deserialize)]
struct InputWritten<'a> {
    name: String,
    shape: Vec<i64>,
    datatype: String,
    #[serde(default)]
    parameters: Option<Parameters>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OutputWritten {
    name: String,
    #[serde(default)]
    parameters: Option<Parameters>,
}

/// Those that mean something here; others are passed over.
#[derive(Debug, Default, Deserialize)]
struct Parameters {
    #[serde(default)]
    binary_data_size: Option<usize>,
    #[serde(default)]
    binary_data: Option<bool>,
    #[serde(default)]
    binary_data_output: Option<bool>,
    #[serde(default)]
    classification: Option<u64>,
    #[serde(default)]
    shared_memory_region: Option<serde::de::IgnoredAny>,
}

/// Reads a body whose JSON is its first `head` bytes; all of it, without that header.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn read(body: &[u8], head: Option<usize>) -> Result<InferRequest, PredictError> {
    let (json, mut raw) = match head {
        None => (body, [].as_slice()),
        Some(head) => body.split_at_checked(head).ok_or_else(|| {
            PredictError::invalid("`Inference-Header-Content-Length` is more than the body has bytes")
        })?,
    };
    let json = without_bare_words(json);
    let written: Written<'_> = serde_json::from_slice(&json).map_err(|error| explained(&error))?;
    if written.inputs.is_too_long || written.outputs.is_too_long {
        let detail = format!("a request may have {MOST_TENSORS} inputs or outputs at most");
        return Err(PredictError::TooMuch { detail });
    }
    let inputs = written.inputs.listed;
    if inputs.is_empty() {
        return Err(PredictError::invalid("the request has no `inputs`"));
    }
    let mut values = 0;
    let mut tensors = Vec::with_capacity(inputs.len());
    for input in inputs {
        let element = Element::of_word(&input.datatype)?;
        let name = shown(&input.name);
        let parameters = input.parameters.unwrap_or_default();
        if parameters.shared_memory_region.is_some() {
            let detail = format!("input `{name}`: shared memory is not supported; send the data");
            return Err(PredictError::Unimplemented { detail });
        }
        let data = match (parameters.binary_data_size, input.data) {
            (Some(size), None) => {
                let (own, rest) = raw.split_at_checked(size).ok_or_else(|| {
                    PredictError::invalid(format!("input `{name}`: `binary_data_size` is more than was sent"))
                })?;
                raw = rest;
                TensorData::from_raw(&name, element, own)?
            }
            (None, Some(data)) => in_json(&name, element, data)?,
            (Some(_), Some(_)) => {
                let detail = format!("input `{name}` has both `data` and `binary_data_size`");
                return Err(PredictError::invalid(detail));
            }
            (None, None) => {
                return Err(PredictError::invalid(format!(
                    "input `{name}` has neither `data` nor binary data"
                )));
            }
        };
        values += data.len();
        if values > MOST_VALUES {
            return Err(too_many_values());
        }
        tensors.push(Tensor { name: input.name, shape: input.shape, data });
    }
    if !raw.is_empty() {
        let detail = format!("{} bytes after the tensors belong to none of them", raw.len());
        return Err(PredictError::invalid(detail));
    }
    outputs_of(written.outputs.listed).map(|outputs| InferRequest {
        id: written.id,
        tensors,
        outputs,
        is_binary: written.parameters.and_then(|parameters| parameters.binary_data_output).unwrap_or(false),
    })
}

fn outputs_of(written: Vec<OutputWritten>) -> Result<Vec<OutputAsked>, PredictError> {
    let mut outputs = Vec::with_capacity(written.len());
    for OutputWritten { name, parameters } in written {
        let parameters = parameters.unwrap_or_default();
        if parameters.shared_memory_region.is_some() || parameters.classification.is_some_and(|n| n > 0) {
            let detail = format!(
                "output `{}`: shared memory and the classification extension are not supported",
                shown(&name)
            );
            return Err(PredictError::Unimplemented { detail });
        }
        outputs.push(OutputAsked { name, is_binary: parameters.binary_data });
    }
    Ok(outputs)
}

/// serde's own words for a missing field hold none of what was sent.
fn explained(error: &serde_json::Error) -> PredictError {
    let text = error.to_string();
    if error.is_data() && text.starts_with("missing field") {
        return PredictError::invalid(format!("failed to parse the request JSON buffer: {text}"));
    }
    match no_json(error) {
        PredictError::Invalid { detail } => {
            PredictError::invalid(format!("failed to parse the request JSON buffer: {detail}"))
        }
        other => other,
    }
}

fn too_many_values() -> PredictError {
    let detail = format!("a request may have {MOST_VALUES} values at most; send several");
    PredictError::TooMuch { detail }
}

fn in_json(name: &str, element: Element, data: &RawValue) -> Result<TensorData, PredictError> {
    let mut reader = serde_json::Deserializer::from_str(data.get());
    let mut flat = Flat::default();
    let read = Values { into: &mut flat }.deserialize(&mut reader);
    if flat.is_full() {
        return Err(too_many_values());
    }
    let fits = read.is_ok() && flat.kind != Kind::Mixed;
    let wrong = || {
        let word = element.word();
        PredictError::invalid(format!(
            "input `{name}`: `data` must be a list of {word} values, flat or nested"
        ))
    };
    if !fits {
        return Err(wrong());
    }
    match (element, flat.kind) {
        (_, Kind::Nothing) => Ok(TensorData::Numbers(vec![f64::NAN; flat.numbers.len()])),
        (Element::Bool, Kind::Booleans) => Ok(TensorData::Booleans(flat.booleans)),
        // 0 and 1 are taken as booleans, as by other servers.
        (Element::Bool, Kind::Integers) => Ok(TensorData::Integers(flat.integers)),
        (Element::Bytes, Kind::Texts) => Ok(TensorData::Texts(flat.texts)),
        (Element::Fp16 | Element::Bf16 | Element::Fp32 | Element::Fp64, Kind::Integers | Kind::Numbers) => {
            Ok(TensorData::Numbers(flat.into_numbers()))
        }
        (Element::Bool | Element::Bytes, _) | (_, Kind::Booleans | Kind::Texts) => Err(wrong()),
        (_, Kind::Integers) => Ok(TensorData::Integers(flat.integers)),
        // Whole numbers beside NaN: each is looked at when the model's input is known.
        (_, Kind::Numbers) => Ok(TensorData::Numbers(flat.numbers)),
        (_, Kind::Mixed) => Err(wrong()),
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing but null so far.
    #[default]
    Nothing,
    Booleans,
    Integers,
    Numbers,
    Texts,
    Mixed,
}

/// The values of one tensor as they come; one of the lists is in use.
#[derive(Debug, Default)]
struct Flat {
    kind: Kind,
    booleans: Vec<bool>,
    integers: Vec<i64>,
    numbers: Vec<f64>,
    texts: Vec<Text>,
}

impl Flat {
    fn boolean(&mut self, value: bool) {
        self.kind = match self.kind {
            Kind::Nothing if self.numbers.is_empty() => Kind::Booleans,
            Kind::Booleans => Kind::Booleans,
            _ => Kind::Mixed,
        };
        self.booleans.push(value);
    }

    fn integer(&mut self, value: i64) {
        match self.kind {
            Kind::Nothing if self.numbers.is_empty() => self.kind = Kind::Integers,
            Kind::Integers => {}
            _ => return self.number(value as f64),
        }
        self.integers.push(value);
    }

    fn number(&mut self, value: f64) {
        match self.kind {
            Kind::Nothing | Kind::Numbers => self.kind = Kind::Numbers,
            Kind::Integers => {
                self.numbers = std::mem::take(&mut self.integers).into_iter().map(|i| i as f64).collect();
                self.kind = Kind::Numbers;
            }
            _ => self.kind = Kind::Mixed,
        }
        self.numbers.push(value);
    }

    fn text(&mut self, value: &str) {
        if self.kind == Kind::Nothing {
            self.texts = vec![Text::from([].as_slice()); std::mem::take(&mut self.numbers).len()];
            self.kind = Kind::Texts;
        } else if self.kind != Kind::Texts {
            self.kind = Kind::Mixed;
        }
        self.texts.push(Text::from(value.as_bytes()));
    }

    /// A value that was not given.
    fn null(&mut self) {
        match self.kind {
            Kind::Nothing => self.numbers.push(f64::NAN),
            Kind::Texts => self.texts.push(Text::from([].as_slice())),
            Kind::Booleans => self.kind = Kind::Mixed,
            _ => self.number(f64::NAN),
        }
    }

    /// Whether it has more than a request may have: read on, it would take many times what was sent.
    fn is_full(&self) -> bool {
        self.booleans.len() + self.integers.len() + self.numbers.len() + self.texts.len() > MOST_VALUES
    }

    fn into_numbers(self) -> Vec<f64> {
        match self.kind {
            Kind::Integers => self.integers.into_iter().map(|value| value as f64).collect(),
            _ => self.numbers,
        }
    }
}

struct Values<'f> {
    into: &'f mut Flat,
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Values { into: self.into })?.is_some() {
            if self.into.is_full() {
                return Err(serde::de::Error::custom("too many values"));
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.into.boolean(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.into.integer(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.into.integer(value),
            Err(_) => self.into.number(value as f64),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.into.number(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        if value == INFINITE {
            self.into.number(f64::INFINITY);
        } else {
            self.into.text(value);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.into.null();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(serde::de::Error::custom("no object belongs here"))
    }
}
