//! The Open Inference Protocol's JSON: a question as text, and what an answer says. Nothing is sent from here.

use serde::Deserialize;
use serde_json::Value as Json;

use super::failure;
use super::tensors::{Cell, MOST_ELEMENTS, Reply, Said, Tensor};
use crate::domain::flow::remote::{RemoteFailure, RemoteFault};
use crate::domain::model::remote::Remote;

/// Where a question is sent.
pub(super) fn path(remote: &Remote) -> String {
    format!("{}/infer", model_path(remote))
}

/// Where it is asked whether the model is ready.
pub(super) fn ready_path(remote: &Remote) -> String {
    format!("{}/ready", model_path(remote))
}

fn model_path(remote: &Remote) -> String {
    match &remote.version {
        Some(version) => format!("/v2/models/{}/versions/{version}", remote.model),
        None => format!("/v2/models/{}", remote.model),
    }
}

pub(super) fn body(remote: &Remote, tensors: &[Tensor<'_>]) -> String {
    let mut text = String::from("{\"inputs\":[");
    for (at, tensor) in tensors.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str("{\"name\":");
        text.push_str(&quoted(tensor.name));
        text.push_str(&format!(
            ",\"shape\":{:?},\"datatype\":\"{}\",\"data\":",
            tensor.shape,
            tensor.datatype.word()
        ));
        push_cells(&mut text, &tensor.cells);
        text.push('}');
    }
    text.push(']');
    if let Some(output) = &remote.output.tensor {
        text.push_str(&format!(",\"outputs\":[{{\"name\":{}}}]", quoted(output)));
    }
    text.push('}');
    text
}

/// A JSON list; a number that is missing is the bare `NaN` that Python's and our own readers know.
pub(super) fn push_cells(text: &mut String, cells: &[Cell<'_>]) {
    text.push('[');
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match cell {
            Cell::Float(number) if number.is_finite() => {
                text.push_str(&serde_json::to_string(number).unwrap_or_default());
            }
            Cell::Float(_) => text.push_str("NaN"),
            Cell::Whole(number) => text.push_str(&number.to_string()),
            Cell::Boolean(value) => text.push_str(if *value { "true" } else { "false" }),
            Cell::Text(value) => text.push_str(&quoted(value)),
        }
    }
    text.push(']');
}

pub(super) fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    model_version: Option<String>,
    outputs: Vec<Output>,
}

#[derive(Debug, Deserialize)]
struct Output {
    name: String,
    shape: Vec<i64>,
    /// Some leave it out, or send it apart from the JSON, which is nothing to us where another output is read.
    #[serde(default)]
    data: Option<Json>,
}

/// What an answer says.
///
/// # Errors
/// When it is no answer of this protocol.
pub(super) fn read(bytes: &[u8]) -> Result<Reply, RemoteFailure> {
    let wrong = |what: &str| failure(RemoteFault::Nonsense, format!("the answer {what}"));
    let answer: Answer =
        serde_json::from_slice(bytes).map_err(|_| wrong("is no answer of the Open Inference Protocol"))?;
    let mut tensors = Vec::with_capacity(answer.outputs.len());
    for output in answer.outputs {
        let mut values = Vec::new();
        // Outputs beside the one that is read may hold anything.
        if let Some(data) = &output.data {
            flatten(data, &mut values);
        }
        tensors.push(Said { name: Some(output.name), shape: Some(output.shape), values });
    }
    Ok(Reply { version: answer.model_version.filter(|version| !version.is_empty()), tensors })
}

/// The numbers of a nested list, row after row; what is no number becomes one that no probability is.
pub(super) fn flatten(data: &Json, values: &mut Vec<f64>) {
    match data {
        Json::Array(items) => {
            for item in items.iter().take(MOST_ELEMENTS) {
                flatten(item, values);
            }
        }
        Json::Number(number) => values.push(number.as_f64().unwrap_or(f64::NAN)),
        _ => values.push(f64::NAN),
    }
}
