//! Known changes of small flows: which are noticed, which are not and by what they would be, which cannot matter.

mod of_points;

use std::num::NonZeroUsize;

use rust_decimal::Decimal;

use super::axes::with;
use super::*;
use crate::bundle::cases::Case;
use crate::bundle::{Built, Documents, FlowRevision, build, read_folder};
use crate::domain::analysis::same::{Compiled, answers_alike};
use crate::domain::facts::Given;
use crate::domain::flow::constants::constants;
use crate::domain::flow::{Budget, Flow, Input};
use crate::domain::value::Kind;
use crate::learn::library::ModelLibrary;
use crate::trial::applicant::Dice;

const HEAD: &str = "\
flow: small
inputs:
  age: { type: integer, min: 0, max: 120 }
  amount: { type: decimal, min: 0, max: 1000 }
  home: { type: choice, of: [rent, own] }
  town: { type: text, optional: true }
outcomes: [approve, review, decline]
reasons: { R1: { en: One }, R2: { en: Two }, R9: { en: Look } }
on_error: { outcome: review, reason: R9 }
";

fn built(files: &[(&str, &str)]) -> Built {
    let flow = files.iter().find(|(path, _)| *path == "flow.yaml").map_or("", |(_, text)| text);
    let flow = format!("{HEAD}{flow}");
    let rest = files.iter().filter(|(path, _)| *path != "flow.yaml");
    let all = rest.map(|(path, text)| (format!("rules/small/{path}"), text.as_bytes()));
    let all = all.chain([("rules/small/flow.yaml".to_owned(), flow.as_bytes())]);
    let built = build(&Documents::from_files(all));
    assert!(!built.has_errors(), "{:#?}", built.diagnostics);
    built
}

fn tried_with(built: &Built, flow: &str) -> Found {
    let (name, report) = built.flows.get_key_value(flow).unwrap();
    let all: Vec<&Case> = report.cases.cases.iter().collect();
    let cases = Cases {
        cases: &all,
        sets: &report.cases.sets,
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        threads: NonZeroUsize::new(2).unwrap(),
    };
    mutate(name, report.revision.as_ref().unwrap(), cases, &built.bundle.models, &|_| {}).unwrap()
}

fn tried(files: &[(&str, &str)]) -> Found {
    tried_with(&built(files), "small")
}

fn has(all: &[Tried], change: &str) -> bool {
    all.iter().any(|tried| tried.change == change)
}

#[track_caller]
fn survivor<'f>(found: &'f Found, change: &str) -> &'f Survivor {
    let all = || found.survivors.iter().map(|one| one.change.clone()).collect::<Vec<_>>();
    found.survivors.iter().find(|one| one.change == change).unwrap_or_else(|| {
        let where_else = (has(&found.caught, change), has(&found.equivalent, change));
        panic!("`{change}` is not among {:#?}; caught, equivalent: {where_else:?}", all())
    })
}

/// Changes that must be noticed, survive, and be proved not to matter.
#[track_caller]
fn check(files: &[(&str, &str)], caught: &[&str], survive: &[&str], equivalent: &[&str]) {
    let found = tried(files);
    for change in caught {
        assert!(has(&found.caught, change), "`{change}` is not among {:#?}", found.caught);
    }
    for change in survive {
        let one = survivor(&found, change);
        assert!(one.case.is_some(), "no case was found for `{change}`");
    }
    for change in equivalent {
        assert!(has(&found.equivalent, change), "`{change}` is not among {:#?}", found.equivalent);
    }
}

const RULES: &str = "\
rule_set: young
rules:
  - { id: young, when: age < min_age, outcome: decline, reason: R1, points: 5 }
  - { id: rich, when: 'amount >= 500 && home == \"own\"', outcome: review, reason: R2 }
  - { id: old, when: age > 120, outcome: decline, reason: R2 }
";
const THRESHOLDS: &str = "thresholds: { min_age: 18, unread: 5 }\n";
const SCRIPT: &str = "rules(\"young\").apply();\nif age == 50 { review(\"R9\"); return; }\napprove();\n";

