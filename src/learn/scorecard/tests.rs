//! Bins that are monotone whatever the data, points that say what they mean, and the file that says the same.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::documents::Source;
use crate::learn::artefact::Weights;

const RECIPE: &str = "
model: tiny
data: { file: data.csv }
target: { column: y, bad: 'yes', good: 'no' }
split: { test_fraction: 0.25, seed: 1 }
algorithm: card
algorithms:
  card: { kind: scorecard, min_information_value: 0, min_bin_share: 0.05, max_bins: 4 }
features:
  age: { type: integer, missing: own, reason: R1 }
  home: { type: choice, of: [own, rent, free, other], missing: zero, unseen: zero, reason: R2 }
  member: { type: boolean, missing: { as: false } }
";

fn recipe(text: &str) -> (Recipe, ScorecardRecipe) {
    let source = Source { path: "tiny/train.yaml".to_owned(), text: Arc::from(text) };
    let recipe = Recipe::parse(0, &source).unwrap();
    let Algorithm::Scorecard(card) = recipe.algorithms["card"].written else { panic!("no scorecard") };
    (recipe, card)
}

use crate::learn::recipe::Algorithm;

/// A row and how it turned out.
type Lived = (Option<i64>, Option<u8>, Option<bool>, bool);

fn fitted(rows: &[Lived]) -> Option<(Fitted, Vec<Vec<Value>>)> {
    let (recipe, card) = recipe(RECIPE);
    let values: Vec<Vec<Value>> = rows
        .iter()
        .map(|(age, home, member, _)| {
            let home = home.map(|at| Value::text(["own", "rent", "free", "other"][usize::from(at % 4)]));
            vec![
                age.map_or(Value::Missing, Value::Integer),
                home.unwrap_or(Value::Missing),
                member.map_or(Value::Missing, Value::Boolean),
            ]
        })
        .collect();
    let is_bad: Vec<bool> = rows.iter().map(|row| row.3).collect();
    let imputed = [None, None, Some(Value::Boolean(false))];
    let references: Vec<&Vec<Value>> = values.iter().collect();
    Some((fit(&recipe, &card, &imputed, &references, &is_bad).unwrap()?, values))
}

