//! One algorithm fitted on some rows: encodings and imputed values learnt from those rows alone, then the weights.
//! The same for a fold of a cross-validation and for the version that is written; nothing is measured or kept here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::artefact::{ArtefactError, Weights};
use super::fit::{self, Columns, Oracle};
use super::recipe::{Algorithm, Missing, Numbers, Recipe, RecipeFeature, Unseen};
use super::sample::Sample;
use super::scorecard;
use super::train::TrainError;
use crate::domain::model::{
    EncodeError, Encoding, Fallback, Feature, Forest, Logistic, Matrix, Model, ModelParts, Predictor, Range,
    Scorecard, as_number, encode_rows,
};
use crate::domain::value::{Kind, Value};

/// What came out of a fit.
#[derive(Debug)]
pub(super) struct Candidate {
    pub features: Vec<Feature>,
    /// Where each feature stands among the recipe's: a scorecard leaves some out.
    pub uses: Vec<usize>,
    pub weights: Weights,
    held_to: HeldTo,
}

/// What the served model must agree with.
#[derive(Debug)]
enum HeldTo {
    Smartcore(Oracle),
    Scorecard(Box<scorecard::Fitted>),
}

/// Fits `algorithm` on the rows `on` of the sample.
pub(super) fn fit(
    recipe: &Recipe,
    algorithm: Algorithm,
    sample: &Sample,
    on: &[usize],
) -> Result<Candidate, TrainError> {
    let rows: Vec<&Vec<Value>> = on.iter().filter_map(|row| sample.rows.get(*row)).collect();
    let is_bad: Vec<bool> = on.iter().filter_map(|row| sample.is_bad.get(*row).copied()).collect();
    let imputed = recipe.features.iter().enumerate().map(|(at, feature)| imputed(feature, at, &rows));
    let imputed = imputed.collect::<Result<Vec<_>, _>>()?;
    let columns = match algorithm {
        Algorithm::LogisticRegression { alpha } => Columns::Logistic { alpha },
        Algorithm::DecisionTree(tree) => Columns::Tree(tree),
        Algorithm::Forest(forest) => Columns::Forest(forest),
        Algorithm::ExtraTrees(forest) => Columns::ExtraTrees(forest),
        Algorithm::Scorecard(card) => {
            let fitted = scorecard::fit(recipe, &card, &imputed, &rows, &is_bad)?;
            let fitted = fitted.ok_or(TrainError::NothingTells)?;
            return Ok(Candidate {
                features: fitted.features.clone(),
                uses: fitted.uses.clone(),
                weights: fitted.weights.clone(),
                held_to: HeldTo::Scorecard(Box::new(fitted)),
            });
        }
    };
    let likes_standardised = matches!(columns, Columns::Logistic { .. });
    let encoded = recipe.features.iter().zip(imputed).enumerate();
    let encoded =
        encoded.map(|(at, (feature, imputed))| encoding(feature, at, imputed, likes_standardised, &rows));
    let features = encoded.collect::<Result<Vec<_>, _>>()?;
    let matrix = encode_rows(&features, rows.iter().copied());
    let matrix = matrix.map_err(|error| wrong_row(recipe, sample, error, |index| on.get(index).copied()))?;
    let (weights, oracle) = fit::fit(columns, matrix, &is_bad)?;
    let uses = (0..features.len()).collect();
    Ok(Candidate { features, uses, weights, held_to: HeldTo::Smartcore(oracle) })
}

impl Candidate {
    /// With the range of each number that the recipe asks for one. It is that of all rows of the data, so that every row
    /// can be held against what fitted the model.
    pub fn within_ranges(mut self, recipe: &Recipe, sample: &Sample) -> Self {
        for (feature, at) in self.features.iter_mut().zip(&self.uses) {
            let Some(beyond) = recipe.features.get(*at).and_then(|feature| feature.beyond) else { continue };
            let numbers = sample.rows.iter().filter_map(|row| as_number(row.get(*at)?));
            let (low, high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| {
                (low.min(number), high.max(number))
            });
            // Without a single number in the data nothing is known of a range.
            feature.range = (low <= high).then_some(Range { low, high, beyond });
        }
        self
    }

