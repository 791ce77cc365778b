//! What serves at one moment: every model, its versions with their states, its labels. Immutable: a change is another
//! table, and who holds this one is not disturbed. Absent on purpose: how one table follows another (`plan`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{Canonical, PredictError};
use super::servable::Servable;
use crate::domain::value::Name;
use crate::learn::library::VersionPolicy;

/// Every model that is known.
#[derive(Debug, Default)]
pub struct Table {
    pub(super) models: BTreeMap<Name, ServedModel>,
}

/// One model.
#[derive(Debug, Clone, Default)]
pub struct ServedModel {
    /// Names of versions (the aliases of `model.yaml`); each of these versions is available.
    pub labels: BTreeMap<Name, u32>,
    /// In order of number, those that ended too.
    pub versions: BTreeMap<u32, ServedVersion>,
    /// Which versions serve besides those.
    pub(super) policy: Option<VersionPolicy>,
    /// What is wrong with the model as it lies on disk and changes nothing here: a label that leads nowhere.
    pub problems: Vec<Arc<str>>,
}

/// One version of a model.
#[derive(Debug, Clone)]
pub struct ServedVersion {
    pub status: VersionStatus,
    /// Present exactly when it is available.
    pub servable: Option<Arc<Servable>>,
}

/// Where a version is on its way, in TensorFlow Serving's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Start = 10,
    Loading = 20,
    Available = 30,
    Unloading = 40,
    End = 50,
}

impl State {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Loading => "LOADING",
            Self::Available => "AVAILABLE",
            Self::Unloading => "UNLOADING",
            Self::End => "END",
        }
    }
}

/// State of a version, with what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionStatus {
    pub version: u32,
    pub state: State,
    /// `Ok`, unless its files are not what was trained.
    pub code: Canonical,
    /// Empty when all is well.
    pub message: Arc<str>,
}

/// Which version of a model is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// The highest that is available.
    Latest,
    Version(i64),
    Label(&'a str),
}

/// One version, or one model without any, as the Open Inference Protocol's repository index tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexLine<'t> {
    pub name: &'t str,
    pub version: Option<u32>,
    pub state: &'static str,
    pub reason: &'t str,
}

impl Table {
    /// Every version that is told of; a model without any has a line of its own. `only_ready`: those that serve.
    #[must_use]
    pub fn index(&self, only_ready: bool) -> Vec<IndexLine<'_>> {
        let mut lines = Vec::new();
        for (name, model) in &self.models {
            if model.versions.is_empty() && !only_ready {
                let reason = "it has no version";
                lines.push(IndexLine { name, version: None, state: "UNAVAILABLE", reason });
            }
            for (number, version) in &model.versions {
                let state = match version.status.state {
                    State::Available => "READY",
                    State::Start | State::Loading => "LOADING",
                    State::Unloading => "UNLOADING",
                    State::End => "UNAVAILABLE",
                };
                let reason = match &*version.status.message {
                    "" if version.status.state == State::End => "unloaded",
                    message => message,
                };
                if !only_ready || version.servable.is_some() {
                    lines.push(IndexLine { name, version: Some(*number), state, reason });
                }
            }
        }
        lines
    }

    /// What answers for a model.
    ///
    /// # Errors
    /// When that version does not serve, or there is no such model or label.
    pub fn find(&self, name: &str, which: Which<'_>) -> Result<Arc<Servable>, PredictError> {
        let model = self.models.get(name);
        let available = |version: u32| model?.versions.get(&version)?.servable.clone();
        match which {
            Which::Latest => model
                .and_then(|model| model.versions.values().rev().find_map(|version| version.servable.clone()))
                .ok_or_else(|| PredictError::NoneServes { name: name.to_owned() }),
            Which::Version(version) => u32::try_from(version)
                .ok()
                .and_then(available)
                .ok_or_else(|| PredictError::VersionDoesNotServe { name: name.to_owned(), version }),
            Which::Label(label) => {
                let version = model.and_then(|model| model.labels.get(label).copied());
                version.and_then(available).ok_or_else(|| PredictError::UnknownLabel {
                    name: name.to_owned(),
                    label: label.to_owned(),
                })
            }
        }
    }

    /// States of a model's versions, the highest first; of one of them when it is named.
    ///
    /// # Errors
    /// When there is no such model, or no such version.
    pub fn status(&self, name: &str, version: Option<i64>) -> Result<Vec<VersionStatus>, PredictError> {
        let model = self.models.get(name).filter(|model| !model.versions.is_empty());
        let model = model.ok_or_else(|| PredictError::NoModel { name: name.to_owned() })?;
        let Some(version) = version else {
            return Ok(model.versions.values().rev().map(|version| version.status.clone()).collect());
        };
        let found = u32::try_from(version).ok().and_then(|number| model.versions.get(&number));
        found
            .map(|found| vec![found.status.clone()])
            .ok_or_else(|| PredictError::NoVersion { name: name.to_owned(), version })
    }

    #[must_use]
    pub fn model(&self, name: &str) -> Option<&ServedModel> {
        self.models.get(name)
    }

    /// Every model, in order of name.
    #[must_use]
    pub fn models(&self) -> &BTreeMap<Name, ServedModel> {
        &self.models
    }

    /// Everything that answers.
    pub fn servables(&self) -> impl Iterator<Item = &Arc<Servable>> {
        let versions = self.models.values().flat_map(|model| model.versions.values());
        versions.filter_map(|version| version.servable.as_ref())
    }

    /// Everything that is on disk and does not serve as it should: model, version (if it is one's), what is wrong.
    #[must_use]
    pub fn problems(&self) -> Vec<(Name, Option<u32>, Arc<str>)> {
        let mut all = Vec::new();
        for (name, model) in &self.models {
            let own = model.problems.iter().map(|problem| (Arc::clone(name), None, Arc::clone(problem)));
            all.extend(own);
            let broken = model.versions.values().filter(|version| version.status.code != Canonical::Ok);
            all.extend(broken.map(|version| {
                (Arc::clone(name), Some(version.status.version), Arc::clone(&version.status.message))
            }));
        }
        all
    }
}

impl ServedModel {
    /// Which versions serve besides those that labels name.
    #[must_use]
    pub fn policy(&self) -> VersionPolicy {
        self.policy.clone().unwrap_or_default()
    }

    /// Whether any version answers.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.versions.values().any(|version| version.servable.is_some())
    }
}

impl VersionStatus {
    pub(super) fn well(version: u32, state: State) -> Self {
        Self { version, state, code: Canonical::Ok, message: Arc::from("") }
    }
}
