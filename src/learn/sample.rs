//! The training data as values of the recipe's features: every row read by the declared types, every column named.
//! Says lines and columns, never a cell: the rows are people.

use crate::documents::table::{Table, TableError};
use crate::domain::nearest::nearest;
use crate::domain::value::Value;

use super::recipe::{Recipe, read_cell};

/// Rows that a model can be fitted on, in file order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// In the order of the recipe's features.
    pub rows: Vec<Vec<Value>>,
    pub is_bad: Vec<bool>,
    /// 1-based line of each row, for messages.
    pub lines: Vec<u64>,
}

/// What is wrong with training data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("the data has no column `{column}`{}", nearest.as_ref().map_or_else(String::new, |n| format!(" (there is `{n}`)")))]
    NoColumn { column: String, nearest: Option<String> },
    #[error(
        "column `{column}` of the data is neither a feature nor the target: name it under `left_out:`, with the reason"
    )]
    UnnamedColumn { column: String },
    #[error("line {line}: `{column}` is not of type `{kind}`")]
    WrongType { line: u64, column: String, kind: &'static str },
    #[error("line {line}: `{column}` is neither the `bad` nor the `good` value of the target")]
    NoOutcome { line: u64, column: String },
}

pub(super) fn read(recipe: &Recipe, table: &Table) -> Result<Sample, SampleError> {
    let column = |name: &str| {
        table.columns.iter().position(|column| column == name).ok_or_else(|| SampleError::NoColumn {
            column: name.to_owned(),
            nearest: nearest(name, table.columns.iter().map(String::as_str)).map(str::to_owned),
        })
    };
    let places =
        recipe.features.iter().map(|feature| column(&feature.name)).collect::<Result<Vec<_>, _>>()?;
    let target = column(&recipe.target.column)?;
    let mut named: Vec<usize> = places.iter().copied().chain([target]).collect();
    for left_out in recipe.left_out.iter().flat_map(|entry| &entry.columns) {
        named.push(column(left_out)?);
    }
    if let Some((_, unnamed)) = table.columns.iter().enumerate().find(|(at, _)| !named.contains(at)) {
        return Err(SampleError::UnnamedColumn { column: unnamed.clone() });
    }
    let mut sample = Sample { rows: Vec::new(), is_bad: Vec::new(), lines: Vec::new() };
    for row in &table.rows {
        let cell = |at: usize| row.cells.get(at).map_or("", |cell| cell.trim());
        let mut values = Vec::with_capacity(places.len());
        for (feature, place) in recipe.features.iter().zip(&places) {
            let value = read_cell(&feature.kind, cell(*place));
            values.push(value.ok_or_else(|| SampleError::WrongType {
                line: row.line,
                column: feature.name.to_string(),
                kind: feature.kind.word(),
            })?);
        }
        let outcome = cell(target);
        if outcome != recipe.target.bad && outcome != recipe.target.good {
            return Err(SampleError::NoOutcome { line: row.line, column: recipe.target.column.clone() });
        }
        sample.rows.push(values);
        sample.is_bad.push(outcome == recipe.target.bad);
        sample.lines.push(row.line);
    }
    Ok(sample)
}
