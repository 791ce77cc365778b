//! The story: decide = gather → decide → record; replay; and what a release leaves in the log. HTTP, SQL and
//! files are elsewhere; the clock and the ids of decisions enter here and nowhere below.

mod explain;
mod gathering;
mod journal;
mod meters;
mod parts;
mod passes;
mod replay;
mod request;
mod stored;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moka::sync::Cache;
use uuid::Uuid;

pub use explain::Explained;
pub use gathering::look_after;
pub use journal::journal;
pub use parts::{ContinueError, ContinueRequest, MayContinue, NotContinued};
pub use replay::{Replay, ReplayError};
pub use stored::{RevisionError, flows_of, revision_called};

pub use request::{
    DecideError, DecideRequest, Decision, DecisionOutput, DecisionTrace, IdempotencyKey, OpenNeed, Origin,
    TraceLevel,
};

use crate::audit::{
    self, AppendError, Audit, Durability, KeyGuard, KeyHolder, Provenance, ProvenanceKey, RecordedAnswer,
    Sight, StoppedPart, Unreadable, stamp,
};
use crate::bundle::{BASE, Bundle, FlowRevision};
use crate::domain::facts::{FactProblem, Facts, Given};
use crate::domain::flow::Flow;
use crate::domain::flow::remote::Answered;
use crate::domain::nearest::nearest;
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;
use crate::drift::Drift;
use crate::engine::meters::Meters;
use crate::engine::passes::{Guard, run};
use crate::gather::{Remotes, TraceContext};
use crate::release::Release;

/// This build, as records name it.
pub const BUILD: &str = concat!("tollgate ", env!("CARGO_PKG_VERSION"));
/// Version of the language in which flows are written. Grows when the meaning of a line changes.
pub const LANGUAGE: u32 = 2;
/// Flows of earlier revisions that replay keeps compiled.
const REBUILT_FLOWS: u64 = 64;

/// Decides and replays. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Engine {
    release: Arc<Release>,
    audit: Arc<Audit>,
    durable: Durability,
    /// How long a decision that asked its caller may be continued.
    open_for: Duration,
    build: Arc<str>,
    meters: Meters,
    rebuilt: Cache<Arc<str>, Arc<FlowRevision>>,
    /// `None`: models on other servers have failed, all of them.
    remotes: Option<Arc<Remotes>>,
    /// `None`: what models are asked is not counted.
    drift: Option<Arc<Drift>>,
}

/// What one evaluation gave, before it is recorded.
struct Evaluated {
    facts: Facts,
    verdict: Verdict,
    decision: Decision,
    /// What other servers answered.
    gathered: Vec<Answered>,
}

impl Engine {
    /// `durable` is what answers wait for; `open_for`, how long a decision that asked its caller may be continued.
    #[must_use]
    pub fn new(release: Arc<Release>, audit: Arc<Audit>, durable: Durability, open_for: Duration) -> Self {
        Self {
            release,
            audit,
            durable,
            open_for,
            build: Arc::from(BUILD),
            meters: Meters::default(),
            rebuilt: Cache::new(REBUILT_FLOWS),
            remotes: None,
            drift: None,
        }
    }

    /// One that asks models on other servers.
    #[must_use]
    pub fn asking(mut self, remotes: Arc<Remotes>) -> Self {
        self.remotes = Some(remotes);
        self
    }

    /// One that counts what models are asked in decisions that are recorded.
    #[must_use]
    pub fn watching(mut self, drift: Arc<Drift>) -> Self {
        self.drift = Some(drift);
        self
    }

    /// Decides one request. Gather, decide, record, answer: in this order, and no answer without its record.
    ///
    /// # Errors
    /// When there is nothing to decide (unknown flow, wrong facts) or the decision could not be recorded.
    pub async fn decide(&self, request: DecideRequest) -> Result<Decision, DecideError> {
        let started = Instant::now();
        let bundle = self.release.in_force(); // one revision serves the whole request
        let revision = flow_of(&bundle, &request.flow, request.market.as_deref())?;
        let mut turn = None;
        if let Some(key) = request.key.as_ref().filter(|_| !request.dry_run) {
            let begun = self.audit.begin_key(&request.caller, &request.flow, &key.key).await;
            let (guard, holder) = begun.map_err(|e| unreadable(&e))?;
            if let Some(holder) = holder {
                return self.repeated(&request, key, holder).await;
            }
            turn = Some(guard);
        }
        if request.deadline.is_some_and(|deadline| started.elapsed() >= deadline) {
            return Err(DecideError::DeadlineExceeded);
        }
        let remotes = self.remotes.as_deref();
        let evaluated =
            evaluate_first(&bundle, revision, &request, Timestamp::now(), (remotes, started)).await?;
        if request.dry_run {
            return Ok(evaluated.decision);
        }
        self.record(&request, revision, evaluated, turn).await
    }

