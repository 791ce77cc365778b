//! `model.json`: the stored form of a fitted model, ours and nobody else's. Self-describing, versioned, without
//! time stamp, version number or rows of real people; the same recipe and data give the same bytes.
//!
//! A tree is two lists over its nodes in breadth-first order: `column` (-1 for a leaf) and `value` (threshold or
//! probability). The k-th split's children are nodes 2k+1 and 2k+2, so a circle cannot even be written.

mod features;
mod imported;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::golden::Golden;
use crate::domain::model::{
    Background, BoostedParts, Characteristics, ExplainWhen, Feature, Forest, GraphParts, Logistic, Model,
    ModelError, ModelFailure, ModelParts, Node, Predictor, Scale, Scorecard, column_names,
};
use crate::domain::value::{Name, Value};
use features::{FeatureStored, read_feature, store_feature};
use imported::{BoostedStored, CharacteristicsStored, GraphStored};

/// Largest artefact that is read.
pub const MAX_BYTES: usize = 64 << 20;
const FORMAT: &str = "tollgate-model";
/// The newest format. What needs nothing of it is written as version 1, which older programs read too.
const FORMAT_VERSION: u32 = 2;

/// Why bytes are not a model that can serve.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    #[error("it is {bytes} bytes long, and the most is {MAX_BYTES}")]
    TooLarge { bytes: usize },
    #[error("it ends too early, at line {line}, column {column}: was it written or copied whole?")]
    Truncated { line: usize, column: usize },
    #[error("line {line}, column {column} is not what a model has there")]
    NotAModel {
        line: usize,
        column: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("its format is not `{FORMAT}`")]
    OtherFormat,
    #[error("its format version is {found}, and this program reads 1 to {FORMAT_VERSION}")]
    FormatVersion { found: u64 },
    #[error("feature `{name}`: {problem}")]
    Feature { name: String, problem: &'static str },
    #[error("`columns` names {listed} columns where the features give {encoded}, or names others")]
    Columns { listed: usize, encoded: usize },
    #[error("tree {tree}: {problem}")]
    Tree { tree: usize, problem: &'static str },
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("it has no golden row to try it on")]
    NoGolden,
    #[error("golden row {row} cannot be answered: {}", failure.detail)]
    GoldenFailed { row: usize, failure: ModelFailure },
    #[error("golden row {row} gives another probability than when the model was fitted")]
    GoldenDiffers { row: usize },
}

/// The artefact as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    format: String,
    format_version: u32,
    /// What the probability is of.
    target: TargetStored,
    decimals: u32,
    fitted_with: FittedWith,
    features: Vec<FeatureStored>,
    /// Names of the matrix columns, in the order of the weights.
    columns: Vec<String>,
    predictor: PredictorStored,
    golden: Vec<Golden>,
    /// What explanations need (format 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    background: Option<BackgroundStored>,
    /// Input to reason code (format 2).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reasons: BTreeMap<String, String>,
    /// When it explains its answers, beside the times that somebody asks (format 2).
    #[serde(default, skip_serializing_if = "ExplainStored::is_asked")]
    explain: ExplainStored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExplainStored {
    #[default]
    Asked,
    Adverse,
    Always,
}

impl ExplainStored {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
    fn is_asked(&self) -> bool {
        *self == Self::Asked
    }
}

/// For each node of each tree, breadth first, how many of the rows that it was fitted on came there; for each column
/// of a sum, its mean over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackgroundStored {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    covers: Vec<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    means: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetStored {
    pub column: String,
    pub bad: String,
}

/// Where the weights come from; informs, decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedWith {
    pub library: String,
    pub library_version: String,
    pub algorithm: String,
    pub parameters: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum PredictorStored {
    LogisticRegression {
        intercept: f64,
        coefficients: Vec<f64>,
    },
    Forest {
        trees: Vec<TreeStored>,
    },
    /// Format 2. The columns are points already.
    Scorecard {
        start: f64,
        base_points: f64,
        base_odds: f64,
        points_to_double: f64,
    },
    /// Format 2, as the next two.
    Boosted(BoostedStored),
    Characteristics(CharacteristicsStored),
    Graph(GraphStored),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreeStored {
    column: Vec<i32>,
    value: Vec<f64>,
}

/// What a fit gives, before it is a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Weights {
    Logistic {
        intercept: f64,
        coefficients: Vec<f64>,
    },
    Forest {
        trees: Vec<Vec<Node>>,
    },
    Scorecard {
        start: f64,
        scale: Scale,
    },
    /// Trees breadth first.
    Boosted(BoostedParts),
    Characteristics(Characteristics),
    Graph(GraphParts),
}

/// What an artefact is made from.
#[derive(Debug)]
pub(super) struct Ingredients<'a> {
    pub target: TargetStored,
    pub decimals: u32,
    pub fitted_with: FittedWith,
    pub features: &'a [Feature],
    pub weights: &'a Weights,
    /// Made-up rows to try the model on whenever it is read.
    pub golden: Vec<Vec<Value>>,
    /// What explanations need; [`Model::background`] measures it.
    pub background: Background,
    /// Input to reason code.
    pub reasons: &'a BTreeMap<Name, Name>,
    pub explains: ExplainWhen,
}

