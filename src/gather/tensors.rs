//! A row as tensors, and the probability among the tensors of an answer. The same for every protocol. What an answer
//! says is not believed: shape, count and range are looked at. Absent: bytes and text.

use super::failure;
use crate::domain::flow::remote::{ModelAsked, RemoteFailure, RemoteFault};
use crate::domain::model::as_number;
use crate::domain::model::remote::{Datatype, Layout, Output, Sent};
use crate::domain::value::Value;

/// Elements that an answer may have.
pub(super) const MOST_ELEMENTS: usize = 100_000;

/// By so much may a sum of 32-bit floats miss 0 or 1; it is taken for what it meant.
const SLACK: f64 = 1e-6;

/// One tensor as it is sent.
#[derive(Debug, PartialEq)]
pub(super) struct Tensor<'a> {
    pub name: &'a str,
    pub datatype: Datatype,
    pub shape: Vec<i64>,
    pub cells: Vec<Cell<'a>>,
}

/// One element of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// NaN where it is missing.
    Float(f64),
    Whole(i64),
    Boolean(bool),
    Text(&'a str),
}

/// One tensor of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    /// `None` where the protocol leaves the name of the only one out.
    pub name: Option<String>,
    pub shape: Option<Vec<i64>>,
    pub values: Vec<f64>,
}

/// What one server answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub version: Option<String>,
    pub tensors: Vec<Said>,
}

/// The row as the model's declaration says that it is sent.
///
/// # Errors
/// When a whole number is too large for what it is sent as.
pub(super) fn of_row(asked: &ModelAsked) -> Result<Vec<Tensor<'_>>, RemoteFailure> {
    let Some(remote) = asked.model.remote() else { return Ok(Vec::new()) };
    let mut tensors = Vec::with_capacity(asked.row.len());
    for ((input, sent), value) in asked.model.inputs.iter().zip(&remote.sent).zip(&asked.row) {
        let cell = cell(sent, value).ok_or_else(|| {
            let detail = format!("`{}` cannot be sent as {}", input.name, sent.datatype.word());
            failure(RemoteFault::Refused, detail)
        })?;
        let shape = if remote.layout == Layout::Columns { vec![1, 1] } else { vec![1] };
        tensors.push(Tensor { name: &input.name, datatype: sent.datatype, shape, cells: vec![cell] });
    }
    let Layout::Matrix { tensor } = &remote.layout else { return Ok(tensors) };
    let datatype = tensors.first().map_or(Datatype::Fp64, |first| first.datatype);
    let cells: Vec<_> = tensors.into_iter().flat_map(|tensor| tensor.cells).collect();
    let shape = vec![1, i64::try_from(cells.len()).unwrap_or_default()];
    Ok(vec![Tensor { name: tensor, datatype, shape, cells }])
}

fn cell<'a>(sent: &Sent, value: &'a Value) -> Option<Cell<'a>> {
    match (sent.datatype, value) {
        (Datatype::Fp32 | Datatype::Fp64, Value::Missing) => Some(Cell::Float(f64::NAN)),
        (Datatype::Fp32, value) => {
            let number = as_number(value)?;
            (number as f32).is_finite().then_some(Cell::Float(number))
        }
        (Datatype::Fp64, value) => as_number(value).map(Cell::Float),
        (Datatype::Int32, Value::Integer(whole)) => i32::try_from(*whole).ok().map(|w| Cell::Whole(w.into())),
        (Datatype::Int64, Value::Integer(whole)) => Some(Cell::Whole(*whole)),
        (Datatype::Bool, Value::Boolean(value)) => Some(Cell::Boolean(*value)),
        (Datatype::Bytes, Value::Text(text)) => Some(Cell::Text(text)),
        _ => None,
    }
}

/// The probability, wherever the declaration says that it stands.
///
/// # Errors
/// When there is no such tensor or element, more than one row came back, or it is no probability.
pub(super) fn probability(output: &Output, reply: &Reply) -> Result<f64, RemoteFailure> {
    let nonsense = |detail: String| failure(RemoteFault::Nonsense, detail);
    let tensor = match (&output.tensor, reply.tensors.as_slice()) {
        (_, []) => return Err(nonsense("the answer has no output".to_owned())),
        (None, [only]) => only,
        (None, several) => {
            let detail = format!("the answer has {} outputs, and the declaration names none", several.len());
            return Err(nonsense(detail));
        }
        (Some(wanted), [only]) if only.name.is_none() || only.name.as_ref() == Some(wanted) => only,
        (Some(wanted), several) => several
            .iter()
            .find(|tensor| tensor.name.as_ref() == Some(wanted))
            .ok_or_else(|| nonsense(format!("the answer has no output `{wanted}`")))?,
    };
    if let Some(shape) = &tensor.shape {
        let elements = shape.iter().try_fold(1_i64, |all, size| all.checked_mul(*size));
        if elements.and_then(|all| usize::try_from(all).ok()) != Some(tensor.values.len()) {
            return Err(nonsense("the answer's shape is not that of its values".to_owned()));
        }
        if shape.first().is_some_and(|rows| *rows != 1) {
            return Err(nonsense(
                "one row was asked about, and the answer is about another number".to_owned(),
            ));
        }
    }
    let value = match (output.at, tensor.values.as_slice()) {
        (None, [only]) => *only,
        (None, several) => {
            let detail = format!("the output has {} elements, and the declaration names none", several.len());
            return Err(nonsense(detail));
        }
        (Some(at), several) => {
            *several.get(at).ok_or_else(|| nonsense(format!("the output has no element {at}")))?
        }
    };
    if (-SLACK..=1.0 + SLACK).contains(&value) {
        // What is used is what is recorded, so a replay sees the same.
        Ok(value.clamp(0.0, 1.0))
    } else {
        Err(nonsense("the answer is no probability: not a number from 0 to 1".to_owned()))
    }
}
