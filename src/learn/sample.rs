//! The training data as values of the recipe's features: every row read by the declared types, every column named.
//! Says lines and columns, never a cell: the rows are people.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::derive::Derivation;
use crate::documents::table::{Cells, Reader, TableError};
use crate::domain::flow::Flow;
use crate::domain::model::{Model, ModelInput};
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
    /// The protected columns, which no model reads: only the card does.
    pub protected: Vec<Protected>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Protected {
    pub column: String,
    /// A cell a row; equal texts are shared.
    pub cells: Vec<Arc<str>>,
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
    #[error("the recipe computes features as the flow `{flow}` does, and there is no such flow here")]
    NoFlow { flow: String },
    #[error(
        "feature `{feature}` depends on the time of the decision: `at: COLUMN` in the recipe says which column of the data has it"
    )]
    NoTime { feature: String },
    #[error("line {line}: feature `{feature}` cannot be computed: {detail}")]
    NotComputed { line: u64, feature: String, detail: String },
}

/// Where a column stands.
pub(super) fn place(columns: &[String], name: &str) -> Result<usize, SampleError> {
    columns.iter().position(|column| column == name).ok_or_else(|| SampleError::NoColumn {
        column: name.to_owned(),
        nearest: nearest(name, columns.iter().map(String::as_str)).map(str::to_owned),
    })
}

/// The places of a model's inputs among the columns of a table.
pub(super) fn places(model: &Model, columns: &[String]) -> Result<Vec<usize>, SampleError> {
    model.inputs.iter().map(|input| place(columns, &input.name)).collect()
}

/// A line of a table as a row of the model.
pub(super) fn row(
    model: &Model,
    places: &[usize],
    line: u64,
    cells: &Cells<'_>,
) -> Result<Vec<Value>, SampleError> {
    let value = |(input, at): (&ModelInput, &usize)| {
        let wrong =
            || SampleError::WrongType { line, column: input.name.to_string(), kind: input.kind.word() };
        read_cell(&input.kind, cells.trimmed(*at)).ok_or_else(wrong)
    };
    model.inputs.iter().zip(places).map(value).collect()
}

/// Reads the data; `flow` is the one that the recipe names.
pub(super) fn read(
    recipe: &Recipe,
    flow: Option<&Arc<Flow>>,
    (bytes, separator): (&[u8], u8),
) -> Result<Sample, SampleError> {
    let mut table = Reader::new(bytes, separator)?;
    let column = |name: &str| place(&table.columns, name);
    let derivation = Derivation::new(recipe, flow, &table.columns)?;
    // A computed feature has no column.
    let mut places = Vec::with_capacity(recipe.features.len());
    for (at, feature) in recipe.features.iter().enumerate() {
        let is_computed = derivation.as_ref().is_some_and(|derivation| derivation.computes(at));
        places.push(if is_computed { None } else { Some(column(&feature.name)?) });
    }
    let target = column(&recipe.target.column)?;
    let mut named: Vec<usize> = places.iter().copied().flatten().chain([target]).collect();
    named.extend(derivation.iter().flat_map(Derivation::columns));
    let mut protected = Vec::new();
    for entry in &recipe.left_out {
        for left_out in &entry.columns {
            let at = column(left_out)?;
            named.push(at);
            if entry.protected {
                protected.push((at, Protected { column: left_out.clone(), cells: Vec::new() }));
            }
        }
    }
    if let Some((_, unnamed)) = table.columns.iter().enumerate().find(|(at, _)| !named.contains(at)) {
        return Err(SampleError::UnnamedColumn { column: unnamed.clone() });
    }
    let mut sample =
        Sample { rows: Vec::new(), is_bad: Vec::new(), lines: Vec::new(), protected: Vec::new() };
    let mut texts: BTreeMap<Box<str>, Arc<str>> = BTreeMap::new();
    while let Some((line, cells)) = table.next_row()? {
        let mut values = Vec::with_capacity(places.len());
        for (feature, place) in recipe.features.iter().zip(&places) {
            let Some(place) = place else {
                values.push(Value::Missing);
                continue;
            };
            let value = read_cell(&feature.kind, cells.trimmed(*place));
            values.push(value.ok_or_else(|| SampleError::WrongType {
                line,
                column: feature.name.to_string(),
                kind: feature.kind.word(),
            })?);
        }
        if let Some(derivation) = &derivation {
            for (at, value) in derivation.row(recipe, (line, &cells))? {
                if let Some(slot) = values.get_mut(at) {
                    *slot = value;
                }
            }
        }
        let outcome = cells.trimmed(target);
        if outcome != recipe.target.bad && outcome != recipe.target.good {
            return Err(SampleError::NoOutcome { line, column: recipe.target.column.clone() });
        }
        for (at, protected) in &mut protected {
            let text = cells.trimmed(*at);
            let shared = match texts.get(text) {
                Some(shared) => shared.clone(),
                None => texts.entry(Box::from(text)).or_insert_with(|| Arc::from(text)).clone(),
            };
            protected.cells.push(shared);
        }
        sample.rows.push(values);
        sample.is_bad.push(outcome == recipe.target.bad);
        sample.lines.push(line);
    }
    sample.protected = protected.into_iter().map(|(_, protected)| protected).collect();
    Ok(sample)
}
