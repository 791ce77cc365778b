//! How an artefact stores its features: types, encodings, and what stands for values that are missing or unseen.
//! No checks of what fits together: the domain makes those when it puts the model together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ArtefactError;
use crate::domain::model::{Beyond, Bins, Encoding, Fallback, Feature, Range};
use crate::domain::value::{Kind, Value};
use crate::learn::golden;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureStored {
    pub(super) name: String,
    r#type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<Vec<String>>,
    encode: EncodeStored,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing_as: Option<serde_json::Value>,
    /// What else a missing value is (format 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing_is: Option<AbsentStored>,
    /// Whether a further column says that the value was missing (format 2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    missing_column: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unseen_as: Option<String>,
    /// What else an unseen category is (format 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unseen_is: Option<AbsentStored>,
    /// The numbers that it was fitted on, and what becomes of others (format 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<RangeStored>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeStored {
    low: f64,
    high: f64,
    beyond: BeyondStored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BeyondStored {
    Keep,
    Clip,
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AbsentStored {
    /// One-hot columns that all stay 0.
    Zero,
    /// A bin of its own, or what the model itself does with it.
    Own,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum EncodeStored {
    AsIs,
    Standardised {
        mean: f64,
        scale: f64,
    },
    OneHot,
    /// Format 2: the place of the category.
    Code,
    /// Format 2.
    Bins {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cuts: Vec<f64>,
        worth: Vec<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unseen: Option<f64>,
    },
}

impl FeatureStored {
    /// Whether only format 2 can say what it says.
    pub(super) fn is_newer(&self) -> bool {
        self.missing_column
            || self.missing_is.is_some()
            || self.unseen_is.is_some()
            || self.range.is_some()
            || matches!(self.encode, EncodeStored::Bins { .. } | EncodeStored::Code)
    }
}

pub(super) fn store_feature(feature: &Feature) -> FeatureStored {
    let of = match &feature.kind {
        Kind::Choice(categories) => Some(categories.iter().map(|category| category.to_string()).collect()),
        _ => None,
    };
    FeatureStored {
        name: feature.name.to_string(),
        r#type: feature.kind.word().to_owned(),
        of,
        encode: match &feature.encoding {
            Encoding::AsIs => EncodeStored::AsIs,
            Encoding::Standardised { mean, scale } => {
                EncodeStored::Standardised { mean: *mean, scale: *scale }
            }
            Encoding::OneHot => EncodeStored::OneHot,
            Encoding::Code => EncodeStored::Code,
            Encoding::Binned(Bins { cuts, worth, missing, unseen }) => EncodeStored::Bins {
                cuts: cuts.to_vec(),
                worth: worth.to_vec(),
                missing: *missing,
                unseen: *unseen,
            },
        },
        missing_as: match &feature.missing {
            Fallback::As(value) => Some(golden::store(value)),
            _ => None,
        },
        missing_is: absent(&feature.missing),
        missing_column: feature.flags_missing,
        unseen_as: match &feature.unseen {
            Fallback::As(Value::Text(category)) => Some(category.to_string()),
            _ => None,
        },
        unseen_is: absent(&feature.unseen),
        range: feature.range.map(|Range { low, high, beyond }| RangeStored {
            low,
            high,
            beyond: match beyond {
                Beyond::Keep => BeyondStored::Keep,
                Beyond::Clip => BeyondStored::Clip,
                Beyond::Refuse => BeyondStored::Refuse,
            },
        }),
    }
}

fn absent(fallback: &Fallback) -> Option<AbsentStored> {
    match fallback {
        Fallback::Refuse | Fallback::As(_) => None,
        Fallback::Zero => Some(AbsentStored::Zero),
        Fallback::Own => Some(AbsentStored::Own),
    }
}

pub(super) fn read_feature(stored: &FeatureStored) -> Result<Feature, ArtefactError> {
    let wrong = |problem| ArtefactError::Feature { name: stored.name.clone(), problem };
    let kind = match (stored.r#type.as_str(), &stored.of) {
        ("integer", None) => Kind::Integer,
        ("decimal", None) => Kind::Decimal,
        ("number", None) => Kind::Number,
        ("boolean", None) => Kind::Boolean,
        ("choice", Some(of)) => {
            Kind::Choice(of.iter().map(|category| Arc::from(category.as_str())).collect())
        }
        ("choice", None) => return Err(wrong("a choice needs `of`")),
        ("integer" | "decimal" | "number" | "boolean", Some(_)) => {
            return Err(wrong("only a choice has `of`"));
        }
        _ => return Err(wrong("its type is none that a model reads")),
    };
    let missing = match (&stored.missing_as, stored.missing_is) {
        (None, None) => Fallback::Refuse,
        (Some(value), None) => {
            let value = golden::read(&kind, value);
            Fallback::As(value.ok_or_else(|| wrong("`missing_as` is not of its type"))?)
        }
        (None, Some(other)) => other.fallback(),
        (Some(_), Some(_)) => return Err(wrong("it has both `missing_as` and `missing_is`")),
    };
    let unseen = match (stored.unseen_as.as_deref(), stored.unseen_is) {
        (None, None) => Fallback::Refuse,
        (Some(text), None) => Fallback::As(Value::text(text)),
        (None, Some(other)) => other.fallback(),
        (Some(_), Some(_)) => return Err(wrong("it has both `unseen_as` and `unseen_is`")),
    };
    let encoding = match &stored.encode {
        EncodeStored::AsIs => Encoding::AsIs,
        EncodeStored::Standardised { mean, scale } => Encoding::Standardised { mean: *mean, scale: *scale },
        EncodeStored::OneHot => Encoding::OneHot,
        EncodeStored::Code => Encoding::Code,
        EncodeStored::Bins { cuts, worth, missing, unseen } => Encoding::Binned(Bins {
            cuts: Arc::from(cuts.as_slice()),
            worth: Arc::from(worth.as_slice()),
            missing: *missing,
            unseen: *unseen,
        }),
    };
    let name = Arc::from(stored.name.as_str());
    let range = stored.range.map(|RangeStored { low, high, beyond }| Range {
        low,
        high,
        beyond: match beyond {
            BeyondStored::Keep => Beyond::Keep,
            BeyondStored::Clip => Beyond::Clip,
            BeyondStored::Refuse => Beyond::Refuse,
        },
    });
    Ok(Feature { name, kind, encoding, missing, flags_missing: stored.missing_column, unseen, range })
}

impl AbsentStored {
    fn fallback(self) -> Fallback {
        match self {
            Self::Zero => Fallback::Zero,
            Self::Own => Fallback::Own,
        }
    }
}
