//! REST: routes, bodies, problems, who is calling. The door to actix-web and utoipa. Absent on purpose: deciding
//! (the engine's), what is in force (the release's), the form of a record (the audit's), HTTP/2 and TLS (a proxy's),
//! and request decompression (a bomb).

pub mod access;
mod asked;
pub mod asking;
mod batch;
mod checking;
mod continuing;
mod decide_body;
mod decision_body;
mod decisions;
mod digest;
mod dispatch;
#[cfg(test)]
mod door_tests;
mod fault;
pub mod flow_body;
pub mod flow_openapi;
mod flows;
mod language;
mod meanings;
mod models;
pub mod openapi;
mod operations;
pub mod problem;
mod query;
mod records;
pub mod routes;
mod trace_body;
pub mod tracing_ids;

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};

use crate::audit::Audit;
use crate::engine::Engine;
use crate::predict::Models;
use crate::release::Release;
use access::Guard;
pub use asked::{DecideHeaders, purpose_in};
pub use decision_body::{output_json, render as decision_json, trace_json};
pub use dispatch::LONGEST_HEAD;
pub use language::Languages;
pub(crate) use models::drift::Compared;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 2048;
/// How long a request's head may take to arrive (slow-loris).
const HEAD_TIME: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How the door is set up.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Bytes of a request's body.
    pub body_limit: usize,
    pub workers: usize,
    /// How long requests may take to finish once the service stops.
    pub shutdown_grace: Duration,
    /// Open connections for each worker; more wait.
    pub max_connections: usize,
    pub serving: Serving,
}

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    Everything,
    /// Models that are asked directly: no flow, no record.
    ModelsOnly,
}

/// What the routes work with, once it is open.
#[derive(Debug, Clone)]
pub struct Service {
    pub engine: Arc<Engine>,
    pub audit: Arc<Audit>,
    pub release: Arc<Release>,
}

/// Gives the text of `/metrics`.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What all connections share. It listens before the service is open: until then routes answer `starting`.
pub struct Doors {
    service: OnceLock<Service>,
    models: OnceLock<Arc<Models>>,
    guard: OnceLock<Guard>,
    stopping: AtomicBool,
    settings: HttpSettings,
    render_metrics: RenderMetrics,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Doors {
    #[must_use]
    pub fn new(settings: HttpSettings, render_metrics: RenderMetrics) -> Self {
        Self {
            service: OnceLock::new(),
            models: OnceLock::new(),
            guard: OnceLock::new(),
            stopping: AtomicBool::new(false),
            settings,
            render_metrics,
        }
    }

    /// From now on, requests are served. Only the first call counts.
    pub fn open(&self, service: Service) {
        let _already_open = self.service.set(service);
    }

    /// From now on, models are served. Only the first call counts.
    pub fn open_models(&self, models: Arc<Models>) {
        let _already_open = self.models.set(models);
    }

    /// From now on, those whose keys the guard knows are let in; before, nobody is. Only the first call counts.
    pub fn admit_keys(&self, guard: Guard) {
        let _already_guarded = self.guard.set(guard);
    }

    /// From now on `/readyz` says that no more requests should come; those that do are still served.
    pub fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// What the routes work with; nothing before it is open.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        self.service.get()
    }

    /// The models that are asked directly; nothing before they are loaded.
    #[must_use]
    pub fn models(&self) -> Option<&Arc<Models>> {
        self.models.get()
    }

    #[must_use]
    pub fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    #[must_use]
    pub fn guard(&self) -> Option<&Guard> {
        self.guard.get()
    }

    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// Serves on a bound listener, until the returned server's handle stops it. Signals are the application's.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, doors: Arc<Doors>) -> std::io::Result<Server> {
    let settings = doors.settings.clone();
    let serving = settings.serving;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::from(Arc::clone(&doors)))
            .configure(|config| routes::configure(config, serving))
    })
    .workers(settings.workers)
    .max_connections(settings.max_connections)
    .backlog(BACKLOG)
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    .client_request_timeout(HEAD_TIME)
    .client_disconnect_timeout(Duration::from_secs(2))
    .shutdown_timeout(settings.shutdown_grace.as_secs())
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}
