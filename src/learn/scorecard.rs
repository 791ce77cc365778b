//! The scorecard: bins whose bad rates are monotone, a logistic regression over their weights of evidence, and the
//! whole points that stand for it. What it leaves out is named, with the reason. Absent on purpose: binning by hand in
//! an editor; a recipe may say `cuts:`.

mod bins;
mod document;

use serde::Serialize;

use super::artefact::Weights;
use super::fit::{self, FitError};
use super::recipe::{Missing, Recipe, RecipeFeature, ScorecardRecipe, Unseen};
use crate::domain::model::{Bins, Encoding, Fallback, Feature, Matrix, Scale};
use crate::domain::value::{Kind, Value};
use bins::{Binning, Count};
pub(super) use document::{Document, Line, Test};

/// A fitted scorecard.
#[derive(Debug, Clone)]
pub(super) struct Fitted {
    /// The characteristics kept, in the recipe's order, binned into points.
    pub features: Vec<Feature>,
    /// Where each of them stands among the recipe's features.
    pub uses: Vec<usize>,
    pub weights: Weights,
    pub scale: Scale,
    pub document: Document,
    pub characteristics: Vec<Characteristic>,
    pub dropped: Vec<Dropped>,
}

/// What the card tells of a characteristic that was kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Characteristic {
    pub name: String,
    pub information_value: f64,
    pub coefficient: f64,
    /// In the order of the document's lines, without the ones that stand for no training row of their own.
    pub bins: Vec<BinTold>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct BinTold {
    pub says: String,
    pub rows: usize,
    pub bad_rate: f64,
    pub weight_of_evidence: f64,
    pub points: i64,
}

/// A feature of the recipe that the scorecard does not read, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Dropped {
    pub name: String,
    pub because: String,
}

/// A feature on its way into the scorecard.
struct Considered<'a> {
    at: usize,
    feature: &'a RecipeFeature,
    /// What a missing value is imputed with; `None` when it is refused or has its own bin.
    imputed: Option<Value>,
    binning: Binning,
    coefficient: f64,
}

/// Fits on `rows`; `imputed` has, for each feature of the recipe, the value that a missing one stands for.
pub(super) fn fit(
    recipe: &Recipe,
    card: &ScorecardRecipe,
    imputed: &[Option<Value>],
    rows: &[&Vec<Value>],
    is_bad: &[bool],
) -> Result<Option<Fitted>, FitError> {
    let mut dropped = Vec::new();
    let mut kept = Vec::new();
    for ((at, feature), imputed) in recipe.features.iter().enumerate().zip(imputed) {
        let cells = rows.iter().map(|row| row.get(at).unwrap_or(&Value::Missing));
        let binning = bins::find(feature, imputed.as_ref(), card, cells.zip(is_bad.iter().copied()));
        let tells = binning.information_value();
        let name = feature.name.to_string();
        if binning.bins.len() < 2 && binning.missing.is_none_or(|count| count.rows() == 0.0) {
            dropped.push(Dropped { name, because: "no bins with different bad rates were found".to_owned() });
        } else if tells < card.min_information_value {
            let because = format!("its information value, {tells:.4}, is below `min_information_value`");
            dropped.push(Dropped { name, because });
        } else {
            kept.push(Considered { at, feature, imputed: imputed.clone(), binning, coefficient: 0.0 });
        }
    }
    let Some(intercept) = regress(card, rows, is_bad, &mut kept, &mut dropped)? else { return Ok(None) };
    Ok(Some(assemble(recipe, card, intercept, &kept, dropped)))
}