    async fn record(
        &self,
        request: &DecideRequest,
        revision: &FlowRevision,
        evaluated: Evaluated,
        turn: Option<KeyGuard>,
    ) -> Result<Decision, DecideError> {
        let provenance = self.provenance(
            &request.caller,
            request.key.as_ref(),
            &revision.flow,
            &evaluated.facts,
            &evaluated.decision,
            &evaluated.gathered,
        );
        let (at, by) = (provenance.decided_at, Arc::clone(&request.caller));
        let stopped = StoppedPart { number: 1, at, by };
        match (self.append(provenance, &stopped, &request.facts, evaluated).await, &request.key) {
            (Ok(decision), key) => {
                if let (Some(mut turn), Some(key)) = (turn, key) {
                    let (request_digest, decision_id) = (key.request_digest, decision.decision_id);
                    turn.leave_word(KeyHolder { request_digest, decision_id });
                }
                Ok(decision)
            }
            (Err(AppendError::KeyTaken(holder)), Some(key)) => self.repeated(request, key, holder).await,
            (Err(error), _) => Err(not_recorded(&error)),
        }
    }

    /// Records what came of an evaluation: a decision, or the part of one that stops to ask its caller.
    async fn append(
        &self,
        mut provenance: Provenance,
        stopped: &StoppedPart,
        given: &Given,
        evaluated: Evaluated,
    ) -> Result<Decision, AppendError> {
        let Evaluated { facts, verdict, mut decision, .. } = evaluated;
        if !verdict.needs.is_empty() || !provenance.parts.is_empty() {
            // What goes on later must be there to go on from, and may be made only once.
            provenance.durable = provenance.durable.max(Durability::Local);
        }
        let recorded = match self.audit.part(&provenance, stopped, (given, &facts), &verdict) {
            Some(part) => self.audit.append_part(part).await?,
            None => self.audit.append(self.audit.record(&provenance, given, &facts, &verdict)).await?,
        };
        self.meters.count(&decision);
        if let Some(drift) = self.drift.as_ref().filter(|_| verdict.needs.is_empty()) {
            // What waited for its caller is answered now, whenever it was begun.
            drift.decided(&verdict.answered, stopped.at);
        }
        decision.durable = Some(recorded.durable);
        decision.origin = Origin::Decided;
        Ok(decision)
    }

    fn provenance(
        &self,
        caller: &Name,
        key: Option<&IdempotencyKey>,
        flow: &Flow,
        facts: &Facts,
        decision: &Decision,
        gathered: &[Answered],
    ) -> Provenance {
        let texts = decision.reasons.iter();
        Provenance {
            decision_id: decision.decision_id,
            decided_at: decision.decided_at,
            elapsed_us: decision.elapsed_us,
            caller: caller.clone(),
            flow: decision.flow.clone(),
            market: decision.market.clone(),
            reference: decision.reference.as_deref().map(Arc::from),
            revision: Arc::clone(&decision.revision),
            flow_revision: Arc::clone(&decision.flow_revision),
            engine: Arc::clone(&self.build),
            language: LANGUAGE,
            subject: flow.subject_of(facts).map(Arc::from),
            durable: self.durable,
            key: key.map(|key| ProvenanceKey {
                key: Arc::from(key.key.as_str()),
                request_digest: key.request_digest,
            }),
            personal: flow.personal(),
            gathered: gathered.to_vec(),
            parts: Vec::new(),
            reason_texts: texts.filter_map(|(code, text)| Some((code.clone(), text.clone()?))).collect(),
        }
    }

