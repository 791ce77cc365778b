//! Coverage of a small flow whose branches are known.

use std::fmt::Write as _;

use super::*;
use crate::bundle::cases::prepared;
use crate::bundle::{Built, Documents, build};

const FLOW: &str = "\
flow: small
inputs:
  age: { type: integer, min: 0, max: 120 }
  town: { type: text, optional: true }
  amount: { type: decimal, min: 0 }
features:
  is_large: amount > 1000 || age > 90
thresholds: { min_age: 18 }
outcomes: [approve, review, decline]
reasons:
  R1: { en: Too young }
  R2: { en: Unknown town }
  R9: { en: To look at }
on_error: { outcome: review, reason: R9 }
";

const SCRIPT: &str = "\
rules(\"young\").apply();
if is_large {
    if table(\"rates\").rate > 0.3 { review(\"R9\"); return; }
}
for n in 0..2 { if scorecard(\"card\").points > 100 { decline(\"R9\"); } }
approve();
";

const RULES: &str = "\
rule_set: young
rules:
  - { id: too_young, when: age < min_age, outcome: decline, reason: R1 }
  - id: known_town
    when: is_given(town) && (town == \"Ghent\" || town in towns)
    outcome: review
    reason: R2
";

const CARD: &str = "\
scorecard: card
base_points: 0
characteristics:
  age:
    - { below: 30, points: 1 }
    - { below: 60, points: 2 }
    - { otherwise: true, points: 3 }
";

const CASES: &str = "\
cases:
  - case: a <child>
    given: { age: 17, amount: 1 }
    expect: { outcome: decline }
  - case: a large amount
    given: { age: 40, amount: 1001, town: Ghent }
    expect: { outcome: review }
  - case: a small one
    given: { age: 41, amount: 5, town: Bruges }
    expect: { outcome: approve }
";

const MARKET: &str = "market: be\nthresholds: { min_age: 16 }\n";

fn built(more: &[(&str, &str)]) -> Built {
    let files = [
        ("rules/small/flow.yaml", FLOW),
        ("rules/small/flow.rhai", SCRIPT),
        ("rules/small/young.rules.yaml", RULES),
        ("rules/small/card.scorecard.yaml", CARD),
        ("rules/small/rates.table.csv", "amount,-> rate\n< 500,0.1\n500..2000,0.2\n>= 2000,0.4\n"),
        ("rules/small/towns.list.csv", "entry\nAntwerp\n"),
        ("rules/small/cases/a.yaml", CASES),
    ];
    let all = files.iter().chain(more).map(|(path, text)| (*path, text.as_bytes()));
    let built = build(&Documents::from_files(all));
    assert!(!built.has_errors(), "{:?}", built.diagnostics);
    built
}

fn covered(built: &Built) -> FlowCoverage {
    let (name, report) = built.flows.first_key_value().unwrap();
    let revision = report.revision.as_ref().unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let runs = prepared(revision, &report.cases.cases, now);
    assert_eq!(runs.len(), report.cases.cases.iter().map(|case| case.markets.len()).sum::<usize>());
    FlowCoverage::of(name, revision, &runs)
}

/// `rule too_young in young@3: hit 1, missed 2`
fn shown(coverage: &FlowCoverage, sources: &[Source], kind: Kind) -> String {
    let mut out = String::new();
    for item in coverage.items.iter().filter(|item| item.kind == kind) {
        let goals: Vec<String> =
            item.goals.iter().map(|goal| format!("{} {}", goal.word, goal.runs.len())).collect();
        let (_, line, column) = written_place(sources, item.place);
        writeln!(out, "{}@{line}:{column}: {}", item.what, goals.join(", ")).unwrap();
    }
    out
}

#[test]
fn everything_is_counted_by_the_cases_that_reach_it() {
    let built = built(&[]);
    let coverage = covered(&built);
    for (kind, expected) in [
        (Kind::Outcome, "approve@9:12: given 1\nreview@9:21: given 1\ndecline@9:29: given 1\n"),
        (Kind::Rule, "too_young in young@3:28: hit 1, missed 2\nknown_town in young@5:11: hit 1, missed 2\n"),
        (
            Kind::Row,
            "row 1 of rates@2:1: answered 0\nrow 2 of rates@3:1: answered 1\nrow 3 of rates@4:1: answered 0\n",
        ),
        (
            Kind::Bin,
            "bin 1 of age in card@5:9: taken 1\nbin 2 of age in card@6:9: taken 2\n\
             bin 3 of age in card@7:9: taken 0\n",
        ),
        (
            Kind::Branch,
            "flow.rhai@2:4: taken 1, passed over 2\nflow.rhai@3:8: taken 0, passed over 1\n\
             flow.rhai@5:20: taken 0, passed over 3\n",
        ),
        (
            Kind::Condition,
            "feature is_large@7:13: true 1, false 2\nfeature is_large@7:30: true 0, false 2\n\
             rule known_town in young@5:11: true 2, false 1\nrule known_town in young@5:30: true 1, false 1\n",
        ),
        (Kind::List, "towns in rule known_town in young@5:49: found 0, not found 1\n"),
        (Kind::Return, "flow.rhai@3:50: reached 0\n"),
        (Kind::Fallback, "on_error@14:22: used 0\n"),
        (Kind::Reason, "R1@11:3: given 1\nR2@12:3: given 1\nR9@13:3: given 0\n"),
        (Kind::Feature, "is_large@7:13: read 3\n"),
        (Kind::Arm, ""),
    ] {
        assert_eq!(shown(&coverage, &built.sources, kind), expected, "{kind:?}");
    }
    let records = shown(&coverage, &built.sources, Kind::Record);
    assert_eq!(records.matches("reached 3").count(), 2, "{records}");
    assert_eq!(records.matches("reached 0").count(), 2, "{records}");
    assert_eq!(shown(&coverage, &built.sources, Kind::Loop).matches("entered 3").count(), 1);
}

#[test]
fn what_no_case_reaches_is_listed_with_its_place_the_worst_first() {
    let built = built(&[]);
    let coverage = covered(&built);
    let text = text(std::slice::from_ref(&coverage), &built.sources);
    let (_, lacking) = text.split_once("not reached:\n").unwrap();
    let lines: Vec<&str> = lacking.lines().map(str::trim).collect();
    assert_eq!(lines[0], "rules/small/rates.table.csv:2 row 1 of rates: never answered");
    assert!(lines.contains(&"rules/small/flow.rhai:3 branch in flow.rhai: never taken"), "{text}");
    assert!(lines.contains(&"rules/small/flow.yaml:14 on_error: never used"), "{text}");
    let count = coverage.count();
    let open: usize = coverage.items.iter().map(|item| item.goals.len() - item.reached()).sum();
    assert_eq!(count.all - count.reached, open);
    let body = body(&[coverage], &built.sources);
    assert!(body.percent < 100.0 && body.percent > 50.0, "{}", body.percent);
}

#[test]
fn a_market_counts_what_its_own_cases_reach() {
    let case = "cases:\n  - case: sixteen\n    market: be\n    given: { age: 16, amount: 1 }\n    expect: { outcome: approve }\n";
    let built = built(&[("rules/small/markets/be.yaml", MARKET), ("rules/small/cases/be.yaml", case)]);
    let coverage = covered(&built);
    let in_market = |market: &str| coverage.count_in(&Name::from(market));
    assert!(in_market("be").reached < in_market(BASE).reached);
    assert_eq!(in_market("be").all, in_market(BASE).all);
    assert!(coverage.items.iter().all(|item| item.markets.len() == 2), "the overlay changes only a number");
}

#[test]
fn the_tracefile_says_how_many_cases_reach_each_line_and_branch() {
    let built = built(&[]);
    let trace = lcov(&[covered(&built)], &built.sources);
    let of_rules = trace.split("end_of_record").find(|part| part.contains("young.rules.yaml")).unwrap();
    assert_eq!(
        of_rules.trim(),
        "TN:\nSF:rules/small/young.rules.yaml\nBRDA:3,0,0,1\nBRDA:3,0,1,2\nBRDA:5,0,0,1\nBRDA:5,0,1,2\n\
         BRDA:5,1,0,2\nBRDA:5,1,1,1\nBRDA:5,2,0,1\nBRDA:5,2,1,1\nBRDA:5,3,0,0\nBRDA:5,3,1,1\nBRF:10\nBRH:9\n\
         DA:3,3\nDA:5,3\nLF:2\nLH:2"
    );
    let of_table = trace.split("end_of_record").find(|part| part.contains("rates.table.csv")).unwrap();
    assert!(of_table.contains("DA:2,0\nDA:3,1\nDA:4,0\nLF:3\nLH:1"), "{of_table}");
}

#[test]
fn the_page_marks_every_source_and_needs_nothing_else() {
    let built = built(&[]);
    let page = page(&[covered(&built)], &built.sources);
    assert!(page.contains("a &lt;child&gt;") && !page.contains("a <child>"), "names are escaped");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
    let rows = page.split("<tr>").filter(|row| row.contains("class=\"code\"")).collect::<Vec<_>>();
    let of_rule = rows.iter().find(|row| row.contains("age &lt; min_age")).unwrap();
    insta::assert_snapshot!("line_of_a_rule", of_rule);
    let of_row = rows.iter().find(|row| row.contains("&gt;= 2000")).unwrap();
    assert!(of_row.contains("class=\"never\""), "{of_row}");
}

#[test]
fn looking_on_changes_no_verdict() {
    let built = built(&[]);
    let report = built.flows.values().next().unwrap();
    let revision = report.revision.as_ref().unwrap();
    for run in prepared(revision, &report.cases.cases, "2026-11-22T12:00:00Z".parse().unwrap()) {
        let (watched, _) = Evidence::of(&revision.flow, &run);
        assert_eq!(watched, run.verdict(&revision.flow));
    }
}