/// Fits the coefficients; a characteristic whose points would go against its bad rates is left out, the worst first,
/// and the rest fitted again. `None` when nothing is left.
fn regress(
    card: &ScorecardRecipe,
    rows: &[&Vec<Value>],
    is_bad: &[bool],
    kept: &mut Vec<Considered<'_>>,
    dropped: &mut Vec<Dropped>,
) -> Result<Option<f64>, FitError> {
    loop {
        if kept.is_empty() {
            return Ok(None);
        }
        let width = kept.len();
        let evidence = |row: &&Vec<Value>| {
            let of = |candidate: &Considered<'_>| {
                let cell = row.get(candidate.at).unwrap_or(&Value::Missing);
                candidate.binning.weight(candidate.imputed.as_ref(), candidate.feature, cell)
            };
            kept.iter().map(of).collect::<Vec<_>>()
        };
        let matrix = Matrix { width, cells: rows.iter().flat_map(evidence).collect() };
        let (intercept, coefficients) = fit::logistic_coefficients(card.alpha, matrix, is_bad)?;
        for (candidate, coefficient) in kept.iter_mut().zip(&coefficients) {
            candidate.coefficient = *coefficient;
        }
        let worst = kept.iter().enumerate().min_by(|a, b| a.1.coefficient.total_cmp(&b.1.coefficient));
        match worst.map(|(at, candidate)| (at, candidate.coefficient)) {
            Some((at, coefficient)) if coefficient <= 0.0 => {
                let gone = kept.remove(at);
                let because = "beside the others its points would go against its own bad rates".to_owned();
                dropped.push(Dropped { name: gone.feature.name.to_string(), because });
            }
            _ => return Ok(Some(intercept)),
        }
    }
}

