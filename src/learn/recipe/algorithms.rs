//! The recipe's algorithms with their parameters, defaults and limits, and the grids that are tried.

use super::Findings;
use super::written::{AlgorithmKind, AlgorithmWritten, GridWritten};
use crate::domain::model::Scale;

/// Most combinations of a grid.
const MOST_CANDIDATES: usize = 200;

/// What is fitted. `max_depth` counts levels of splits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Algorithm {
    LogisticRegression { alpha: f64 },
    DecisionTree(TreeRecipe),
    Forest(ForestRecipe),
    ExtraTrees(ForestRecipe),
    Scorecard(ScorecardRecipe),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeRecipe {
    /// Levels of splits: what scikit-learn calls `max_depth`.
    pub max_depth: u16,
    pub min_rows_in_leaf: u32,
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForestRecipe {
    pub trees: u32,
    /// Levels of splits: what scikit-learn calls `max_depth`.
    pub max_depth: u16,
    pub min_rows_in_leaf: u32,
    /// Columns that each split may choose from; the square root of their number if left out.
    pub columns_per_split: Option<u32>,
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScorecardRecipe {
    /// L2 penalty of the regression over the bins' weights of evidence.
    pub alpha: f64,
    /// Most bins of a characteristic, the one for missing values not counted.
    pub max_bins: u32,
    /// Least share of the training rows in a bin.
    pub min_bin_share: f64,
    /// A characteristic that tells less than this is left out.
    pub min_information_value: f64,
    pub scale: Scale,
}

/// An algorithm as written, and the ones to choose from instead, if it has a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidates {
    pub written: Algorithm,
    /// Empty without a grid; in the order of the lists, the last parameter changing quickest.
    pub grid: Vec<Algorithm>,
}

impl Algorithm {
    /// The word for it in recipes, artefacts and cards.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::LogisticRegression { .. } => "logistic_regression",
            Self::DecisionTree(_) => "decision_tree",
            Self::Forest(_) => "forest",
            Self::ExtraTrees(_) => "extra_trees",
            Self::Scorecard(_) => "scorecard",
        }
    }

    /// The parameters as a recipe would write them, defaults filled in.
    #[must_use]
    pub fn parameters(self) -> serde_json::Value {
        match self {
            Self::LogisticRegression { alpha } => serde_json::json!({ "alpha": alpha }),
            Self::DecisionTree(TreeRecipe { max_depth, min_rows_in_leaf, seed }) => serde_json::json!({
                "max_depth": max_depth, "min_rows_in_leaf": min_rows_in_leaf, "seed": seed,
            }),
            Self::Forest(forest) | Self::ExtraTrees(forest) => {
                let ForestRecipe { trees, max_depth, min_rows_in_leaf, columns_per_split, seed } = forest;
                let columns_per_split = columns_per_split
                    .map_or_else(|| serde_json::json!("sqrt"), |columns| serde_json::json!(columns));
                serde_json::json!({
                    "trees": trees, "max_depth": max_depth, "min_rows_in_leaf": min_rows_in_leaf,
                    "columns_per_split": columns_per_split, "seed": seed,
                })
            }
            Self::Scorecard(ScorecardRecipe {
                alpha,
                max_bins,
                min_bin_share,
                min_information_value,
                scale,
            }) => serde_json::json!({
                "alpha": alpha, "max_bins": max_bins, "min_bin_share": min_bin_share,
                "min_information_value": min_information_value, "pdo": scale.points_to_double,
                "base_odds": scale.base_odds, "base_points": scale.base_points,
            }),
        }
    }
}

pub(super) fn shape(name: &str, written: &AlgorithmWritten, findings: &mut Findings<'_>) -> Candidates {
    let algorithm = one(name, written, findings);
    let grid = written.grid.as_ref().map_or_else(Vec::new, |grid| tried(name, written, grid, findings));
    Candidates { written: algorithm, grid }
}

