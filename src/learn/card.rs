//! `card.json` and `card.html`: what a version was fitted from, how good it is on rows it has not seen, how it treats
//! groups of people, and what it is not for. It informs and decides nothing; the one thing checked against it is the
//! artefact's digest.

mod charts;
mod page;

use serde::Serialize;

pub(super) use page::page;

use super::candidate::Candidate;
use super::choose::Tried;
use super::curves::{self, Curves};
use super::fit::SMARTCORE_VERSION;
use super::groups::{self, Asked, AttributeCard};
use super::importance::{self, Importance};
use super::metrics::{Metrics, Scored};
use super::recipe::{Algorithm, Missing, Recipe, RecipeFeature, Unseen};
use super::reference::{self, Reference};
use super::sample::Sample;
use super::scorecard;
use super::split::Split;
use crate::domain::model::{Fallback, Model};
use crate::domain::value::Value;

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cross_validation: Vec<Tried>,
    pub held_out: Metrics,
    /// On the rows it was fitted on: how much better this is tells how much was learnt by heart.
    pub training: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<CutOffCard>,
    pub features: Vec<FeatureCard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scorecard: Option<ScorecardCard>,
    /// Of the held-out rows, by how far the AUC falls when an input's values are dealt out anew.
    pub importance: Vec<Importance>,
    pub left_out: Vec<LeftOutCard>,
    pub protected: Vec<AttributeCard>,
    pub known_limits: Vec<String>,
    pub verified: String,
    /// Of the held-out rows.
    pub curves: Curves,
    pub reference: Reference,
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

