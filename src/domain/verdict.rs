//! What the pure part of a decision says: outcome, ranked reasons, outputs, scores, features, failures and
//! the trace of how it came about. No identity and no time: those make it a decision, and are the engine's.

use std::sync::Arc;

use super::value::{Name, Value};

/// The answer of one evaluation of one flow. It always exists: a failure is part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub outcome: Name,
    /// Ranked: strictest first, then by contribution, then in the order recorded. Codes are unique.
    pub reasons: Vec<Name>,
    /// In the declared order of the flow's outputs.
    pub output: Vec<(Name, Value)>,
    /// Scores of models (and later scorecards) that were asked, in the order asked.
    pub scores: Vec<(Name, Score)>,
    /// One entry for each declared feature, in the declared order.
    pub features: Vec<(Name, FeatureState)>,
    /// What could not be evaluated, in order.
    pub failures: Vec<Failure>,
    /// `on_error` was recorded: something that the flow needed had failed.
    pub degraded: bool,
    /// Digest of the version behind each model name, in the declared order.
    pub models: Vec<(Name, Arc<str>)>,
    pub trace: Vec<Step>,
    /// Ticks the evaluation took; where the wall-clock guard stopped it, the tick at which it did.
    pub ticks: u64,
    pub stopped_at: Option<u64>,
}

/// A score as the flow saw it and as the model gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Rounded to the declared decimals, half-even: what thresholds met.
    pub rounded: f64,
    /// To the last bit.
    pub raw: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FeatureState {
    Unread,
    Value(Value),
    Failed,
}

/// A step that could not be evaluated. Never holds a fact's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable code: `missing_value`, `division_by_zero`, `not_finite`, `overflow`, `wrong_type`, `model_failed`,
    /// `out_of_budget`, `no_outcome`, …
    pub code: &'static str,
    /// Which step: `feature burden`, `rule heavy_instalment in knockout`, `flow.rhai`.
    pub step: String,
    /// 1-based line of the file that the step stands in, 0 if it has none.
    pub line: u32,
    pub detail: String,
}

/// One thing that happened, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A feature was computed (on its first read).
    Feature { name: Name, value: Option<Value>, reads: Arc<[Name]> },
    /// A rule set was evaluated (once a request; later uses are remembered).
    Rules { name: Name, rules: Vec<RuleTrace>, points: i64 },
    /// A model was asked.
    Model { name: Name, model: Arc<str>, version: u32, score: Option<Score>, fallback: bool },
    /// A verb or an applied rule set recorded an outcome.
    Record { outcome: Name, reasons: Vec<Name>, output: Vec<(Name, Value)>, by: RecordedBy, line: u32 },
    /// Something failed.
    Failed(Failure),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedBy {
    /// `decline(…)` in the script.
    Verb,
    /// `.apply()` of this rule set, for this rule.
    Rule {
        rule_set: Name,
        rule: Name,
    },
    OnError,
    OnInvalid,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RuleTrace {
    pub id: Name,
    pub result: RuleResult,
    /// Names that the condition read.
    pub reads: Arc<[Name]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleResult {
    Hit,
    Miss,
    Failed,
}

impl RuleResult {
    /// The word for it in traces.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Failed => "failed",
        }
    }
}
