//! Everything else that the writer does between groups, on the same connection: files of revisions, single
//! values, retention. Absent: when to do it; that is the caller's.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};
use tokio::sync::oneshot;

use super::local::hash;
use super::row::Hash;

/// One file of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionFile {
    /// The flow that it belongs to; empty for what belongs to no single flow (a model's artefact, a shared list).
    pub flow: Arc<str>,
    /// Relative, with `/`.
    pub path: Arc<str>,
    /// SHA-256 of `bytes`.
    pub digest: Hash,
    pub bytes: Arc<[u8]>,
}

type Done<T> = oneshot::Sender<Result<T, sqlx::Error>>;

/// Work for the writer that is no entry of the log.
pub(super) enum Chore {
    PutRevision {
        revision: Arc<str>,
        files: Vec<RevisionFile>,
        now_us: i64,
        done: Done<()>,
    },
    MarkShipped {
        revision: Arc<str>,
        done: Done<()>,
    },
    SetMeta {
        name: &'static str,
        value: Vec<u8>,
        done: Done<()>,
    },
    /// Removes what was recorded before a time and stands at or before a position, at most `limit` entries.
    Purge {
        before_us: i64,
        through: i64,
        limit: i64,
        now_us: i64,
        done: Done<u64>,
    },
    PurgeKeys {
        now_us: i64,
        done: Done<u64>,
    },
    /// Commit what is queued, close the file, stop.
    Close(oneshot::Sender<()>),
}

pub(super) async fn run(connection: &mut SqliteConnection, chore: Chore) {
    match chore {
        Chore::PutRevision { revision, files, now_us, done } => {
            drop(done.send(put_revision(connection, &revision, files, now_us).await));
        }
        Chore::MarkShipped { revision, done } => {
            let marked = sqlx::query("UPDATE revision SET shipped = 1 WHERE revision = ?").bind(revision);
            drop(done.send(marked.execute(connection).await.map(drop)));
        }
        Chore::SetMeta { name, value, done } => {
            let set = sqlx::query(
                "INSERT INTO meta (name, value) VALUES (?, ?)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            );
            drop(done.send(set.bind(name).bind(value).execute(connection).await.map(drop)));
        }
        Chore::Purge { before_us, through, limit, now_us, done } => {
            let cut = Cut { before_us, through, limit, now_us };
            drop(done.send(purge(connection, &cut).await));
        }
        Chore::PurgeKeys { now_us, done } => {
            let purged = sqlx::query(
                "DELETE FROM idempotency WHERE (caller, flow, key) IN
                 (SELECT caller, flow, key FROM idempotency WHERE expires_us <= ? LIMIT 5000)",
            );
            drop(done.send(purged.bind(now_us).execute(connection).await.map(|done| done.rows_affected())));
        }
        Chore::Close(done) => drop(done.send(())),
    }
}

async fn put_revision(
    connection: &mut SqliteConnection,
    revision: &str,
    files: Vec<RevisionFile>,
    now_us: i64,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let fresh = sqlx::query("INSERT INTO revision (revision, first_us) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(revision.to_owned())
        .bind(now_us)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    // The same revision has the same files: once is enough.
    for file in files.into_iter().filter(|_| fresh > 0) {
        sqlx::query("INSERT INTO blob (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(file.digest.to_vec())
            .bind(file.bytes)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO revision_file (revision, flow, path, digest) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(revision.to_owned())
        .bind(file.flow)
        .bind(file.path)
        .bind(file.digest.to_vec())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

struct Cut {
    before_us: i64,
    through: i64,
    limit: i64,
    now_us: i64,
}

/// Removes a run of the oldest entries and records where the log was cut, so that verification goes on from there.
async fn purge(connection: &mut SqliteConnection, cut: &Cut) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // The last of the leading run that is old enough; what follows a younger entry stays.
    let row = sqlx::query(
        "SELECT position, epoch, sequence, chain FROM entry
         WHERE position <= ?1 AND position < coalesce((SELECT position FROM
             (SELECT position, recorded_us FROM entry ORDER BY position LIMIT ?3) WHERE recorded_us >= ?2
             ORDER BY position LIMIT 1), 9223372036854775807)
           AND position IN (SELECT position FROM entry ORDER BY position LIMIT ?3)
         ORDER BY position DESC LIMIT 1",
    )
    .bind(cut.through)
    .bind(cut.before_us)
    .bind(cut.limit)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else { return Ok(0) };
    let last: i64 = row.try_get(0)?;
    let (epoch, sequence): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    let chained = hash(row.try_get(3)?)?;
    sqlx::query("DELETE FROM cut").execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO cut (position, epoch, sequence, chain, cut_us) VALUES (?, ?, ?, ?, ?)")
        .bind(last)
        .bind(epoch)
        .bind(sequence)
        .bind(chained.to_vec())
        .bind(cut.now_us)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM body WHERE position <= ?").bind(last).execute(&mut *transaction).await?;
    let removed =
        sqlx::query("DELETE FROM entry WHERE position <= ?").bind(last).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(removed.rows_affected())
}
