//! Replay: the recorded facts on the recorded revision must give the recorded verdict, to the byte. On another
//! revision the difference is told instead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::gathering::{Case, replayed};
use super::{Engine, Guard, LANGUAGE};
use crate::audit::{
    Difference, ReadError, Record, RevisionFile, Unreadable, canonical_verdict, compare_verdicts,
    masked_names,
};
use crate::bundle::{BASE, Expected, FlowRevision, RebuildError, rebuild};

/// What a replay found.
#[derive(Debug)]
pub struct Replay {
    pub decision_id: Uuid,
    /// The revision that it ran on.
    pub revision: Arc<str>,
    pub agrees: bool,
    pub differences: Vec<Difference>,
    /// Features whose values only those may see who may see personal ones, in either verdict.
    pub personal: BTreeSet<String>,
    /// What a reader should know: another language version, another revision than recorded.
    pub notes: Vec<String>,
}

/// Why a record could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("no such decision")]
    UnknownDecision,
    #[error("no such revision")]
    UnknownRevision,
    #[error("cannot be replayed: {detail}")]
    NotReplayable { detail: String },
    #[error(transparent)]
    Read(ReadError),
}

impl From<Unreadable> for ReplayError {
    fn from(error: Unreadable) -> Self {
        Self::Read(error.into())
    }
}

impl Engine {
    /// Runs a recorded decision again, on its own revision or on `revision`.
    ///
    /// # Errors
    /// When there is no such decision or revision, or the stored files do not give a flow any more.
    pub async fn replay(&self, id: Uuid, revision: Option<&str>) -> Result<Replay, ReplayError> {
        let record = self.audit.get(id).await?.ok_or(ReplayError::UnknownDecision)?;
        self.replay_record(&record, revision).await
    }

    /// As `replay`, for a record at hand.
    ///
    /// # Errors
    /// As `replay`.
    pub async fn replay_record(
        &self,
        record: &Record,
        revision: Option<&str>,
    ) -> Result<Replay, ReplayError> {
        let answer = record.answer()?;
        let wanted = revision.unwrap_or(&answer.revision);
        let is_own = wanted == &*answer.revision;
        let expected = is_own.then_some(&answer.flow_revision);
        let flow = self.flow_at((&answer.flow, &answer.market), wanted, expected).await?;
        let mut notes = Vec::new();
        if record.language()? != LANGUAGE {
            let language = record.language()?;
            notes.push(format!("recorded under language version {language}, replayed under {LANGUAGE}"));
        }
        let (recorded, replayed, personal) = {
            let facts = match flow.flow.admit(&record.facts()?) {
                Ok(facts) => facts,
                Err(problems) => return Ok(refused(record, wanted, &problems)),
            };
            // Where the clock stopped a run on one revision says nothing of another.
            let guard = if is_own { Guard::Recorded(record.stopped_at()?) } else { Guard::Clock };
            let case = Case { flow: &flow.flow, facts: &facts, decided_at: answer.decided_at };
            let (verdict, unanswered) = replayed(case, &record.gathered()?, guard);
            if unanswered > 0 {
                notes.push(format!(
                    "{unanswered} of its questions to other servers have no answer in the record: they failed"
                ));
            }
            if let Some(asked) = verdict.needs.first() {
                notes.push(format!("asks the caller for `{}`, which the record does not have", asked.name));
                return Ok(stopped(record, wanted, notes));
            }
            let (recorded, replayed) = (record.verdict()?, canonical_verdict(&verdict));
            let mut personal = BTreeSet::new();
            if recorded != replayed {
                personal = masked_names(flow.flow.personal().into_iter().map(|(name, _)| name), &verdict);
                personal.append(&mut record.masked()?);
            }
            (recorded, replayed, personal)
        };
        let agrees = recorded == replayed;
        let differences = if agrees { Vec::new() } else { compare_verdicts(&recorded, &replayed) };
        Ok(Replay {
            decision_id: answer.decision_id,
            revision: Arc::from(wanted),
            agrees,
            differences,
            personal,
            notes,
        })
    }

