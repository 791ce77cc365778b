//! The shipper: takes what is durable here to Postgres, in order, each entry exactly once, however often either
//! side fails in between. Absent: touching the local log; where it stands is kept in Postgres, moved in the same
//! transaction as the entries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::central::Central;
use super::error::{OpenError, StoreError, central};
use super::local::Local;
use super::maintain::Chore;
use super::row::{KeyHolder, Stored};
use super::ship_insert::{self, Refusal};
use super::whole::now_us;
use super::writer::Queue;

/// Entries that one transaction takes at most.
const BATCH: i64 = 256;
/// What one transaction may take before it is given up and sent again.
const BATCH_WAIT: Duration = Duration::from_secs(20);
/// How often an idle shipper asks whether the database is still there.
const PING_EVERY: Duration = Duration::from_secs(1);
const PING_WAIT: Duration = Duration::from_secs(2);
const PREPARE_WAIT: Duration = Duration::from_secs(60);
const PARTITIONS_EVERY: Duration = Duration::from_secs(3600);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub(super) struct Shipper {
    local: Arc<Local>,
    central: Arc<Central>,
    queue: Queue,
    committed: watch::Receiver<i64>,
    stopping: watch::Receiver<bool>,
}

impl Shipper {
    pub fn new(
        local: Arc<Local>,
        central: Arc<Central>,
        queue: Queue,
        committed: watch::Receiver<i64>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { local, central, queue, committed, stopping }
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }
}

/// Why a session with the database ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the database could not be prepared")]
    Prepare(#[source] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database did not answer in time")]
    Late,
    #[error("the cursor was moved by something else")]
    Cursor,
}

/// Ships until told to stop, through every outage.
pub(super) async fn run(mut shipper: Shipper) {
    let mut pause = Duration::from_millis(50);
    while !shipper.is_stopping() {
        let begun = Instant::now();
        match session(&mut shipper).await {
            Ok(()) => return,
            Err(error) => {
                shipper.central.set_reachable(false);
                metrics::counter!("tollgate_ship_failures_total").increment(1);
                tracing::debug!(error = &error as &dyn std::error::Error, "shipping paused");
                if matches!(error, Ended::Prepare(OpenError::MigrateCentral(_))) && pause >= LONGEST_PAUSE {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the database is not usable");
                }
            }
        }
        if begun.elapsed() > Duration::from_secs(10) {
            pause = Duration::from_millis(50);
        }
        tokio::select! {
            _ = shipper.stopping.changed() => {}
            () = tokio::time::sleep(jittered(pause)) => {}
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Between half of the pause and all of it, so that replicas do not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let share = getrandom::u32().unwrap_or_default() % 512;
    pause / 2 + pause / 1024 * share
}

/// From a reachable database until it fails (`Err`) or the store stops (`Ok`).
async fn session(shipper: &mut Shipper) -> Result<(), Ended> {
    let central = Arc::clone(&shipper.central);
    within(PREPARE_WAIT, async { central.prepare().await.map_err(Ended::Prepare) }).await?;
    within(BATCH_WAIT, partitions(&central)).await?;
    let mut cursor = within(BATCH_WAIT, start(shipper)).await?;
    central.arrived(cursor, &BTreeMap::new());
    central.set_reachable(true);
    let mut partitioned = Instant::now();
    while !shipper.is_stopping() {
        revisions(shipper).await?;
        let batch = shipper.local.walk(cursor, BATCH).await?;
        lag(shipper, cursor, batch.first());
        if batch.is_empty() {
            if partitioned.elapsed() > PARTITIONS_EVERY {
                within(BATCH_WAIT, partitions(&central)).await?;
                partitioned = Instant::now();
            }
            idle(shipper, cursor).await?;
            continue;
        }
        cursor = ship(shipper, cursor, &batch).await?;
    }
    Ok(())
}

async fn within<T>(wait: Duration, work: impl Future<Output = Result<T, Ended>>) -> Result<T, Ended> {
    tokio::time::timeout(wait, work).await.unwrap_or(Err(Ended::Late))
}

/// Where to go on: what the database says, unless that cannot be true of this log.
async fn start(shipper: &Shipper) -> Result<i64, Ended> {
    let (first, last) = shipper.local.range().await?;
    let cursor = ship_insert::cursor(&shipper.central.pool, shipper.local.node).await?;
    match cursor {
        Some(cursor) if cursor >= first && cursor <= last => Ok(cursor),
        Some(cursor) => {
            // Beyond the end: the folder was restored from a backup, and its positions are given out again.
            // Before the start: retention removed entries. Sending twice changes nothing.
            tracing::warn!(
                cursor,
                first,
                last,
                "the database's cursor does not fit this log; shipping what is here"
            );
            ship_insert::reset_cursor(&shipper.central.pool, shipper.local.node, first).await?;
            Ok(first)
        }
        None => {
            ship_insert::reset_cursor(&shipper.central.pool, shipper.local.node, first).await?;
            Ok(first)
        }
    }
}

/// Ships a batch; when the database refuses a row in it, halves until that row is alone and sets it aside.
async fn ship(shipper: &Shipper, mut cursor: i64, batch: &[Stored]) -> Result<i64, Ended> {
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        let Some(last) = part.last() else { continue };
        let sent = tokio::time::timeout(
            BATCH_WAIT,
            ship_insert::batch(&shipper.central.pool, shipper.local.node, cursor, part),
        )
        .await
        .map_err(|_| Ended::Late)?;
        match sent {
            Ok(taken) => done(shipper, part, last.local, &taken),
            Err(Refusal::Cursor) => return Err(Ended::Cursor),
            Err(Refusal::Away(error)) => return Err(central("ship")(error).into()),
            Err(Refusal::Row(reason)) => match part {
                [row] => {
                    tracing::error!(decision_id = %row.row.id, reason, "the database refuses a record; set aside");
                    metrics::counter!("tollgate_ship_set_aside_total").increment(1);
                    let node = shipper.local.node;
                    within(BATCH_WAIT, async {
                        Ok(ship_insert::set_aside(&shipper.central.pool, node, cursor, row, &reason).await?)
                    })
                    .await?;
                    done(shipper, part, last.local, &BTreeMap::new());
                }
                _ => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.push(second);
                    parts.push(first);
                    continue;
                }
            },
        }
        cursor = last.local;
    }
    Ok(cursor)
}

