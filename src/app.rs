//! The composition root: settings → a running service. `tollgate serve` and the tests start the same. Absent on
//! purpose: any decision about how it runs (that is config's) and any work of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::{Audit, OpenError, QueueLimits, StoreError, StoreSettings};
use crate::config::{RequireCases, Serving, Settings};
use crate::drift::Drift;
use crate::engine::{self, Engine};
use crate::gather::Remotes;
use crate::grpc;
use crate::http::access::{Guard, ModelDoors, Reach};
use crate::http::{self, Doors, RenderMetrics, Service};
use crate::predict::Models;
use crate::release::{ModelFolder, ModelSource, Release, ReleaseSettings, Watching};
use crate::store::{KeyRing, Keys};
use crate::telemetry::{self, TelemetryError};

/// How long the shipping of the last records to Postgres may take at the end; they are kept for the next start.
pub(crate) const SHIPPING: Duration = Duration::from_secs(5);

/// A running service.
#[derive(Debug)]
pub struct Application {
    address: SocketAddr,
    grpc: Option<grpc::Running>,
    grace: Duration,
    doors: Arc<Doors>,
    /// What closes at the end; nothing where only models are served.
    audit: Option<Arc<Audit>>,
    models: Arc<Models>,
    server: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    tasks: Vec<JoinHandle<()>>,
    watching: Watching,
    stop: watch::Sender<StopStage>,
}

/// How far it has been asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum StopStage {
    Run,
    Finish,
    AtOnce,
}

