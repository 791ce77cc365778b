//! The card of an imported version: what is known of it, from its file and from those who import it. It has no time stamp
//! and no measure of how good the model is: the file does not say. What drift is measured against comes from the rows given
//! with it, and says so: those that the model was fitted on stayed where it was fitted.

use serde::Serialize;

use super::columns::Columns;
use super::{Agreement, ImportError, ImportRequest, Read};
use crate::domain::model::Feature;
use crate::learn::reference::Reference;

#[derive(Serialize)]
struct Card<'a> {
    card_version: u32,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// Digest of `model.json`.
    artefact: &'a str,
    algorithm: &'a str,
    parameters: &'a serde_json::Value,
    fitted_with: &'a str,
    imported_from: Original<'a>,
    features: Vec<&'a str>,
    explanations: String,
    verified: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    known_limits: Vec<&'a str>,
    /// Of the rows given at import, where there were enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Reference>,
}

#[derive(Serialize)]
struct Original<'a> {
    file: String,
    bytes: usize,
    digest: &'a str,
}

pub(super) struct Findings<'a> {
    pub request: &'a ImportRequest,
    pub read: &'a Read,
    pub columns: &'a Columns,
    pub features: &'a [Feature],
    pub digest: &'a str,
    pub fitted_with: &'a str,
    /// Bytes and digest of the file.
    pub original: (usize, &'a str),
    pub agreement: Option<Agreement>,
    pub explains: &'a Result<&'static str, String>,
    pub reference: Option<&'a Reference>,
}

pub(super) fn write(findings: &Findings<'_>) -> Result<Vec<u8>, ImportError> {
    let Findings { request, read, columns, features, digest, fitted_with, original, .. } = findings;
    let Findings { agreement, explains, reference, .. } = findings;
    let file = request.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let limits = ["how good it is was not measured here: compare it with `tollgate models compare`"];
    let card = Card {
        card_version: 1,
        model: &request.name,
        title: columns.title.as_deref(),
        artefact: digest,
        algorithm: &read.algorithm.name,
        parameters: &read.algorithm.parameters,
        fitted_with,
        imported_from: Original { file, bytes: original.0, digest: original.1 },
        features: features.iter().map(|feature| feature.name.as_ref()).collect(),
        explanations: match explains {
            Ok(space) => format!("exact contributions, in {}", space.replace('_', "-")),
            Err(why) => why.clone(),
        },
        verified: match agreement {
            Some(Agreement { rows, equal_to_the_last_bit, largest_difference }) => format!(
                "on {rows} rows the answer is within {largest_difference:e} of the library's own, on \
                 {equal_to_the_last_bit} of them equal to the last bit"
            ),
            None => "not compared with the library's own answers: import it with `--rows` and `--expected`"
                .to_owned(),
        },
        notes: &read.notes,
        known_limits: columns.known_limits.iter().map(String::as_str).chain(limits).collect(),
        reference: *reference,
    };
    let mut bytes = serde_json::to_vec_pretty(&card).map_err(ImportError::Card)?;
    bytes.push(b'\n');
    Ok(bytes)
}
