//! Bins that are never reached, values without a bin.

use super::*;
use crate::domain::scorecard::{Bin, Characteristic, Scorecard};
use crate::domain::table::{Bound, Source, Test};

fn said(source: u16, kind: Kind, may_be_missing: bool, tests: Vec<Option<Test>>) -> Vec<String> {
    let declaration = declaration("approve();");
    let (mut flow, _) = compiled(&declaration);
    let bin = |test| Bin { test, points: 1, reason: None, place: Place::default() };
    flow.scorecards.push(Scorecard {
        name: "application".into(),
        base_points: 0,
        takes: vec![],
        characteristics: vec![Characteristic {
            name: "it".into(),
            source: Source::Input(source),
            kind,
            may_be_missing,
            bins: tests.into_iter().map(bin).collect(),
            place: Place::default(),
        }],
    });
    let (found, _) = crate::domain::analysis::check(&flow, &declaration);
    found.into_iter().map(|d| format!("{} {}", d.code, d.message)).collect()
}

#[test]
fn bins_that_are_never_reached_and_values_without_a_bin_are_found() {
    let below = |n: i64| {
        let high = Some(Bound { value: Value::Integer(n), is_inclusive: false });
        Some(Test::Range { low: None, high })
    };
    assert_eq!(said(0, Kind::Integer, false, vec![below(3), below(7)]), Vec::<String>::new());
    assert_eq!(said(0, Kind::Integer, false, vec![below(3), below(6)]), ["T098 no bin of `it` takes `6`"]);
    assert_eq!(
        said(0, Kind::Integer, false, vec![below(4), below(3), None, Some(Test::Missing)]),
        [
            "T097 bin 2 of `it` is never reached: the bins before it take all that would fit",
            "T097 bin 4 of `it` is never reached: no value that it is declared to have fits"
        ]
    );
    assert_eq!(
        said(1, Kind::Decimal, true, vec![None]),
        ["T098 `it` may be missing, and no bin says what then"]
    );
}