/// How it came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything answered was finished, flushed and, where it could be, shipped.
    Finished,
    /// A second signal came: what was answered is durable, the rest was dropped.
    AtOnce,
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "refusing to listen on {address}: other machines could reach it, and there is no API key yet; \
         make one with `tollgate keys create --role caller --name NAME`, or listen on 127.0.0.1"
    )]
    NoKeys { address: SocketAddr },
    #[error("the records cannot be opened")]
    Audit(#[source] OpenError),
    #[error("no rules can be put in force")]
    Release(#[source] crate::release::StartError),
    #[error("the API keys cannot be opened")]
    OpenKeys(#[source] OpenError),
    #[error("the API keys cannot be read")]
    Keys(#[source] StoreError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("signals cannot be listened for")]
    Signals(#[source] std::io::Error),
}

/// Why it ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the HTTP server failed")]
    Server(#[source] std::io::Error),
    #[error("the gRPC server failed")]
    Grpc(#[source] std::io::Error),
}

/// Asks an application to stop, from anywhere.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<StopStage>);

impl Stopper {
    /// The first call lets it finish; the second does not.
    pub fn stop(&self) {
        self.0.send_modify(|stage| {
            *stage = if *stage == StopStage::Run { StopStage::Finish } else { StopStage::AtOnce };
        });
    }
}

impl Application {
    /// Opens everything and serves. While flows are loaded, `/livez` answers and all else says `starting`.
    ///
    /// # Errors
    /// What kept it from starting; nothing is left running.
    pub async fn build(settings: Settings) -> Result<Self, StartError> {
        let metrics = telemetry::start_metrics()?;
        let audit = open_audit(&settings).await?;
        let url = settings.database_url.as_ref().map(|url| url.expose());
        let keys = Keys::open(&settings.data, url).await.map_err(StartError::OpenKeys)?;
        let ring = KeyRing::open(keys).await.map_err(StartError::Keys)?;
        let is_unguarded = ring.is_empty();
        let is_open = settings.serving == Serving::ModelsOnly && settings.model_doors == ModelDoors::Open;
        let beyond = std::iter::once(settings.http).chain(settings.grpc).find(|a| !a.ip().is_loopback());
        if let Some(address) = beyond.filter(|_| is_unguarded && !is_open) {
            return Err(StartError::NoKeys { address });
        }
        let (listener, address) = bind(settings.http)?;
        let grpc_listener = settings.grpc.map(bind).transpose()?;
        let drift = Arc::new(Drift::default());
        let served = Arc::new(OnceLock::new());
        let render = rendering(metrics.render(), Arc::clone(&drift), Arc::clone(&served));
        let doors = Arc::new(Doors::new(settings.http_settings(), render));
        let reach = if beyond.is_none() { Reach::Loopback } else { Reach::Beyond };
        doors.admit_keys(Guard { ring: ring.clone(), reach, model_doors: settings.model_doors });
        let failed = |address| move |source| StartError::Bind { address, source };
        let server = http::serve(listener, Arc::clone(&doors)).map_err(failed(address))?;
        let grpc = match grpc_listener {
            Some((listener, address)) => {
                Some(grpc::serve(listener, Arc::clone(&doors)).map_err(failed(address))?)
            }
            None => None,
        };
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let (models, watching) = match open(&settings, audit.clone(), &doors, drift).await {
            Ok(opened) => opened,
            Err(error) => {
                handle.stop(false).await;
                if let Some(grpc) = grpc {
                    grpc.stop(Duration::ZERO).await;
                }
                return Err(error);
            }
        };
        let _only_once = served.set(Arc::clone(&models));
        if is_unguarded && reach == Reach::Beyond {
            tracing::warn!(
                "there is no API key: whoever can reach this service may ask its models, and nobody may load or \
                 unload them; `tollgate keys create` makes a key"
            );
        } else if is_unguarded {
            tracing::warn!(
                "there is no API key: whoever can reach {address} on this machine may do everything, as `local`; \
                 `tollgate keys create` closes it"
            );
        }
        let tasks = vec![metrics.spawn_upkeep(), tokio::spawn(ring.keep_fresh()), models.follow()];
        let (stop, _) = watch::channel(StopStage::Run);
        let grace = settings.shutdown_grace;
        Ok(Self {
            address,
            grpc,
            grace,
            doors,
            audit,
            models,
            server: handle,
            serving,
            tasks,
            watching,
            stop,
        })
    }

    /// Where it listens: the port that was picked, when 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for gRPC, if it does.
    #[must_use]
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(grpc::Running::address)
    }

    /// The models that are served by themselves.
    #[must_use]
    pub fn models(&self) -> &Arc<Models> {
        &self.models
    }

    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// What scripts wait for on stderr.
    #[must_use]
    pub fn ready_line(&self) -> String {
        let grpc = self.grpc_address().map_or_else(|| "-".to_owned(), |address| address.to_string());
        format!("listening http={} grpc={grpc}", self.address)
    }

    /// From now on SIGTERM and SIGINT stop it.
    ///
    /// # Errors
    /// When the system does not let a process listen for them.
    pub fn stop_on_signals(&self) -> Result<(), StartError> {
        let terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
        tokio::spawn(follow_signals(terminate, interrupt, self.stopper()));
        Ok(())
    }

    /// Serves until asked to stop: not ready, stop accepting, finish, flush, ship.
    ///
    /// # Errors
    /// When the server failed by itself, or what was answered could not be flushed.
    pub async fn run(mut self) -> Result<Ended, RunError> {
        let mut asked = self.stop.subscribe();
        tokio::select! {
            _ = asked.wait_for(|stage| *stage >= StopStage::Finish) => {}
            ended = &mut self.serving => {
                let result = ended.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                return result.map(|()| Ended::Finished).map_err(RunError::Server);
            }
            ended = grpc_ended(self.grpc.as_mut()) => {
                return ended.map(|()| Ended::Finished).map_err(RunError::Grpc);
            }
        }
        tracing::info!("stopping: no new requests, finishing those that came");
        self.doors.begin_to_stop();
        drop(self.watching);
        let at_once = asked.wait_for(|stage| *stage == StopStage::AtOnce);
        tokio::select! {
            _ = at_once => Ok(Ended::AtOnce),
            finished = Self::finish((&self.server, self.grpc, self.grace), self.audit.as_deref(), &self.tasks) => {
                finished
            }
        }
    }

    async fn finish(
        (server, grpc, grace): (&ServerHandle, Option<grpc::Running>, Duration),
        audit: Option<&Audit>,
        tasks: &[JoinHandle<()>],
    ) -> Result<Ended, RunError> {
        let grpc_stopped = async {
            if let Some(grpc) = grpc {
                grpc.stop(grace).await;
            }
        };
        tokio::join!(server.stop(true), grpc_stopped);
        for task in tasks {
            task.abort();
        }
        if let Some(audit) = audit {
            audit.close(SHIPPING).await;
        }
        tracing::info!("stopped");
        Ok(Ended::Finished)
    }
}

fn bind(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { address: wanted, source };
    let listener = TcpListener::bind(wanted).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Where decisions are recorded; nothing where only models are served.
async fn open_audit(settings: &Settings) -> Result<Option<Arc<Audit>>, StartError> {
    match settings.serving {
        Serving::Everything => {
            let audit = Audit::open(store_settings(settings)).await.map_err(StartError::Audit)?;
            Ok(Some(Arc::new(audit)))
        }
        Serving::ModelsOnly => Ok(None),
    }
}

/// What is counted of drift and of models is brought up to date whenever somebody reads the metrics.
fn rendering(render: RenderMetrics, drift: Arc<Drift>, served: Arc<OnceLock<Arc<Models>>>) -> RenderMetrics {
    Arc::new(move || {
        drift.publish(Timestamp::now());
        if let Some(models) = served.get() {
            models.publish();
        }
        render()
    })
}

/// When gRPC ends by itself; never, if there is none.
async fn grpc_ended(grpc: Option<&mut grpc::Running>) -> std::io::Result<()> {
    match grpc {
        Some(grpc) => grpc.ended().await,
        None => std::future::pending().await,
    }
}

/// What is in force, then the engine, then the doors: each needs the one before. Without records there are only models.
async fn open(
    settings: &Settings,
    audit: Option<Arc<Audit>>,
    doors: &Doors,
    drift: Arc<Drift>,
) -> Result<(Arc<Models>, Watching), StartError> {
    let Some(audit) = audit else {
        let ReleaseSettings { models, settle, poll, .. } = release_settings(settings);
        let folder = ModelFolder::start(models, settle, poll).await;
        let models = Models::start(ModelSource::Folder(Arc::clone(&folder)), drift).await;
        doors.open_models(Arc::clone(&models));
        return Ok((models, folder.watch()));
    };
    let release = Release::start(release_settings(settings), engine::journal(&audit))
        .await
        .map_err(StartError::Release)?;
    let remotes = Arc::new(Remotes::new(tokio::runtime::Handle::current()));
    let engine = Engine::new(Arc::clone(&release), Arc::clone(&audit), settings.durable, settings.open_for)
        .asking(Arc::clone(&remotes))
        .watching(Arc::clone(&drift));
    let engine = Arc::new(engine);
    tokio::spawn(engine::look_after(Arc::downgrade(&release), remotes));
    let models = Models::start(ModelSource::Release(Arc::clone(&release)), drift).await;
    let watching = release.watch();
    doors.open_models(Arc::clone(&models));
    doors.open(Service { engine, audit, release });
    Ok((models, watching))
}

/// How the log is opened; also by commands that read it without serving.
#[must_use]
pub fn store_settings(settings: &Settings) -> StoreSettings {
    StoreSettings {
        database_url: settings.database_url.as_ref().map(|url| url.expose().to_owned()),
        queue: QueueLimits { records: settings.queue.records, bytes: settings.queue.bytes },
        retention: settings.retention.local,
        keep_shipped: settings.retention.shipped,
        ..StoreSettings::new(&settings.data)
    }
}

fn release_settings(settings: &Settings) -> ReleaseSettings {
    ReleaseSettings {
        require_cases: settings.require_cases == RequireCases::Refuse,
        ..ReleaseSettings::new(&settings.rules, &settings.models)
    }
}

async fn follow_signals(mut terminate: Signal, mut interrupt: Signal, stopper: Stopper) {
    loop {
        let seen = tokio::select! {
            seen = terminate.recv() => seen,
            seen = interrupt.recv() => seen,
        };
        if seen.is_none() {
            return;
        }
        stopper.stop();
    }
}

#[cfg(test)]
mod tests;
