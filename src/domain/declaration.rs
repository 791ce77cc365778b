//! A flow as its documents declare it: parsed and shaped, with the place of each word, but not yet checked
//! against itself. `Flow::compile` turns it into a flow that cannot be wrong, or says everything that is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::Model;
use super::place::{Located, Place};
use super::value::Kind;

/// `flow.yaml`, `flow.rhai` and the rule sets of one flow.
#[derive(Debug, Clone)]
pub struct FlowDeclaration {
    pub name: Located<String>,
    pub title: Option<String>,
    pub owner: Option<String>,
    /// The input that says whom the decision is about.
    pub subject: Option<Located<String>>,
    /// IANA name; UTC if left out.
    pub time_zone: Option<Located<String>>,
    pub inputs: Vec<InputDeclaration>,
    pub unknown_inputs: UnknownInputs,
    /// Input, and the rule sets in which it may be read.
    pub protected: Vec<(Located<String>, Vec<Located<String>>)>,
    pub features: Vec<FeatureDeclaration>,
    pub thresholds: Vec<ThresholdDeclaration>,
    pub models: Vec<ModelUseDeclaration>,
    pub outputs: Vec<OutputDeclaration>,
    /// Mildest first.
    pub outcomes: Vec<Located<String>>,
    pub reasons: Vec<ReasonDeclaration>,
    pub on_error: OnErrorDeclaration,
    pub on_invalid: OnInvalid,
    pub deadline_ms: u64,
    /// Where `flow.yaml` begins, for findings about the whole document.
    pub place: Place,
    pub rule_sets: Vec<RuleSetDeclaration>,
    /// The text of `flow.rhai`; its place starts at byte 0 of that file.
    pub script: Located<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownInputs {
    #[default]
    Refuse,
    /// Kept in the record, unread.
    Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Personal {
    #[default]
    No,
    /// Identifies a person: shown masked, searched by keyed hash.
    Key,
    /// Shown masked.
    Mask,
}

#[derive(Debug, Clone)]
pub struct InputDeclaration {
    pub name: Located<String>,
    pub kind: Kind,
    pub optional: bool,
    /// Source text of the bound, inclusive.
    pub min: Option<Located<String>>,
    pub max: Option<Located<String>>,
    pub unit: Option<String>,
    pub personal: Personal,
}

#[derive(Debug, Clone)]
pub struct FeatureDeclaration {
    pub name: Located<String>,
    /// The place is that of the text's first byte, inside quotes if there are any.
    pub formula: Located<String>,
}

/// `name: literal`. Numbers keep their source text so that decimals stay exact.
#[derive(Debug, Clone)]
pub struct ThresholdDeclaration {
    pub name: Located<String>,
    pub literal: Located<ThresholdLiteral>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThresholdLiteral {
    Number(String),
    Boolean(bool),
    Text(String),
}

#[derive(Debug, Clone)]
pub struct ModelUseDeclaration {
    /// The name that the script uses.
    pub name: Located<String>,
    /// `german_credit@champion`, as written.
    pub reference: Located<String>,
    /// The version that the reference resolved to; `None` when that failed (and was reported).
    pub model: Option<Arc<Model>>,
    /// Probability to use when the model cannot answer.
    pub if_it_fails: Option<Located<f64>>,
}

#[derive(Debug, Clone)]
pub struct OutputDeclaration {
    pub name: Located<String>,
    pub kind: Kind,
    pub optional: bool,
    pub min: Option<Located<String>>,
    pub max: Option<Located<String>>,
}

#[derive(Debug, Clone)]
pub struct ReasonDeclaration {
    pub code: Located<String>,
    /// Language tag → text.
    pub texts: BTreeMap<String, String>,
    /// `kind: score`: says only that a score was too high or low.
    pub is_score: bool,
}

#[derive(Debug, Clone)]
pub struct OnErrorDeclaration {
    pub outcome: Located<String>,
    pub reason: Located<String>,
}

/// What happens with facts of the right type that are out of range.
#[derive(Debug, Clone, Default)]
pub enum OnInvalid {
    #[default]
    Refuse,
    Record {
        outcome: Located<String>,
        reason: Located<String>,
    },
}

#[derive(Debug, Clone)]
pub struct RuleSetDeclaration {
    /// The file's name before its first dot.
    pub name: Located<String>,
    pub hit_policy: HitPolicy,
    pub takes: Vec<(Located<String>, Kind)>,
    pub rules: Vec<RuleDeclaration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HitPolicy {
    /// Every hit counts.
    #[default]
    Collect,
    /// The first hit (or failure) ends the set.
    First,
}

#[derive(Debug, Clone)]
pub struct RuleDeclaration {
    pub id: Located<String>,
    /// The place is that of the condition's first byte, inside quotes if there are any.
    pub when: Located<String>,
    pub outcome: Option<Located<String>>,
    pub reason: Option<Located<String>>,
    pub points: Option<Located<i64>>,
}