    /// A flow in a market as it was in a revision: the one in force if it is the same, else built from the stored files.
    pub(super) async fn flow_at(
        &self,
        (flow, market): (&str, &str),
        revision: &str,
        expected: Option<&Arc<str>>,
    ) -> Result<Arc<FlowRevision>, ReplayError> {
        let in_force = self.release.in_force();
        if let Some(current) = in_force.flow(flow).and_then(|flow| in_market(flow, market)) {
            let same = expected.map_or(*in_force.revision == *revision, |e| **e == *current.flow_revision);
            if same {
                return Ok(Arc::clone(current));
            }
        }
        // A flow of the same flow revision is the same flow, whatever else stood in its bundle.
        let cached: Arc<str> =
            expected.map_or_else(|| Arc::from(format!("{flow}/{market}@{revision}")), Arc::clone);
        if let Some(found) = self.rebuilt.get(&cached) {
            return Ok(found);
        }
        let stored = self.audit.revision_files(revision).await.map_err(|e| ReplayError::Read(e.into()))?;
        if stored.is_empty() {
            return Err(ReplayError::UnknownRevision);
        }
        let files = by_flow(stored).remove(flow).unwrap_or_default();
        let (name, in_which, expected) = (flow.to_owned(), market.to_owned(), expected.map(Arc::clone));
        let rebuilt = tokio::task::spawn_blocking(move || {
            let expected = match &expected {
                Some(flow_revision) => Expected::InMarket { market: &in_which, flow_revision },
                None => Expected::Anything,
            };
            rebuild(&name, &files, expected)
        });
        let rebuilt = rebuilt
            .await
            .map_err(|_| ReplayError::NotReplayable { detail: "it was interrupted".to_owned() })?;
        let found = rebuilt.map_err(|error| not_replayable(&error))?;
        let Some(found) = in_market(&found, market).map(Arc::clone) else {
            let detail = format!("the flow has no market `{market}` in that revision");
            return Err(ReplayError::NotReplayable { detail });
        };
        self.rebuilt.insert(cached, Arc::clone(&found));
        Ok(found)
    }
}

/// Of a flow that by now requires a market, `base` can still be replayed.
fn in_market<'f>(flow: &'f Arc<FlowRevision>, market: &str) -> Option<&'f Arc<FlowRevision>> {
    if market == BASE { Some(flow) } else { flow.markets.get(market) }
}

/// Stored files of one flow: path and bytes.
type FlowFiles = Vec<(String, Arc<[u8]>)>;

/// Stored files, by the flow that they belong to.
pub(super) fn by_flow(files: Vec<RevisionFile>) -> BTreeMap<String, FlowFiles> {
    let mut flows: BTreeMap<String, FlowFiles> = BTreeMap::new();
    for file in files {
        flows.entry(file.flow.to_string()).or_default().push((file.path.to_string(), file.bytes));
    }
    flows
}

fn not_replayable(error: &RebuildError) -> ReplayError {
    let detail = match error {
        RebuildError::NoSuchFlow { flow } => format!("there is no flow `{flow}` in that revision"),
        error => error.to_string(),
    };
    ReplayError::NotReplayable { detail }
}

/// Another revision may not even take these facts.
fn refused(record: &Record, revision: &str, problems: &[crate::domain::facts::FactProblem]) -> Replay {
    let notes = problems.iter().map(|p| format!("the facts do not fit: {} {}", p.pointer, p.code)).collect();
    stopped(record, revision, notes)
}

/// What does not come to a verdict.
fn stopped(record: &Record, revision: &str, notes: Vec<String>) -> Replay {
    Replay {
        decision_id: record.id(),
        revision: Arc::from(revision),
        agrees: false,
        differences: Vec::new(),
        personal: BTreeSet::new(),
        notes,
    }
}
