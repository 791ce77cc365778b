//! What charts are drawn from: ROC, the gap between good and bad (KS), and where scores lie. Few points, however many
//! rows there are.

use serde::Serialize;

use super::metrics::Scored;

/// Points of a curve, at most.
const POINTS: usize = 100;
/// Bars of a distribution.
const BARS: usize = 20;

/// One point in order of falling risk threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct CurvePoint {
    /// Rows at or above this probability are counted.
    pub probability: f64,
    /// Share of the good rows counted.
    pub good: f64,
    /// Share of the bad rows counted.
    pub bad: f64,
}

/// Rows whose probability is from `from` up to `from + 0.05`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Bar {
    pub from: f64,
    pub good: usize,
    pub bad: usize,
}

/// Where good and bad are furthest apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Furthest {
    pub probability: f64,
    pub distance: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Curves {
    pub roc: Vec<CurvePoint>,
    pub ks_at: Furthest,
    pub distribution: Vec<Bar>,
}

/// Both classes have to be there.
pub(super) fn draw(rows: &[Scored]) -> Curves {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let bad = sorted.iter().filter(|row| row.is_bad).count();
    let (all_bad, all_good) = (bad.max(1) as f64, (sorted.len() - bad).max(1) as f64);
    let (mut good, mut bad) = (0.0, 0.0);
    let mut all = Vec::new();
    for tied in sorted.chunk_by(|a, b| a.probability.total_cmp(&b.probability).is_eq()) {
        let bad_here = tied.iter().filter(|row| row.is_bad).count() as f64;
        bad += bad_here;
        good += tied.len() as f64 - bad_here;
        let probability = tied.first().map_or(0.0, |row| row.probability);
        all.push(CurvePoint { probability, good: good / all_good, bad: bad / all_bad });
    }
    let distance = |point: &CurvePoint| point.bad - point.good;
    let furthest = all.iter().max_by(|a, b| distance(a).abs().total_cmp(&distance(b).abs()));
    let ks_at = furthest.map_or(Furthest { probability: 0.0, distance: 0.0 }, |point| Furthest {
        probability: point.probability,
        distance: distance(point).abs(),
    });
    let last = all.len().saturating_sub(1);
    let mut roc: Vec<CurvePoint> =
        (0..=POINTS).filter_map(|at| all.get(last * at / POINTS)).copied().collect();
    roc.dedup();
    Curves { roc, ks_at, distribution: distribution(&sorted) }
}

fn distribution(rows: &[Scored]) -> Vec<Bar> {
    let mut bars: Vec<Bar> =
        (0..BARS).map(|at| Bar { from: at as f64 / BARS as f64, good: 0, bad: 0 }).collect();
    for row in rows {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 20")]
        let at = (row.probability * BARS as f64) as usize;
        if let Some(bar) = bars.get_mut(at.min(BARS - 1)) {
            if row.is_bad { bar.bad += 1 } else { bar.good += 1 }
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::learn::metrics::measure;

    proptest! {
        #[test]
        fn the_curve_has_the_ks_of_the_metrics_and_every_row_is_in_a_bar(
            rows in proptest::collection::vec((0.0..=1.0_f64, any::<bool>()), 2..400),
        ) {
            let rows: Vec<Scored> =
                rows.into_iter().map(|(probability, is_bad)| Scored { probability, is_bad }).collect();
            if let Some(metrics) = measure(&rows) {
                let curves = draw(&rows);
                prop_assert!((curves.ks_at.distance - metrics.ks).abs() < 1e-12);
                prop_assert!(curves.roc.len() <= POINTS + 1);
                let last = curves.roc.last().unwrap();
                prop_assert!((last.good, last.bad) == (1.0, 1.0));
                let counted: usize = curves.distribution.iter().map(|bar| bar.good + bar.bad).sum();
                prop_assert_eq!(counted, rows.len());
            }
        }
    }
}