#[test]
fn thresholds_and_rules_are_changed_one_step_at_a_time() {
    let cases = "\
cases:
  - { case: seventeen, given: { age: 17, amount: 1, home: rent }, expect: { outcome: decline } }
  - { case: eighteen, given: { age: 18, amount: 1, home: rent }, expect: { outcome: approve } }
  - { case: owner, given: { age: 40, amount: 600, home: own }, expect: { outcome: review, reasons: [R2] } }
";
    check(
        &[
            ("flow.yaml", THRESHOLDS),
            ("flow.rhai", SCRIPT),
            ("young.rules.yaml", RULES),
            ("cases/a.yaml", cases),
        ],
        &[
            "min_age: 18 → 17",
            "min_age: 18 → 19",
            "rule young: age < min_age → age <= min_age",
            "rule young: age < min_age → !(age < min_age)",
            "drop rule young",
            "rule young: outcome decline → review",
            "rule rich: reason R2 → R9",
            "rule rich: home == \"own\" → home != \"own\"",
            "drop `approve()`",
            "age == 50 → age != 50",
            "drop `rules(\"young\").apply()`",
        ],
        &[
            "rule rich: 500 → 499",
            "rule rich: 500 → 501",
            "rule rich: amount >= 500 → amount > 500",
            "rule young: reason R1 → R2",
            "review(\"R9\") → decline(\"R9\")",
            "\"R9\" → \"R1\"",
            "drop `review(\"R9\")`",
            "50 → 51",
        ],
        &[
            "unread: 5 → 4",
            "unread: 5 → 6",
            "rule old: 120 → 121",
            "drop rule old",
            "rule old: outcome decline → review",
        ],
    );
}

#[test]
fn an_expectation_that_is_missing_is_named_with_the_case_that_lacks_it() {
    let cases = "cases:\n  - { case: minor, given: { age: 17, amount: 1, home: rent }, expect: { outcome: decline } }\n";
    let found = tried(&[
        ("flow.yaml", THRESHOLDS),
        ("flow.rhai", SCRIPT),
        ("young.rules.yaml", RULES),
        ("cases/a.yaml", cases),
    ]);
    let one = survivor(&found, "rule young: reason R1 → R2");
    assert!(one.is_reached);
    let weak = one.weak.first().unwrap();
    assert_eq!((weak.case.as_str(), weak.line, weak.expect.as_str()), ("minor", 2, "reasons: [R1]"));
    let other = survivor(&found, "rule rich: 500 → 501");
    assert!(other.weak.is_empty() && other.is_reached);
}

const TABLE: &str = "amount,home,-> outcome,-> reason\n< 100,-,approve,missing\n100..200,own,review,R1\n>= 100,own,decline,R2\n-,rent,review,R9\n";

#[test]
fn tables_are_changed_cell_by_cell() {
    let cases = "\
cases:
  - { case: little, given: { age: 1, amount: 99, home: own }, expect: { outcome: approve } }
  - { case: some, given: { age: 1, amount: 100, home: own }, expect: { outcome: review, reasons: [R1] } }
  - { case: much, given: { age: 1, amount: 999, home: own }, expect: { outcome: decline } }
";
    check(
        &[("flow.rhai", "table(\"t\").apply();"), ("t.table.csv", TABLE), ("cases/a.yaml", cases)],
        &[
            "row 1 of t: amount < 100 → <= 100",
            "row 2 of t: amount 100..200 → (100..200)",
            "row 2 of t: outcome review → decline",
            "row 2 of t: reason R1 → R2",
            "drop row 1 of t",
            "drop row 3 of t",
        ],
        &[
            "row 2 of t: amount 100..200 → [100..201)",
            "row 2 of t: amount 100..200 → [100..200]",
            "row 3 of t: reason R2 → R9",
            "row 4 of t: outcome review → decline",
            "drop row 4 of t",
        ],
        // What the row before it answers.
        &["row 3 of t: amount >= 100 → > 100", "row 3 of t: amount >= 100 → >= 101"],
    );
}

const CARD: &str = "\
scorecard: card
base_points: 10
characteristics:
  age:
    - { below: 0, points: 9 }
    - { below: 30, points: 1, reason: R1 }
    - { from: 30, below: 60, points: 9 }
    - { otherwise: true, points: 4 }
";

