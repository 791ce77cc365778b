//! The store as one thing: the local log with its writer, Postgres when there is one, and the threads they run
//! on, so that no request's runtime is ever asked to do the store's work. Absent: what rows mean.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::central::Central;
use super::error::{AppendError, OpenError, StoreError, local};
use super::in_flight::{InFlight, KeyGuard};
use super::local::{self, Local};
use super::maintain::{Chore, RevisionFile};
use super::revisions::RevisionRow;
use super::row::{Durability, Filter, KeyHolder, Kind, Row, Stored};
use super::ship::{self, Shipper};
use super::space::{Space, WARN_PERCENT};
use super::writer::{Appended, Queue, QueueLimits, Writer};

/// How the store is to be run.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The data folder; created if missing.
    pub folder: PathBuf,
    pub database_url: Option<String>,
    pub queue: QueueLimits,
    /// How long records stay in the local log when there is no Postgres; `None`: for ever.
    pub retention: Option<Duration>,
    /// How long shipped records stay in the local log.
    pub keep_shipped: Duration,
    /// How long a `central` append waits for Postgres after the local commit.
    pub central_wait: Duration,
}

impl StoreSettings {
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            database_url: None,
            queue: QueueLimits::default(),
            retention: None,
            keep_shipped: Duration::from_secs(24 * 3600),
            central_wait: Duration::from_secs(5),
        }
    }
}

/// How the store is, for `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// False once the log's file failed or its disk is full: nothing is recorded.
    pub records: bool,
    /// The file failed; a restart recovers what it holds.
    pub broken: bool,
    pub disk_used_percent: u8,
    pub disk_warns: bool,
    /// Minutes until the disk is too full, at the rate seen lately.
    pub minutes_left: Option<u64>,
    /// Entries queued or being committed.
    pub waiting: usize,
    /// Entries that were answered from the queue (`memory`) and then lost.
    pub gaps: usize,
    pub central: CentralHealth,
}

/// How Postgres is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CentralHealth {
    /// No `database_url`: the local log is the store.
    None,
    /// `lag`: records that it does not have yet.
    Reachable {
        lag: u64,
    },
    Away {
        lag: u64,
    },
}

/// The store. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) local: Arc<Local>,
    queue: Queue,
    pub(super) central: Option<Arc<Central>>,
    pub(super) in_flight: InFlight,
    space: Arc<Space>,
    settings: StoreSettings,
    stop: watch::Sender<bool>,
    checkpoints: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime may not be waited for inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Microseconds since 1970.
pub(super) fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

fn refuse(runtime: Runtime, error: OpenError) -> OpenError {
    runtime.shutdown_background();
    error
}

/// Two pages, newest first, without what is in both; as long as one page.
fn merge(fresh: Vec<Stored>, page: Vec<Stored>, filter: &Filter) -> Vec<Stored> {
    let mut all: Vec<Stored> = page.into_iter().chain(fresh).collect();
    // Stable: of two with one id the one from Postgres comes first, which knows of duplicates.
    all.sort_by_key(|stored| std::cmp::Reverse(stored.row.id));
    all.dedup_by_key(|stored| stored.row.id);
    all.truncate(usize::try_from(filter.page()).unwrap_or(usize::MAX));
    all
}