    /// A row of the recipe's features as a row of the model's inputs.
    pub fn row(&self, row: &[Value]) -> Vec<Value> {
        self.uses.iter().map(|at| row.get(*at).cloned().unwrap_or(Value::Missing)).collect()
    }

    /// The model as it would be served, without going through a file.
    pub fn model(&self, recipe: &Recipe) -> Result<Model, TrainError> {
        let columns = crate::domain::model::column_names(&self.features).len();
        let predictor = match &self.weights {
            Weights::Logistic { intercept, coefficients } => {
                Logistic::new(*intercept, coefficients.clone()).map(Predictor::Logistic)
            }
            Weights::Forest { trees } => Forest::new(trees, columns).map(Predictor::Forest),
            Weights::Scorecard { start, scale } => {
                Scorecard::new(*start, *scale, columns).map(Predictor::Scorecard)
            }
            // Nothing here fits these: they are imported.
            Weights::Boosted(_) | Weights::Characteristics(_) | Weights::Graph(_) => {
                return Err(TrainError::NothingTells);
            }
        };
        let parts = |predictor| ModelParts {
            name: recipe.model.clone(),
            version: 0,
            digest: Arc::from(""),
            decimals: recipe.decimals,
            features: self.features.clone(),
            predictor,
        };
        let model = predictor.and_then(|predictor| Model::new(parts(predictor)));
        model.map_err(|error| TrainError::Artefact(ArtefactError::Model(error)))
    }

    /// The answers that the served model must give for rows of its inputs, to the last bit, from what fitted it.
    /// `None` where there is no answer.
    pub fn answers(&self, rows: &[Vec<Value>]) -> Result<Vec<Option<f64>>, TrainError> {
        match &self.held_to {
            HeldTo::Smartcore(oracle) => {
                let matrix: Matrix = match encode_rows(&self.features, rows) {
                    Ok(matrix) => matrix,
                    Err(_) => return Ok(vec![None; rows.len()]),
                };
                Ok(oracle.answers(matrix)?.into_iter().map(Some).collect())
            }
            HeldTo::Scorecard(fitted) => {
                let answer = |row: &Vec<Value>| {
                    let points = fitted.document.points(row)?;
                    Some(fitted.scale.probability(points as f64))
                };
                Ok(rows.iter().map(answer).collect())
            }
        }
    }

    pub fn scorecard(&self) -> Option<&scorecard::Fitted> {
        match &self.held_to {
            HeldTo::Scorecard(fitted) => Some(fitted),
            HeldTo::Smartcore(_) => None,
        }
    }
}

/// An error of encoding, told with the line of the data; `row_of` gives the sample's row.
pub(super) fn wrong_row(
    recipe: &Recipe,
    sample: &Sample,
    error: EncodeError,
    row_of: impl Fn(usize) -> Option<usize>,
) -> TrainError {
    match error {
        EncodeError::Features(error) => TrainError::Features(error.to_string()),
        EncodeError::Row { index, failure } => TrainError::Row {
            file: recipe.data.file.clone(),
            line: row_of(index).and_then(|row| sample.lines.get(row).copied()).unwrap_or(0),
            detail: failure.detail,
        },
    }
}

/// The value that a missing one stands for, by the rows fitted on; `None` when none does.
fn imputed(feature: &RecipeFeature, at: usize, rows: &[&Vec<Value>]) -> Result<Option<Value>, TrainError> {
    let given = || rows.iter().filter_map(|row| row.get(at)).filter(|value| **value != Value::Missing);
    let none = || TrainError::NothingToImpute { name: feature.name.to_string() };
    match (&feature.missing, &feature.kind) {
        (Missing::Refuse | Missing::Zero | Missing::Own, _) => Ok(None),
        (Missing::As(value), _) => Ok(Some(value.clone())),
        (Missing::Median, _) => median(given()).ok_or_else(none).map(Some),
        (Missing::MostFrequent, Kind::Choice(categories)) => {
            // Of what was declared: an unseen category stands for something else, or is refused.
            let declared = |value: &&Value| matches!(value, Value::Text(text) if categories.contains(text));
            most_frequent(given().filter(declared)).ok_or_else(none).map(Some)
        }
        (Missing::MostFrequent, _) => most_frequent(given()).ok_or_else(none).map(Some),
    }
}

