//! TO BE REPLACED AT MERGE: only the signatures of `engine` that the doors use.
use crate::audit::{Difference, Durability, ReadError};
use crate::domain::facts::{FactProblem, Given};
use crate::domain::value::{Name, Value};
use crate::domain::verdict::Step;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TraceLevel {
    #[default]
    None,
    Summary,
    Full,
}

#[derive(Debug)]
pub struct DecideRequest {
    pub caller: Name,
    pub flow: String,
    pub market: Option<String>,
    pub reference: Option<String>,
    pub facts: Given,
    pub key: Option<IdempotencyKey>,
    pub dry_run: bool,
    pub deadline: Option<Duration>,
    pub trace: TraceLevel,
    /// Language tags, best first: in which the reasons are given (and recorded).
    pub languages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    pub request_digest: [u8; 32],
}

#[derive(Debug, Clone)]
pub struct Decision {
    pub decision_id: Uuid,
    pub flow: Name,
    pub market: Name,
    pub reference: Option<String>,
    pub revision: Arc<str>,
    pub flow_revision: Arc<str>,
    pub outcome: Name,
    /// Code, and its text in the caller's language.
    pub reasons: Vec<(Name, Option<Arc<str>>)>,
    pub output: DecisionOutput,
    pub scores: Vec<(Name, f64)>,
    pub decided_at: Timestamp,
    pub elapsed_us: u64,
    pub degraded: bool,
    /// `None`: not recorded (`dry_run`).
    pub durable: Option<Durability>,
    pub trace: DecisionTrace,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub enum DecisionOutput {
    Values(Vec<(Name, Value)>),
    /// Of a repeated request: `audit::Answer::output`.
    Recorded(serde_json::Value),
}

#[derive(Debug, Clone)]
pub enum DecisionTrace {
    Steps(Vec<Step>),
    /// Of a repeated request: `trace` of `audit::Record::show(Sight::Plain)`.
    Recorded(serde_json::Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Decided now.
    Decided,
    /// The answer that this idempotency key got before.
    Repeated,
    /// Decided, not recorded.
    DryRun,
}

#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("no such flow")]
    UnknownFlow { flow: String, nearest: Option<String> },
    #[error("no such market")]
    UnknownMarket { market: String, nearest: Option<String> },
    #[error("the facts do not fit")]
    InvalidFacts(Vec<FactProblem>),
    #[error("the key was used with another body")]
    KeyReused,
    #[error("the decision could not be recorded")]
    NotRecorded { retry_after_s: u32 },
    #[error("too much to do")]
    Overloaded { retry_after_s: u32 },
    #[error("the deadline passed")]
    DeadlineExceeded,
    #[error("not ready yet")]
    Starting,
}

#[derive(Debug)]
pub struct Replay {
    pub decision_id: Uuid,
    pub revision: Arc<str>,
    pub agrees: bool,
    pub differences: Vec<Difference>,
    pub notes: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("no such decision")]
    UnknownDecision,
    #[error("no such revision")]
    UnknownRevision,
    #[error("cannot be replayed: {detail}")]
    NotReplayable { detail: String },
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Debug)]
pub struct Engine {
    _private: (),
}

#[expect(clippy::unused_async, reason = "signatures only; replaced at merge")]
impl Engine {
    #[must_use]
    pub fn new(
        _release: Arc<crate::release::Release>,
        _audit: Arc<crate::audit::Audit>,
        _durable: Durability,
    ) -> Self {
        Self { _private: () }
    }
    pub async fn decide(&self, _request: DecideRequest) -> Result<Decision, DecideError> {
        Err(DecideError::Starting)
    }
    pub async fn replay(&self, _id: Uuid, _revision: Option<&str>) -> Result<Replay, ReplayError> {
        Err(ReplayError::UnknownDecision)
    }
    /// What is wrong with these facts, when the rest of the request is already refused.
    pub fn check_facts(&self, _flow: &str, _market: Option<&str>, _facts: &Given) -> Vec<FactProblem> {
        vec![]
    }
}

/// Writes revisions and switches to the log. TO BE REPLACED AT MERGE.
#[must_use]
pub fn journal(_audit: &Arc<crate::audit::Audit>) -> Arc<dyn crate::release::ReleaseJournal> {
    Arc::new(crate::release::NoJournal)
}

/// One decision without a store: for the command line. TO BE FITTED AT MERGE.
///
/// # Errors
/// As `Engine::decide`, but for recording.
pub fn decide_once(
    bundle: &crate::bundle::Bundle,
    request: &DecideRequest,
    now: Timestamp,
) -> Result<Decision, DecideError> {
    use crate::domain::flow::{Budget, Pins};
    let unknown = || DecideError::UnknownFlow { flow: request.flow.clone(), nearest: None };
    let revision = bundle.flow(&request.flow).ok_or_else(unknown)?;
    if let Some(market) = request.market.as_ref().filter(|market| *market != "base") {
        return Err(DecideError::UnknownMarket { market: market.clone(), nearest: None });
    }
    let facts = revision.flow.admit(&request.facts).map_err(DecideError::InvalidFacts)?;
    let verdict = revision.flow.decide_with(&facts, now, &Budget::default(), &Pins::default());
    let text = |code: &Name| {
        let declared = revision.declaration.reasons.iter().find(|r| *r.code.value == **code)?;
        let texts = &declared.texts;
        let text = request.languages.iter().find_map(|tag| texts.get(tag)).or_else(|| texts.get("en"));
        text.or_else(|| texts.values().next()).map(|text| Arc::from(text.as_str()))
    };
    Ok(Decision {
        decision_id: Uuid::now_v7(),
        flow: Name::from(request.flow.as_str()),
        market: Name::from("base"),
        reference: request.reference.clone(),
        revision: Arc::clone(&bundle.revision),
        flow_revision: Arc::clone(&revision.flow_revision),
        outcome: verdict.outcome.clone(),
        reasons: verdict.reasons.iter().map(|code| (code.clone(), text(code))).collect(),
        output: DecisionOutput::Values(verdict.output.clone()),
        scores: verdict.scores.iter().map(|(name, score)| (name.clone(), score.rounded)).collect(),
        decided_at: now,
        elapsed_us: 0,
        degraded: verdict.degraded(),
        durable: None,
        trace: DecisionTrace::Steps(verdict.trace),
        origin: Origin::DryRun,
    })
}
