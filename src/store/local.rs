//! The local log's file: opened once per process, under a lock, brought to this version's form, with a fresh
//! epoch. Writing is `writer`'s alone; here are the reads. Absent: any cache.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row as _, SqlSafeStr as _};
use uuid::Uuid;

use super::error::{OpenError, StoreError, local};
use super::query::SELECT;
use super::row::{Hash, KeyHolder};

/// The file of the log within the data folder.
pub const LOG_FILE: &str = "log.db";
const LOCK_FILE: &str = "log.lock";

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "log", include_str!("../../migrations/sqlite/0001_log.sql")),
    (2, "parts", include_str!("../../migrations/sqlite/0002_parts.sql")),
];

/// The log's file, open for reading; held exclusively by this process.
#[derive(Debug)]
pub struct Local {
    pub(super) reads: SqlitePool,
    pub node: Uuid,
    pub epoch: i64,
    /// This node's own key of the subject hash.
    pub subject_key: [u8; 32],
    /// What reads an entry: a log of an earlier version that is only read has no parts.
    pub(super) select: String,
    lock: Mutex<Option<File>>,
}

/// Where the writer takes up the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    pub node: Uuid,
    pub epoch: i64,
    pub sequence: i64,
    pub local: i64,
    pub chain: Hash,
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(false)
        // Four pages' worth of writing in one call: records are some kilobytes and only ever appended.
        .page_size(16_384)
        // `upkeep` moves pages back in the background; this is for when it cannot keep up (64 MiB).
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

/// Opens the log for this process, creating what is missing, and begins an epoch.
pub(super) async fn open(folder: &Path, now_us: i64) -> Result<(Local, SqliteConnection, Tail), OpenError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    let lock = lock(folder)?;
    let path = folder.join(LOG_FILE);
    let at = |source| OpenError::File { path: path.clone(), source };
    let mut writer = options(&path).connect().await.map_err(at)?;
    migrator(&MIGRATIONS)
        // Not `run`: its `Acquire` bound makes this future impossible to spawn.
        .run_direct(None, &mut writer, false)
        .await
        .map_err(|source| OpenError::Migrate { path: path.clone(), source })?;

    let node = own(&mut writer, "node", random::<16>()?).await.map_err(at)?;
    let subject_key = own(&mut writer, "subject_key", random::<32>()?).await.map_err(at)?;
    let epoch: i64 = sqlx::query_scalar(
        "INSERT INTO epoch (epoch, opened_us) SELECT coalesce(max(epoch), 0) + 1, ? FROM epoch RETURNING epoch",
    )
    .bind(now_us)
    .fetch_one(&mut writer)
    .await
    .map_err(at)?;
    let node = Uuid::from_bytes(node);
    let (last, last_chain) = last(&mut writer).await.map_err(at)?;
    let reads = SqlitePoolOptions::new()
        .max_connections(3)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options(&path).read_only(true).create_if_missing(false));
    let tail = Tail { node, epoch, sequence: 0, local: last, chain: last_chain };
    let (select, lock) = (SELECT.to_owned(), Mutex::new(Some(lock)));
    Ok((Local { reads, node, epoch, subject_key, select, lock }, writer, tail))
}

/// One more connection to an open log.
pub(super) async fn beside(folder: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(&folder.join(LOG_FILE)).create_if_missing(false).connect().await
}

/// Opens an existing log for reading only, beside a running service or without one.
pub(super) async fn open_to_read(folder: &Path) -> Result<Local, OpenError> {
    let path = folder.join(LOG_FILE);
    let at = |source| OpenError::File { path: path.clone(), source };
    // Not `read_only`: reading a write-ahead log needs its index file, which may have to be created.
    let reads = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options(&path).create_if_missing(false).pragma("query_only", "1"))
        .await
        .map_err(at)?;
    let read = async {
        let node: Vec<u8> =
            sqlx::query_scalar("SELECT value FROM meta WHERE name = 'node'").fetch_one(&reads).await?;
        let key: Vec<u8> =
            sqlx::query_scalar("SELECT value FROM meta WHERE name = 'subject_key'").fetch_one(&reads).await?;
        let epoch: i64 =
            sqlx::query_scalar("SELECT coalesce(max(epoch), 0) FROM epoch").fetch_one(&reads).await?;
        let parts: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pragma_table_info('entry') WHERE name = 'decision_id'")
                .fetch_one(&reads)
                .await?;
        Ok::<_, sqlx::Error>((node, key, epoch, parts))
    };
    let (node, key, epoch, parts) = read.await.map_err(at)?;
    Ok(Local {
        node: Uuid::from_slice(&node).unwrap_or_default(),
        subject_key: key.try_into().unwrap_or_default(),
        epoch,
        reads,
        select: if parts > 0 { SELECT.to_owned() } else { SELECT.replace("e.decision_id", "NULL") },
        lock: Mutex::new(None),
    })
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Folder { path: folder.to_owned(), source }),
    }
}

