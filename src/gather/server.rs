//! One server of a model: asking it once, and what is remembered of how it fares. The balance prefers servers that
//! have not just failed, then those that are quick and have little to do. Absent: who takes a server out and puts it
//! back (the keeper).

use std::cmp::Ordering;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering as Memory};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tower::Service;
use tower::load::peak_ewma::Cost;
use tower::load::{CompleteOnResponse, Load, PeakEwma};

use super::failure;
use super::grpc::GrpcDoor;
use super::http::{DoorError, HttpDoor};
use super::tensors::{self, Reply};
use super::trace::TraceContext;
use crate::domain::flow::remote::{ModelAsked, RemoteFailure, RemoteFault};
use crate::domain::model::remote::{Remote, Transport};
use crate::domain::value::Name;

/// How long a failure makes a server second choice.
const SHUNNED: Duration = Duration::from_secs(5);
/// Over what time what was measured loses its weight.
const DECAY_NS: f64 = 5e9;
/// What a server that has not answered yet counts as: quick, so that one that came back is tried at once. What it has
/// to do counts too, so it is not overrun.
const UNKNOWN: Duration = Duration::from_micros(100);

/// One question on its way to some server.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub asked: Arc<ModelAsked>,
    pub progress: Arc<Progress>,
    pub trace: Arc<TraceContext>,
}

/// What is known of a question's way even when nobody waits for its end.
#[derive(Debug, Default)]
pub(super) struct Progress {
    attempts: AtomicU32,
    last: Mutex<Option<Arc<str>>>,
}

impl Progress {
    pub fn attempts(&self) -> u32 {
        self.attempts.load(Memory::Relaxed)
    }

    /// The server that was asked last.
    pub fn last(&self) -> Option<Arc<str>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What came of asking one server once.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    pub result: Result<f64, RemoteFailure>,
    pub version: Option<Arc<str>>,
}

/// How a server is reached.
#[derive(Debug)]
pub(super) enum Door {
    Http(HttpDoor),
    Grpc(GrpcDoor),
}

impl Door {
    pub fn new(
        base: &str,
        at: Option<SocketAddr>,
        remote: &Remote,
        key: Option<&str>,
    ) -> Result<Self, DoorError> {
        match remote.over {
            Transport::Http => HttpDoor::new(base, at, remote, key).map(Self::Http),
            Transport::Grpc => GrpcDoor::new(base, at, remote, key).map(Self::Grpc),
        }
    }

    pub async fn is_ready(&self, remote: &Remote) -> bool {
        match self {
            Self::Http(door) => door.is_ready(remote).await,
            Self::Grpc(door) => door.is_ready(remote).await,
        }
    }

    async fn infer(
        &self,
        asked: &ModelAsked,
        remote: &Remote,
        trace: &TraceContext,
    ) -> Result<Reply, RemoteFailure> {
        match self {
            Self::Http(door) => door.infer(asked, remote, trace).await,
            Self::Grpc(door) => door.infer(asked, remote, trace).await,
        }
    }
}

/// How a server fares. Shared by all that ask it and by the keeper.
#[derive(Debug)]
pub(super) struct Standing {
    marks: Mutex<Marks>,
    /// Told when something may have changed for the keeper.
    changed: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// Failed answers in a row.
    pub failures: u32,
    pub failed_at: Option<Instant>,
    /// Failed health checks in a row.
    pub unready: u32,
    pub ejected_until: Option<Instant>,
    /// Ejections in a row.
    pub ejections: u32,
}

impl Standing {
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { marks: Mutex::new(Marks::default()), changed }
    }

    pub fn marks(&self) -> Marks {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn change(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    fn succeeded(&self) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        (marks.failures, marks.failed_at) = (0, None);
        if marks.ejected_until.is_none() {
            marks.ejections = 0;
        }
    }

    fn failed(&self, now: Instant) {
        self.change(|marks| {
            marks.failures = marks.failures.saturating_add(1);
            marks.failed_at = Some(now);
        });
    }
}

