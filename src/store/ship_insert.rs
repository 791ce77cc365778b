//! The shipper's statements: a batch with its keys and its cursor in one transaction. Absent: when to send.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::ToSpan as _;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Postgres, Row as _, Transaction};
use uuid::Uuid;

use super::aside;
use super::error::{StoreError, central};
use super::local::hash;
use super::maintain::RevisionFile;
use super::parts;
use super::query::first_id;
use super::revisions::RevisionRow;
use super::row::{KEY_LIFE_US, KeyHolder, KeyRow, Kind, Stored};

/// Why a batch did not arrive.
pub(super) enum Refusal {
    /// A row in it is not acceptable, now or later; with the SQLSTATE.
    Row(String),
    /// Something else moved the cursor: read it again.
    Cursor,
    /// Anything else: send it again later.
    Away(sqlx::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Encode(_) => Self::Row("encoding".to_owned()),
            sqlx::Error::Database(database) => match database.code() {
                // 21 cardinality, 22 data, 23 integrity, 54 a limit of the database: sending again cannot help.
                Some(code) if ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
                    Self::Row(code.into_owned())
                }
                _ => Self::Away(error),
            },
            _ => Self::Away(error),
        }
    }
}

const COLUMNS: &str = "node, epoch, sequence, recorded_at, caller, flow, market, outcome, reasons, rules, models, \
     reference, subject, revision, degraded, durable, duplicate_of, public, personal, salt, commitment, leaf, previous, \
     chain";

static DECISIONS: LazyLock<std::sync::Arc<str>> =
    LazyLock::new(|| insert("decision", "decision_id, decided_at", ""));
static ENTRIES: LazyLock<std::sync::Arc<str>> =
    LazyLock::new(|| insert("entry", "id, at, kind, decision_id", ", kind, of_decision"));

