//! The recipe's features: types, encodings, and what stands for values that are missing or unseen.

use std::sync::Arc;

use serde::Deserialize;

use super::Findings;
use super::written::{EncodeWritten, FeatureWritten, KindWritten, MissingWritten, UnseenWritten};
use crate::domain::model::Beyond;
use crate::domain::value::{Kind, Name, Value};

#[derive(Debug, Clone, PartialEq)]
pub struct RecipeFeature {
    pub name: Name,
    pub kind: Kind,
    pub numbers: Numbers,
    pub missing: Missing,
    pub unseen: Unseen,
    /// What a number becomes that is beyond those of the data; `None` is as it comes, unnoted.
    pub beyond: Option<Beyond>,
    /// The code that a decision gives when this feature spoke against the applicant.
    pub reason: Option<Name>,
    /// Where a scorecard's bins begin, for a number; found from the data when empty.
    pub cuts: Vec<f64>,
    pub trend: Trend,
}

/// How a number becomes a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// Standardised for a logistic regression, as it is for trees.
    #[default]
    AsTheAlgorithmLikes,
    AsIs,
    Standardised,
}

/// What a value that was not given stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// The model does not answer.
    Refuse,
    As(Value),
    /// The median of the training rows; of an even number of values the lower of the two in the middle.
    Median,
    /// The most frequent value of the training rows; of equally frequent ones the first in order.
    MostFrequent,
    /// No evidence either way: one-hot columns stay 0, a scorecard gives the points of an average applicant.
    Zero,
    /// A thing of its own: a bin of a scorecard; elsewhere a column that is 1 when it is missing, beside the
    /// median (a number), false (a boolean) or no category (a choice).
    Own,
}

/// What a category that was not declared stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Unseen {
    Refuse,
    As(Value),
    /// As [`Missing::Zero`].
    Zero,
}

/// How the bad rate may go over the bins of a number in a scorecard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Rising or falling, whichever tells more.
    #[default]
    Auto,
    /// A higher value is riskier.
    Rising,
    /// A higher value is safer.
    Falling,
    /// As it comes.
    Any,
}

pub(super) fn shape(name: &str, written: FeatureWritten, findings: &mut Findings<'_>) -> RecipeFeature {
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
    let mut wrong = |message: String, help: &str| findings.add(name, message, help);
    if is_choice && written.of.as_ref().is_none_or(Vec::is_empty) {
        wrong(format!("feature `{name}` is a choice of nothing"), "list its categories under `of:`");
    }
    if !is_choice && written.of.is_some() {
        wrong(format!("feature `{name}` has `of:` and is no choice"), "`type: choice`, or leave it out");
    }
    let fits = match written.encode {
        None => true,
        Some(EncodeWritten::AsIs) => !is_choice,
        Some(EncodeWritten::Standardised) => is_number,
        Some(EncodeWritten::OneHot) => is_choice,
    };
    if !fits {
        let help = "numbers: `as_is` or `standardised`; a choice: `one_hot`; a boolean: `as_is`";
        wrong(format!("feature `{name}` cannot be encoded like this"), help);
    }
    let numbers = match written.encode {
        Some(EncodeWritten::Standardised) => Numbers::Standardised,
        Some(EncodeWritten::AsIs) => Numbers::AsIs,
        _ => Numbers::AsTheAlgorithmLikes,
    };
    if !is_choice && written.unseen.is_some() {
        let message = format!("feature `{name}` says `unseen:` and is no choice");
        wrong(message, "only a choice can meet an unseen category");
    }
    let cuts = written.cuts.unwrap_or_default();
    let ascend = cuts.iter().all(|cut| cut.is_finite())
        && cuts.iter().zip(cuts.iter().skip(1)).all(|(low, high)| low < high);
    if !ascend || cuts.len() > 49 {
        wrong(
            format!("`cuts` of feature `{name}` do not ascend, or are more than 49"),
            "`cuts: [12, 24, 36]`",
        );
    }
    if !is_number && (!cuts.is_empty() || written.trend.is_some()) {
        let message = format!("feature `{name}` has `cuts:` or `trend:` and is no number");
        wrong(message, "leave them out: the categories are grouped by their bad rates");
    }
    if written.reason.as_deref().is_some_and(|reason| !crate::learn::library::is_name(reason)) {
        let message = format!("`reason` of feature `{name}` cannot be a reason code");
        wrong(message, "letters, digits and `_`, beginning with a letter");
    }
    if !is_number && written.out_of_range.is_some() {
        let message = format!("feature `{name}` says `out_of_range:` and is no number");
        wrong(message, "leave it out: only numbers have a range");
    }
    let beyond = written.out_of_range.map(Beyond::from);
    let missing = missing(name, &kind, written.missing, findings);
    let unseen = unseen(name, &kind, written.unseen.filter(|_| is_choice), findings);
    let reason = written.reason.map(Arc::from);
    let trend = written.trend.unwrap_or_default();
    RecipeFeature { name: Arc::from(name), kind, numbers, missing, unseen, beyond, reason, cuts, trend }
}

fn missing(name: &str, kind: &Kind, written: Option<MissingWritten>, findings: &mut Findings<'_>) -> Missing {
    let is_number = matches!(kind, Kind::Integer | Kind::Decimal | Kind::Number);
    match written {
        None | Some(MissingWritten::Refuse) => Missing::Refuse,
        Some(MissingWritten::Median) if is_number => Missing::Median,
        Some(MissingWritten::Zero) if matches!(kind, Kind::Choice(_)) => Missing::Zero,
        Some(MissingWritten::MostFrequent) => Missing::MostFrequent,
        Some(MissingWritten::Own) => Missing::Own,
        Some(MissingWritten::As(text)) => {
            stands_for(name, "missing", kind, &text, findings).map_or(Missing::Refuse, Missing::As)
        }
        Some(MissingWritten::Median | MissingWritten::Zero) => {
            let message = format!("`missing` of feature `{name}` is not for its type");
            findings.add(name, message, "`median` is for numbers, `zero` for choices; `own` is for all");
            Missing::Refuse
        }
    }
}

fn unseen(name: &str, kind: &Kind, written: Option<UnseenWritten>, findings: &mut Findings<'_>) -> Unseen {
    match written {
        None | Some(UnseenWritten::Refuse) => Unseen::Refuse,
        Some(UnseenWritten::Zero) => Unseen::Zero,
        Some(UnseenWritten::As(text)) => {
            stands_for(name, "unseen", kind, &text, findings).map_or(Unseen::Refuse, Unseen::As)
        }
    }
}

fn stands_for(name: &str, word: &str, kind: &Kind, text: &str, findings: &mut Findings<'_>) -> Option<Value> {
    let value = read_cell(kind, text).filter(|value| is_declared(kind, value));
    if value.is_none() {
        let message = format!("`{word}` of feature `{name}` stands for what the feature cannot be");
        findings.add(name, message, "a value of its type, or one of its categories");
    }
    value
}

fn is_declared(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Choice(categories), Value::Text(text)) => categories.contains(text),
        (_, value) => *value != Value::Missing,
    }
}

/// A cell of a table, or a value of a recipe, as a value of `kind`; empty is missing; `None` when it is no such value.
pub(in crate::learn) fn read_cell(kind: &Kind, text: &str) -> Option<Value> {
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
        Kind::Choice(categories) => {
            // A million rows share the declared texts instead of holding one each.
            let known = categories.iter().find(|category| ***category == *text);
            Some(known.map_or_else(|| Value::text(text), |known| Value::Text(known.clone())))
        }
        _ => None,
    }
}
