//! Many rows at once, column by column: encoded into one matrix, then answered by the fitted part in one go.
//! The same arithmetic in the same order as one row at a time, so the same bits. No threads.

use super::{Encoder, Model, ModelFailure, Predictor, elsewhere, no_attribute, too_large};
use crate::domain::value::Value;

/// Why a batch has no answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFailure {
    /// 0-based; the first row that could not be answered.
    pub row: usize,
    pub failure: ModelFailure,
}

impl Model {
    /// As [`Model::predict`] for many rows, given as one column an input, in the order of `inputs`, each of `rows`
    /// values.
    ///
    /// # Errors
    /// Of the first row that cannot be answered.
    pub fn predict_columns(&self, columns: &[Vec<Value>], rows: usize) -> Result<Vec<f64>, BatchFailure> {
        let wrong_row =
            |detail: String| BatchFailure { row: 0, failure: ModelFailure { code: "wrong_row", detail } };
        if columns.len() != self.inputs.len() || columns.iter().any(|column| column.len() != rows) {
            let detail = format!("the model reads {} inputs of {rows} values each", self.inputs.len());
            return Err(wrong_row(detail));
        }
        if rows == 0 {
            return Ok(Vec::new());
        }
        let width = self.columns.max(1);
        let mut cells = vec![0.0; width.saturating_mul(rows)];
        // The earliest row that fails, and of its failures the one of the earliest input: as one row at a time says.
        let mut first: Option<BatchFailure> = None;
        for (encoder, column) in self.encoders.iter().zip(columns) {
            let upto = first.as_ref().map_or(rows, |failure| failure.row);
            if let Err(failure) = encode(encoder, column, upto, width, &mut cells) {
                first = Some(failure);
            }
        }
        if let Some(failure) = first {
            return Err(failure);
        }
        for (row, cells) in cells.chunks_exact(width).enumerate() {
            self.check_width(cells).map_err(|failure| BatchFailure { row, failure })?;
        }
        self.answer_cells(&cells, width, rows)
    }

    fn answer_cells(&self, cells: &[f64], width: usize, rows: usize) -> Result<Vec<f64>, BatchFailure> {
        let mut answers = vec![0.0; rows];
        let into = &mut answers;
        match &self.predictor {
            Predictor::Boosted(trees) => trees.answers(cells, into),
            Predictor::Forest(forest) => forest.probabilities(cells, into),
            Predictor::Logistic(logistic) => each(cells, width, into, |of| Ok(logistic.probability(of)))?,
            Predictor::Scorecard(scorecard) => each(cells, width, into, |of| Ok(scorecard.probability(of)))?,
            Predictor::Graph(graph) => each(cells, width, into, |of| Ok(graph.answer(of)))?,
            Predictor::Characteristics(card) => {
                each(cells, width, into, |of| card.points(of).ok_or_else(no_attribute))?;
            }
            Predictor::Remote(_) => return Err(BatchFailure { row: 0, failure: elsewhere() }),
        }
        match answers.iter().position(|answer| !answer.is_finite()) {
            Some(row) => Err(BatchFailure { row, failure: too_large() }),
            None => Ok(answers),
        }
    }
}

fn each(
    cells: &[f64],
    width: usize,
    into: &mut [f64],
    answer: impl Fn(&[f64]) -> Result<f64, ModelFailure>,
) -> Result<(), BatchFailure> {
    for (row, (columns, place)) in cells.chunks_exact(width).zip(into).enumerate() {
        *place = answer(columns).map_err(|failure| BatchFailure { row, failure })?;
    }
    Ok(())
}

/// One column of the first `upto` rows.
fn encode(
    encoder: &Encoder,
    column: &[Value],
    upto: usize,
    width: usize,
    cells: &mut [f64],
) -> Result<(), BatchFailure> {
    for (row, (value, cells)) in column.iter().zip(cells.chunks_exact_mut(width)).take(upto).enumerate() {
        encoder.write(value, cells).map_err(|failure| BatchFailure { row, failure })?;
    }
    Ok(())
}
