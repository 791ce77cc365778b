//! `tollgate train`: recipe and data in, the next numbered version out, or nothing at all.
//! Before a byte is written the served model has answered every row of the file as smartcore does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::artefact::{self, ArtefactError, FittedWith, Ingredients, TargetStored};
use super::card;
use super::fit::{self, FitError, SMARTCORE_VERSION};
use super::golden;
use super::metrics::{self, Metrics, Scored};
use super::publish::{self, PublishError};
use super::recipe::{Algorithm, Numbers, Recipe, RecipeFeature};
use super::sample::{self, Sample, SampleError};
use super::split::{self, Split};
use crate::documents::{Source, table};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::model::{Background, EncodeError, Encoding, Feature, Matrix, Model, encode_rows};
use crate::domain::value::{Kind, Value};

/// Name of the recipe in a model's folder.
pub const RECIPE_FILE: &str = "train.yaml";

/// What the person who trains may choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrainOptions {
    /// One of the recipe's `algorithms`; its `algorithm` if left out.
    pub algorithm: Option<String>,
}

/// How far a training is; each comes once, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The data is read and split.
    Read { rows: usize, training: usize, held_out: usize },
    /// Fitting has begun.
    Fitting { algorithm: String },
    /// The served model has answered every row as smartcore does.
    Verified { rows: usize },
    /// The version's folder is in its place.
    Written { version: u32 },
}

/// A version that now stands in `models/`.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedVersion {
    pub model: String,
    pub version: u32,
    pub algorithm: String,
    /// `sha256:…` of `model.json`.
    pub digest: Arc<str>,
    pub folder: PathBuf,
    pub held_out: Metrics,
    pub training: Metrics,
    /// Bytes of `model.json`.
    pub artefact_bytes: usize,
}

/// A fitted version that has not been written: its two files.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub model: String,
    pub algorithm: String,
    pub digest: Arc<str>,
    pub artefact: Vec<u8>,
    pub card: Vec<u8>,
    pub held_out: Metrics,
    pub training: Metrics,
}

