//! The body of `:predict`, as TensorFlow Serving takes it: rows (`instances`) or columns (`inputs`). Its error texts are
//! that server's, without the values that it quotes. A row may also be a list of all inputs in their order.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bare::without_bare_words;
use super::cells::{Cell, Column, InputKey, Keyed, Reading};
use crate::domain::model::Model;
use crate::domain::value::Value;
use crate::predict::{Batch, BatchBuilder, PredictError, check_size};

/// Which of the two forms a request has; its answer has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Rows,
    Columns,
}

/// The only signature that a model has.
const SIGNATURE: &str = "serving_default";

pub(super) fn read(model: &Model, body: &[u8]) -> Result<(Batch, Form), PredictError> {
    let body = without_bare_words(body);
    let reading = Reading::new(model);
    reading.read(&body, Whole { reading: &reading })
}

/// # Errors
/// When it is another one.
pub(super) fn check_signature(name: &str) -> Result<(), PredictError> {
    if name.is_empty() || name == SIGNATURE {
        return Ok(());
    }
    let shown = crate::predict::shown(name);
    Err(PredictError::invalid(format!("Serving signature name: \"{shown}\" not found in signature def")))
}

#[derive(Clone, Copy)]
struct Whole<'r> {
    reading: &'r Reading<'r>,
}

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = (Batch, Form);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = (Batch, Form);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let fail = |detail: &str| self.reading.fail::<A::Error>(PredictError::invalid(detail));
        let mut found: Option<(Batch, Form)> = None;
        while let Some(key) = map.next_key::<String>()? {
            let form = match key.as_str() {
                "signature_name" => {
                    let name = map.next_value::<String>();
                    let name = name.map_err(|_| fail("'signature_name' key must be a string value."))?;
                    check_signature(&name).map_err(|error| self.reading.fail::<A::Error>(error))?;
                    continue;
                }
                "instances" => Form::Rows,
                "inputs" => Form::Columns,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if found.is_some() {
                return Err(fail(
                    "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
                ));
            }
            let batch = match form {
                Form::Rows => map.next_value_seed(Rows { reading: self.reading })?,
                Form::Columns => map.next_value_seed(Columns { reading: self.reading })?,
            };
            found = Some((batch, form));
        }
        found.ok_or_else(|| fail("Missing 'inputs' or 'instances' key"))
    }
}

#[derive(Clone, Copy)]
struct Rows<'r> {
    reading: &'r Reading<'r>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = Batch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Batch, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = Batch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Batch, A::Error> {
        let Self { reading } = self;
        let mut rows = BatchBuilder::new(reading.model);
        let mut count = 0;
        while list.next_element_seed(Row { reading, rows: &mut rows, row: count })?.is_some() {
            count += 1;
            check_size(reading.model, count).map_err(|error| reading.fail::<A::Error>(error))?;
        }
        if count == 0 {
            return Err(reading.fail(PredictError::invalid("No values in 'instances' array")));
        }
        Ok(rows.finish())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Batch, A::Error> {
        Err(self.reading.fail(PredictError::invalid("Excepting 'instances' to be an list/array")))
    }
}

struct Row<'r, 'b> {
    reading: &'r Reading<'r>,
    rows: &'b mut BatchBuilder,
    row: usize,
}

