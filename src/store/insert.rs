//! The statements that put a group of entries into the local log: few, long and cached, since each statement
//! costs more than a row in it. Absent: transactions and any decision about what to insert.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::row::{Hash, KEY_LIFE_US, KeyHolder, KeyRow, Position, Row};
use super::writer::Appended;

/// An entry and the place that the writer gave it.
pub(super) struct Placed<'a> {
    pub row: &'a Row,
    pub local: i64,
    pub position: Position,
    pub previous: Hash,
    pub chain: Hash,
}

impl Placed<'_> {
    pub fn appended(&self) -> Appended {
        Appended { position: self.position, local: self.local }
    }
}

/// Rows per statement; each length is one cached statement. A group takes the shortest that holds it, and the rows
/// that it lacks are bound as nulls and passed over: one long statement costs less than several that fit.
const LENGTHS: [usize; SIZES] = [1, 4, 16, 32, 64, 128];
const SIZES: usize = 6;
pub(super) const LONGEST: usize = 128;

const ENTRY: &str = "INSERT INTO entry (position, kind, id, epoch, sequence, at_us, recorded_us, caller, flow, \
     market, outcome, reasons, rules, models, reference, subject, revision, key, request_digest, degraded, durable, commitment, leaf, \
     previous, chain, decision_id)";
const ENTRY_COLUMNS: usize = 26;
const BODY: &str = "INSERT INTO body (position, public, personal, salt)";
const BODY_COLUMNS: usize = 4;

static ENTRY_SQL: LazyLock<[Arc<str>; SIZES]> =
    LazyLock::new(|| LENGTHS.map(|rows| padded(ENTRY, ENTRY_COLUMNS, rows)));
static BODY_SQL: LazyLock<[Arc<str>; SIZES]> =
    LazyLock::new(|| LENGTHS.map(|rows| padded(BODY, BODY_COLUMNS, rows)));

/// A whole transaction: every row of a group in both tables.
static TRANSACTION_SQL: LazyLock<[Arc<str>; SIZES]> = LazyLock::new(|| {
    LENGTHS.map(|rows| {
        let (entries, bodies) = (padded(ENTRY, ENTRY_COLUMNS, rows), padded(BODY, BODY_COLUMNS, rows));
        format!("BEGIN IMMEDIATE; {entries}; {bodies}; COMMIT").into()
    })
});

fn padded(head: &str, columns: usize, rows: usize) -> Arc<str> {
    let rows = tuples(columns, rows);
    format!("{head} SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL").into()
}

fn tuples(columns: usize, rows: usize) -> String {
    let tuple = format!("({})", vec!["?"; columns].join(","));
    vec![tuple; rows].join(",")
}

/// The shortest statement that holds this many rows, and its length.
fn fitting(statements: &[Arc<str>; SIZES], rows: usize) -> Option<(&Arc<str>, usize)> {
    statements.iter().zip(LENGTHS).find(|(_, length)| *length >= rows)
}

