//! What is asked of the engine and what it answers. Absent: JSON, headers, status codes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::audit::{Answer, Durability, OpenDecision};
use crate::domain::explanation::Explanation;
use crate::domain::facts::{FactProblem, Given};
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{NeedAsked, Step};
use crate::gather::TraceContext;

/// How much of the trace the answer shows; the record always has all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TraceLevel {
    #[default]
    None,
    Summary,
    Full,
}

/// One request for a decision.
#[derive(Debug)]
pub struct DecideRequest {
    pub caller: Name,
    pub flow: String,
    /// `None` is `base`, which a flow may refuse.
    pub market: Option<String>,
    /// The caller's own id of what is decided about.
    pub reference: Option<String>,
    pub facts: Given,
    pub key: Option<IdempotencyKey>,
    /// Decide, but record nothing.
    pub dry_run: bool,
    /// Counted from the moment that the engine has the request.
    pub deadline: Option<Duration>,
    pub trace: TraceLevel,
    /// Language tags, best first: in which the reasons are given (and recorded).
    pub languages: Vec<String>,
    /// What questions to other servers are a part of; `None`: of a trace that begins with them.
    pub trace_context: Option<TraceContext>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of the request as JSON values.
    pub request_digest: [u8; 32],
}

/// A decision: a verdict with identity, time and provenance.
#[derive(Debug, Clone)]
pub struct Decision {
    pub decision_id: Uuid,
    pub flow: Name,
    pub market: Name,
    pub reference: Option<String>,
    pub revision: Arc<str>,
    pub flow_revision: Arc<str>,
    /// Not empty: nothing is decided, the caller has to give these first; outcome and what hangs on it mean nothing.
    pub needs: Vec<OpenNeed>,
    pub outcome: Name,
    /// Code, and its text in the caller's language.
    pub reasons: Vec<(Name, Option<Arc<str>>)>,
    pub output: DecisionOutput,
    /// Rounded, as the flow saw them.
    pub scores: Vec<(Name, f64)>,
    pub decided_at: Timestamp,
    /// Of gathering and evaluating, without recording.
    pub elapsed_us: u64,
    pub degraded: bool,
    /// `None`: not recorded (`dry_run`).
    pub durable: Option<Durability>,
    pub trace: DecisionTrace,
    /// Only where the full trace is asked for.
    pub explanation: Option<Box<Explanation>>,
    pub origin: Origin,
}

/// What the caller is asked for.
#[derive(Debug, Clone)]
pub struct OpenNeed {
    /// The name under which the facts are to be given.
    pub input: Name,
    /// What the flow says with the question.
    pub with: DecisionOutput,
}

impl From<&NeedAsked> for OpenNeed {
    fn from(asked: &NeedAsked) -> Self {
        let with = match &asked.with {
            Value::Map(entries) => {
                entries.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            _ => Vec::new(),
        };
        Self { input: asked.name.clone(), with: DecisionOutput::Values(with) }
    }
}

#[derive(Debug, Clone)]
pub enum DecisionOutput {
    Values(Vec<(Name, Value)>),
    /// Of a repeated request: a JSON object as it was recorded.
    Recorded(serde_json::Value),
}

#[derive(Debug, Clone)]
pub enum DecisionTrace {
    Steps(Vec<Step>),
    /// Of a repeated request: the trace as it was recorded, or null if none was asked for.
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

impl Decision {
    /// A decision as its record tells it.
    #[must_use]
    pub(super) fn repeated(answer: Answer, reference: Option<String>, trace: serde_json::Value) -> Self {
        Self {
            decision_id: answer.decision_id,
            flow: answer.flow,
            market: answer.market,
            reference,
            revision: answer.revision,
            flow_revision: answer.flow_revision,
            needs: Vec::new(),
            outcome: answer.outcome,
            reasons: answer.reasons,
            output: DecisionOutput::Recorded(answer.output),
            scores: answer.scores,
            decided_at: answer.decided_at,
            elapsed_us: answer.elapsed_us,
            degraded: answer.degraded,
            durable: Some(answer.durable),
            trace: DecisionTrace::Recorded(trace),
            explanation: None,
            origin: Origin::Repeated,
        }
    }

    /// A decision that waits for its caller, as its last part tells it.
    #[must_use]
    pub(super) fn asked_before(open: &OpenDecision, trace: serde_json::Value) -> Self {
        let with = DecisionOutput::Recorded(open.with.clone());
        Self {
            decision_id: open.decision_id,
            flow: open.flow.clone(),
            market: open.market.clone(),
            reference: open.reference.as_deref().map(str::to_owned),
            revision: Arc::clone(&open.revision),
            flow_revision: Arc::clone(&open.flow_revision),
            needs: vec![OpenNeed { input: open.need.clone(), with }],
            outcome: Name::from(""),
            reasons: Vec::new(),
            output: DecisionOutput::Values(Vec::new()),
            scores: Vec::new(),
            decided_at: open.decided_at,
            elapsed_us: open.elapsed_us,
            degraded: false,
            durable: Some(open.durable),
            trace: DecisionTrace::Recorded(trace),
            explanation: None,
            origin: Origin::Repeated,
        }
    }
}

/// Why a request got no decision.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("no such flow")]
    UnknownFlow { flow: String, nearest: Option<String> },
    #[error("no such market")]
    UnknownMarket { market: String, nearest: Option<String> },
    #[error("a market has to be named")]
    MarketRequired { markets: Vec<String> },
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
