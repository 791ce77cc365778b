//! The names that an expression may read, and what it did read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rust_decimal::Decimal;

use super::typed::{Static, Typed};
use crate::domain::list::List;
use crate::domain::value::{Field, Kind, Name, Value};

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

/// A model as scripts ask it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedModel {
    pub name: Name,
    /// `None`: it could not be found, and nothing is said of what it gives.
    pub gives: Option<ModelGives>,
}

/// What a model's answer has.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelGives {
    /// `german_credit version 3`
    pub version: String,
    pub is_probability: bool,
    /// What its score is: `points`, `log_odds`, …
    pub score: &'static str,
    /// What `.contributions` holds.
    pub contributions: Arc<BTreeMap<Name, Field>>,
    /// Every code that it may give as a reason.
    pub reasons: BTreeSet<Name>,
    /// Why its answers cannot be explained, if they cannot.
    pub not_explainable: Option<&'static str>,
    pub fallback: FallbackGives,
}

/// What can be read of what stands in for a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FallbackGives {
    /// Nothing stands in, or the script ends where it reads the answer.
    Nothing,
    Answer {
        has_score: bool,
        has_reasons: bool,
    },
    /// Whatever this model gives.
    Model(Name),
}

/// A scorecard as scripts call it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedScorecard {
    pub name: Name,
    pub takes: Vec<(Name, Kind)>,
}

/// A table as scripts call it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedTable {
    pub name: Name,
    /// Columns that are neither input nor feature: the call hands them over. One whose type no document says takes
    /// the type of what is handed over.
    pub takes: Vec<(Name, Option<Kind>)>,
    /// What `.name` of its result is. Empty: its file could not be read, and nothing is said of what it gives.
    pub outputs: Vec<(Name, Static)>,
    /// It has `-> outcome`, so `.apply()` has something to record.
    pub has_outcome: bool,
}

/// A flow that scripts call.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedFlow {
    pub name: Name,
    pub answers: ScopedAnswers,
}

/// Whether a flow can be asked, and what it then takes and gives.
#[derive(Debug, Clone, PartialEq)]
pub enum ScopedAnswers {
    Flow(Box<ScopedSubFlow>),
    /// It does not check.
    Broken,
    /// It asks this flow in turn, by this way.
    Cycle(Vec<String>),
    /// It checks, and still cannot be asked here.
    Refused {
        message: String,
        help: &'static str,
    },
    /// Known for the sake of near names.
    Uncalled,
}

/// A flow that can be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedSubFlow {
    /// Its inputs; those that the call does not hand over are read by name.
    pub takes: Vec<(Name, Field)>,
    /// What `.output` holds; any of it may be missing, for not every outcome carries it.
    pub outputs: Arc<BTreeMap<Name, Field>>,
    /// What `.scores` holds.
    pub scores: Arc<BTreeMap<Name, Field>>,
    /// Mildest first.
    pub outcomes: Arc<[Name]>,
}

/// What scripts may ask the caller for.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedNeed {
    pub name: Name,
    pub of: Arc<BTreeMap<Name, Field>>,
    pub with: BTreeMap<Name, Field>,
    /// It may be missing.
    pub optional: bool,
}

/// A list that conditions look things up in.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopedList {
    pub name: Name,
    pub is_shared: bool,
    pub list: Arc<List>,
    /// The file of its entries.
    pub file: u32,
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
    pub models: Vec<ScopedModel>,
    pub rule_sets: Vec<ScopedRuleSet>,
    pub scorecards: Vec<ScopedScorecard>,
    pub tables: Vec<ScopedTable>,
    pub flows: Vec<ScopedFlow>,
    pub needs: Vec<ScopedNeed>,
    pub lists: Vec<ScopedList>,
    /// Mildest first.
    pub outcomes: Vec<Name>,
    pub reasons: Vec<ScopedReason>,
    pub outputs: Vec<ScopedOutput>,
    /// Input, and the only rule sets, scorecards and tables that may read it.
    pub protected: Vec<(Name, Vec<String>)>,
}

impl Scope {
    /// Whether an input, a feature, a threshold or a list has this name.
    #[must_use]
    pub fn declares(&self, name: &str) -> bool {
        self.inputs.iter().chain(&self.features).any(|(n, _)| &**n == name)
            || self.thresholds.iter().any(|(n, _)| &**n == name)
            || self.lists.iter().any(|list| &*list.name == name)
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
    /// The body of a shared function: pure, so that anything may call it.
    Function,
}

/// What was named, for `unused` findings, traces and protected inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Inputs, features and thresholds read.
    pub reads: BTreeSet<Name>,
    pub models: BTreeSet<Name>,
    pub rule_sets: BTreeSet<Name>,
    pub scorecards: BTreeSet<Name>,
    pub tables: BTreeSet<Name>,
    pub flows: BTreeSet<Name>,
    pub needs: BTreeSet<Name>,
    pub lists: BTreeSet<Name>,
    /// Functions called, also from within functions.
    pub functions: BTreeSet<Name>,
    pub outcomes: BTreeSet<Name>,
    pub reasons: BTreeSet<Name>,
    /// What calls hand over where no document says its type: table, name, type.
    pub handed: Vec<(Name, Name, Typed)>,
}

impl Usage {
    pub fn add(&mut self, other: &Self) {
        self.reads.extend(other.reads.iter().cloned());
        self.models.extend(other.models.iter().cloned());
        self.rule_sets.extend(other.rule_sets.iter().cloned());
        self.scorecards.extend(other.scorecards.iter().cloned());
        self.tables.extend(other.tables.iter().cloned());
        self.flows.extend(other.flows.iter().cloned());
        self.needs.extend(other.needs.iter().cloned());
        self.lists.extend(other.lists.iter().cloned());
        self.functions.extend(other.functions.iter().cloned());
        self.outcomes.extend(other.outcomes.iter().cloned());
        self.reasons.extend(other.reasons.iter().cloned());
        self.handed.extend(other.handed.iter().cloned());
    }
}

/// Index of a name in a list of named things.
#[must_use]
pub fn position<T>(all: &[(Name, T)], name: &str) -> Option<u16> {
    all.iter().position(|(n, _)| &**n == name).and_then(|at| u16::try_from(at).ok())
}
