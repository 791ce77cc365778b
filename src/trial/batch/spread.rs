//! How values are spread among rows: counted by value, so that what is measured from them is exact, up to so many
//! different ones; beyond that they are rounded, a little more each time, and the measures say so.

use std::collections::HashMap;

use serde::Serialize;

use super::counts::Counts;
use crate::learn::metrics::separated;

/// Which scores are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A model's probability.
    HigherIsRiskier,
    /// A scorecard's points.
    HigherIsSafer,
}

/// Rows whose value is from `from` up to `to`; in the last one `to` is included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band {
    pub from: f64,
    pub to: f64,
    #[serde(flatten)]
    pub counts: Counts,
}

/// Values with their counts.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    counts: HashMap<u64, Counts>,
    /// Different values that are kept, at most.
    most: usize,
    /// What values are rounded to; 0: nothing was rounded.
    quantum: f64,
    rows: u64,
    sum: f64,
    squares: f64,
}

impl Spread {
    pub(super) fn new(most: usize) -> Self {
        Self { counts: HashMap::new(), most, quantum: 0.0, rows: 0, sum: 0.0, squares: 0.0 }
    }

    /// Values are finite: a score is.
    pub(super) fn add(&mut self, value: f64, is_bad: Option<bool>) {
        let mut counts = Counts::default();
        counts.add(is_bad);
        self.put(value, counts);
        self.rows += 1;
        self.sum += value;
        self.squares += value * value;
    }

    fn put(&mut self, value: f64, counts: Counts) {
        let value = self.rounded(value);
        self.counts.entry(value.to_bits()).or_default().merge(counts);
        if self.counts.len() > self.most {
            self.coarsen();
        }
    }

    /// `-0` and `0` are one value.
    fn rounded(&self, value: f64) -> f64 {
        let value = if self.quantum > 0.0 { (value / self.quantum).round() * self.quantum } else { value };
        value + 0.0
    }

