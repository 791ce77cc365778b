//! A fitted model as it is served: flattened, validated, and asked one row at a time.
//! No fitting, no files, no serde: `learn` makes these.

mod answer;
mod batch;
mod boosted;
mod characteristics;
mod columns;
mod encode;
mod explain;
mod forest;
mod graph;
mod key;
mod link;
mod logistic;
pub mod remote;
mod scorecard;
mod shap;
mod trees;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use answer::{Answer, ExplainWhen, MOST_REASONS};
pub use batch::BatchFailure;
pub use boosted::{BaseComes, Boosted, BoostedParts, Branch, MAX_CATEGORIES, Missing, Rule, Side, Width};
pub use characteristics::{Adverse, Attribute, Characteristic, Characteristics, Compare, Condition};
pub use columns::Columns;
pub use encode::noted::{Beyond, InputNote, InputProblem, Range, Taken};
pub use encode::{Bins, Encoding, Fallback, Feature, as_number};
pub use explain::{Background, Contributions, ReasonCode, Space};
pub use forest::Forest;
pub use graph::{Binary, Graph, GraphParts, Norm, Slot, Step, Unary};
pub use link::Link;
pub use logistic::Logistic;
pub use scorecard::{Scale, Scorecard};
pub use trees::Node;

use super::value::{Kind, Name, Value};
use encode::{Encoder, Holes};
use explain::Explainer;

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
    explainer: Arc<Explainer>,
    /// The code that each input stands for when it speaks against somebody, in the order of `inputs`.
    reason_codes: Box<[Option<Name>]>,
    explains: ExplainWhen,
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
    Boosted(Boosted),
    Characteristics(Characteristics),
    Graph(Graph),
    /// On another server: what it answers is gathered before or while a flow decides.
    Remote(Arc<remote::Remote>),
}

impl Predictor {
    /// Columns that it was fitted on.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::Logistic(logistic) => logistic.columns(),
            Self::Forest(forest) => forest.columns(),
            Self::Scorecard(scorecard) => scorecard.columns(),
            Self::Boosted(trees) => trees.columns(),
            Self::Characteristics(card) => card.columns,
            Self::Graph(graph) => graph.columns(),
            Self::Remote(_) => 0,
        }
    }

    fn holes(&self) -> Holes {
        match self {
            Self::Logistic(_) | Self::Forest(_) | Self::Scorecard(_) => Holes::Refused,
            Self::Boosted(_) | Self::Characteristics(_) | Self::Graph(_) | Self::Remote(_) => Holes::Kept,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ModelInput {
    pub name: Name,
    /// `Choice`, `Integer`, `Decimal` (taken as its nearest f64), `Number` or `Boolean`; `Text` too on another server.
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
            Kind::Choice(_) | Kind::Text => matches!(given, Kind::Choice(_) | Kind::Text),
            own => own == given,
        }
    }
}

