//! Rows that stand beside an import: what explanations are measured on, and what answers are compared on; and made-up
//! rows to try a model on whenever it is read. Says lines and columns, never a cell: the rows are people.

use std::path::Path;

use super::{Agreement, ImportError, read_file};
use crate::documents::table::{self, Table};
use crate::domain::model::{Branch, Feature, Model, Rule, Step};
use crate::domain::nearest::nearest;
use crate::domain::value::{Kind, Value};
use crate::learn::artefact::Weights;
use crate::learn::golden as golden_rows;
use crate::learn::recipe::read_cell;
use crate::learn::reference::{self, Given, Reference, RowsFile, Unmeasured};

/// A file of rows.
pub(super) struct Rows {
    pub file: String,
    measured: RowsFile,
    table: Table,
}

/// Rows as values of a model's inputs.
pub(super) struct Sample {
    pub rows: Vec<Vec<Value>>,
}

pub(super) fn read(path: &Path) -> Result<Rows, ImportError> {
    let file = path.to_string_lossy().into_owned();
    let bytes = read_file(path)?;
    let table = table::parse(&bytes, b',')
        .map_err(|error| ImportError::Rows { file: file.clone(), problem: error.to_string() })?;
    Ok(Rows { file, measured: RowsFile::new(Given::AtImport, path, &bytes), table })
}

impl Rows {
    fn wrong(&self, problem: String) -> ImportError {
        ImportError::Rows { file: self.file.clone(), problem }
    }

    fn place(&self, name: &str) -> Result<usize, ImportError> {
        let columns = &self.table.columns;
        columns.iter().position(|column| column == name).ok_or_else(|| {
            let near = nearest(name, columns.iter().map(String::as_str));
            let near = near.map(|near| format!(" (there is `{near}`)")).unwrap_or_default();
            self.wrong(format!("it has no column `{name}`{near}"))
        })
    }

    pub(super) fn sample(&self, features: &[Feature]) -> Result<Sample, ImportError> {
        let places =
            features.iter().map(|feature| self.place(&feature.name)).collect::<Result<Vec<_>, _>>()?;
        let mut rows = Vec::with_capacity(self.table.rows.len());
        for row in &self.table.rows {
            let mut values = Vec::with_capacity(features.len());
            for (feature, place) in features.iter().zip(&places) {
                let cell = row.cells.get(*place).map_or("", |cell| cell.trim());
                let value = read_cell(&feature.kind, cell).ok_or_else(|| {
                    let kind = feature.kind.word();
                    self.wrong(format!("line {}: `{}` is not of type `{kind}`", row.line, feature.name))
                })?;
                values.push(value);
            }
            rows.push(values);
        }
        if rows.is_empty() {
            return Err(self.wrong("it has no rows".to_owned()));
        }
        Ok(Sample { rows })
    }

    /// What drift is measured against: how these rows and the model's own answers for them lie.
    pub(super) fn reference(&self, sample: &Sample, model: &Model) -> Result<Reference, Unmeasured> {
        let (mut answered, mut answers) = (Vec::new(), Vec::new());
        for (row, answer) in sample.rows.iter().zip(model.predict_all(&sample.rows)) {
            if let Ok(answer) = answer {
                answered.push(row.clone());
                answers.push(answer);
            }
        }
        let refused = sample.rows.len() - answered.len();
        reference::of_given(model, &self.measured, (&answered, &answers), refused)
    }

