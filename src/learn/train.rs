//! `tollgate train`: recipe and data in, the next numbered version out, or nothing at all.
//! Before a byte is written the served model has answered every row of the file as what fitted it does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::artefact::{self, ArtefactError, FittedWith, Ingredients, TargetStored};
use super::candidate::{self, Candidate};
use super::card;
use super::choose;
use super::fit::{FitError, SMARTCORE_VERSION};
use super::golden;
use super::metrics::{self, Metrics, Scored};
use super::publish::{self, PublishError};
use super::recipe::{Algorithm, Candidates, Recipe};
use super::sample::{self, Sample, SampleError};
use super::split::{self, Split};
use crate::documents::Source;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::flow::Flow;
use crate::domain::model::{Background, Model};
use crate::domain::value::{Kind, Name, Value};

/// Name of the recipe in a model's folder.
pub const RECIPE_FILE: &str = "train.yaml";

/// What the person who trains may choose.
#[derive(Debug, Clone, Default)]
pub struct TrainOptions {
    /// One of the recipe's `algorithms`; its `algorithm` if left out.
    pub algorithm: Option<String>,
    /// The flow that the recipe names: it computes features.
    pub flow: Option<Arc<Flow>>,
}

/// How far a training is, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The data is read and split.
    Read { rows: usize, training: usize, held_out: usize },
    /// So many of the cross-validation's fits are done; comes once a fit, when the recipe has one.
    Validating { done: usize, of: usize },
    /// Fitting has begun.
    Fitting { algorithm: String },
    /// The served model has answered every row as what fitted it does.
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

/// A fitted version that has not been written: its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub model: String,
    pub algorithm: String,
    pub digest: Arc<str>,
    pub artefact: Vec<u8>,
    pub card: Vec<u8>,
    /// The card as a page.
    pub page: Vec<u8>,
    /// Of a scorecard: the file that a flow can take over.
    pub scorecard: Option<(String, Vec<u8>)>,
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
    #[error(
        "feature `{name}` has no value in the rows fitted on, so a missing one cannot stand for the usual: `missing: {{ as: … }}` says what it stands for"
    )]
    NothingToImpute { name: String },
    #[error("feature `{name}` has numbers too large to be standardised: `encode: as_is`, or leave it out")]
    TooLarge { name: String },
    #[error(
        "no characteristic tells good from bad by more than `min_information_value`: a scorecard would be empty"
    )]
    NothingTells,
    #[error("a fold of the cross-validation has rows of one class only: use fewer `folds`, or more data")]
    OneClassFold,
    #[error("the data has {bad} bad and {good} good rows; each part of the split needs both")]
    OneClass { bad: usize, good: usize },
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error("the fitted model cannot serve")]
    Artefact(#[from] ArtefactError),
    #[error(
        "line {line}: the served model gives another probability than what fitted it; nothing was written"
    )]
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
    let mut files = vec![
        ("model.json", draft.artefact.as_slice()),
        ("card.json", draft.card.as_slice()),
        ("card.html", draft.page.as_slice()),
    ];
    files.extend(draft.scorecard.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
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
    let (name, candidates) = choose(&recipe, options)?;
    let (data, sample) = read_data(folder, &recipe, options.flow.as_ref())?;
    let split = split::stratified(&sample.is_bad, recipe.split.test_fraction, recipe.split.seed);
    check_classes(&sample, &split)?;
    progress(Progress::Read {
        rows: sample.rows.len(),
        training: split.train.len(),
        held_out: split.held_out.len(),
    });
    let (algorithm, tried) = choose::choose(&recipe, candidates, &sample, &split.train, progress)?;
    progress(Progress::Fitting { algorithm: name.to_owned() });
    let fitted = candidate::fit(&recipe, algorithm, &sample, &split.train)?.within_ranges(&recipe, &sample);
    let artefact = store(&recipe, algorithm, &fitted, &sample, &split)?;
    // The bytes, not what they were made from: reading them back is part of what is verified.
    let model = artefact::load(&artefact, recipe.model.clone(), 0)?;
    let probabilities = verify(&recipe, &model, &sample, &fitted)?;
    progress(Progress::Verified { rows: probabilities.len() });

    let measured = |rows: &[usize]| measure(rows, &probabilities, &sample);
    let (held_out, training) = (measured(&split.held_out)?, measured(&split.train)?);
    let card = card::write(&card::Findings {
        recipe: &recipe,
        algorithm,
        tried: &tried,
        model: &model,
        fitted: &fitted,
        data_digest: &artefact::digest(&data),
        sample: &sample,
        split: &split,
        probabilities: &probabilities,
        held_out: held_out.clone(),
        training: training.clone(),
    });
    let page = card::page(&card).into_bytes();
    let mut card = serde_json::to_vec_pretty(&card).map_err(TrainError::Card)?;
    card.push(b'\n');
    let scorecard = fitted.scorecard().map(|fitted| {
        let text = fitted.document.yaml(&model.digest, fitted.scale);
        (format!("{}.scorecard.yaml", recipe.model), text.into_bytes())
    });
    let (algorithm, digest) = (name.to_owned(), model.digest.clone());
    let model = recipe.model.to_string();
    Ok(Draft { model, algorithm, digest, artefact, card, page, scorecard, held_out, training })
}