#[test]
fn scorecards_are_changed_bin_by_bin() {
    let cases = "\
cases:
  - { case: twenty, given: { age: 20, amount: 1, home: own }, expect: { outcome: review, scores: { card: 11 } } }
  - { case: thirty, given: { age: 30, amount: 1, home: own }, expect: { outcome: approve, scores: { card: 19 } } }
";
    check(
        &[
            (
                "flow.rhai",
                "let c = scorecard(\"card\");\nif c.points < 15 { review(c.reasons, \"R9\"); }\napprove();",
            ),
            ("card.scorecard.yaml", CARD),
            ("cases/a.yaml", cases),
        ],
        &[
            "scorecard card: base_points 10 → 11",
            "bin 2 of age in card: points 1 → 2",
            "bin 3 of age in card: from 30 → 31",
            "drop bin 2 of age in card",
        ],
        &[
            "bin 2 of age in card: below 30 → 29",
            "bin 3 of age in card: below 60 → 61",
            "bin 4 of age in card: points 4 → 5",
            "bin 2 of age in card: reason R1 → R2",
        ],
        &["bin 1 of age in card: below 0 → -1", "drop bin 1 of age in card"],
    );
}

#[test]
fn rules_under_first_that_nothing_reaches_cannot_matter() {
    let rules = "\
rule_set: r
hit_policy: first
rules:
  - { id: a, when: age >= 18, outcome: approve }
  - { id: b, when: age >= 21, outcome: review, reason: R1 }
  - { id: c, when: age < 18, outcome: decline, reason: R2 }
";
    let cases =
        "cases:\n  - { case: c, given: { age: 17, amount: 1, home: own }, expect: { outcome: decline } }\n";
    check(
        &[("flow.rhai", "rules(\"r\").apply();"), ("r.rules.yaml", rules), ("cases/a.yaml", cases)],
        &["rule a: 18 → 17", "drop rule c", "rule c: 18 → 17"],
        &["rule a: 18 → 19", "drop rule a"],
        &[
            "rule b: 21 → 20",
            "rule b: 21 → 22",
            "drop rule b",
            "rule c: 18 → 19",
            "rule c: age < 18 → age <= 18",
        ],
    );
}

#[test]
fn what_survives_comes_with_a_case_that_checks_holds_and_notices() {
    let files = [
        ("flow.yaml", THRESHOLDS),
        ("flow.rhai", SCRIPT),
        ("young.rules.yaml", RULES),
        ("cases/_facts.yaml", "good: { age: 40, amount: 5, home: rent }\n"),
        ("cases/a.yaml", "like: good\ncases:\n  - { case: good, expect: { outcome: approve } }\n"),
    ];
    let before = tried(&files);
    assert!(before.survivors.len() > 10 && !before.cases.is_empty());
    let text = append(None, &before.cases);
    let more: Vec<(&str, &str)> =
        files.iter().copied().chain([("cases/from_mutants.yaml", text.as_str())]).collect();
    // It checks, its cases hold (else there would be no mutants to try), and they notice what survived.
    let after = tried(&more);
    assert_eq!(after.total(), before.total());
    let open: Vec<&str> = after.survivors.iter().map(|one| one.change.as_str()).collect();
    let hopeless: Vec<&str> =
        before.survivors.iter().filter(|one| one.case.is_none()).map(|one| one.change.as_str()).collect();
    assert_eq!(open, hopeless, "{text}");
    assert!(text.contains("like: good"), "{text}");
    assert_eq!(append(Some(&text), &before.cases), text, "nothing is written twice");
}

#[test]
fn cases_that_do_not_hold_tell_nothing() {
    let cases = "cases:\n  - { case: wrong, given: { age: 1, amount: 1, home: own }, expect: { outcome: decline } }\n";
    let built = built(&[("flow.rhai", "approve();"), ("cases/a.yaml", cases)]);
    let (name, report) = built.flows.first_key_value().unwrap();
    let all: Vec<&Case> = report.cases.cases.iter().collect();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let cases = Cases { cases: &all, sets: &report.cases.sets, now, threads: NonZeroUsize::MIN };
    let revision = report.revision.as_ref().unwrap();
    let failing = mutate(name, revision, cases, &ModelLibrary::default(), &|_| {}).unwrap_err();
    assert_eq!(failing.cases, 1);
}

