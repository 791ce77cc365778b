//! What a decision fetches from elsewhere: answers of models on other servers, several at the same time, under one
//! deadline. A question always gets an answer, if only why there is none. The door to tower, reqwest and tonic's
//! clients. Absent: what a decision makes of an answer (the flow's), and what is kept of it (the record's).

mod breaker;
mod gauges;
mod grpc;
mod http;
mod keeper;
mod oip;
mod pool;
mod server;
mod tensorflow;
mod tensors;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::domain::flow::remote::{Answered, ModelAsked, RemoteAnswer, RemoteFailure, RemoteFault};
use crate::domain::model::Model;
use crate::domain::value::Name;
use gauges::Gauges;
use pool::Pool;

pub use trace::{TRACEPARENT, TraceContext};

/// Servers that only older revisions ask, as a decision that continues does, are forgotten when none has for so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// The servers of every model that answers elsewhere, as they are now: shared by all decisions.
#[derive(Debug)]
pub struct Remotes {
    pools: Mutex<HashMap<PoolKey, Arc<Pool>>>,
    gauges: Arc<Gauges>,
    /// Where the tasks run that look after the servers: they outlive the request that first asked.
    runtime: Handle,
}

/// A model, the text that says how it is asked, and the version that is asked for.
type PoolKey = (Name, Arc<str>, Option<String>);

impl Remotes {
    /// Without any server yet: those of a model are looked up when it is first named.
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Self { pools: Mutex::default(), gauges: Arc::default(), runtime }
    }

    /// Asks everything at the same time, as parts of one trace; answers come in the order of the questions, the last at
    /// `deadline`.
    pub async fn ask_all(
        &self,
        asked: Vec<ModelAsked>,
        deadline: std::time::Instant,
        trace: &TraceContext,
    ) -> Vec<Answered> {
        let deadline = Instant::from_std(deadline);
        let all = asked.into_iter().map(|asked| async move {
            let answer = match self.pool(&asked.model) {
                Some(pool) => pool.ask(&asked, deadline, trace).await,
                None => {
                    RemoteAnswer::none(RemoteFault::NoServer, "the model does not answer on other servers")
                }
            };
            Answered { asked, answer }
        });
        join_all(all).await
    }

    /// Looks up the servers of these models and begins to look after them, so that the first decision finds them
    /// ready. Those that were named before and no longer are, are let go of: who is asking them ends in peace.
    pub fn prepare<'m>(&self, models: impl IntoIterator<Item = &'m Arc<Model>>) {
        let named: Vec<Arc<Pool>> = models.into_iter().filter_map(|model| self.pool(model)).collect();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = Vec::new();
        pools.retain(|_, pool| {
            let is_named = named.iter().any(|named| Arc::ptr_eq(named, pool));
            let stays = is_named || (!pool.gauge().is_in_force() && pool.unasked_for() < FORGOTTEN_AFTER);
            if !stays {
                gone.push(Arc::clone(pool));
            }
            stays
        });
        // The new take their place on the gauges before the old leave it.
        self.gauges.put_in_force(named.iter().map(|pool| pool.gauge()));
    }

    fn pool(&self, model: &Arc<Model>) -> Option<Arc<Pool>> {
        let remote = model.remote()?;
        let key = (model.name.clone(), Arc::clone(&model.digest), remote.version.clone());
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.entry(key).or_insert_with(|| {
            let _runtime = self.runtime.enter();
            let gauge = self.gauges.begin(model.name.clone(), remote.version.clone());
            Arc::new(Pool::new(model.name.clone(), Arc::clone(remote), gauge))
        });
        Some(Arc::clone(pool))
    }
}

fn failure(code: RemoteFault, detail: impl Into<String>) -> RemoteFailure {
    RemoteFailure { code, detail: Arc::from(detail.into()) }
}