fn one(name: &str, written: &AlgorithmWritten, findings: &mut Findings<'_>) -> Algorithm {
    check_keys(name, written, findings);
    let mut range = |key: &str, fine: bool, says: &str| {
        if !fine {
            findings.add(name, format!("`{key}` of algorithm `{name}` {says}"), "correct it or leave it out");
        }
    };
    let alpha = written.alpha.unwrap_or(1.0);
    range("alpha", (0.0..=1e6).contains(&alpha), "is not from 0 to 1000000");
    let seed = written.seed.unwrap_or(0);
    let max_depth =
        written.max_depth.unwrap_or(if written.kind == AlgorithmKind::DecisionTree { 5 } else { 8 });
    range("max_depth", (1..=64).contains(&max_depth), "is not from 1 to 64");
    let min_rows_in_leaf = written.min_rows_in_leaf.unwrap_or(1);
    range("min_rows_in_leaf", min_rows_in_leaf > 0, "is not at least 1");
    let trees = written.trees.unwrap_or(100);
    range("trees", (1..=10_000).contains(&trees), "is not from 1 to 10000");
    let columns_per_split = written.columns_per_split;
    range("columns_per_split", columns_per_split != Some(0), "is not at least 1");
    let forest = ForestRecipe { trees, max_depth, min_rows_in_leaf, columns_per_split, seed };
    match written.kind {
        AlgorithmKind::LogisticRegression => Algorithm::LogisticRegression { alpha },
        AlgorithmKind::DecisionTree => {
            Algorithm::DecisionTree(TreeRecipe { max_depth, min_rows_in_leaf, seed })
        }
        AlgorithmKind::Forest => Algorithm::Forest(forest),
        AlgorithmKind::ExtraTrees => Algorithm::ExtraTrees(forest),
        AlgorithmKind::Scorecard => Algorithm::Scorecard(scorecard(written, alpha, &mut range)),
    }
}

fn scorecard(
    written: &AlgorithmWritten,
    alpha: f64,
    range: &mut impl FnMut(&str, bool, &str),
) -> ScorecardRecipe {
    let scale = Scale {
        base_points: written.base_points.unwrap_or(600.0),
        base_odds: written.base_odds.unwrap_or(50.0),
        points_to_double: written.pdo.unwrap_or(20.0),
    };
    range("base_points", (-1e6..=1e6).contains(&scale.base_points), "is not from -1000000 to 1000000");
    range("base_odds", (1e-6..=1e6).contains(&scale.base_odds), "is not from 0.000001 to 1000000");
    range("pdo", (1.0..=1e4).contains(&scale.points_to_double), "is not from 1 to 10000");
    let max_bins = written.max_bins.unwrap_or(5);
    range("max_bins", (2..=50).contains(&max_bins), "is not from 2 to 50");
    let min_bin_share = written.min_bin_share.unwrap_or(0.05);
    range("min_bin_share", (0.0..=0.5).contains(&min_bin_share), "is not from 0 to 0.5");
    let min_information_value = written.min_information_value.unwrap_or(0.02);
    range("min_information_value", (0.0..=10.0).contains(&min_information_value), "is not from 0 to 10");
    ScorecardRecipe { alpha, max_bins, min_bin_share, min_information_value, scale }
}

