//! What the pure part of a decision says: outcome, ranked reasons, outputs, scores, features, failures and
//! the trace of how it came about. No identity and no time: those make it a decision, and are the engine's.

use std::sync::Arc;

use super::model::{InputNote, Model, ReasonCode, Space};
use super::value::{Name, Value};

/// The answer of one evaluation of one flow. It always exists: a failure is part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Not empty: nothing is decided yet, the caller has to give these first. Outcome and reasons then mean nothing.
    pub needs: Vec<NeedAsked>,
    pub outcome: Name,
    /// Ranked: strictest first, then by contribution, then in the order recorded. Codes are unique.
    pub reasons: Vec<Name>,
    /// In the declared order of the flow's outputs.
    pub output: Vec<(Name, Value)>,
    /// Scores of models and points of scorecards that were asked, in the order asked.
    pub scores: Vec<(Name, Score)>,
    /// One entry for each declared feature, in the declared order.
    pub features: Vec<(Name, FeatureState)>,
    /// What could not be evaluated, in order.
    pub failures: Vec<Failure>,
    /// `on_error` was recorded, or something stood in for an answer from another server: what the flow needed had failed.
    pub degraded: bool,
    /// Digest of the version behind each model name, in the declared order.
    pub models: Vec<(Name, Arc<str>)>,
    pub trace: Vec<Step>,
    /// What models on this machine answered, those that other flows asked too. Not what stood in for an answer.
    pub answered: Vec<ModelAnswered>,
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
    Rules { name: Name, rules: RulesTrace, points: i64 },
    /// A model was asked. `fallback` says that it could not answer and `if_it_fails` stands in.
    Model {
        name: Name,
        model: Arc<str>,
        version: u32,
        score: Option<Score>,
        fallback: bool,
        /// Inputs that it did not take as they came, and what its recipe says then.
        notes: Box<[InputNote]>,
        /// Why it answered so: where the script asked, the model's recipe says so, or whoever asks for the decision.
        explanation: Option<Arc<Explanation>>,
    },
    /// A scorecard was evaluated; `bins` in the order of its characteristics.
    Scorecard { name: Name, points: i64, bins: Vec<BinTrace> },
    /// A table was asked; the 1-based numbers of the rows that answered, and what they gave.
    Table { name: Name, rows: Vec<u32>, output: Vec<(Name, Value)>, reads: Arc<[Name]> },
    /// Something was looked up in a list. The digest names the list's content.
    List { name: Name, digest: Arc<str>, is_listed: bool },
    /// Another flow was asked; its own trace is inside.
    SubFlow { name: Name, outcome: Name, reasons: Vec<Name>, degraded: bool, trace: Vec<Step> },
    /// The caller was asked for facts; `answer` is what it gave, `None` where that is still to come.
    Need { asked: NeedAsked, answer: Option<Value> },
    /// A verb or an applied step recorded an outcome.
    Record { outcome: Name, reasons: Vec<Name>, output: Vec<(Name, Value)>, by: RecordedBy, line: u32 },
    /// What a model on another server answered, or why it did not. How it counts stands in the model's own step.
    Gathered(GatheredTrace),
    /// Something failed.
    Failed(Failure),
}

/// How an answer from another server came about.
#[derive(Debug, Clone, PartialEq)]
pub struct GatheredTrace {
    /// As the flow calls the model.
    pub name: Name,
    /// `oip` or `tensorflow_serving`, and `http` or `grpc`.
    pub protocol: &'static str,
    pub over: &'static str,
    /// The server that answered, or that was asked last; `None`: none was.
    pub endpoint: Option<Arc<str>>,
    /// The version that answered, as that server names it; `None` where it does not say.
    pub version: Option<Arc<str>>,
    /// How often it was tried.
    pub attempts: u32,
    pub latency_us: u64,
    /// As it was answered, before rounding.
    pub answer: Option<f64>,
    /// Code of what kept it from answering.
    pub failed: Option<Arc<str>>,
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
    /// `.apply()` of this table, for the row of this number.
    Row {
        table: Name,
        row: u32,
    },
    /// `.apply()` of this sub-flow.
    SubFlow(Name),
    /// This model did not answer, and the flow says what is recorded then.
    IfItFails(Name),
    OnError,
    OnInvalid,
}

/// What the caller is asked for: which need, and what the flow says with it.
#[derive(Debug, Clone, PartialEq)]
pub struct NeedAsked {
    pub name: Name,
    /// A map.
    pub with: Value,
}

/// One row that a model was asked, and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAnswered {
    pub model: Arc<Model>,
    /// In the order of the model's inputs.
    pub row: Vec<Value>,
    /// To the last bit.
    pub answer: f64,
}

/// Why a model answered as it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What the numbers are.
    pub space: Space,
    /// What the model gives on average.
    pub base: f64,
    /// What each input adds, in the order of the model's inputs.
    pub contributions: Vec<(Name, f64)>,
    /// What speaks most against the person, heaviest first, at most four.
    pub reasons: Vec<ReasonCode>,
}

impl Explanation {
    /// The model's score for the row, in this space: the base and all contributions.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.base + self.contributions.iter().map(|(_, adds)| adds).sum::<f64>()
    }
}

impl Verdict {
    /// Every explanation of a model, in the order asked; those of asked flows under `flow.model`.
    #[must_use]
    pub fn explanations(&self) -> Vec<(String, &Explanation)> {
        fn add<'v>(steps: &'v [Step], below: &str, found: &mut Vec<(String, &'v Explanation)>) {
            for step in steps {
                match step {
                    Step::Model { name, explanation: Some(explanation), .. } => {
                        found.push((format!("{below}{name}"), explanation));
                    }
                    Step::SubFlow { name, trace, .. } => add(trace, &format!("{below}{name}."), found),
                    _ => {}
                }
            }
        }
        let mut found = Vec::new();
        add(&self.trace, "", &mut found);
        found
    }
}

/// What one characteristic of a scorecard gave.
#[derive(Debug, Clone, PartialEq)]
pub struct BinTrace {
    pub characteristic: Name,
    /// 1-based among the bins of the characteristic.
    pub bin: u32,
    pub points: i64,
    /// Points that the best bin would have given beyond these.
    pub lost: i64,
    pub reason: Option<Name>,
}

/// How the rules of one set came out, in file order.
#[derive(Debug, Clone, PartialEq)]
pub struct RulesTrace {
    /// The set's rules: shared, since they are the same in every trace.
    pub labels: Arc<[RuleLabel]>,
    /// One for each rule that was evaluated: fewer than labels where the first hit ended the set.
    pub results: Vec<RuleResult>,
}

/// A rule as a trace names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLabel {
    pub id: Name,
    /// Names that the condition reads.
    pub reads: Arc<[Name]>,
}

impl FromIterator<(RuleLabel, RuleResult)> for RulesTrace {
    fn from_iter<I: IntoIterator<Item = (RuleLabel, RuleResult)>>(rules: I) -> Self {
        let (labels, results): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
        Self { labels: labels.into(), results }
    }
}

impl RulesTrace {
    /// The evaluated rules and how they came out.
    pub fn iter(&self) -> impl Iterator<Item = (&RuleLabel, RuleResult)> {
        self.labels.iter().zip(self.results.iter().copied())
    }

    /// The rules that hit.
    pub fn hits(&self) -> impl Iterator<Item = &RuleLabel> {
        self.iter().filter(|(_, result)| *result == RuleResult::Hit).map(|(label, _)| label)
    }
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
