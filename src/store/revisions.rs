//! Files of every revision that ever decided, by content: read back for replay and shown to analysts.
//! Writing is a chore of the writer. Absent: what a file means.

use std::sync::Arc;

use sqlx::Row as _;

use super::error::{StoreError, local};
use super::local::{Local, hash};
use super::maintain::RevisionFile;

/// A stored revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    pub revision: Arc<str>,
    /// Microseconds since 1970: when it was first stored.
    pub first_us: i64,
}

impl Local {
    /// The files of a revision by (flow, path); empty when it is unknown here.
    pub async fn revision_files(&self, revision: &str) -> Result<Vec<RevisionFile>, StoreError> {
        let rows = sqlx::query(
            "SELECT f.flow, f.path, f.digest, b.bytes FROM revision_file f JOIN blob b ON b.digest = f.digest
             WHERE f.revision = ? ORDER BY f.flow, f.path",
        )
        .bind(revision)
        .fetch_all(&self.reads)
        .await
        .map_err(local("read the files of a revision"))?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(RevisionFile {
                flow: row.try_get(0)?,
                path: row.try_get(1)?,
                digest: hash(row.try_get(2)?)?,
                bytes: row.try_get::<Vec<u8>, _>(3)?.into(),
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(local("read the files of a revision"))
    }

    /// Every revision stored here, newest first.
    pub async fn revisions(&self) -> Result<Vec<RevisionRow>, StoreError> {
        self.revision_rows("SELECT revision, first_us FROM revision ORDER BY first_us DESC, revision").await
    }

    /// Revisions that Postgres does not have yet, oldest first.
    pub(super) async fn unshipped_revisions(&self) -> Result<Vec<RevisionRow>, StoreError> {
        self.revision_rows(
            "SELECT revision, first_us FROM revision WHERE shipped = 0 ORDER BY first_us, revision",
        )
        .await
    }

    async fn revision_rows(&self, sql: &'static str) -> Result<Vec<RevisionRow>, StoreError> {
        let rows = sqlx::query(sql).fetch_all(&self.reads).await.map_err(local("list revisions"))?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(RevisionRow { revision: row.try_get(0)?, first_us: row.try_get(1)? })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(local("list revisions"))
    }
}
