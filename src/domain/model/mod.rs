//! A fitted model as it is served: flattened, validated, and asked one row at a time.
//! No fitting, no files, no serde: `learn` makes these.

mod encode;
mod forest;
mod logistic;
mod scorecard;

use std::sync::Arc;

pub use encode::{Bins, Encoding, Fallback, Feature};
pub use forest::{Forest, Node};
pub use logistic::Logistic;
pub use scorecard::{Scale, Scorecard};

use super::value::{Kind, Name, Value};
use encode::Encoder;

/// Most matrix columns that a model may have after encoding.
pub const MAX_COLUMNS: usize = 4095;
/// Most source columns.
pub const MAX_INPUTS: usize = 1000;
/// Most decimals to which a flow may ask for a probability.
pub const MAX_DECIMALS: u32 = 12;

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
    encoders: Box<[Encoder]>,
    columns: usize,
    predictor: Predictor,
}

/// What a model is made of; `Model::new` checks that it fits together.
#[derive(Debug, Clone)]
pub struct ModelParts {
    pub name: Name,
    pub version: u32,
    pub digest: Arc<str>,
    pub decimals: u32,
    pub features: Vec<Feature>,
    pub predictor: Predictor,
}

/// The fitted part, over the columns that the encodings give.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictor {
    Logistic(Logistic),
    Forest(Forest),
    Scorecard(Scorecard),
}

