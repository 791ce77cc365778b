//! `tollgate models import`: a model that another library fitted, read into our own form, tried, and written as the next
//! version. Each format's comparisons and widths are kept; what cannot be kept is refused with what to export instead.
//! Nothing of a file is ever run. Absent: formats that are programs (pickles), and fitting.

mod card;
mod columns;
mod detect;
mod lightgbm;
mod onnx;
mod pmml;
mod rows;
mod tree;
mod ubj;
mod xgboost;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::artefact::{self, ArtefactError, FittedWith, Ingredients, Weights};
use super::library::{CHAMPION, is_name};
use super::publish::{self, PublishError};
use super::reference::{MeasuredOn, Unmeasured};
use crate::documents::Source;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::model::{
    Background, BoostedParts, Characteristics, Feature, GraphParts, Model, Step, Width,
};
use crate::domain::value::{Name, Value};
use columns::Columns;
use rows::Rows;

/// Largest file that is read.
pub const MAX_FILE: u64 = 256 << 20;

/// What is imported, and what it is to be called.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportRequest {
    pub file: PathBuf,
    /// The model's folder in `models/`; made when it is not there.
    pub name: String,
    /// What the file does not say: names and types of columns, reason codes (YAML).
    pub columns: Option<PathBuf>,
    /// Rows (CSV) to measure what explanations and drift need, and to compare answers on.
    pub rows: Option<PathBuf>,
    /// The column of `rows` with the answers of the library that fitted the model.
    pub expected: Option<String>,
    /// How far an answer may be from the expected one.
    pub tolerance: Option<f64>,
}

/// A version that now stands in `models/`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedVersion {
    pub model: String,
    pub version: u32,
    pub folder: PathBuf,
    pub draft: Draft,
}

/// An imported version that has not been written: its two files, and what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub artefact: Vec<u8>,
    pub card: Vec<u8>,
    /// `sha256:…` of the artefact.
    pub digest: Arc<str>,
    /// `gbtree`; of ONNX what wrote it.
    pub algorithm: String,
    /// `xgboost 3.2.0`.
    pub fitted_with: String,
    pub inputs: Vec<String>,
    /// The space of its contributions, or why it has none.
    pub explains: Result<&'static str, String>,
    /// How it agreed with the expected answers.
    pub agreement: Option<Agreement>,
    /// What drift is measured against, or why nothing is.
    pub reference: Result<MeasuredOn, Unmeasured>,
    pub notes: Vec<String>,
}

/// How answers agreed with those of the library that fitted the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    pub rows: usize,
    pub equal_to_the_last_bit: usize,
    pub largest_difference: f64,
}

/// Why no version was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("`{}` cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{}` is larger than {} MiB", path.display(), MAX_FILE >> 20)]
    TooLarge { path: PathBuf },
    #[error("`{name}` cannot be the name of a model: letters, digits and `_`, beginning with a letter")]
    Name { name: String },
    /// A format that is not read.
    #[error("{what}")]
    Format { what: String, help: String },
    #[error("the file is broken: {0}")]
    Malformed(String),
    #[error("the model cannot be imported: {0}")]
    Refused(String),
    #[error("the columns file `{}` has something to put right", source_file.path)]
    ColumnsFile { source_file: Source, diagnostics: Vec<Diagnostic> },
    #[error("{0}")]
    Columns(String),
    #[error("`{file}`: {problem}")]
    Rows { file: String, problem: String },
    #[error("row {row} gives an answer {difference:e} from the expected one, and {tolerance:e} is allowed")]
    Disagrees { row: u64, difference: f64, tolerance: f64 },
    #[error("the imported model cannot serve")]
    Artefact(#[from] ArtefactError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the card cannot be written as JSON")]
    Card(#[source] serde_json::Error),
}

impl ImportError {
    /// The way out, where there is one to say.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Format { help, .. } => Some(help),
            Self::Columns(_) => {
                Some("`--columns FILE` says what the file does not: see docs/models/importing.md")
            }
            Self::Disagrees { .. } => Some(
                "are the rows the ones that the library answered, with the same categories? Nothing was written; \
                 `--tolerance` allows more",
            ),
            Self::Malformed(_) => Some("was it written or copied whole? Save it again where it was fitted"),
            _ => None,
        }
    }
}

fn refuse<T>(what: impl Into<String>) -> Result<T, ImportError> {
    Err(ImportError::Refused(what.into()))
}

/// What a file says of itself.
#[derive(Debug)]
struct Read {
    known: Vec<Known>,
    weights: Weights,
    covers: Vec<Vec<f64>>,
    algorithm: Algorithm,
    notes: Vec<String>,
    absent: Absent,
}

