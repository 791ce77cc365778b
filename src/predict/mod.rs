//! A model asked directly: the online model service, whatever the protocol. Which versions serve, under which labels;
//! what they take and give; how the next version takes over from the last. Absent on purpose: the protocols themselves
//! (`http`, `grpc`), flows and their decisions, and records: what a model is asked here is counted and not kept.

mod aside;
mod batch;
mod error;
mod meters;
mod plan;
mod servable;
mod table;
mod tensor;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

pub use aside::aside;
pub use batch::{
    Batch, BatchBuilder, MOST_VALUES, Refusal, boolean, bytes, check_size, integer, number, refused,
    short as shown, text,
};
pub use error::{Canonical, PredictError};
pub use meters::{Meters, Statistics};
pub use plan::{Configured, Wishes};
pub use servable::{Explanation, PROBABILITY, SCORE, Servable};
pub use table::{IndexLine, ServedModel, ServedVersion, State, Table, VersionStatus, Which};
pub use tensor::{Datatype, Element, Tensor, TensorData, TensorSpec, Text, half, rows_of};

use crate::domain::value::Name;
use crate::drift::Drift;
use crate::learn::library::ModelLibrary;
use crate::release::ModelSource;

/// The models that serve, and the only way to others.
pub struct Models {
    table: ArcSwap<Table>,
    source: ModelSource,
    /// What they are asked is counted there.
    drift: Arc<Drift>,
    /// Held while a table is made: one at a time, in order.
    wishes: Mutex<Wishes>,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models").field("models", &self.table().models().len()).finish_non_exhaustive()
    }
}

impl Models {
    /// Serves what the source holds now; [`Models::follow`] takes over what it holds later.
    pub async fn start(source: ModelSource, drift: Arc<Drift>) -> Arc<Self> {
        let (table, wishes) = (ArcSwap::default(), Mutex::new(Wishes::default()));
        let models = Arc::new(Self { table, source, drift, wishes });
        models.change(|_| ()).await;
        models
    }

    /// What serves at this moment: take it once a request.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// What answers for a model.
    ///
    /// # Errors
    /// When that version does not serve, or there is no such model or label.
    pub fn find(&self, name: &str, which: Which<'_>) -> Result<Arc<Servable>, PredictError> {
        self.table.load().find(name, which)
    }

