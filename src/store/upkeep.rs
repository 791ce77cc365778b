//! What the store does by the clock: measures the disk, forgets expired keys, applies the declared retention.
//! Absent: deleting anything that Postgres does not have, when there is a Postgres.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use tokio::sync::{oneshot, watch};

use super::central::Central;
use super::maintain::Chore;
use super::space::Space;
use super::whole::{StoreSettings, now_us};
use super::writer::Queue;

/// At the least between two checkpoints in the background.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);
const MEASURE_EVERY: Duration = Duration::from_secs(2);
/// Ticks of `MEASURE_EVERY` between two purges.
const PURGE_TICKS: u32 = 150;
/// Entries removed between two groups: small, so that no decision waits for a purge.
const PURGE_ROWS: i64 = 1000;

pub(super) struct Upkeep {
    pub settings: StoreSettings,
    pub queue: Queue,
    pub central: Option<Arc<Central>>,
    pub space: Arc<Space>,
    pub stopping: watch::Receiver<bool>,
}

pub(super) async fn run(mut upkeep: Upkeep) {
    let mut ticks: u32 = 0;
    loop {
        tokio::select! {
            changed = upkeep.stopping.changed() => {
                if changed.is_err() || *upkeep.stopping.borrow() {
                    return;
                }
            }
            () = tokio::time::sleep(MEASURE_EVERY) => {}
        }
        upkeep.space.measure(&upkeep.settings.folder);
        metrics::gauge!("tollgate_log_waiting")
            .set(f64::from(u32::try_from(upkeep.queue.waiting()).unwrap_or(u32::MAX)));
        if ticks.is_multiple_of(PURGE_TICKS) {
            purge(&upkeep.settings, &upkeep.queue, upkeep.central.as_deref()).await;
        }
        ticks = ticks.wrapping_add(1);
    }
}

/// Moves committed pages from the write-ahead log into the file, on a connection of its own, so that no group has to
/// do it on its way. Passive: it waits for nobody and nobody waits for it. Ends when `stop` is dropped or used; the
/// writer, which closes last, then leaves one file behind.
pub(super) async fn checkpoint(
    folder: PathBuf,
    mut committed: watch::Receiver<i64>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut connection = match super::local::beside(&folder).await {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(%error, "no checkpoints in the background: the writer makes its own");
            return;
        }
    };
    loop {
        tokio::select! {
            changed = committed.changed() => if changed.is_err() { break },
            _ = &mut stop => break,
        }
        tokio::select! {
            () = tokio::time::sleep(CHECKPOINT_EVERY) => {}
            _ = &mut stop => break,
        }
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await {
            tracing::debug!(%error, "a checkpoint in the background did not go through");
        }
    }
    let _ = connection.close().await;
}

/// Forgets expired keys and removes what retention allows, a little at a time.
pub(super) async fn purge(settings: &StoreSettings, queue: &Queue, central: Option<&Central>) {
    while let Some(1..) = ask(queue, |done| Chore::PurgeKeys { now_us: now_us(), done }).await {}
    let (keep, through) = match (central, settings.retention) {
        // Only what has arrived there, and a while later, should the database lose its tail.
        (Some(central), _) => (settings.keep_shipped, central.shipped()),
        (None, Some(keep)) => (keep, i64::MAX),
        (None, None) => return,
    };
    let before_us = now_us().saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX));
    let mut removed: u64 = 0;
    while let Some(some @ 1..) =
        ask(queue, |done| Chore::Purge { before_us, through, limit: PURGE_ROWS, now_us: now_us(), done })
            .await
    {
        removed = removed.saturating_add(some);
    }
    if removed > 0 {
        tracing::info!(removed, "retention removed entries from the local log");
        metrics::counter!("tollgate_log_purged_total").increment(removed);
    }
}

async fn ask(
    queue: &Queue,
    chore: impl FnOnce(oneshot::Sender<Result<u64, sqlx::Error>>) -> Chore,
) -> Option<u64> {
    let (done, answer) = oneshot::channel();
    queue.chore(chore(done)).ok()?;
    match answer.await.ok()? {
        Ok(count) => Some(count),
        Err(error) => {
            tracing::warn!(%error, "the local log could not be purged");
            None
        }
    }
}