fn store(
    recipe: &Recipe,
    algorithm: Algorithm,
    fitted: &Candidate,
    sample: &Sample,
    split: &Split,
) -> Result<Vec<u8>, TrainError> {
    let kinds: Vec<Kind> = fitted.features.iter().map(|feature| feature.kind.clone()).collect();
    let golden = golden::invent(&sample.rows, &fitted.uses, &kinds, &fitted.features);
    let model = fitted.model(recipe)?;
    let train = || split.train.iter().filter_map(|row| sample.rows.get(*row));
    let background = if fitted.uses.len() == recipe.features.len() {
        model.background(train())
    } else {
        model.background(&train().map(|row| fitted.row(row)).collect::<Vec<_>>())
    };
    let background: Background = background.map_err(|failure| TrainError::Features(failure.detail))?;
    let kept = |name: &Name| fitted.features.iter().any(|feature| feature.name == *name);
    let reasons: BTreeMap<Name, Name> = recipe
        .features
        .iter()
        .filter(|feature| kept(&feature.name))
        .filter_map(|feature| Some((feature.name.clone(), feature.reason.clone()?)))
        .collect();
    let library = if matches!(algorithm, Algorithm::Scorecard(_)) { "tollgate" } else { "smartcore" };
    Ok(artefact::write(Ingredients {
        target: TargetStored { column: recipe.target.column.clone(), bad: recipe.target.bad.clone() },
        decimals: recipe.decimals,
        fitted_with: FittedWith {
            library: library.to_owned(),
            library_version: match library {
                "tollgate" => env!("CARGO_PKG_VERSION").to_owned(),
                _ => SMARTCORE_VERSION.to_owned(),
            },
            algorithm: algorithm.kind().to_owned(),
            parameters: algorithm.parameters(),
        },
        features: &fitted.features,
        weights: &fitted.weights,
        golden,
        background,
        reasons: &reasons,
        explains: recipe.explain,
    })?)
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

fn choose<'a>(
    recipe: &'a Recipe,
    options: &'a TrainOptions,
) -> Result<(&'a str, &'a Candidates), TrainError> {
    let asked = options.algorithm.as_deref();
    recipe.algorithm_named(asked).ok_or_else(|| TrainError::UnknownAlgorithm {
        asked: asked.unwrap_or(&recipe.algorithm).to_owned(),
        known: recipe.algorithms.keys().map(|name| format!("`{name}`")).collect(),
    })
}

/// The flow whose features the recipe in this folder wants computed, if it names one.
///
/// # Errors
/// When the recipe cannot be read.
pub fn flow_of(folder: &Path) -> Result<Option<String>, TrainError> {
    Ok(read_recipe(folder)?.flow)
}

fn read_data(
    folder: &Path,
    recipe: &Recipe,
    flow: Option<&Arc<Flow>>,
) -> Result<(Vec<u8>, Sample), TrainError> {
    let file = Path::new(&recipe.data.file);
    if !file.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
        return Err(TrainError::DataOutside);
    }
    let bytes = read(&folder.join(file))?;
    let separator = recipe.data.separator.and_then(|separator| u8::try_from(separator).ok()).unwrap_or(b',');
    let wrong = |source| TrainError::Data { file: recipe.data.file.clone(), source };
    let sample = sample::read(recipe, flow, (&bytes, separator)).map_err(wrong)?;
    Ok((bytes, sample))
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

/// Rows that are held against what fitted them at a time: few enough to spare memory, many enough to be quick.
const AT_ONCE: usize = 4096;

/// The served probability of every row of the file, each equal to what fitted the model to the last bit.
fn verify(
    recipe: &Recipe,
    model: &Model,
    sample: &Sample,
    fitted: &Candidate,
) -> Result<Vec<f64>, TrainError> {
    let mut probabilities: Vec<f64> = Vec::with_capacity(sample.rows.len());
    for chunk in sample.rows.chunks(AT_ONCE) {
        let first = probabilities.len();
        let line = |index: usize| sample.lines.get(first + index).copied().unwrap_or(0);
        let rows: Vec<Vec<Value>> = chunk.iter().map(|row| fitted.row(row)).collect();
        for (index, row) in rows.iter().enumerate() {
            let served = model.predict(row).map_err(|failure| TrainError::Row {
                file: recipe.data.file.clone(),
                line: line(index),
                detail: failure.detail,
            })?;
            probabilities.push(served);
        }
        let wanted = fitted.answers(&rows)?;
        let served = probabilities.iter().skip(first);
        let differs =
            |(served, wanted): (&f64, &Option<f64>)| wanted.map(f64::to_bits) != Some(served.to_bits());
        if let Some(index) = served.zip(&wanted).position(differs) {
            return Err(TrainError::Disagrees { line: line(index) });
        }
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
