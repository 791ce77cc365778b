//! How well probabilities separate good from bad, and whether they mean what they say. Small, and all of it pure.
//! No thresholds and no costs: what a score is worth is the flow's.

use serde::Serialize;

/// What a set of probabilities is worth on rows whose outcome is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    pub rows: usize,
    pub bad: usize,
    /// Chance that a bad row scores higher than a good one; a tie counts half.
    pub auc: f64,
    /// `2 * auc - 1`.
    pub gini: f64,
    /// Largest distance between the shares of bad and of good rows up to a score (Kolmogorov-Smirnov).
    pub ks: f64,
    /// Mean of minus the logarithm of the probability given to what happened.
    pub log_loss: f64,
    /// Mean squared distance from what happened.
    pub brier: f64,
    /// Ten bins of equal size from the lowest score to the highest.
    pub calibration: Vec<CalibrationBin>,
}

/// A measure's name for people, and the measure.
pub(super) type Measure = (&'static str, fn(&Metrics) -> f64);

/// What pages show of how good a model is, in this order.
pub(super) const SHOWN: [Measure; 5] = [
    ("AUC", |m| m.auc),
    ("Gini", |m| m.gini),
    ("KS", |m| m.ks),
    ("log loss", |m| m.log_loss),
    ("Brier", |m| m.brier),
];

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationBin {
    pub rows: usize,
    pub lowest: f64,
    pub highest: f64,
    pub mean_probability: f64,
    pub bad_rate: f64,
}

/// A probability and whether it turned out bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub probability: f64,
    pub is_bad: bool,
}

/// Probabilities of exactly 0 and 1 are moved this far inside for the logarithm.
const CLIP: f64 = 1e-15;
const BINS: usize = 10;

/// Measures; `None` when one of the two classes is absent, since then nothing is separated.
#[must_use]
pub fn measure(rows: &[Scored]) -> Option<Metrics> {
    let bad = rows.iter().filter(|row| row.is_bad).count();
    let good = rows.len() - bad;
    if bad == 0 || good == 0 {
        return None;
    }
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.probability.total_cmp(&b.probability));
    let (auc, ks) = separation(&sorted, bad as f64, good as f64);
    let count = rows.len() as f64;
    let log_loss = rows.iter().map(log_loss).sum::<f64>() / count;
    let brier = rows.iter().map(|row| square(row.probability - truth(row))).sum::<f64>() / count;
    let calibration = calibration(&sorted);
    Some(Metrics { rows: rows.len(), bad, auc, gini: 2.0 * auc - 1.0, ks, log_loss, brier, calibration })
}

/// AUC and KS in one walk over the rows in order of score.
fn separation(sorted: &[Scored], bad: f64, good: f64) -> (f64, f64) {
    let tied = sorted.chunk_by(|a, b| a.probability.total_cmp(&b.probability).is_eq());
    walk(
        tied.map(|tied| {
            let bad = tied.iter().filter(|row| row.is_bad).count() as f64;
            (tied.len() as f64 - bad, bad)
        }),
        bad,
        good,
    )
}

/// AUC (by counting pairs, ties half) and KS of rows counted by score: how many good and bad ones each score has, lowest
/// score first. `None` when one of the two classes is absent.
#[must_use]
pub fn separated(steps: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let steps: Vec<(f64, f64)> = steps.collect();
    let (good, bad) = steps.iter().fold((0.0, 0.0), |(good, bad), step| (good + step.0, bad + step.1));
    (good > 0.0 && bad > 0.0).then(|| walk(steps.into_iter(), bad, good))
}

fn walk(steps: impl Iterator<Item = (f64, f64)>, bad: f64, good: f64) -> (f64, f64) {
    let mut good_below = 0.0;
    let mut bad_below = 0.0;
    let mut won = 0.0;
    let mut ks = 0.0_f64;
    for (good_here, bad_here) in steps {
        won += bad_here * (good_below + good_here / 2.0);
        good_below += good_here;
        bad_below += bad_here;
        ks = ks.max((good_below / good - bad_below / bad).abs());
    }
    (won / (bad * good), ks)
}

fn calibration(sorted: &[Scored]) -> Vec<CalibrationBin> {
    let bound = |bin: usize| sorted.len() * bin / BINS;
    (0..BINS)
        .filter_map(|bin| {
            let rows = sorted.get(bound(bin)..bound(bin + 1))?;
            let (first, last) = (rows.first()?, rows.last()?);
            let count = rows.len() as f64;
            Some(CalibrationBin {
                rows: rows.len(),
                lowest: first.probability,
                highest: last.probability,
                mean_probability: rows.iter().map(|row| row.probability).sum::<f64>() / count,
                bad_rate: rows.iter().map(truth).sum::<f64>() / count,
            })
        })
        .collect()
}

fn truth(row: &Scored) -> f64 {
    f64::from(u8::from(row.is_bad))
}

fn square(x: f64) -> f64 {
    x * x
}

