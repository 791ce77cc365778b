//! The only place that calls smartcore: fits, and reads the fitted structure out.
//! smartcore never serves and its serialised form is never stored; here it is only the way in to private fields.

use serde::Deserialize;
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use super::artefact::Weights;
use super::recipe::{Algorithm, ForestRecipe};
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
        source: smartcore::error::Failed,
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

/// A fit, and smartcore's own answers to hold the served model to.
#[derive(Debug)]
pub(super) struct Fitted {
    pub weights: Weights,
    /// The probability that must be served for each row of the whole file, to the last bit.
    pub reference: Vec<f64>,
}

/// Fits on the rows `train` of `all`; `is_bad` is for all rows too.
pub(super) fn fit(
    algorithm: Algorithm,
    all: &Matrix,
    is_bad: &[bool],
    train: &[usize],
) -> Result<Fitted, FitError> {
    let fitted_on = matrix(train.len(), all.width, train.iter().flat_map(|row| cells(all, *row)))?;
    let everything = matrix(is_bad.len(), all.width, all.cells.iter().copied())?;
    let is_bad_train: Vec<bool> = train.iter().filter_map(|row| is_bad.get(*row).copied()).collect();
    match algorithm {
        Algorithm::LogisticRegression { alpha } => {
            logistic(alpha, all, &fitted_on, &everything, &is_bad_train)
        }
        Algorithm::Forest(recipe) => forest(recipe, &fitted_on, &everything, &is_bad_train),
    }
}

fn cells(all: &Matrix, row: usize) -> impl Iterator<Item = f64> + '_ {
    all.cells.iter().copied().skip(row * all.width).take(all.width)
}

fn matrix(rows: usize, width: usize, cells: impl Iterator<Item = f64>) -> Result<DenseMatrix<f64>, FitError> {
    let smartcore = |source| FitError::Smartcore { what: "a matrix", source };
    DenseMatrix::new(rows, width, cells.collect(), false).map_err(smartcore)
}

fn logistic(
    alpha: f64,
    all: &Matrix,
    fitted_on: &DenseMatrix<f64>,
    everything: &DenseMatrix<f64>,
    is_bad: &[bool],
) -> Result<Fitted, FitError> {
    const WHAT: &str = "logistic regression";
    let smartcore = |source| FitError::Smartcore { what: WHAT, source };
    let y: Vec<i32> = is_bad.iter().map(|bad| i32::from(*bad)).collect();
    let parameters = LogisticRegressionParameters::default().with_alpha(alpha);
    let model = LogisticRegression::fit(fitted_on, &y, parameters).map_err(smartcore)?;
    if model.classes() != &[0, 1] {
        return Err(FitError::Structure { what: WHAT, source: None });
    }
    let coefficients: Vec<f64> = model.coefficients().iterator(0).copied().collect();
    let intercept = *model.intercept().get((0, 0));
    // Written apart from the served evaluator, so that the two can disagree.
    let probability = |row: usize| {
        let mut margin = 0.0;
        for (coefficient, x) in coefficients.iter().zip(cells(all, row)) {
            margin += coefficient * x;
        }
        1.0 / (1.0 + libm::exp(-(margin + intercept)))
    };
    let labels: Vec<i32> = model.predict(everything).map_err(smartcore)?;
    let reference: Vec<f64> = (0..labels.len()).map(probability).collect();
    let differs = |(label, probability): (&i32, &f64)| (*label == 1) != (*probability > 0.5);
    if let Some(row) = labels.iter().zip(&reference).position(differs) {
        return Err(FitError::Disagrees { what: WHAT, row });
    }
    Ok(Fitted { weights: Weights::Logistic { intercept, coefficients }, reference })
}

fn forest(
    recipe: ForestRecipe,
    fitted_on: &DenseMatrix<f64>,
    everything: &DenseMatrix<f64>,
    is_bad: &[bool],
) -> Result<Fitted, FitError> {
    const WHAT: &str = "forest";
    let smartcore = |source| FitError::Smartcore { what: WHAT, source };
    // Regression trees on 0 and 1: their squared error is Gini, the mean of a leaf its bad rate.
    let y: Vec<f64> = is_bad.iter().map(|bad| f64::from(u8::from(*bad))).collect();
    let parameters = RandomForestRegressorParameters {
        // smartcore counts the root as a level.
        max_depth: Some(recipe.max_depth.saturating_add(1)),
        min_samples_leaf: recipe.min_rows_in_leaf as usize,
        min_samples_split: 2,
        n_trees: recipe.trees as usize,
        m: recipe.columns_per_split.map(|columns| columns as usize),
        keep_samples: false,
        seed: recipe.seed,
    };
    let model = RandomForestRegressor::fit(fitted_on, &y, parameters).map_err(smartcore)?;
    let reference: Vec<f64> = model.predict(everything).map_err(smartcore)?;
    let structure = |source| FitError::Structure { what: WHAT, source: Some(source) };
    let read: ForestRead =
        serde_json::to_value(&model).and_then(serde_json::from_value).map_err(structure)?;
    let trees = read
        .forest_regressor
        .trees
        .iter()
        .map(|tree| tree.nodes.iter().map(NodeRead::node).collect::<Option<Vec<_>>>())
        .collect::<Option<Vec<_>>>()
        .ok_or(FitError::Structure { what: WHAT, source: None })?;
    Ok(Fitted { weights: Weights::Forest { trees }, reference })
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
