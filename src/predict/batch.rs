//! From what was sent to rows that a model reads: names, types, shapes and sizes checked, everything else left to the
//! model. NaN and null are values that were not given. Absent on purpose: any echo of a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::PredictError;
use super::tensor::{Tensor, TensorData, rows_of};
use crate::domain::model::{Model, ModelInput};
use crate::domain::value::{Kind, Name, Value};

/// Most values, rows times inputs, that one request may send: each takes some tens of bytes while it is worked on.
pub const MOST_VALUES: usize = 4_000_000;

/// Rows for one model, column by column in the order of its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    columns: Vec<Vec<Value>>,
    rows: usize,
}

/// Takes values row by row, for protocols that send rows.
#[derive(Debug)]
pub struct BatchBuilder {
    columns: Vec<Vec<Value>>,
}

impl Batch {
    /// Takes tensors by name, in any order.
    ///
    /// # Errors
    /// A name that is unknown, missing or given twice; a shape, type or size that does not fit.
    pub fn of_tensors(model: &Model, tensors: Vec<Tensor>) -> Result<Self, PredictError> {
        let tensors = match split_matrix(model, tensors)? {
            Split::Named(tensors) => tensors,
            Split::Columns(batch) => return Ok(batch),
        };
        check_names(model, tensors.iter().map(|tensor| tensor.name.as_str()))?;
        let mut columns: Vec<Option<Vec<Value>>> = vec![None; model.inputs.len()];
        let mut rows = None;
        for Tensor { name, shape, data } in tensors {
            let place = model.inputs.iter().position(|input| *input.name == *name);
            let Some((input, column)) =
                place.and_then(|at| Some((model.inputs.get(at)?, columns.get_mut(at)?)))
            else {
                continue;
            };
            if column.is_some() {
                return Err(PredictError::invalid(format!("input `{name}` is given twice")));
            }
            let count = rows_of(&name, &shape, data.len())?;
            if *rows.get_or_insert(count) != count {
                let detail = format!("input `{name}` has {count} rows and an earlier one another number");
                return Err(PredictError::invalid(detail));
            }
            check_size(model, count)?;
            *column = Some(values(input, data)?);
        }
        // The names are the model's, so no column is missing.
        Self::of_columns(model, columns.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Columns that fit the model already, all of one length.
    ///
    /// # Errors
    /// When they are not.
    pub fn of_columns(model: &Model, columns: Vec<Vec<Value>>) -> Result<Self, PredictError> {
        let rows = columns.first().map_or(0, Vec::len);
        if columns.len() != model.inputs.len() || columns.iter().any(|column| column.len() != rows) {
            return Err(PredictError::invalid("the inputs have not all the same number of rows"));
        }
        check_size(model, rows)?;
        Ok(Self { columns, rows })
    }

    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows times inputs.
    #[must_use]
    pub fn values(&self) -> usize {
        self.rows.saturating_mul(self.columns.len())
    }

    #[must_use]
    pub fn columns(&self) -> &[Vec<Value>] {
        &self.columns
    }

    /// One row, in the order of the model's inputs.
    #[must_use]
    pub fn row(&self, row: usize) -> Vec<Value> {
        self.columns.iter().map(|column| column.get(row).cloned().unwrap_or(Value::Missing)).collect()
    }
}

impl BatchBuilder {
    #[must_use]
    pub fn new(model: &Model) -> Self {
        Self { columns: vec![Vec::new(); model.inputs.len()] }
    }

    /// The next value of an input, by its place.
    pub fn push(&mut self, input: usize, value: Value) {
        if let Some(column) = self.columns.get_mut(input) {
            column.push(value);
        }
    }

    /// Values that an input has so far.
    #[must_use]
    pub fn len(&self, input: usize) -> usize {
        self.columns.get(input).map_or(0, Vec::len)
    }

    /// # Errors
    /// When the columns are of different lengths.
    pub fn finish(self, model: &Model) -> Result<Batch, PredictError> {
        Batch::of_columns(model, self.columns)
    }
}

enum Split {
    Named(Vec<Tensor>),
    Columns(Batch),
}

/// Servers of one matrix take all columns in one tensor of shape [rows, inputs], whatever its name; so do we, when
/// nothing else can be meant.
fn split_matrix(model: &Model, mut tensors: Vec<Tensor>) -> Result<Split, PredictError> {
    let inputs = model.inputs.len();
    let is_matrix = match tensors.as_slice() {
        [one] => {
            let known = model.inputs.iter().any(|input| *input.name == *one.name);
            !known && matches!(one.shape.as_slice(), [_, columns] if usize::try_from(*columns) == Ok(inputs))
        }
        _ => false,
    };
    if !is_matrix {
        return Ok(Split::Named(tensors));
    }
    let Some(Tensor { name, shape, data }) = tensors.pop() else { return Ok(Split::Named(tensors)) };
    let rows = shape.first().and_then(|rows| usize::try_from(*rows).ok()).unwrap_or(usize::MAX);
    if rows.saturating_mul(inputs) != data.len() {
        let detail = format!("input `{}`: its shape does not say how many values were sent", short(&name));
        return Err(PredictError::invalid(detail));
    }
    check_size(model, rows)?;
    let mut columns: Vec<Vec<Value>> = vec![Vec::with_capacity(rows); inputs];
    let mut place = |at: usize, read: &dyn Fn(&ModelInput) -> Result<Value, Refusal>| {
        let (row, at) = (at / inputs.max(1), at % inputs.max(1));
        let (Some(input), Some(column)) = (model.inputs.get(at), columns.get_mut(at)) else { return Ok(()) };
        column.push(read(input).map_err(|refusal| refused(input, row, refusal))?);
        Ok(())
    };
    match data {
        TensorData::Booleans(all) => {
            all.iter().enumerate().try_for_each(|(at, value)| place(at, &|input| boolean(input, *value)))
        }
        TensorData::Integers(all) => {
            all.iter().enumerate().try_for_each(|(at, value)| place(at, &|input| integer(input, *value)))
        }
        TensorData::Numbers(all) => {
            all.iter().enumerate().try_for_each(|(at, value)| place(at, &|input| number(input, *value)))
        }
        TensorData::Texts(all) => {
            all.iter().enumerate().try_for_each(|(at, value)| place(at, &|input| bytes(input, value)))
        }
    }?;
    Ok(Split::Columns(Batch { columns, rows }))
}

/// Whether exactly the model's inputs are named; else TensorFlow Serving's words for what is not.
///
/// # Errors
/// When one is missing, unknown or given twice.
pub fn check_names<'n>(model: &Model, names: impl Iterator<Item = &'n str>) -> Result<(), PredictError> {
    let given: BTreeSet<String> = names.map(short).collect();
    let wanted: BTreeSet<String> = model.inputs.iter().map(|input| input.name.to_string()).collect();
    if given == wanted {
        return Ok(());
    }
    let set = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let unknown: BTreeSet<String> = given.difference(&wanted).cloned().collect();
    if given.len() == wanted.len() {
        return Err(PredictError::invalid(format!(
            "input tensor alias not found in signature: {}. Inputs expected to be in the set {{{}}}.",
            set(&unknown),
            set(&wanted)
        )));
    }
    let missing: BTreeSet<String> = wanted.difference(&given).cloned().collect();
    Err(PredictError::invalid(format!(
        "input size does not match signature: {}!={} len({{{}}}) != len({{{}}}). Sent extra: {{{}}}. \
         Missing but required: {{{}}}.",
        given.len(),
        wanted.len(),
        set(&given),
        set(&wanted),
        set(&unknown),
        set(&missing)
    )))
}

/// A name that a caller made up, as far as it is shown.
#[must_use]
pub fn short(name: &str) -> String {
    let mut shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

/// # Errors
/// When a request has more rows than are worked on at once.
pub fn check_size(model: &Model, rows: usize) -> Result<(), PredictError> {
    let most = MOST_VALUES / model.inputs.len().max(1);
    if rows <= most {
        return Ok(());
    }
    let detail = format!("a request to model `{}` may have {most} rows at most; send several", model.name);
    Err(PredictError::TooMuch { detail })
}

/// Why a value cannot be one of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Type,
    NotWhole,
    NotFinite,
    NotUtf8,
}

/// The error for one value.
#[must_use]
pub fn refused(input: &ModelInput, row: usize, refusal: Refusal) -> PredictError {
    let wanted = match input.kind {
        Kind::Boolean => "true or false",
        Kind::Integer => "a whole number",
        Kind::Choice(_) | Kind::Text => "text",
        _ => "a number",
    };
    let what = match refusal {
        Refusal::Type => format!("must be {wanted}"),
        Refusal::NotWhole => "must be a whole number".to_owned(),
        Refusal::NotFinite => "is not finite; NaN or null stands for a value that is missing".to_owned(),
        Refusal::NotUtf8 => "is not UTF-8 text".to_owned(),
    };
    PredictError::invalid(format!("input `{}`, row {row}: it {what}", input.name))
}

fn values(input: &ModelInput, data: TensorData) -> Result<Vec<Value>, PredictError> {
    fn all<T>(
        input: &ModelInput,
        values: &[T],
        read: impl Fn(&ModelInput, &T) -> Result<Value, Refusal>,
    ) -> Result<Vec<Value>, PredictError> {
        let mut read_all = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            read_all.push(read(input, value).map_err(|refusal| refused(input, row, refusal))?);
        }
        Ok(read_all)
    }
    match data {
        TensorData::Booleans(values) => all(input, &values, |input, value| boolean(input, *value)),
        TensorData::Integers(values) => all(input, &values, |input, value| integer(input, *value)),
        TensorData::Numbers(values) => all(input, &values, |input, value| number(input, *value)),
        TensorData::Texts(values) => all(input, &values, |input, value| bytes(input, value)),
    }
}