fn insert(table: &str, own: &str, own_values: &str) -> std::sync::Arc<str> {
    let names = |column: &str| {
        format!("coalesce(string_to_array(trim(both E'\\x1f' from {column}), E'\\x1f'), '{{}}'::text[])")
    };
    let time = |column: &str| format!("'epoch'::timestamptz + {column} * interval '1 microsecond'");
    format!(
        "INSERT INTO public.{table} ({own}, {COLUMNS})
         SELECT id, {at}{own_values}, $1, epoch, sequence, {recorded}, caller, flow, market, outcome, {reasons},
             {rules}, {models}, reference, subject, revision, degraded, durable, duplicate_of, public, personal,
             salt, commitment, leaf, previous, chain
         FROM unnest($2::uuid[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[],
             $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bytea[],
             $17::text[], $18::boolean[], $19::smallint[], $20::uuid[], $21::text[], $22::text[], $23::bytea[],
             $24::bytea[], $25::bytea[], $26::bytea[], $27::bytea[], $28::uuid[])
             AS t (id, kind, at_us, recorded_us, epoch, sequence, caller, flow, market, outcome, reasons, rules,
                 models, reference, subject, revision, degraded, durable, duplicate_of, public, personal, salt,
                 commitment, leaf, previous, chain, of_decision)
         ON CONFLICT DO NOTHING",
        at = time("at_us"),
        recorded = time("recorded_us"),
        reasons = names("reasons"),
        rules = names("rules"),
        models = names("models"),
    )
    .into()
}

/// Sends a batch: keys, entries, cursor. Gives the entries whose key another replica's decision has.
pub(super) async fn batch(
    pool: &PgPool,
    node: Uuid,
    cursor: i64,
    batch: &[Stored],
) -> Result<BTreeMap<i64, KeyHolder>, Refusal> {
    let mut transaction = pool.begin().await?;
    let mut taken = keys(&mut transaction, batch).await?;
    let decisions: Vec<&Stored> = batch.iter().filter(|stored| stored.row.kind == Kind::Decision).collect();
    let entries: Vec<&Stored> = batch.iter().filter(|stored| stored.row.kind != Kind::Decision).collect();
    for (sql, rows) in [(&*DECISIONS, decisions), (&*ENTRIES, entries)] {
        if !rows.is_empty() {
            insert_rows(&mut transaction, sql, node, &rows, &taken).await?;
        }
    }
    taken.extend(parts::elsewhere(&mut transaction, node, batch).await?);
    let last = batch.last().map_or(cursor, |stored| stored.local);
    move_cursor(&mut transaction, node, cursor, last).await?;
    transaction.commit().await?;
    Ok(taken)
}

async fn insert_rows(
    transaction: &mut Transaction<'_, Postgres>,
    sql: &std::sync::Arc<str>,
    node: Uuid,
    rows: &[&Stored],
    taken: &BTreeMap<i64, KeyHolder>,
) -> Result<(), sqlx::Error> {
    fn each<'a, T>(rows: &[&'a Stored], read: impl Fn(&'a Stored) -> T) -> Vec<T> {
        rows.iter().map(|stored| read(stored)).collect()
    }
    sqlx::query(AssertSqlSafe(std::sync::Arc::clone(sql)))
        .bind(node)
        .bind(each(rows, |s| s.row.id))
        .bind(each(rows, |s| s.row.kind.code()))
        .bind(each(rows, |s| s.row.at_us))
        .bind(each(rows, |s| s.position.recorded_us))
        .bind(each(rows, |s| s.position.epoch))
        .bind(each(rows, |s| s.position.sequence))
        .bind(each(rows, |s| s.row.caller.as_deref()))
        .bind(each(rows, |s| s.row.flow.as_deref()))
        .bind(each(rows, |s| s.row.market.as_deref()))
        .bind(each(rows, |s| s.row.outcome.as_deref()))
        .bind(each(rows, |s| s.row.reasons.as_deref()))
        .bind(each(rows, |s| s.row.rules.as_deref()))
        .bind(each(rows, |s| s.row.models.as_deref()))
        .bind(each(rows, |s| s.row.reference.as_deref()))
        .bind(each(rows, |s| s.row.subject.as_deref()))
        .bind(each(rows, |s| s.row.revision.as_deref()))
        .bind(each(rows, |s| s.row.degraded))
        .bind(each(rows, |s| s.row.durable.code()))
        .bind(each(rows, |s| taken.get(&s.local).map(|holder| holder.decision_id)))
        .bind(each(rows, |s| &*s.row.public))
        .bind(each(rows, |s| s.row.personal.as_deref()))
        .bind(each(rows, |s| s.row.salt.as_ref().map(<[u8; 16]>::as_slice)))
        .bind(each(rows, |s| s.row.commitment.as_slice()))
        .bind(each(rows, |s| s.row.leaf.as_slice()))
        .bind(each(rows, |s| s.previous.as_slice()))
        .bind(each(rows, |s| s.chain.as_slice()))
        .bind(each(rows, |s| s.row.decision))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Takes the keys of a batch; gives those that stand for another decision, by local position.
async fn keys(
    transaction: &mut Transaction<'_, Postgres>,
    batch: &[Stored],
) -> Result<BTreeMap<i64, KeyHolder>, sqlx::Error> {
    let mut keyed: Vec<(&KeyRow, &Stored)> =
        batch.iter().filter_map(|stored| Some((stored.row.key.as_ref()?, stored))).collect();
    if keyed.is_empty() {
        return Ok(BTreeMap::new());
    }
    // One order for every replica, or two of them could wait for each other.
    keyed.sort_by(|(a, _), (b, _)| (&a.caller, &a.flow, &a.key).cmp(&(&b.caller, &b.flow, &b.key)));
    let callers: Vec<&str> = keyed.iter().map(|(key, _)| &*key.caller).collect();
    let flows: Vec<&str> = keyed.iter().map(|(key, _)| &*key.flow).collect();
    let names: Vec<&str> = keyed.iter().map(|(key, _)| &*key.key).collect();
    let ids: Vec<Uuid> = keyed.iter().map(|(_, stored)| stored.row.stands_for()).collect();
    sqlx::query(
        "INSERT INTO public.idempotency (caller, flow, key, request_digest, decision_id, expires_at)
         SELECT caller, flow, key, digest, id, 'epoch'::timestamptz + expires_us * interval '1 microsecond'
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::uuid[], $6::bigint[])
             AS t (caller, flow, key, digest, id, expires_us)
         ON CONFLICT (caller, flow, key) DO UPDATE SET request_digest = excluded.request_digest,
             decision_id = excluded.decision_id, expires_at = excluded.expires_at
         WHERE idempotency.expires_at <= excluded.expires_at - interval '7 days'",
    )
    .bind(&callers)
    .bind(&flows)
    .bind(&names)
    .bind(keyed.iter().map(|(key, _)| key.request_digest.as_slice()).collect::<Vec<_>>())
    .bind(&ids)
    .bind(keyed.iter().map(|(_, s)| s.row.at_us.saturating_add(KEY_LIFE_US)).collect::<Vec<_>>())
    .execute(&mut **transaction)
    .await?;
    let rows = sqlx::query(
        "SELECT t.local, i.request_digest, i.decision_id
         FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bigint[])
             AS t (caller, flow, key, id, local)
         JOIN public.idempotency i USING (caller, flow, key) WHERE i.decision_id <> t.id",
    )
    .bind(&callers)
    .bind(&flows)
    .bind(&names)
    .bind(&ids)
    .bind(keyed.iter().map(|(_, stored)| stored.local).collect::<Vec<_>>())
    .fetch_all(&mut **transaction)
    .await?;
    rows.iter()
        .map(|row| {
            let holder = KeyHolder { request_digest: hash(row.try_get(1)?)?, decision_id: row.try_get(2)? };
            Ok((row.try_get(0)?, holder))
        })
        .collect()
}

