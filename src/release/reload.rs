//! One reading of the folders, from settled files to the swap. Builds off the request threads; the journal has the
//! new revision before anyone decides with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;

use super::status::{CasesStatus, ReleaseStatus, ReloadState};
use super::{
    CasesTold, Cause, Memory, Release, ReleaseJournal, ReleaseSettings, StartError, StoredFlow, Switch,
};
use crate::bundle::cases::{self, CaseResult};
use crate::bundle::{
    Built, Bundle, Documents, Expected, FlowRevision, Kept, KnownLists, read_folder, rebuild, sha256_hex,
};
use crate::documents::findings::{Colour, listed, rendered};
use crate::domain::value::Name;
use crate::learn::library::ModelLibrary;

/// Readings after which files that never rest are taken as they are.
const MOST_READINGS: usize = 50;

/// How long the folder of a flow or a version must stay away before it is taken as removed: folders are replaced in two
/// steps.
pub(super) const REMOVED_AFTER: Duration = Duration::from_millis(250);

/// What came of one reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// Nothing that was read differs from before.
    Unchanged,
    /// What is on disk is in force, whole; the revision may still be the same (a card or a case changed).
    InForce { revision: Arc<str> },
    /// Some flows kept their last good version; the others are in force as on disk.
    PartlyInForce { revision: Arc<str>, kept: Vec<Name> },
    /// The old bundle stays, whole.
    Refused { problem: String },
}

/// What one reading of the folders gave.
struct Reading {
    digest: String,
    built: Built,
    cases: CasesStatus,
    /// Flows that check and have a case that does not hold.
    failing: Vec<Name>,
    models: (String, Arc<ModelLibrary>),
}

pub(super) async fn start(
    settings: ReleaseSettings,
    journal: Arc<dyn ReleaseJournal>,
) -> Result<Arc<Release>, StartError> {
    let mut memory = Memory::default();
    let reading = read(&settings, &memory).await.ok_or(StartError::Stopped)?;
    let Some(reading) = reading else { return Err(StartError::Stopped) };
    let refused = refused_for_cases(&settings, &reading);
    let mut last_good = BTreeMap::new();
    if reading.built.unreadable || !reading.built.broken_flows().is_empty() || !refused.is_empty() {
        let stored = journal.last_good().await.map_err(StartError::LastGood)?;
        last_good = rebuilt(stored).await;
    }
    if !reading.built.unreadable {
        last_good.retain(|name, _| reading.built.flows.contains_key(name));
    }
    let before = Bundle::new(last_good, Arc::clone(&reading.models.1));
    let bundle = Arc::new(candidate(&reading.built, &refused, &before));
    let now = Timestamp::now();
    let switch = Switch {
        bundle: Arc::clone(&bundle),
        previous: None,
        cause: Cause::Start,
        at: now,
        cases: reading.cases.told,
    };
    journal.coming_into_force(&switch).await.map_err(StartError::Journal)?;
    let status = ReleaseStatus::new(&bundle, &reading.built, reading.cases, &refused, None, now);
    tell(&reading.built, &status);
    memory.documents = reading.digest;
    memory.models = Some(reading.models);
    memory.lists = reading.built.lists.clone();
    Ok(Arc::new(Release {
        libraries: watch::Sender::new(Arc::clone(&bundle.models)),
        in_force: ArcSwap::new(bundle),
        status: ArcSwap::from_pointee(status),
        settings,
        journal,
        memory: Mutex::new(memory),
    }))
}

impl Release {
    pub(super) async fn reload(&self, cause: Cause) -> ReloadOutcome {
        let mut memory = self.memory.lock().await;
        let reading = match read(&self.settings, &memory).await {
            Some(Some(reading)) => reading,
            Some(None) => return ReloadOutcome::Unchanged,
            None => return self.refuse("the reading of the folders was stopped".to_owned(), None),
        };
        let Some(reading) = self.without_haste(reading, &memory).await else {
            return ReloadOutcome::Unchanged;
        };
        memory.models = Some(reading.models.clone());
        memory.lists = reading.built.lists.clone();
        if reading.built.unreadable {
            memory.documents = reading.digest;
            return self.refuse("`rules` cannot be read".to_owned(), Some(&reading.built));
        }
        let outcome = self.put_in_force(cause, &reading).await;
        // A reading that the journal did not take is tried again.
        memory.documents = match outcome {
            ReloadOutcome::Refused { .. } => String::new(),
            _ => reading.digest,
        };
        outcome
    }

