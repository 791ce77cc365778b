//! Boundaries and properties on a flow that is small enough to be worked out by hand.

use std::sync::Arc;

use jiff::Timestamp;

use super::boundaries::{Boundary, lacking};
use super::properties::{Held, PropertyResult, Trying, tasks};
use crate::bundle::{Built, Documents, build, cases};
use crate::documents::findings::{Colour, rendered};
use crate::domain::value::Name;

const FLOW: &str = "\
flow: loan
inputs:
  age: { type: integer, min: 0, max: 120 }
  income: { type: decimal, min: 0, max: 100000 }
  amount: { type: decimal, min: 1, max: 50000 }
  home: { type: choice, of: [rent, own, free] }
  since: { type: date, optional: true }
  job: { type: text, optional: true }
features:
  share: amount / max(income, 1)
thresholds: { min_age: 18, max_share: 0.40 }
outputs: { limit: { type: decimal, min: 0 } }
outcomes: [approve, review, decline]
reasons:
  R1: { en: Too young }
  R2: { en: Too much }
  R3: { en: Not owned }
  R9: { en: Somebody looks }
on_error: { outcome: review, reason: R9 }
";

const RULES: &str = "\
rule_set: knockout
rules:
  - { id: young, when: age < min_age, outcome: decline, reason: R1 }
  - { id: heavy, when: share > max_share, outcome: review, reason: R2 }
  - { id: new_tenant, when: 'home == \"rent\" && is_given(since) && since > date(\"2024-06-30\")', outcome: review, reason: R3 }
";

const SCRIPT: &str = "rules(\"knockout\").apply();\napprove(#{ limit: min(amount, income) });\n";

const FACTS: &str = "\
good: { age: 40, income: 3000, amount: 1000, home: own, since: 2020-01-31 }
tenant: { age: 40, income: 3000, amount: 1000, home: rent, since: 2020-01-31 }
";

const CASES: &str = "\
at: 2026-01-31T12:00:00Z
cases:
  - { case: a good one, like: good, expect: { outcome: approve } }
  - { case: a minor, like: good, given: { age: 17 }, expect: { outcome: decline, reasons: [R1] } }
  - { case: a tenant, like: tenant, expect: { outcome: approve } }
";

fn built(files: &[(&str, &str)]) -> Built {
    let whole = [
        ("flow.yaml", FLOW),
        ("flow.rhai", SCRIPT),
        ("knockout.rules.yaml", RULES),
        ("cases/_facts.yaml", FACTS),
        ("cases/a.yaml", CASES),
    ];
    let mut documents = Documents::default();
    for (path, text) in whole.iter().chain(files) {
        documents.files.insert(format!("rules/loan/{path}"), Arc::from(text.as_bytes()));
    }
    let built = build(&documents);
    assert_eq!(rendered(&built.diagnostics, &built.sources, Colour::Never), "");
    built
}

fn at() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn found(built: &Built) -> (Vec<Boundary>, String) {
    let report = &built.flows["loan"];
    let found = lacking(report.revision.as_ref().unwrap(), &report.cases, at());
    let entries: String =
        found.iter().map(|boundary| boundary.new_case(at()).yaml(&report.cases.sets)).collect();
    (found, format!("at: {}\ncases:\n{entries}", at()))
}

#[test]
fn boundaries_are_found_to_the_step_and_written_as_cases_that_hold() {
    let first = built(&[]);
    let (boundaries, yaml) = found(&first);
    // The case `a minor` shows the side below already: only the other side is lacking.
    for expected in [
        "given: { age: 18 }",
        // 1000 of 2500 are 0.40: not more than the threshold; of a cent less it is more.
        "given: { income: 2500 }",
        "given: { income: 2499.99 }",
        "given: { since: 2024-06-30 }",
        "given: { since: 2024-07-01 }",
        "without: [since]",
        "given: { home: free }",
    ] {
        assert!(yaml.contains(expected), "{expected} is not in\n{yaml}");
    }
    assert!(!yaml.contains("age: 17") && !yaml.contains("job"), "shown already, or read by nothing:\n{yaml}");
    assert_eq!(yaml.matches("generated: true").count(), boundaries.len());

    let second = built(&[("cases/generated.yaml", &yaml)]);
    let report = &second.flows["loan"];
    let revision = report.revision.as_ref().unwrap();
    let (results, coverage) = cases::run(&Name::from("loan"), revision, &report.cases.cases, at());
    assert_eq!(cases::rendered(&results), "", "they carry today's answers");
    assert_eq!(results.iter().filter(|result| result.is_generated).count(), boundaries.len());
    assert!(coverage.never_hit().is_empty(), "every rule is hit by one of them");
    // A new case is somebody known too, and may have a boundary of its own; then there is nothing to add.
    let (more, added) = found(&second);
    let entries = added.split_once("cases:\n").unwrap().1;
    let third = built(&[("cases/generated.yaml", &format!("{yaml}{entries}"))]);
    assert!(more.len() <= 1, "{added}");
    assert_eq!(found(&third).0.len(), 0, "another run has nothing to add");
}

