//! Tables and scorecards from their files to a verdict: what spreadsheets write is read, findings underline the cell.

use std::collections::BTreeMap;

use super::*;
use crate::documents::findings::{Colour, rendered};
use crate::domain::facts::Given;
use crate::domain::flow::Budget;

const FLOW: &str = r#"
flow: loan
inputs:
  age: { type: integer }
  income: { type: decimal }
  status: { type: choice, of: [none, below_0] }
  postcode: { type: text, optional: true }
thresholds: { min_age: 18 }
outputs: { apr: { type: decimal } }
outcomes: [approve, decline]
reasons: { R1: { en: No }, R900: { en: Look } }
on_error: { outcome: decline, reason: R900 }
"#;

const SCRIPT: &str = r#"
let offer = table("pricing", #{ risk: 0.07 });
if offer.band == "z" { decline("R1"); }
approve(#{ apr: offer.apr });
"#;

const CSV: &str = "age,risk,status,-> apr,-> band
< min_age,-,-,0.999,z
>= min_age,< 0.05,none|below_0,0.129,a
-,0.05..0.15,-,0.199,'b'
-,-,-,0.299,\"c\"
";

fn built(files: &[(&str, &str)]) -> Built {
    let mut all: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, text) in [("flow.yaml", FLOW), ("flow.rhai", SCRIPT)].iter().chain(files) {
        all.insert(format!("rules/loan/{name}"), text.as_bytes().to_vec());
    }
    build(&Documents::from_files(all))
}

fn told(built: &Built) -> String {
    rendered(&built.diagnostics, &built.sources, Colour::Never)
}

fn errors(built: &Built) -> String {
    let errors =
        built.diagnostics.iter().filter(|d| d.severity == crate::domain::diagnostic::Severity::Error);
    errors.map(|d| format!("{}: {}\n", d.code, d.message)).collect()
}

/// The APR that the flow offers to somebody of 40.
#[track_caller]
fn apr(built: &Built) -> String {
    assert_eq!(errors(built), "", "{}", told(built));
    let flow = &built.bundle.flow("loan").unwrap().flow;
    let given = Given::Map(vec![
        ("age".to_owned(), Given::Number("40".to_owned())),
        ("income".to_owned(), Given::Number("1000".to_owned())),
        ("status".to_owned(), Given::Text("none".to_owned())),
    ]);
    let facts = flow.admit(&given).unwrap();
    let verdict = flow.decide(&facts, "2026-11-22T09:00:00Z".parse().unwrap(), &Budget::default());
    format!("{} {:?}", verdict.outcome, verdict.output.first().map(|(_, value)| value.clone()))
}

#[test]
fn what_spreadsheets_write_is_one_table() {
    let expected = "approve Some(Decimal(0.199))";
    assert_eq!(apr(&built(&[("pricing.table.csv", CSV)])), expected);
    let as_windows = format!("\u{feff}{}", CSV.replace('\n', "\r\n"));
    assert_eq!(apr(&built(&[("pricing.table.csv", &as_windows)])), expected);
    let german = CSV.replace(',', ";").replace("0.", "0,");
    let yaml = "table: pricing\nseparator: ;\ndecimal_comma: true\n";
    assert_eq!(apr(&built(&[("pricing.table.csv", &german), ("pricing.table.yaml", yaml)])), expected);
    let wider = CSV.replace('\n', ",,\n") + ",,,,,,\n";
    assert_eq!(apr(&built(&[("pricing.table.csv", &wider)])), expected);
}

#[test]
fn the_same_table_may_be_written_wholly_in_yaml() {
    let yaml = "table: pricing
hit_policy: first
columns:
  risk: number
  -> apr: decimal
rows:
  - { when: { age: < min_age }, then: { apr: 0.999, band: z } }
  - { when: { age: '>= min_age', risk: < 0.05, status: none|below_0 }, then: { apr: 0.129, band: a } }
  - { when: { risk: 0.05..0.15 }, then: { apr: 0.199, band: b } }
  - { then: { apr: 0.299, band: c } }
";
    let built = built(&[("pricing.table.yaml", yaml)]);
    assert_eq!(apr(&built), "approve Some(Decimal(0.199))");
    let files: Vec<String> =
        built.bundle.flow("loan").unwrap().files.iter().map(|file| file.path.to_string()).collect();
    assert!(files.iter().any(|path| path.ends_with("pricing.table.yaml")), "{files:?}");
}

#[test]
fn a_finding_underlines_its_cell() {
    let csv = CSV.replace("< 0.05", "\"< 0,05\"").replace("'b'", "R1b");
    let found = told(&built(&[("pricing.table.csv", &csv)]));
    let expected = "error[T045]: `0,05` is written with another separator
 --> rules/loan/pricing.table.csv:3:15
  |
3 | >= min_age,\"< 0,05\",none|below_0,0.129,a
  |               ^^^^ help: write `0.05`, or declare `decimal_comma: true`
";
    assert!(found.contains(expected), "{found}");
}

#[test]
fn what_is_wrong_with_the_files_is_said_with_its_place() {
    let yaml = "table: pricing\n";
    for (files, code) in [
        (vec![("pricing.table.csv", "")], "B030"),
        (vec![("pricing.table.csv", "age,,-> apr\n-,-,1\n")], "B030"),
        (vec![("pricing.table.csv", "age,-> apr\n-\n")], "B031"),
        (vec![("pricing.table.csv", "age,-> apr\n-,1,2\n")], "B031"),
        (vec![("pricing.table.yaml", yaml)], "B032"),
        (
            vec![
                ("pricing.table.csv", CSV),
                ("pricing.table.yaml", "table: pricing\nrows: [{ then: { apr: 1 } }]\n"),
            ],
            "B032",
        ),
        (
            vec![("pricing.table.yaml", "table: pricing\nseparator: ;\nrows: [{ then: { apr: 1 } }]\n")],
            "B032",
        ),
        (vec![("pricing.table.csv", "age;-> apr\n-;1\n")], "B033"),
        (vec![("pricing.table.csv", "age\t-> apr\n-\t1\n")], "B033"),
        (
            vec![
                ("pricing.table.csv", CSV),
                ("pricing.table.yaml", "table: pricing\ncolumns: { aeg: integer }\n"),
            ],
            "B034",
        ),
        (vec![("pricing.table.csv", CSV), ("pricing.table.yaml", "table: prices\n")], "B004"),
        (
            vec![("pricing.table.csv", CSV), ("pricing.table.yaml", "table: pricing\nhit_policy: any\n")],
            "Y011",
        ),
        (vec![("2.table.csv", CSV)], "B005"),
    ] {
        let built = built(&files);
        assert!(
            built.diagnostics.iter().any(|d| d.code == code),
            "{files:?}\n{code} is not in\n{}",
            told(&built)
        );
        assert!(built.bundle.flow("loan").is_none(), "{files:?}");
    }
}

const CARD: &str = "scorecard: application
base_points: 500
characteristics:
  status:
    - { is: none, points: 55 }
    - { otherwise: true, points: 5, reason: R1 }
  age:
    - { below: min_age, points: 0, reason: R1 }
    - { from: 18, below: 60, points: 40 }
    - { otherwise: true, points: 30 }
  postcode:
    - { missing: true, points: 0 }
    - { in: ['01067', '80331'], points: 7 }
    - { otherwise: true, points: 3 }
";

const CARD_SCRIPT: &str = r#"let card = scorecard("application"); if card.points < 500 { decline(card.reasons); } approve(#{ apr: 0.1 });"#;

#[test]
fn a_scorecard_is_read_and_its_points_are_a_score_that_cases_expect() {
    let cases = "cases:
  - case: a good one
    given: { age: 40, income: 1000, status: none, postcode: '01067' }
    expect: { outcome: approve, scores: { application: 602 } }
  - case: without a postcode
    given: { age: 17, income: 1000, status: none }
    expect: { outcome: approve, scores: { application: 555 } }
  - case: this one does not hold
    given: { age: 70, income: 1000, status: none }
    expect: { scores: { application: 1 } }
";
    let built =
        built(&[("application.scorecard.yaml", CARD), ("flow.rhai", CARD_SCRIPT), ("cases/all.yaml", cases)]);
    assert_eq!(errors(&built), "", "{}", told(&built));
    let report = built.flows.get("loan").unwrap();
    let revision = report.revision.as_ref().unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let (results, _) = cases::run(&Name::from("loan"), revision, &report.cases.cases, now);
    let shown = cases::rendered(&results);
    assert_eq!(results.len(), 3);
    assert!(shown.contains("this one does not hold") && shown.contains("585"), "{shown}");
    assert!(!shown.contains("a good one") && !shown.contains("without a postcode"), "{shown}");
}

#[test]
fn what_is_wrong_with_a_scorecard_is_said_with_its_place() {
    for (from, to, code) in [
        ("{ is: none, points: 55 }", "{ points: 55 }", "B035"),
        ("{ is: none, points: 55 }", "{ is: none, in: [none], points: 55 }", "B035"),
        ("{ is: none, points: 55 }", "{ in: [], points: 55 }", "B035"),
        ("{ is: none, points: 55 }", "{ is: ~, points: 55 }", "Y011"),
        ("{ is: none, points: 55 }", "{ is: none }", "Y010"),
        ("{ is: none, points: 55 }", "{ is: none, point: 55 }", "Y010"),
        ("missing: true", "missing: false", "B035"),
        ("scorecard: application", "scorecard: apply", "B004"),
        ("  age:", "  aeg:", "T004"),
    ] {
        let card = CARD.replace(from, to);
        let built = built(&[("application.scorecard.yaml", &card), ("flow.rhai", CARD_SCRIPT)]);
        assert!(built.diagnostics.iter().any(|d| d.code == code), "{to}: {}", told(&built));
    }
}
