//! `train.yaml`: first as written, then as meant, with everything wrong listed at once.
//! Reads no data: whether the columns exist is found out when the table is there.

mod algorithms;
mod features;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

pub use algorithms::{Algorithm, Candidates, ForestRecipe, ScorecardRecipe, TreeRecipe};
pub(super) use features::read_cell;
pub use features::{Missing, Numbers, RecipeFeature, Trend, Unseen};

use super::codes;
use crate::documents::{Source, yaml};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::model::{ExplainWhen, MAX_DECIMALS};
use crate::domain::place::{Place, Span};
use crate::domain::value::Name;
use written::Written;
pub(super) use written::{BeyondWritten, ExplainWritten};

/// What a model is fitted from, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    pub model: Name,
    pub title: Option<String>,
    /// Features that this flow declares are computed on the rows of the data as it computes them.
    pub flow: Option<String>,
    /// The column that says when each row was decided, for features that depend on it.
    pub at: Option<String>,
    pub data: DataFile,
    pub target: Target,
    pub split: SplitRecipe,
    /// How algorithms are held against each other, if the recipe says so.
    pub cross_validation: Option<CrossValidation>,
    pub decimals: u32,
    /// Above this probability a flow would not approve: what the card counts approvals by.
    pub cut_off: Option<f64>,
    /// When the model explains its answers, beside the times that somebody asks.
    pub explain: ExplainWhen,
    /// The algorithm used when none is asked for.
    pub algorithm: String,
    pub algorithms: BTreeMap<String, Candidates>,
    pub features: Vec<RecipeFeature>,
    pub left_out: Vec<LeftOut>,
    pub known_limits: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Relative to the recipe's folder.
    pub file: String,
    /// `,` unless it says otherwise.
    pub separator: Option<char>,
}

/// The column that says how it turned out, and its two values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub column: String,
    /// The value that the probability is of.
    pub bad: String,
    pub good: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRecipe {
    /// Share of the rows that are held out, of each class.
    pub test_fraction: f64,
    pub seed: u64,
}

/// `cv: { folds: 5 }`: each fold of the training rows is scored by a model fitted on the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossValidation {
    pub folds: u32,
}

/// Columns of the data that no model may read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub columns: Vec<String>,
    pub because: String,
    /// Attributes that the law protects: the card says how the model treats their groups.
    #[serde(default)]
    pub protected: bool,
}

impl Recipe {
    /// Reads a recipe; `file` is the index that its diagnostics carry.
    ///
    /// # Errors
    /// What YAML finds wrong (one finding), or everything that the recipe contradicts itself in.
    pub fn parse(file: u32, source: &Source) -> Result<Self, Vec<Diagnostic>> {
        let written: Written = yaml::parse(file, source).map_err(|diagnostic| vec![diagnostic])?;
        let mut findings = Findings { file, text: &source.text, found: Vec::new() };
        let recipe = shape(written, &mut findings);
        if findings.found.is_empty() { Ok(recipe) } else { Err(findings.found) }
    }

    /// The algorithm called `name`, or the recipe's own choice.
    #[must_use]
    pub fn algorithm_named<'a>(&'a self, name: Option<&'a str>) -> Option<(&'a str, &'a Candidates)> {
        let name = name.unwrap_or(&self.algorithm);
        self.algorithms.get(name).map(|candidates| (name, candidates))
    }
}

struct Findings<'a> {
    file: u32,
    text: &'a str,
    found: Vec<Diagnostic>,
}

impl Findings<'_> {
    /// Reports at the first line that writes `key:`, since the shaped values have lost their places.
    fn add(&mut self, key: &str, message: String, help: &str) {
        let span = find_key(self.text, key).unwrap_or_default();
        let place = Place { file: self.file, span };
        self.found.push(Diagnostic::error(codes::RECIPE, place, message).help(help));
    }
}

fn find_key(text: &str, key: &str) -> Option<Span> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let rest = line.trim_start();
        if rest.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':')) {
            return Some(Span::new(start + indent, start + indent + key.len()));
        }
        start += line.len();
    }
    None
}

