//! When to read the folders again: on events of the file system, and now and then in case there were none (network
//! file systems, watches used up, a swapped link). Says only *when*; what changed is found by reading.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Cause, Release, ReloadOutcome};
use crate::bundle::fingerprint;

/// Something that is read again when files change.
pub(super) trait Followed: Send + Sync + 'static {
    fn folders(&self) -> Vec<PathBuf>;
    /// Between two looks at the folders.
    fn poll(&self) -> Duration;
    /// What changes when the folders do; takes the folders.
    fn fingerprint(folders: &[PathBuf]) -> String;
    /// Reads them; whether it must be tried again even if nothing changes.
    fn look(&self) -> impl Future<Output = Again> + Send;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    WhenChanged,
    AtNextLook,
}

impl Followed for Release {
    fn folders(&self) -> Vec<PathBuf> {
        vec![self.settings().rules.clone(), self.settings().models.clone()]
    }

    fn poll(&self) -> Duration {
        self.settings().poll
    }

    fn fingerprint(folders: &[PathBuf]) -> String {
        match folders {
            [rules, models] => fingerprint(rules, models),
            _ => String::new(),
        }
    }

    async fn look(&self) -> Again {
        match self.reload(Cause::FilesChanged).await {
            // The store may be back.
            ReloadOutcome::Refused { .. } => Again::AtNextLook,
            _ => Again::WhenChanged,
        }
    }
}

/// Events of one save arrive together within this time.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Reloads for as long as it lives.
#[must_use = "the folders are watched until this is dropped"]
pub struct Watching {
    task: JoinHandle<()>,
    _events: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching").field("events", &self._events.is_some()).finish_non_exhaustive()
    }
}

pub(super) fn watch<F: Followed>(followed: &Arc<F>) -> Watching {
    // One waiting event is as good as many: the reading finds everything.
    let (sender, receiver) = mpsc::channel(1);
    let tell = sender.clone();
    // Full means that a reading is due anyway.
    let changed = move || {
        let _ = tell.try_send(());
    };
    let events = match events(&followed.folders(), changed) {
        Ok(events) => Some(events),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "no file system events: changes are found by looking");
            None
        }
    };
    let task = tokio::spawn(follow(Arc::downgrade(followed), followed.poll(), receiver, sender));
    Watching { task, _events: events }
}

/// Calls `changed` when something in these folders may have changed, for as long as the answer lives.
pub(super) fn events(
    folders: &[PathBuf],
    mut changed: impl FnMut() + Send + 'static,
) -> Result<Debouncer<RecommendedWatcher, RecommendedCache>, notify_debouncer_full::notify::Error> {
    let mut debouncer = new_debouncer(DEBOUNCE, None, move |result: DebounceEventResult| {
        // Reading a file is an event too, and not one to read it again for.
        let is_change = match result {
            Ok(events) => events.iter().any(|event| !event.kind.is_access()),
            Err(_) => true,
        };
        if is_change {
            changed();
        }
    })?;
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        debouncer.watch(folder, RecursiveMode::Recursive)?;
    }
    Ok(debouncer)
}

async fn follow<F: Followed>(
    followed: Weak<F>,
    poll: Duration,
    mut events: mpsc::Receiver<()>,
    _open: mpsc::Sender<()>,
) {
    let mut last = None;
    loop {
        let told = tokio::time::timeout(poll, events.recv()).await.is_ok();
        let Some(followed) = followed.upgrade() else { return };
        let folders = followed.folders();
        let Ok(seen) = spawn_blocking(move || F::fingerprint(&folders)).await else { return };
        // The first look has nothing to compare with: the reading itself knows what is in force.
        if told || last.as_ref() != Some(&seen) {
            let again = followed.look().await;
            last = Some(seen).filter(|_| again == Again::WhenChanged);
        }
    }
}
