//! Golden rows: questions stored beside a model with the answers it gave, asked again whenever it is read.
//! They are made up, each value drawn from its own column, so that no artefact holds a real applicant.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::model::{Fallback, Feature, Model, ModelFailure};
use crate::domain::value::{Kind, Value};

/// How many rows are made.
const ROWS: usize = 8;

/// A row in the order of the features and the probability that it must get, to the last bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    row: Vec<serde_json::Value>,
    probability: f64,
}

impl Golden {
    pub(super) fn new(row: &[Value], probability: f64) -> Self {
        Self { row: row.iter().map(store).collect(), probability }
    }

    /// Asks the model; `Err(None)` is another answer, `Err(Some(_))` none.
    pub(super) fn check(&self, model: &Model) -> Result<(), Option<ModelFailure>> {
        let wrong = || ModelFailure { code: "wrong_row", detail: "it is not a row of this model".to_owned() };
        if self.row.len() != model.inputs.len() {
            return Err(Some(wrong()));
        }
        let row: Option<Vec<Value>> =
            model.inputs.iter().zip(&self.row).map(|(input, value)| read(&input.kind, value)).collect();
        let got = model.predict(&row.ok_or_else(|| Some(wrong()))?).map_err(Some)?;
        if got.to_bits() == self.probability.to_bits() { Ok(()) } else { Err(None) }
    }
}

/// A value as JSON: decimals as text, so that they stay exact.
pub(super) fn store(value: &Value) -> serde_json::Value {
    match value {
        Value::Boolean(yes) => (*yes).into(),
        Value::Integer(integer) => (*integer).into(),
        Value::Decimal(decimal) => decimal.to_string().into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.as_ref().into(),
        _ => serde_json::Value::Null,
    }
}

/// The value again; `None` when it is not of `kind`.
pub(super) fn read(kind: &Kind, stored: &serde_json::Value) -> Option<Value> {
    match (kind, stored) {
        (_, serde_json::Value::Null) => Some(Value::Missing),
        (Kind::Boolean, serde_json::Value::Bool(yes)) => Some(Value::Boolean(*yes)),
        (Kind::Integer, serde_json::Value::Number(number)) => number.as_i64().map(Value::Integer),
        (Kind::Number, serde_json::Value::Number(number)) => number.as_f64().map(Value::Number),
        (Kind::Decimal, serde_json::Value::String(text)) => {
            Decimal::from_str_exact(text).ok().map(Value::Decimal)
        }
        // Not as a cell is read: a category may be the empty text.
        (Kind::Choice(_), serde_json::Value::String(text)) => Some(Value::text(text)),
        _ => None,
    }
}

/// Rows that no applicant sent: in each, every column's value is taken at another place of that column's own
/// sorted values, so columns that belong together are torn apart.
/// `uses` says where each column stands in the rows. When inputs may be missing, one more row leaves those out.
pub(super) fn invent(
    rows: &[Vec<Value>],
    uses: &[usize],
    kinds: &[Kind],
    features: &[Feature],
) -> Vec<Vec<Value>> {
    let columns: Vec<Vec<Value>> = kinds.iter().zip(uses).map(|(kind, at)| domain(rows, *at, kind)).collect();
    let mut invented: Vec<Vec<Value>> = (0..ROWS)
        .map(|row| {
            let pick = |(at, values): (usize, &Vec<Value>)| {
                // 7 and 11 are coprime to most counts of values: neighbours in a row move at different speeds.
                let place = (row * values.len() / ROWS + at * 7 + row * at * 11) % values.len().max(1);
                values.get(place).cloned().unwrap_or(Value::Missing)
            };
            columns.iter().enumerate().map(pick).collect()
        })
        .collect();
    let may_be_missing = |feature: &Feature| feature.missing != Fallback::Refuse;
    if features.iter().any(may_be_missing) {
        let mut row = invented.first().cloned().unwrap_or_default();
        for (value, feature) in row.iter_mut().zip(features) {
            if may_be_missing(feature) {
                *value = Value::Missing;
            }
        }
        invented.push(row);
    }
    invented
}

/// The values that a column has: each category, or the numbers in the data in order.
fn domain(rows: &[Vec<Value>], at: usize, kind: &Kind) -> Vec<Value> {
    match kind {
        Kind::Choice(categories) => categories.iter().cloned().map(Value::Text).collect(),
        Kind::Boolean => vec![Value::Boolean(false), Value::Boolean(true)],
        _ => {
            let given = |row: &Vec<Value>| row.get(at).filter(|value| **value != Value::Missing).cloned();
            let mut values: Vec<Value> = rows.iter().filter_map(given).collect();
            values.sort_by(|a, b| match (a, b) {
                (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
                (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
                (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
                _ => std::cmp::Ordering::Equal,
            });
            values.dedup();
            values
        }
    }
}
