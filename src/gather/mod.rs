//! What a decision fetches from elsewhere: answers of models on other servers, several at the same time, under one
//! deadline. A question always gets an answer, if only why there is none. The door to tower, reqwest and tonic's
//! clients. Absent: what a decision makes of an answer (the flow's), and what is kept of it (the record's).

mod breaker;
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
use pool::Pool;

pub use trace::{TRACEPARENT, TraceContext};

/// Servers that nothing in force has asked for so long are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// The servers of every model that answers elsewhere, as they are now: shared by all decisions.
#[derive(Debug)]
pub struct Remotes {
    pools: Mutex<HashMap<PoolKey, Arc<Pool>>>,
    /// Where the tasks run that look after the servers: they outlive the request that first asked.
    runtime: Handle,
}

/// A model, the text that says how it is asked, and the version that is asked for.
type PoolKey = (Name, Arc<str>, Option<String>);

impl Remotes {
    /// Without any server yet: those of a model are looked up when it is first named.
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Self { pools: Mutex::new(HashMap::new()), runtime }
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
    /// ready; forgets servers that none of these names and nobody has asked for a while.
    pub fn prepare<'m>(&self, models: impl IntoIterator<Item = &'m Arc<Model>>) {
        let named: Vec<Arc<Pool>> = models.into_iter().filter_map(|model| self.pool(model)).collect();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|_, pool| {
            named.iter().any(|named| Arc::ptr_eq(named, pool)) || pool.unasked_for() < FORGOTTEN_AFTER
        });
    }

    fn pool(&self, model: &Arc<Model>) -> Option<Arc<Pool>> {
        let remote = model.remote()?;
        let key = (model.name.clone(), Arc::clone(&model.digest), remote.version.clone());
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.entry(key).or_insert_with(|| {
            let _runtime = self.runtime.enter();
            Arc::new(Pool::new(model.name.clone(), Arc::clone(remote)))
        });
        Some(Arc::clone(pool))
    }
}

fn failure(code: RemoteFault, detail: impl Into<String>) -> RemoteFailure {
    RemoteFailure { code, detail: Arc::from(detail.into()) }
}