/// What a file says of a column.
#[derive(Debug, Clone, Default, PartialEq)]
struct Known {
    name: Option<String>,
    is_category: bool,
    /// In the order of their codes.
    categories: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Algorithm {
    library: &'static str,
    library_version: String,
    name: String,
    parameters: serde_json::Value,
}

/// What the library does with what it was not given, or does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Absent {
    /// A missing number is counted as 0; else the model has an answer of its own.
    missing_is_zero: bool,
    /// An unknown category is as a missing one; else it is refused.
    unseen_is_missing: bool,
}

impl Read {
    fn trees(
        parts: BoostedParts,
        covers: Vec<Vec<f64>>,
        known: Vec<Known>,
        algorithm: Algorithm,
        notes: Vec<String>,
    ) -> Self {
        // Covers of some trees only are of no use.
        let covers = if covers.len() == parts.trees.len() { covers } else { Vec::new() };
        let absent = Absent { missing_is_zero: false, unseen_is_missing: algorithm.library == "lightgbm" };
        Self { known, weights: Weights::Boosted(parts), covers, algorithm, notes, absent }
    }

    fn linear(
        coefficients: Vec<f64>,
        intercept: f64,
        is_logistic: bool,
        known: Vec<Known>,
        algorithm: Algorithm,
    ) -> Self {
        let columns = coefficients.len();
        let weights = if is_logistic {
            Weights::Logistic { intercept, coefficients }
        } else {
            let of = (0..).take(columns).collect();
            let step = Step::Dense { of, weights: coefficients, bias: vec![intercept], width: Width::Single };
            let answer = u32::try_from(columns).unwrap_or(u32::MAX);
            let steps = vec![step];
            Weights::Graph(GraphParts {
                columns,
                constants: Vec::new(),
                steps,
                answer,
                is_probability: false,
            })
        };
        let absent = Absent { missing_is_zero: true, unseen_is_missing: false };
        Self { known, weights, covers: Vec::new(), algorithm, notes: Vec::new(), absent }
    }

    fn characteristics(card: Characteristics, known: Vec<Known>, algorithm: Algorithm) -> Self {
        let absent = Absent { missing_is_zero: false, unseen_is_missing: false };
        let weights = Weights::Characteristics(card);
        Self { known, weights, covers: Vec::new(), algorithm, notes: Vec::new(), absent }
    }

    fn graph(parts: GraphParts, known: Vec<Known>, algorithm: Algorithm) -> Self {
        let absent = Absent { missing_is_zero: false, unseen_is_missing: true };
        let weights = Weights::Graph(parts);
        Self { known, weights, covers: Vec::new(), algorithm, notes: Vec::new(), absent }
    }
}

/// Imports a file as the next version of a model in `models`.
///
/// # Errors
/// Anything that keeps the version from answering as the original does; nothing is written then.
pub fn run(models: &Path, request: &ImportRequest) -> Result<ImportedVersion, ImportError> {
    let name = &request.name;
    if !is_name(name) {
        return Err(ImportError::Name { name: name.clone() });
    }
    let bytes = read_file(&request.file)?;
    let columns = request.columns.as_deref().map(columns::read).transpose()?.unwrap_or_default();
    let rows = request.rows.as_deref().map(rows::read).transpose()?;
    let draft = convert(&bytes, request, &columns, rows.as_ref())?;
    let folder = models.join(name);
    let is_new = !folder.exists();
    fs::create_dir_all(&folder).map_err(|source| ImportError::File { path: folder.clone(), source })?;
    let files = [("model.json", draft.artefact.as_slice()), ("card.json", draft.card.as_slice())];
    let version = publish::publish(&folder, &files)?;
    if is_new {
        let path = folder.join("model.yaml");
        fs::write(&path, format!("aliases: {{ {CHAMPION}: {version} }}\n"))
            .map_err(|source| ImportError::File { path, source })?;
    }
    let folder = folder.join(version.to_string());
    Ok(ImportedVersion { model: name.clone(), version, folder, draft })
}

/// A file, up to the size that is read.
fn read_file(path: &Path) -> Result<Vec<u8>, ImportError> {
    let failed = |source| ImportError::File { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        Err(ImportError::TooLarge { path: path.to_path_buf() })
    } else {
        Ok(bytes)
    }
}

/// Reads bytes of any format, and nothing else: what fuzzing calls.
///
/// # Errors
/// What is wrong with them.
pub fn try_read(bytes: &[u8]) -> Result<(), ImportError> {
    let request = ImportRequest { name: "tried".to_owned(), ..ImportRequest::default() };
    let read = detect::read(bytes)?;
    // What the file does not name gets names, so that as much as possible is tried.
    let is_named = read.known.iter().all(|known| known.name.is_some());
    let columns = if is_named { Columns::default() } else { Columns::numbered(read.known.len()) };
    draft(read, bytes, &request, &columns, None).map(|_| ())
}

