//! Points, added up, and the odds that they stand for. Not the bins: those are the encodings of the columns.

use super::ModelError;

/// Which points stand for which odds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Points at which the odds (good to bad) are `base_odds`.
    pub base_points: f64,
    /// Good to bad: 50 means one bad in 51.
    pub base_odds: f64,
    /// Points to double the odds (`pdo`).
    pub points_to_double: f64,
}

/// The points that everybody starts from, and the scale. Columns hold the points of each characteristic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scorecard {
    start: f64,
    scale: Scale,
    columns: usize,
}

impl Scorecard {
    /// # Errors
    /// When a number is not finite, or odds or points to double are not above 0.
    pub fn new(start: f64, scale: Scale, columns: usize) -> Result<Self, ModelError> {
        let Scale { base_points, base_odds, points_to_double } = scale;
        if ![start, base_points, base_odds, points_to_double].into_iter().all(f64::is_finite) {
            return Err(ModelError::Scorecard { problem: "one of its numbers is not finite" });
        }
        if base_odds <= 0.0 || points_to_double <= 0.0 {
            return Err(ModelError::Scorecard { problem: "odds and the points to double them are above 0" });
        }
        Ok(Self { start, scale, columns })
    }

    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The points before any characteristic adds its own.
    #[must_use]
    pub fn start(&self) -> f64 {
        self.start
    }

    /// All points of a row; higher is safer.
    #[must_use]
    pub fn points(&self, columns: &[f64]) -> f64 {
        columns.iter().take(self.columns).fold(self.start, |sum, points| sum + points)
    }

    /// Probability of bad.
    pub(super) fn probability(&self, columns: &[f64]) -> f64 {
        self.scale.probability(self.points(columns))
    }
}

impl Scale {
    /// Probability of bad at so many points. `exp2` comes from the program, not from the machine's C library.
    #[must_use]
    pub fn probability(&self, points: f64) -> f64 {
        let doublings = (points - self.base_points) / self.points_to_double;
        1.0 / (1.0 + self.base_odds * libm::exp2(doublings))
    }

    /// Points at which a model's log-odds of bad are `margin`, before rounding.
    #[must_use]
    pub fn points(&self, margin: f64) -> f64 {
        self.base_points - self.points_per_unit() * (margin + libm::log(self.base_odds))
    }

    /// Points that one unit of log-odds is worth.
    #[must_use]
    pub fn points_per_unit(&self) -> f64 {
        self.points_to_double / std::f64::consts::LN_2
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn so_many_points_more_double_the_odds(
            base_points in -1e3..1e3_f64, base_odds in 0.1..100.0_f64, points_to_double in 1.0..200.0_f64,
            doublings in -6.0..6.0_f64,
        ) {
            let points = base_points + doublings * points_to_double;
            let scale = Scale { base_points, base_odds, points_to_double };
            let odds = |points: f64| { let bad = scale.probability(points); (1.0 - bad) / bad };
            let (one, two) = (scale.probability(points), scale.probability(points + points_to_double));
            prop_assert!(two < one, "more points are safer");
            prop_assert!((odds(points + points_to_double) / odds(points) - 2.0).abs() < 1e-6);
            let margin = -libm::log(odds(points));
            prop_assert!((scale.points(margin) - points).abs() < 1e-4 * points_to_double);
        }
    }

    #[test]
    fn what_is_no_scale_is_refused() {
        let scale = Scale { base_points: 600.0, base_odds: 50.0, points_to_double: 20.0 };
        assert!(Scorecard::new(500.0, scale, 3).is_ok());
        for wrong in [
            Scale { base_odds: 0.0, ..scale },
            Scale { points_to_double: -20.0, ..scale },
            Scale { base_points: f64::NAN, ..scale },
        ] {
            assert!(Scorecard::new(500.0, wrong, 3).is_err());
        }
        assert!(Scorecard::new(f64::INFINITY, scale, 3).is_err());
    }
}
