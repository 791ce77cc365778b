//! Flows of earlier revisions, from the files that the store keeps of them, to be looked at and compared. Absent on
//! purpose: deciding with them (replay's).

use std::sync::Arc;

use super::replay::by_flow;
use super::{Engine, ReplayError};
use crate::audit::{Audit, RevisionFile};
use crate::bundle::{Expected, Flows, RebuildError, rebuild};
use crate::domain::value::Name;

/// Why a revision cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    #[error("no such revision")]
    Unknown,
    /// How many begin like that.
    #[error("{0} revisions begin like that")]
    Ambiguous(usize),
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    #[error("the stored files cannot be read")]
    Read(#[from] crate::audit::ReadError),
}

/// The one revision that is called this, or begins like it.
///
/// # Errors
/// When none or several do, or the log cannot be read.
pub async fn revision_called(audit: &Audit, name: &str) -> Result<Arc<str>, RevisionError> {
    let rows = audit.revisions().await.map_err(|error| RevisionError::Read(error.into()))?;
    let mut found: Vec<Arc<str>> = rows.into_iter().map(|row| row.revision).collect();
    if let Some(exact) = found.iter().find(|revision| ***revision == *name) {
        return Ok(Arc::clone(exact));
    }
    found.retain(|revision| revision.starts_with(name));
    match found.as_slice() {
        [] => Err(RevisionError::Unknown),
        [only] => Ok(Arc::clone(only)),
        several => Err(RevisionError::Ambiguous(several.len())),
    }
}

/// The flows of a stored revision; only `flow` where one is named.
///
/// # Errors
/// When there is no such revision, or a flow of it cannot be built any more.
pub async fn flows_of(audit: &Audit, revision: &str, flow: Option<&str>) -> Result<Flows, RevisionError> {
    let files = audit.revision_files(revision).await.map_err(|error| RevisionError::Read(error.into()))?;
    if files.is_empty() {
        return Err(RevisionError::Unknown);
    }
    let wanted = flow.map(str::to_owned);
    let built = tokio::task::spawn_blocking(move || built(files, wanted.as_deref())).await;
    built.unwrap_or(Err(RevisionError::Unknown))
}

fn built(files: Vec<RevisionFile>, wanted: Option<&str>) -> Result<Flows, RevisionError> {
    let of_flows = by_flow(files);
    let mut flows = Flows::new();
    let mut waiting: Vec<String> = match wanted {
        Some(wanted) => vec![wanted.to_owned()],
        None => of_flows.keys().cloned().collect(),
    };
    while let Some(flow) = waiting.pop() {
        let Some(files) = of_flows.get(&flow).filter(|_| !flow.is_empty() && !flows.contains_key(&*flow))
        else {
            continue;
        };
        let built = rebuild(&flow, files, Expected::Anything)?;
        waiting.extend(built.flow.all_sub_flows().iter().map(ToString::to_string));
        flows.insert(Name::from(flow.as_str()), built);
    }
    Ok(flows)
}

impl Engine {
    /// The flows of a revision by its name or a unique beginning of it; those in force if it is that one.
    ///
    /// # Errors
    /// As `revision_called` and `flows_of`.
    pub async fn flows_at(&self, revision: &str) -> Result<(Arc<str>, Flows), RevisionError> {
        let in_force = self.release.in_force();
        if *in_force.revision == *revision {
            return Ok((Arc::clone(&in_force.revision), in_force.flows.clone()));
        }
        let found = revision_called(&self.audit, revision).await?;
        let flows = flows_of(&self.audit, &found, None).await?;
        Ok((found, flows))
    }
}

impl From<RevisionError> for ReplayError {
    fn from(error: RevisionError) -> Self {
        match error {
            RevisionError::Unknown | RevisionError::Ambiguous(_) => Self::UnknownRevision,
            RevisionError::Rebuild(error) => Self::NotReplayable { detail: error.to_string() },
            RevisionError::Read(error) => Self::Read(error),
        }
    }
}