fn assemble(
    recipe: &Recipe,
    card: &ScorecardRecipe,
    intercept: f64,
    kept: &[Considered<'_>],
    dropped: Vec<Dropped>,
) -> Fitted {
    let mut start = card.scale.points(intercept).round();
    let mut fitted = Fitted {
        features: Vec::new(),
        uses: Vec::new(),
        weights: Weights::Scorecard { start: 0.0, scale: card.scale },
        scale: card.scale,
        document: Document {
            scorecard: recipe.model.to_string(),
            base_points: 0,
            characteristics: Vec::new(),
        },
        characteristics: Vec::new(),
        dropped,
    };
    for candidate in kept {
        let points_of =
            |weight: f64| (-card.scale.points_per_unit() * candidate.coefficient * weight).round();
        // The worst bin gets 0 points, so that nobody loses what the base gave.
        let lowest = candidate.weights().map(points_of).fold(f64::INFINITY, f64::min);
        start += lowest;
        let points_of = |weight: f64| points_of(weight) - lowest;
        if candidate.weights().all(|weight| points_of(weight) < 0.5) {
            let because = "its points round to the same everywhere".to_owned();
            fitted.dropped.push(Dropped { name: candidate.feature.name.to_string(), because });
            continue;
        }
        let (feature, lines) = candidate.worth(&points_of);
        fitted.characteristics.push(candidate.told(&points_of));
        fitted.document.characteristics.push((candidate.feature.name.to_string(), lines));
        fitted.features.push(feature);
        fitted.uses.push(candidate.at);
    }
    fitted.document.base_points = whole(start);
    fitted.weights = Weights::Scorecard { start, scale: card.scale };
    fitted
}

#[expect(clippy::cast_possible_truncation, reason = "points are rounded, and far below 2^53")]
fn whole(points: f64) -> i64 {
    points as i64
}

impl Considered<'_> {
    /// The weight of evidence of everything that a row can be.
    fn weights(&self) -> impl Iterator<Item = f64> {
        let bins = self.binning.bins.iter().map(|count| self.binning.evidence(*count));
        let missing = self.binning.missing.map(|count| self.binning.evidence(count));
        let neutral = (self.binning.has_rowless() || self.feature.unseen == Unseen::Zero).then_some(0.0);
        bins.chain(missing).chain(neutral)
    }

    /// The feature as it is served, and the lines of the document.
    fn worth(&self, points_of: &dyn Fn(f64) -> f64) -> (Feature, Vec<Line>) {
        let Self { feature, binning, .. } = self;
        let points: Vec<f64> = binning.bins.iter().map(|count| points_of(binning.evidence(*count))).collect();
        let worth: Vec<f64> = match &feature.kind {
            Kind::Choice(_) | Kind::Boolean => {
                let of = |group: &Option<usize>| group.and_then(|group| points.get(group)).copied();
                binning.group_of.iter().map(|group| of(group).unwrap_or_else(|| points_of(0.0))).collect()
            }
            _ => points.clone(),
        };
        let missing_points = binning.missing.map(|count| points_of(binning.evidence(count)));
        let unseen_points = (feature.unseen == Unseen::Zero).then(|| points_of(0.0));
        let served = Feature {
            name: feature.name.clone(),
            kind: feature.kind.clone(),
            encoding: Encoding::Binned(Bins {
                cuts: binning.cuts.as_slice().into(),
                worth: worth.into(),
                missing: missing_points,
                unseen: unseen_points,
            }),
            missing: match (&feature.missing, &self.imputed) {
                (Missing::Own | Missing::Zero, _) => Fallback::Own,
                (_, Some(value)) => Fallback::As(value.clone()),
                (_, None) => Fallback::Refuse,
            },
            flags_missing: false,
            unseen: match &feature.unseen {
                Unseen::Refuse => Fallback::Refuse,
                Unseen::As(value) => Fallback::As(value.clone()),
                Unseen::Zero => Fallback::Own,
            },
            range: None,
        };
        let lines = self.lines(&points, missing_points, points_of(0.0));
        (served, lines)
    }

    fn lines(&self, points: &[f64], missing: Option<f64>, neutral: f64) -> Vec<Line> {
        let Self { feature, binning, .. } = self;
        let points_at = |group: Option<usize>| group.and_then(|g| points.get(g)).copied().unwrap_or(neutral);
        let mut lines = Vec::new();
        let missing = missing.or_else(|| {
            let value = self.imputed.as_ref()?;
            Some(points_at(binning.bin_of(feature, value)))
        });
        lines.extend(missing.map(|points| (Test::Missing, points)));
        match &feature.kind {
            Kind::Choice(categories) => {
                let groups = (0..points.len()).map(Some).chain([None]);
                for group in groups {
                    let of_group = categories.iter().zip(&binning.group_of).filter(|(_, of)| **of == group);
                    let names: Vec<_> = of_group.map(|(category, _)| category.clone()).collect();
                    if !names.is_empty() {
                        lines.push((Test::In(names), points_at(group)));
                    }
                }
                match &feature.unseen {
                    Unseen::Refuse => {}
                    Unseen::Zero => lines.push((Test::Otherwise, neutral)),
                    Unseen::As(value) => {
                        lines.push((Test::Otherwise, points_at(binning.bin_of(feature, value))));
                    }
                }
            }
            Kind::Boolean => {
                for (value, group) in [false, true].into_iter().zip(&binning.group_of) {
                    lines.push((Test::Is(value), points_at(*group)));
                }
            }
            _ => {
                for (cut, points) in binning.cuts.iter().zip(points) {
                    lines.push((Test::Below(*cut), *points));
                }
                lines.extend(points.last().map(|points| (Test::Otherwise, *points)));
            }
        }
        let best = lines.iter().map(|(_, points)| *points).fold(f64::NEG_INFINITY, f64::max);
        let line = |(test, points): (Test, f64)| Line {
            reason: feature.reason.as_ref().filter(|_| points < best).map(ToString::to_string),
            test,
            points: whole(points),
        };
        lines.into_iter().map(line).collect()
    }

    fn told(&self, points_of: &dyn Fn(f64) -> f64) -> Characteristic {
        let Self { feature, binning, .. } = self;
        let bin = |says: String, count: Count| {
            let weight_of_evidence = binning.evidence(count);
            let points = whole(points_of(weight_of_evidence));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
            let rows = count.rows() as usize;
            let bad_rate = if rows == 0 { 0.0 } else { count.bad / count.rows() };
            BinTold { says, rows, bad_rate, weight_of_evidence, points }
        };
        let missing = binning.missing.map(|count| bin("missing".to_owned(), count));
        let bins = binning.bins.iter().enumerate();
        let bins = bins.map(|(at, count)| bin(binning.says(feature, at), *count));
        Characteristic {
            name: feature.name.to_string(),
            information_value: binning.information_value(),
            coefficient: self.coefficient,
            bins: missing.into_iter().chain(bins).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