impl Predictor {
    /// Columns that it was fitted on.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::Logistic(logistic) => logistic.columns(),
            Self::Forest(forest) => forest.columns(),
            Self::Scorecard(scorecard) => scorecard.columns(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ModelInput {
    pub name: Name,
    /// `Choice`, `Integer`, `Decimal` (taken as its nearest f64), `Number` or `Boolean`.
    pub kind: Kind,
}

impl ModelInput {
    /// Whether a flow's value of type `given` can stand here. Numbers widen (integer to decimal to number) and never
    /// narrow; which categories a choice may have is looked at for each row.
    #[must_use]
    pub fn takes(&self, given: &Kind) -> bool {
        match &self.kind {
            Kind::Number => matches!(given, Kind::Integer | Kind::Decimal | Kind::Number),
            Kind::Decimal => matches!(given, Kind::Integer | Kind::Decimal),
            Kind::Choice(_) => matches!(given, Kind::Choice(_) | Kind::Text),
            own => own == given,
        }
    }
}

/// Why a model could not answer; the text names the input, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFailure {
    /// `missing_value`, `unknown_category`, `wrong_type`, `not_finite` or `wrong_row`.
    pub code: &'static str,
    pub detail: String,
}

/// Why parts do not make a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("a model needs 1 to {MAX_INPUTS} features, and this one has {found}")]
    FeatureCount { found: usize },
    #[error("feature `{name}` stands twice")]
    DuplicateFeature { name: Name },
    #[error("feature `{name}`: {problem}")]
    Feature { name: Name, problem: &'static str },
    #[error("the features give {encoded} columns, but the weights are for {fitted}")]
    ColumnCount { encoded: usize, fitted: usize },
    #[error("{encoded} columns are more than a model may have ({MAX_COLUMNS})")]
    TooManyColumns { encoded: usize },
    #[error("`decimals` is {found}, and the most is {MAX_DECIMALS}")]
    Decimals { found: u32 },
    #[error("coefficient {index} is not a finite number")]
    Coefficient { index: usize },
    #[error("the intercept is not a finite number")]
    Intercept,
    #[error("scorecard: {problem}")]
    Scorecard { problem: &'static str },
    #[error("a forest needs 1 to {most} trees, and this one has {found}")]
    TreeCount { found: usize, most: usize },
    #[error("tree {tree} has {found} nodes; it needs 1 to {most}")]
    NodeCount { tree: usize, found: usize, most: usize },
    #[error("tree {tree}, node {node}: {problem}")]
    Node { tree: usize, node: usize, problem: &'static str },
}

impl Model {
    /// Puts a model together, or says why the parts do not fit.
    ///
    /// # Errors
    /// The first thing found wrong: counts, features, encodings, or weights for other columns.
    pub fn new(parts: ModelParts) -> Result<Self, ModelError> {
        let ModelParts { name, version, digest, decimals, features, predictor } = parts;
        if features.is_empty() || features.len() > MAX_INPUTS {
            return Err(ModelError::FeatureCount { found: features.len() });
        }
        if decimals > MAX_DECIMALS {
            return Err(ModelError::Decimals { found: decimals });
        }
        let (encoders, columns) = encode::compile(&features)?;
        if columns > MAX_COLUMNS {
            return Err(ModelError::TooManyColumns { encoded: columns });
        }
        if columns != predictor.columns() {
            return Err(ModelError::ColumnCount { encoded: columns, fitted: predictor.columns() });
        }
        let inputs = features.into_iter().map(|f| ModelInput { name: f.name, kind: f.kind }).collect();
        Ok(Self { name, version, digest, inputs, decimals, encoders, columns, predictor })
    }

    /// Probability of the target for one row, in the order of `inputs`, to the last bit of the fitted model.
    /// Takes no heap memory: the columns live on the stack, in the smallest of four sizes that holds them.
    ///
    /// # Errors
    /// When an input is missing, unknown or of another type and its feature does not say what then, or when the
    /// numbers are so large that no probability is left.
    pub fn predict(&self, row: &[Value]) -> Result<f64, ModelFailure> {
        match self.columns {
            0..=63 => self.predict_within::<64>(row),
            64..=255 => self.predict_within::<256>(row),
            256..=1023 => self.predict_within::<1024>(row),
            _ => self.predict_within::<4096>(row),
        }
    }

    fn predict_within<const WIDTH: usize>(&self, row: &[Value]) -> Result<f64, ModelFailure> {
        let mut columns = [0.0; WIDTH];
        encode::write(&self.encoders, row, &mut columns)?;
        let probability = match &self.predictor {
            Predictor::Logistic(logistic) => logistic.probability(&columns),
            Predictor::Forest(forest) => forest.probability(&mut columns),
            Predictor::Scorecard(scorecard) => scorecard.probability(&columns),
        };
        if probability.is_nan() {
            let detail = "the inputs together are too large for the model".to_owned();
            return Err(ModelFailure { code: "not_finite", detail });
        }
        Ok(probability)
    }

    /// Which fitted structure answers.
    #[must_use]
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }
}

/// The columns that `features` give for one row: what a model is fitted on, by the code that serves it.
///
/// # Errors
/// When the features are wrong, or a row has a value that its feature refuses.
pub fn encode_rows<'r>(
    features: &[Feature],
    rows: impl IntoIterator<Item = &'r Vec<Value>>,
) -> Result<Matrix, EncodeError> {
    let (encoders, width) = encode::compile(features).map_err(EncodeError::Features)?;
    let rows = rows.into_iter();
    let mut cells = Vec::with_capacity(width.saturating_mul(rows.size_hint().0));
    for (index, row) in rows.enumerate() {
        let start = cells.len();
        cells.resize(start + width, 0.0);
        let columns = cells.get_mut(start..).unwrap_or_default();
        encode::write(&encoders, row, columns).map_err(|failure| EncodeError::Row { index, failure })?;
    }
    Ok(Matrix { width, cells })
}

/// Rows after encoding, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    pub width: usize,
    pub cells: Vec<f64>,
}

/// Why rows could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodeError {
    Features(ModelError),
    Row {
        /// 0-based, in the order given.
        index: usize,
        failure: ModelFailure,
    },
}

/// The name of each column that `features` give: `amount`, `purpose=car_new`.
#[must_use]
pub fn column_names(features: &[Feature]) -> Vec<String> {
    features.iter().flat_map(encode::names).collect()
}

#[cfg(test)]
mod tests;
