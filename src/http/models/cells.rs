//! JSON straight into the values of a model's inputs, without a tree between: the readers that the bodies of the model
//! doors are made of. What is wrong is kept aside, because a JSON reader's own errors would quote what was sent.

use std::cell::RefCell;
use std::fmt;

use data_encoding::BASE64;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bare::INFINITE;
use crate::domain::model::{Model, ModelInput};
use crate::domain::value::Value;
use crate::predict::{self, PredictError, Refusal};

/// One body being read for one model.
#[derive(Debug)]
pub(super) struct Reading<'m> {
    pub model: &'m Model,
    failed: RefCell<Option<PredictError>>,
}

impl<'m> Reading<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        Self { model, failed: RefCell::new(None) }
    }

    /// Ends the reading with this error.
    pub(super) fn fail<E: serde::de::Error>(&self, error: PredictError) -> E {
        self.failed.borrow_mut().get_or_insert(error);
        E::custom("")
    }

    /// Reads a whole body. `seed` says what with.
    ///
    /// # Errors
    /// The error that ended the reading, or where the body is no JSON.
    pub(super) fn read<'de, S: DeserializeSeed<'de>>(
        &self,
        body: &'de [u8],
        seed: S,
    ) -> Result<S::Value, PredictError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(PredictError::invalid("JSON Parse error: The document is empty"));
        }
        let mut reader = serde_json::Deserializer::from_slice(body);
        let read = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        read.map_err(|error| self.failed.borrow_mut().take().unwrap_or_else(|| no_json(&error)))
    }
}

/// Where a body is no JSON. The reader's own words are only taken where they cannot hold anything that was sent.
pub(super) fn no_json(error: &serde_json::Error) -> PredictError {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        let detail =
            format!("JSON Parse error: another kind of value is expected at line {line} column {column}");
        return PredictError::invalid(detail);
    }
    PredictError::invalid(format!("JSON Parse error: {error}"))
}

/// Reads one value of one input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'r> {
    pub reading: &'r Reading<'r>,
    pub input: &'r ModelInput,
    pub row: usize,
    /// Whether an empty list is a value that was not given, as in an example.
    pub may_be_empty: bool,
}

impl Cell<'_> {
    fn settle<E: serde::de::Error>(self, value: Result<Value, Refusal>) -> Result<Value, E> {
        value.map_err(|refusal| self.reading.fail(predict::refused(self.input, self.row, refusal)))
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.settle(predict::boolean(self.input, value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.settle(predict::integer(self.input, value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.settle(predict::number(self.input, value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        if value == INFINITE {
            return self.visit_f64(f64::INFINITY);
        }
        self.settle(predict::text(self.input, value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Missing)
    }

    /// A value in a list of its own: a trailing dimension of 1.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let value = list.next_element_seed(self)?;
        if value.is_none() && self.may_be_empty {
            return Ok(Value::Missing);
        }
        let more = list.next_element::<IgnoredAny>()?.is_some();
        value.filter(|_| !more).ok_or_else(|| {
            self.reading.fail(PredictError::invalid(format!(
                "input `{}`, row {}: it must be one value, alone or in a list of one",
                self.input.name, self.row
            )))
        })
    }

    /// `{"b64": "…"}`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let wrong = || {
            self.reading.fail::<A::Error>(PredictError::invalid(format!(
                "input `{}`, row {}: not formatted correctly for base64 data",
                self.input.name, self.row
            )))
        };
        let Some(key) = map.next_key::<String>()? else { return Err(wrong()) };
        if key != "b64" {
            return Err(wrong());
        }
        let Ok(encoded) = map.next_value::<String>() else { return Err(wrong()) };
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(wrong());
        }
        let decoded = BASE64.decode(encoded.as_bytes());
        let decoded = decoded
            .map_err(|_| self.reading.fail::<A::Error>(PredictError::invalid("Unable to base64 decode")))?;
        self.settle(predict::bytes(self.input, &decoded))
    }
}

/// Reads the key of a map as the place of an input. Keys mostly come in the order of the inputs, so the one after the
/// last is tried first.
#[derive(Debug, Clone, Copy)]
pub(super) struct InputKey<'r> {
    pub model: &'r Model,
    pub expected: usize,
}

/// What a key named.
#[derive(Debug)]
pub(super) enum Keyed {
    Input(usize),
    Unknown(String),
}

impl<'de> DeserializeSeed<'de> for InputKey<'_> {
    type Value = Keyed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Keyed, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for InputKey<'_> {
    type Value = Keyed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an input")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Keyed, E> {
        let place = self.model.place_of(key, self.expected);
        Ok(place.map_or_else(|| Keyed::Unknown(predict::shown(key)), Keyed::Input))
    }
}

/// Reads a column of one input: a list of values, or one value for one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'r> {
    pub reading: &'r Reading<'r>,
    pub input: &'r ModelInput,
}

impl<'r> Column<'r> {
    fn cell(&self, row: usize) -> Cell<'r> {
        Cell { reading: self.reading, input: self.input, row, may_be_empty: false }
    }
}

impl<'de> DeserializeSeed<'de> for Column<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Value>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Column<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Value>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.cell(values.len()))? {
            values.push(value);
            predict::check_size(self.reading.model, values.len()).map_err(|e| self.reading.fail(e))?;
        }
        Ok(values)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Vec<Value>, E> {
        self.cell(0).visit_bool(value).map(|value| vec![value])
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Vec<Value>, E> {
        self.cell(0).visit_i64(value).map(|value| vec![value])
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Vec<Value>, E> {
        self.cell(0).visit_u64(value).map(|value| vec![value])
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Vec<Value>, E> {
        self.cell(0).visit_f64(value).map(|value| vec![value])
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Vec<Value>, E> {
        self.cell(0).visit_str(value).map(|value| vec![value])
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<Value>, E> {
        Ok(vec![Value::Missing])
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Value>, A::Error> {
        self.cell(0).visit_map(map).map(|value| vec![value])
    }
}
