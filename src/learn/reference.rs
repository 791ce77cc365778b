//! Reference histograms: how scores and inputs lay when the model was fitted, to see later whether they have moved.
//! Scores of held-out rows (those of rows fitted on would be too sure of themselves), inputs of the rows fitted on. Of a
//! model that was fitted elsewhere neither is known: its reference is measured on rows that somebody gives, and says so.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::artefact;
use crate::domain::model::{Model, as_number};
use crate::domain::value::{Kind, Value};

/// Bins of a number.
const BINS: usize = 10;

/// Fewest rows that a reference is measured on when rows are given. What the reference itself adds to the limit of an
/// index is chi² ÷ these rows: with as many it stays below 0.1, the least that is told as drift, for a model of a hundred
/// inputs too. With fewer the limit would be so high that hardly anything is ever told, and an unlucky reference would
/// be held against every window to come.
pub const LEAST_ROWS: usize = 300;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Reference {
    /// Nothing where it was measured in training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_on: Option<MeasuredOn>,
    pub score: Histogram,
    pub inputs: Vec<InputReference>,
}

/// The rows that a reference was measured on, where they are not those of a training here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredOn {
    pub given: Given,
    /// The same for people.
    pub says: String,
    /// Its name, without folders.
    pub file: String,
    /// `sha256:…` of the file's bytes.
    pub digest: String,
    /// Rows that the model answers: those that were measured.
    pub rows: usize,
    /// Rows that it refuses, which stay out, as they do when it serves.
    pub refused: usize,
}

/// When the rows were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// With the model's file.
    AtImport,
    /// For a version that was there already.
    Later,
}

/// ``1010 rows of `rows.csv`, given at import``
impl fmt::Display for MeasuredOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, file, rows, refused, .. } = self;
        let given = match given {
            Given::AtImport => "given at import",
            Given::Later => "given later",
        };
        write!(f, "{rows} rows of `{file}`, {given}")?;
        if *refused > 0 {
            write!(f, " ({refused} more are refused)")?;
        }
        Ok(())
    }
}

impl Given {
    fn says(self) -> &'static str {
        match self {
            Self::AtImport => {
                "on rows given at import, not on those that it was fitted on: they are not known here"
            }
            Self::Later => "on rows given for this version later, not in its training",
        }
    }
}

/// Why there is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasured {
    #[error("no rows were given (`--rows`)")]
    NoRows,
    #[error(
        "{LEAST_ROWS} rows are the fewest, and the model answers {answered} of the {given} given: beside so few, chance \
         explains almost any move"
    )]
    TooFew { answered: usize, given: usize },
}

/// A file of rows, and when it was given.
#[derive(Debug, Clone)]
pub(super) struct RowsFile {
    given: Given,
    name: String,
    digest: Arc<str>,
}

impl RowsFile {
    pub(super) fn new(given: Given, path: &Path, bytes: &[u8]) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { given, name, digest: artefact::digest(bytes) }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct InputReference {
    pub input: String,
    #[serde(flatten)]
    pub histogram: Histogram,
}

/// Counts of rows, of missing values apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Histogram {
    /// Of a number: a value is in the first bin whose edge is above it, or in the last one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
    /// Of a choice or a boolean.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    pub counts: Vec<usize>,
    pub missing: usize,
    /// Categories that were not declared.
    pub unseen: usize,
}

/// `rows` are the ones fitted on, in the order of the model's inputs.
pub(super) fn measure(model: &Model, rows: &[Vec<Value>], held_out: &[f64]) -> Reference {
    let input = |(at, input): (usize, &crate::domain::model::ModelInput)| {
        let values = rows.iter().filter_map(|row| row.get(at));
        InputReference { input: input.name.to_string(), histogram: histogram(&input.kind, values) }
    };
    Reference {
        measured_on: None,
        score: numbers(held_out.to_vec(), 0),
        inputs: model.inputs.iter().enumerate().map(input).collect(),
    }
}