/// What approving up to the recipe's cut-off would have meant for the held-out rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct CutOffCard {
    pub probability: f64,
    pub approval_rate: f64,
    pub bad_rate_of_approved: f64,
    pub bad_rate_of_others: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct FeatureCard {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub missing: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ScorecardCard {
    pub base_points: i64,
    /// Points at which the odds are `base_odds` good to one bad, and points that double them.
    pub scale: ScaleCard,
    pub characteristics: Vec<scorecard::Characteristic>,
    pub dropped: Vec<scorecard::Dropped>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ScaleCard {
    pub points: f64,
    pub base_odds: f64,
    pub points_to_double: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LeftOutCard {
    pub columns: Vec<String>,
    pub because: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// What a card is written from.
pub(super) struct Findings<'a> {
    pub recipe: &'a Recipe,
    pub algorithm: Algorithm,
    pub tried: &'a [Tried],
    pub model: &'a Model,
    pub fitted: &'a Candidate,
    pub data_digest: &'a str,
    pub sample: &'a Sample,
    pub split: &'a Split,
    /// Of every row of the sample.
    pub probabilities: &'a [f64],
    pub held_out: Metrics,
    pub training: Metrics,
}

pub(super) fn write(findings: &Findings<'_>) -> Card {
    let Findings { recipe, algorithm, model, fitted, sample, split, .. } = findings;
    let rows_of = |part: &[usize]| -> Vec<Vec<Value>> {
        part.iter().filter_map(|row| sample.rows.get(*row)).map(|row| fitted.row(row)).collect()
    };
    let held_out_bad: Vec<bool> =
        split.held_out.iter().filter_map(|row| sample.is_bad.get(*row).copied()).collect();
    let probabilities: Vec<f64> =
        split.held_out.iter().filter_map(|row| findings.probabilities.get(*row).copied()).collect();
    let scored: Vec<Scored> = probabilities
        .iter()
        .zip(&held_out_bad)
        .map(|(probability, is_bad)| Scored { probability: *probability, is_bad: *is_bad })
        .collect();
    let asked = Asked {
        model,
        uses: &fitted.uses,
        sample,
        held_out: &split.held_out,
        probabilities: findings.probabilities,
        cut_off: recipe.cut_off,
    };
    let kept = fitted.uses.iter().zip(&fitted.features);
    let features = kept.filter_map(|(at, served)| Some(feature(recipe.features.get(*at)?, &served.missing)));
    Card {
        card_version: 2,
        model: recipe.model.to_string(),
        title: recipe.title.clone(),
        artefact: model.digest.to_string(),
        algorithm: algorithm.kind().to_owned(),
        parameters: algorithm.parameters(),
        fitted_with: format!("smartcore {SMARTCORE_VERSION}"),
        data: data(findings),
        split: SplitCard {
            seed: recipe.split.seed,
            test_fraction: recipe.split.test_fraction,
            training_rows: split.train.len(),
            held_out_rows: split.held_out.len(),
        },
        cross_validation: findings.tried.to_vec(),
        held_out: findings.held_out.clone(),
        training: findings.training.clone(),
        cut_off: recipe.cut_off.map(|cut_off| at_cut_off(cut_off, &scored)),
        features: features.collect(),
        scorecard: fitted.scorecard().map(points),
        importance: importance::measure(model, &rows_of(&split.held_out), &held_out_bad, recipe.split.seed),
        left_out: recipe
            .left_out
            .iter()
            .map(|entry| LeftOutCard {
                columns: entry.columns.clone(),
                because: entry.because.clone(),
                protected: entry.protected,
            })
            .collect(),
        protected: groups::measure(&asked),
        known_limits: recipe.known_limits.clone(),
        verified: verified(*algorithm, sample.rows.len()),
        curves: curves::draw(&scored),
        reference: reference::measure(model, &rows_of(&split.train), &probabilities),
    }
}

fn data(findings: &Findings<'_>) -> DataCard {
    let Findings { recipe, sample, .. } = findings;
    let bad = sample.is_bad.iter().filter(|bad| **bad).count();
    let rows = sample.is_bad.len();
    DataCard {
        file: recipe.data.file.clone(),
        digest: findings.data_digest.to_owned(),
        rows,
        bad,
        good: rows - bad,
        bad_rate: bad as f64 / rows as f64,
        target: format!("{} = {}", recipe.target.column, recipe.target.bad),
    }
}

fn at_cut_off(cut_off: f64, scored: &[Scored]) -> CutOffCard {
    let (approved, others): (Vec<&Scored>, Vec<&Scored>) =
        scored.iter().partition(|row| row.probability <= cut_off);
    let bad_rate = |rows: &[&Scored]| {
        let bad = rows.iter().filter(|row| row.is_bad).count();
        if rows.is_empty() { 0.0 } else { bad as f64 / rows.len() as f64 }
    };
    CutOffCard {
        probability: cut_off,
        approval_rate: approved.len() as f64 / scored.len().max(1) as f64,
        bad_rate_of_approved: bad_rate(&approved),
        bad_rate_of_others: bad_rate(&others),
    }
}

fn feature(feature: &RecipeFeature, served: &Fallback) -> FeatureCard {
    let value = |value: &Value| super::golden::store(value).to_string();
    let missing = match (&feature.missing, served) {
        (Missing::Refuse, _) => "refused".to_owned(),
        (Missing::Median, Fallback::As(median)) => format!("as the median, {}", value(median)),
        (Missing::MostFrequent, Fallback::As(most)) => format!("as the most frequent, {}", value(most)),
        (Missing::Own, Fallback::As(beside)) => format!("a column of its own, beside {}", value(beside)),
        (Missing::Own, Fallback::Zero) => "a column of its own".to_owned(),
        (Missing::Own, _) => "a bin of its own".to_owned(),
        (Missing::Zero, _) => "no evidence either way".to_owned(),
        (_, Fallback::As(constant)) => format!("as {}", value(constant)),
        (_, _) => "refused".to_owned(),
    };
    let is_choice = matches!(feature.kind, crate::domain::value::Kind::Choice(_));
    let unseen = is_choice.then(|| match &feature.unseen {
        Unseen::Refuse => "refused".to_owned(),
        Unseen::As(category) => format!("as {}", value(category)),
        Unseen::Zero => "no evidence either way".to_owned(),
    });
    FeatureCard {
        name: feature.name.to_string(),
        kind: feature.kind.word(),
        missing,
        unseen,
        reason: feature.reason.as_ref().map(ToString::to_string),
    }
}

fn points(fitted: &scorecard::Fitted) -> ScorecardCard {
    ScorecardCard {
        base_points: fitted.document.base_points,
        scale: ScaleCard {
            points: fitted.scale.base_points,
            base_odds: fitted.scale.base_odds,
            points_to_double: fitted.scale.points_to_double,
        },
        characteristics: fitted.characteristics.clone(),
        dropped: fitted.dropped.clone(),
    }
}

fn verified(algorithm: Algorithm, rows: usize) -> String {
    match algorithm {
        Algorithm::LogisticRegression { .. } => format!(
            "on each of the {rows} rows the served probability is, to the last bit, what the coefficients give, and \
             the label smartcore's"
        ),
        Algorithm::Scorecard(_) => format!(
            "on each of the {rows} rows the served probability is, to the last bit, what the points of the scorecard's \
             file stand for"
        ),
        Algorithm::DecisionTree(_) | Algorithm::Forest(_) | Algorithm::ExtraTrees(_) => {
            format!("on each of the {rows} rows the served probability is smartcore's, to the last bit")
        }
    }
}
