//! Cross-validation, and the choice among a grid's combinations by it. On the training rows only: the rows held out
//! see nothing of the choice.

use serde::Serialize;

use super::candidate;
use super::metrics::{self, Scored};
use super::recipe::{Algorithm, Candidates, Recipe};
use super::sample::Sample;
use super::split;
use super::train::{Progress, TrainError};

/// How one combination did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tried {
    pub parameters: serde_json::Value,
    /// Of each fold, scored by a model fitted on the others.
    pub auc: Vec<f64>,
    pub mean_auc: f64,
    pub standard_deviation: f64,
    pub chosen: bool,
}

/// The combination with the highest mean AUC (the first of equal ones), and how all of them did; without
/// cross-validation in the recipe, what is written.
pub(super) fn choose(
    recipe: &Recipe,
    candidates: &Candidates,
    sample: &Sample,
    train: &[usize],
    progress: &mut dyn FnMut(Progress),
) -> Result<(Algorithm, Vec<Tried>), TrainError> {
    let Some(cross_validation) = recipe.cross_validation else { return Ok((candidates.written, Vec::new())) };
    let folds = split::folds(train, &sample.is_bad, cross_validation.folds as usize, recipe.split.seed);
    let written = std::slice::from_ref(&candidates.written);
    let all = if candidates.grid.is_empty() { written } else { candidates.grid.as_slice() };
    let of = all.len() * folds.len();
    let mut done = 0;
    let mut tried = Vec::with_capacity(all.len());
    for algorithm in all {
        let mut auc = Vec::with_capacity(folds.len());
        for fold in &folds {
            progress(Progress::Validating { done, of });
            auc.push(score(recipe, *algorithm, sample, train, fold)?);
            done += 1;
        }
        let count = auc.len() as f64;
        let mean = auc.iter().sum::<f64>() / count;
        let variance =
            auc.iter().map(|auc| (auc - mean) * (auc - mean)).sum::<f64>() / (count - 1.0).max(1.0);
        tried.push(Tried {
            parameters: algorithm.parameters(),
            auc,
            mean_auc: mean,
            standard_deviation: variance.sqrt(),
            chosen: false,
        });
    }
    progress(Progress::Validating { done, of });
    let mut best = 0;
    let mut highest = f64::NEG_INFINITY;
    for (at, one) in tried.iter().enumerate() {
        if one.mean_auc > highest {
            (best, highest) = (at, one.mean_auc);
        }
    }
    if let Some(one) = tried.get_mut(best) {
        one.chosen = true;
    }
    Ok((all.get(best).copied().unwrap_or(candidates.written), tried))
}

fn score(
    recipe: &Recipe,
    algorithm: Algorithm,
    sample: &Sample,
    train: &[usize],
    fold: &[usize],
) -> Result<f64, TrainError> {
    let on: Vec<usize> = train.iter().filter(|row| fold.binary_search(row).is_err()).copied().collect();
    let fitted = candidate::fit(recipe, algorithm, sample, &on)?;
    let model = fitted.model(recipe)?;
    let mut scored = Vec::with_capacity(fold.len());
    for row in fold {
        let (Some(values), Some(is_bad)) = (sample.rows.get(*row), sample.is_bad.get(*row)) else { continue };
        let probability = model.predict(&fitted.row(values)).map_err(|failure| TrainError::Row {
            file: recipe.data.file.clone(),
            line: sample.lines.get(*row).copied().unwrap_or(0),
            detail: failure.detail,
        })?;
        scored.push(Scored { probability, is_bad: *is_bad });
    }
    metrics::measure(&scored).map(|metrics| metrics.auc).ok_or(TrainError::OneClassFold)
}