/// Why a model could not answer; the text names the input, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFailure {
    /// `missing_value`, `unknown_category`, `wrong_type`, `not_finite`, `out_of_range`, `wrong_row`, `no_attribute`
    /// or `not_explainable`.
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
    #[error("{problem}")]
    Ensemble { problem: &'static str },
    #[error("characteristic {at}: {problem}")]
    Characteristic { at: usize, problem: &'static str },
    #[error("step {step}: {problem}")]
    Graph { step: usize, problem: &'static str },
    #[error("covers: {problem}")]
    Covers { problem: &'static str },
    #[error("there is a reason for `{name}`, which is no input")]
    ReasonForNothing { name: Name },
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
        let (encoders, columns) = encode::compile(&features, predictor.holes())?;
        if columns > MAX_COLUMNS {
            return Err(ModelError::TooManyColumns { encoded: columns });
        }
        if columns != predictor.columns() {
            return Err(ModelError::ColumnCount { encoded: columns, fitted: predictor.columns() });
        }
        let explainer = Arc::new(Explainer::new(&predictor, &Background::default())?);
        let inputs: Vec<_> =
            features.into_iter().map(|f| ModelInput { name: f.name, kind: f.kind }).collect();
        let reason_codes = vec![None; inputs.len()].into();
        Ok(Self {
            name,
            version,
            digest,
            inputs,
            decimals,
            encoders,
            columns,
            predictor,
            explainer,
            reason_codes,
            explains: ExplainWhen::Asked,
        })
    }

    /// Where an input of this name stands. Names mostly come in order, so `expected` is looked at first.
    #[must_use]
    pub fn place_of(&self, name: &str, expected: usize) -> Option<usize> {
        if self.inputs.get(expected).is_some_and(|input| *input.name == *name) {
            return Some(expected);
        }
        self.inputs.iter().position(|input| *input.name == *name)
    }

    /// Of parts that were checked, without encodings.
    fn assembled(
        (name, version, digest): (Name, u32, Arc<str>),
        inputs: Vec<ModelInput>,
        decimals: u32,
        predictor: Predictor,
    ) -> Self {
        let reason_codes = vec![None; inputs.len()].into();
        let explainer = Arc::new(Explainer::elsewhere());
        let encoders = Vec::new().into();
        Self {
            name,
            version,
            digest,
            inputs,
            decimals,
            encoders,
            columns: 0,
            predictor,
            explainer,
            reason_codes,
            explains: ExplainWhen::Asked,
        }
    }

    /// With what explanations need to know of the rows that the model was fitted on.
    ///
    /// # Errors
    /// When it was measured on another model.
    pub fn with_background(mut self, background: &Background) -> Result<Self, ModelError> {
        self.explainer = Arc::new(Explainer::new(&self.predictor, background)?);
        Ok(self)
    }

    /// With the code that each input stands for when it speaks against somebody.
    ///
    /// # Errors
    /// When one is for no input.
    pub fn with_reasons(mut self, reasons: &BTreeMap<Name, Name>) -> Result<Self, ModelError> {
        for (name, code) in reasons {
            let at = self.inputs.iter().position(|input| input.name == *name);
            match at.and_then(|at| self.reason_codes.get_mut(at)) {
                Some(place) => *place = Some(code.clone()),
                None => return Err(ModelError::ReasonForNothing { name: name.clone() }),
            }
        }
        Ok(self)
    }

    /// The answer for one row, in the order of `inputs`, to the last bit of the fitted model: the probability of the
    /// target, or points or another number where [`Model::gives_probability`] says no.
    /// Takes no heap memory: the columns live on the stack, in the smallest of four sizes that holds them.
    ///
    /// # Errors
    /// When an input is missing, unknown or of another type and its feature does not say what then, or when the
    /// numbers are so large that no answer is left.
    pub fn predict(&self, row: &[Value]) -> Result<f64, ModelFailure> {
        self.answer(row).map(|answer| answer.value)
    }

    /// As [`Model::predict`], and whether there is something to say about the inputs.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn answer(&self, row: &[Value]) -> Result<Answer, ModelFailure> {
        match self.columns {
            // No model here is without a column.
            0 => Err(elsewhere()),
            1..=63 => self.predict_within::<64>(row),
            64..=255 => self.predict_within::<256>(row),
            256..=1023 => self.predict_within::<1024>(row),
            _ => self.predict_within::<4096>(row),
        }
    }

    fn predict_within<const WIDTH: usize>(&self, row: &[Value]) -> Result<Answer, ModelFailure> {
        let mut columns = [0.0; WIDTH];
        let is_noted = self.write(row, &mut columns)?;
        let of = columns.get(..self.columns).unwrap_or_default();
        let value = match &self.predictor {
            Predictor::Logistic(logistic) => logistic.probability(of),
            Predictor::Forest(forest) => forest.probability::<WIDTH>(of),
            Predictor::Scorecard(scorecard) => scorecard.probability(of),
            Predictor::Boosted(trees) => trees.answer(of),
            Predictor::Characteristics(card) => card.points(of).ok_or_else(no_attribute)?,
            Predictor::Graph(graph) => graph.answer(of),
            Predictor::Remote(_) => return Err(elsewhere()),
        };
        if value.is_finite() { Ok(Answer { value, is_noted }) } else { Err(too_large()) }
    }

    /// The columns of one row.
    fn encode(&self, row: &[Value]) -> Result<Vec<f64>, ModelFailure> {
        let mut columns = vec![0.0; self.columns];
        self.write(row, &mut columns)?;
        Ok(columns)
    }

    fn write(&self, row: &[Value], columns: &mut [f64]) -> Result<bool, ModelFailure> {
        let is_noted = encode::write(&self.encoders, row, columns)?;
        self.check_width(columns)?;
        Ok(is_noted)
    }

    /// Whether the library that fitted it reads and answers 32-bit floats.
    #[must_use]
    pub fn is_single(&self) -> bool {
        match &self.predictor {
            Predictor::Boosted(trees) => trees.width() == Width::Single,
            Predictor::Graph(_) => true,
            _ => false,
        }
    }

    fn check_width(&self, columns: &[f64]) -> Result<(), ModelFailure> {
        let is_single = self.is_single();
        // What is no 32-bit float would be an infinity to the model, which the libraries refuse too.
        let lost = |x: &f64| x.is_finite() && !(*x as f32).is_finite();
        if is_single && columns.iter().take(self.columns).any(lost) { Err(too_large()) } else { Ok(()) }
    }

    /// The input that a column belongs to.
    fn owner(&self, column: usize) -> Option<usize> {
        encode::owner(&self.encoders, column)
    }

    /// Whether answers are probabilities: of points and other numbers nothing is known but that they are finite.
    #[must_use]
    pub fn gives_probability(&self) -> bool {
        match &self.predictor {
            Predictor::Logistic(_) | Predictor::Forest(_) | Predictor::Scorecard(_) => true,
            Predictor::Boosted(trees) => trees.link().gives_probability(),
            Predictor::Characteristics(_) => false,
            Predictor::Graph(graph) => graph.parts().is_probability,
            Predictor::Remote(_) => true,
        }
    }

    /// On which side of the average an answer speaks against somebody: more risk, or fewer points.
    #[must_use]
    pub fn adverse(&self) -> Adverse {
        match &self.predictor {
            Predictor::Characteristics(card) => card.adverse,
            Predictor::Scorecard(_) => Adverse::Below,
            _ => Adverse::Above,
        }
    }

    /// Which fitted structure answers.
    #[must_use]
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }
}

fn elsewhere() -> ModelFailure {
    let detail = "the model answers on another server, and nothing was gathered from there".to_owned();
    ModelFailure { code: "not_gathered", detail }
}

fn too_large() -> ModelFailure {
    let detail = "the inputs together are too large for the model".to_owned();
    ModelFailure { code: "not_finite", detail }
}

fn no_attribute() -> ModelFailure {
    let detail = "no attribute of one of the scorecard's characteristics holds".to_owned();
    ModelFailure { code: "no_attribute", detail }
}

/// The columns that `features` give for one row: what a model is fitted on, by the code that serves it.
///
/// # Errors
/// When the features are wrong, or a row has a value that its feature refuses.
pub fn encode_rows<'r>(
    features: &[Feature],
    rows: impl IntoIterator<Item = &'r Vec<Value>>,
) -> Result<Matrix, EncodeError> {
    let (encoders, width) = encode::compile(features, Holes::Refused).map_err(EncodeError::Features)?;
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