    /// Looks a second time where a whole flow is gone, or the newest version of a model; `None` when all is there again
    /// as it was.
    async fn without_haste(&self, reading: Reading, memory: &Memory) -> Option<Reading> {
        let in_force = self.in_force();
        let flows_there = in_force.flows.keys().all(|name| reading.built.flows.contains_key(name));
        let models_there =
            memory.models.as_ref().is_none_or(|(_, before)| !reading.models.1.is_behind(before));
        if (flows_there && models_there) || reading.built.unreadable {
            return Some(reading);
        }
        tokio::time::sleep(REMOVED_AFTER).await;
        read(&self.settings, memory).await.unwrap_or(Some(reading))
    }

    async fn put_in_force(&self, cause: Cause, reading: &Reading) -> ReloadOutcome {
        let previous = self.in_force();
        let refused = refused_for_cases(&self.settings, reading);
        let bundle = Arc::new(candidate(&reading.built, &refused, &previous));
        let now = Timestamp::now();
        if bundle.revision != previous.revision {
            let switch = Switch {
                bundle: Arc::clone(&bundle),
                previous: Some(previous),
                cause,
                at: now,
                cases: reading.cases.told,
            };
            if let Err(error) = self.journal.coming_into_force(&switch).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the new revision could not be recorded"
                );
                return self
                    .refuse("the new revision could not be recorded".to_owned(), Some(&reading.built));
            }
        }
        let revision = Arc::clone(&bundle.revision);
        self.in_force.store(Arc::clone(&bundle));
        self.libraries.send_replace(Arc::clone(&bundle.models));
        let before = self.status();
        let status =
            ReleaseStatus::new(&bundle, &reading.built, reading.cases.clone(), &refused, Some(&before), now);
        tell(&reading.built, &status);
        let kept: Vec<Name> = status
            .flows
            .iter()
            .filter(|(_, flow)| !flow.broken.is_empty())
            .map(|(name, _)| Name::clone(name))
            .collect();
        self.status.store(Arc::new(status));
        if kept.is_empty() {
            ReloadOutcome::InForce { revision }
        } else {
            ReloadOutcome::PartlyInForce { revision, kept }
        }
    }

    /// Keeps everything as it is, and says why.
    fn refuse(&self, problem: String, built: Option<&Built>) -> ReloadOutcome {
        let found = built.map(|built| listed(&built.diagnostics, &built.sources)).unwrap_or_default();
        let status = self.status().refused(problem.clone(), found, Timestamp::now());
        tracing::error!(problem, "reload refused: the old revision stays in force");
        count(status.reload);
        self.status.store(Arc::new(status));
        ReloadOutcome::Refused { problem }
    }
}

/// The bundle that comes into force: what checks, and the last good version of the rest.
fn candidate(built: &Built, refused: &[Name], last_good: &Bundle) -> Bundle {
    if built.unreadable {
        return last_good.clone();
    }
    let mut bundle = built.keeping_last_good(last_good);
    if refused.is_empty() {
        return bundle;
    }
    for name in refused {
        match last_good.flows.get(name) {
            Some(last) => bundle.flows.insert(Name::clone(name), Arc::clone(last)),
            None => bundle.flows.remove(name),
        };
    }
    Bundle::new(bundle.flows, bundle.models)
}

/// Flows whose cases do not hold where that is required, and those that ask them: they were built with what is refused.
fn refused_for_cases(settings: &ReleaseSettings, reading: &Reading) -> Vec<Name> {
    if !settings.require_cases {
        return Vec::new();
    }
    let asks_refused = |revision: &FlowRevision| {
        let all = std::iter::once(revision).chain(revision.markets.values().map(AsRef::as_ref));
        all.flat_map(|variant| variant.flow.all_sub_flows()).any(|name| reading.failing.contains(&name))
    };
    let flows = reading.built.bundle.flows.iter();
    let refused = flows.filter(|(name, revision)| reading.failing.contains(name) || asks_refused(revision));
    refused.map(|(name, _)| Name::clone(name)).collect()
}

/// Reads until two readings agree, and builds. `None`: the task was stopped; `Some(None)`: nothing changed.
async fn read(settings: &ReleaseSettings, memory: &Memory) -> Option<Option<Reading>> {
    let (rules, models) = (settings.rules.clone(), settings.models.clone());
    let documents = settled(settings.settle, move || read_folder(&rules, &models)).await?;
    let known = memory.documents.clone();
    let (models, lists) = (memory.models.clone(), memory.lists.clone());
    spawn_blocking(move || {
        let digest = documents.digest();
        if digest == known {
            return None;
        }
        Some(built(digest, &documents, models, lists))
    })
    .await
    .ok()
}

