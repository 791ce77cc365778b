//! What a model answers to each row of a file. Rows that it does not answer are counted by the reason; no row is kept.

use std::collections::BTreeMap;

use super::sample::{self, SampleError};
use crate::documents::table::Reader;
use crate::domain::model::Model;
use crate::domain::value::Value;

/// How many rows there were, and why some have no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    pub rows: usize,
    /// Rows without an answer, by the reason.
    pub refused: BTreeMap<&'static str, usize>,
}

/// Why a file cannot be asked about.
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    #[error(transparent)]
    Data(#[from] SampleError),
    #[error("the data has no row that the model answers")]
    NoRows,
}

/// Asks the model about each row of a table with a header, whose columns are found by the names of the model's inputs;
/// `each` gets a row and its answer.
///
/// # Errors
/// When the data lacks a column, has a value of another type, or has no row that is answered.
pub fn ask(
    model: &Model,
    (data, separator): (&[u8], u8),
    mut each: impl FnMut(&[Value], f64),
) -> Result<Answers, AnswersError> {
    let mut table = Reader::new(data, separator).map_err(SampleError::from)?;
    let places = sample::places(model, &table.columns)?;
    let mut answers = Answers::default();
    let mut answered = 0_usize;
    while let Some((line, cells)) = table.next_row().map_err(SampleError::from)? {
        answers.rows += 1;
        let row = sample::row(model, &places, line, &cells)?;
        match model.predict(&row) {
            Ok(answer) => {
                answered += 1;
                each(&row, answer);
            }
            Err(failure) => *answers.refused.entry(failure.code).or_default() += 1,
        }
    }
    if answered == 0 { Err(AnswersError::NoRows) } else { Ok(answers) }
}
