//! How much each input matters: how far the AUC falls on held-out rows when that input's values are dealt out anew
//! among them. Of the model as it is served, whatever its kind; no claim about causes.

use serde::Serialize;

use super::metrics::{self, Scored};
use super::splitmix::SplitMix64;
use crate::domain::model::Model;
use crate::domain::value::Value;

/// Rows that are used, at most: the first of the held-out ones.
const MOST_ROWS: usize = 10_000;
/// Times that each input is dealt out.
const REPEATS: u64 = 5;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Importance {
    pub input: String,
    /// Mean fall of the AUC; about 0 for what the model does not need.
    pub auc_fall: f64,
}

/// Highest first; rows are in the order of the model's inputs. Empty when there are no two classes.
pub(super) fn measure(model: &Model, rows: &[Vec<Value>], is_bad: &[bool], seed: u64) -> Vec<Importance> {
    let mut rows: Vec<Vec<Value>> = rows.iter().take(MOST_ROWS).cloned().collect();
    let auc = |rows: &[Vec<Value>]| {
        let scored = rows.iter().zip(is_bad).filter_map(|(row, is_bad)| {
            Some(Scored { probability: model.predict(row).ok()?, is_bad: *is_bad })
        });
        metrics::measure(&scored.collect::<Vec<_>>()).map(|metrics| metrics.auc)
    };
    let Some(whole) = auc(&rows) else { return Vec::new() };
    let mut found = Vec::with_capacity(model.inputs.len());
    for (at, input) in model.inputs.iter().enumerate() {
        let own: Vec<Value> = rows.iter().filter_map(|row| row.get(at).cloned()).collect();
        let mut fall = 0.0;
        for repeat in 0..REPEATS {
            let mut dealt = own.clone();
            // Each input and repeat has a stream of its own, so that one more input changes no other's figure.
            SplitMix64(seed ^ (at as u64 + 1).wrapping_mul(0x9e37_79b9) ^ (repeat << 48)).shuffle(&mut dealt);
            set(&mut rows, at, &dealt);
            fall += whole - auc(&rows).unwrap_or(whole);
        }
        set(&mut rows, at, &own);
        found.push(Importance { input: input.name.to_string(), auc_fall: fall / REPEATS as f64 });
    }
    found.sort_by(|a, b| b.auc_fall.total_cmp(&a.auc_fall));
    found
}

fn set(rows: &mut [Vec<Value>], at: usize, values: &[Value]) {
    for (row, value) in rows.iter_mut().zip(values) {
        if let Some(place) = row.get_mut(at) {
            *place = value.clone();
        }
    }
}