/// Reads until two readings agree; `None` when the task was stopped.
pub(super) async fn settled(
    settle: Duration,
    read: impl Fn() -> Documents + Clone + Send + 'static,
) -> Option<Documents> {
    let mut last: Option<(String, bool)> = None;
    for reading in 1..=MOST_READINGS {
        let read = read.clone();
        let (documents, digest) = spawn_blocking(move || {
            let documents = read();
            let digest = documents.digest();
            (documents, digest)
        })
        .await
        .ok()?;
        // A file that could not be read may be about to be replaced: it gets a third look.
        let whole = documents.unreadable.is_empty();
        let agrees =
            last.as_ref().is_some_and(|(before, was_whole)| *before == digest && (whole || !was_whole));
        if agrees || reading == MOST_READINGS {
            return Some(documents);
        }
        last = Some((digest, whole));
        tokio::time::sleep(settle).await;
    }
    None
}

fn built(
    digest: String,
    documents: &Documents,
    known: Option<(String, Arc<ModelLibrary>)>,
    lists: KnownLists,
) -> Reading {
    let models_digest = digest_of_models(documents);
    let (known, older) = known.unzip();
    let library = older.clone().filter(|_| known.as_ref() == Some(&models_digest));
    let built = Built::with(documents, Kept { library, older, lists });
    let (results, failing) = run_cases(&built);
    let summary = cases::summary(&results, &[]);
    let told = CasesTold { run: summary.cases, failed: summary.failed };
    let models = (models_digest, Arc::clone(&built.bundle.models));
    Reading { digest, built, cases: CasesStatus { told, failures: summary.failures }, failing, models }
}

fn digest_of_models(documents: &Documents) -> String {
    let lines: Vec<String> = documents
        .files
        .iter()
        .filter(|(path, _)| path.starts_with("models/"))
        .map(|(path, bytes)| format!("{path}\0{}\n", sha256_hex(bytes)))
        .collect();
    sha256_hex(lines.concat().as_bytes())
}

/// Runs the cases of every flow that checks; flows with one that does not hold.
fn run_cases(built: &Built) -> (Vec<CaseResult>, Vec<Name>) {
    let now = Timestamp::now();
    let mut results = Vec::new();
    let mut failing = Vec::new();
    for (name, report) in &built.flows {
        let Some(revision) = &report.revision else { continue };
        let (of_flow, _) = cases::run(name, revision, &report.cases.cases, now);
        if of_flow.iter().any(|result| !result.holds()) {
            failing.push(Name::clone(name));
        }
        results.extend(of_flow);
    }
    (results, failing)
}

/// Flows from the store; one that cannot be built again is told and left out.
async fn rebuilt(stored: Vec<StoredFlow>) -> BTreeMap<Name, Arc<FlowRevision>> {
    let task = spawn_blocking(move || {
        let mut flows = BTreeMap::new();
        for StoredFlow { flow, flow_revision, files } in stored {
            match rebuild(&flow, &files, Expected::Whole(&flow_revision)) {
                Ok(revision) => flows.insert(Name::from(flow), revision).map_or((), drop),
                Err(error) => {
                    tracing::error!(
                        flow,
                        error = &error as &dyn std::error::Error,
                        "the last good version is lost"
                    );
                }
            }
        }
        flows
    });
    task.await.unwrap_or_default()
}

/// Once a reading: log and metrics.
fn tell(built: &Built, status: &ReleaseStatus) {
    count(status.reload);
    match status.reload {
        ReloadState::Ok => {
            tracing::info!(
                revision = %status.revision,
                flows = status.flows.len(),
                cases = status.cases.told.run,
                cases_failed = status.cases.told.failed,
                "in force"
            );
        }
        ReloadState::Failed => {
            let kept: Vec<&str> = status
                .flows
                .iter()
                .filter(|(_, flow)| !flow.broken.is_empty())
                .map(|(name, _)| name.as_ref())
                .collect();
            let findings = rendered(&built.diagnostics, &built.sources, Colour::Never);
            tracing::error!(revision = %status.revision, kept = kept.join(", "), "not all of the files are in force\n{findings}");
        }
    }
    for failed in &status.cases.failures {
        tracing::warn!(
            flow = failed.flow,
            file = failed.file,
            line = failed.line,
            "the case `{}` does not hold",
            failed.case
        );
    }
}

fn count(state: ReloadState) {
    metrics::counter!("tollgate_reload_total", "result" => state.word()).increment(1);
    metrics::gauge!("tollgate_reload_failed").set(match state {
        ReloadState::Ok => 0.0,
        ReloadState::Failed => 1.0,
    });
}