    fn coarsen(&mut self) {
        let values = || self.counts.keys().map(|bits| f64::from_bits(*bits));
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        self.quantum = ((high - low) / self.most as f64 * 2.0).max(self.quantum * 2.0);
        let before = std::mem::take(&mut self.counts);
        for (bits, counts) in before {
            let value = self.rounded(f64::from_bits(bits));
            self.counts.entry(value.to_bits()).or_default().merge(counts);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.quantum > self.quantum {
            self.quantum = other.quantum;
            self.counts = std::mem::take(&mut self.counts).into_iter().fold(
                HashMap::new(),
                |mut all, (bits, counts)| {
                    let value = self.rounded(f64::from_bits(bits));
                    all.entry(value.to_bits()).or_insert_with(Counts::default).merge(counts);
                    all
                },
            );
        }
        for (value, counts) in other.sorted() {
            self.put(value, counts);
        }
        self.rows += other.rows;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    pub(super) fn is_exact(&self) -> bool {
        self.quantum <= 0.0
    }

    pub(super) fn quantum(&self) -> f64 {
        self.quantum
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn mean(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.sum / self.rows as f64 }
    }

    /// Of a sample; 0 of a single row.
    pub(super) fn variance(&self) -> f64 {
        if self.rows < 2 {
            return 0.0;
        }
        let rows = self.rows as f64;
        ((self.squares - self.sum * self.sum / rows) / (rows - 1.0)).max(0.0)
    }

    /// By value, lowest first.
    pub(super) fn sorted(&self) -> Vec<(f64, Counts)> {
        let mut sorted: Vec<(f64, Counts)> =
            self.counts.iter().map(|(bits, counts)| (f64::from_bits(*bits), *counts)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        sorted
    }

    /// AUC and KS of the labels; `None` without both classes. 1 is a score that tells all bad rows by being worse.
    pub(super) fn separation(&self, direction: Direction) -> Option<(f64, f64)> {
        let steps = self.sorted().into_iter().map(|(_, counts)| (counts.good as f64, counts.bad as f64));
        let (auc, ks) = separated(steps)?;
        Some((if direction == Direction::HigherIsSafer { 1.0 - auc } else { auc }, ks))
    }

    /// The values below which each tenth of the rows lies: the lowest, nine between, the highest.
    pub(super) fn deciles(&self) -> Vec<f64> {
        let sorted = self.sorted();
        let at = |tenth: u64| {
            let wanted = (self.rows.saturating_sub(1) * tenth).div_ceil(10) + 1;
            let mut seen = 0;
            let found = sorted.iter().find(|(_, counts)| {
                seen += counts.rows;
                seen >= wanted
            });
            found.map(|(value, _)| *value)
        };
        (0..=10).filter_map(at).collect()
    }

    /// About so many bands of equal width between round numbers.
    pub(super) fn bands(&self, edges: &[f64]) -> Vec<Band> {
        let mut bands: Vec<Band> = edges
            .iter()
            .zip(edges.iter().skip(1))
            .map(|(from, to)| Band { from: *from, to: *to, counts: Counts::default() })
            .collect();
        let last = bands.len().saturating_sub(1);
        for (value, counts) in self.sorted() {
            let at = edges.partition_point(|edge| *edge <= value).saturating_sub(1).min(last);
            if let Some(band) = bands.get_mut(at) {
                band.counts.merge(counts);
            }
        }
        bands
    }
}

/// How two sets of values differ: KS and AUC of the first against the second, rounded alike.
pub(super) fn apart(one: &Spread, rest: &[&Spread]) -> Option<(f64, f64)> {
    let quantum = rest.iter().map(|spread| spread.quantum()).fold(one.quantum(), f64::max);
    let round = |value: f64| if quantum > 0.0 { (value / quantum).round() * quantum + 0.0 } else { value };
    let mut steps: HashMap<u64, (f64, f64)> = HashMap::new();
    for (value, counts) in one.sorted() {
        steps.entry(round(value).to_bits()).or_default().1 += counts.rows as f64;
    }
    for (value, counts) in rest.iter().flat_map(|spread| spread.sorted()) {
        steps.entry(round(value).to_bits()).or_default().0 += counts.rows as f64;
    }
    let mut sorted: Vec<(f64, (f64, f64))> =
        steps.into_iter().map(|(bits, step)| (f64::from_bits(bits), step)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    separated(sorted.into_iter().map(|(_, step)| step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::learn::metrics::{Scored, measure};

    proptest! {
        #[test]
        fn what_is_measured_from_counts_is_what_is_measured_from_rows_however_they_are_cut(
            rows in proptest::collection::vec((0_u16..50, any::<bool>()), 2..200), cut in 0_usize..200,
        ) {
            let rows: Vec<(f64, bool)> = rows.into_iter().map(|(v, b)| (f64::from(v) / 50.0, b)).collect();
            let of = |part: &[(f64, bool)]| {
                let mut spread = Spread::new(1_000);
                part.iter().for_each(|(value, bad)| spread.add(*value, Some(*bad)));
                spread
            };
            let (one, other) = rows.split_at(cut.min(rows.len()));
            let mut whole = of(one);
            whole.merge(&of(other));
            let scored: Vec<Scored> =
                rows.iter().map(|(probability, is_bad)| Scored { probability: *probability, is_bad: *is_bad }).collect();
            let found = whole.separation(Direction::HigherIsRiskier);
            prop_assert_eq!(found, measure(&scored).map(|m| (m.auc, m.ks)));
            let mean = rows.iter().map(|row| row.0).sum::<f64>() / rows.len() as f64;
            prop_assert!((whole.mean() - mean).abs() < 1e-12);
            prop_assert!(whole.is_exact());
        }
    }

    #[test]
    fn more_values_than_are_kept_are_rounded_and_little_is_lost() {
        let mut spread = Spread::new(500);
        let mut exact = Vec::new();
        for at in 0..20_000_u32 {
            // Every value once, in an order that is none.
            let value = f64::from(at * 7_919 % 20_000) / 20_000.0;
            let is_bad = value * 3.0 % 1.0 < value;
            spread.add(value, Some(is_bad));
            exact.push(Scored { probability: value, is_bad });
        }
        assert!(!spread.is_exact() && spread.quantum() < 0.02, "{}", spread.quantum());
        assert!(spread.sorted().len() <= 500);
        assert_eq!(spread.rows(), 20_000);
        let (auc, ks) = spread.separation(Direction::HigherIsRiskier).unwrap();
        let wanted = measure(&exact).unwrap();
        assert!((auc - wanted.auc).abs() < 1e-3 && (ks - wanted.ks).abs() < 0.02, "{auc} {ks}");
        assert!((spread.mean() - 0.499_975).abs() < 1e-9);
    }

    #[test]
    fn deciles_and_bands_hold_every_row() {
        let mut spread = Spread::new(100);
        (0..=10).for_each(|at| spread.add(f64::from(at), None));
        assert_eq!(spread.deciles(), (0..=10).map(f64::from).collect::<Vec<_>>());
        let bands = spread.bands(&[0.0, 5.0, 10.0]);
        assert_eq!(bands.iter().map(|band| band.counts.rows).collect::<Vec<_>>(), [5, 6]);
    }
}
