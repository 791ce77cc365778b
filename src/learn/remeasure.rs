//! `tollgate models reference`: what drift of a version is measured against, from rows given when it was there already.
//! No file of a version is touched: this one stands beside them, in `references/`, names the artefact that it was
//! measured on, and is part of no revision. It holds no time: the same rows give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::answers::{self, AnswersError};
use super::publish::{self, PublishError};
use super::reference::{self, Given, MeasuredOn, Reference, RowsFile, Unmeasured};
use crate::domain::model::Model;

/// Where a model's references stand, each named by the number of its version.
pub const REFERENCES: &str = "references";

/// A reference that now stands beside a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remeasured {
    pub path: PathBuf,
    pub measured_on: MeasuredOn,
}

/// Why no reference was written.
#[derive(Debug, thiserror::Error)]
pub enum RemeasureError {
    #[error(transparent)]
    Rows(#[from] AnswersError),
    #[error(transparent)]
    Unmeasured(#[from] Unmeasured),
    #[error(transparent)]
    Write(#[from] PublishError),
    #[error("the reference cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// `references/N.json`
#[derive(Serialize)]
struct Stored<'a> {
    reference_version: u32,
    model: &'a str,
    version: u32,
    /// Digest of the `model.json` whose answers these are.
    artefact: &'a str,
    reference: &'a Reference,
}

/// Where the reference of a version of the model in `folder` stands when it was given later.
pub(super) fn reference_of(folder: &Path, version: u32) -> PathBuf {
    folder.join(REFERENCES).join(format!("{version}.json"))
}

/// Measures the rows of a table with a header, whose columns are found by the names of the model's inputs, and writes what
/// came of it into the model's folder; what was given before is replaced.
///
/// # Errors
/// When the rows cannot be read, or too few of them are answered; nothing is changed then.
pub fn remeasure(
    folder: &Path,
    model: &Model,
    file: &Path,
    (bytes, separator): (&[u8], u8),
) -> Result<Remeasured, RemeasureError> {
    let (mut rows, mut answered) = (Vec::new(), Vec::new());
    let asked = answers::ask(model, (bytes, separator), |row, answer| {
        rows.push(row.to_vec());
        answered.push(answer);
    })?;
    let refused = asked.refused.values().sum();
    let file = RowsFile::new(Given::Later, file, bytes);
    let reference = reference::of_given(model, &file, (&rows, &answered), refused)?;
    let stored = Stored {
        reference_version: 1,
        model: &model.name,
        version: model.version,
        artefact: &model.digest,
        reference: &reference,
    };
    let mut bytes = serde_json::to_vec_pretty(&stored).map_err(RemeasureError::Json)?;
    bytes.push(b'\n');
    let path = reference_of(folder, model.version);
    let references = folder.join(REFERENCES);
    fs::create_dir_all(&references).map_err(publish::failed(&references, "made"))?;
    publish::replace(&path, &bytes)?;
    let measured_on = reference.measured_on.ok_or(Unmeasured::NoRows)?;
    Ok(Remeasured { path, measured_on })
}

#[cfg(test)]
mod tests;
