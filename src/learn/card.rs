//! `card.json`: what a version was fitted from, how good it is on rows it has not seen, and what it is not for.
//! It informs and decides nothing; the one thing checked against it is the artefact's digest.

use serde::Serialize;

use super::fit::SMARTCORE_VERSION;
use super::metrics::Metrics;
use super::recipe::{Algorithm, ForestRecipe, Recipe};
use super::split::Split;

/// The card, in the order in which it is read by people. It has no time stamp: same recipe and data, same bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Card {
    pub card_version: u32,
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Digest of `model.json`.
    pub artefact: String,
    pub algorithm: String,
    pub parameters: serde_json::Value,
    pub fitted_with: String,
    pub data: DataCard,
    pub split: SplitCard,
    pub held_out: Metrics,
    /// On the rows it was fitted on: how much better this is tells how much was learnt by heart.
    pub training: Metrics,
    pub features: Vec<String>,
    pub left_out: Vec<LeftOutCard>,
    pub known_limits: Vec<String>,
    pub verified: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct DataCard {
    pub file: String,
    pub digest: String,
    pub rows: usize,
    pub bad: usize,
    pub good: usize,
    pub bad_rate: f64,
    pub target: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct SplitCard {
    pub seed: u64,
    pub test_fraction: f64,
    pub training_rows: usize,
    pub held_out_rows: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LeftOutCard {
    pub columns: Vec<String>,
    pub because: String,
}

/// What a card is written from, besides its recipe.
pub(super) struct Findings<'a> {
    pub artefact: &'a str,
    pub algorithm: (&'a str, Algorithm),
    pub data_digest: &'a str,
    pub is_bad: &'a [bool],
    pub split: &'a Split,
    pub held_out: Metrics,
    pub training: Metrics,
}

pub(super) fn write(recipe: &Recipe, findings: Findings<'_>) -> Card {
    let bad = findings.is_bad.iter().filter(|bad| **bad).count();
    let rows = findings.is_bad.len();
    let (_, algorithm) = findings.algorithm;
    let verified = match algorithm {
        Algorithm::LogisticRegression { .. } => format!(
            "on each of the {rows} rows the served probability is, to the last bit, what the coefficients give, and \
             the label smartcore's"
        ),
        Algorithm::Forest(_) => {
            format!("on each of the {rows} rows the served probability is smartcore's, to the last bit")
        }
    };
    Card {
        card_version: 1,
        model: recipe.model.to_string(),
        title: recipe.title.clone(),
        artefact: findings.artefact.to_owned(),
        algorithm: kind(algorithm).to_owned(),
        parameters: parameters(algorithm),
        fitted_with: format!("smartcore {SMARTCORE_VERSION}"),
        data: DataCard {
            file: recipe.data.file.clone(),
            digest: findings.data_digest.to_owned(),
            rows,
            bad,
            good: rows - bad,
            bad_rate: bad as f64 / rows as f64,
            target: format!("{} = {}", recipe.target.column, recipe.target.bad),
        },
        split: SplitCard {
            seed: recipe.split.seed,
            test_fraction: recipe.split.test_fraction,
            training_rows: findings.split.train.len(),
            held_out_rows: findings.split.held_out.len(),
        },
        held_out: findings.held_out,
        training: findings.training,
        features: recipe.features.iter().map(|feature| feature.name.to_string()).collect(),
        left_out: recipe
            .left_out
            .iter()
            .map(|entry| LeftOutCard { columns: entry.columns.clone(), because: entry.because.clone() })
            .collect(),
        known_limits: recipe.known_limits.clone(),
        verified,
    }
}

/// The word for an algorithm in recipes, artefacts and cards.
pub(super) fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::LogisticRegression { .. } => "logistic_regression",
        Algorithm::Forest(_) => "forest",
    }
}

/// The parameters as a recipe would write them, defaults filled in.
pub(super) fn parameters(algorithm: Algorithm) -> serde_json::Value {
    match algorithm {
        Algorithm::LogisticRegression { alpha } => serde_json::json!({ "alpha": alpha }),
        Algorithm::Forest(ForestRecipe { trees, max_depth, min_rows_in_leaf, columns_per_split, seed }) => {
            let columns_per_split = columns_per_split
                .map_or_else(|| serde_json::json!("sqrt"), |columns| serde_json::json!(columns));
            serde_json::json!({
                "trees": trees, "max_depth": max_depth, "min_rows_in_leaf": min_rows_in_leaf,
                "columns_per_split": columns_per_split, "seed": seed,
            })
        }
    }
}