/// As [`measure`], of the rows that the model answers among those that somebody gives, and of its own answers for them.
pub(super) fn of_given(
    model: &Model,
    file: &RowsFile,
    (answered, answers): (&[Vec<Value>], &[f64]),
    refused: usize,
) -> Result<Reference, Unmeasured> {
    let rows = answered.len();
    if rows < LEAST_ROWS {
        return Err(Unmeasured::TooFew { answered: rows, given: rows + refused });
    }
    let measured_on = MeasuredOn {
        given: file.given,
        says: file.given.says().to_owned(),
        file: file.name.clone(),
        digest: file.digest.to_string(),
        rows,
        refused,
    };
    Ok(Reference { measured_on: Some(measured_on), ..measure(model, answered, answers) })
}

pub(super) fn histogram<'v>(kind: &Kind, values: impl Iterator<Item = &'v Value>) -> Histogram {
    let categories: Vec<String> = match kind {
        Kind::Choice(categories) => categories.iter().map(ToString::to_string).collect(),
        Kind::Boolean => vec!["false".to_owned(), "true".to_owned()],
        _ => {
            let (mut given, mut missing) = (Vec::new(), 0);
            for value in values {
                match as_number(value) {
                    Some(number) => given.push(number),
                    None => missing += 1,
                }
            }
            return numbers(given, missing);
        }
    };
    let mut histogram =
        Histogram { edges: Vec::new(), counts: vec![0; categories.len()], categories, missing: 0, unseen: 0 };
    for value in values {
        let at = match value {
            Value::Missing => {
                histogram.missing += 1;
                continue;
            }
            Value::Text(text) => histogram.categories.iter().position(|category| **category == **text),
            Value::Boolean(yes) => Some(usize::from(*yes)),
            _ => None,
        };
        match at.and_then(|at| histogram.counts.get_mut(at)) {
            Some(count) => *count += 1,
            None => histogram.unseen += 1,
        }
    }
    histogram
}

/// Deciles of the values; equal ones stay together, so there may be fewer bins.
fn numbers(mut values: Vec<f64>, missing: usize) -> Histogram {
    // -0 is 0: as edges both would stand beside each other, and no value between them.
    values.iter_mut().for_each(|value| *value += 0.0);
    values.sort_by(f64::total_cmp);
    let edge = |at: usize| values.get(values.len() * at / BINS).copied();
    let mut edges: Vec<f64> = (1..BINS).filter_map(edge).collect();
    edges.dedup_by(|a, b| a.total_cmp(b).is_eq());
    // An edge at the lowest value would leave the first bin empty.
    let lowest = values.first().copied();
    edges.retain(|edge| Some(edge.to_bits()) != lowest.map(f64::to_bits));
    let mut counts = vec![0; edges.len() + 1];
    for value in &values {
        if let Some(count) = counts.get_mut(edges.partition_point(|edge| edge <= value)) {
            *count += 1;
        }
    }
    Histogram { edges, categories: Vec::new(), counts, missing, unseen: 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zero_of_either_sign_is_one_edge() {
        let values = [-1.0, -0.0, 0.0, 1.0].repeat(20);
        let histogram = numbers(values, 0);
        assert_eq!((histogram.edges, histogram.counts), (vec![0.0, 1.0], vec![20, 40, 20]));
    }

    proptest! {
        #[test]
        fn every_value_is_in_one_bin(values in proptest::collection::vec(-5_i64..5, 1..80)) {
            let values: Vec<Value> = values.into_iter().map(Value::Integer).collect();
            let histogram = histogram(&Kind::Integer, values.iter().chain([&Value::Missing]));
            prop_assert_eq!(histogram.counts.iter().sum::<usize>(), values.len());
            prop_assert_eq!(histogram.missing, 1);
            prop_assert!(histogram.counts.iter().all(|count| *count > 0));
            prop_assert_eq!(histogram.edges.len() + 1, histogram.counts.len());
        }
    }
}