/// Inserts a whole group; all or (by the caller's transaction) nothing.
pub(super) async fn rows(connection: &mut SqliteConnection, group: &[Placed<'_>]) -> Result<(), sqlx::Error> {
    for chunk in group.chunks(LONGEST) {
        if let Some((sql, length)) = fitting(&ENTRY_SQL, chunk.len()) {
            let entries = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            bind_entries(entries, chunk, length).execute(&mut *connection).await?;
        }
        if let Some((sql, length)) = fitting(&BODY_SQL, chunk.len()) {
            let bodies = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
            bind_bodies(bodies, chunk, length).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Begins, inserts a group of at most [`LONGEST`] rows, and commits, in one call. After an error a transaction may be
/// open.
pub(super) async fn transaction(
    connection: &mut SqliteConnection,
    group: &[Placed<'_>],
) -> Result<(), sqlx::Error> {
    let Some((sql, length)) = fitting(&TRANSACTION_SQL, group.len()) else { return Ok(()) };
    let query = bind_entries(sqlx::query(AssertSqlSafe(Arc::clone(sql))), group, length);
    bind_bodies(query, group, length).execute(connection).await?;
    Ok(())
}

fn bind_entries<'q>(mut query: Statement<'q>, group: &[Placed<'_>], length: usize) -> Statement<'q> {
    for placed in group {
        query = bind_entry(query, placed);
    }
    nothing(query, length.saturating_sub(group.len()).saturating_mul(ENTRY_COLUMNS))
}

fn bind_bodies<'q>(mut query: Statement<'q>, group: &[Placed<'_>], length: usize) -> Statement<'q> {
    for placed in group {
        query = query
            .bind(placed.local)
            .bind(placed.row.public.clone())
            .bind(placed.row.personal.clone())
            .bind(placed.row.salt.map(Vec::from));
    }
    nothing(query, length.saturating_sub(group.len()).saturating_mul(BODY_COLUMNS))
}

/// Binds nulls.
fn nothing(mut query: Statement<'_>, count: usize) -> Statement<'_> {
    for _ in 0..count {
        query = query.bind(None::<i64>);
    }
    query
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

fn bind_entry<'q>(query: Statement<'q>, placed: &Placed<'_>) -> Statement<'q> {
    let Placed { row, local, position, previous, chain } = placed;
    query
        .bind(*local)
        .bind(row.kind.code())
        .bind(row.id)
        .bind(position.epoch)
        .bind(position.sequence)
        .bind(row.at_us)
        .bind(position.recorded_us)
        .bind(row.caller.clone())
        .bind(row.flow.clone())
        .bind(row.market.clone())
        .bind(row.outcome.clone())
        .bind(row.reasons.clone())
        .bind(row.rules.clone())
        .bind(row.models.clone())
        .bind(row.reference.clone())
        .bind(row.subject.clone())
        .bind(row.revision.clone())
        .bind(row.key.as_ref().map(|key| key.key.clone()))
        .bind(row.key.as_ref().map(|key| key.request_digest.to_vec()))
        .bind(row.degraded)
        .bind(row.durable.code())
        .bind(row.commitment.to_vec())
        .bind(row.leaf.to_vec())
        .bind(previous.to_vec())
        .bind(chain.to_vec())
        .bind(row.decision)
}

const CLAIM: &str =
    "INSERT INTO idempotency (caller, flow, key, request_digest, decision_id, expires_us) VALUES ";
const CLAIM_COLUMNS: usize = 6;
/// An expired key is free; the last bind is the time now.
const CLAIM_TAIL: &str = " ON CONFLICT (caller, flow, key) DO UPDATE SET request_digest = excluded.request_digest, \
     decision_id = excluded.decision_id, expires_us = excluded.expires_us \
     WHERE idempotency.expires_us <= ? RETURNING decision_id";

static CLAIM_SQL: LazyLock<[Arc<str>; SIZES]> = LazyLock::new(|| {
    LENGTHS.map(|rows| format!("{CLAIM}{}{CLAIM_TAIL}", tuples(CLAIM_COLUMNS, rows)).into())
});

/// Takes keys for decisions; gives the ids of the decisions that got theirs.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    rows: &[&Row],
    now_us: i64,
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let keys: Vec<(&KeyRow, &Row)> = rows.iter().filter_map(|row| Some((row.key.as_ref()?, *row))).collect();
    let mut claimed = HashSet::with_capacity(keys.len());
    let mut rest = keys.as_slice();
    for (length, sql) in LENGTHS.iter().zip(CLAIM_SQL.iter()).rev() {
        while let Some((chunk, after)) = rest.split_at_checked(*length) {
            rest = after;
            let mut claims = sqlx::query_scalar::<_, Uuid>(AssertSqlSafe(Arc::clone(sql)));
            for (key, row) in chunk {
                claims = claims
                    .bind(key.caller.clone())
                    .bind(key.flow.clone())
                    .bind(key.key.clone())
                    .bind(key.request_digest.to_vec())
                    .bind(row.stands_for())
                    .bind(row.at_us.saturating_add(KEY_LIFE_US));
            }
            claimed.extend(claims.bind(now_us).fetch_all(&mut *connection).await?);
            if rest.is_empty() {
                return Ok(claimed);
            }
        }
    }
    Ok(claimed)
}

/// The decision that a key stands for.
pub(super) async fn holder(
    connection: &mut SqliteConnection,
    key: &KeyRow,
) -> Result<KeyHolder, sqlx::Error> {
    let row = sqlx::query(
        "SELECT request_digest, decision_id FROM idempotency WHERE caller = ? AND flow = ? AND key = ?",
    )
    .bind(key.caller.clone())
    .bind(key.flow.clone())
    .bind(key.key.clone())
    .fetch_one(connection)
    .await?;
    Ok(KeyHolder { request_digest: super::local::hash(row.try_get(0)?)?, decision_id: row.try_get(1)? })
}
