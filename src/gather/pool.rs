//! One model on other servers, as it is asked: a breaker, a cap, retries within a budget, and a balance over the
//! servers that are in. From tower, outside in: `LoadShed`, `ConcurrencyLimit`, `Retry`, `Buffer`, `Balance`,
//! `PeakEwma`. Absent: what is sent and read (the protocols' files).

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower::retry::Retry;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::{BoxError, ServiceExt as _};

use super::breaker::{Breaker, Permit, Turn};
use super::failure;
use super::gauges::Gauge;
use super::keeper::{self, Count, Keeping};
use super::server::{Ask, Progress, Tried, Weighed, is_whole_try};
use super::trace::TraceContext;
use crate::domain::flow::remote::{ModelAsked, RemoteAnswer, RemoteFailure, RemoteFault};
use crate::domain::model::remote::Remote;
use crate::domain::value::Name;

/// Over how long the retry budget is reckoned.
const BUDGET: Duration = Duration::from_secs(10);
/// Questions that go on without their callers, at the same time: enough to judge servers by, and few beside the rest.
const MOST_GOING_ON: usize = 16;

type Found =
    UnboundedReceiverStream<Result<tower::discover::Change<Arc<str>, Weighed>, std::convert::Infallible>>;
type Balanced = Buffer<Ask, <Balance<Found, Ask> as tower::Service<Ask>>::Future>;
type Trying = BoxFuture<'static, Result<Tried, BoxError>>;
type Stack = LoadShed<ConcurrencyLimit<Retry<Again, Balanced>>>;

/// The servers of one model.
pub(super) struct Pool {
    model: Name,
    remote: Arc<Remote>,
    stack: Stack,
    judge: Arc<Judge>,
    /// Places for questions that go on without their callers.
    going_on: Arc<Semaphore>,
    count: Arc<Count>,
    asked_at: Mutex<Instant>,
    runtime: Handle,
    _keeping: Keeping,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("model", &self.model).field("judge", &self.judge).finish_non_exhaustive()
    }
}

impl Pool {
    /// Must be called within a runtime, in which its tasks then run.
    pub fn new(model: Name, remote: Arc<Remote>, gauge: Gauge) -> Self {
        let gauge = Arc::new(gauge);
        let (changes, found) = mpsc::unbounded_channel();
        let count = Arc::new(Count::unknown());
        let told = (Arc::clone(&count), Arc::clone(&gauge));
        let keeping = keeper::keep(model.clone(), Arc::clone(&remote), changes, told);
        let most = usize::try_from(remote.most_at_once).unwrap_or(usize::MAX);
        let balanced = Buffer::new(Balance::new(UnboundedReceiverStream::new(found)), most);
        let again = Again { left: remote.retries.most, model: model.clone(), budget: budget(&remote) };
        let stack = LoadShed::new(ConcurrencyLimit::new(Retry::new(again, balanced), most));
        let breaker = Arc::new(Breaker::new(remote.breaker));
        Self {
            judge: Arc::new(Judge { model: model.clone(), breaker, gauge }),
            going_on: Arc::new(Semaphore::new((most / 2).min(MOST_GOING_ON))),
            asked_at: Mutex::new(Instant::now()),
            runtime: Handle::current(),
            model,
            remote,
            stack,
            count,
            _keeping: keeping,
        }
    }

    /// What it shows of itself.
    pub fn gauge(&self) -> &Gauge {
        &self.judge.gauge
    }

    /// How long nobody has asked.
    pub fn unasked_for(&self) -> Duration {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Asks; the answer is there by `deadline`, or by the model's own.
    pub async fn ask(&self, asked: &ModelAsked, deadline: Instant, trace: &TraceContext) -> RemoteAnswer {
        let began = Instant::now();
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = began;
        let answer = self.answer((asked, trace), (began, deadline.min(began + self.remote.deadline))).await;
        let latency = began.elapsed();
        let result = answer.result.as_ref().err().map_or("ok", |why| why.code.word());
        let model = self.model.to_string();
        metrics::histogram!("tollgate_remote_call_seconds", "model" => model.clone())
            .record(latency.as_secs_f64());
        metrics::counter!("tollgate_remote_calls_total", "model" => model, "result" => result).increment(1);
        if let Err(why) = &answer.result {
            tracing::debug!(
                model = &*self.model,
                code = why.code.word(),
                detail = &*why.detail,
                server = answer.endpoint.as_deref(),
                attempts = answer.attempts,
                trace_id = trace.trace_id.as_str(),
                "a model on another server did not answer"
            );
        }
        RemoteAnswer { latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), ..answer }
    }