/// Parameters that mean nothing to the kind are refused: who writes one expects it to do something.
fn check_keys(name: &str, written: &AlgorithmWritten, findings: &mut Findings<'_>) {
    use AlgorithmKind::{DecisionTree, ExtraTrees, Forest, LogisticRegression, Scorecard};
    let grid = written.grid.as_ref();
    let in_grid = |given: fn(&GridWritten) -> bool| grid.is_some_and(given);
    let trees = [DecisionTree, Forest, ExtraTrees].as_slice();
    let forests = [Forest, ExtraTrees].as_slice();
    let cards = [Scorecard].as_slice();
    let keys = [
        (
            "alpha",
            written.alpha.is_some() || in_grid(|g| g.alpha.is_some()),
            [LogisticRegression, Scorecard].as_slice(),
        ),
        ("trees", written.trees.is_some() || in_grid(|g| g.trees.is_some()), forests),
        ("max_depth", written.max_depth.is_some() || in_grid(|g| g.max_depth.is_some()), trees),
        (
            "min_rows_in_leaf",
            written.min_rows_in_leaf.is_some() || in_grid(|g| g.min_rows_in_leaf.is_some()),
            trees,
        ),
        (
            "columns_per_split",
            written.columns_per_split.is_some() || in_grid(|g| g.columns_per_split.is_some()),
            forests,
        ),
        ("seed", written.seed.is_some(), trees),
        ("max_bins", written.max_bins.is_some() || in_grid(|g| g.max_bins.is_some()), cards),
        ("min_bin_share", written.min_bin_share.is_some() || in_grid(|g| g.min_bin_share.is_some()), cards),
        (
            "min_information_value",
            written.min_information_value.is_some() || in_grid(|g| g.min_information_value.is_some()),
            cards,
        ),
        ("pdo", written.pdo.is_some(), cards),
        ("base_odds", written.base_odds.is_some(), cards),
        ("base_points", written.base_points.is_some(), cards),
    ];
    for (key, given, means_something_to) in keys {
        if given && !means_something_to.contains(&written.kind) {
            let kind = match written.kind {
                LogisticRegression => "a logistic regression",
                DecisionTree => "a decision tree",
                Forest => "a forest",
                ExtraTrees => "extra trees",
                Scorecard => "a scorecard",
            };
            let message = format!("`{key}` of algorithm `{name}` means nothing to {kind}");
            findings.add(name, message, "correct it or leave it out");
        }
    }
}

/// Every combination of the grid's lists, laid over what is written.
fn tried(
    name: &str,
    written: &AlgorithmWritten,
    grid: &GridWritten,
    findings: &mut Findings<'_>,
) -> Vec<Algorithm> {
    let plain = AlgorithmWritten { grid: None, ..*written };
    let mut candidates = vec![plain];
    let mut spread = Spread { candidates: &mut candidates, empty: false };
    spread.over(grid.alpha.as_deref(), |written, value| written.alpha = Some(value));
    spread.over(grid.trees.as_deref(), |written, value| written.trees = Some(value));
    spread.over(grid.max_depth.as_deref(), |written, value| written.max_depth = Some(value));
    spread.over(grid.min_rows_in_leaf.as_deref(), |written, value| written.min_rows_in_leaf = Some(value));
    spread.over(grid.columns_per_split.as_deref(), |written, value| written.columns_per_split = Some(value));
    spread.over(grid.max_bins.as_deref(), |written, value| written.max_bins = Some(value));
    spread.over(grid.min_bin_share.as_deref(), |written, value| written.min_bin_share = Some(value));
    spread.over(grid.min_information_value.as_deref(), |written, value| {
        written.min_information_value = Some(value);
    });
    let (empty, count) = (spread.empty, candidates.len());
    if empty || count == 1 {
        let message = format!("`grid` of algorithm `{name}` has nothing to choose from");
        findings.add(name, message, "`grid: { alpha: [0.1, 1, 10] }`, or leave it out");
        return Vec::new();
    }
    if count > MOST_CANDIDATES {
        let message = format!("`grid` of algorithm `{name}` has more than {MOST_CANDIDATES} combinations");
        findings.add(name, message, "try fewer values");
        return Vec::new();
    }
    let before = findings.found.len();
    let mut shaped = Vec::with_capacity(count);
    for candidate in &candidates {
        shaped.push(one(name, candidate, findings));
        // One value out of range is in many combinations: once is enough.
        if findings.found.len() > before {
            break;
        }
    }
    shaped
}

struct Spread<'a> {
    candidates: &'a mut Vec<AlgorithmWritten>,
    empty: bool,
}

impl Spread<'_> {
    fn over<T: Copy>(&mut self, values: Option<&[T]>, set: impl Fn(&mut AlgorithmWritten, T)) {
        let Some(values) = values else { return };
        self.empty |= values.is_empty();
        // Past the limit the rest need not be laid out to be refused.
        if self.candidates.len() > MOST_CANDIDATES {
            return;
        }
        let laid = self.candidates.iter().flat_map(|candidate| {
            values.iter().take(MOST_CANDIDATES + 1).map(|value| {
                let mut candidate = AlgorithmWritten { grid: None, ..*candidate };
                set(&mut candidate, *value);
                candidate
            })
        });
        *self.candidates = laid.collect();
    }
}
