//! The models that are in force: those of the bundle, or, where no flow is served, those of a folder that is followed
//! by itself. Absent on purpose: which of them answer whom (that is `predict`'s).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;

use super::reload::{REMOVED_AFTER, settled};
use super::watch::{Again, Followed, Watching};
use super::{Cause, Release};
use crate::bundle::{fingerprint_of_models, models_of, read_models_folder};
use crate::domain::diagnostic::Severity;
use crate::domain::model::Model;
use crate::learn::library::ModelLibrary;

/// Where models come from.
#[derive(Debug, Clone)]
pub enum ModelSource {
    /// The bundle in force.
    Release(Arc<Release>),
    /// A folder alone.
    Folder(Arc<ModelFolder>),
}

impl ModelSource {
    /// The models in force at this moment.
    #[must_use]
    pub fn library(&self) -> Arc<ModelLibrary> {
        Arc::clone(&self.changes().borrow())
    }

    /// Tells of every library that comes into force.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<ModelLibrary>> {
        match self {
            Self::Release(release) => release.libraries.subscribe(),
            Self::Folder(folder) => folder.libraries.subscribe(),
        }
    }

    /// The models that flows in force ask, also those of which nothing is left in the folder; one may come twice.
    #[must_use]
    pub fn asked_by_flows(&self) -> Vec<Arc<Model>> {
        match self {
            Self::Release(release) => release.in_force().models_asked(),
            Self::Folder(_) => Vec::new(),
        }
    }

    /// Reads the files now. What came of it is in the library, the log and the metrics.
    pub async fn reload(&self) {
        match self {
            Self::Release(release) => {
                release.reload_now(Cause::Asked).await;
            }
            Self::Folder(folder) => folder.reload().await,
        }
    }
}

/// A folder of models that is in force by itself.
#[derive(Debug)]
pub struct ModelFolder {
    folder: PathBuf,
    settle: Duration,
    poll: Duration,
    libraries: watch::Sender<Arc<ModelLibrary>>,
    /// Of the files that were read last. Held during a reading: one at a time, in order.
    digest: Mutex<String>,
}

impl ModelFolder {
    /// Reads the folder; one that does not exist holds no models.
    pub async fn start(folder: impl Into<PathBuf>, settle: Duration, poll: Duration) -> Arc<Self> {
        let own = Self {
            folder: folder.into(),
            settle,
            poll,
            libraries: watch::Sender::new(Arc::default()),
            digest: Mutex::new(String::new()),
        };
        own.reload().await;
        Arc::new(own)
    }

    /// Reads it again whenever a file changes, until the answer is dropped.
    pub fn watch(self: &Arc<Self>) -> Watching {
        super::watch::watch(self)
    }

    async fn reload(&self) {
        let mut known = self.digest.lock().await;
        let Some(mut read) = self.read(&known).await else { return };
        let is_behind = read.1.is_behind(&self.libraries.borrow());
        if is_behind {
            tokio::time::sleep(REMOVED_AFTER).await;
            let Some(second) = self.read(&known).await else { return };
            read = second;
        }
        let (digest, library) = read;
        for finding in library.findings() {
            let (code, path, found) = (finding.diagnostic.code, &finding.path, &finding.diagnostic.message);
            match finding.diagnostic.severity {
                Severity::Error => tracing::error!(code, path, "{found}"),
                Severity::Warning => tracing::warn!(code, path, "{found}"),
            }
        }
        tracing::info!(models = library.models().len(), "read");
        *known = digest;
        self.libraries.send_replace(Arc::new(library));
    }

    /// What it holds, and the digest of that; `None` when it is what is known.
    async fn read(&self, known: &str) -> Option<(String, ModelLibrary)> {
        let folder = self.folder.clone();
        let documents = settled(self.settle, move || read_models_folder(&folder)).await?;
        let (older, known) = (Arc::clone(&self.libraries.borrow()), known.to_owned());
        let built = spawn_blocking(move || {
            let digest = documents.digest();
            (digest != known).then(|| (digest, models_of(&documents, Some(&older))))
        });
        built.await.ok().flatten()
    }
}

impl Followed for ModelFolder {
    fn folders(&self) -> Vec<PathBuf> {
        vec![self.folder.clone()]
    }

    fn poll(&self) -> Duration {
        self.poll
    }

    fn fingerprint(folders: &[PathBuf]) -> String {
        folders.first().map(|folder| fingerprint_of_models(folder)).unwrap_or_default()
    }

    async fn look(&self) -> Again {
        self.reload().await;
        Again::WhenChanged
    }
}