    /// Switches whenever the source has other models, until the task is aborted.
    #[must_use]
    pub fn follow(self: &Arc<Self>) -> JoinHandle<()> {
        let mut changes = self.source.changes();
        // What came between the start and now is looked at too.
        changes.mark_changed();
        let weak: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let Some(models) = weak.upgrade() else { return };
                models.change(|_| ()).await;
            }
        })
    }

    /// Brings what `/metrics` says of requests for them up to date.
    pub fn publish(&self) {
        self.table.load().servables().for_each(|servable| servable.meters().publish());
    }

    /// Where what they are asked is counted.
    #[must_use]
    pub fn drift(&self) -> &Arc<Drift> {
        &self.drift
    }

    /// Every model on disk as it was read last, served or not.
    #[must_use]
    pub fn library(&self) -> Arc<ModelLibrary> {
        self.source.library()
    }

    /// Reads the files again and serves the model, also when it was unloaded before.
    ///
    /// # Errors
    /// When there is no such model, or nothing of it can serve.
    pub async fn load(&self, name: &str) -> Result<(), PredictError> {
        self.source.reload().await;
        let key: Name = Arc::from(name);
        if !self.source.library().models().contains_key(&key) {
            let detail = format!("failed to load '{name}', failed to poll from model repository");
            return Err(PredictError::invalid(detail));
        }
        self.change(|wishes| {
            wishes.unloaded.remove(&key);
            if let Some(configured) = &mut wishes.configured {
                configured.entry(Arc::clone(&key)).or_default();
            }
        })
        .await;
        let table = self.table();
        let model = table.model(name);
        if model.is_some_and(ServedModel::is_available) {
            return Ok(());
        }
        let why = table.problems().into_iter().find(|(model, ..)| **model == *name);
        let why = why.map_or_else(|| "it has no version yet".to_owned(), |(_, _, why)| why.to_string());
        Err(PredictError::Precondition { detail: format!("failed to load '{name}': {why}") })
    }

    /// Serves the model no more, until it is loaded again or the process starts anew. Flows that use it go on.
    ///
    /// # Errors
    /// When there is no such model.
    pub async fn unload(&self, name: &str) -> Result<(), PredictError> {
        if self.table().model(name).is_none() {
            let detail = format!("failed to unload '{name}', no such model");
            return Err(PredictError::invalid(detail));
        }
        self.change(|wishes| {
            wishes.unloaded.insert(Arc::from(name));
        })
        .await;
        Ok(())
    }

    /// Serves exactly these models, in these versions and under these labels; the others are unloaded. Until the
    /// process starts anew.
    ///
    /// # Errors
    /// When a model is not there, or a label names a version that would not be available; nothing is changed then.
    pub async fn configure(&self, models: BTreeMap<Name, Configured>) -> Result<(), PredictError> {
        self.source.reload().await;
        let library = self.source.library();
        for (name, configured) in &models {
            let Some(found) = library.models().get(name) else {
                let detail = format!("there is no model `{}` in `models/`", batch::short(name));
                return Err(PredictError::invalid(detail));
            };
            for (label, version) in &configured.labels {
                if found.versions.get(version).is_none_or(|version| version.model.is_err()) {
                    return Err(PredictError::Precondition {
                        detail: format!(
                            "Request to assign label to version {version} of model {name}, which is not \
                             currently available for inference ({label})"
                        ),
                    });
                }
            }
        }
        self.change(|wishes| *wishes = Wishes { unloaded: [].into(), configured: Some(models) }).await;
        Ok(())
    }

    /// The one way to another table: plan it, warm what is new, switch.
    async fn change(&self, wish: impl FnOnce(&mut Wishes)) {
        let mut wishes = self.wishes.lock().await;
        wish(&mut wishes);
        let before = self.table();
        let library = self.source.library();
        let plan::Plan { next, fresh } = plan::plan(&library, &wishes, &before, &self.drift);
        // What is served counts where its drift is looked at, wherever its files are now.
        let served = next.servables().filter_map(|servable| servable.watch().cloned());
        self.drift.follow_all(&library, served, &self.source.asked_by_flows());
        if !fresh.is_empty() {
            self.table.store(Arc::new(plan::meanwhile(&before, &fresh)));
            let warming = spawn_blocking(move || fresh.iter().for_each(|servable| servable.warm()));
            if warming.await.is_err() {
                tracing::error!("a model could not be warmed: it serves cold");
            }
        }
        tell(&before, &next, &library);
        self.table.store(Arc::new(next));
    }
}

/// What changed, in the log and the metrics.
fn tell(before: &Table, next: &Table, library: &ModelLibrary) {
    let is_on_disk = |name: &Name, version: u32| {
        library.models().get(name).is_some_and(|model| model.versions.contains_key(&version))
    };
    let serves = |table: &Table, name: &Name, version: u32| {
        let versions = table.model(name).map(|model| &model.versions);
        let servable = versions.and_then(|versions| versions.get(&version)?.servable.as_ref());
        servable.map(|servable| Arc::clone(&servable.digest))
    };
    for (name, model) in next.models() {
        for version in model.versions.values() {
            let number = version.status.version;
            let (was, is) = (serves(before, name, number), serves(next, name, number));
            match (&was, &is) {
                (None, Some(digest)) => tracing::info!(model = %name, version = number, %digest, "serves"),
                (Some(old), Some(new)) if old != new => {
                    tracing::info!(model = %name, version = number, digest = %new, "serves other files");
                }
                (Some(_), None) if is_on_disk(name, number) => {
                    tracing::info!(model = %name, version = number, "serves no more");
                }
                (Some(_), None) => {
                    tracing::warn!(model = %name, version = number, "serves no more: its folder is gone");
                }
                _ => {}
            }
            let labels = [("model", name.to_string()), ("version", number.to_string())];
            let available = if is.is_some() { 1.0 } else { 0.0 };
            metrics::gauge!("tollgate_model_available", &labels).set(available);
        }
    }
    let (old, problems) = (before.problems(), next.problems());
    for (model, version, problem) in problems.iter().filter(|problem| !old.contains(problem)) {
        tracing::error!(model = %model, version, problem = %problem, "not served as on disk");
    }
    metrics::gauge!("tollgate_model_problems")
        .set(f64::from(u32::try_from(problems.len()).unwrap_or(u32::MAX)));
}

#[cfg(test)]
mod tests;
