//! Going on with a decision that stopped to ask its caller: the recorded facts and what came since, on the recorded
//! revision and time, evaluated from the start; being deterministic, it comes to the same place. Absent: any state
//! between the parts but the log's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    DecideError, Decision, Elsewhere, Engine, Evaluated, Question, ReplayError, TraceLevel, evaluate,
    not_recorded, recorded_trace, unreadable,
};
use crate::audit::{AnsweredPart, AppendError, OpenDecision, Record, Sight, StoppedPart};
use crate::bundle::FlowRevision;
use crate::domain::facts::{FactProblem, Given, NeedAnswer};
use crate::domain::value::Name;
use crate::gather::TraceContext;

/// What a caller sends to a decision that waits.
#[derive(Debug)]
pub struct ContinueRequest {
    pub caller: Name,
    pub decision_id: Uuid,
    /// Answers to needs, by their names.
    pub facts: Given,
    pub trace: TraceLevel,
    /// Language tags, best first.
    pub languages: Vec<String>,
    /// As in a first request.
    pub trace_context: Option<TraceContext>,
}

/// Whether who asks may go on with a decision of this caller and flow.
pub type MayContinue<'m> = &'m (dyn Fn(&str, &str) -> bool + Sync);

/// Why a decision did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ContinueError {
    #[error("no such decision")]
    UnknownDecision,
    #[error("the decision is made")]
    AlreadyDecided,
    #[error("the decision has waited too long")]
    Expired { days: u64 },
    #[error("the recorded revision cannot be used")]
    Revision(#[source] ReplayError),
    #[error(transparent)]
    Decide(#[from] DecideError),
}

/// The error, and what the decision is about as far as that is known.
#[derive(Debug)]
pub struct NotContinued {
    pub error: ContinueError,
    pub flow: Option<Name>,
    pub market: Option<Name>,
    pub reference: Option<Arc<str>>,
}

impl From<ContinueError> for NotContinued {
    fn from(error: ContinueError) -> Self {
        Self { error, flow: None, market: None, reference: None }
    }
}

impl Engine {
    /// Goes on with a decision that waits for its caller: decides it, or asks for the next thing. What was answered
    /// before is answered alike again.
    ///
    /// # Errors
    /// When there is no such decision for this caller, it is made on other facts, has waited too long, the facts do
    /// not fit, or what came of it could not be recorded.
    pub async fn go_on(
        &self,
        request: &ContinueRequest,
        may: MayContinue<'_>,
    ) -> Result<Decision, NotContinued> {
        let _turn = self.audit.begin_part(request.decision_id).await;
        let read = |error| NotContinued::from(ContinueError::Decide(unreadable(&error)));
        if let Some(record) = self.audit.get(request.decision_id).await.map_err(read)? {
            if !may(record.caller(), record.flow()) {
                return Err(ContinueError::UnknownDecision.into());
            }
            return self.decided_before(request, &record).await.map_err(|error| about_record(error, &record));
        }
        let open = self.audit.open_decision(request.decision_id).await.map_err(read)?;
        let open = open.filter(|open| may(&open.caller, &open.flow)).ok_or(ContinueError::UnknownDecision)?;
        self.continue_open(request, &open).await.map_err(|error| NotContinued {
            error,
            flow: Some(Arc::clone(&open.flow)),
            market: Some(Arc::clone(&open.market)),
            reference: open.reference.clone(),
        })
    }

    /// The answer of a decision that was made, if it was made on these facts.
    async fn decided_before(
        &self,
        request: &ContinueRequest,
        record: &Record,
    ) -> Result<Decision, ContinueError> {
        let read = |error| ContinueError::Decide(unreadable(&error));
        let answer = record.answer().map_err(read)?;
        let revision = &answer.flow_revision;
        let flow = self.flow_at((&answer.flow, &answer.market), &answer.revision, Some(revision)).await;
        let flow = flow.map_err(ContinueError::Revision)?;
        let given = flow.flow.admit_answers(&request.facts);
        let known = flow.flow.admit(&record.facts().map_err(read)?);
        let (Ok(given), Ok(known)) = (given, known) else { return Err(ContinueError::AlreadyDecided) };
        let is_same = |(at, answer): &(usize, NeedAnswer)| known.needs.get(*at) == Some(answer);
        if given.is_empty() || !record.is_in_parts().map_err(read)? || !given.iter().all(is_same) {
            return Err(ContinueError::AlreadyDecided);
        }
        self.confirm(record.local()).await?;
        let trace = recorded_trace(request.trace, || record.show(crate::audit::Sight::Plain));
        let reference = record.reference().map(str::to_owned);
        Ok(Decision::repeated(answer, reference, trace.map_err(|e| unreadable(&e))?))
    }

    async fn continue_open(
        &self,
        request: &ContinueRequest,
        open: &OpenDecision,
    ) -> Result<Decision, ContinueError> {
        let now = Timestamp::now();
        let waited = now.duration_since(open.decided_at).unsigned_abs();
        if waited > self.open_for {
            return Err(ContinueError::Expired { days: self.open_for.as_secs() / 86_400 });
        }
        let flow = self.flow_at((&open.flow, &open.market), &open.revision, Some(&open.flow_revision)).await;
        let flow = flow.map_err(ContinueError::Revision)?;
        let Some(given) = merged(&flow, open, &request.facts)? else {
            return Ok(self.asked_before(request.trace, open).await?);
        };
        let facts = flow.flow.admit(&given).map_err(DecideError::InvalidFacts)?;
        let question = Question {
            revision: &open.revision,
            flow: &flow,
            reference: open.reference.as_deref(),
            languages: &request.languages,
            trace: request.trace,
            sight: if *request.caller == *open.caller { Sight::Plain } else { Sight::Masked },
            stamp: (open.decision_id, open.decided_at),
        };
        let deadline = Instant::now() + Duration::from_millis(flow.flow.deadline_ms);
        let elsewhere = self.remotes.as_deref().map(|remotes| Elsewhere {
            remotes,
            before: &open.gathered,
            deadline,
            trace: request.trace_context.as_ref(),
        });
        let evaluated = evaluate(&question, facts, elsewhere).await;
        self.record_next(request, open, &given, &flow, evaluated, now).await
    }

    async fn record_next(
        &self,
        request: &ContinueRequest,
        open: &OpenDecision,
        given: &Given,
        flow: &FlowRevision,
        evaluated: Evaluated,
        now: Timestamp,
    ) -> Result<Decision, ContinueError> {
        let parts: Vec<AnsweredPart> = open.answered(now, &request.caller);
        let stopped = StoppedPart { number: open.next_number(), at: now, by: Arc::clone(&request.caller) };
        let mut provenance = self.provenance(
            &open.caller,
            None,
            &flow.flow,
            &evaluated.facts,
            &evaluated.decision,
            &evaluated.gathered,
        );
        provenance.parts = parts;
        match self.append(provenance, &stopped, given, evaluated).await {
            Ok(decision) => Ok(decision),
            // Another node was first: what it recorded is the answer, if it was given the same.
            Err(AppendError::KeyTaken(_)) => {
                let found = self.audit.get(open.decision_id).await.map_err(|e| unreadable(&e))?;
                match found {
                    Some(record) => self.decided_before(request, &record).await,
                    None => Err(DecideError::NotRecorded { retry_after_s: 1 }.into()),
                }
            }
            Err(error) => Err(not_recorded(&error).into()),
        }
    }

    /// What a decision that still waits was last answered.
    pub(super) async fn asked_before(
        &self,
        trace: TraceLevel,
        open: &OpenDecision,
    ) -> Result<Decision, DecideError> {
        self.confirm(open.local()).await?;
        let trace = recorded_trace(trace, || open.show(crate::audit::Sight::Plain));
        Ok(Decision::asked_before(open, trace.map_err(|e| unreadable(&e))?))
    }

    /// A repeated answer waits for what the first one waited for.
    pub(super) async fn confirm(&self, local: i64) -> Result<(), DecideError> {
        if self.durable == crate::audit::Durability::Central {
            self.audit.wait_central(local).await.map_err(|e| not_recorded(&e))?;
        }
        Ok(())
    }
}

fn about_record(error: ContinueError, record: &Record) -> NotContinued {
    NotContinued {
        error,
        flow: Some(Name::from(record.flow())),
        market: Some(Name::from(record.market())),
        reference: record.reference().map(Arc::from),
    }
}

/// All that is known now: the facts so far, and the answers that are new. `None` when all of them were given before.
fn merged(flow: &FlowRevision, open: &OpenDecision, sent: &Given) -> Result<Option<Given>, ContinueError> {
    let answers = flow.flow.admit_answers(sent).map_err(DecideError::InvalidFacts)?;
    let known = flow.flow.admit(&open.facts).map_err(DecideError::InvalidFacts)?;
    let mut problems = Vec::new();
    let mut fresh: Vec<&Name> = Vec::new();
    for (at, answer) in &answers {
        let (Some(need), Some(before)) = (flow.flow.needs.get(*at), known.needs.get(*at)) else { continue };
        if *before == NeedAnswer::Awaited {
            fresh.push(&need.name);
        } else if before != answer {
            let detail = "was given before, with other values".to_owned();
            problems.push(FactProblem { pointer: format!("/{}", need.name), code: "already_given", detail });
        }
    }
    let is_repeated = fresh.is_empty() && !answers.is_empty();
    if !is_repeated && !fresh.iter().any(|name| ***name == *open.need) {
        let detail = "required: the decision waits for it".to_owned();
        problems.push(FactProblem { pointer: format!("/{}", open.need), code: "missing", detail });
    }
    if !problems.is_empty() {
        return Err(DecideError::InvalidFacts(problems).into());
    }
    let (Given::Map(before), Given::Map(sent)) = (&open.facts, sent) else { return Ok(None) };
    let new = sent.iter().filter(|(name, _)| fresh.iter().any(|fresh| ***fresh == **name));
    Ok((!is_repeated).then(|| Given::Map(before.iter().chain(new).cloned().collect())))
}