fn lives() -> impl Strategy<Value = Vec<Lived>> {
    let row = (
        proptest::option::weighted(0.9, 18..80_i64),
        proptest::option::weighted(0.9, 0..4_u8),
        proptest::option::weighted(0.9, any::<bool>()),
        0..100_i64,
    );
    let lived = |(age, home, member, luck): (Option<i64>, Option<u8>, Option<bool>, i64)| {
        let risk = age.map_or(40, |age| 70 - age) + i64::from(home.unwrap_or(0)) * 8;
        (age, home, member, luck < risk)
    };
    proptest::collection::vec(row.prop_map(lived), 120..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bins_are_monotone_large_enough_and_few_enough(rows in lives()) {
        prop_assume!(rows.iter().any(|row| row.3) && rows.iter().any(|row| !row.3));
        let (recipe, card) = recipe(RECIPE);
        let values: Vec<Value> = rows.iter().map(|row| row.0.map_or(Value::Missing, Value::Integer)).collect();
        let cells = values.iter().zip(rows.iter().map(|row| row.3));
        let binning = bins::find(&recipe.features[0], None, &card, cells);
        let rates: Vec<f64> = binning.bins.iter().map(|count| count.bad / count.rows()).collect();
        let rising = rates.windows(2).all(|pair| pair[0] < pair[1]);
        let falling = rates.windows(2).all(|pair| pair[0] > pair[1]);
        prop_assert!(rising || falling, "{rates:?}");
        prop_assert!(binning.bins.len() <= 4);
        prop_assert_eq!(binning.cuts.len() + 1, binning.bins.len());
        let evidence: Vec<f64> = binning.bins.iter().map(|count| binning.evidence(*count)).collect();
        prop_assert!(evidence.windows(2).all(|pair| (pair[0] < pair[1]) == rising) || evidence.len() < 2);
        let given = values.iter().filter(|value| **value != Value::Missing).count() as f64;
        let large = binning.bins.iter().all(|count| count.rows() >= given * 0.05);
        prop_assert!(large || binning.bins.len() == 1);
        let counted = binning.bins.iter().chain(&binning.missing).map(|count| count.rows()).sum::<f64>();
        prop_assert!((counted - rows.len() as f64).abs() < 1e-9, "every row is in one bin");
    }

    #[test]
    fn riskier_bins_get_fewer_points_and_the_worst_none(rows in lives()) {
        if let Some((fitted, _)) = fitted(&rows) {
            for characteristic in &fitted.characteristics {
                for one in &characteristic.bins {
                    for other in &characteristic.bins {
                        let safer = one.weight_of_evidence < other.weight_of_evidence;
                        prop_assert!(!safer || one.points >= other.points);
                    }
                }
            }
            for (_, lines) in &fitted.document.characteristics {
                prop_assert_eq!(lines.iter().map(|line| line.points).min(), Some(0));
                let best = lines.iter().map(|line| line.points).max();
                prop_assert!(lines.iter().all(|line| line.reason.is_none() || Some(line.points) < best));
            }
        }
    }

    #[test]
    fn every_row_has_points_in_the_file(rows in lives()) {
        if let Some((fitted, values)) = fitted(&rows) {
            let Weights::Scorecard { start, .. } = fitted.weights else { panic!("no scorecard") };
            prop_assert!((start - fitted.document.base_points as f64).abs() < 1e-9);
            for row in values {
                let row: Vec<Value> = fitted.uses.iter().map(|at| row[*at].clone()).collect();
                prop_assert!(fitted.document.points(&row).is_some());
            }
        }
    }
}

#[test]
fn the_file_is_what_the_language_reads() {
    // 300 people: the young and the tenants pay late; membership says nothing.
    let rows: Vec<Lived> = (0..300_i64)
        .map(|n| {
            let age = (n % 10 != 9).then_some(20 + n % 40);
            let late = (20 + n % 40 < 35 && n % 3 != 0) || (n % 4 == 1 && n % 7 == 0);
            (age, Some(u8::try_from(n % 3).unwrap()), Some(n % 2 == 0), late)
        })
        .collect();
    let (fitted, _) = fitted(&rows).unwrap();
    insta::assert_snapshot!(fitted.document.yaml("sha256:0", fitted.scale));
}

#[test]
fn cuts_and_trends_of_the_recipe_are_kept() {
    let with = |more: &str| {
        let text = RECIPE.replace("missing: own, reason: R1", more);
        let (recipe, card) = recipe(&text);
        // A U: the young and the old pay late.
        let rows: Vec<(Value, bool)> =
            (0..600_i64).map(|n| (Value::Integer(n % 60), (n % 60 - 30).abs() + n / 60 * 3 > 38)).collect();
        bins::find(&recipe.features[0], None, &card, rows.iter().map(|(value, bad)| (value, *bad)))
    };
    assert_eq!(with("cuts: [10, 20.5]").cuts, [10.0, 20.5]);
    let rate = |binning: &Binning| -> Vec<f64> { binning.bins.iter().map(|c| c.bad / c.rows()).collect() };
    let any = rate(&with("trend: any"));
    assert!(any.len() > 2 && any[0] > any[1] && any.last() > any.get(any.len() - 2), "{any:?}");
    assert!(rate(&with("trend: rising")).windows(2).all(|pair| pair[0] < pair[1]));
    assert!(rate(&with("trend: falling")).windows(2).all(|pair| pair[0] > pair[1]));
}

#[test]
fn data_that_tells_nothing_gives_no_scorecard() {
    let rows: Vec<Lived> = (0..200).map(|n| (Some(30), Some(0), Some(true), n % 2 == 0)).collect();
    assert!(fitted(&rows).is_none());
}