fn convert(
    bytes: &[u8],
    request: &ImportRequest,
    columns: &Columns,
    rows: Option<&Rows>,
) -> Result<Draft, ImportError> {
    draft(detect::read(bytes)?, bytes, request, columns, rows)
}

fn draft(
    read: Read,
    bytes: &[u8],
    request: &ImportRequest,
    columns: &Columns,
    rows: Option<&Rows>,
) -> Result<Draft, ImportError> {
    let features = columns.features(&read.known, read.absent)?;
    let reasons = columns.reasons(&features)?;
    let name: Name = Arc::from(request.name.as_str());
    let sample = rows.map(|rows| rows.sample(&features)).transpose()?;
    let mut write =
        Writing { read: &read, columns, features: &features, reasons: &reasons, golden: Vec::new() };
    write.golden = rows::golden(&read.weights, &features, sample.as_ref());
    let mut background = Background { covers: read.covers.clone(), means: Vec::new() };
    let mut artefact = write.artefact(&background)?;
    let mut model = artefact::load(&artefact, name.clone(), 0)?;
    if let Some(sample) = &sample
        && background.covers.is_empty()
    {
        let measured = model.background(&sample.rows);
        background = measured.map_err(|failure| ImportError::Rows {
            file: rows.map(|rows| rows.file.clone()).unwrap_or_default(),
            problem: failure.detail,
        })?;
        artefact = write.artefact(&background)?;
        model = artefact::load(&artefact, name, 0)?;
    }
    let agreement = match (&sample, rows, &request.expected) {
        (Some(sample), Some(rows), Some(expected)) => {
            Some(rows.compare(sample, &model, expected, request.tolerance.unwrap_or(1e-6))?)
        }
        _ => None,
    };
    let reference = match (&sample, rows) {
        (Some(sample), Some(rows)) => rows.reference(sample, &model),
        _ => Err(Unmeasured::NoRows),
    };
    let explains = explains(&model, &write.golden);
    let fitted_with =
        format!("{} {}", read.algorithm.library, read.algorithm.library_version).trim().to_owned();
    let card = card::write(&card::Findings {
        request,
        read: &read,
        columns,
        features: &features,
        digest: &model.digest,
        fitted_with: &fitted_with,
        original: (bytes.len(), &artefact::digest(bytes)),
        agreement,
        explains: &explains,
        reference: reference.as_ref().ok(),
    })?;
    let inputs = features.iter().map(|feature| feature.name.to_string()).collect();
    let digest = model.digest.clone();
    let algorithm = read.algorithm.name;
    let notes = read.notes;
    let reference = reference.and_then(|reference| reference.measured_on.ok_or(Unmeasured::NoRows));
    Ok(Draft {
        artefact,
        card,
        digest,
        algorithm,
        fitted_with,
        inputs,
        explains,
        agreement,
        reference,
        notes,
    })
}

struct Writing<'a> {
    read: &'a Read,
    columns: &'a Columns,
    features: &'a [Feature],
    reasons: &'a BTreeMap<Name, Name>,
    golden: Vec<Vec<Value>>,
}

impl Writing<'_> {
    /// The bytes of the artefact. Made-up rows that the model does not answer are left out.
    fn artefact(&mut self, background: &Background) -> Result<Vec<u8>, ImportError> {
        let Algorithm { library, library_version, name, parameters } = &self.read.algorithm;
        loop {
            let written = artefact::write(Ingredients {
                target: self.columns.target(),
                decimals: self.columns.decimals(),
                fitted_with: FittedWith {
                    library: (*library).to_owned(),
                    library_version: library_version.clone(),
                    algorithm: name.clone(),
                    parameters: parameters.clone(),
                },
                features: self.features,
                weights: &self.read.weights,
                golden: self.golden.clone(),
                background: background.clone(),
                reasons: self.reasons,
                explains: self.columns.explain.into(),
            });
            match written {
                Err(ArtefactError::GoldenFailed { row, .. }) if self.golden.len() > 1 => {
                    self.golden.remove(row);
                }
                written => return Ok(written?),
            }
        }
    }
}

/// In which space contributions are, or why there are none.
fn explains(model: &Model, golden: &[Vec<Value>]) -> Result<&'static str, String> {
    let Some(row) = golden.first() else { return Err("it has no row to try it on".to_owned()) };
    model.explain(row).map(|contributions| contributions.space.word()).map_err(|failure| failure.detail)
}

#[cfg(test)]
mod tests;
