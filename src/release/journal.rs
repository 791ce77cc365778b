//! What a release tells the store before anything changes, and asks of it at a start with broken rules.
//! The store implements it; `NoJournal` serves commands that keep nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::bundle::Bundle;

pub type BoxedFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps the files of every revision and an entry for every switch.
pub trait ReleaseJournal: Send + Sync {
    /// Makes the coming revision's files and the entry of the switch durable. Awaited before the switch: after an error
    /// the old bundle stays in force.
    fn coming_into_force<'a>(&'a self, switch: &'a Switch) -> BoxedFuture<'a, Result<(), JournalError>>;

    /// Every flow of the bundle that was in force last, with its files.
    fn last_good(&self) -> BoxedFuture<'_, Result<Vec<StoredFlow>, JournalError>>;
}

/// One bundle taking the place of another.
#[derive(Debug, Clone)]
pub struct Switch {
    pub bundle: Arc<Bundle>,
    /// `None` at the start.
    pub previous: Option<Arc<Bundle>>,
    pub cause: Cause,
    /// When the files were found changed.
    pub at: Timestamp,
    pub cases: CasesTold,
}

/// Why the folders were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Start,
    /// A file changed; by whose hand is unknown.
    FilesChanged,
    /// Somebody asked (SIGHUP, an API call).
    Asked,
}

impl Cause {
    /// For logs and entries: `start`, `files_changed`, `asked`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::FilesChanged => "files_changed",
            Self::Asked => "asked",
        }
    }
}

/// How the cases of the coming bundle came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CasesTold {
    pub run: usize,
    pub failed: usize,
}

/// One flow as the store kept it.
#[derive(Debug, Clone)]
pub struct StoredFlow {
    pub flow: String,
    pub flow_revision: String,
    /// Paths and bytes of its manifest.
    pub files: Vec<(String, Arc<[u8]>)>,
}

/// The store could not do its part.
#[derive(Debug)]
pub struct JournalError(pub Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the release could not be recorded")
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// Keeps nothing: for commands that decide without a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

impl ReleaseJournal for NoJournal {
    fn coming_into_force<'a>(&'a self, _switch: &'a Switch) -> BoxedFuture<'a, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn last_good(&self) -> BoxedFuture<'_, Result<Vec<StoredFlow>, JournalError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
