//! `tollgate test --mutate` whole: the score of the samples' cases, survivors with their cases, `--write`, `--filter`
//! and `--mutate-min`, as people and programs see them.

use std::process::Output;

use serde_json::Value as Json;

use crate::app::Home;

/// What the cases of the samples notice, at least: a change to them that notices less needs more cases.
const LEAST: &str = "95";

const FLOW: &str = "\
flow: tiny
inputs: { age: { type: integer, min: 0, max: 120 }, amount: { type: decimal, min: 0, max: 1000 } }
thresholds: { min_age: 18, max_amount: 900 }
outcomes: [approve, review, decline]
reasons: { R1: { en: Too young }, R2: { en: Too much }, R3: { en: To be looked at } }
on_error: { outcome: review, reason: R3 }
";
const RULES: &str = "\
rule_set: knockout
rules:
  - { id: under_age, when: age < min_age, outcome: decline, reason: R1 }
  - { id: too_much, when: amount > max_amount, outcome: decline, reason: R2 }
";
const CASES: &str = "\
like: adult
cases:
  - { case: a minor, given: { age: 17 }, expect: { outcome: decline } }
  - { case: of age, given: { age: 18 }, expect: { outcome: approve } }
";

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
    let write = |file: &str, text: &str| home.write(&format!("rules/tiny/{file}"), text);
    write("flow.yaml", FLOW);
    write("flow.rhai", "rules(\"knockout\").apply();\nif amount > 500 { review(\"R3\"); }\napprove();\n");
    write("knockout.rules.yaml", RULES);
    write("cases/_facts.yaml", "adult: { age: 40, amount: 5 }\n");
    write("cases/a.yaml", CASES);

    let before = mutants(&home.run(&["test", "tiny", "--mutate", "--format", "json"]));
    let (total, caught) = (count(&before, "total"), count(&before, "caught"));
    assert!(total > 15 && caught > 5 && caught < total, "{before}");
    let survivor = &before["survivors"][0];
    for key in ["flow", "operator", "change", "file", "line", "column", "markets", "is_reached", "unexpected"]
    {
        assert!(!survivor[key].is_null(), "no `{key}` in {survivor}");
    }

    let too_little = home.run(&["test", "tiny", "--mutate-min", "99.5"]);
    let said = String::from_utf8_lossy(&too_little.stdout).into_owned();
    assert_eq!(too_little.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("mutants: {caught} of {total} are noticed by a case")), "{said}");
    assert!(said.contains("that is below the 99.5% that `--mutate-min` asks for"), "{said}");
    assert!(said.contains("a case that would:") && said.contains("`--write` adds these cases"), "{said}");

    let one_case =
        mutants(&home.run(&["test", "tiny", "--mutate", "--filter", "of age", "--format", "json"]));
    assert_eq!(count(&one_case, "total"), total);
    assert!(count(&one_case, "caught") < caught, "{one_case}");

    let written = home.run(&["test", "tiny", "--mutate", "--write"]);
    assert_eq!(written.status.code(), Some(0), "{}", String::from_utf8_lossy(&written.stderr));
    let file = home.path("rules/tiny/cases/from_mutants.yaml");
    let cases = std::fs::read_to_string(&file).unwrap();
    assert!(cases.contains("like: adult"), "{cases}");
    let after = mutants(&home.run(&["test", "tiny", "--mutate", "--write", "--format", "json"]));
    assert_eq!(count(&after, "total"), total);
    let hopeless = before["survivors"].as_array().unwrap().iter().filter(|one| one["case"].is_null()).count();
    assert!(count(&after, "caught") > caught, "{after}");
    assert!(after["survivors"].as_array().unwrap().len() <= hopeless, "{after:#}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), cases, "nothing is written twice");
}