/// Writes the artefact: asks the model its golden rows, then gives the bytes.
pub(super) fn write(ingredients: Ingredients<'_>) -> Result<Vec<u8>, ArtefactError> {
    let Ingredients {
        target,
        decimals,
        fitted_with,
        features,
        weights,
        golden,
        background,
        reasons,
        explains,
    } = ingredients;
    let mut artefact = Artefact {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        target,
        decimals,
        fitted_with,
        features: features.iter().map(store_feature).collect(),
        columns: column_names(features),
        predictor: store_weights(weights)?,
        golden: Vec::new(),
        background: (background != Background::default())
            .then_some(BackgroundStored { covers: background.covers, means: background.means }),
        reasons: reasons.iter().map(|(input, code)| (input.to_string(), code.to_string())).collect(),
        explain: match explains {
            ExplainWhen::Asked => ExplainStored::Asked,
            ExplainWhen::Adverse => ExplainStored::Adverse,
            ExplainWhen::Always => ExplainStored::Always,
        },
    };
    artefact.format_version = artefact.needs();
    let model = artefact.model(Arc::from("unwritten"), 0, Arc::from(""))?;
    for (row, values) in golden.iter().enumerate() {
        let probability =
            model.predict(values).map_err(|failure| ArtefactError::GoldenFailed { row, failure })?;
        artefact.golden.push(Golden::new(values, probability));
    }
    let mut bytes = serde_json::to_vec(&artefact).map_err(|source| ArtefactError::NotAModel {
        line: 0,
        column: 0,
        source,
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// `sha256:…` of bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Arc<str> {
    let hash = Sha256::digest(bytes);
    Arc::from(format!("sha256:{}", data_encoding::HEXLOWER.encode(&hash)))
}

/// Reads an artefact into a model that can serve, and tries it on its golden rows.
///
/// # Errors
/// What is wrong with the bytes; a model that is returned is whole.
pub fn load(bytes: &[u8], name: Name, version: u32) -> Result<Model, ArtefactError> {
    if bytes.len() > MAX_BYTES {
        return Err(ArtefactError::TooLarge { bytes: bytes.len() });
    }
    check_format(bytes)?;
    let artefact: Artefact = serde_json::from_slice(bytes).map_err(explain)?;
    let model = artefact.model(name, version, digest(bytes))?;
    if artefact.golden.is_empty() {
        return Err(ArtefactError::NoGolden);
    }
    for (row, golden) in artefact.golden.iter().enumerate() {
        golden.check(&model).map_err(|wrong| match wrong {
            Some(failure) => ArtefactError::GoldenFailed { row, failure },
            None => ArtefactError::GoldenDiffers { row },
        })?;
    }
    Ok(model)
}

/// The format is looked at before the rest, so that a later format is called that and not a broken file.
fn check_format(bytes: &[u8]) -> Result<(), ArtefactError> {
    #[derive(Deserialize)]
    struct Header {
        format: Option<String>,
        format_version: Option<u64>,
    }
    let header: Header = serde_json::from_slice(bytes).map_err(explain)?;
    if header.format.as_deref() != Some(FORMAT) {
        return Err(ArtefactError::OtherFormat);
    }
    match header.format_version {
        Some(1..=2) => Ok(()),
        found => Err(ArtefactError::FormatVersion { found: found.unwrap_or(0) }),
    }
}

fn explain(source: serde_json::Error) -> ArtefactError {
    let (line, column) = (source.line(), source.column());
    if source.is_eof() {
        ArtefactError::Truncated { line, column }
    } else {
        ArtefactError::NotAModel { line, column, source }
    }
}

/// What an artefact says its probability is of: the value of a column.
#[must_use]
pub fn target(bytes: &[u8]) -> Option<TargetStored> {
    #[derive(Deserialize)]
    struct Header {
        target: TargetStored,
    }
    serde_json::from_slice::<Header>(bytes).ok().map(|header| header.target)
}

/// How many recorded predictions an artefact carries.
#[must_use]
pub fn golden_rows(bytes: &[u8]) -> usize {
    #[derive(Deserialize)]
    struct Header {
        golden: Vec<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Header>(bytes).map_or(0, |header| header.golden.len())
}

impl Artefact {
    /// The oldest format that can say what this artefact says.
    fn needs(&self) -> u32 {
        let older = matches!(
            self.predictor,
            PredictorStored::LogisticRegression { .. } | PredictorStored::Forest { .. }
        );
        let explained = self.background.is_some() || !self.reasons.is_empty() || !self.explain.is_asked();
        if !older || explained || self.features.iter().any(FeatureStored::is_newer) {
            FORMAT_VERSION
        } else {
            1
        }
    }

    fn model(&self, name: Name, version: u32, digest: Arc<str>) -> Result<Model, ArtefactError> {
        let features = self.features.iter().map(read_feature).collect::<Result<Vec<_>, _>>()?;
        let names = column_names(&features);
        if names != self.columns {
            return Err(ArtefactError::Columns { listed: self.columns.len(), encoded: names.len() });
        }
        let predictor = match &self.predictor {
            PredictorStored::LogisticRegression { intercept, coefficients } => {
                Predictor::Logistic(Logistic::new(*intercept, coefficients.clone())?)
            }
            PredictorStored::Forest { trees } => {
                let trees = trees
                    .iter()
                    .enumerate()
                    .map(|(at, tree)| tree.nodes(at))
                    .collect::<Result<Vec<_>, _>>()?;
                Predictor::Forest(Forest::new(&trees, self.columns.len())?)
            }
            PredictorStored::Scorecard { start, base_points, base_odds, points_to_double } => {
                let (base_points, base_odds) = (*base_points, *base_odds);
                let scale = Scale { base_points, base_odds, points_to_double: *points_to_double };
                Predictor::Scorecard(Scorecard::new(*start, scale, self.columns.len())?)
            }
            PredictorStored::Boosted(stored) => Predictor::Boosted(stored.boosted(self.columns.len())?),
            PredictorStored::Characteristics(stored) => {
                Predictor::Characteristics(stored.characteristics(self.columns.len())?)
            }
            PredictorStored::Graph(stored) => Predictor::Graph(stored.graph(self.columns.len())?),
        };
        let parts = ModelParts { name, version, digest, decimals: self.decimals, features, predictor };
        let mut model = Model::new(parts)?;
        if let Some(BackgroundStored { covers, means }) = &self.background {
            model = model.with_background(&Background { covers: covers.clone(), means: means.clone() })?;
        }
        let code = |(input, code): (&String, &String)| (Arc::from(input.as_str()), Arc::from(code.as_str()));
        let explains = match self.explain {
            ExplainStored::Asked => ExplainWhen::Asked,
            ExplainStored::Adverse => ExplainWhen::Adverse,
            ExplainStored::Always => ExplainWhen::Always,
        };
        Ok(model.with_reasons(&self.reasons.iter().map(code).collect())?.explaining(explains))
    }
}

impl TreeStored {
    fn nodes(&self, tree: usize) -> Result<Vec<Node>, ArtefactError> {
        let wrong = |problem| ArtefactError::Tree { tree, problem };
        if self.column.len() != self.value.len() {
            return Err(wrong("`column` and `value` are not of one length"));
        }
        let mut splits = 0;
        let mut nodes = Vec::with_capacity(self.column.len());
        for (column, value) in self.column.iter().zip(&self.value) {
            nodes.push(match usize::try_from(*column) {
                Ok(column) => {
                    splits += 1;
                    Node::Split { column, threshold: *value, low: 2 * splits - 1, high: 2 * splits }
                }
                Err(_) if *column == -1 => Node::Leaf(*value),
                Err(_) => return Err(wrong("a column is below -1")),
            });
        }
        Ok(nodes)
    }

    /// The same tree breadth first, whatever order its nodes have.
    fn from_nodes(tree: usize, nodes: &[Node]) -> Result<Self, ArtefactError> {
        let wrong = |problem| ArtefactError::Tree { tree, problem };
        let mut order = vec![0];
        let mut stored = Self { column: Vec::new(), value: Vec::new() };
        let mut next = 0;
        while let Some(&index) = order.get(next) {
            match nodes.get(index) {
                _ if next > nodes.len() => return Err(wrong("its nodes go in a circle")),
                Some(Node::Split { column, threshold, low, high }) => {
                    stored.column.push(i32::try_from(*column).map_err(|_| wrong("a column is too large"))?);
                    stored.value.push(*threshold);
                    order.extend([*low, *high]);
                }
                Some(Node::Leaf(value)) => {
                    stored.column.push(-1);
                    stored.value.push(*value);
                }
                None => return Err(wrong("a child does not exist")),
            }
            next += 1;
        }
        Ok(stored)
    }
}

fn store_weights(weights: &Weights) -> Result<PredictorStored, ArtefactError> {
    Ok(match weights {
        Weights::Logistic { intercept, coefficients } => {
            PredictorStored::LogisticRegression { intercept: *intercept, coefficients: coefficients.clone() }
        }
        Weights::Forest { trees } => {
            let trees = trees.iter().enumerate().map(|(at, tree)| TreeStored::from_nodes(at, tree));
            PredictorStored::Forest { trees: trees.collect::<Result<_, _>>()? }
        }
        Weights::Scorecard { start, scale } => PredictorStored::Scorecard {
            start: *start,
            base_points: scale.base_points,
            base_odds: scale.base_odds,
            points_to_double: scale.points_to_double,
        },
        Weights::Boosted(parts) => PredictorStored::Boosted(BoostedStored::of(parts)),
        Weights::Characteristics(card) => PredictorStored::Characteristics(CharacteristicsStored::of(card)),
        Weights::Graph(parts) => PredictorStored::Graph(GraphStored::of(parts)),
    })
}

#[cfg(test)]
mod tests;