    /// Gives the first answer again, from its record.
    async fn repeated(
        &self,
        request: &DecideRequest,
        key: &IdempotencyKey,
        holder: KeyHolder,
    ) -> Result<Decision, DecideError> {
        if holder.request_digest != key.request_digest {
            return Err(DecideError::KeyReused);
        }
        let found = self.audit.get(holder.decision_id).await.map_err(|e| unreadable(&e))?;
        let Some(record) = found else {
            // The decision that this key stands for waits for its caller.
            let open = self.audit.open_decision(holder.decision_id).await.map_err(|e| unreadable(&e))?;
            let open = open.ok_or(DecideError::NotRecorded { retry_after_s: 1 })?;
            return self.asked_before(request.trace, &open).await;
        };
        self.confirm(record.local()).await?;
        let answer = record.answer().map_err(|e| unreadable(&e))?;
        let trace = recorded_trace(request.trace, || record.show(Sight::Plain));
        let trace = trace.map_err(|e| unreadable(&e))?;
        let mut decision = Decision::repeated(answer, request.reference.clone(), trace);
        if request.trace == TraceLevel::Full {
            // Whoever repeats a request has sent its facts. Of a record whose revision is gone there is no explanation.
            let explained = self.explain(&record, Sight::Plain).await.ok();
            decision.explanation = explained.map(|explained| Box::new(explained.explanation));
        }
        Ok(decision)
    }

    /// What is wrong with these facts, when the rest of the request is already refused.
    #[must_use]
    pub fn check_facts(&self, flow: &str, market: Option<&str>, facts: &Given) -> Vec<FactProblem> {
        let bundle = self.release.in_force();
        match flow_of(&bundle, flow, market) {
            Ok(revision) => revision.flow.admit(facts).err().unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }
}

/// One decision that is not recorded, for the command line. With `remotes`, models on other servers are asked.
///
/// # Errors
/// As `Engine::decide`, but for recording.
pub async fn decide_asking(
    bundle: &Bundle,
    request: &DecideRequest,
    now: Timestamp,
    remotes: Option<&Remotes>,
) -> Result<Decision, DecideError> {
    let revision = flow_of(bundle, &request.flow, request.market.as_deref())?;
    let evaluated = evaluate_first(bundle, revision, request, now, (remotes, Instant::now())).await?;
    Ok(evaluated.decision)
}

/// As `decide_asking`, on this machine alone: a model on another server has failed.
///
/// # Errors
/// As `Engine::decide`, but for recording.
pub fn decide_once(
    bundle: &Bundle,
    request: &DecideRequest,
    now: Timestamp,
) -> Result<Decision, DecideError> {
    let revision = flow_of(bundle, &request.flow, request.market.as_deref())?;
    let facts = revision.flow.admit(&request.facts).map_err(DecideError::InvalidFacts)?;
    let question = Question::first(bundle, revision, request, now);
    let (verdict, took) = timed(|| run(&revision.flow, &facts, question.stamp.1, Guard::of(question.trace)));
    Ok(told(&question, facts, verdict, took, Vec::new()).decision)
}

/// The flow in the market that was asked for.
fn flow_of<'b>(
    bundle: &'b Bundle,
    flow: &str,
    market: Option<&str>,
) -> Result<&'b Arc<FlowRevision>, DecideError> {
    let found = bundle.flow(flow).ok_or_else(|| DecideError::UnknownFlow {
        flow: flow.to_owned(),
        nearest: nearest(flow, bundle.flows.keys().map(|name| &**name)).map(str::to_owned),
    })?;
    if market.is_none() && found.flow.is_market_required {
        let markets = found.market_names().into_iter().map(str::to_owned).collect();
        return Err(DecideError::MarketRequired { markets });
    }
    let market = market.unwrap_or(BASE);
    found.in_market(market).ok_or_else(|| {
        let nearest = nearest(market, found.market_names()).map(str::to_owned);
        DecideError::UnknownMarket { market: market.to_owned(), nearest }
    })
}

async fn evaluate_first(
    bundle: &Bundle,
    revision: &FlowRevision,
    request: &DecideRequest,
    now: Timestamp,
    (remotes, started): (Option<&Remotes>, Instant),
) -> Result<Evaluated, DecideError> {
    let facts = revision.flow.admit(&request.facts).map_err(DecideError::InvalidFacts)?;
    let question = Question::first(bundle, revision, request, now);
    let own = Duration::from_millis(revision.flow.deadline_ms);
    let deadline = started + request.deadline.map_or(own, |asked| asked.min(own));
    let trace = request.trace_context.as_ref();
    Ok(evaluate(&question, facts, remotes.map(|remotes| Elsewhere { remotes, before: &[], deadline, trace }))
        .await)
}

/// Where models on other servers are asked, and until when.
struct Elsewhere<'e> {
    remotes: &'e Remotes,
    /// What they answered when the decision stopped on its way: it stays so.
    before: &'e [RecordedAnswer],
    deadline: Instant,
    /// The caller's, if it sent one.
    trace: Option<&'e TraceContext>,
}

