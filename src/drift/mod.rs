//! Whether models are asked about other cases than those that they were fitted on: scores and inputs are counted into
//! the bins of a version's reference (its card's, or one given later), by the hour, and compared with it when somebody
//! looks. Both roads count here: decisions that were recorded, and models asked directly. Absent on purpose: any value
//! itself, counts on disk (a restart begins anew), and deciding anything.

mod layout;
mod meters;
mod psi;
mod report;
mod tally;
mod windows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

pub use layout::NoReference;
pub use psi::{LEAST, SURE, Shift};
pub use report::{BinCount, InputReport, Moved, Report, ScoreReport, WindowReport};
pub use windows::Window;

use crate::domain::model::{Columns, Model};
use crate::domain::value::{Name, Value};
use crate::domain::verdict::ModelAnswered;
use crate::learn::library::{LibraryVersion, ModelLibrary};
use layout::Layout;
use meters::Reached;
use tally::Tally;
use windows::Windows;

/// Every version that is watched.
#[derive(Debug, Default)]
pub struct Drift {
    watched: ArcSwap<Watched>,
    /// Held while `/metrics` is told: what is forgotten must not be told of again by who looked a moment before.
    telling: Mutex<()>,
}

/// The versions of one moment. Immutable: other files are another table.
#[derive(Debug, Default)]
struct Watched(BTreeMap<Name, BTreeMap<u32, Arc<Watch>>>);

/// One version, watched or not.
#[derive(Debug)]
pub struct Watch {
    pub model: Name,
    pub version: u32,
    /// `sha256:…` of the artefact's bytes.
    pub digest: Arc<str>,
    /// What it is compared with, or why with nothing.
    pub monitor: Result<Monitor, NoReference>,
    /// What counts in its place since the version has another reference: who holds this one need not know.
    renewed: OnceLock<Arc<Watch>>,
    /// What was counted against the references before.
    before: Reached,
}

/// Counts of one version beside its reference.
#[derive(Debug)]
pub struct Monitor {
    layout: Layout,
    /// Made with the first row: a version that nobody asks takes no room.
    windows: OnceLock<(Timestamp, Windows)>,
}

/// Rows beside a version's reference, whenever they came.
#[derive(Debug)]
pub struct Sample<'m> {
    layout: &'m Layout,
    tally: Tally,
}

impl Drift {
    /// Watches the versions of this library: nothing else answers.
    pub fn follow(&self, library: &ModelLibrary) {
        self.follow_all(library, [], &[]);
    }

    /// Watches the versions of this library, and whatever else answers: what is `served` of files that have gone or
    /// changed since, and what flows in force have `asked` of them. The same files go on counting, others are
    /// forgotten.
    pub fn follow_all(
        &self,
        library: &ModelLibrary,
        served: impl IntoIterator<Item = Arc<Watch>>,
        asked: &[Arc<Model>],
    ) {
        let before = self.watched.load();
        let mut next = Watched::default();
        // What answers comes first: a count that nobody adds to must not take its place.
        served.into_iter().for_each(|watch| next.add(watch.newest()));
        asked.iter().filter_map(|model| before.of(model)).for_each(|watch| next.add(Arc::clone(watch)));
        for (name, model) in library.models() {
            next.0.entry(Arc::clone(name)).or_default();
            for (number, version) in &model.versions {
                let kept = next.find(name, *number).or_else(|| before.find(name, *number)).cloned();
                match (&version.model, kept) {
                    // A file that cannot be read may be the reference that is compared with.
                    (Ok(read), Some(kept)) if kept.is_of(read) && library.is_unread(name) => next.add(kept),
                    (Ok(read), Some(kept)) if kept.is_of(read) => next.put(kept.following(read, version)),
                    (Ok(read), _) => next.add(Arc::new(Watch::new(read, version))),
                    // What was loaded before still answers.
                    (Err(_), kept) => kept.into_iter().for_each(|kept| next.add(kept)),
                }
            }
        }
        // Of what cannot be seen, nothing is known to be gone.
        let is_unseen =
            |name: &Name| library.is_unread(name) || (next.answers(name) && !library.has_versions(name));
        let unseen: Vec<_> = before.all().filter(|watch| is_unseen(&watch.model)).cloned().collect();
        unseen.into_iter().for_each(|watch| next.add(watch));
        let next = Arc::new(next);
        self.watched.store(Arc::clone(&next));
        let _alone = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in before.all().filter(|watch| !next.knows(watch)) {
            meters::forget(gone);
        }
    }

    /// The watch of a version with these files: the one that counts already, or a new one. It is not looked at before
    /// [`Drift::follow_all`] is told of it.
    #[must_use]
    pub fn watch(&self, model: &Model, version: &LibraryVersion) -> Arc<Watch> {
        let watched = self.watched.load();
        watched.of(model).map_or_else(|| Arc::new(Watch::new(model, version)), Arc::clone)
    }

    /// Counts what models answered in one decision.
    pub fn decided(&self, answered: &[ModelAnswered], now: Timestamp) {
        if answered.is_empty() {
            return;
        }
        let watched = self.watched.load();
        for ModelAnswered { model, row, answer } in answered {
            if let Some(Ok(monitor)) = watched.of(model).map(|watch| &watch.monitor) {
                monitor.row(row, *answer, now);
            }
        }
    }

    /// Every watched version of a model, in order; `None` when there is no such model.
    #[must_use]
    pub fn versions(&self, model: &str) -> Option<Vec<Arc<Watch>>> {
        Some(self.watched.load().0.get(model)?.values().cloned().collect())
    }

