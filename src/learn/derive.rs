//! `flow: personal_loan` in a recipe: features that are no columns of the data are computed on its rows as that flow
//! computes them when it decides, so that training and serving cannot part. Says lines and names, never a cell.

use std::sync::Arc;

use jiff::Timestamp;

use super::recipe::{Recipe, RecipeFeature, read_cell};
use super::sample::{SampleError, place};
use crate::documents::table::Cells;
use crate::domain::flow::Flow;
use crate::domain::model::as_number;
use crate::domain::value::{self, Kind, Value};

/// The features of a recipe that a flow computes.
pub(super) struct Derivation {
    flow: Arc<Flow>,
    /// Positions among the flow's features, and among the recipe's.
    features: Vec<(u16, usize)>,
    /// The column of each input, for those that some feature needs.
    inputs: Vec<Option<usize>>,
    /// The column that says when each row was decided.
    at: Option<usize>,
}

/// What stands under a name in the recipe.
fn position(flow: &Flow, feature: &RecipeFeature) -> Option<usize> {
    flow.features.iter().position(|known| known.name == feature.name)
}

impl Derivation {
    /// Nothing when the recipe names no flow.
    pub(super) fn new(
        recipe: &Recipe,
        flow: Option<&Arc<Flow>>,
        columns: &[String],
    ) -> Result<Option<Self>, SampleError> {
        let Some(name) = &recipe.flow else { return Ok(None) };
        let flow = flow.ok_or_else(|| SampleError::NoFlow { flow: name.clone() })?;
        let at = recipe.at.as_deref().map(|column| place(columns, column)).transpose()?;
        let mut derivation =
            Self { flow: Arc::clone(flow), features: Vec::new(), inputs: vec![None; flow.inputs.len()], at };
        for (index, feature) in recipe.features.iter().enumerate() {
            let Some(found) = position(flow, feature) else { continue };
            let origins = flow.origins(found);
            if origins.is_timed && at.is_none() {
                return Err(SampleError::NoTime { feature: feature.name.to_string() });
            }
            for input in origins.inputs {
                let (Some(declared), Some(slot)) = (flow.inputs.get(input), derivation.inputs.get_mut(input))
                else {
                    continue;
                };
                *slot = match place(columns, &declared.name) {
                    Ok(column) => Some(column),
                    // What a caller may leave out the data may lack.
                    Err(_) if declared.optional => None,
                    Err(error) => return Err(error),
                };
            }
            derivation.features.push((u16::try_from(found).unwrap_or(u16::MAX), index));
        }
        Ok(Some(derivation))
    }

    /// Whether the recipe's feature at this position is computed.
    pub(super) fn computes(&self, feature: usize) -> bool {
        self.features.iter().any(|(_, index)| *index == feature)
    }

    /// The columns that are read for it.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().copied().flatten().chain(self.at)
    }

    /// The computed features of one row, each with its position in the recipe.
    pub(super) fn row(
        &self,
        recipe: &Recipe,
        (line, cells): (u64, &Cells<'_>),
    ) -> Result<Vec<(usize, Value)>, SampleError> {
        let wrong = |column: &str, kind: &'static str| SampleError::WrongType {
            line,
            column: column.to_owned(),
            kind,
        };
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (input, column) in self.flow.inputs.iter().zip(&self.inputs) {
            let read = column.map_or(Some(Value::Missing), |column| cell(&input.kind, cells.trimmed(column)));
            inputs.push(read.ok_or_else(|| wrong(&input.name, input.kind.word()))?);
        }
        let decided_at = match self.at {
            None => Timestamp::UNIX_EPOCH,
            Some(column) => {
                let text = cells.trimmed(column);
                let noon = || self.flow.noon(value::date(text)?);
                value::time(text)
                    .or_else(noon)
                    .ok_or_else(|| wrong(recipe.at.as_deref().unwrap_or(""), "date"))?
            }
        };
        let wanted: Vec<u16> = self.features.iter().map(|(feature, _)| *feature).collect();
        let values = self.flow.derived(inputs, decided_at, &wanted).map_err(|(at, detail)| {
            let feature = self.flow.features.get(usize::from(at)).map(|feature| feature.name.to_string());
            SampleError::NotComputed { line, feature: feature.unwrap_or_default(), detail }
        })?;
        let mut row = Vec::with_capacity(values.len());
        for ((_, index), value) in self.features.iter().zip(values) {
            let Some(feature) = recipe.features.get(*index) else { continue };
            let value = of_kind(&feature.kind, value);
            row.push((*index, value.ok_or_else(|| wrong(&feature.name, feature.kind.word()))?));
        }
        Ok(row)
    }
}

/// A cell as an input of the flow.
fn cell(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        _ if text.is_empty() => Some(Value::Missing),
        Kind::Text => Some(Value::text(text)),
        Kind::Date => value::date(text).map(Value::Date),
        Kind::Time => value::time(text).map(Value::Time),
        Kind::Choice(of) if !of.iter().any(|known| **known == *text) => None,
        _ => read_cell(kind, text),
    }
}

/// A computed value in the recipe's type: numbers widen and never narrow, as where the model serves.
fn of_kind(kind: &Kind, value: Value) -> Option<Value> {
    match (kind, value) {
        (Kind::Integer, value @ Value::Integer(_))
        | (Kind::Decimal, value @ Value::Decimal(_))
        | (Kind::Boolean, value @ Value::Boolean(_))
        | (Kind::Choice(_), value @ Value::Text(_)) => Some(value),
        (Kind::Decimal, Value::Integer(whole)) => Some(Value::Decimal(whole.into())),
        (Kind::Number, value) => as_number(&value).map(Value::Number),
        _ => None,
    }
}
