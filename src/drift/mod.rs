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
use std::sync::{Arc, OnceLock};

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
    /// Watches the versions of this library. Those with the same files go on counting, those with another reference begin
    /// anew, others are forgotten.
    pub fn follow(&self, library: &ModelLibrary) {
        let before = self.watched.load();
        let mut next = Watched::default();
        for (name, model) in library.models() {
            let of = next.0.entry(Arc::clone(name)).or_default();
            if library.is_unread(name) {
                of.extend(
                    before.0.get(name).into_iter().flatten().map(|(at, watch)| (*at, Arc::clone(watch))),
                );
            }
            for (number, version) in &model.versions {
                let kept = before.find(name, *number);
                let watch = match (&version.model, kept) {
                    // A file that cannot be read may be the reference that is compared with.
                    (Ok(read), Some(kept)) if kept.digest == read.digest && library.is_unread(name) => {
                        Arc::clone(kept)
                    }
                    (Ok(read), Some(kept)) if kept.digest == read.digest => kept.following(read, version),
                    (Ok(read), _) => Arc::new(Watch::new(read, version)),
                    // What was loaded before still answers.
                    (Err(_), Some(kept)) => Arc::clone(kept),
                    (Err(_), None) => continue,
                };
                of.insert(*number, watch);
            }
        }
        for gone in before.all().filter(|watch| !next.knows(watch)) {
            meters::forget(gone);
        }
        self.watched.store(Arc::new(next));
    }

    /// The watch of a version whose files are these.
    #[must_use]
    pub fn of(&self, model: &Model) -> Option<Arc<Watch>> {
        let watched = self.watched.load();
        watched.find(&model.name, model.version).filter(|watch| watch.is_of(model)).cloned()
    }

    /// Counts what models answered in one decision.
    pub fn decided(&self, answered: &[ModelAnswered], now: Timestamp) {
        if answered.is_empty() {
            return;
        }
        let watched = self.watched.load();
        for ModelAnswered { model, row, answer } in answered {
            let watch = watched.find(&model.name, model.version).filter(|watch| watch.is_of(model));
            if let Some(Ok(monitor)) = watch.map(|watch| &watch.monitor) {
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
        self.watched.load().all().for_each(|watch| meters::publish(watch, now));
    }
}

impl Watched {
    fn find(&self, model: &str, version: u32) -> Option<&Arc<Watch>> {
        self.0.get(model)?.get(&version)
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
