//! TensorFlow Serving's REST: a question as text, and what an answer says. Nothing is sent from here.

use serde_json::Value as Json;

use super::failure;
use super::oip::{flatten, push_cells, quoted};
use super::tensors::{Reply, Said, Tensor};
use crate::domain::flow::remote::{RemoteFailure, RemoteFault};
use crate::domain::model::remote::{Output, Remote};

/// Where a question is sent.
pub(super) fn path(remote: &Remote) -> String {
    format!("{}:predict", model_path(remote))
}

/// Where it is asked in what state the model is.
pub(super) fn model_path(remote: &Remote) -> String {
    match &remote.version {
        Some(version) => format!("/v1/models/{}/versions/{version}", remote.model),
        None => format!("/v1/models/{}", remote.model),
    }
}

/// Columnar, so that shapes are ours to say.
pub(super) fn body(remote: &Remote, tensors: &[Tensor<'_>]) -> String {
    let mut text = String::from("{");
    if let Some(signature) = &remote.signature {
        text.push_str(&format!("\"signature_name\":{},", quoted(signature)));
    }
    text.push_str("\"inputs\":{");
    for (at, tensor) in tensors.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&quoted(tensor.name));
        text.push(':');
        let is_nested = tensor.shape.len() == 2;
        text.push_str(if is_nested { "[" } else { "" });
        push_cells(&mut text, &tensor.cells);
        text.push_str(if is_nested { "]" } else { "" });
    }
    text.push_str("}}");
    text
}

/// What an answer says. The name of an only output is left out by the server.
///
/// # Errors
/// When it is no answer of this protocol.
pub(super) fn read(output: &Output, bytes: &[u8]) -> Result<Reply, RemoteFailure> {
    let wrong = || failure(RemoteFault::Nonsense, "the answer is none of TensorFlow Serving's");
    let answer: Json = serde_json::from_slice(bytes).map_err(|_| wrong())?;
    let outputs = answer.get("outputs").ok_or_else(wrong)?;
    let said = |name: Option<&String>, data: &Json| {
        let mut values = Vec::new();
        flatten(data, &mut values);
        // The rows are the outermost list.
        let rows = data.as_array().map_or(1, Vec::len);
        let rest = values.len().checked_div(rows).unwrap_or(0);
        let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let shape = Some(vec![size(rows), size(rest)]);
        Said { name: name.cloned().or_else(|| output.tensor.clone()), shape, values }
    };
    let tensors = match outputs {
        Json::Object(named) => named.iter().map(|(name, data)| said(Some(name), data)).collect(),
        Json::Array(_) => vec![said(None, outputs)],
        _ => return Err(wrong()),
    };
    Ok(Reply { version: None, tensors })
}

/// Whether the model, or the version that is asked for, can be asked.
pub(super) fn is_available(bytes: &[u8]) -> bool {
    let status: Json = serde_json::from_slice(bytes).unwrap_or_default();
    let versions = status.get("model_version_status").and_then(Json::as_array);
    versions.is_some_and(|all| all.iter().any(|one| one.get("state") == Some(&Json::from("AVAILABLE"))))
}
