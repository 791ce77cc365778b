//! The names that an expression may read, and what it did read.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::typed::Static;
use crate::domain::value::{Kind, Name, Value};

/// A threshold's value: exact as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Threshold {
    Value(Value),
    /// With a fraction: a decimal beside decimals, a number elsewhere.
    Literal {
        number: f64,
        decimal: Decimal,
    },
}

/// A rule set as scripts call it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedRuleSet {
    pub name: Name,
    /// What the call hands over, by name and type.
    pub takes: Vec<(Name, Kind)>,
}

/// A declared reason as verbs name it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedReason {
    pub code: Name,
    /// `kind: score`
    pub is_score: bool,
}

/// A declared output as verbs carry it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedOutput {
    pub name: Name,
    pub kind: Kind,
    pub optional: bool,
}

/// Everything that can be named in one flow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    pub inputs: Vec<(Name, Static)>,
    /// Features whose type is known so far; a formula sees only earlier ones.
    pub features: Vec<(Name, Static)>,
    pub thresholds: Vec<(Name, Threshold)>,
    pub models: Vec<Name>,
    pub rule_sets: Vec<ScopedRuleSet>,
    /// Mildest first.
    pub outcomes: Vec<Name>,
    pub reasons: Vec<ScopedReason>,
    pub outputs: Vec<ScopedOutput>,
    /// Input, and the only rule sets that may read it.
    pub protected: Vec<(Name, Vec<String>)>,
}

impl Scope {
    /// Whether an input, a feature or a threshold has this name.
    #[must_use]
    pub fn declares(&self, name: &str) -> bool {
        self.inputs.iter().chain(&self.features).any(|(n, _)| &**n == name)
            || self.thresholds.iter().any(|(n, _)| &**n == name)
    }
}

/// What an expression stands for: it decides which names and words are open to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role<'a> {
    Feature,
    /// A rule's condition, in this rule set; `takes` are its first locals.
    Condition {
        rule_set: &'a str,
        takes: &'a [(Name, Kind)],
    },
    Script,
}

/// What was named, for `unused` findings, traces and protected inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Inputs, features and thresholds read.
    pub reads: BTreeSet<Name>,
    pub models: BTreeSet<Name>,
    pub rule_sets: BTreeSet<Name>,
    pub outcomes: BTreeSet<Name>,
    pub reasons: BTreeSet<Name>,
}

impl Usage {
    pub fn add(&mut self, other: &Self) {
        self.reads.extend(other.reads.iter().cloned());
        self.models.extend(other.models.iter().cloned());
        self.rule_sets.extend(other.rule_sets.iter().cloned());
        self.outcomes.extend(other.outcomes.iter().cloned());
        self.reasons.extend(other.reasons.iter().cloned());
    }
}

/// Index of a name in a list of named things.
#[must_use]
pub fn position<T>(all: &[(Name, T)], name: &str) -> Option<u16> {
    all.iter().position(|(n, _)| &**n == name).and_then(|at| u16::try_from(at).ok())
}
