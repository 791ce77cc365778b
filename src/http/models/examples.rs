//! The body of `:classify` and `:regress`, as TensorFlow Serving takes it: examples of named features, what they share
//! in `context`. A feature that neither has is a value that was not given.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bare::without_bare_words;
use super::cells::{Cell, InputKey, Keyed, Reading};
use super::predict_body::check_signature;
use crate::domain::model::Model;
use crate::domain::value::Value;
use crate::predict::{Batch, BatchBuilder, PredictError, check_size};

/// The features of one example, in the order of the model's inputs.
type Example = Vec<Option<Value>>;

pub(super) fn read(model: &Model, body: &[u8]) -> Result<Batch, PredictError> {
    let body = without_bare_words(body);
    let reading = Reading::new(model);
    let (examples, context) = reading.read(&body, Whole { reading: &reading })?;
    let mut rows = BatchBuilder::new(model);
    for example in examples {
        rows.begin_row();
        for (at, value) in example.into_iter().enumerate() {
            let shared = || context.as_ref().and_then(|context| context.get(at)?.clone());
            rows.put(at, value.or_else(shared).unwrap_or(Value::Missing));
        }
    }
    Ok(rows.finish())
}

#[derive(Clone, Copy)]
struct Whole<'r> {
    reading: &'r Reading<'r>,
}

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = (Vec<Example>, Option<Example>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = (Vec<Example>, Option<Example>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { reading } = self;
        let fail = |detail: &str| reading.fail::<A::Error>(PredictError::invalid(detail));
        let (mut examples, mut context) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "signature_name" => {
                    let name = map.next_value::<String>();
                    let name = name.map_err(|_| fail("'signature_name' key must be a string value."))?;
                    check_signature(&name).map_err(|error| reading.fail::<A::Error>(error))?;
                }
                "context" => context = Some(map.next_value_seed(One { reading, row: 0 })?),
                "examples" => examples = Some(map.next_value_seed(All { reading })?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match examples {
            None => Err(fail("When method is classify, key 'examples' is expected and was not found")),
            Some(examples) if examples.is_empty() => Err(fail("'examples' value is an empty array")),
            Some(examples) => Ok((examples, context)),
        }
    }
}

#[derive(Clone, Copy)]
struct All<'r> {
    reading: &'r Reading<'r>,
}

impl<'de> DeserializeSeed<'de> for All<'_> {
    type Value = Vec<Example>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for All<'_> {
    type Value = Vec<Example>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of examples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Example>, A::Error> {
        let Self { reading } = self;
        let mut examples = Vec::new();
        while let Some(example) = list.next_element_seed(One { reading, row: examples.len() })? {
            examples.push(example);
            check_size(reading.model, examples.len()).map_err(|error| reading.fail::<A::Error>(error))?;
        }
        Ok(examples)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Vec<Example>, A::Error> {
        Err(self.reading.fail(PredictError::invalid("Expecting 'examples' value to be an list/array")))
    }
}

#[derive(Clone, Copy)]
struct One<'r> {
    reading: &'r Reading<'r>,
    row: usize,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Example;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Example, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Example;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an example")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Example, A::Error> {
        let Self { reading, row } = self;
        let model = reading.model;
        let mut example: Example = vec![None; model.inputs.len()];
        let mut expected = 0;
        while let Some(key) = map.next_key_seed(InputKey { model, expected })? {
            let Keyed::Input(at) = key else {
                // What the model does not read may be meant for another one.
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            expected = at + 1;
            if let (Some(input), Some(place)) = (model.inputs.get(at), example.get_mut(at)) {
                *place = Some(map.next_value_seed(Cell { reading, input, row, may_be_empty: true })?);
            }
        }
        Ok(example)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Example, A::Error> {
        Err(self.reading.fail(PredictError::invalid("Example must be JSON object but got JSON Array")))
    }
}