    async fn answer(
        &self,
        (asked, trace): (&ModelAsked, &TraceContext),
        (began, until): (Instant, Instant),
    ) -> RemoteAnswer {
        if Instant::now() >= until {
            return RemoteAnswer::none(RemoteFault::Late, "the deadline had passed before it was asked");
        }
        if self.count.is_none() {
            return RemoteAnswer::none(RemoteFault::NoServer, "no server is known");
        }
        let Some(permit) = self.judge.breaker.admit(Instant::now()) else {
            return RemoteAnswer::none(
                RemoteFault::BreakerOpen,
                "most answers fail, so none is awaited for a while",
            );
        };
        let progress = Arc::new(Progress::default());
        let ask = Ask {
            asked: Arc::new(asked.clone()),
            progress: Arc::clone(&progress),
            trace: Arc::new(trace.clone()),
        };
        // Its type is written out: whoever awaits this must not have to look through the whole stack.
        let mut trying: Trying = self.stack.clone().oneshot(ask).boxed();
        let tried = match timeout_at(until, &mut trying).await {
            Ok(ended) => {
                let tried = tried(ended);
                self.judge.hear(permit, &tried.result);
                tried
            }
            Err(_) => {
                let late = Tried { result: Err(late()), version: None };
                if is_whole_try(until - began, &self.remote) {
                    self.judge.hear(permit, &late.result);
                } else {
                    self.go_on(trying, permit, began + self.remote.deadline);
                }
                late
            }
        };
        RemoteAnswer {
            result: tried.result,
            endpoint: progress.last(),
            version: tried.version,
            attempts: progress.attempts(),
            latency_us: 0,
        }
    }

    /// The caller has gone sooner than the model's own terms say, which tells nothing of the servers. So that those
    /// that hang are found out though every caller is in a hurry, some questions go on as if the caller had waited.
    fn go_on(&self, trying: Trying, permit: Permit, until: Instant) {
        let Ok(place) = Arc::clone(&self.going_on).try_acquire_owned() else { return };
        let judge = Arc::clone(&self.judge);
        self.runtime.spawn(async move {
            let result =
                timeout_at(until, trying).await.map_or_else(|_| Err(late()), |ended| tried(ended).result);
            judge.hear(permit, &result);
            drop(place);
        });
    }
}

/// What is made of results.
#[derive(Debug)]
struct Judge {
    model: Name,
    breaker: Arc<Breaker>,
    gauge: Arc<Gauge>,
}

impl Judge {
    fn hear(&self, permit: Permit, result: &Result<f64, RemoteFailure>) {
        // Neither a wrong question nor our own cap says anything of the servers.
        let says_nothing = |why: &RemoteFailure| matches!(why.code, RemoteFault::Refused | RemoteFault::Full);
        if result.as_ref().is_err_and(says_nothing) {
            return;
        }
        let is_open = match permit.settle(result.is_ok(), Instant::now()) {
            Turn::None => return,
            Turn::Opened => true,
            Turn::Closed => false,
        };
        tracing::warn!(model = &*self.model, is_open, "the breaker of a model on other servers");
        self.gauge.breaker(is_open);
    }
}

fn tried(ended: Result<Tried, BoxError>) -> Tried {
    ended.unwrap_or_else(|error| Tried { result: Err(no_try(&error)), version: None })
}

fn late() -> RemoteFailure {
    failure(RemoteFault::Late, "no answer before the deadline")
}

fn no_try(error: &BoxError) -> RemoteFailure {
    if error.is::<Overloaded>() {
        failure(RemoteFault::Full, "as many answers are awaited as may be")
    } else {
        failure(RemoteFault::NoServer, "the servers are no longer looked after")
    }
}

fn budget(remote: &Remote) -> Option<Arc<TpsBudget>> {
    let retries = remote.retries;
    if retries.most == 0 {
        return None;
    }
    let share = f64::from(retries.percent) / 100.0;
    #[expect(clippy::cast_possible_truncation, reason = "a share of 0 to 10, of which two digits matter")]
    let share = share as f32;
    Some(Arc::new(TpsBudget::new(BUDGET, retries.always_per_s, share)))
}

/// Whether a failed try is followed by another.
#[derive(Clone)]
struct Again {
    left: u32,
    model: Name,
    budget: Option<Arc<TpsBudget>>,
}

impl tower::retry::Policy<Ask, Tried, BoxError> for Again {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Ask, result: &mut Result<Tried, BoxError>) -> Option<Ready<()>> {
        let budget = self.budget.as_ref()?;
        match result {
            Ok(Tried { result: Ok(_), .. }) => {
                budget.deposit();
                None
            }
            Ok(Tried { result: Err(why), .. }) if why.code != RemoteFault::Refused => {
                if self.left == 0 || !budget.withdraw() {
                    return None;
                }
                self.left -= 1;
                metrics::counter!("tollgate_remote_retries_total", "model" => self.model.to_string())
                    .increment(1);
                Some(ready(()))
            }
            _ => None,
        }
    }

    fn clone_request(&mut self, ask: &Ask) -> Option<Ask> {
        Some(ask.clone())
    }
}
