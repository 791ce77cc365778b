//! How far counts have moved from a reference: the population stability index, and what it reaches by chance alone.
//! Absent on purpose: what is counted, and when.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

/// An index up to this is never told as drift, however sure it is: the old rule of thumb.
pub const LEAST: f64 = 0.1;
/// Without drift an index stays within its limit this often.
pub const SURE: f64 = 0.95;
/// Rows that are taken to have been seen in every bin beforehand, so that an empty one is rare and not impossible.
const BEFOREHAND: f64 = 1.0;

/// How far counts have moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Σ (a − e) ln(a ÷ e) over the bins, at least 0; 0 for equal shares.
    pub psi: f64,
    /// Bins less one. A bin that neither knows is none.
    pub degrees: usize,
    /// Rows observed, and rows of the reference.
    pub rows: (u64, u64),
}

impl Shift {
    /// Compares counts bin by bin; `None` where one of the two has no rows.
    #[must_use]
    pub fn between(bins: impl Iterator<Item = (u64, u64)> + Clone) -> Option<Self> {
        let known = bins.filter(|(observed, expected)| *observed > 0 || *expected > 0);
        let (mut count, mut rows) = (0_usize, (0_u64, 0_u64));
        for (observed, expected) in known.clone() {
            count += 1;
            rows = (rows.0.saturating_add(observed), rows.1.saturating_add(expected));
        }
        if rows.0 == 0 || rows.1 == 0 {
            return None;
        }
        let share = |of: u64, all: u64| (of as f64 + BEFOREHAND) / (all as f64 + BEFOREHAND * count as f64);
        let moved = known.map(|(observed, expected)| {
            let (a, e) = (share(observed, rows.0), share(expected, rows.1));
            (a - e) * (a / e).ln()
        });
        Some(Self { psi: moved.sum::<f64>().max(0.0), degrees: count.saturating_sub(1), rows })
    }

    /// What the index stays below with this probability when nothing has moved: chi²(bins − 1) × (1 ÷ N + 1 ÷ M).
    #[must_use]
    pub fn limit(&self, probability: f64) -> f64 {
        let (observed, expected) = (self.rows.0 as f64, self.rows.1 as f64);
        quantile(self.degrees, probability) * (1.0 / observed + 1.0 / expected)
    }

    /// Whether it is more than chance, at this probability, and enough to matter.
    #[must_use]
    pub fn is_drift(&self, probability: f64) -> bool {
        self.psi > self.limit(probability).max(LEAST)
    }
}

/// The value that chi² with so many degrees of freedom stays below with this probability.
fn quantile(degrees: usize, probability: f64) -> f64 {
    // Without a degree of freedom nothing can move.
    ChiSquared::new(degrees as f64).map_or(0.0, |chi| chi.inverse_cdf(probability))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn between(observed: &[u64], expected: &[u64]) -> Option<Shift> {
        Shift::between(observed.iter().copied().zip(expected.iter().copied()))
    }

    #[test]
    fn limits_are_those_of_the_tables() {
        // Of any table of chi² at 95 %.
        for (degrees, wanted) in [(1, 3.841), (4, 9.488), (9, 16.919), (30, 43.773)] {
            assert!((quantile(degrees, 0.95) - wanted).abs() < 5e-4, "{degrees}");
        }
        assert!(quantile(0, 0.95).abs() < 1e-12);
        // Ten bins, 100 rows against 3,000: what Yurdakul and Naranjo give.
        let shift = Shift { psi: 0.0, degrees: 9, rows: (100, 3000) };
        assert!((shift.limit(0.95) - 0.174_83).abs() < 1e-4, "{}", shift.limit(0.95));
    }

    #[test]
    fn one_worked_by_hand() {
        // (11 of 32, 21 of 32) against (21 of 32, 11 of 32): (0.3125) ln(21/11), twice.
        let found = between(&[10, 20], &[20, 10]).unwrap();
        assert!((found.psi - 2.0 * 0.3125 * (21.0_f64 / 11.0).ln()).abs() < 1e-12);
        assert_eq!((found.degrees, found.rows), (1, (30, 30)));
    }

    #[test]
    fn without_rows_there_is_nothing_to_compare() {
        assert_eq!(between(&[0, 0], &[3, 4]), None);
        assert_eq!(between(&[3, 4], &[0, 0]), None);
        assert_eq!(between(&[], &[]), None);
    }

    #[test]
    fn a_bin_that_nobody_has_seen_is_no_bin() {
        assert_eq!(between(&[5, 0, 9], &[6, 0, 8]), between(&[5, 9], &[6, 8]));
    }

    proptest! {
        #[test]
        fn it_is_never_below_0_and_0_for_equal_counts(
            pairs in proptest::collection::vec((0_u64..500, 0_u64..500), 1..20)
        ) {
            let (observed, expected): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            if let Some(found) = between(&observed, &expected) {
                prop_assert!(found.psi >= 0.0 && found.psi.is_finite());
                prop_assert!(found.limit(0.95) >= 0.0 && found.limit(0.99) >= found.limit(0.95));
                let back = between(&expected, &observed).unwrap();
                prop_assert!((back.psi - found.psi).abs() < 1e-9, "it is the same from either side");
            }
            if let Some(same) = between(&expected, &expected) {
                prop_assert!(same.psi.abs() < 1e-12);
            }
        }
    }
}
