//! API keys: made, listed, revoked, recognised. Only SHA-256 of a key is kept. They live in a file of their own,
//! which the command line may write while the service runs; with a `database_url` they live in Postgres and are
//! mirrored into that file, so that callers are known while Postgres is away. Absent: what a role may do.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{FromRow, Row as _};
use subtle::ConstantTimeEq as _;

use super::error::{OpenError, StoreError, central, local};
use super::local::{migrator, options, postgres_options};
use super::row::Hash;

const FILE: &str = "keys.db";
/// What every key begins with, so that scanners for leaked secrets know one.
pub const KEY_PREFIX: &str = "tg_";
/// What a request to Postgres may take here.
const WAIT: Duration = Duration::from_secs(2);

/// What a key allows, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Caller,
    Analyst,
    Auditor,
    Approver,
    Operator,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Caller, Self::Analyst, Self::Auditor, Self::Approver, Self::Operator];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
            Self::Approver => "approver",
            Self::Operator => "operator",
        }
    }
}

/// Not one of the roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of caller, analyst, auditor, approver, operator")]
pub struct UnknownRole;

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.word() == word).ok_or(UnknownRole)
    }
}

/// A key as it is listed; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Public: what `keys revoke` takes.
    pub id: Arc<str>,
    /// The caller that decisions are recorded under.
    pub name: Arc<str>,
    pub roles: Vec<Role>,
    /// The flows that it may use; `None`: every flow.
    pub flows: Option<Vec<Arc<str>>>,
    /// Microseconds since 1970.
    pub created_us: i64,
    pub revoked_us: Option<i64>,
    digest: Hash,
}

impl ApiKey {
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    #[must_use]
    pub fn may_use(&self, flow: &str) -> bool {
        self.flows.as_ref().is_none_or(|flows| flows.iter().any(|allowed| **allowed == *flow))
    }
}

/// The keys as stored.
#[derive(Debug, Clone)]
pub struct Keys {
    file: SqlitePool,
    postgres: Option<PgPool>,
}

