//! Many rows at once, column by column: encoded into one matrix, then answered by the fitted part in one go.
//! The same arithmetic in the same order as one row at a time, so the same bits. No threads.

use super::{Columns, Encoder, Model, ModelFailure, Predictor, elsewhere, no_attribute, too_large};
use crate::domain::value::Value;

/// Rows that are encoded before they are answered: few enough that their cells are still near when they are asked for.
const ROWS: usize = 256;

/// Why a batch has no answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFailure {
    /// 0-based; the first row that could not be answered.
    pub row: usize,
    pub failure: ModelFailure,
}

impl Model {
    /// As [`Model::predict`] for many rows: trees go over blocks of rows, which is several times as quick.
    #[must_use]
    pub fn predict_all(&self, rows: &[Vec<Value>]) -> Vec<Result<f64, ModelFailure>> {
        let trees: &dyn Fn(&[f64], &mut [f64]) = match &self.predictor {
            Predictor::Boosted(trees) => &|cells, into| trees.answers(cells, into),
            Predictor::Forest(forest) => &|cells, into| forest.probabilities(cells, into),
            Predictor::Graph(graph) => &|cells, into| graph.answers(cells, into),
            _ => return rows.iter().map(|row| self.predict(row)).collect(),
        };
        let width = self.columns.max(1);
        let mut cells = vec![0.0; width.saturating_mul(rows.len())];
        let written: Vec<_> = rows
            .iter()
            .zip(cells.chunks_exact_mut(width))
            .map(|(row, columns)| self.write(row, columns))
            .collect();
        let mut answers = vec![0.0; rows.len()];
        trees(&cells, &mut answers);
        let answered = written.into_iter().zip(answers).map(|(written, answer)| {
            written?;
            if answer.is_finite() { Ok(answer) } else { Err(too_large()) }
        });
        answered.collect()
    }

    /// As [`Model::predict`] for many rows, their columns in the order of `inputs`.
    ///
    /// # Errors
    /// Of the first row that cannot be answered.
    pub fn predict_columns(&self, columns: &Columns) -> Result<Vec<f64>, BatchFailure> {
        if columns.inputs() != self.inputs.len() {
            let detail = format!("the model reads {} inputs", self.inputs.len());
            return Err(BatchFailure { row: 0, failure: ModelFailure { code: "wrong_row", detail } });
        }
        let rows = columns.rows();
        let width = self.columns.max(1);
        let mut cells = vec![0.0; width.saturating_mul(rows.min(ROWS))];
        let mut answers = vec![0.0; rows];
        for (at, answers) in answers.chunks_mut(ROWS).enumerate() {
            let start = at * ROWS;
            let cells = cells.get_mut(..width * answers.len()).unwrap_or_default();
            let later = |BatchFailure { row, failure }| BatchFailure { row: start + row, failure };
            self.encode_columns(columns, start, cells).map_err(later)?;
            self.answer_cells(cells, answers).map_err(later)?;
        }
        Ok(answers)
    }

    /// As many rows from `start` on as `cells` has room for.
    fn encode_columns(&self, columns: &Columns, start: usize, cells: &mut [f64]) -> Result<(), BatchFailure> {
        cells.fill(0.0);
        let width = self.columns.max(1);
        // The earliest row that fails, and of its failures the one of the earliest input: as one row at a time says.
        let mut first: Option<BatchFailure> = None;
        for (encoder, column) in self.encoders.iter().zip(columns.iter()) {
            let upto = first.as_ref().map_or(usize::MAX, |failure| failure.row);
            let column = column.get(start..).unwrap_or_default();
            if let Err(failure) = encode(encoder, column, upto, width, cells) {
                first = Some(failure);
            }
        }
        if let Some(failure) = first {
            return Err(failure);
        }
        for (row, cells) in cells.chunks_exact(width).enumerate() {
            self.check_width(cells).map_err(|failure| BatchFailure { row, failure })?;
        }
        Ok(())
    }

    fn answer_cells(&self, cells: &[f64], into: &mut [f64]) -> Result<(), BatchFailure> {
        let width = self.columns.max(1);
        match &self.predictor {
            Predictor::Boosted(trees) => trees.answers(cells, into),
            Predictor::Forest(forest) => forest.probabilities(cells, into),
            Predictor::Logistic(logistic) => each(cells, width, into, |of| Ok(logistic.probability(of)))?,
            Predictor::Scorecard(scorecard) => each(cells, width, into, |of| Ok(scorecard.probability(of)))?,
            Predictor::Graph(graph) => graph.answers(cells, into),
            Predictor::Characteristics(card) => {
                each(cells, width, into, |of| card.points(of).ok_or_else(no_attribute))?;
            }
            Predictor::Remote(_) => return Err(BatchFailure { row: 0, failure: elsewhere() }),
        }
        match into.iter().position(|answer| !answer.is_finite()) {
            Some(row) => Err(BatchFailure { row, failure: too_large() }),
            None => Ok(()),
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