/// Why no version was written.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("`{}` cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{}` is not UTF-8 text", path.display())]
    NotUtf8 { path: PathBuf },
    #[error("the recipe `{}` has {} to put right", source_file.path, count(diagnostics))]
    Recipe {
        /// The recipe as read; the diagnostics' places are in it.
        source_file: Source,
        diagnostics: Vec<Diagnostic>,
    },
    #[error("the recipe has no algorithm `{asked}`: it has {}", known.join(", "))]
    UnknownAlgorithm { asked: String, known: Vec<String> },
    #[error("the recipe is for model `{recipe}` and stands in the folder of `{folder}`")]
    OtherModel { recipe: String, folder: String },
    #[error("`data.file` leads out of the model's folder")]
    DataOutside,
    #[error("`{file}`: {source}")]
    Data {
        file: String,
        #[source]
        source: SampleError,
    },
    #[error("`{file}`, line {line}: {detail}; say in the recipe what then (`missing:`, `unseen:`, `of:`)")]
    Row { file: String, line: u64, detail: String },
    #[error("{0}")]
    Features(String),
    #[error("the data has {bad} bad and {good} good rows; each part of the split needs both")]
    OneClass { bad: usize, good: usize },
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error("the fitted model cannot serve")]
    Artefact(#[from] ArtefactError),
    #[error("line {line}: the served model gives another probability than smartcore; nothing was written")]
    Disagrees { line: u64 },
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the card cannot be written as JSON")]
    Card(#[source] serde_json::Error),
}

fn count(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.len() {
        1 => "one thing".to_owned(),
        n => format!("{n} things"),
    }
}

/// Fits a version by `folder/train.yaml` and writes it as the next number in `folder`.
///
/// # Errors
/// Anything that keeps the version from being what its card says; nothing is written then.
pub fn run(
    folder: &Path,
    options: &TrainOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<TrainedVersion, TrainError> {
    let draft = fit_version(folder, options, progress)?;
    let files = [("model.json", draft.artefact.as_slice()), ("card.json", draft.card.as_slice())];
    let version = publish::publish(folder, &files)?;
    progress(Progress::Written { version });
    Ok(TrainedVersion {
        version,
        folder: folder.join(version.to_string()),
        artefact_bytes: draft.artefact.len(),
        model: draft.model,
        algorithm: draft.algorithm,
        digest: draft.digest,
        held_out: draft.held_out,
        training: draft.training,
    })
}

/// Everything but the writing: the same recipe and data give the same bytes.
///
/// # Errors
/// As [`run`].
pub fn fit_version(
    folder: &Path,
    options: &TrainOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Draft, TrainError> {
    let recipe = read_recipe(folder)?;
    let algorithm = choose(&recipe, options)?;
    let (data, sample) = read_data(folder, &recipe)?;
    let split = split::stratified(&sample.is_bad, recipe.split.test_fraction, recipe.split.seed);
    check_classes(&sample, &split)?;
    progress(Progress::Read {
        rows: sample.rows.len(),
        training: split.train.len(),
        held_out: split.held_out.len(),
    });

    progress(Progress::Fitting { algorithm: algorithm.0.to_owned() });
    let features = encodings(&recipe.features, algorithm.1, &sample, &split.train);
    let matrix = encode(&features, &sample, &recipe)?;
    let fitted = fit::fit(algorithm.1, &matrix, &sample.is_bad, &split.train)?;

    let kinds: Vec<Kind> = features.iter().map(|feature| feature.kind.clone()).collect();
    let artefact = artefact::write(Ingredients {
        target: TargetStored { column: recipe.target.column.clone(), bad: recipe.target.bad.clone() },
        decimals: recipe.decimals,
        fitted_with: FittedWith {
            library: "smartcore".to_owned(),
            library_version: SMARTCORE_VERSION.to_owned(),
            algorithm: card::kind(algorithm.1).to_owned(),
            parameters: card::parameters(algorithm.1),
        },
        features: &features,
        weights: &fitted.weights,
        golden: golden::invent(&sample.rows, &kinds),
        background: Background::default(),
        reasons: &BTreeMap::new(),
    })?;
    // The bytes, not what they were made from: reading them back is part of what is verified.
    let model = artefact::load(&artefact, recipe.model.clone(), 0)?;
    let probabilities = verify(&model, &sample, &fitted.reference)?;
    progress(Progress::Verified { rows: probabilities.len() });

    let measured = |rows: &[usize]| measure(rows, &probabilities, &sample);
    let (held_out, training) = (measured(&split.held_out)?, measured(&split.train)?);
    let card = card::write(
        &recipe,
        card::Findings {
            artefact: &model.digest,
            algorithm,
            data_digest: &artefact::digest(&data),
            is_bad: &sample.is_bad,
            split: &split,
            held_out: held_out.clone(),
            training: training.clone(),
        },
    );
    let mut card = serde_json::to_vec_pretty(&card).map_err(TrainError::Card)?;
    card.push(b'\n');
    let (algorithm, digest) = (algorithm.0.to_owned(), model.digest.clone());
    Ok(Draft { model: recipe.model.to_string(), algorithm, digest, artefact, card, held_out, training })
}

fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    fs::read(path).map_err(|source| TrainError::Read { path: path.to_path_buf(), source })
}

fn read_recipe(folder: &Path) -> Result<Recipe, TrainError> {
    let path = folder.join(RECIPE_FILE);
    let text = String::from_utf8(read(&path)?).map_err(|_| TrainError::NotUtf8 { path: path.clone() })?;
    let source_file = Source { path: path.to_string_lossy().into_owned(), text: Arc::from(text) };
    let recipe = Recipe::parse(0, &source_file)
        .map_err(|diagnostics| TrainError::Recipe { source_file, diagnostics })?;
    // A relative folder (`.`) has no name of its own until it is resolved.
    let resolved = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    match resolved.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != &*recipe.model => {
            Err(TrainError::OtherModel { recipe: recipe.model.to_string(), folder: name.to_owned() })
        }
        _ => Ok(recipe),
    }
}

fn choose<'a>(recipe: &'a Recipe, options: &'a TrainOptions) -> Result<(&'a str, Algorithm), TrainError> {
    let asked = options.algorithm.as_deref();
    recipe.algorithm_named(asked).ok_or_else(|| TrainError::UnknownAlgorithm {
        asked: asked.unwrap_or(&recipe.algorithm).to_owned(),
        known: recipe.algorithms.keys().map(|name| format!("`{name}`")).collect(),
    })
}

fn read_data(folder: &Path, recipe: &Recipe) -> Result<(Vec<u8>, Sample), TrainError> {
    let file = Path::new(&recipe.data.file);
    if !file.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
        return Err(TrainError::DataOutside);
    }
    let bytes = read(&folder.join(file))?;
    let separator = recipe.data.separator.and_then(|separator| u8::try_from(separator).ok()).unwrap_or(b',');
    let wrong = |source| TrainError::Data { file: recipe.data.file.clone(), source };
    let table = table::parse(&bytes, separator).map_err(|error| wrong(error.into()))?;
    let sample = sample::read(recipe, &table).map_err(wrong)?;
    Ok((bytes, sample))
}