fn done(shipper: &Shipper, part: &[Stored], through: i64, taken: &BTreeMap<i64, KeyHolder>) {
    shipper.central.arrived(through, taken);
    metrics::counter!("tollgate_ship_records_total").increment(u64::try_from(part.len()).unwrap_or_default());
    metrics::counter!("tollgate_ship_duplicates_total")
        .increment(u64::try_from(taken.len()).unwrap_or_default());
}

/// Waits for the next commit; asks now and then whether the database is still there.
async fn idle(shipper: &mut Shipper, cursor: i64) -> Result<(), Ended> {
    if *shipper.committed.borrow_and_update() > cursor {
        return Ok(());
    }
    tokio::select! {
        // The writer is gone only when the store is closing: no reason to spin.
        Ok(()) = shipper.committed.changed() => return Ok(()),
        _ = shipper.stopping.changed() => return Ok(()),
        () = tokio::time::sleep(PING_EVERY) => {}
    }
    let ping = sqlx::query("SELECT 1").execute(&shipper.central.pool);
    tokio::time::timeout(PING_WAIT, ping).await.map_err(|_| Ended::Late)?.map_err(central("ping"))?;
    shipper.central.set_reachable(true);
    Ok(())
}

fn lag(shipper: &Shipper, cursor: i64, oldest: Option<&Stored>) {
    let records = shipper.queue.last().saturating_sub(cursor);
    let seconds =
        oldest.map_or(0, |oldest| now_us().saturating_sub(oldest.position.recorded_us).max(0) / 1_000_000);
    let gauge = |value: i64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    metrics::gauge!("tollgate_ship_lag_records").set(gauge(records));
    metrics::gauge!("tollgate_ship_lag_seconds").set(gauge(seconds));
}

/// Takes revisions that the database does not have, before the decisions made on them.
async fn revisions(shipper: &Shipper) -> Result<(), Ended> {
    for row in shipper.local.unshipped_revisions().await? {
        let files = shipper.local.revision_files(&row.revision).await?;
        within(BATCH_WAIT, async {
            Ok(ship_insert::revision(&shipper.central.pool, &row, &files)
                .await
                .map_err(central("ship a revision"))?)
        })
        .await?;
        let (done, answer) = tokio::sync::oneshot::channel();
        let mark = Chore::MarkShipped { revision: Arc::clone(&row.revision), done };
        if shipper.queue.chore(mark).is_err() || !matches!(answer.await, Ok(Ok(()))) {
            return Ok(());
        }
    }
    Ok(())
}

/// Makes this month's partition and the next two. Rows that no partition covers go to the default one.
async fn partitions(central: &Central) -> Result<(), Ended> {
    for ahead in 0..3 {
        if let Err(error) = ship_insert::partition(&central.pool, now_us(), ahead).await {
            if error.as_database_error().is_none() {
                return Err(super::error::central("make a partition")(error).into());
            }
            tracing::warn!(%error, "a month's partition could not be made; its rows go to the default one");
        }
    }
    let counted: i64 = sqlx::query_scalar("SELECT count(*) FROM public.decision_default")
        .fetch_one(&central.pool)
        .await
        .map_err(super::error::central("count the default partition"))?;
    let rows = f64::from(u32::try_from(counted).unwrap_or(u32::MAX));
    metrics::gauge!("tollgate_central_default_partition_rows").set(rows);
    Ok(())
}