/// Moves the cursor only if it stands where this shipper left it.
async fn move_cursor(
    transaction: &mut Transaction<'_, Postgres>,
    node: Uuid,
    from: i64,
    to: i64,
) -> Result<(), Refusal> {
    let moved = sqlx::query(
        "UPDATE public.ship_cursor SET position = $3, moved_at = now() WHERE node = $1 AND position = $2",
    )
    .bind(node)
    .bind(from)
    .bind(to)
    .execute(&mut **transaction)
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(Refusal::Cursor) }
}

pub(super) async fn cursor(pool: &PgPool, node: Uuid) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar("SELECT position FROM public.ship_cursor WHERE node = $1")
        .bind(node)
        .fetch_optional(pool)
        .await
        .map_err(central("read the cursor"))
}

pub(super) async fn reset_cursor(pool: &PgPool, node: Uuid, position: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO public.ship_cursor (node, position) VALUES ($1, $2)
         ON CONFLICT (node) DO UPDATE SET position = excluded.position, moved_at = now()",
    )
    .bind(node)
    .bind(position)
    .execute(pool)
    .await
    .map(drop)
    .map_err(central("set the cursor"))
}

/// Keeps a refused entry as bytes and moves on.
pub(super) async fn set_aside(
    pool: &PgPool,
    node: Uuid,
    cursor: i64,
    stored: &Stored,
    reason: &str,
) -> Result<(), StoreError> {
    let attempt = "set a record aside";
    let mut transaction = pool.begin().await.map_err(central(attempt))?;
    sqlx::query(
        "INSERT INTO public.set_aside (id, node, position, reason, bytes) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(stored.row.id)
    .bind(node)
    .bind(stored.local)
    .bind(reason)
    .bind(aside::write(stored))
    .execute(&mut *transaction)
    .await
    .map_err(central(attempt))?;
    match move_cursor(&mut transaction, node, cursor, stored.local).await {
        Ok(()) => transaction.commit().await.map_err(central(attempt)),
        Err(Refusal::Away(error)) => Err(central(attempt)(error)),
        Err(Refusal::Cursor | Refusal::Row(_)) => Err(StoreError::Away),
    }
}

pub(super) async fn revision(
    pool: &PgPool,
    row: &RevisionRow,
    files: &[RevisionFile],
) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for file in files {
        sqlx::query("INSERT INTO public.blob (digest, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(file.digest.as_slice())
            .bind(&*file.bytes)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO public.revision_file (revision, flow, path, digest) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(&*row.revision)
        .bind(&*file.flow)
        .bind(&*file.path)
        .bind(file.digest.as_slice())
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query(
        "INSERT INTO public.revision (revision, first_at)
         VALUES ($1, 'epoch'::timestamptz + $2 * interval '1 microsecond') ON CONFLICT DO NOTHING",
    )
    .bind(&*row.revision)
    .bind(row.first_us)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Makes the partition of the month that lies `ahead` months after `now_us`, if there is none.
pub(super) async fn partition(pool: &PgPool, now_us: i64, ahead: i64) -> Result<(), sqlx::Error> {
    let month = |months: i64| {
        let now = jiff::Timestamp::from_microsecond(now_us).ok()?;
        let first = now.to_zoned(jiff::tz::TimeZone::UTC).first_of_month().ok()?.start_of_day().ok()?;
        first.checked_add(months.months()).ok()
    };
    let (Some(from), Some(to)) = (month(ahead), month(ahead.saturating_add(1))) else { return Ok(()) };
    // Names and bounds are numbers: nothing in this statement comes from outside.
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS public.decision_{:04}_{:02} PARTITION OF public.decision
         FOR VALUES FROM ('{}') TO ('{}')",
        from.year(),
        from.month(),
        bound(from.timestamp()),
        bound(to.timestamp()),
    );
    let mut connection = pool.acquire().await?;
    // Nodes that start together must not make the same table at once.
    sqlx::query("SELECT pg_advisory_lock(7209101)").execute(&mut *connection).await?;
    let made = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await;
    sqlx::query("SELECT pg_advisory_unlock(7209101)").execute(&mut *connection).await?;
    made.map(drop)
}

/// The first id of a month: its time alone, so that ids of any version with that time lie behind it.
fn bound(at: jiff::Timestamp) -> Uuid {
    let id = first_id(at.as_microsecond()).as_u128();
    Uuid::from_u128(id >> 80 << 80)
}
