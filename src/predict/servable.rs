//! One loaded version of a model, as clients ask it: what it takes and gives, and its counts. Absent on purpose: which
//! version answers when none is named (`table`), and rounding: these doors give the answer to the last bit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::batch::{Batch, MOST_VALUES};
use super::error::PredictError;
use super::meters::Meters;
use super::tensor::{Datatype, TensorSpec};
use crate::domain::model::{BatchFailure, Columns, Contributions, Model, ReasonCode};
use crate::domain::value::{Kind, Name, Value};
use crate::drift::Watch;

/// What a model that gives probabilities calls its output.
pub const PROBABILITY: &str = "probability";
/// What any other model calls it.
pub const SCORE: &str = "score";
/// Rows with which a new version is warmed.
const WARM_ROWS: usize = 64;

/// One version that can be asked. Shared: a request keeps its own until it is answered.
#[derive(Debug)]
pub struct Servable {
    pub name: Name,
    pub version: u32,
    /// `sha256:…` of the artefact's bytes.
    pub digest: Arc<str>,
    /// In the model's order, one named tensor each.
    pub inputs: Box<[TensorSpec]>,
    /// The one output: `probability`, or `score` where the model gives something else.
    pub output: TensorSpec,
    model: Arc<Model>,
    meters: Meters,
    watch: Option<Arc<Watch>>,
}

/// What each input added to one row's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The row's answer.
    pub answer: f64,
    pub contributions: Contributions,
    /// What speaks against the person, the heaviest first.
    pub reasons: Vec<ReasonCode>,
}

impl Servable {
    #[must_use]
    pub fn new(model: Arc<Model>, watch: Option<Arc<Watch>>) -> Self {
        let spec = |name: &Name, datatype| TensorSpec { name: Arc::clone(name), datatype };
        let inputs = model.inputs.iter().map(|input| spec(&input.name, Datatype::of(&input.kind))).collect();
        let output = if model.gives_probability() { PROBABILITY } else { SCORE };
        Self {
            name: Arc::clone(&model.name),
            version: model.version,
            digest: Arc::clone(&model.digest),
            inputs,
            output: TensorSpec { name: Arc::from(output), datatype: Datatype::Fp64 },
            meters: Meters::new(&model.name, model.version),
            watch,
            model,
        }
    }

    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Where its answers are counted.
    #[must_use]
    pub fn watch(&self) -> Option<&Arc<Watch>> {
        self.watch.as_ref()
    }

    /// Most rows that one request may send.
    #[must_use]
    pub fn most_rows(&self) -> usize {
        MOST_VALUES / self.inputs.len().max(1)
    }

    /// The answers, one a row. Blocks while it computes: where connections are served, large requests are asked
    /// [`aside`](super::aside).
    ///
    /// # Errors
    /// When a row cannot be answered: the text names the row and the input.
    pub fn predict_here(&self, batch: &Batch) -> Result<Vec<f64>, PredictError> {
        let answers = self.answers(batch)?;
        if let Some(watch) = &self.watch {
            watch.columns(batch.columns(), &answers, Timestamp::now());
        }
        Ok(answers)
    }

    fn answers(&self, batch: &Batch) -> Result<Vec<f64>, PredictError> {
        let started = Instant::now();
        let answers = self.model.predict_columns(batch.columns()).map_err(failed);
        self.meters.asked(batch.rows(), started.elapsed(), answers.is_ok());
        answers
    }

    /// Counts a request for this version that could not be read, so that its failures are whole.
    pub fn refused(&self, took: Duration) {
        self.meters.asked(0, took, false);
    }

    /// Why each row is answered as it is, with at most `reasons` reason codes. Blocks while it computes.
    ///
    /// # Errors
    /// As [`Servable::predict_here`], and when this model's answers cannot be explained.
    pub fn explain(&self, batch: &Batch, reasons: usize) -> Result<Vec<Explanation>, PredictError> {
        // Who has a row explained has asked about it before: it is no other case.
        let answers = self.answers(batch)?;
        let explained = answers.into_iter().enumerate().map(|(row, answer)| {
            let contributions =
                self.model.explain(&batch.row(row)).map_err(|failure| match failure.code {
                    "not_explainable" => PredictError::Precondition { detail: failure.detail },
                    _ => failed(BatchFailure { row, failure }),
                })?;
            let reasons = self.model.reasons(&contributions, reasons);
            Ok(Explanation { answer, contributions, reasons })
        });
        explained.collect()
    }

    /// Asks the model before anybody does, with made-up rows over all its categories, so that its first request finds
    /// its memory warm. Its recorded predictions were asked when it was read.
    pub(super) fn warm(&self) {
        let lists = self.model.inputs.iter().map(|input| made_up(&input.kind)).collect();
        if let Some(columns) = Columns::of_lists(lists) {
            // What it says of rows that nobody sent is of no interest, not even a refusal.
            let _answers = self.model.predict_columns(&columns);
        }
    }
}

fn made_up(kind: &Kind) -> Vec<Value> {
    let value = |row: usize| match kind {
        Kind::Boolean => Value::Boolean(row % 2 == 1),
        Kind::Integer => Value::Integer(i64::try_from(row).unwrap_or_default()),
        Kind::Choice(categories) => {
            categories.get(row % categories.len().max(1)).cloned().map_or(Value::Missing, Value::Text)
        }
        _ => Value::Number(row as f64),
    };
    (0..WARM_ROWS).map(value).collect()
}

fn failed(failure: BatchFailure) -> PredictError {
    let BatchFailure { row, failure } = failure;
    PredictError::invalid(format!("row {row}: {}", failure.detail))
}