impl<'r> Row<'r, '_> {
    fn cell(&self, at: usize) -> Option<Cell<'r>> {
        let input = self.reading.model.inputs.get(at)?;
        Some(Cell { reading: self.reading, input, row: self.row, may_be_empty: false })
    }

    /// A row of a model with one input: its value.
    fn alone<E: serde::de::Error>(self, read: impl FnOnce(Cell<'r>) -> Result<Value, E>) -> Result<(), E> {
        if self.reading.model.inputs.len() > 1 {
            return Err(self.plain_list());
        }
        let Some(cell) = self.cell(0) else { return Ok(()) };
        let value = read(cell)?;
        self.rows.put(0, value);
        Ok(())
    }

    fn plain_list<E: serde::de::Error>(&self) -> E {
        let inputs = self.reading.model.inputs.len();
        self.reading.fail(PredictError::invalid(format!(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per \
             tensorinfo_map (or lists of all {inputs} inputs, in their order)"
        )))
    }

    fn process_error<E: serde::de::Error>(&self, what: &str) -> E {
        let row = self.row;
        let detail = format!("Failed to process element: {row}{what}");
        self.reading.fail(PredictError::invalid(detail))
    }
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.rows.begin_row();
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let model = self.reading.model;
        let (mut expected, mut count) = (0, 0);
        while let Some(key) = map.next_key_seed(InputKey { model, expected })? {
            let at = match key {
                Keyed::Input(at) => at,
                Keyed::Unknown(key) => {
                    return Err(self.process_error(&format!(
                        " key: {key} of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have \
                         named input: {key}"
                    )));
                }
            };
            let Some(cell) = self.cell(at) else { continue };
            let value = map.next_value_seed(cell)?;
            if self.rows.has(at) {
                let name = &cell.input.name;
                return Err(self.process_error(&format!(" key: {name} of 'instances' list: it stands twice")));
            }
            self.rows.put(at, value);
            (expected, count) = (at + 1, count + 1);
        }
        if count == model.inputs.len() {
            return Ok(());
        }
        let mut names: Vec<&str> = model.inputs.iter().map(|input| &*input.name).collect();
        names.sort_unstable();
        let names = names.join(",");
        Err(self.process_error(&format!(" of 'instances' list. JSON object: keys must be equal to: {names}")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inputs = self.reading.model.inputs.len();
        let mut at = 0;
        while let Some(cell) = self.cell(at) {
            let Some(value) = list.next_element_seed(cell)? else { break };
            self.rows.put(at, value);
            at += 1;
        }
        let more = list.next_element::<IgnoredAny>()?.is_some();
        if at == inputs && !more { Ok(()) } else { Err(self.plain_list()) }
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.alone(|cell| cell.visit_bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.alone(|cell| cell.visit_i64(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.alone(|cell| cell.visit_u64(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.alone(|cell| cell.visit_f64(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.alone(|cell| cell.visit_str(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.alone(|_| Ok(Value::Missing))
    }
}

#[derive(Clone, Copy)]
struct Columns<'r> {
    reading: &'r Reading<'r>,
}

impl<'r> Columns<'r> {
    fn plain<E: serde::de::Error>(self) -> E {
        self.reading.fail(PredictError::invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per \
             tensorinfo_map",
        ))
    }

    fn only(self) -> Option<Column<'r>> {
        match self.reading.model.inputs.as_slice() {
            [input] => Some(Column { reading: self.reading, input }),
            _ => None,
        }
    }

    fn finish<E: serde::de::Error>(self, columns: Vec<Vec<Value>>) -> Result<Batch, E> {
        Batch::of_columns(self.reading.model, columns).map_err(|error| self.reading.fail(error))
    }
}

impl<'de> DeserializeSeed<'de> for Columns<'_> {
    type Value = Batch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Batch, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Columns<'_> {
    type Value = Batch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Batch, A::Error> {
        let model = self.reading.model;
        let mut columns: Vec<Option<Vec<Value>>> = vec![None; model.inputs.len()];
        let mut expected = 0;
        while let Some(key) = map.next_key_seed(InputKey { model, expected })? {
            let Keyed::Input(at) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            expected = at + 1;
            let (Some(input), Some(place)) = (model.inputs.get(at), columns.get_mut(at)) else { continue };
            if place.is_some() {
                let detail = format!("named input: {} stands twice in 'inputs' object.", input.name);
                return Err(self.reading.fail(PredictError::invalid(detail)));
            }
            *place = Some(map.next_value_seed(Column { reading: self.reading, input })?);
        }
        let mut whole = Vec::with_capacity(columns.len());
        for (column, input) in columns.into_iter().zip(&model.inputs) {
            whole.push(column.ok_or_else(|| {
                let detail = format!("Missing named input: {} in 'inputs' object.", input.name);
                self.reading.fail::<A::Error>(PredictError::invalid(detail))
            })?);
        }
        self.finish(whole)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Batch, A::Error> {
        let Some(column) = self.only() else { return Err(self.plain()) };
        let values = column.visit_seq(list)?;
        self.finish(vec![values])
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Batch, E> {
        let Some(column) = self.only() else { return Err(self.plain()) };
        let values = column.visit_f64(value)?;
        self.finish(vec![values])
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Batch, E> {
        let Some(column) = self.only() else { return Err(self.plain()) };
        let values = column.visit_str(value)?;
        self.finish(vec![values])
    }
}
