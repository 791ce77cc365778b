//! The answer of `infer`: in JSON, or the JSON with the numbers after it as little-endian bytes.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::infer_body::InferRequest;
use crate::predict::{PredictError, Servable, shown};

/// Says how many bytes of a body are its JSON; tensors follow.
pub(super) const HEAD_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

#[derive(Serialize)]
struct Answer<'a> {
    model_name: &'a str,
    model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Output<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: [usize; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a [f64]>,
}

/// How often the one output is sent, and whether as bytes each time.
///
/// # Errors
/// When another output is asked for.
pub(super) fn outputs(servable: &Servable, request: &InferRequest) -> Result<Vec<bool>, PredictError> {
    if request.outputs.is_empty() {
        return Ok(vec![request.is_binary]);
    }
    if let Some(other) = request.outputs.iter().find(|output| *output.name != *servable.output.name) {
        let (name, model) = (shown(&other.name), &servable.name);
        let only = &servable.output.name;
        return Err(PredictError::invalid(format!(
            "unexpected inference output '{name}' for model '{model}'; it has '{only}'"
        )));
    }
    if request.outputs.len() > 1 {
        let detail = format!("inference output '{}' is asked for more than once", servable.output.name);
        return Err(PredictError::invalid(detail));
    }
    Ok(request.outputs.iter().map(|output| output.is_binary.unwrap_or(request.is_binary)).collect())
}

pub(super) fn respond(
    servable: &Servable,
    id: Option<&str>,
    outputs: &[bool],
    answers: &[f64],
) -> HttpResponse {
    let output = |is_binary: &bool| Output {
        name: &servable.output.name,
        datatype: servable.output.datatype.open_inference(),
        shape: [answers.len()],
        parameters: is_binary.then(|| json!({ "binary_data_size": std::mem::size_of_val(answers) })),
        data: (!is_binary).then_some(answers),
    };
    let body = Answer {
        model_name: &servable.name,
        model_version: servable.version.to_string(),
        id,
        outputs: outputs.iter().map(output).collect(),
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    if !outputs.contains(&true) {
        return response.json(&body);
    }
    let mut bytes = serde_json::to_vec(&body).unwrap_or_default();
    response.insert_header((HEAD_LENGTH, bytes.len()));
    for _ in outputs.iter().filter(|is_binary| **is_binary) {
        bytes.extend(answers.iter().flat_map(|answer| answer.to_le_bytes()));
    }
    response.content_type("application/octet-stream").body(bytes)
}
