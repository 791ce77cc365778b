//! Waiting until the folders hold something else, for commands that look again and again. As `watch`, but whoever
//! waits does the reading; nothing is put in force.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use notify_debouncer_full::notify::RecommendedWatcher;
use notify_debouncer_full::{Debouncer, RecommendedCache};

use super::watch::events;
use crate::bundle::fingerprint;

/// Between two looks, for changes that no event told of.
const POLL: Duration = Duration::from_millis(500);

/// Between two looks that must agree: an editor may still be writing.
const SETTLE: Duration = Duration::from_millis(40);

/// Looks after which folders that never rest are taken as they are.
const MOST_LOOKS: usize = 50;

/// The folders as they were seen last.
pub struct Changes {
    rules: PathBuf,
    models: PathBuf,
    seen: String,
    told: Receiver<()>,
    /// Kept open, so that a watcher that could not be made is only one that says nothing.
    _open: Sender<()>,
    _events: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Changes {
    /// Begins to watch: what changes from now on is a change.
    #[must_use]
    pub fn of(rules: PathBuf, models: PathBuf) -> Self {
        let (sender, told) = mpsc::channel();
        let tell = sender.clone();
        // Without events the folders are looked at now and then, which finds the same a little later.
        let events = events(&[rules.clone(), models.clone()], move || {
            // Nobody listens any more: nobody has to know.
            let _ = tell.send(());
        });
        let seen = fingerprint(&rules, &models);
        Self { rules, models, seen, told, _open: sender, _events: events.ok() }
    }

    /// Waits until the folders hold something else and rest; at most until `patience` is over, if there is one. Whether
    /// something changed.
    pub fn wait(&mut self, patience: Option<Duration>) -> bool {
        let mut waited = Duration::ZERO;
        while patience.is_none_or(|patience| waited < patience) {
            match self.told.recv_timeout(POLL) {
                Ok(()) => while self.told.try_recv().is_ok() {},
                Err(RecvTimeoutError::Timeout) => waited += POLL,
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL),
            }
            let now = self.at_rest();
            if now != self.seen {
                self.seen = now;
                return true;
            }
        }
        false
    }

    fn at_rest(&self) -> String {
        let mut last = fingerprint(&self.rules, &self.models);
        for _ in 0..MOST_LOOKS {
            std::thread::sleep(SETTLE);
            let now = fingerprint(&self.rules, &self.models);
            if now == last {
                break;
            }
            last = now;
        }
        last
    }
}
