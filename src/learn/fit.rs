//! The only place that calls smartcore: fits, and reads the fitted structure out.
//! smartcore never serves and its serialised form is never stored; here it is only the way in to private fields.

use std::fmt;

use serde::Deserialize;
use smartcore::ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters};
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::error::Failed;
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};
use smartcore::tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters};

use super::artefact::Weights;
use super::recipe::{ForestRecipe, TreeRecipe};
use crate::domain::model::{Matrix, Node};

/// The version that Cargo.toml pins; a test holds the two together.
pub const SMARTCORE_VERSION: &str = "0.7.0";

/// Why nothing could be fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    #[error("smartcore could not fit {what}")]
    Smartcore {
        what: &'static str,
        #[source]
        source: Failed,
    },
    #[error("smartcore's {what} has another structure than version {SMARTCORE_VERSION} gives")]
    Structure {
        what: &'static str,
        #[source]
        source: Option<serde_json::Error>,
    },
    #[error("smartcore's {what} gives another answer than what was read from it, on row {row}")]
    Disagrees { what: &'static str, row: usize },
}

/// What is fitted on columns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Columns {
    Logistic { alpha: f64 },
    Tree(TreeRecipe),
    Forest(ForestRecipe),
    ExtraTrees(ForestRecipe),
}

type Rows = DenseMatrix<f64>;

/// smartcore's own model, kept to hold the served one to.
pub(super) enum Oracle {
    Logistic {
        model: Box<LogisticRegression<f64, i32, Rows, Vec<i32>>>,
        intercept: f64,
        coefficients: Vec<f64>,
    },
    Tree(Box<DecisionTreeRegressor<f64, f64, Rows, Vec<f64>>>),
    Forest(Box<RandomForestRegressor<f64, f64, Rows, Vec<f64>>>),
    ExtraTrees(Box<ExtraTreesRegressor<f64, f64, Rows, Vec<f64>>>),
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logistic { .. } => "Oracle::Logistic",
            Self::Tree(_) => "Oracle::Tree",
            Self::Forest(_) => "Oracle::Forest",
            Self::ExtraTrees(_) => "Oracle::ExtraTrees",
        })
    }
}

/// Fits; `is_bad` has an entry for each row of the matrix.
pub(super) fn fit(what: Columns, matrix: Matrix, is_bad: &[bool]) -> Result<(Weights, Oracle), FitError> {
    let rows = rows(matrix)?;
    // Regression trees on 0 and 1: their squared error is Gini, the mean of a leaf its bad rate.
    let y = || -> Vec<f64> { is_bad.iter().map(|bad| f64::from(u8::from(*bad))).collect() };
    match what {
        Columns::Logistic { alpha } => logistic(alpha, &rows, is_bad),
        Columns::Tree(TreeRecipe { max_depth, min_rows_in_leaf, seed }) => {
            let parameters = DecisionTreeRegressorParameters {
                // smartcore counts the root as a level.
                max_depth: Some(max_depth.saturating_add(1)),
                min_samples_leaf: min_rows_in_leaf as usize,
                min_samples_split: 2,
                seed: Some(seed),
            };
            let model =
                DecisionTreeRegressor::fit(&rows, &y(), parameters).map_err(failed("decision tree"))?;
            let read: OneTree = read("decision tree", &model)?;
            let trees = nodes("decision tree", std::slice::from_ref(&read.tree_regressor))?;
            Ok((Weights::Forest { trees }, Oracle::Tree(Box::new(model))))
        }
        Columns::Forest(recipe) => {
            let ForestRecipe { trees, max_depth, min_rows_in_leaf, columns_per_split, seed } = recipe;
            let parameters = RandomForestRegressorParameters {
                max_depth: Some(max_depth.saturating_add(1)),
                min_samples_leaf: min_rows_in_leaf as usize,
                min_samples_split: 2,
                n_trees: trees as usize,
                m: columns_per_split.map(|columns| columns as usize),
                keep_samples: false,
                seed,
            };
            let model = RandomForestRegressor::fit(&rows, &y(), parameters).map_err(failed("forest"))?;
            let read: ForestRead = read("forest", &model)?;
            let trees = nodes("forest", &read.forest_regressor.trees)?;
            Ok((Weights::Forest { trees }, Oracle::Forest(Box::new(model))))
        }
        Columns::ExtraTrees(recipe) => {
            let ForestRecipe { trees, max_depth, min_rows_in_leaf, columns_per_split, seed } = recipe;
            let parameters = ExtraTreesRegressorParameters {
                max_depth: Some(max_depth.saturating_add(1)),
                min_samples_leaf: min_rows_in_leaf as usize,
                min_samples_split: 2,
                n_trees: trees as usize,
                m: columns_per_split.map(|columns| columns as usize),
                keep_samples: false,
                seed,
            };
            let model = ExtraTreesRegressor::fit(&rows, &y(), parameters).map_err(failed("extra trees"))?;
            let read: ForestRead = read("extra trees", &model)?;
            let trees = nodes("extra trees", &read.forest_regressor.trees)?;
            Ok((Weights::Forest { trees }, Oracle::ExtraTrees(Box::new(model))))
        }
    }
}

