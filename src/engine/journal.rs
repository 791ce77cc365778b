//! What a release leaves in the log, before it comes into force: its files, so that replay works after any edit,
//! and an entry that says what took the place of what.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::replay::by_flow;
use crate::audit::{Audit, CasesRun, Durability, Entry, FileToKeep, Switch as SwitchEntry};
use crate::bundle::{ManifestFile, of_files};
use crate::release::{BoxedFuture, JournalError, ReleaseJournal, StoredFlow, Switch};

/// Writes revisions and switches to the log.
#[must_use]
pub fn journal(audit: &Arc<Audit>) -> Arc<dyn ReleaseJournal> {
    Arc::new(LogJournal { audit: Arc::clone(audit) })
}

struct LogJournal {
    audit: Arc<Audit>,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> JournalError {
    JournalError(Box::new(error))
}

impl LogJournal {
    async fn keep(&self, switch: &Switch) -> Result<(), JournalError> {
        let bundle = &switch.bundle;
        let mut files = Vec::new();
        for (flow, revision) in &bundle.flows {
            for ManifestFile { path, bytes, .. } in revision.all_files() {
                files.push(FileToKeep { flow: Arc::clone(flow), path: Arc::from(path), bytes });
            }
        }
        let last = self.audit.last_in_force().await.map_err(failed)?;
        if switch.previous.is_none() && last.as_deref() == Some(&*bundle.revision) {
            // A restart on the same documents switches nothing.
            return Ok(());
        }
        self.audit.put_revision(&bundle.revision, files).await.map_err(failed)?;
        let entry = SwitchEntry {
            at: switch.at,
            revision: Arc::clone(&bundle.revision),
            previous: switch.previous.as_ref().map(|p| Arc::clone(&p.revision)).or(last.map(Arc::from)),
            from: Arc::from(switch.cause.word()),
            by: None,
            flows: bundle
                .flows
                .iter()
                .flat_map(|(name, flow)| flow.named_revisions(name))
                .map(|(name, revision)| (name, Arc::clone(revision)))
                .collect(),
            cases: (switch.cases.run > 0).then(|| CasesRun {
                cases: u64::try_from(switch.cases.run).unwrap_or(u64::MAX),
                failed: u64::try_from(switch.cases.failed).unwrap_or(u64::MAX),
            }),
        };
        self.audit.append_entry(Entry::Release(entry), Durability::Local).await.map_err(failed)?;
        self.audit.set_in_force(&bundle.revision).await.map_err(failed)
    }

    async fn kept(&self) -> Result<Vec<StoredFlow>, JournalError> {
        let Some(revision) = self.audit.last_in_force().await.map_err(failed)? else { return Ok(Vec::new()) };
        let files = self.audit.revision_files(&revision).await.map_err(failed)?;
        let flows = by_flow(files).into_iter().map(|(flow, files)| {
            let manifest: BTreeSet<ManifestFile> = files
                .iter()
                .map(|(path, bytes)| ManifestFile::new(path.as_str(), Arc::clone(bytes)))
                .collect();
            StoredFlow { flow, flow_revision: of_files(&manifest).to_string(), files }
        });
        Ok(flows.collect())
    }
}

impl ReleaseJournal for LogJournal {
    fn coming_into_force<'a>(&'a self, switch: &'a Switch) -> BoxedFuture<'a, Result<(), JournalError>> {
        Box::pin(self.keep(switch))
    }

    fn last_good(&self) -> BoxedFuture<'_, Result<Vec<StoredFlow>, JournalError>> {
        Box::pin(self.kept())
    }
}
