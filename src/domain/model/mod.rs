//! A fitted model as it is served: flattened, validated, and asked one row at a time.
//! No fitting, no files, no serde: `learn` makes these.

use std::sync::Arc;

use super::value::{Kind, Name, Value};

/// One version of a model, ready to answer. Cannot be wrong: its indices and weights were checked when it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub name: Name,
    pub version: u32,
    /// `sha256:…` of the artefact's bytes.
    pub digest: Arc<str>,
    /// The recipe's source columns before encoding, in order.
    pub inputs: Vec<ModelInput>,
    /// Decimals to which flows see the probability.
    pub decimals: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ModelInput {
    pub name: Name,
    /// `Choice`, `Integer`, `Decimal` (taken as its nearest f64), `Number` or `Boolean`.
    pub kind: Kind,
}

/// Why a model could not answer; the text names the input, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFailure {
    pub code: &'static str,
    pub detail: String,
}

impl Model {
    /// Probability of the target for one row, in the order of `inputs`, to the last bit of the fitted model.
    pub fn predict(&self, row: &[Value]) -> Result<f64, ModelFailure> {
        let _ = row;
        Err(ModelFailure { code: "not_built", detail: String::new() })
    }
}
