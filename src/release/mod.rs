//! Which bundle is in force: loaded at the start, replaced as one when files change, never half. A flow that breaks
//! keeps its last good version. What is wrong with documents is found in `bundle`; what is stored is the journal's.

mod changes;
mod journal;
mod models;
mod reload;
mod status;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch as channel};

pub use changes::Changes;
pub use journal::{
    BoxedFuture, CasesTold, Cause, JournalError, NoJournal, ReleaseJournal, StoredFlow, Switch,
};
pub use models::{ModelFolder, ModelSource};
pub use reload::ReloadOutcome;
pub use status::{CasesStatus, FlowStatus, ReleaseStatus, ReloadState};
pub use watch::Watching;

use crate::bundle::{Bundle, KnownLists};
use crate::learn::library::ModelLibrary;

/// Where the documents are and how carefully they are taken.
#[derive(Debug, Clone)]
pub struct ReleaseSettings {
    pub rules: PathBuf,
    pub models: PathBuf,
    /// Keep a flow's last good version when one of its cases does not hold.
    pub require_cases: bool,
    /// Between two readings that must agree before they are believed.
    pub settle: Duration,
    /// Between two looks at the folders, for changes that no event told of.
    pub poll: Duration,
}

impl ReleaseSettings {
    pub fn new(rules: impl Into<PathBuf>, models: impl Into<PathBuf>) -> Self {
        Self {
            rules: rules.into(),
            models: models.into(),
            require_cases: false,
            settle: Duration::from_millis(40),
            poll: Duration::from_millis(500),
        }
    }
}

/// The bundle in force, and the only way to another.
pub struct Release {
    in_force: ArcSwap<Bundle>,
    /// The models in force, for those who serve them by themselves.
    libraries: channel::Sender<Arc<ModelLibrary>>,
    status: ArcSwap<ReleaseStatus>,
    settings: ReleaseSettings,
    journal: Arc<dyn ReleaseJournal>,
    /// Held during a reload: one at a time, in order.
    memory: Mutex<Memory>,
}

/// What a reload remembers for the next.
#[derive(Default)]
struct Memory {
    /// Of the documents that were read last; empty if they have to be read again.
    documents: String,
    /// The models that were read last, and the digest of their files.
    models: Option<(String, Arc<ModelLibrary>)>,
    /// The lists that were read last.
    lists: KnownLists,
}

/// Why nothing could be put in force at the start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the starting bundle could not be recorded as in force")]
    Journal(#[source] JournalError),
    #[error("the last good flows could not be read from the store")]
    LastGood(#[source] JournalError),
    #[error("the folders could not be read: the reading was stopped")]
    Stopped,
}

impl Release {
    /// Builds what the folders hold and puts it in force; a flow that does not check takes its last good version from
    /// the journal. There may be no good flow at all: the status says so.
    ///
    /// # Errors
    /// When the journal cannot give or take what it must.
    pub async fn start(
        settings: ReleaseSettings,
        journal: Arc<dyn ReleaseJournal>,
    ) -> Result<Arc<Self>, StartError> {
        reload::start(settings, journal).await
    }

    /// The bundle that is in force at this moment: take it once a request.
    #[must_use]
    pub fn in_force(&self) -> Arc<Bundle> {
        self.in_force.load_full()
    }

    #[must_use]
    pub fn status(&self) -> Arc<ReleaseStatus> {
        self.status.load_full()
    }

    #[must_use]
    pub fn settings(&self) -> &ReleaseSettings {
        &self.settings
    }

    /// Reads the folders now and puts in force what checks. What came of it is also in the status, the log and the
    /// metrics.
    pub async fn reload_now(&self, cause: Cause) -> ReloadOutcome {
        self.reload(cause).await
    }

    /// Reloads whenever a file changes, until the answer is dropped.
    pub fn watch(self: &Arc<Self>) -> Watching {
        watch::watch(self)
    }
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Release").field("revision", &self.in_force().revision).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
