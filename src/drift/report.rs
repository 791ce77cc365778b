//! A window of counts held against the reference: shares, quantiles, index, limit, alarm. Absent on purpose: the forms
//! in which it is shown.

use jiff::Timestamp;

use super::layout::{Layout, MISSING, UNSEEN, Variable};
use super::psi::{SURE, Shift};
use super::tally::Counts;
use super::windows::{Window, Windows};
use crate::domain::value::Name;

/// Shares for which the score's quantile is told.
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// One version in one window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowReport {
    pub window: Window,
    /// From when on and until before when.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Since when this process counts, where that is within the window.
    pub counted_from: Option<Timestamp>,
    pub report: Report,
}

/// Rows beside the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub rows: u64,
    pub score: ScoreReport,
    /// In the order of the model's inputs.
    pub inputs: Vec<InputReport>,
    /// Something has moved by more than chance explains, whatever the number of inputs.
    pub is_alarm: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScoreReport {
    /// `None` without rows.
    pub mean: Option<f64>,
    /// Share and quantile.
    pub quantiles: Vec<(f64, f64)>,
    pub moved: Moved,
}

#[derive(Debug, Clone, PartialEq)]
pub struct InputReport {
    pub input: Name,
    /// Of the rows, 0 without any.
    pub missing: u64,
    pub unseen: u64,
    /// Beyond the numbers that the model was fitted on; `None` where that is not known of it.
    pub out_of_range: Option<u64>,
    pub moved: Moved,
}

/// Counts beside those of the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// `None` without rows.
    pub psi: Option<f64>,
    /// What the index stays below in 95 of 100 windows without drift.
    pub limit: Option<f64>,
    /// The index is above its limit, and above 0.1.
    pub is_alarm: bool,
    pub bins: Vec<BinCount>,
    shift: Option<Shift>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct BinCount {
    pub bin: std::sync::Arc<str>,
    pub from: Option<f64>,
    pub to: Option<f64>,
    pub expected: u64,
    pub observed: u64,
}

/// How a window stands; one in which nothing was counted is without rows.
pub(super) fn in_window(
    layout: &Layout,
    counted: Option<&(Timestamp, Windows)>,
    window: Window,
    now: Timestamp,
) -> WindowReport {
    let (from, to) = window.span(now);
    let counts =
        counted.map_or_else(|| Counts::none(layout), |(_, windows)| windows.counts(layout, window, now));
    let counted_from = counted.map(|(began, _)| *began).filter(|began| *began > from && *began < to);
    WindowReport { window, from, to, counted_from, report: report(layout, &counts) }
}

pub(super) fn report(layout: &Layout, counts: &Counts) -> Report {
    let score = ScoreReport {
        mean: counts.mean(),
        quantiles: QUANTILES.iter().filter_map(|share| Some((*share, counts.quantile(*share)?))).collect(),
        moved: moved(&layout.score, counts),
    };
    let inputs: Vec<InputReport> = layout.inputs.iter().map(|variable| input(variable, counts)).collect();
    // Of twenty inputs one is beyond its own limit in every window: all together are as sure as one alone.
    let sure = 1.0 - (1.0 - SURE) / (1 + inputs.len()) as f64;
    let all = std::iter::once(&score.moved).chain(inputs.iter().map(|input| &input.moved));
    let is_alarm = all.filter_map(|moved| moved.shift).any(|shift| shift.is_drift(sure));
    Report { rows: counts.rows(), score, inputs, is_alarm }
}

fn input(variable: &Variable, counts: &Counts) -> InputReport {
    let moved = moved(variable, counts);
    let of =
        |label: &str| moved.bins.iter().rev().find(|bin| *bin.bin == *label).map_or(0, |bin| bin.observed);
    InputReport {
        input: variable.name.clone(),
        missing: of(MISSING),
        unseen: of(UNSEEN),
        out_of_range: variable.beyond().map(|cell| counts.cell(cell)),
        moved,
    }
}

fn moved(variable: &Variable, counts: &Counts) -> Moved {
    let bin = |(at, bin): (usize, &super::layout::Bin)| BinCount {
        bin: std::sync::Arc::clone(&bin.label),
        from: bin.from,
        to: bin.to,
        expected: bin.expected,
        observed: counts.cell(variable.first + at),
    };
    let bins: Vec<BinCount> = variable.bins.iter().enumerate().map(bin).collect();
    let shift = Shift::between(bins.iter().map(|bin| (bin.observed, bin.expected)));
    Moved {
        psi: shift.map(|shift| shift.psi),
        limit: shift.map(|shift| shift.limit(SURE)),
        is_alarm: shift.is_some_and(|shift| shift.is_drift(SURE)),
        bins,
        shift,
    }
}