impl Store {
    /// Opens the store: the local log at once, Postgres in the background, so that it may be away.
    ///
    /// # Errors
    /// When the folder cannot be used, another process has the log, or `database_url` is no address.
    pub async fn open(settings: StoreSettings) -> Result<Self, OpenError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("tollgate-store")
            .enable_all()
            .build()
            .map_err(OpenError::Threads)?;
        let handle = runtime.handle().clone();
        let folder = settings.folder.clone();
        let opened = handle.spawn(async move { local::open(&folder, now_us()).await }).await;
        let (local, connection, tail) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(refuse(runtime, error)),
            Err(_) => {
                return Err(refuse(runtime, OpenError::Threads(std::io::Error::other("a task failed"))));
            }
        };
        let local = Arc::new(local);
        let (writer, queue, committed) = Writer::new(connection, tail, settings.queue, now_us);
        let (stop, stopping) = watch::channel(false);
        let space = Arc::new(Space::default());
        space.measure(&settings.folder);
        let central = match &settings.database_url {
            None => None,
            Some(url) => {
                let central = {
                    let _on_own_threads = handle.enter();
                    Central::new(url, local.subject_key)
                };
                match central {
                    Ok(central) => Some(Arc::new(central)),
                    Err(error) => return Err(refuse(runtime, error)),
                }
            }
        };
        handle.spawn(writer.run());
        let (stop_checkpoints, asked) = oneshot::channel();
        let checkpoints =
            handle.spawn(super::upkeep::checkpoint(settings.folder.clone(), committed.clone(), asked));
        handle.spawn(super::upkeep::run(super::upkeep::Upkeep {
            settings: settings.clone(),
            queue: queue.clone(),
            central: central.clone(),
            space: Arc::clone(&space),
            stopping: stopping.clone(),
        }));
        if let Some(central) = &central {
            let shipper =
                Shipper::new(Arc::clone(&local), Arc::clone(central), queue.clone(), committed, stopping);
            handle.spawn(ship::run(shipper));
        }
        let inner = Inner {
            local,
            queue,
            central,
            in_flight: InFlight::default(),
            space,
            settings,
            stop,
            checkpoints: Mutex::new(Some((stop_checkpoints, checkpoints))),
            handle,
            runtime: Some(runtime),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Appends an entry and waits as long as its durability asks. What has been queued is recorded even if the
    /// caller goes away.
    ///
    /// # Errors
    /// See [`AppendError`]: each variant says whether anything was recorded.
    pub async fn append(&self, row: Row) -> Result<Option<Appended>, AppendError> {
        if self.inner.space.is_full() {
            return Err(AppendError::DiskFull { used_percent: self.inner.space.used_percent() });
        }
        let durable = row.durable;
        if durable == Durability::Central && self.inner.central.is_none() {
            return Err(AppendError::NotRecorded("`central` asks for a `database_url`"));
        }
        // A key is only kept by a commit, so an entry with a key waits for it at least; and so does everyone while the
        // writer falls behind, for a stronger promise late is better than a refusal.
        if durable == Durability::Memory && row.key.is_none() && !self.inner.queue.is_half_full() {
            self.inner.queue.append_unawaited(row)?;
            return Ok(None);
        }
        let answer = self.inner.queue.append(row)?;
        let appended = answer.await.unwrap_or(Err(AppendError::NotRecorded("the log was closed")))?;
        if durable == Durability::Central {
            self.wait_central(appended.local).await?;
        }
        Ok(Some(appended))
    }

    /// Waits until Postgres has the entry at this place of the local file.
    ///
    /// # Errors
    /// `NotCentral` when it does not confirm in time or there is none; `KeyTaken` when another replica was first.
    pub async fn wait_central(&self, local: i64) -> Result<(), AppendError> {
        let central = self.inner.central.as_ref().ok_or(AppendError::NotCentral)?;
        let arrived = central.wait(local);
        match tokio::time::timeout(self.inner.settings.central_wait, arrived).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(holder))) => Err(AppendError::KeyTaken(holder)),
            Ok(Err(_)) | Err(_) => Err(AppendError::NotCentral),
        }
    }

    /// Waits for one's turn under an idempotency key and looks the key up; the guard must be kept until the
    /// decision has been appended.
    ///
    /// # Errors
    /// When the local log cannot be read. A database that is away is no error.
    pub async fn begin_key(
        &self,
        caller: &str,
        flow: &str,
        key: &str,
    ) -> Result<(KeyGuard, Option<KeyHolder>), StoreError> {
        let mut guard = self.inner.in_flight.enter(caller, flow, key).await;
        let mut holder = guard.known();
        if holder.is_none() {
            holder = self.key_holder(caller, flow, key).await?;
        }
        if let Some(holder) = holder {
            guard.leave_word(holder);
        }
        Ok((guard, holder))
    }

    /// The decision that a key stands for, here or on another replica.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn key_holder(
        &self,
        caller: &str,
        flow: &str,
        key: &str,
    ) -> Result<Option<KeyHolder>, StoreError> {
        let (caller, flow, key) = (caller.to_owned(), flow.to_owned(), key.to_owned());
        let (local, central) = (Arc::clone(&self.inner.local), self.inner.central.clone());
        self.on_own_threads(async move {
            let now = now_us();
            let holder = local.key_holder(&caller, &flow, &key, now).await?;
            match (holder, central) {
                (None, Some(central)) => {
                    Ok(central.key_holder(&caller, &flow, &key, now).await.ok().flatten())
                }
                (holder, _) => Ok(holder),
            }
        })
        .await
    }

    /// One entry by its id.
    ///
    /// # Errors
    /// When the local log cannot be read; or the entry is not here and Postgres is away.
    pub async fn get(&self, id: Uuid) -> Result<Option<Stored>, StoreError> {
        let (local, central) = (Arc::clone(&self.inner.local), self.inner.central.clone());
        self.on_own_threads(async move {
            match (local.get(id).await?, central) {
                (None, Some(central)) => central.get(id).await,
                // Another node may have ended the same decision first: what Postgres has is the answer.
                (Some(own), Some(central)) if own.row.decision.is_some() => {
                    Ok(central.get(id).await.ok().flatten().or(Some(own)))
                }
                (found, _) => Ok(found),
            }
        })
        .await
    }

    /// A page of entries of one kind, newest first: Postgres and what it does not have yet; the local log alone
    /// while it is away.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn search(&self, kind: Kind, filter: Filter) -> Result<Vec<Stored>, StoreError> {
        let (local, central) = (Arc::clone(&self.inner.local), self.inner.central.clone());
        self.on_own_threads(async move {
            let Some(central) = central.filter(|central| central.is_reachable()) else {
                return local.search(kind, &filter, None).await;
            };
            // The local log first: what is shipped meanwhile is then in both, and merged.
            let fresh = local.search(kind, &filter, Some(central.shipped())).await?;
            match central.search(kind, &filter).await {
                Ok(page) => Ok(merge(fresh, page, &filter)),
                Err(error) => {
                    tracing::warn!(%error, "searching the local log instead of the database");
                    local.search(kind, &filter, None).await
                }
            }
        })
        .await
    }

    /// Stores the files of a revision; durable on this machine when it returns.
    ///
    /// # Errors
    /// When the local log cannot take them: the revision must not come into force.
    pub async fn put_revision(&self, revision: Arc<str>, files: Vec<RevisionFile>) -> Result<(), StoreError> {
        self.chore("store a revision", |done| Chore::PutRevision { revision, files, now_us: now_us(), done })
            .await
    }

    /// Remembers which revision is in force here.
    ///
    /// # Errors
    /// When the local log cannot take it.
    pub async fn set_in_force(&self, revision: &str) -> Result<(), StoreError> {
        let value = revision.as_bytes().to_vec();
        self.chore("note the revision in force", |done| Chore::SetMeta { name: "in_force", value, done })
            .await
    }

    /// The revision that was last in force here.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn last_in_force(&self) -> Result<Option<String>, StoreError> {
        let local = Arc::clone(&self.inner.local);
        let value = self.on_own_threads(async move { local.meta("in_force").await }).await?;
        Ok(value.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// The files of a revision by (flow, path), from here or from Postgres; empty when nobody has it.
    ///
    /// # Errors
    /// When it is not here and Postgres is away.
    pub async fn revision_files(&self, revision: &str) -> Result<Vec<RevisionFile>, StoreError> {
        let revision = revision.to_owned();
        let (local, central) = (Arc::clone(&self.inner.local), self.inner.central.clone());
        self.on_own_threads(async move {
            let files = local.revision_files(&revision).await?;
            match central {
                Some(central) if files.is_empty() => central.revision_files(&revision).await,
                _ => Ok(files),
            }
        })
        .await
    }

    /// Every known revision, newest first.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn revisions(&self) -> Result<Vec<RevisionRow>, StoreError> {
        let (local, central) = (Arc::clone(&self.inner.local), self.inner.central.clone());
        self.on_own_threads(async move {
            let mut all = local.revisions().await?;
            if let Some(central) = central {
                all.extend(central.revisions().await.unwrap_or_default());
            }
            all.sort_by(|a, b| a.revision.cmp(&b.revision).then(a.first_us.cmp(&b.first_us)));
            all.dedup_by(|later, first| later.revision == first.revision);
            all.sort_by(|a, b| b.first_us.cmp(&a.first_us).then_with(|| a.revision.cmp(&b.revision)));
            Ok(all)
        })
        .await
    }

    /// Keys of the subject hash: the first for writing, all of them for searching.
    #[must_use]
    pub fn subject_keys(&self) -> Arc<[[u8; 32]]> {
        match &self.inner.central {
            Some(central) => central.subject_keys(),
            None => [self.inner.local.subject_key].into(),
        }
    }

    #[must_use]
    pub fn node(&self) -> Uuid {
        self.inner.local.node
    }

    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.inner.local.epoch
    }

    #[must_use]
    pub fn health(&self) -> Health {
        let (queue, space) = (&self.inner.queue, &self.inner.space);
        let central = match &self.inner.central {
            None => CentralHealth::None,
            Some(central) => {
                let lag = u64::try_from(queue.last().saturating_sub(central.shipped())).unwrap_or_default();
                if central.is_reachable() {
                    CentralHealth::Reachable { lag }
                } else {
                    CentralHealth::Away { lag }
                }
            }
        };
        Health {
            records: !queue.is_broken() && !space.is_full(),
            broken: queue.is_broken(),
            disk_used_percent: space.used_percent(),
            disk_warns: space.used_percent() >= WARN_PERCENT,
            minutes_left: space.minutes_left(),
            waiting: queue.waiting(),
            gaps: queue.gaps(),
            central,
        }
    }

    /// Commits what is queued, ships what it can until `deadline`, closes the file. Later appends are refused.
    pub async fn close(&self, deadline: Duration) {
        let checkpoints = self.inner.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, ended)) = checkpoints {
            let _ = stop.send(());
            let _ = ended.await;
        }
        let (done, closed) = oneshot::channel();
        if self.inner.queue.chore(Chore::Close(done)).is_ok() {
            let _ = closed.await;
        }
        if let Some(central) = self.inner.central.as_ref().filter(|central| central.is_reachable()) {
            let last = self.inner.queue.last();
            let _ = tokio::time::timeout(deadline, central.wait(last)).await;
        }
        self.inner.stop.send_replace(true);
        let local = Arc::clone(&self.inner.local);
        let closing = async move {
            local.reads.close().await;
            Ok(())
        };
        let _ = self.on_own_threads(closing).await;
        self.inner.local.release();
    }

    async fn chore(
        &self,
        attempt: &'static str,
        chore: impl FnOnce(oneshot::Sender<Result<(), sqlx::Error>>) -> Chore,
    ) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        self.inner.queue.chore(chore(done)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?.map_err(local(attempt))
    }

    pub(super) async fn on_own_threads<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.handle.spawn(work).await.unwrap_or(Err(StoreError::Closed))
    }
}