/// The lower of the two in the middle when there are two, so that it is a value of the feature's own type.
fn median<'v>(values: impl Iterator<Item = &'v Value>) -> Option<Value> {
    let mut values: Vec<(f64, &Value)> =
        values.filter_map(|value| Some((as_number(value)?, value))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.get(values.len().checked_sub(1)? / 2).map(|(_, value)| (*value).clone())
}

fn most_frequent<'v>(values: impl Iterator<Item = &'v Value>) -> Option<Value> {
    // By their text: a value has no order of its own, and equal ones have equal texts.
    let mut counts: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
    for value in values {
        let text = super::golden::store(value).to_string();
        counts.entry(text).or_insert((0, value)).0 += 1;
    }
    let most = counts.values().map(|(count, _)| *count).max()?;
    counts.values().find(|(count, _)| *count == most).map(|(_, value)| (*value).clone())
}

/// The recipe's feature with what the rows fitted on say of its mean, scale and missing values.
fn encoding(
    feature: &RecipeFeature,
    at: usize,
    imputed: Option<Value>,
    likes_standardised: bool,
    rows: &[&Vec<Value>],
) -> Result<Feature, TrainError> {
    let is_standardised = match feature.numbers {
        Numbers::Standardised => true,
        Numbers::AsIs => false,
        Numbers::AsTheAlgorithmLikes => likes_standardised,
    };
    let is_own = feature.missing == Missing::Own;
    let missing = match (&feature.missing, imputed, &feature.kind) {
        (_, Some(value), _) => Fallback::As(value),
        (Missing::Zero, None, _) | (Missing::Own, None, Kind::Choice(_)) => Fallback::Zero,
        (Missing::Own, None, Kind::Boolean) => Fallback::As(Value::Boolean(false)),
        (Missing::Own, None, _) => {
            let given = rows.iter().filter_map(|row| row.get(at)).filter(|value| **value != Value::Missing);
            let none = || TrainError::NothingToImpute { name: feature.name.to_string() };
            Fallback::As(median(given).ok_or_else(none)?)
        }
        (_, None, _) => Fallback::Refuse,
    };
    let mut encoded = Feature {
        name: feature.name.clone(),
        kind: feature.kind.clone(),
        encoding: Encoding::AsIs,
        missing,
        flags_missing: false,
        unseen: match &feature.unseen {
            Unseen::Refuse => Fallback::Refuse,
            Unseen::As(value) => Fallback::As(value.clone()),
            Unseen::Zero => Fallback::Zero,
        },
        range: None,
    };
    match feature.kind {
        Kind::Choice(_) => encoded.encoding = Encoding::OneHot,
        Kind::Boolean => {}
        _ if is_standardised => encoded.encoding = standardise(&encoded, at, rows)?,
        _ => {}
    }
    encoded.flags_missing = is_own;
    Ok(encoded)
}

/// Mean and population deviation over the rows, as they are served (a missing value as what it stands for). Rows that
/// cannot be encoded are passed over here: encoding them all says which, right after.
fn standardise(feature: &Feature, at: usize, rows: &[&Vec<Value>]) -> Result<Encoding, TrainError> {
    let value = |row: &&Vec<Value>| match (row.get(at)?, &feature.missing) {
        (Value::Missing, Fallback::As(value)) => as_number(value),
        (value, _) => as_number(value),
    };
    let values: Vec<f64> = rows.iter().filter_map(value).collect();
    let count = values.len() as f64;
    if values.is_empty() {
        return Ok(Encoding::Standardised { mean: 0.0, scale: 1.0 });
    }
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let scale = variance.sqrt();
    if !mean.is_finite() || !scale.is_finite() {
        return Err(TrainError::TooLarge { name: feature.name.to_string() });
    }
    // A column that never changes says nothing; its scale only must not divide by zero.
    Ok(Encoding::Standardised { mean, scale: if scale > 0.0 { scale } else { 1.0 } })
}