    /// Brings what `/metrics` says of drift up to date.
    pub fn publish(&self, now: Timestamp) {
        let _alone = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        self.watched.load().all().for_each(|watch| meters::publish(watch, now));
    }
}

impl Watched {
    fn find(&self, model: &str, version: u32) -> Option<&Arc<Watch>> {
        self.0.get(model)?.get(&version)
    }

    fn of(&self, model: &Model) -> Option<&Arc<Watch>> {
        self.find(&model.name, model.version).filter(|watch| watch.is_of(model))
    }

    /// Unless the version is watched already.
    fn add(&mut self, watch: Arc<Watch>) {
        let of = self.0.entry(Arc::clone(&watch.model)).or_default();
        of.entry(watch.version).or_insert(watch);
    }

    /// In the place of the one that was watched, if any.
    fn put(&mut self, watch: Arc<Watch>) {
        self.0.entry(Arc::clone(&watch.model)).or_default().insert(watch.version, watch);
    }

    fn answers(&self, model: &str) -> bool {
        self.0.get(model).is_some_and(|versions| !versions.is_empty())
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Watch>> {
        self.0.values().flat_map(BTreeMap::values)
    }

    fn knows(&self, watch: &Watch) -> bool {
        self.find(&watch.model, watch.version).is_some_and(|own| std::ptr::eq(Arc::as_ptr(own), watch))
    }
}

impl Watch {
    /// A version of the library, and the model that it is.
    #[must_use]
    pub fn new(model: &Model, version: &LibraryVersion) -> Self {
        Self::against(model, Layout::of(model, version))
    }

    fn against(model: &Model, layout: Result<Layout, NoReference>) -> Self {
        let monitor = |layout| Monitor { layout, windows: OnceLock::new() };
        Self {
            model: Arc::clone(&model.name),
            version: model.version,
            digest: Arc::clone(&model.digest),
            monitor: layout.map(monitor),
            renewed: OnceLock::new(),
            before: Reached::default(),
        }
    }

    /// The watch of the same version as it is read now: this one while its reference is the same, else the next one.
    fn following(self: &Arc<Self>, model: &Model, version: &LibraryVersion) -> Arc<Self> {
        let mut next = Self::new(model, version);
        let is_other = match (&self.monitor, &next.monitor) {
            (Ok(own), Ok(next)) => own.layout != next.layout,
            // What cannot be read at the moment says nothing: what was read before still compares.
            (Ok(_), Err(why)) => matches!(why, NoReference::NotInCard { .. }),
            (Err(_), Ok(_)) => true,
            (Err(own), Err(next)) => own != next,
        };
        if !is_other {
            return Arc::clone(self);
        }
        next.before = meters::reached(self);
        Arc::clone(self.renewed.get_or_init(|| Arc::new(next)))
    }

    /// The same version against its reference of now.
    fn newest(self: Arc<Self>) -> Arc<Self> {
        let mut newest = self;
        while let Some(renewed) = newest.renewed.get().cloned() {
            newest = renewed;
        }
        newest
    }

    /// The one that counts.
    fn latest(&self) -> &Self {
        let mut latest = self;
        while let Some(renewed) = latest.renewed.get() {
            latest = renewed;
        }
        latest
    }

    fn is_of(&self, model: &Model) -> bool {
        Arc::ptr_eq(&self.digest, &model.digest) || self.digest == model.digest
    }

    /// Counts rows that were answered.
    pub fn columns(&self, columns: &Columns, answers: &[f64], now: Timestamp) {
        if let Ok(monitor) = &self.latest().monitor {
            monitor.columns(columns, answers, now);
        }
    }

    /// Where a window stands against the reference; `None` without a reference.
    #[must_use]
    pub fn report(&self, window: Window, now: Timestamp) -> Option<WindowReport> {
        let monitor = self.monitor.as_ref().ok()?;
        Some(report::in_window(&monitor.layout, monitor.windows.get(), window, now))
    }
}

impl Sample<'_> {
    /// Counts a row that was answered.
    pub fn row(&self, row: &[Value], answer: f64) {
        self.tally.row(self.layout, row, answer);
    }

    /// How all rows so far stand against the reference.
    #[must_use]
    pub fn report(&self) -> Report {
        report::report(self.layout, &self.tally.counts())
    }
}

impl Monitor {
    /// Rows of any time that are held against the same reference, apart from those that are counted as they come.
    #[must_use]
    pub fn sample(&self) -> Sample<'_> {
        Sample { layout: &self.layout, tally: Tally::new(&self.layout) }
    }

    fn row(&self, row: &[Value], answer: f64, now: Timestamp) {
        self.windows(now).hour(&self.layout, now).tally.row(&self.layout, row, answer);
    }

    fn columns(&self, columns: &Columns, answers: &[f64], now: Timestamp) {
        if answers.is_empty() {
            return;
        }
        let hour = self.windows(now).hour(&self.layout, now);
        answers.iter().for_each(|answer| hour.tally.score(&self.layout, *answer));
        for (input, column) in columns.iter().enumerate() {
            column.iter().for_each(|value| hour.tally.input(&self.layout, input, value));
        }
    }

    fn windows(&self, now: Timestamp) -> &Windows {
        &self.windows.get_or_init(|| (now, Windows::new(&self.layout, now))).1
    }
}

#[cfg(test)]
mod tests;