/// What is decided, on which revision, as of when.
struct Question<'q> {
    revision: &'q Arc<str>,
    flow: &'q FlowRevision,
    reference: Option<&'q str>,
    languages: &'q [String],
    trace: TraceLevel,
    /// Whether who asks may see personal values again.
    sight: Sight,
    /// The decision's id and time.
    stamp: (Uuid, Timestamp),
}

impl<'q> Question<'q> {
    fn first(
        bundle: &'q Bundle,
        revision: &'q FlowRevision,
        request: &'q DecideRequest,
        now: Timestamp,
    ) -> Self {
        Self {
            revision: &bundle.revision,
            flow: revision,
            reference: request.reference.as_deref(),
            languages: &request.languages,
            trace: request.trace,
            sight: Sight::Plain,
            stamp: stamp(now),
        }
    }
}

async fn evaluate(question: &Question<'_>, facts: Facts, elsewhere: Option<Elsewhere<'_>>) -> Evaluated {
    let flow = &*question.flow.flow;
    let decided_at = question.stamp.1;
    let started = Instant::now();
    let (verdict, gathered) = match elsewhere.filter(|_| flow.asks_elsewhere()) {
        Some(Elsewhere { remotes, before, deadline, trace }) => {
            let case = gathering::Case { flow, facts: &facts, decided_at };
            gathering::gathered(case, Guard::of(question.trace), remotes, before, (deadline, trace)).await
        }
        None => (run(flow, &facts, decided_at, Guard::of(question.trace)), Vec::new()),
    };
    told(question, facts, verdict, started.elapsed(), gathered)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    (work(), started.elapsed())
}

/// A verdict with identity, time and provenance.
fn told(
    question: &Question<'_>,
    facts: Facts,
    verdict: Verdict,
    took: Duration,
    gathered: Vec<Answered>,
) -> Evaluated {
    let flow = &question.flow.flow;
    let (decision_id, decided_at) = question.stamp;
    let elapsed_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let languages: Vec<&str> = question.languages.iter().map(String::as_str).collect();
    let explanation = match question.trace {
        TraceLevel::Full => {
            explain::explained(question.flow, (&facts, decided_at), (&verdict, &gathered), question.sight)
        }
        TraceLevel::None | TraceLevel::Summary => None,
    };
    let decision = Decision {
        decision_id,
        flow: flow.name.clone(),
        market: flow.market.clone().unwrap_or_else(|| Name::from(BASE)),
        reference: question.reference.map(str::to_owned),
        revision: Arc::clone(question.revision),
        flow_revision: Arc::clone(&question.flow.flow_revision),
        needs: verdict.needs.iter().map(OpenNeed::from).collect(),
        outcome: verdict.outcome.clone(),
        reasons: verdict
            .reasons
            .iter()
            .map(|code| (code.clone(), flow.reason_text(code, &languages).map(Arc::from)))
            .collect(),
        output: DecisionOutput::Values(verdict.output.clone()),
        scores: verdict.scores.iter().map(|(name, score)| (name.clone(), score.rounded)).collect(),
        decided_at,
        elapsed_us,
        degraded: verdict.degraded,
        durable: None,
        trace: DecisionTrace::Steps(match question.trace {
            TraceLevel::None => Vec::new(),
            _ => verdict.trace.clone(),
        }),
        explanation,
        origin: Origin::DryRun,
    };
    Evaluated { facts, verdict, decision, gathered }
}

/// The trace of a record, if it is to be shown.
fn recorded_trace(
    level: TraceLevel,
    show: impl FnOnce() -> Result<serde_json::Value, Unreadable>,
) -> Result<serde_json::Value, Unreadable> {
    if level == TraceLevel::None {
        return Ok(serde_json::Value::Null);
    }
    Ok(show()?.get_mut("trace").map_or(serde_json::Value::Null, serde_json::Value::take))
}

fn not_recorded(error: &AppendError) -> DecideError {
    match error {
        AppendError::Overloaded => DecideError::Overloaded { retry_after_s: 1 },
        AppendError::DiskFull { .. } => DecideError::NotRecorded { retry_after_s: 30 },
        error => {
            tracing::error!(%error, "a decision could not be recorded");
            DecideError::NotRecorded { retry_after_s: 1 }
        }
    }
}

/// The log could not be read back, so nothing may be answered from it.
fn unreadable(error: &(dyn std::error::Error + 'static)) -> DecideError {
    tracing::error!(error, "the log could not be read");
    DecideError::NotRecorded { retry_after_s: 1 }
}

impl From<audit::ReadError> for ReplayError {
    fn from(error: audit::ReadError) -> Self {
        Self::Read(error)
    }
}
