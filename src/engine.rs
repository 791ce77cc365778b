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