/// # Errors
/// When the input is no boolean.
pub fn boolean(input: &ModelInput, value: bool) -> Result<Value, Refusal> {
    if input.kind == Kind::Boolean { Ok(Value::Boolean(value)) } else { Err(Refusal::Type) }
}

/// # Errors
/// When the input is a text, or a boolean and the integer neither 0 nor 1.
pub fn integer(input: &ModelInput, value: i64) -> Result<Value, Refusal> {
    match (&input.kind, value) {
        (Kind::Boolean, 0 | 1) => Ok(Value::Boolean(value == 1)),
        (Kind::Boolean | Kind::Choice(_) | Kind::Text, _) => Err(Refusal::Type),
        _ => Ok(Value::Integer(value)),
    }
}

/// # Errors
/// When the input is a text, or whole and the number is not, or the number is infinite.
pub fn number(input: &ModelInput, value: f64) -> Result<Value, Refusal> {
    if value.is_nan() {
        return Ok(Value::Missing);
    }
    if value.is_infinite() {
        return Err(Refusal::NotFinite);
    }
    let whole = || whole(value).ok_or(Refusal::NotWhole);
    match &input.kind {
        Kind::Choice(_) | Kind::Text => Err(Refusal::Type),
        Kind::Integer => Ok(Value::Integer(whole()?)),
        Kind::Boolean => match whole() {
            Ok(value @ (0 | 1)) => Ok(Value::Boolean(value == 1)),
            _ => Err(Refusal::Type),
        },
        _ => Ok(Value::Number(value)),
    }
}

/// The integer that a float is exactly.
fn whole(value: f64) -> Option<i64> {
    // Below 2^63 in size, so the conversion is exact.
    let fits = value.fract().abs() <= 0.0 && value.abs() < 9_223_372_036_854_775_808.0;
    fits.then_some(value as i64)
}

/// # Errors
/// When the input is no text, or the bytes are not UTF-8.
pub fn bytes(input: &ModelInput, value: &[u8]) -> Result<Value, Refusal> {
    text(input, std::str::from_utf8(value).map_err(|_| Refusal::NotUtf8)?)
}

/// The empty text is a missing value, unless it is a category.
///
/// # Errors
/// When the input is no text.
pub fn text(input: &ModelInput, value: &str) -> Result<Value, Refusal> {
    match &input.kind {
        Kind::Choice(categories) => Ok(match category(categories, value) {
            Some(category) => Value::Text(category),
            None if value.is_empty() => Value::Missing,
            None => Value::text(value),
        }),
        Kind::Text => Ok(Value::text(value)),
        _ => Err(Refusal::Type),
    }
}

/// The declared text itself, so that nothing is copied.
fn category(categories: &[Name], value: &str) -> Option<Name> {
    categories.iter().find(|category| &***category == value).map(Arc::clone)
}