impl Keys {
    /// Opens the keys of a data folder, beside a running service or not.
    ///
    /// # Errors
    /// When the file cannot be used or `database_url` is no address. A database that is away is no error.
    pub async fn open(folder: &Path, database_url: Option<&str>) -> Result<Self, OpenError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
        let path = folder.join(FILE);
        let at = |source| OpenError::File { path: path.clone(), source };
        let file =
            SqlitePoolOptions::new().max_connections(2).connect_with(options(&path)).await.map_err(at)?;
        let mut connection = file.acquire().await.map_err(at)?;
        migrator(&[(1, "keys", include_str!("../../migrations/sqlite/keys_0001.sql"))])
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(|source| OpenError::Migrate { path: path.clone(), source })?;
        drop(connection);
        let postgres = database_url
            .map(|url| {
                let options = postgres_options(url)?.options([("statement_timeout", "5s")]);
                Ok(PgPoolOptions::new().max_connections(1).acquire_timeout(WAIT).connect_lazy_with(options))
            })
            .transpose()?;
        Ok(Self { file, postgres })
    }

    /// Makes a key. It is returned once and kept nowhere.
    ///
    /// # Errors
    /// When it cannot be stored (with a `database_url`: in Postgres).
    pub async fn create(
        &self,
        name: &str,
        roles: &[Role],
        flows: Option<&[String]>,
    ) -> Result<(String, ApiKey), StoreError> {
        let mut secret = [0_u8; 32];
        let mut id = [0_u8; 6];
        getrandom::fill(&mut secret).map_err(|_| StoreError::Random)?;
        getrandom::fill(&mut id).map_err(|_| StoreError::Random)?;
        let plain = format!("{KEY_PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&secret));
        let key = ApiKey {
            id: format!("key_{}", data_encoding::HEXLOWER.encode(&id)).into(),
            name: name.into(),
            roles: roles.to_vec(),
            flows: flows.map(|flows| flows.iter().map(|flow| flow.as_str().into()).collect()),
            created_us: super::whole::now_us(),
            revoked_us: None,
            digest: Sha256::digest(plain.as_bytes()).into(),
        };
        if let Some(postgres) = &self.postgres {
            super::central::migrate_for_keys(postgres).await?;
            insert_central(postgres, &key).await.map_err(central("store a key"))?;
        }
        self.mirror(std::slice::from_ref(&key)).await?;
        Ok((plain, key))
    }

    /// Every key, revoked ones too, oldest first.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub async fn list(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.pull().await;
        let rows = sqlx::query(
            "SELECT id, name, digest, roles, flows, created_us, revoked_us FROM api_key ORDER BY created_us, id",
        )
        .fetch_all(&self.file)
        .await
        .map_err(local("read the keys"))?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(local("read the keys"))
    }

    /// Revokes a key by its id; false when there is none in use.
    ///
    /// # Errors
    /// When it cannot be stored (with a `database_url`: in Postgres).
    pub async fn revoke(&self, id: &str) -> Result<bool, StoreError> {
        let now = super::whole::now_us();
        let mut revoked = 0;
        if let Some(postgres) = &self.postgres {
            super::central::migrate_for_keys(postgres).await?;
            let update =
                sqlx::query("UPDATE public.api_key SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL");
            let done = update.bind(id).bind(now).execute(postgres).await.map_err(central("revoke a key"))?;
            revoked = done.rows_affected();
        }
        let update = sqlx::query("UPDATE api_key SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL");
        let done = update.bind(now).bind(id).execute(&self.file).await.map_err(local("revoke a key"))?;
        Ok(revoked.max(done.rows_affected()) > 0)
    }

    /// Brings what Postgres knows into the file, and what only the file knows to Postgres. Away: nothing happens.
    async fn pull(&self) {
        let Some(postgres) = &self.postgres else { return };
        let keys = async {
            super::central::migrate_for_keys(postgres).await?;
            let rows = sqlx::query(
                "SELECT id, name, digest, roles, flows, created_us, revoked_us FROM public.api_key",
            )
            .fetch_all(postgres)
            .await
            .map_err(central("read the keys"))?;
            rows.iter().map(read_central).collect::<Result<Vec<_>, _>>().map_err(central("read the keys"))
        };
        match tokio::time::timeout(WAIT, keys).await {
            Ok(Ok(keys)) => {
                if let Err(error) = self.mirror(&keys).await {
                    tracing::warn!(%error, "the keys could not be mirrored");
                }
            }
            Ok(Err(error)) => tracing::debug!(%error, "the keys in the database are out of reach"),
            Err(_) => tracing::debug!("the keys in the database are out of reach"),
        }
    }

    async fn mirror(&self, keys: &[ApiKey]) -> Result<(), StoreError> {
        for key in keys {
            sqlx::query(
                "INSERT INTO api_key (id, name, digest, roles, flows, created_us, revoked_us)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET revoked_us = coalesce(excluded.revoked_us, api_key.revoked_us)
                 WHERE api_key.revoked_us IS NOT excluded.revoked_us",
            )
            .bind(key.id.clone())
            .bind(key.name.clone())
            .bind(key.digest.to_vec())
            .bind(roles_text(&key.roles))
            .bind(flows_text(key))
            .bind(key.created_us)
            .bind(key.revoked_us)
            .execute(&self.file)
            .await
            .map_err(local("store a key"))?;
        }
        Ok(())
    }
}

async fn insert_central(postgres: &PgPool, key: &ApiKey) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO public.api_key (id, name, digest, roles, flows, created_us) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(&*key.id)
    .bind(&*key.name)
    .bind(key.digest.as_slice())
    .bind(roles_text(&key.roles))
    .bind(flows_text(key))
    .bind(key.created_us)
    .execute(postgres)
    .await
    .map(drop)
}

fn roles_text(roles: &[Role]) -> String {
    roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(",")
}

fn flows_text(key: &ApiKey) -> Option<String> {
    key.flows.as_ref().map(|flows| flows.join(","))
}

type Columns = (String, String, Vec<u8>, String, Option<String>, i64, Option<i64>);

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<ApiKey, sqlx::Error> {
    shape(Columns::from_row(row)?)
}

fn read_central(row: &sqlx::postgres::PgRow) -> Result<ApiKey, sqlx::Error> {
    shape((
        row.try_get(0)?,
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
        row.try_get(4)?,
        row.try_get(5)?,
        row.try_get(6)?,
    ))
}