/// A server as tower asks it.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub model: Name,
    /// `host:port`
    pub label: Arc<str>,
    pub door: Arc<Door>,
    pub remote: Arc<Remote>,
    pub standing: Arc<Standing>,
}

impl Service<Ask> for Server {
    type Response = Tried;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Tried, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        ask.progress.attempts.fetch_add(1, Memory::Relaxed);
        *ask.progress.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&self.label));
        let server = self.clone();
        Box::pin(async move { Ok(server.attempt(&ask).await) })
    }
}

impl Server {
    async fn attempt(&self, ask: &Ask) -> Tried {
        let mut watch = Watched { server: self, began: Instant::now(), is_over: false };
        let answered =
            tokio::time::timeout(self.remote.attempt, self.door.infer(&ask.asked, &self.remote, &ask.trace))
                .await;
        let reply =
            answered.unwrap_or_else(|_| Err(failure(RemoteFault::Late, "no answer in the time of one try")));
        let mut version = None;
        let result = reply.and_then(|reply| {
            let probability = tensors::probability(&self.remote.output, &reply);
            version = reply.version.map(Arc::from);
            probability
        });
        watch.is_over = true;
        match &result {
            Ok(_) => self.standing.succeeded(),
            // That the question is wrong says nothing of the server.
            Err(why) if why.code == RemoteFault::Refused => {}
            Err(_) => self.standing.failed(Instant::now()),
        }
        self.count(result.as_ref().err().map_or("ok", |why| why.code.word()));
        Tried { result, version }
    }

    fn count(&self, result: &'static str) {
        let (model, server) = (self.model.to_string(), self.label.to_string());
        metrics::counter!("tollgate_remote_tries_total", "model" => model, "server" => server, "result" => result)
            .increment(1);
    }
}

/// Whether so long is the time of a try, as far as the model's own deadline leaves it: a server that has not answered
/// in less has done nothing wrong, whenever its caller left. A little is taken off, as a try begins a little later than
/// its question.
pub(super) fn is_whole_try(given: Duration, remote: &Remote) -> bool {
    given >= remote.attempt.min(remote.deadline).mul_f64(0.9)
}

/// Notices when nobody waits any more for a server that takes too long.
struct Watched<'s> {
    server: &'s Server,
    began: Instant,
    is_over: bool,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.is_over && is_whole_try(self.began.elapsed(), &self.server.remote) {
            self.server.standing.failed(Instant::now());
            self.server.count(RemoteFault::Late.word());
        }
    }
}

/// A server with its load. Fewer failures in a row first, then the smaller cost.
#[derive(Debug)]
pub(super) struct Weighed {
    inner: PeakEwma<Server, CompleteOnResponse>,
    standing: Arc<Standing>,
}

impl Weighed {
    pub fn new(server: Server) -> Self {
        let standing = Arc::clone(&server.standing);
        Self { inner: PeakEwma::new(server, UNKNOWN, DECAY_NS, CompleteOnResponse::default()), standing }
    }
}

impl Service<Ask> for Weighed {
    type Response = Tried;
    type Error = Infallible;
    type Future = <PeakEwma<Server, CompleteOnResponse> as Service<Ask>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        self.inner.call(ask)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight {
    failures: u32,
    cost: Cost,
}

impl PartialOrd for Weight {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.failures.cmp(&other.failures) {
            Ordering::Equal => self.cost.partial_cmp(&other.cost),
            unequal => Some(unequal),
        }
    }
}

impl Load for Weighed {
    type Metric = Weight;

    fn load(&self) -> Weight {
        let marks = self.standing.marks();
        let is_recent = marks.failed_at.is_some_and(|at| at.elapsed() < SHUNNED);
        Weight { failures: if is_recent { marks.failures } else { 0 }, cost: self.inner.load() }
    }
}