fn held(property: &str) -> PropertyResult {
    let flow = format!("{FLOW}properties:\n  - {property}\n");
    let built = built(&[("flow.yaml", &flow)]);
    let report = &built.flows["loan"];
    let name = Name::from("loan");
    let tasks = tasks(&name, report.revision.as_ref().unwrap(), &report.cases);
    let trying = Trying { now: at(), made_up: 200, more: &[] };
    assert_eq!(tasks.len(), 1);
    let (first, again) = (tasks[0].run(&trying).unwrap(), tasks[0].run(&trying).unwrap());
    assert_eq!(format!("{first:?}"), format!("{again:?}"), "the same in every run");
    first
}

#[track_caller]
fn counterexample(property: &str) -> (String, String) {
    match held(property).held {
        Held::Broken(found) => (found.what, found.cases),
        other => panic!("{property}: {other:?}"),
    }
}

#[test]
fn properties_that_are_so_hold_and_what_nothing_reads_is_proved() {
    for property in [
        "{ more: income, never: stricter }",
        "{ more: amount, never: milder }",
        "{ more: amount, never: { lower: limit } }",
        "{ more: age, never: stricter }",
        "{ when: share > max_share, always: outcome == \"review\" || outcome == \"decline\" }",
        "{ always: output.limit <= amount }",
    ] {
        let result = held(property);
        assert!(matches!(result.held, Held::NotBroken), "{property}: {:?}", result.held);
        // A guard leaves only those whom it is about.
        assert!(result.tried > 50, "{property}: {} trials", result.tried);
    }
    assert!(matches!(held("{ ignores: [job] }").held, Held::Proved(_)));
}

/// Proved where the rule hits all of them, broken where it misses some: nothing in between is left to trying.
#[test]
fn what_a_rule_that_is_applied_first_says_is_proved_to_the_step() {
    for top in 1..30 {
        let result = held(&format!("{{ when: age < {top}, always: outcome == \"decline\" }}"));
        match result.held {
            Held::Proved(why) => {
                assert!(top <= 18, "{top}");
                assert_eq!(
                    why,
                    "the rule `young` of `knockout` hits whenever that is so, and nothing is stricter"
                );
            }
            Held::Broken(_) => assert!(top > 18, "{top}"),
            other => panic!("{top}: {other:?}"),
        }
    }
    let is_proved = |property: &str| matches!(held(property).held, Held::Proved(_));
    assert!(is_proved("{ when: age < min_age && amount > income, always: outcome == \"decline\" }"));
    assert!(is_proved("{ when: age <= 10 || age == 12, always: '\"decline\" == outcome' }"));
    // A review is not the strictest: what comes later may be.
    assert!(!is_proved(
        "{ when: share > max_share, always: outcome == \"review\" || outcome == \"decline\" }"
    ));
    // What follows `return` is not applied for all.
    let script = format!("if amount > 40000 {{ review(\"R2\"); return; }}\n{SCRIPT}");
    let flow = format!("{FLOW}properties:\n  - {{ when: age < 18, always: outcome == \"decline\" }}\n");
    let built = built(&[("flow.yaml", &flow), ("flow.rhai", &script)]);
    let report = &built.flows["loan"];
    let name = Name::from("loan");
    let all = tasks(&name, report.revision.as_ref().unwrap(), &report.cases);
    let result = all[0].run(&Trying { now: at(), made_up: 2000, more: &[] }).unwrap();
    assert!(!matches!(result.held, Held::Proved(_)), "{:?}", result.held);
}

#[test]
fn what_breaks_a_property_is_shrunk_to_what_it_takes() {
    let (what, cases) = counterexample("{ more: amount, never: stricter }");
    assert_eq!(
        what,
        "with amount 1200 the answer is approve with limit 1200, with amount 1200.01 it is review (R2)"
    );
    let expected = "\x20 - case: \"more amount, never stricter - with amount 1200\"
    like: good
    at: 2026-01-31T12:00:00Z
    given: { amount: 1200 }
    expect: { outcome: approve, reasons: [], output: { limit: 1200 } }
  - case: \"more amount, never stricter - with amount 1200.01\"
    like: good
    at: 2026-01-31T12:00:00Z
    given: { amount: 1200.01 }
    expect: { outcome: approve, reasons: [], output: { limit: 1200 } }
";
    assert_eq!(cases, expected);

    let (what, cases) = counterexample("{ ignores: [home] }");
    assert!(what.contains("home rent") && what.contains("review (R3)"), "{what}");
    let second = cases.split("- case:").nth(2).unwrap();
    assert!(second.matches(':').count() < 14 && !second.contains("amount:"), "nothing besides:\n{cases}");

    let (what, cases) = counterexample("{ when: age >= 18, always: outcome == \"approve\" }");
    assert!(what.contains("review (R"), "{what}");
    assert_eq!(cases.matches("- case:").count(), 1, "{cases}");

    let (what, _) = counterexample("{ more: age, never: milder }");
    assert!(what.starts_with("with age 17 the answer is decline (R1), with age 18 it is approve"), "{what}");
}

#[test]
fn a_property_that_cannot_be_evaluated_says_why() {
    match held("{ always: 1 / (income - income) > 0 }").held {
        Held::Failed(why) => assert!(why.starts_with("division_by_zero"), "{why}"),
        other => panic!("{other:?}"),
    }
}