pub(super) fn migrator(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = files.iter().map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], OpenError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| OpenError::Random)?;
    Ok(bytes)
}

/// The stored value of this name; `fresh` when there is none yet.
async fn own<const N: usize>(
    writer: &mut SqliteConnection,
    name: &'static str,
    fresh: [u8; N],
) -> Result<[u8; N], sqlx::Error> {
    sqlx::query("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(fresh.to_vec())
        .execute(&mut *writer)
        .await?;
    let value: Vec<u8> =
        sqlx::query_scalar("SELECT value FROM meta WHERE name = ?").bind(name).fetch_one(writer).await?;
    value.try_into().map_err(|_| sqlx::Error::Decode(format!("`{name}` has another length").into()))
}

/// The last position in the file and the chain hash of what stands (or stood, before a cut) there.
async fn last(writer: &mut SqliteConnection) -> Result<(i64, Hash), sqlx::Error> {
    let last = sqlx::query("SELECT position, chain FROM entry ORDER BY position DESC LIMIT 1");
    if let Some(row) = last.fetch_optional(&mut *writer).await? {
        return Ok((row.try_get(0)?, hash(row.try_get(1)?)?));
    }
    let cut = sqlx::query("SELECT position, chain FROM cut ORDER BY position DESC LIMIT 1");
    match cut.fetch_optional(writer).await? {
        Some(row) => Ok((row.try_get(0)?, hash(row.try_get(1)?)?)),
        None => Ok((0, [0; 32])),
    }
}

pub(super) fn hash(bytes: &[u8]) -> Result<Hash, sqlx::Error> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode("a hash has another length than 32 bytes".into()))
}

impl Local {
    /// The decision that a key stands for at `now_us`.
    pub async fn key_holder(
        &self,
        caller: &str,
        flow: &str,
        key: &str,
        now_us: i64,
    ) -> Result<Option<KeyHolder>, StoreError> {
        let row = sqlx::query(
            "SELECT request_digest, decision_id FROM idempotency
             WHERE caller = ? AND flow = ? AND key = ? AND expires_us > ?",
        )
        .bind(caller)
        .bind(flow)
        .bind(key)
        .bind(now_us)
        .fetch_optional(&self.reads)
        .await
        .map_err(local("look up a key"))?;
        let Some(row) = row else { return Ok(None) };
        let holder =
            || Ok(KeyHolder { request_digest: hash(row.try_get(0)?)?, decision_id: row.try_get(1)? });
        holder().map(Some).map_err(local("read a key"))
    }

    /// Lets another process have the log; only after the writer has closed it.
    pub(super) fn release(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// A single value kept under a name.
    pub async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar("SELECT value FROM meta WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.reads)
            .await
            .map_err(local("read a setting"))
    }

    /// The position before the first record that is still here, and the newest position; equal when empty.
    pub async fn range(&self) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query(
            "SELECT coalesce((SELECT min(position) - 1 FROM entry), (SELECT max(position) FROM cut), 0),
                    coalesce((SELECT max(position) FROM entry), (SELECT max(position) FROM cut), 0)",
        )
        .fetch_one(&self.reads)
        .await
        .map_err(local("measure the log"))?;
        let read = || Ok((row.try_get(0)?, row.try_get(1)?));
        read().map_err(local("measure the log"))
    }
}

/// Options for a Postgres address, with the timeouts that keep one away from stalling reads.
pub(super) fn postgres_options(url: &str) -> Result<sqlx::postgres::PgConnectOptions, OpenError> {
    sqlx::postgres::PgConnectOptions::from_str(url)
        .map(|options| options.application_name("tollgate").disable_statement_logging())
        .map_err(OpenError::Address)
}