/// The logarithm comes from the program, so that a card has the same bytes wherever it is written.
fn log_loss(row: &Scored) -> f64 {
    let given = row.probability.clamp(CLIP, 1.0 - CLIP);
    -libm::log(if row.is_bad { given } else { 1.0 - given })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(pairs: &[(f64, u8)]) -> Vec<Scored> {
        pairs
            .iter()
            .map(|(probability, bad)| Scored { probability: *probability, is_bad: *bad == 1 })
            .collect()
    }

    #[track_caller]
    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }

    #[test]
    fn figures_worked_out_by_hand_come_out() {
        let m = measure(&rows(&[(0.1, 0), (0.4, 0), (0.35, 1), (0.8, 1)])).unwrap();
        near(m.auc, 0.75);
        near(m.gini, 0.5);
        near(m.ks, 0.5);
        near(m.brier, (0.01 + 0.16 + 0.65 * 0.65 + 0.04) / 4.0);
        near(m.log_loss, -(0.9_f64.ln() + 0.6_f64.ln() + 0.35_f64.ln() + 0.8_f64.ln()) / 4.0);
    }

    #[test]
    fn the_figures_are_scikit_learns() {
        #[derive(serde::Deserialize)]
        struct Case {
            probability: Vec<f64>,
            bad: Vec<u8>,
            auc: f64,
            ks: f64,
            log_loss: f64,
            brier: f64,
        }
        let text = include_str!("../../tests/fixtures/metrics/scikit_learn.json");
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        let cases: Vec<Case> = serde_json::from_value(read["cases"].clone()).unwrap();
        assert_eq!(cases.len(), 4);
        for case in cases {
            let pairs: Vec<(f64, u8)> = case.probability.into_iter().zip(case.bad).collect();
            let own = measure(&rows(&pairs)).unwrap();
            near(own.auc, case.auc);
            near(own.ks, case.ks);
            near(own.brier, case.brier);
            assert!((own.log_loss - case.log_loss).abs() < 1e-9, "{} is not {}", own.log_loss, case.log_loss);
        }
    }

    #[test]
    fn ties_count_half_and_give_no_separation() {
        let m = measure(&rows(&[(0.5, 0), (0.5, 1), (0.5, 0), (0.5, 1)])).unwrap();
        near(m.auc, 0.5);
        near(m.ks, 0.0);
    }

    #[test]
    fn one_class_alone_measures_nothing() {
        assert_eq!(measure(&rows(&[(0.5, 1), (0.2, 1)])), None);
        assert_eq!(measure(&[]), None);
    }

    #[test]
    fn certainty_that_was_wrong_costs_much_but_stays_finite() {
        let m = measure(&rows(&[(1.0, 0), (0.0, 1)])).unwrap();
        assert!(m.log_loss > 30.0 && m.log_loss.is_finite());
        near(m.auc, 0.0);
        near(m.ks, 1.0);
    }

    fn some_rows() -> impl Strategy<Value = Vec<Scored>> {
        // Eighths, so that ties are many and a monotone transform cannot make or break one by rounding.
        let row = (0_u8..=8, any::<bool>())
            .prop_map(|(eighths, is_bad)| Scored { probability: f64::from(eighths) / 8.0, is_bad });
        proptest::collection::vec(row, 2..80)
    }

    proptest! {
        #[test]
        fn only_the_order_of_scores_counts_for_auc_and_ks(rows in some_rows()) {
            let squeezed: Vec<_> = rows
                .iter()
                .map(|row| Scored { probability: row.probability.powi(3) / 4.0 + 0.1, ..*row })
                .collect();
            let pair = |m: Option<Metrics>| m.map(|m| (m.auc.to_bits(), m.ks.to_bits()));
            prop_assert_eq!(pair(measure(&rows)), pair(measure(&squeezed)));
        }

        #[test]
        fn auc_is_the_share_of_pairs_in_the_right_order(rows in some_rows()) {
            let (mut won, mut pairs) = (0.0, 0.0);
            for bad in rows.iter().filter(|r| r.is_bad) {
                for good in rows.iter().filter(|r| !r.is_bad) {
                    pairs += 1.0;
                    won += match bad.probability.total_cmp(&good.probability) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            match measure(&rows) {
                Some(m) => prop_assert!((m.auc - won / pairs).abs() < 1e-12),
                None => prop_assert!(pairs < 1.0),
            }
        }

        #[test]
        fn turning_the_scores_round_turns_the_auc_round(rows in some_rows()) {
            let turned: Vec<_> =
                rows.iter().map(|row| Scored { probability: 1.0 - row.probability, ..*row }).collect();
            if let (Some(a), Some(b)) = (measure(&rows), measure(&turned)) {
                prop_assert!((a.auc + b.auc - 1.0).abs() < 1e-12);
                prop_assert!((a.ks - b.ks).abs() < 1e-12);
            }
        }

        #[test]
        fn the_bins_hold_every_row_once_and_rise(rows in some_rows()) {
            if let Some(m) = measure(&rows) {
                prop_assert_eq!(m.calibration.iter().map(|bin| bin.rows).sum::<usize>(), rows.len());
                let bad: f64 = m.calibration.iter().map(|bin| bin.bad_rate * bin.rows as f64).sum();
                prop_assert!((bad - m.bad as f64).abs() < 1e-9);
                prop_assert!(m.calibration.windows(2).all(|pair| pair[0].highest <= pair[1].lowest));
            }
        }
    }
}