    /// Holds each answer to the expected one.
    pub(super) fn compare(
        &self,
        sample: &Sample,
        model: &Model,
        expected: &str,
        tolerance: f64,
    ) -> Result<Agreement, ImportError> {
        let place = self.place(expected)?;
        let mut agreement = Agreement { rows: 0, equal_to_the_last_bit: 0, largest_difference: 0.0 };
        for ((row, values), answer) in
            self.table.rows.iter().zip(&sample.rows).zip(model.predict_all(&sample.rows))
        {
            let line = row.line;
            let answer = answer.map_err(|failure| self.wrong(format!("line {line}: {}", failure.detail)))?;
            // Many rows at a time must be what one is.
            if model.predict(values).ok().map(f64::to_bits) != Some(answer.to_bits()) {
                return Err(ImportError::Disagrees { row: line, difference: f64::NAN, tolerance });
            }
            let wanted =
                row.cells.get(place).and_then(|cell| expected_number(cell.trim(), model.is_single()));
            let wanted = wanted
                .ok_or_else(|| self.wrong(format!("line {line}: `{expected}` is not a finite number")))?;
            // Of points and amounts the tolerance is a share.
            let difference = (answer - wanted).abs() / wanted.abs().max(1.0);
            if difference > tolerance || difference.is_nan() {
                return Err(ImportError::Disagrees { row: line, difference, tolerance });
            }
            agreement.rows += 1;
            agreement.equal_to_the_last_bit += usize::from(answer.to_bits() == wanted.to_bits());
            agreement.largest_difference = agreement.largest_difference.max(difference);
        }
        Ok(agreement)
    }
}

/// What the library answered. A 32-bit float is written with as few digits as tell it from its neighbours of 32 bits, and
/// is another one when it is read as 64.
fn expected_number(cell: &str, is_single: bool) -> Option<f64> {
    let number = if is_single { f64::from(cell.parse::<f32>().ok()?) } else { cell.parse::<f64>().ok()? };
    number.is_finite().then_some(number)
}

/// Made-up rows: of the sample's values torn apart, or of the model's own thresholds and usual numbers; the last has
/// nothing where nothing is needed.
pub(super) fn golden(weights: &Weights, features: &[Feature], sample: Option<&Sample>) -> Vec<Vec<Value>> {
    let kinds: Vec<Kind> = features.iter().map(|feature| feature.kind.clone()).collect();
    let thresholds;
    let rows = match sample {
        Some(sample) => &sample.rows,
        None => {
            thresholds = made_up(weights, &kinds);
            &thresholds
        }
    };
    let uses: Vec<usize> = (0..kinds.len()).collect();
    golden_rows::invent(rows, &uses, &kinds, features)
}

/// For each column a few numbers around which the model decides.
fn made_up(weights: &Weights, kinds: &[Kind]) -> Vec<Vec<Value>> {
    const USUAL: [f64; 8] = [0.0, 1.0, -1.0, 3.0, 12.0, 60.0, 1000.0, 5000.0];
    const MOST: usize = 16;
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    let mut learn = |trees: &[Vec<Branch>]| {
        for branch in trees.iter().flatten() {
            if let Branch::Split { column, rule: Rule::AtMost { threshold, .. }, .. } = branch
                && let Some(known) = columns.get_mut(*column)
                && known.len() < MOST
                && threshold.abs() < 1e15
            {
                known.push(*threshold);
            }
        }
    };
    match weights {
        Weights::Boosted(parts) => learn(&parts.trees),
        Weights::Graph(parts) => {
            for step in &parts.steps {
                if let Step::Trees { trees, of } = step
                    && of.iter().enumerate().all(|(at, slot)| *slot as usize == at)
                {
                    learn(&trees.parts().trees);
                }
            }
        }
        _ => {}
    }
    let value = |kind: &Kind, number: f64| match kind {
        Kind::Integer => Value::Integer(number as i64),
        Kind::Decimal => Value::Decimal(rust_decimal::Decimal::from(number as i64)),
        Kind::Number => Value::Number(number),
        _ => Value::Missing,
    };
    (0..MOST)
        .map(|row| {
            let cell = |(kind, known): (&Kind, &Vec<f64>)| {
                let of = if known.is_empty() { USUAL.as_slice() } else { known.as_slice() };
                value(kind, of.get(row % of.len().max(1)).copied().unwrap_or(0.0))
            };
            kinds.iter().zip(&columns).map(cell).collect()
        })
        .collect()
}
