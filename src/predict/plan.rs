//! From what lies in `models/`, what was asked for and what serves now, to what serves next. A pure function: nothing
//! is loaded or switched here. What serves goes only when its place is taken: a version that cannot serve, a label
//! that leads nowhere, a `model.yaml` that cannot be read or a model of which nothing is left changes nothing but the
//! statuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::Canonical;
use super::servable::Servable;
use super::table::{ServedModel, ServedVersion, State, Table, VersionStatus};
use crate::domain::value::Name;
use crate::drift::Drift;
use crate::learn::library::{LibraryModel, LibraryVersion, ModelLibrary, VersionPolicy};

/// Versions that ended and are still told of.
const MOST_ENDED: usize = 16;

/// What was asked for over the doors, on top of what the files say. Kept for the life of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Models that somebody unloaded.
    pub unloaded: BTreeSet<Name>,
    /// When it is there, the only models that serve, and how.
    pub configured: Option<BTreeMap<Name, Configured>>,
}

/// How one model was asked to serve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    pub policy: VersionPolicy,
    /// Instead of those of `model.yaml`; those when it is empty.
    pub labels: BTreeMap<Name, u32>,
}

/// The next table, and what has to be warmed before it is switched to.
#[derive(Debug)]
pub(super) struct Plan {
    pub next: Table,
    pub fresh: Vec<Arc<Servable>>,
}

/// What comes after `before`.
pub(super) fn plan(library: &ModelLibrary, wishes: &Wishes, before: &Table, drift: &Drift) -> Plan {
    let mut plan = Plan { next: Table::default(), fresh: Vec::new() };
    let nothing = (LibraryModel::default(), ServedModel::default());
    let is_elsewhere = |name: &Name| library.models().get(name).is_some_and(|model| model.remote.is_some());
    let names: BTreeSet<&Name> = library.models().keys().chain(before.models.keys()).collect();
    for name in names {
        let found = library.models().get(name).unwrap_or(&nothing.0);
        let serving = before.models.get(name).unwrap_or(&nothing.1);
        let is_wanted = !wishes.unloaded.contains(name)
            && wishes.configured.as_ref().is_none_or(|configured| configured.contains_key(name));
        let is_there = library.models().contains_key(name) || library.is_unread(name);
        let configured = wishes.configured.as_ref().and_then(|configured| configured.get(name));
        let model = match unseen(library, name, configured) {
            Some(problem) if is_wanted && serving.is_available() => {
                ServedModel { problems: vec![Arc::from(problem)], ..serving.clone() }
            }
            _ if is_wanted && is_there => next_model(found, configured, serving, (&mut plan.fresh, drift)),
            _ => ServedModel { versions: ended(found, serving, &BTreeMap::new()), ..ServedModel::default() },
        };
        // A model that answers on other servers is no servable of this one.
        if !is_elsewhere(name) || !model.versions.is_empty() {
            plan.next.models.insert(Arc::clone(name), model);
        }
    }
    // A model without a trace on disk or here is not told of.
    plan.next.models.retain(|name, model| library.models().contains_key(name) || !model.versions.is_empty());
    plan
}

/// Why what was read of a model does not say what should serve; `None` where it does.
fn unseen(library: &ModelLibrary, name: &Name, configured: Option<&Configured>) -> Option<String> {
    if library.is_unread(name) {
        return Some("files of it cannot be read: what was loaded before still serves".to_owned());
    }
    // A folder that is away comes back, mostly; who wants the model gone can say so.
    let written = library.models().get(name).and_then(|model| model.serve.as_ref());
    let policy = configured.map(|configured| &configured.policy).or(written);
    let is_over = policy.is_some_and(|policy| *policy == VersionPolicy::Versions(Vec::new()));
    (!library.has_versions(name) && !is_over).then(|| {
        format!(
            "no version of it is left in `models/`: what was loaded before still serves; \
             `POST /v2/repository/models/{name}/unload` ends it"
        )
    })
}

/// The table while `fresh` is warmed: what serves still serves, and what is coming is loading.
pub(super) fn meanwhile(before: &Table, fresh: &[Arc<Servable>]) -> Table {
    let mut models = before.models.clone();
    for servable in fresh {
        let model = models.entry(Arc::clone(&servable.name)).or_default();
        let loading =
            ServedVersion { status: VersionStatus::well(servable.version, State::Loading), servable: None };
        let own = model.versions.entry(servable.version).or_insert_with(|| loading.clone());
        if own.servable.is_none() {
            *own = loading;
        }
    }
    Table { models }
}