/// Intercept and coefficients only: what a scorecard is made from.
pub(super) fn logistic_coefficients(
    alpha: f64,
    matrix: Matrix,
    is_bad: &[bool],
) -> Result<(f64, Vec<f64>), FitError> {
    match logistic(alpha, &rows(matrix)?, is_bad)?.0 {
        Weights::Logistic { intercept, coefficients } => Ok((intercept, coefficients)),
        _ => Err(FitError::Structure { what: LOGISTIC, source: None }),
    }
}

impl Oracle {
    /// The probability that must be served for each row, to the last bit.
    pub(super) fn answers(&self, matrix: Matrix) -> Result<Vec<f64>, FitError> {
        match self {
            Self::Logistic { model, intercept, coefficients } => {
                logistic_answers(model, *intercept, coefficients, matrix)
            }
            Self::Tree(model) => model.predict(&rows(matrix)?).map_err(failed("decision tree")),
            Self::Forest(model) => model.predict(&rows(matrix)?).map_err(failed("forest")),
            Self::ExtraTrees(model) => model.predict(&rows(matrix)?).map_err(failed("extra trees")),
        }
    }
}

const LOGISTIC: &str = "logistic regression";

fn rows(matrix: Matrix) -> Result<Rows, FitError> {
    let count = matrix.cells.len().checked_div(matrix.width).unwrap_or(0);
    DenseMatrix::new(count, matrix.width, matrix.cells, false).map_err(failed("a matrix"))
}

fn failed(what: &'static str) -> impl Fn(Failed) -> FitError {
    move |source| FitError::Smartcore { what, source }
}

fn logistic(alpha: f64, rows: &Rows, is_bad: &[bool]) -> Result<(Weights, Oracle), FitError> {
    let y: Vec<i32> = is_bad.iter().map(|bad| i32::from(*bad)).collect();
    let parameters = LogisticRegressionParameters::default().with_alpha(alpha);
    let model = LogisticRegression::fit(rows, &y, parameters).map_err(failed(LOGISTIC))?;
    if model.classes() != &[0, 1] {
        return Err(FitError::Structure { what: LOGISTIC, source: None });
    }
    let coefficients: Vec<f64> = model.coefficients().iterator(0).copied().collect();
    let intercept = *model.intercept().get((0, 0));
    let weights = Weights::Logistic { intercept, coefficients: coefficients.clone() };
    Ok((weights, Oracle::Logistic { model: Box::new(model), intercept, coefficients }))
}

fn logistic_answers(
    model: &LogisticRegression<f64, i32, Rows, Vec<i32>>,
    intercept: f64,
    coefficients: &[f64],
    matrix: Matrix,
) -> Result<Vec<f64>, FitError> {
    // Written apart from the served evaluator, so that the two can disagree.
    let probability = |row: &[f64]| {
        let mut margin = 0.0;
        for (coefficient, x) in coefficients.iter().zip(row) {
            margin += coefficient * x;
        }
        1.0 / (1.0 + libm::exp(-(margin + intercept)))
    };
    let answers: Vec<f64> = matrix.cells.chunks_exact(matrix.width.max(1)).map(probability).collect();
    let labels: Vec<i32> = model.predict(&rows(matrix)?).map_err(failed(LOGISTIC))?;
    let differs = |(label, probability): (&i32, &f64)| (*label == 1) != (*probability > 0.5);
    match labels.iter().zip(&answers).position(differs) {
        Some(row) => Err(FitError::Disagrees { what: LOGISTIC, row }),
        None => Ok(answers),
    }
}

#[derive(Deserialize)]
struct OneTree {
    tree_regressor: TreeRead,
}

#[derive(Deserialize)]
struct ForestRead {
    forest_regressor: TreesRead,
}

#[derive(Deserialize)]
struct TreesRead {
    trees: Vec<TreeRead>,
}

#[derive(Deserialize)]
struct TreeRead {
    nodes: Vec<NodeRead>,
}

#[derive(Deserialize)]
struct NodeRead {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

fn read<M: serde::Serialize, R: serde::de::DeserializeOwned>(
    what: &'static str,
    model: &M,
) -> Result<R, FitError> {
    let structure = |source| FitError::Structure { what, source: Some(source) };
    serde_json::to_value(model).and_then(serde_json::from_value).map_err(structure)
}

fn nodes(what: &'static str, trees: &[TreeRead]) -> Result<Vec<Vec<Node>>, FitError> {
    let tree = |tree: &TreeRead| tree.nodes.iter().map(NodeRead::node).collect::<Option<Vec<_>>>();
    trees.iter().map(tree).collect::<Option<Vec<_>>>().ok_or(FitError::Structure { what, source: None })
}

impl NodeRead {
    fn node(&self) -> Option<Node> {
        match (self.true_child, self.false_child, self.split_value) {
            // A split that was found but not carried out has a value and no children: it is a leaf.
            (None, None, _) => Some(Node::Leaf(self.output)),
            (Some(low), Some(high), Some(threshold)) => {
                Some(Node::Split { column: self.split_feature, threshold, low, high })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_version_is_the_pinned_one() {
        assert!(
            include_str!("../../Cargo.toml")
                .contains(&format!("smartcore = {{ version = \"={SMARTCORE_VERSION}\""))
        );
    }
}