/// Facts at random, near the constants of the flow.
fn random_facts(flow: &Flow, rng: &mut Dice) -> Given {
    let numbers: Vec<Decimal> = constants(flow).numbers.into_iter().collect();
    let texts: Vec<String> = constants(flow).texts.iter().map(ToString::to_string).collect();
    let mut facts = Given::Map(Vec::new());
    let pick = |rng: &mut Dice, of: usize| rng.below(of);
    for Input { name, kind, optional, min, max, .. } in &flow.inputs {
        if *optional && pick(rng, 3) == 0 {
            continue;
        }
        let bounds = [min, max]
            .into_iter()
            .flatten()
            .filter_map(|v| format!("{v:?}").split(['(', ')']).nth(1)?.parse().ok());
        let mut near: Vec<Decimal> = numbers.iter().copied().chain(bounds).collect();
        near.push(Decimal::ONE);
        let at = pick(rng, near.len());
        let step = [Decimal::NEGATIVE_ONE, Decimal::ZERO, Decimal::ONE, Decimal::new(1, 2)][pick(rng, 4)];
        let value = match kind {
            Kind::Boolean => Given::Boolean(pick(rng, 2) == 0),
            Kind::Integer => Given::Number((near[at] + step.trunc()).trunc().to_string()),
            Kind::Decimal | Kind::Number => Given::Number((near[at] + step).to_string()),
            Kind::Choice(of) => Given::Text(of[pick(rng, of.len())].to_string()),
            Kind::Text if texts.is_empty() => Given::Text("x".to_owned()),
            Kind::Text => Given::Text(texts[pick(rng, texts.len())].clone()),
            _ => continue,
        };
        facts = with(&facts, &[name.to_string()], Some(value));
    }
    facts
}

/// How many of the changes that are called equivalent were tried, and on how many facts that the flow admits.
fn equivalents_differ_nowhere(
    revision: &FlowRevision,
    library: &ModelLibrary,
    tries: usize,
) -> (usize, usize) {
    let mut rng = Dice::of(&revision.flow.name);
    let at = "2026-11-22T12:00:00Z".parse().unwrap();
    let (mut changes, mut admitted) = (0, 0);
    for mutant in mutants::of(revision, library) {
        let Some(declaration) = mutant.change.made(&revision.declaration) else { continue };
        let Some(flow) = Flow::compile_unanalysed(&declaration) else { continue };
        let one = Compiled { flow: &revision.flow, declaration: &revision.declaration };
        if !answers_alike(one, Compiled { flow: &flow, declaration: &declaration }) {
            continue;
        }
        changes += 1;
        for _ in 0..tries {
            let Ok(facts) = revision.flow.admit(&random_facts(&revision.flow, &mut rng)) else { continue };
            admitted += 1;
            let decided = |flow: &Flow| flow.decide(&facts, at, &Budget::default());
            let (original, mutated) = (decided(&revision.flow), decided(&flow));
            assert!(case_text::is_alike(&original, &mutated), "{} on {facts:?}", mutant.shown);
        }
    }
    (changes, admitted)
}

#[test]
fn what_is_called_equivalent_differs_on_no_facts() {
    let built = built(&[
        ("flow.yaml", "thresholds: { min_age: 18, unread: 5 }\nfeatures: { is_old: age > 70 || age > 90 }\n"),
        (
            "flow.rhai",
            "rules(\"young\").apply();\ntable(\"t\").apply();\nif is_old && age > 60 { review(\"R9\"); }\n\
             if scorecard(\"card\").points > 15 { review(\"R1\"); }\napprove();",
        ),
        ("young.rules.yaml", RULES),
        ("t.table.csv", TABLE),
        ("card.scorecard.yaml", CARD),
    ]);
    let revision = built.flows.values().next().unwrap().revision.clone().unwrap();
    let (changes, admitted) = equivalents_differ_nowhere(&revision, &built.bundle.models, 200);
    assert!(changes >= 15 && admitted > 1_000, "{changes} changes, {admitted} facts");
}

#[test]
fn a_script_that_is_written_out_again_is_the_same_script() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = build(&read_folder(&root.join("rules"), &root.join("models")));
    let grammar = crate::domain::script::Grammar::new();
    for report in built.flows.values() {
        let revision = report.revision.as_ref().unwrap();
        for revision in std::iter::once(revision).chain(revision.markets.values()) {
            let mut declaration = (*revision.declaration).clone();
            let program = grammar.program(&declaration.script).unwrap();
            declaration.script.value = crate::domain::script::written_program(&program);
            let flow = Flow::compile_unanalysed(&declaration).unwrap();
            let one = Compiled { flow: &revision.flow, declaration: &revision.declaration };
            assert!(answers_alike(one, Compiled { flow: &flow, declaration: &declaration }));
        }
    }
}
