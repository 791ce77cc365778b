//! `tollgate test --mutate` whole: the score of the samples' cases, survivors with their cases, `--write`, `--filter`
//! and `--mutate-min`, as people and programs see them.

use std::process::Output;

use serde_json::Value as Json;

use crate::app::{FLOW, Home};

/// What the cases of the samples notice, at least: a change to them that notices less needs more cases.
const LEAST: &str = "95";

fn mutants(output: &Output) -> Json {
    let whole: Json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    whole["mutants"].clone()
}

fn count(mutants: &Json, of: &str) -> u64 {
    mutants[of].as_u64().unwrap_or_else(|| panic!("no `{of}` in {mutants}"))
}

#[test]
fn the_cases_of_the_samples_notice_nearly_every_change() {
    let home = Home::of_samples();
    let tested = home.run(&["test", "--mutate-min", LEAST, "--format", "json"]);
    let found = mutants(&tested);
    let survivors = found["survivors"].as_array().unwrap();
    assert_eq!(tested.status.code(), Some(0), "{}: {survivors:#?}", found["percent"]);
    assert!(count(&found, "total") > 700 && count(&found, "equivalent") > 30, "{found}");
    // Whatever a case can be found for is a case that is missing.
    let missing: Vec<&Json> = survivors.iter().filter(|one| !one["case"].is_null()).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn survivors_come_with_cases_that_are_written_hold_and_notice() {
    let home = Home::new();
    // One small set of rules is enough to be changed, and a case that asks little.
    let rules = "rule_set: knockout\nrules:\n  - { id: under_age, when: age < min_age, outcome: decline, reason: R101 }\n  \
                 - { id: too_much, when: amount > max_amount, outcome: decline, reason: R102 }\n";
    home.write("rules/personal_loan/knockout.rules.yaml", rules);
    for file in ["affordability", "score"] {
        std::fs::remove_file(home.path(&format!("rules/personal_loan/cases/{file}.yaml"))).unwrap();
    }
    let minor = "like: good_applicant\nat: 2026-11-22T10:00:00Z\ncases:\n  - { case: a minor, given: { age: 17 }, models: { default_risk: 0.01 }, expect: { outcome: decline } }\n  \
                 - { case: of age, given: { age: 18 }, models: { default_risk: 0.01 }, expect: { outcome: approve } }\n";
    home.write("rules/personal_loan/cases/knockout.yaml", minor);

    let before = mutants(&home.run(&["test", FLOW, "--mutate", "--format", "json"]));
    let (total, caught) = (count(&before, "total"), count(&before, "caught"));
    assert!(total > 50 && caught > 5 && caught < total, "{before}");
    let survivor = &before["survivors"][0];
    for key in ["flow", "operator", "change", "file", "line", "column", "markets", "is_reached", "unexpected"]
    {
        assert!(!survivor[key].is_null(), "no `{key}` in {survivor}");
    }

    let too_little = home.run(&["test", FLOW, "--mutate-min", "99.5"]);
    let said = String::from_utf8_lossy(&too_little.stdout).into_owned();
    assert_eq!(too_little.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("mutants: {caught} of {total} are noticed by a case")), "{said}");
    assert!(said.contains("that is below the 99.5% that `--mutate-min` asks for"), "{said}");
    assert!(said.contains("a case that would:") && said.contains("`--write` adds these cases"), "{said}");

    let one_case = mutants(&home.run(&["test", FLOW, "--mutate", "--filter", "of age", "--format", "json"]));
    assert_eq!(count(&one_case, "total"), total);
    assert!(count(&one_case, "caught") < caught, "{one_case}");

    let written = home.run(&["test", FLOW, "--mutate", "--write"]);
    assert_eq!(written.status.code(), Some(0), "{}", String::from_utf8_lossy(&written.stderr));
    let file = home.path("rules/personal_loan/cases/from_mutants.yaml");
    let cases = std::fs::read_to_string(&file).unwrap();
    assert!(cases.contains("like: good_applicant"), "{cases}");
    let after = mutants(&home.run(&["test", FLOW, "--mutate", "--write", "--format", "json"]));
    assert_eq!(count(&after, "total"), total);
    let hopeless = before["survivors"].as_array().unwrap().iter().filter(|one| one["case"].is_null()).count();
    assert!(count(&after, "caught") > caught, "{after}");
    assert!(after["survivors"].as_array().unwrap().len() <= hopeless, "{after:#}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), cases, "nothing is written twice");
}