fn shape(written: Written, findings: &mut Findings<'_>) -> Recipe {
    check_numbers(&written, findings);
    let mut shaped = BTreeMap::new();
    for (name, algorithm) in &written.algorithms {
        shaped.insert(name.clone(), algorithms::shape(name, algorithm, findings));
    }
    if !shaped.contains_key(&written.algorithm) {
        let known: Vec<_> = shaped.keys().map(|name| format!("`{name}`")).collect();
        let message =
            format!("`algorithm` names `{}`, which `algorithms` does not declare", written.algorithm);
        findings.add("algorithm", message, &format!("one of {}", known.join(", ")));
    }
    let mut features = Vec::new();
    for (name, feature) in written.features.0 {
        features.push(features::shape(&name, feature, findings));
    }
    if features.is_empty() {
        findings.add(
            "features",
            "a recipe needs at least one feature".to_owned(),
            "name the columns to fit on",
        );
    }
    check_left_out(&features, &written.left_out, &written.target, findings);
    Recipe {
        model: Arc::from(written.model),
        title: written.title,
        flow: written.flow,
        at: written.at,
        data: written.data,
        target: written.target,
        split: written.split,
        cross_validation: written.cv,
        decimals: written.decimals,
        cut_off: written.cut_off,
        explain: written.explain.into(),
        algorithm: written.algorithm,
        algorithms: shaped,
        features,
        left_out: written.left_out,
        known_limits: written.known_limits,
    }
}

fn check_numbers(written: &Written, findings: &mut Findings<'_>) {
    if !(0.05..=0.95).contains(&written.split.test_fraction) {
        let message = "`test_fraction` is not from 0.05 to 0.95".to_owned();
        findings.add("split", message, "0.3 holds out three rows of ten");
    }
    if written.decimals == 0 || written.decimals > MAX_DECIMALS {
        let message = format!("`decimals` is not from 1 to {MAX_DECIMALS}");
        findings.add("decimals", message, "6 is usual");
    }
    if written.cut_off.is_some_and(|cut_off| !(0.0..=1.0).contains(&cut_off)) {
        findings.add("cut_off", "`cut_off` is not from 0 to 1".to_owned(), "a probability, such as 0.45");
    }
    if written.cv.is_some_and(|cv| !(2..=20).contains(&cv.folds)) {
        findings.add("cv", "`folds` is not from 2 to 20".to_owned(), "5 is usual");
    }
    let has_grid = |algorithm: &written::AlgorithmWritten| algorithm.grid.is_some();
    if written.cv.is_none() && written.algorithms.values().any(has_grid) {
        let help = "`cv: { folds: 5 }` says how the combinations are held against each other";
        findings.add("grid", "a grid needs cross-validation to choose by".to_owned(), help);
    }
    if written.data.separator.is_some_and(|separator| !separator.is_ascii()) {
        findings.add("data", "`separator` is not an ASCII character".to_owned(), "`,` or `;` are usual");
    }
    if written.at.is_some() && written.flow.is_none() {
        let help = "`flow: NAME` says whose features are computed, or leave it out";
        findings.add("at", "`at` is for a flow's features, and no flow is named".to_owned(), help);
    }
    if written.target.bad == written.target.good {
        findings.add(
            "target",
            "`bad` and `good` are the same value".to_owned(),
            "name the two values of the column",
        );
    }
    if !super::library::is_name(&written.model) {
        let message = format!("`{}` cannot be the name of a model", written.model);
        findings.add("model", message, "letters, digits and `_`, beginning with a letter");
    }
}

fn check_left_out(
    features: &[RecipeFeature],
    left_out: &[LeftOut],
    target: &Target,
    findings: &mut Findings<'_>,
) {
    if features.iter().any(|feature| *feature.name == *target.column) {
        let message = format!("`{}` is the target and a feature", target.column);
        findings.add("target", message, "a model that reads the answer is worth nothing");
    }
    for (index, entry) in left_out.iter().enumerate() {
        for column in &entry.columns {
            let is_feature = features.iter().any(|feature| *feature.name == **column);
            let again = left_out.iter().take(index).any(|earlier| earlier.columns.contains(column));
            if is_feature || again || *column == target.column {
                let message = format!("`{column}` is left out, and is named elsewhere too");
                findings.add("left_out", message, "name each column of the data once");
            }
        }
    }
}

#[cfg(test)]
mod tests;
