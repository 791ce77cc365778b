//! `train.yaml`: first as written, then as meant, with everything wrong listed at once.
//! Reads no data: whether the columns exist is found out when the table is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::codes;
use crate::documents::{Source, yaml};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::model::{Fallback, MAX_DECIMALS};
use crate::domain::place::{Place, Span};
use crate::domain::value::{Kind, Name, Value};

/// What a model is fitted from, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    pub model: Name,
    pub title: Option<String>,
    pub data: DataFile,
    pub target: Target,
    pub split: SplitRecipe,
    pub decimals: u32,
    /// The algorithm used when none is asked for.
    pub algorithm: String,
    pub algorithms: BTreeMap<String, Algorithm>,
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

/// What is fitted. `max_depth` counts levels of splits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Algorithm {
    LogisticRegression { alpha: f64 },
    Forest(ForestRecipe),
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

#[derive(Debug, Clone, PartialEq)]
pub struct RecipeFeature {
    pub name: Name,
    pub kind: Kind,
    pub numbers: Numbers,
    pub missing: Fallback,
    pub unseen: Fallback,
}

/// How a number becomes a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// Standardised for a logistic regression, as it is for a forest.
    #[default]
    AsTheAlgorithmLikes,
    AsIs,
    Standardised,
}

/// Columns of the data that no model may read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub columns: Vec<String>,
    pub because: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    model: String,
    title: Option<String>,
    data: DataFile,
    target: Target,
    split: SplitRecipe,
    #[serde(default = "six")]
    decimals: u32,
    algorithm: String,
    algorithms: BTreeMap<String, AlgorithmWritten>,
    features: Ordered<FeatureWritten>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
    #[serde(default)]
    known_limits: Vec<String>,
}