fn next_model(
    found: &LibraryModel,
    configured: Option<&Configured>,
    serving: &ServedModel,
    (fresh, drift): (&mut Vec<Arc<Servable>>, &Drift),
) -> ServedModel {
    let mut model = ServedModel::default();
    let policy = configured.map(|configured| &configured.policy).or(found.serve.as_ref());
    model.policy = policy.or(serving.policy.as_ref()).cloned();
    let kept = |version: u32| serving.versions.get(&version).and_then(|version| version.servable.as_ref());
    let can_serve = |version: u32| {
        let is_whole = found.versions.get(&version).is_some_and(|version| version.model.is_ok());
        is_whole || (kept(version).is_some() && found.versions.contains_key(&version))
    };
    if found.serve.is_none() {
        model
            .problems
            .push(Arc::from("`model.yaml` cannot be read: its labels and versions stay as they were"));
    }
    label(&mut model, found, configured, serving, &can_serve);
    let mut wanted: BTreeSet<u32> = model.labels.values().copied().collect();
    let able = found.versions.keys().copied().filter(|version| can_serve(*version));
    match model.policy.clone().unwrap_or_default() {
        VersionPolicy::All => wanted.extend(able),
        VersionPolicy::Latest(count) => {
            wanted.extend(able.rev().take(usize::try_from(count).unwrap_or(usize::MAX)));
        }
        VersionPolicy::Versions(these) => {
            let is_there = |version: &u32| found.versions.contains_key(version);
            for absent in these.iter().filter(|version| !is_there(version)) {
                model
                    .problems
                    .push(Arc::from(format!("version {absent} is to be served and does not exist")));
            }
            wanted.extend(able.filter(|version| these.contains(version)));
        }
    }
    for version in wanted {
        if let Some(served) = serve(found.versions.get(&version), kept(version), (fresh, drift)) {
            model.versions.insert(version, served);
        }
    }
    model.versions = ended(found, serving, &model.versions);
    model
}

/// Where labels lead: as written, or where they led before when that cannot serve.
fn label(
    model: &mut ServedModel,
    found: &LibraryModel,
    configured: Option<&Configured>,
    serving: &ServedModel,
    can_serve: &dyn Fn(u32) -> bool,
) {
    let own = configured.map(|configured| &configured.labels).filter(|labels| !labels.is_empty());
    let written: BTreeMap<&Name, u32> = match own {
        Some(labels) => labels.iter().map(|(label, version)| (label, *version)).collect(),
        None if found.serve.is_none() => serving.labels.iter().map(|(l, v)| (l, *v)).collect(),
        None => found.aliases.iter().chain(&found.astray).map(|(label, version)| (label, *version)).collect(),
    };
    for (label, version) in written {
        if can_serve(version) {
            model.labels.insert(Arc::clone(label), version);
            continue;
        }
        let before = serving.labels.get(label).copied();
        let stays =
            before.filter(|before| serving.versions.get(before).is_some_and(|v| v.servable.is_some()));
        let problem = match stays {
            Some(before) => {
                model.labels.insert(Arc::clone(label), before);
                format!("label `{label}` names version {version}, which cannot serve: it stays with {before}")
            }
            None => format!("label `{label}` names version {version}, which cannot serve"),
        };
        model.problems.push(Arc::from(problem));
    }
}

/// A version that is to serve: as it serves already, or as it was read; with what is wrong when its files no longer
/// are what serves.
fn serve(
    found: Option<&LibraryVersion>,
    kept: Option<&Arc<Servable>>,
    (fresh, drift): (&mut Vec<Arc<Servable>>, &Drift),
) -> Option<ServedVersion> {
    let read = found.and_then(|found| found.model.as_ref().ok());
    if let Some(kept) = kept.filter(|kept| read.is_none_or(|read| read.digest == kept.digest)) {
        let mut status = VersionStatus::well(kept.version, State::Available);
        if read.is_none() {
            let why = found.and_then(|found| found.model.as_ref().err());
            let why = why.map_or("its folder is gone", AsRef::as_ref);
            status.code = Canonical::DataLoss;
            status.message = Arc::from(format!("what was loaded before still serves; on disk: {why}"));
        }
        return Some(ServedVersion { status, servable: Some(Arc::clone(kept)) });
    }
    let (read, found) = (read?, found?);
    let servable = Arc::new(Servable::new(Arc::clone(read), Some(drift.watch(read, found))));
    fresh.push(Arc::clone(&servable));
    let status = VersionStatus::well(servable.version, State::Available);
    Some(ServedVersion { status, servable: Some(servable) })
}

/// Beside those that serve: those on disk that cannot, and the last of those that served once.
fn ended(
    found: &LibraryModel,
    serving: &ServedModel,
    available: &BTreeMap<u32, ServedVersion>,
) -> BTreeMap<u32, ServedVersion> {
    let mut versions = available.clone();
    for (number, version) in &found.versions {
        if let Err(why) = &version.model {
            let status = VersionStatus {
                code: Canonical::DataLoss,
                message: Arc::clone(why),
                ..VersionStatus::well(*number, State::End)
            };
            versions.entry(*number).or_insert(ServedVersion { status, servable: None });
        }
    }
    let before = serving.versions.keys().rev().filter(|number| !versions.contains_key(number));
    let before: Vec<u32> = before.take(MOST_ENDED).copied().collect();
    for number in before {
        let status = VersionStatus::well(number, State::End);
        versions.insert(number, ServedVersion { status, servable: None });
    }
    versions
}