/// The recipe's features with what the training rows say of their means and scales.
fn encodings(
    recipe: &[RecipeFeature],
    algorithm: Algorithm,
    sample: &Sample,
    train: &[usize],
) -> Vec<Feature> {
    let likes_standardised = matches!(algorithm, Algorithm::LogisticRegression { .. });
    let encode = |(at, feature): (usize, &RecipeFeature)| {
        let standardised = match feature.numbers {
            Numbers::Standardised => true,
            Numbers::AsIs => false,
            Numbers::AsTheAlgorithmLikes => likes_standardised,
        };
        let mut encoded = Feature {
            name: feature.name.clone(),
            kind: feature.kind.clone(),
            encoding: Encoding::AsIs,
            missing: feature.missing.clone(),
            flags_missing: false,
            unseen: feature.unseen.clone(),
        };
        match feature.kind {
            Kind::Choice(_) => encoded.encoding = Encoding::OneHot,
            Kind::Boolean => {}
            _ if standardised => encoded.encoding = standardise(&encoded, at, sample, train),
            _ => {}
        }
        encoded
    };
    recipe.iter().enumerate().map(encode).collect()
}

/// Mean and population deviation over the training rows, as they are served (a missing value as what it stands
/// for). Rows that cannot be encoded are passed over here: encoding them all says which, right after.
fn standardise(feature: &Feature, at: usize, sample: &Sample, train: &[usize]) -> Encoding {
    let single = std::slice::from_ref(feature);
    let value = |row: &usize| {
        let value: Vec<Value> = vec![sample.rows.get(*row)?.get(at)?.clone()];
        encode_rows(single, &[value]).ok()?.cells.first().copied()
    };
    let values: Vec<f64> = train.iter().filter_map(value).collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let scale = variance.sqrt();
    // A column that never changes says nothing; its scale only must not divide by zero.
    let scale = if scale > 0.0 && scale.is_finite() { scale } else { 1.0 };
    Encoding::Standardised { mean: if mean.is_finite() { mean } else { 0.0 }, scale }
}

fn encode(features: &[Feature], sample: &Sample, recipe: &Recipe) -> Result<Matrix, TrainError> {
    encode_rows(features, &sample.rows).map_err(|error| match error {
        EncodeError::Features(error) => TrainError::Features(error.to_string()),
        EncodeError::Row { index, failure } => TrainError::Row {
            file: recipe.data.file.clone(),
            line: sample.lines.get(index).copied().unwrap_or(0),
            detail: failure.detail,
        },
    })
}

fn check_classes(sample: &Sample, split: &Split) -> Result<(), TrainError> {
    let bad_in =
        |rows: &[usize]| rows.iter().filter(|row| sample.is_bad.get(**row).copied().unwrap_or(false)).count();
    let both = |rows: &[usize]| (1..rows.len()).contains(&bad_in(rows));
    if both(&split.train) && both(&split.held_out) { Ok(()) } else { Err(one_class(sample)) }
}

fn one_class(sample: &Sample) -> TrainError {
    let bad = sample.is_bad.iter().filter(|bad| **bad).count();
    TrainError::OneClass { bad, good: sample.is_bad.len() - bad }
}

/// The served probability of every row of the file, each equal to `reference` to the last bit.
fn verify(model: &Model, sample: &Sample, reference: &[f64]) -> Result<Vec<f64>, TrainError> {
    let mut probabilities = Vec::with_capacity(sample.rows.len());
    for (index, row) in sample.rows.iter().enumerate() {
        let line = sample.lines.get(index).copied().unwrap_or(0);
        let served = model.predict(row).map_err(|_| TrainError::Disagrees { line })?;
        if reference.get(index).map(|wanted| wanted.to_bits()) != Some(served.to_bits()) {
            return Err(TrainError::Disagrees { line });
        }
        probabilities.push(served);
    }
    Ok(probabilities)
}

fn measure(rows: &[usize], probabilities: &[f64], sample: &Sample) -> Result<Metrics, TrainError> {
    let scored = |row: &usize| {
        Some(Scored { probability: *probabilities.get(*row)?, is_bad: *sample.is_bad.get(*row)? })
    };
    let scored: Vec<Scored> = rows.iter().filter_map(scored).collect();
    metrics::measure(&scored).ok_or_else(|| one_class(sample))
}

#[cfg(test)]
mod tests;