fn shape((id, name, digest, roles, flows, created_us, revoked_us): Columns) -> Result<ApiKey, sqlx::Error> {
    let split = |text: &str| -> Vec<Arc<str>> {
        text.split(',').filter(|part| !part.is_empty()).map(Arc::from).collect()
    };
    Ok(ApiKey {
        id: id.into(),
        name: name.into(),
        // A role of a later version grants nothing here.
        roles: roles.split(',').filter_map(|word| Role::from_str(word).ok()).collect(),
        flows: flows.as_deref().map(split),
        created_us,
        revoked_us,
        digest: super::local::hash(&digest)?,
    })
}

/// By the first bytes of their digests.
type Known = HashMap<[u8; 8], Vec<Arc<ApiKey>>>;

/// The keys in use, in memory; refreshed in the background, so that asking costs no IO.
#[derive(Debug, Clone)]
pub struct KeyRing {
    keys: Keys,
    known: Arc<RwLock<Known>>,
    /// Whether any key was ever made, revoked ones included.
    any: Arc<AtomicBool>,
}

impl KeyRing {
    /// Reads the keys once; [`Self::refresh`] or [`Self::keep_fresh`] follows changes.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub async fn open(keys: Keys) -> Result<Self, StoreError> {
        let ring = Self { keys, known: Arc::default(), any: Arc::default() };
        ring.refresh().await?;
        Ok(ring)
    }

    /// Reads the keys again.
    ///
    /// # Errors
    /// When they cannot be read; those known before stay.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let mut known = Known::new();
        let keys = self.keys.list().await?;
        self.any.store(!keys.is_empty(), Ordering::Relaxed);
        for key in keys {
            if key.revoked_us.is_none() {
                known.entry(bucket(&key.digest)).or_default().push(Arc::new(key));
            }
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Refreshes about every two seconds, for ever; to be spawned.
    pub async fn keep_fresh(self) {
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if let Err(error) = self.refresh().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the keys could not be read again");
            }
        }
    }

    /// Whose key this is; `None` for an unknown or revoked one. Digests are compared in constant time.
    #[must_use]
    pub fn recognise(&self, plain: &str) -> Option<Arc<ApiKey>> {
        let digest: Hash = Sha256::digest(plain.as_bytes()).into();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let candidates = known.get(&bucket(&digest))?;
        candidates.iter().find(|key| bool::from(key.digest.ct_eq(&digest))).cloned()
    }

    /// No key was ever made: the service listens on loopback only. Revoking the last key does not open it again.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }
}

/// The first bytes of a digest: of 256 random bits they give nothing away that helps to find a key.
fn bucket(digest: &Hash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_made_by_another_process_is_known_after_a_refresh_and_unknown_once_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(Keys::open(folder.path(), None).await.unwrap()).await.unwrap();
        assert!(ring.is_empty());
        let cli = Keys::open(folder.path(), None).await.unwrap();
        let flows = ["personal_loan".to_owned()];
        let (plain, made) = cli.create("shop", &[Role::Caller, Role::Auditor], Some(&flows)).await.unwrap();
        assert!(plain.starts_with("tg_") && plain.len() == 46, "{plain}");
        assert_eq!(ring.recognise(&plain), None);
        ring.refresh().await.unwrap();
        let key = ring.recognise(&plain).unwrap();
        assert_eq!(*key, made);
        assert!(key.has(Role::Auditor) && !key.has(Role::Operator));
        assert!(key.may_use("personal_loan") && !key.may_use("card"));
        assert_eq!(ring.recognise(&format!("{plain}x")), None);
        let stored = std::fs::read(folder.path().join(FILE)).unwrap();
        assert!(!stored.windows(plain.len()).any(|window| window == plain.as_bytes()));

        assert!(cli.revoke(&made.id).await.unwrap());
        assert!(!cli.revoke(&made.id).await.unwrap(), "once is enough");
        ring.refresh().await.unwrap();
        assert_eq!(ring.recognise(&plain), None);
        assert!(!ring.is_empty(), "a revoked key keeps the door closed");
        assert!(cli.list().await.unwrap()[0].revoked_us.is_some());
    }
}
