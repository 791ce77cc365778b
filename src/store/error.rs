//! What can go wrong in the store, by what was attempted. Never a fact's value, never SQL.

use std::path::PathBuf;

use super::row::KeyHolder;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot use the data folder `{}`", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("another process is using the log in `{}`; stop it, or give this one another `--data`", path.display())]
    InUse { path: PathBuf },
    #[error("cannot open `{}`", path.display())]
    File { path: PathBuf, source: sqlx::Error },
    #[error("cannot bring `{}` to this version's form", path.display())]
    Migrate { path: PathBuf, source: sqlx::migrate::MigrateError },
    #[error("`database_url` is not the address of a Postgres (`postgres://user@host/database`)")]
    Address(#[source] sqlx::Error),
    #[error("cannot bring the database to this version's form")]
    MigrateCentral(#[source] sqlx::migrate::MigrateError),
    #[error("cannot reach the database")]
    Unreachable(#[source] sqlx::Error),
    #[error("the system gives no randomness")]
    Random,
    #[error("cannot start the store's threads")]
    Threads(#[source] std::io::Error),
}

/// Why an entry was not recorded as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Nothing was queued; safe to send again.
    #[error("the queue of the log is full")]
    Overloaded,
    /// Nothing was queued.
    #[error("the disk of the log is {used_percent} % full")]
    DiskFull { used_percent: u8 },
    /// The log could not take it; the same key is safe to send again.
    #[error("not recorded: {0}")]
    NotRecorded(&'static str),
    /// The idempotency key already stands for another decision; nothing was recorded, or (`central`) what was
    /// recorded is marked as its duplicate.
    #[error("the idempotency key already stands for a decision")]
    KeyTaken(KeyHolder),
    /// This machine's disk has it; Postgres did not confirm in time.
    #[error("recorded here, but the database has not confirmed")]
    NotCentral,
}

/// Why something could not be read or, for keys and revisions, written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {attempt} in the local log")]
    Local { attempt: &'static str, source: sqlx::Error },
    #[error("cannot {attempt} in the database")]
    Central { attempt: &'static str, source: sqlx::Error },
    #[error("the database is away")]
    Away,
    #[error("the log is closed")]
    Closed,
    #[error("a stored row cannot be read: {0}")]
    Unreadable(&'static str),
    #[error("the system gives no randomness")]
    Random,
}

pub(super) fn local(attempt: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Local { attempt, source }
}

pub(super) fn central(attempt: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Central { attempt, source }
}
