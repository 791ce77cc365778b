//! `train.yaml` as it is written: shapes and words, nothing meant yet.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::model::{Beyond, ExplainWhen};

use super::{CrossValidation, DataFile, SplitRecipe, Target, Trend};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub model: String,
    pub title: Option<String>,
    pub flow: Option<String>,
    pub at: Option<String>,
    pub data: DataFile,
    pub target: Target,
    pub split: SplitRecipe,
    pub cv: Option<CrossValidation>,
    #[serde(default = "six")]
    pub decimals: u32,
    pub cut_off: Option<f64>,
    #[serde(default)]
    pub explain: ExplainWritten,
    pub algorithm: String,
    pub algorithms: BTreeMap<String, AlgorithmWritten>,
    pub features: Ordered<FeatureWritten>,
    #[serde(default)]
    pub left_out: Vec<super::LeftOut>,
    #[serde(default)]
    pub known_limits: Vec<String>,
}

fn six() -> u32 {
    6
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AlgorithmKind {
    LogisticRegression,
    DecisionTree,
    Forest,
    ExtraTrees,
    Scorecard,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlgorithmWritten {
    pub kind: AlgorithmKind,
    #[serde(default)]
    pub grid: Option<GridWritten>,
    pub alpha: Option<f64>,
    pub trees: Option<u32>,
    pub max_depth: Option<u16>,
    pub min_rows_in_leaf: Option<u32>,
    pub columns_per_split: Option<u32>,
    pub seed: Option<u64>,
    pub max_bins: Option<u32>,
    pub min_bin_share: Option<f64>,
    pub min_information_value: Option<f64>,
    pub pdo: Option<f64>,
    pub base_odds: Option<f64>,
    pub base_points: Option<f64>,
}

/// Lists of values to try, one for each parameter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GridWritten {
    pub alpha: Option<Vec<f64>>,
    pub trees: Option<Vec<u32>>,
    pub max_depth: Option<Vec<u16>>,
    pub min_rows_in_leaf: Option<Vec<u32>>,
    pub columns_per_split: Option<Vec<u32>>,
    pub max_bins: Option<Vec<u32>>,
    pub min_bin_share: Option<Vec<f64>>,
    pub min_information_value: Option<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureWritten {
    pub r#type: KindWritten,
    pub of: Option<Vec<String>>,
    pub encode: Option<EncodeWritten>,
    pub missing: Option<MissingWritten>,
    pub unseen: Option<UnseenWritten>,
    pub out_of_range: Option<BeyondWritten>,
    pub reason: Option<String>,
    pub cuts: Option<Vec<f64>>,
    pub trend: Option<Trend>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindWritten {
    Integer,
    Decimal,
    Number,
    Boolean,
    Choice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EncodeWritten {
    AsIs,
    Standardised,
    OneHot,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MissingWritten {
    Refuse,
    Median,
    MostFrequent,
    Zero,
    Own,
    /// `{ as: text }`; read by the feature's type.
    As(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum UnseenWritten {
    Refuse,
    Zero,
    As(String),
}

/// When the model explains its answers beside the times that somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::learn) enum ExplainWritten {
    #[default]
    Asked,
    Adverse,
    Always,
}

impl From<ExplainWritten> for ExplainWhen {
    fn from(written: ExplainWritten) -> Self {
        match written {
            ExplainWritten::Asked => Self::Asked,
            ExplainWritten::Adverse => Self::Adverse,
            ExplainWritten::Always => Self::Always,
        }
    }
}

/// What a number beyond those of the data becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::learn) enum BeyondWritten {
    Keep,
    Clip,
    Refuse,
}

impl From<BeyondWritten> for Beyond {
    fn from(written: BeyondWritten) -> Self {
        match written {
            BeyondWritten::Keep => Self::Keep,
            BeyondWritten::Clip => Self::Clip,
            BeyondWritten::Refuse => Self::Refuse,
        }
    }
}

/// A mapping in the order in which it was written.
#[derive(Debug)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

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
