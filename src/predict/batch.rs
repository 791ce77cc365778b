//! From what was sent to rows that a model reads: names, types, shapes and sizes checked, everything else left to the
//! model. NaN and null are values that were not given. Absent on purpose: any echo of a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::PredictError;
use super::tensor::{Tensor, TensorData, rows_of};
use crate::domain::model::{Columns, Model, ModelInput};
use crate::domain::value::{Kind, Name, Value};

/// Most values, rows times inputs, that one request may send: each takes some tens of bytes while it is worked on.
pub const MOST_VALUES: usize = 4_000_000;

/// Rows for one model, checked against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    columns: Columns,
}

/// Takes values row by row, for protocols that send rows.
#[derive(Debug)]
pub struct BatchBuilder {
    /// One row after the other, the last one begun.
    values: Vec<Value>,
    /// Which inputs the last row has.
    given: Vec<bool>,
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
        let places = places(model, &tensors)?;
        let mut given = vec![false; model.inputs.len()];
        let mut columns: Option<Columns> = None;
        for (Tensor { name, shape, data }, place) in tensors.into_iter().zip(places) {
            let (Some(input), Some(is_given)) = (model.inputs.get(place), given.get_mut(place)) else {
                continue;
            };
            if std::mem::replace(is_given, true) {
                return Err(PredictError::invalid(format!("input `{name}` is given twice")));
            }
            let count = rows_of(&name, &shape, data.len())?;
            if columns.as_ref().is_some_and(|columns| columns.rows() != count) {
                let detail = format!("input `{name}` has {count} rows and an earlier one another number");
                return Err(PredictError::invalid(detail));
            }
            check_size(model, count)?;
            let columns = columns.get_or_insert_with(|| Columns::missing(model.inputs.len(), count));
            fill(input, columns.column_mut(place).unwrap_or_default(), data)?;
        }
        // The names are the model's, so no column is missing.
        Ok(Self { columns: columns.unwrap_or_else(|| Columns::missing(model.inputs.len(), 0)) })
    }

    /// Columns that fit the model already, all of one length.
    ///
    /// # Errors
    /// When they are not.
    pub fn of_columns(model: &Model, columns: Vec<Vec<Value>>) -> Result<Self, PredictError> {
        let columns = Columns::of_lists(columns).filter(|columns| columns.inputs() == model.inputs.len());
        let columns = columns
            .ok_or_else(|| PredictError::invalid("the inputs have not all the same number of rows"))?;
        check_size(model, columns.rows())?;
        Ok(Self { columns })
    }

    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.rows()
    }

    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// One row, in the order of the model's inputs.
    #[must_use]
    pub fn row(&self, row: usize) -> Vec<Value> {
        self.columns.row(row)
    }
}

impl BatchBuilder {
    #[must_use]
    pub fn new(model: &Model) -> Self {
        Self { values: Vec::new(), given: vec![false; model.inputs.len()] }
    }

    /// Begins the next row: values that are not given are missing.
    pub fn begin_row(&mut self) {
        self.given.fill(false);
        self.values.resize(self.values.len() + self.given.len(), Value::Missing);
    }

    /// Whether the row has a value of this input yet.
    #[must_use]
    pub fn has(&self, input: usize) -> bool {
        self.given.get(input).copied().unwrap_or(false)
    }

    /// The row's value of an input, by its place.
    pub fn put(&mut self, input: usize, value: Value) {
        let start = self.values.len() - self.given.len();
        if let (Some(given), Some(place)) = (self.given.get_mut(input), self.values.get_mut(start + input)) {
            *given = true;
            *place = value;
        }
    }

    #[must_use]
    pub fn finish(self) -> Batch {
        Batch { columns: Columns::of_rows(self.values, self.given.len()) }
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
    let mut values = Vec::with_capacity(data.len());
    let mut place = |at: usize, read: &dyn Fn(&ModelInput) -> Result<Value, Refusal>| {
        let (row, at) = (at / inputs.max(1), at % inputs.max(1));
        let Some(input) = model.inputs.get(at) else { return Ok(()) };
        values.push(read(input).map_err(|refusal| refused(input, row, refusal))?);
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
    Ok(Split::Columns(Batch { columns: Columns::of_rows(values, inputs) }))
}

/// The model's input that each tensor is.
fn places(model: &Model, tensors: &[Tensor]) -> Result<Vec<usize>, PredictError> {
    let mut places = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let after_the_last = places.last().map_or(0, |last: &usize| last + 1);
        let Some(place) = model.place_of(&tensor.name, after_the_last) else { break };
        places.push(place);
    }
    // As many names as inputs, each of them an input's: a name that stands twice is found when its values are read.
    if places.len() == tensors.len() && places.len() == model.inputs.len() {
        return Ok(places);
    }
    check_names(model, tensors.iter().map(|tensor| tensor.name.as_str()))?;
    Ok(places)
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

/// Reads a tensor into its column, which is as long.
fn fill(input: &ModelInput, column: &mut [Value], data: TensorData) -> Result<(), PredictError> {
    fn all<T>(
        input: &ModelInput,
        column: &mut [Value],
        values: &[T],
        read: impl Fn(&ModelInput, &T) -> Result<Value, Refusal>,
    ) -> Result<(), PredictError> {
        for (row, (place, value)) in column.iter_mut().zip(values).enumerate() {
            *place = read(input, value).map_err(|refusal| refused(input, row, refusal))?;
        }
        Ok(())
    }
    match data {
        TensorData::Booleans(values) => all(input, column, &values, |input, value| boolean(input, *value)),
        TensorData::Integers(values) => all(input, column, &values, |input, value| integer(input, *value)),
        TensorData::Numbers(values) => all(input, column, &values, |input, value| number(input, *value)),
        TensorData::Texts(values) => all(input, column, &values, |input, value| bytes(input, value)),
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