fn six() -> u32 {
    6
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AlgorithmKind {
    LogisticRegression,
    Forest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlgorithmWritten {
    kind: AlgorithmKind,
    alpha: Option<f64>,
    trees: Option<u32>,
    max_depth: Option<u16>,
    min_rows_in_leaf: Option<u32>,
    columns_per_split: Option<u32>,
    seed: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeatureWritten {
    r#type: KindWritten,
    of: Option<Vec<String>>,
    encode: Option<EncodeWritten>,
    missing: Option<FallbackWritten>,
    unseen: Option<FallbackWritten>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindWritten {
    Integer,
    Decimal,
    Number,
    Boolean,
    Choice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EncodeWritten {
    AsIs,
    Standardised,
    OneHot,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FallbackWritten {
    Refuse,
    /// `{ as: text }`; read by the feature's type.
    As(String),
}

/// A mapping in the order in which it was written.
#[derive(Debug)]
struct Ordered<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Ordered<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping of names")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    entries.push((name, value));
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
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
    pub fn algorithm_named<'a>(&'a self, name: Option<&'a str>) -> Option<(&'a str, Algorithm)> {
        let name = name.unwrap_or(&self.algorithm);
        self.algorithms.get(name).map(|algorithm| (name, *algorithm))
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
    let mut algorithms = BTreeMap::new();
    for (name, algorithm) in &written.algorithms {
        algorithms.insert(name.clone(), shape_algorithm(name, algorithm, findings));
    }
    if !algorithms.contains_key(&written.algorithm) {
        let known: Vec<_> = algorithms.keys().map(|name| format!("`{name}`")).collect();
        let message =
            format!("`algorithm` names `{}`, which `algorithms` does not declare", written.algorithm);
        findings.add("algorithm", message, &format!("one of {}", known.join(", ")));
    }
    let mut features = Vec::new();
    for (name, feature) in written.features.0 {
        features.push(shape_feature(&name, feature, findings));
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
        data: written.data,
        target: written.target,
        split: written.split,
        decimals: written.decimals,
        algorithm: written.algorithm,
        algorithms,
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
    if written.data.separator.is_some_and(|separator| !separator.is_ascii()) {
        findings.add("data", "`separator` is not an ASCII character".to_owned(), "`,` or `;` are usual");
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

fn shape_algorithm(name: &str, written: &AlgorithmWritten, findings: &mut Findings<'_>) -> Algorithm {
    let mut range = |key: &str, fine: bool, says: &str| {
        if !fine {
            findings.add(name, format!("`{key}` of algorithm `{name}` {says}"), "correct it or leave it out");
        }
    };
    match written.kind {
        AlgorithmKind::LogisticRegression => {
            let alpha = written.alpha.unwrap_or(1.0);
            range("alpha", (0.0..=1e6).contains(&alpha), "is not from 0 to 1000000");
            let forest_only = [
                ("trees", written.trees.is_some()),
                ("max_depth", written.max_depth.is_some()),
                ("min_rows_in_leaf", written.min_rows_in_leaf.is_some()),
                ("columns_per_split", written.columns_per_split.is_some()),
                ("seed", written.seed.is_some()),
            ];
            for (key, given) in forest_only {
                range(key, !given, "means nothing to a logistic regression");
            }
            Algorithm::LogisticRegression { alpha }
        }
        AlgorithmKind::Forest => {
            range("alpha", written.alpha.is_none(), "means nothing to a forest");
            let forest = ForestRecipe {
                trees: written.trees.unwrap_or(100),
                max_depth: written.max_depth.unwrap_or(8),
                min_rows_in_leaf: written.min_rows_in_leaf.unwrap_or(1),
                columns_per_split: written.columns_per_split,
                seed: written.seed.unwrap_or(0),
            };
            range("trees", (1..=10_000).contains(&forest.trees), "is not from 1 to 10000");
            range("max_depth", (1..=64).contains(&forest.max_depth), "is not from 1 to 64");
            range("min_rows_in_leaf", forest.min_rows_in_leaf > 0, "is not at least 1");
            range("columns_per_split", forest.columns_per_split != Some(0), "is not at least 1");
            Algorithm::Forest(forest)
        }
    }
}

fn shape_feature(name: &str, written: FeatureWritten, findings: &mut Findings<'_>) -> RecipeFeature {
    let is_choice = written.r#type == KindWritten::Choice;
    let is_number =
        matches!(written.r#type, KindWritten::Integer | KindWritten::Decimal | KindWritten::Number);
    let kind = match written.r#type {
        KindWritten::Integer => Kind::Integer,
        KindWritten::Decimal => Kind::Decimal,
        KindWritten::Number => Kind::Number,
        KindWritten::Boolean => Kind::Boolean,
        KindWritten::Choice => {
            Kind::Choice(written.of.iter().flatten().map(|category| Arc::from(category.as_str())).collect())
        }
    };
    if is_choice && written.of.as_ref().is_none_or(Vec::is_empty) {
        findings.add(
            name,
            format!("feature `{name}` is a choice of nothing"),
            "list its categories under `of:`",
        );
    }
    if !is_choice && written.of.is_some() {
        findings.add(
            name,
            format!("feature `{name}` has `of:` and is no choice"),
            "`type: choice`, or leave it out",
        );
    }
    let fits = match written.encode {
        None => true,
        Some(EncodeWritten::AsIs) => !is_choice,
        Some(EncodeWritten::Standardised) => is_number,
        Some(EncodeWritten::OneHot) => is_choice,
    };
    if !fits {
        let help = "numbers: `as_is` or `standardised`; a choice: `one_hot`; a boolean: `as_is`";
        findings.add(name, format!("feature `{name}` cannot be encoded like this"), help);
    }
    let numbers = match written.encode {
        Some(EncodeWritten::Standardised) => Numbers::Standardised,
        Some(EncodeWritten::AsIs) => Numbers::AsIs,
        _ => Numbers::AsTheAlgorithmLikes,
    };
    if !is_choice && written.unseen.is_some() {
        let message = format!("feature `{name}` says `unseen:` and is no choice");
        findings.add(name, message, "only a choice can meet an unseen category");
    }
    let mut fallback = |word: &str, written: Option<FallbackWritten>| match written {
        None | Some(FallbackWritten::Refuse) => Fallback::Refuse,
        Some(FallbackWritten::As(text)) => match read_cell(&kind, &text) {
            Some(value) if is_declared(&kind, &value) => Fallback::As(value),
            _ => {
                let message = format!("`{word}` of feature `{name}` stands for what the feature cannot be");
                findings.add(name, message, "a value of its type, or one of its categories");
                Fallback::Refuse
            }
        },
    };
    let missing = fallback("missing", written.missing);
    let unseen = fallback("unseen", written.unseen.filter(|_| is_choice));
    RecipeFeature { name: Arc::from(name), kind, numbers, missing, unseen }
}

fn is_declared(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Choice(categories), Value::Text(text)) => categories.contains(text),
        (_, value) => *value != Value::Missing,
    }
}

/// A cell of a table, or a value of a recipe, as a value of `kind`; empty is missing; `None` when it is no such value.
pub(super) fn read_cell(kind: &Kind, text: &str) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Missing);
    }
    match kind {
        Kind::Integer => text.parse().ok().map(Value::Integer),
        Kind::Decimal => rust_decimal::Decimal::from_str_exact(text).ok().map(Value::Decimal),
        Kind::Number => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number),
        Kind::Boolean => match text {
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        Kind::Choice(_) => Some(Value::text(text)),
        _ => None,
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
