//! What moving a cut-off would mean: who would be approved by a score alone, and how those turned out; and where the
//! thresholds of the flow stand on that line.

use serde::Serialize;

use super::counts::Counts;
use super::spread::{Direction, Spread};
use crate::domain::outline::cut_offs::CutOff;

/// Points of the line, at most.
const POINTS: usize = 100;

/// Approving every row up to a score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrontierPoint {
    /// The worst score that is approved.
    pub cut_off: f64,
    pub approval_rate: f64,
    /// Of the approved rows whose label is known.
    pub bad_rate: Option<f64>,
}

/// A threshold that the script holds the score against.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThresholdPoint {
    pub name: String,
    #[serde(flatten)]
    pub point: FrontierPoint,
}

/// From the best score to the worst, as few points as a chart can show.
pub(super) fn frontier(spread: &Spread, direction: Direction) -> Vec<FrontierPoint> {
    let all = steps(spread, direction);
    let last = all.len().saturating_sub(1);
    let mut points: Vec<FrontierPoint> = if last <= POINTS {
        all
    } else {
        (0..=POINTS).filter_map(|at| all.get(last * at / POINTS)).copied().collect()
    };
    points.dedup();
    points
}

/// Where a threshold stands: scores exactly on it are approved.
pub(super) fn thresholds(
    spread: &Spread,
    direction: Direction,
    name: &str,
    cut_offs: &[CutOff],
) -> Vec<ThresholdPoint> {
    let all = steps(spread, direction);
    let point = |cut_off: &CutOff| {
        let is_approved = |point: &&FrontierPoint| match direction {
            Direction::HigherIsRiskier => point.cut_off <= cut_off.value,
            Direction::HigherIsSafer => point.cut_off >= cut_off.value,
        };
        let found = all.iter().take_while(is_approved).last().copied();
        let none = FrontierPoint { cut_off: cut_off.value, approval_rate: 0.0, bad_rate: None };
        let point = found.map_or(none, |point| FrontierPoint { cut_off: cut_off.value, ..point });
        ThresholdPoint { name: cut_off.name.clone(), point }
    };
    cut_offs.iter().filter(|cut_off| cut_off.score == name).map(point).collect()
}

fn steps(spread: &Spread, direction: Direction) -> Vec<FrontierPoint> {
    let mut sorted = spread.sorted();
    if direction == Direction::HigherIsSafer {
        sorted.reverse();
    }
    let mut sum = Counts::default();
    let step = |(value, counts): (f64, Counts)| {
        sum.merge(counts);
        FrontierPoint { cut_off: value, approval_rate: sum.share(spread.rows()), bad_rate: sum.bad_rate() }
    };
    sorted.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_goes_from_the_best_to_the_worst_and_thresholds_stand_on_it() {
        let mut spread = Spread::new(100);
        for (value, is_bad) in [(0.1, false), (0.2, false), (0.3, true), (0.9, true)] {
            spread.add(value, Some(is_bad));
        }
        let line = frontier(&spread, Direction::HigherIsRiskier);
        let shown: Vec<_> = line.iter().map(|p| (p.cut_off, p.approval_rate, p.bad_rate.unwrap())).collect();
        assert_eq!(shown, [(0.1, 0.25, 0.0), (0.2, 0.5, 0.0), (0.3, 0.75, 1.0 / 3.0), (0.9, 1.0, 0.5)]);
        let cut = |name: &str, value| CutOff { score: "risk".to_owned(), name: name.to_owned(), value };
        let cuts = [cut("low", 0.2), cut("between", 0.5), cut("nobody", 0.05)];
        let found = thresholds(&spread, Direction::HigherIsRiskier, "risk", &cuts);
        let rates: Vec<_> = found.iter().map(|point| point.point.approval_rate).collect();
        assert_eq!(rates, [0.5, 0.75, 0.0]);
        let safer = frontier(&spread, Direction::HigherIsSafer);
        assert_eq!(safer.first().map(|p| (p.cut_off, p.bad_rate)), Some((0.9, Some(1.0))));
        assert!(thresholds(&spread, Direction::HigherIsRiskier, "other", &cuts).is_empty());
    }
}
