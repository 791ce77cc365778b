//! Counts of one hour: atomics that requests add to, and plain numbers to be put together and read. Adding takes no
//! lock and no memory. Absent on purpose: what the counts mean (`layout`), and which hour it is (`windows`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::Layout;
use crate::domain::value::Value;

/// Steps in which scores are told apart between a number and its double: quantiles are right to 1.6 %.
const STEPS: usize = 1 << STEP_BITS;
const STEP_BITS: u32 = 5;
/// Scores nearer to 0 than 2 to the minus this are taken as 0, and those beyond 2 to this as that.
const OCTAVES: u64 = 20;
/// Steps on one side of 0.
const SIDE: usize = 2 * OCTAVES as usize * STEPS;
/// Steps below 0, 0, and steps above.
const SKETCH: usize = 2 * SIDE + 1;

/// What requests add to.
#[derive(Debug)]
pub(super) struct Tally {
    cells: Box<[AtomicU64]>,
    /// Scores by their size.
    sketch: Box<[AtomicU64]>,
    /// Bits of the sum of all scores.
    sum: AtomicU64,
}

/// The same as plain numbers. Counts of several hours, or of several processes, are put together by adding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counts {
    pub cells: Vec<u64>,
    sketch: Vec<u64>,
    sum: f64,
}

impl Tally {
    pub(super) fn new(layout: &Layout) -> Self {
        let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self { cells: zeros(layout.cells), sketch: zeros(SKETCH), sum: AtomicU64::new(0.0_f64.to_bits()) }
    }

    /// A row and its answer.
    pub(super) fn row(&self, layout: &Layout, row: &[Value], answer: f64) {
        self.score(layout, answer);
        row.iter().enumerate().for_each(|(input, value)| self.input(layout, input, value));
    }

    /// A score.
    pub(super) fn score(&self, layout: &Layout, score: f64) {
        add(&self.cells, layout.score.cell_of_number(score));
        add(&self.sketch, step(score));
        let more = |sum: u64| Some((f64::from_bits(sum) + score).to_bits());
        // It never gives up: the function always has an answer.
        let _before = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// The value of an input, by its place.
    pub(super) fn input(&self, layout: &Layout, input: usize, value: &Value) {
        let Some(variable) = layout.inputs.get(input) else { return };
        let (cell, beyond) = variable.cells(value);
        add(&self.cells, cell);
        if let Some(beyond) = beyond {
            add(&self.cells, beyond);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |cells: &[AtomicU64]| cells.iter().map(|cell| cell.load(Ordering::Relaxed)).collect();
        Counts {
            cells: read(&self.cells),
            sketch: read(&self.sketch),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }
}

fn add(cells: &[AtomicU64], at: usize) {
    if let Some(cell) = cells.get(at) {
        cell.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counts {
    pub(super) fn none(layout: &Layout) -> Self {
        Self { cells: vec![0; layout.cells], sketch: vec![0; SKETCH], sum: 0.0 }
    }

    /// Takes over what another has counted.
    pub(super) fn add(&mut self, other: &Self) {
        let both = |own: &mut Vec<u64>, other: &[u64]| {
            own.iter_mut().zip(other).for_each(|(own, other)| *own = own.saturating_add(*other));
        };
        both(&mut self.cells, &other.cells);
        both(&mut self.sketch, &other.sketch);
        self.sum += other.sum;
    }

    pub(super) fn cell(&self, at: usize) -> u64 {
        self.cells.get(at).copied().unwrap_or(0)
    }

    /// Scores counted.
    pub(super) fn rows(&self) -> u64 {
        self.sketch.iter().sum()
    }

    /// The mean of the scores; `None` without any.
    pub(super) fn mean(&self) -> Option<f64> {
        let rows = self.rows();
        (rows > 0).then(|| self.sum / rows as f64)
    }

    /// The score that this share of all is not above, right to 1.6 %; `None` without any.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (share * self.rows() as f64).ceil().max(1.0);
        let mut so_far = 0.0;
        let reached = |count: &u64| {
            so_far += *count as f64;
            so_far >= wanted
        };
        self.sketch.iter().position(reached).map(middle)
    }
}

/// The place of a score: its sign, its power of two and the next bits of it.
fn step(score: f64) -> usize {
    let size = score.abs();
    let lowest = 0.5_f64.powi(OCTAVES as i32);
    // What is no number is nowhere.
    if size.is_nan() || size < lowest {
        return SIDE;
    }
    let steps_of = |number: f64| number.to_bits() >> (f64::MANTISSA_DIGITS - 1 - STEP_BITS);
    let step = usize::try_from(steps_of(size) - steps_of(lowest)).unwrap_or(SIDE).min(SIDE - 1);
    if score < 0.0 { SIDE - 1 - step } else { SIDE + 1 + step }
}

/// A score in the middle of a place.
fn middle(place: usize) -> f64 {
    let size = |step: usize| {
        let (octave, part) = (step / STEPS, step % STEPS);
        let low = 2.0_f64.powi(octave as i32 - OCTAVES as i32);
        low * (1.0 + (part as f64 + 0.5) / STEPS as f64)
    };
    match place.checked_sub(SIDE) {
        Some(0) => 0.0,
        Some(above) => size(above - 1),
        None => -size(SIDE - 1 - place),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_scores() {
        let scores =
            [-1e9, -512.5, -3.0, -1.0, -0.25, -1e-5, 0.0, 1e-5, 0.25, 0.3, 0.999, 1.0, 40.0, 612.0, 1e9];
        let places: Vec<usize> = scores.iter().map(|score| step(*score)).collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!(places.iter().all(|place| *place < SKETCH));
        assert_eq!((step(1e-9), step(-1e-9), step(f64::NAN)), (SIDE, SIDE, SIDE));
    }

    proptest! {
        #[test]
        fn the_middle_of_a_place_is_near_to_every_score_in_it(score in prop_oneof![1e-4..1.0_f64, -9e5..-1e-3, 1.0..9e5]) {
            let found = middle(step(score));
            prop_assert!((found / score - 1.0).abs() < 0.016, "{score} is told as {found}");
        }
    }
}
