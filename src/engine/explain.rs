//! Why a decision came out as it did, for whoever asks for all of it: now, or of a record later. Absent on purpose: any
//! part in deciding; what is recorded was evaluated before and without this.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;

use super::gathering::{Case, answered};
use super::replay::ReplayError;
use super::{Engine, Guard};
use crate::audit::{Record, Sight, canonical_verdict};
use crate::bundle::FlowRevision;
use crate::domain::explanation::{Asked, Explanation, explain};
use crate::domain::facts::Facts;
use crate::domain::flow::remote::Answered;
use crate::domain::flow::{Budget, Pins};
use crate::domain::verdict::Verdict;

/// A recorded decision, explained.
#[derive(Debug)]
pub struct Explained {
    pub explanation: Explanation,
    /// The flow as it decided.
    pub flow: Arc<FlowRevision>,
    /// The evaluation that is explained gave every byte of the recorded verdict.
    pub agrees: bool,
}

/// What led to a verdict that was evaluated on these facts.
pub(super) fn explained(
    flow: &FlowRevision,
    (facts, decided_at): (&Facts, Timestamp),
    (verdict, gathered): (&Verdict, &[Answered]),
    sight: Sight,
) -> Option<Box<Explanation>> {
    let budget = Budget { alarm: None, stop_at: verdict.stopped_at };
    let pins = Pins::default();
    let asked = Asked {
        flow: &flow.flow,
        declaration: Some(&flow.declaration),
        facts,
        decided_at,
        budget: &budget,
        pins: &pins,
        gathered,
        hidden: hidden(flow, sight),
    };
    let explanation = catch_unwind(AssertUnwindSafe(|| explain(&asked)));
    if explanation.is_err() {
        tracing::error!(flow = &*flow.flow.name, "a decision could not be explained");
    }
    explanation.ok().map(Box::new)
}

fn hidden(flow: &FlowRevision, sight: Sight) -> BTreeSet<crate::domain::value::Name> {
    match sight {
        Sight::Plain => BTreeSet::new(),
        Sight::Masked => flow.flow.personal().into_iter().map(|(name, _)| name).collect(),
    }
}

impl Engine {
    /// Why a recorded decision came out as it did: its facts once more on its own revision.
    ///
    /// # Errors
    /// When the stored files do not give the flow any more, or it does not take the recorded facts.
    pub async fn explain(&self, record: &Record, sight: Sight) -> Result<Explained, ReplayError> {
        let answer = record.answer()?;
        let own = (&*answer.flow, &*answer.market);
        let flow = self.flow_at(own, &answer.revision, Some(&answer.flow_revision)).await?;
        let facts = flow.flow.admit(&record.facts()?).map_err(|problems| {
            let detail = problems.first().map(|problem| format!("{} {}", problem.pointer, problem.code));
            ReplayError::NotReplayable {
                detail: format!("the facts do not fit: {}", detail.unwrap_or_default()),
            }
        })?;
        let case = Case { flow: &flow.flow, facts: &facts, decided_at: answer.decided_at };
        let guard = Guard::Recorded(record.stopped_at()?);
        let (verdict, gathered) = answered(case, &record.gathered()?, guard);
        let agrees = record.verdict()? == canonical_verdict(&verdict);
        let explanation = explained(&flow, (&facts, answer.decided_at), (&verdict, &gathered), sight);
        let explanation = *explanation
            .ok_or_else(|| ReplayError::NotReplayable { detail: "it could not be explained".to_owned() })?;
        Ok(Explained { explanation, flow, agrees })
    }
}
