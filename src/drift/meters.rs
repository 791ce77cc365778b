//! What `/metrics` says of drift, brought up to date when somebody reads it: requests pay nothing for it. Counts by bin
//! are counters, which add up over replicas; what is compared with a limit is this process's own, as gauges. Absent on
//! purpose: versions that nobody has asked, and the inputs of models with more bins than a dashboard can hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::layout::Variable;
use super::report::{Moved, Report};
use super::tally::Counts;
use super::{Monitor, Watch, Window};
use crate::domain::value::Name;

/// Most bins of all inputs of a version; of one with more only the score's are told, and whether it is an alarm.
const MOST_CELLS: usize = 2000;
/// Windows whose indices are gauges: those that run.
const WINDOWS: [Window; 2] = [Window::Hour, Window::Day];

type Labels = Vec<(&'static str, String)>;

/// What counters have reached, by input (none: the score) and bin (none: beyond the range). A counter must not fall, and
/// with another reference counting begins at 0.
pub(super) type Reached = BTreeMap<(Option<Name>, Option<Arc<str>>), u64>;

/// What the counters of a version stand at.
pub(super) fn reached(watch: &Watch) -> Reached {
    let mut reached = watch.before.clone();
    let Ok(Monitor { layout, windows }) = &watch.monitor else { return reached };
    let Some((_, windows)) = windows.get() else { return reached };
    let total = windows.total();
    let inputs = layout.inputs.iter().map(|input| (Some(Name::clone(&input.name)), input));
    for (name, variable) in std::iter::once((None, &layout.score)).chain(inputs) {
        for (at, bin) in variable.bins.iter().enumerate() {
            let count = reached.entry((name.clone(), Some(Arc::clone(&bin.label)))).or_default();
            *count += total.cell(variable.first + at);
        }
        if let Some(beyond) = variable.beyond() {
            *reached.entry((name.clone(), None)).or_default() += total.cell(beyond);
        }
    }
    reached
}

fn labels(watch: &Watch, more: &[(&'static str, &str)]) -> Labels {
    let own = [("model", watch.model.to_string()), ("version", watch.version.to_string())];
    own.into_iter().chain(more.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
}

/// Tells what is counted of a version that was asked.
pub(super) fn publish(watch: &Watch, now: Timestamp) {
    let Ok(monitor) = &watch.monitor else { return };
    let Some((_, windows)) = monitor.windows.get() else { return };
    let (layout, total) = (&monitor.layout, windows.total());
    let has_inputs = layout.cells <= MOST_CELLS;
    for (at, bin) in layout.score.bins.iter().enumerate() {
        let labels = labels(watch, &[("bin", &bin.label)]);
        let observed = total.cell(layout.score.first + at) + watch.before(None, Some(&bin.label));
        metrics::counter!("tollgate_model_score_bin_total", &labels).absolute(observed);
        metrics::gauge!("tollgate_model_score_bin_reference", &labels).set(bin.expected as f64);
    }
    if has_inputs {
        layout.inputs.iter().for_each(|variable| count_input(watch, variable, &total));
    }
    for window in WINDOWS {
        let counts = windows.counts(layout, window, now);
        tell(watch, window, &super::report::report(layout, &counts), has_inputs);
    }
}

impl Watch {
    /// What the counter of a bin stood at when this reference came.
    fn before(&self, input: Option<&Name>, bin: Option<&Arc<str>>) -> u64 {
        self.before.get(&(input.cloned(), bin.cloned())).copied().unwrap_or(0)
    }
}

fn count_input(watch: &Watch, variable: &Variable, total: &Counts) {
    for (at, bin) in variable.bins.iter().enumerate() {
        let before = watch.before(Some(&variable.name), Some(&bin.label));
        let observed = total.cell(variable.first + at) + before;
        // A bin that nobody has seen is not compared, and takes no series.
        if observed > 0 || bin.expected > 0 {
            let labels = labels(watch, &[("input", &variable.name), ("bin", &bin.label)]);
            metrics::counter!("tollgate_model_input_bin_total", &labels).absolute(observed);
            metrics::gauge!("tollgate_model_input_bin_reference", &labels).set(bin.expected as f64);
        }
    }
    if let Some(beyond) = variable.beyond() {
        let labels = labels(watch, &[("input", &variable.name)]);
        let observed = total.cell(beyond) + watch.before(Some(&variable.name), None);
        metrics::counter!("tollgate_model_input_out_of_range_total", &labels).absolute(observed);
    }
}

fn tell(watch: &Watch, window: Window, report: &Report, has_inputs: bool) {
    let window = window.word();
    let known = |number: Option<f64>| number.unwrap_or(f64::NAN);
    let own = labels(watch, &[("window", window)]);
    metrics::gauge!("tollgate_model_drift_alarm", &own).set(f64::from(u8::from(report.is_alarm)));
    metrics::gauge!("tollgate_model_score_mean", &own).set(known(report.score.mean));
    for share in super::report::QUANTILES {
        let found = report.score.quantiles.iter().find(|(known, _)| known.total_cmp(&share).is_eq());
        let labels = labels(watch, &[("window", window), ("quantile", &share.to_string())]);
        metrics::gauge!("tollgate_model_score_quantile", &labels).set(known(found.map(|(_, score)| *score)));
    }
    let Moved { psi, limit, .. } = report.score.moved;
    metrics::gauge!("tollgate_model_score_psi", &own).set(known(psi));
    metrics::gauge!("tollgate_model_score_psi_limit", &own).set(known(limit));
    for input in report.inputs.iter().filter(|_| has_inputs) {
        let labels = labels(watch, &[("window", window), ("input", &input.input)]);
        metrics::gauge!("tollgate_model_input_psi", &labels).set(known(input.moved.psi));
        metrics::gauge!("tollgate_model_input_psi_limit", &labels).set(known(input.moved.limit));
    }
}

/// A version that is gone, or has another reference, alarms nobody any more, stands nowhere, and no bin expects anything: a
/// series cannot be taken out of `/metrics`.
pub(super) fn forget(watch: &Watch) {
    let Ok(monitor) = &watch.monitor else { return };
    if monitor.windows.get().is_none() {
        return;
    }
    let layout = &monitor.layout;
    let has_inputs = layout.cells <= MOST_CELLS;
    let empty = super::report::report(layout, &Counts::none(layout));
    WINDOWS.into_iter().for_each(|window| tell(watch, window, &empty, has_inputs));
    for bin in &layout.score.bins {
        let labels = labels(watch, &[("bin", &bin.label)]);
        metrics::gauge!("tollgate_model_score_bin_reference", &labels).set(0.0);
    }
    for variable in layout.inputs.iter().filter(|_| has_inputs) {
        for bin in variable.bins.iter().filter(|bin| bin.expected > 0) {
            let labels = labels(watch, &[("input", &variable.name), ("bin", &bin.label)]);
            metrics::gauge!("tollgate_model_input_bin_reference", &labels).set(0.0);
        }
    }
}
