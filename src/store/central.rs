//! Postgres as a place to look things up: reachable or away, known before one asks, so that no read waits for a
//! database that is gone. Writing to it is `ship`'s. Absent: a write in a request's path.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::Postgres;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::query_builder::QueryBuilder;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::error::{OpenError, StoreError, central};
use super::local::{hash, migrator, postgres_options};
use super::maintain::RevisionFile;
use super::query::Condition;
use super::revisions::RevisionRow;
use super::row::{Durability, Filter, Hash, KeyHolder, Kind, Position, Row, Stored, list};

/// What a read waits for Postgres at most.
const READ_WAIT: Duration = Duration::from_millis(1500);

/// The database, reachable or not.
#[derive(Debug)]
pub(super) struct Central {
    pub pool: PgPool,
    reachable: AtomicBool,
    /// Local position up to which the database has everything.
    shipped: AtomicI64,
    waiting: Mutex<BTreeMap<i64, Vec<oneshot::Sender<Option<KeyHolder>>>>>,
    subject_keys: Mutex<Arc<[[u8; 32]]>>,
}

impl Central {
    /// Connects when first used: a database that is away is no error here.
    pub fn new(url: &str, subject_key: [u8; 32]) -> Result<Self, OpenError> {
        let options = postgres_options(url)?.options([("statement_timeout", "30s"), ("lock_timeout", "10s")]);
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(3))
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            reachable: AtomicBool::new(false),
            shipped: AtomicI64::new(0),
            waiting: Mutex::default(),
            subject_keys: Mutex::new([subject_key].into()),
        })
    }

    pub fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Acquire)
    }

    pub fn set_reachable(&self, reachable: bool) {
        if self.reachable.swap(reachable, Ordering::AcqRel) != reachable {
            if reachable {
                tracing::info!("the database is reachable");
            } else {
                tracing::warn!("the database is away; the local log goes on");
            }
        }
        metrics::gauge!("tollgate_central_reachable").set(if reachable { 1.0 } else { 0.0 });
    }

    pub fn shipped(&self) -> i64 {
        self.shipped.load(Ordering::Acquire)
    }

    /// Notes how far the log has arrived and answers those who waited; `taken` are entries whose key was another's.
    pub fn arrived(&self, through: i64, taken: &BTreeMap<i64, KeyHolder>) {
        self.shipped.store(through, Ordering::Release);
        let arrived = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let later = waiting.split_off(&through.saturating_add(1));
            std::mem::replace(&mut *waiting, later)
        };
        for (local, waiters) in arrived {
            for waiter in waiters {
                let _ = waiter.send(taken.get(&local).copied());
            }
        }
    }

    /// Answers once the entry at this local position is in the database.
    pub fn wait(&self, local: i64) -> oneshot::Receiver<Option<KeyHolder>> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shipped() >= local {
            let _ = sender.send(None);
        } else {
            waiting.entry(local).or_default().push(sender);
        }
        receiver
    }

    pub fn subject_keys(&self) -> Arc<[[u8; 32]]> {
        Arc::clone(&self.subject_keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings the database to this version's form and shares the subject keys. Safe from several nodes at once.
    pub async fn prepare(&self) -> Result<(), OpenError> {
        migrate(&self.pool).await?;
        let own = self.subject_keys();
        let mut keys: Vec<[u8; 32]> = Vec::new();
        for key in own.iter() {
            sqlx::query("INSERT INTO public.subject_key (key) VALUES ($1) ON CONFLICT DO NOTHING")
                .bind(key.as_slice())
                .execute(&self.pool)
                .await
                .map_err(OpenError::Unreachable)?;
        }
        let stored: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT key FROM public.subject_key ORDER BY added_at, key")
                .fetch_all(&self.pool)
                .await
                .map_err(OpenError::Unreachable)?;
        keys.extend(stored.into_iter().filter_map(|key| <[u8; 32]>::try_from(key).ok()));
        if !keys.is_empty() {
            *self.subject_keys.lock().unwrap_or_else(PoisonError::into_inner) = keys.into();
        }
        Ok(())
    }

    /// Asks the database if it is reachable, and notices when it no longer is.
    pub(super) async fn ask<T>(
        &self,
        attempt: &'static str,
        question: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        if !self.is_reachable() {
            return Err(StoreError::Away);
        }
        match tokio::time::timeout(READ_WAIT, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if error.as_database_error().is_none() {
                    self.set_reachable(false);
                }
                Err(central(attempt)(error))
            }
            Err(_) => {
                self.set_reachable(false);
                Err(StoreError::Away)
            }
        }
    }

    pub async fn key_holder(
        &self,
        caller: &str,
        flow: &str,
        key: &str,
        now_us: i64,
    ) -> Result<Option<KeyHolder>, StoreError> {
        let query = sqlx::query(
            "SELECT request_digest, decision_id FROM public.idempotency WHERE caller = $1 AND flow = $2
             AND key = $3 AND expires_at > 'epoch'::timestamptz + $4 * interval '1 microsecond'",
        );
        let query = query.bind(caller).bind(flow).bind(key).bind(now_us);
        let Some(row) = self.ask("look up a key", query.fetch_optional(&self.pool)).await? else {
            return Ok(None);
        };
        let read = || Ok(KeyHolder { request_digest: hash(row.try_get(0)?)?, decision_id: row.try_get(1)? });
        read().map(Some).map_err(central("read a key"))
    }

    pub async fn get(&self, id: Uuid) -> Result<Option<Stored>, StoreError> {
        for kind in [Kind::Decision, Kind::Refusal] {
            let mut query = select(kind);
            query.push(" WHERE ").push(id_column(kind)).push(" = ").push_bind(id);
            let row = self.ask("read an entry", query.build().fetch_optional(&self.pool)).await?;
            if let Some(row) = row {
                return stored(&row).map(Some).map_err(central("read an entry"));
            }
        }
        Ok(None)
    }

    pub async fn search(&self, kind: Kind, filter: &Filter) -> Result<Vec<Stored>, StoreError> {
        let mut query = select(kind);
        query.push(" WHERE true");
        if kind != Kind::Decision {
            query.push(" AND kind = ").push_bind(kind.code());
        }
        for condition in filter.conditions() {
            push(&mut query, kind, &condition);
        }
        query.push(" ORDER BY ").push(id_column(kind)).push(" DESC LIMIT ").push_bind(filter.page());
        let rows = self.ask("search", query.build().fetch_all(&self.pool)).await?;
        rows.iter().map(stored).collect::<Result<_, _>>().map_err(central("search"))
    }

    pub async fn revision_files(&self, revision: &str) -> Result<Vec<RevisionFile>, StoreError> {
        let query = sqlx::query(
            "SELECT f.flow, f.path, f.digest, b.bytes FROM public.revision_file f
             JOIN public.blob b ON b.digest = f.digest WHERE f.revision = $1 ORDER BY f.flow, f.path",
        );
        let query = query.bind(revision);
        let rows = self.ask("read the files of a revision", query.fetch_all(&self.pool)).await?;
        let read = |row: &PgRow| {
            Ok(RevisionFile {
                flow: row.try_get::<String, _>(0)?.into(),
                path: row.try_get::<String, _>(1)?.into(),
                digest: hash(row.try_get(2)?)?,
                bytes: row.try_get::<Vec<u8>, _>(3)?.into(),
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(central("read the files of a revision"))
    }

    pub async fn revisions(&self) -> Result<Vec<RevisionRow>, StoreError> {
        let query = sqlx::query(
            "SELECT revision, (extract(epoch from first_at) * 1000000)::bigint FROM public.revision",
        );
        let rows = self.ask("list revisions", query.fetch_all(&self.pool)).await?;
        let read = |row: &PgRow| {
            Ok(RevisionRow { revision: row.try_get::<String, _>(0)?.into(), first_us: row.try_get(1)? })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(central("list revisions"))
    }
}

/// Runs the migrations of the central log.
///
/// # Errors
/// When the database cannot be reached or is of a later version's form.
pub(super) async fn migrate(pool: &PgPool) -> Result<(), OpenError> {
    let files = [
        (1, "log", include_str!("../../migrations/postgres/0001_log.sql")),
        (2, "parts", include_str!("../../migrations/postgres/0002_parts.sql")),
    ];
    migrator(&files).run(pool).await.map_err(OpenError::MigrateCentral)
}

/// The same for a command that only wants keys.
pub(super) async fn migrate_for_keys(pool: &PgPool) -> Result<(), StoreError> {
    let there: Option<String> = sqlx::query_scalar("SELECT to_regclass('public.api_key')::text")
        .fetch_one(pool)
        .await
        .map_err(central("look for the keys"))?;
    if there.is_some() {
        return Ok(());
    }
    migrate(pool).await.map_err(|error| match error {
        OpenError::MigrateCentral(sqlx::migrate::MigrateError::Execute(source)) => {
            StoreError::Central { attempt: "migrate", source }
        }
        _ => StoreError::Away,
    })
}

/// Brings the database at an address to this version's form, for `tollgate migrate`.
///
/// # Errors
/// When it is no address, cannot be reached, or is of a later version's form.
pub async fn migrate_database(url: &str) -> Result<(), OpenError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(postgres_options(url)?)
        .await
        .map_err(OpenError::Unreachable)?;
    migrate(&pool).await?;
    pool.close().await;
    Ok(())
}

fn id_column(kind: Kind) -> &'static str {
    if kind == Kind::Decision { "decision_id" } else { "id" }
}

fn at_column(kind: Kind) -> &'static str {
    if kind == Kind::Decision { "decided_at" } else { "at" }
}

/// The columns that [`stored`] reads, in its order.
pub(super) fn select(kind: Kind) -> QueryBuilder<Postgres> {
    let (table, of_kind, of) = match kind {
        Kind::Decision => ("decision", "0::smallint", "NULL::uuid"),
        _ => ("entry", "kind", "decision_id"),
    };
    let (id, at) = (id_column(kind), at_column(kind));
    QueryBuilder::new(format!(
        "SELECT {of_kind}, {id}, node, epoch, sequence, (extract(epoch from {at}) * 1000000)::bigint,
         (extract(epoch from recorded_at) * 1000000)::bigint, caller, flow, market, outcome, reasons, rules, models,
         reference, subject, revision, degraded, durable, duplicate_of, public, personal, salt, commitment, leaf,
         previous, chain, {of} FROM public.{table}"
    ))
}

fn push(query: &mut QueryBuilder<Postgres>, kind: Kind, condition: &Condition<'_>) {
    match condition {
        Condition::Text(column, value) => {
            query.push(format_args!(" AND {column} = ")).push_bind((*value).to_owned());
        }
        Condition::Element(column, value) => {
            query.push(format_args!(" AND {column} @> ARRAY[")).push_bind((*value).to_owned()).push("]");
        }
        Condition::Subject(hashes) => {
            query.push(" AND subject = ANY(").push_bind(hashes.to_vec()).push(")");
        }
        Condition::Degraded(degraded) => {
            query.push(" AND degraded = ").push_bind(*degraded);
        }
        Condition::From(at) => {
            query.push(format_args!(" AND {} >= 'epoch'::timestamptz + ", at_column(kind)));
            query.push_bind(*at).push(" * interval '1 microsecond'");
        }
        Condition::To(at) => {
            query.push(format_args!(" AND {} < 'epoch'::timestamptz + ", at_column(kind)));
            query.push_bind(*at).push(" * interval '1 microsecond'");
        }
        Condition::IdFrom(id) => {
            query.push(format_args!(" AND {} >= ", id_column(kind))).push_bind(*id);
        }
        Condition::IdBefore(id) => {
            query.push(format_args!(" AND {} < ", id_column(kind))).push_bind(*id);
        }
    }
}

pub(super) fn stored(row: &PgRow) -> Result<Stored, sqlx::Error> {
    let unknown = || sqlx::Error::Decode("a kind or durability of a later version".into());
    let text = |index: usize| Ok::<_, sqlx::Error>(row.try_get::<Option<String>, _>(index)?.map(Arc::from));
    let names = |index: usize| {
        Ok::<_, sqlx::Error>(list(row.try_get::<Vec<String>, _>(index)?.iter().map(String::as_str)))
    };
    let salt: Option<Vec<u8>> = row.try_get(22)?;
    let entry = Row {
        kind: Kind::from_code(row.try_get::<i16, _>(0)?.into()).ok_or_else(unknown)?,
        id: row.try_get(1)?,
        at_us: row.try_get(5)?,
        caller: text(7)?,
        flow: text(8)?,
        market: text(9)?,
        outcome: text(10)?,
        reasons: names(11)?,
        rules: names(12)?,
        models: names(13)?,
        reference: text(14)?,
        subject: row.try_get::<Option<Vec<u8>>, _>(15)?.map(Into::into),
        revision: text(16)?,
        degraded: row.try_get(17)?,
        durable: Durability::from_code(row.try_get::<i16, _>(18)?.into()).ok_or_else(unknown)?,
        public: row.try_get::<String, _>(20)?.into(),
        personal: text(21)?,
        salt: salt.and_then(|salt| salt.try_into().ok()),
        commitment: hash(row.try_get(23)?)?,
        leaf: hash(row.try_get(24)?)?,
        key: None,
        decision: row.try_get(27)?,
    };
    let position = Position {
        node: row.try_get(2)?,
        epoch: row.try_get(3)?,
        sequence: row.try_get(4)?,
        recorded_us: row.try_get(6)?,
    };
    let previous: Hash = hash(row.try_get(25)?)?;
    let chain: Hash = hash(row.try_get(26)?)?;
    Ok(Stored { row: entry, position, previous, chain, duplicate_of: row.try_get(19)?, local: 0 })
}
