//! `tollgate test` whole: what decided a case that fails, which cases run, properties, generated cases, JUnit, and
//! running again as files change.

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::app::{FLOW, Home};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn printed(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

#[test]
fn a_case_that_fails_says_what_decided_it() {
    let home = Home::of_samples();
    home.edit("rules/personal_loan/flow.yaml", "min_age: 18", "min_age: 16");
    home.edit("rules/personal_loan/flow.yaml", "max_instalment: 650", "max_instalment: 750");
    let tested = home.run(&["test", FLOW]);
    let shown = text(&tested);
    assert_eq!(code(&tested), 1);
    for expected in [
        "rule `under_age` in knockout gives R101, and missed  (rules/personal_loan/knockout.rules.yaml:6)",
        "`age < min_age` (age = 17, min_age = 16)",
        "the script recorded `approve`  (rules/personal_loan/flow.rhai:",
        "from `instalment_at(high_apr, duration_months, amount)` (high_apr = 0.149, duration_months = 12, amount = 7400)",
    ] {
        assert!(shown.contains(expected), "{expected} is not in\n{shown}");
    }
    let summary = printed(&home.run(&["test", FLOW, "--format", "json"]));
    let decided_by = summary["failures"][0]["decided_by"].as_array().unwrap();
    assert!(!decided_by.is_empty() && summary["elapsed_us"].as_u64().unwrap() > 0, "{summary}");
    let one = home.run(&["test", FLOW, "--threads", "1"]);
    let without_time = |shown: &str| shown.lines().filter(|line| !line.contains(" ms")).collect::<String>();
    assert_eq!(without_time(&text(&one)), without_time(&shown), "threads do not change the order");

    let junit = text(&home.run(&["test", "--format", "junit"]));
    let failures = summary["failed"].as_u64().unwrap();
    assert!(junit.contains(&format!("failures=\"{failures}\"")), "{junit}");
    assert!(
        junit.contains("<testsuite name=\"fraud_check\"") && junit.contains("age &lt; min_age"),
        "{junit}"
    );
}

#[test]
fn steps_that_fail_are_expected_by_name() {
    let home = Home::of_samples();
    let write = |failed: &str| {
        let case = format!(
            "cases:\n  - case: no answer\n    like: good_applicant\n    models: {{ default_risk: fails }}\n    expect: {{ failed: [{failed}] }}\n"
        );
        home.write("rules/personal_loan/cases/failing.yaml", case);
        home.run(&["test", FLOW, "--filter", "failing.yaml"])
    };
    let tested = write("flow.rhai, model default_risk");
    assert_eq!(code(&tested), 0, "{}", text(&tested));
    let tested = write("model default_risk");
    assert!(
        code(&tested) == 1 && text(&tested).contains("- [model default_risk]  (expected)"),
        "{}",
        text(&tested)
    );
    let tested = write("modell default_risk");
    let said = String::from_utf8_lossy(&tested.stderr).into_owned();
    assert!(said.contains("B010") && said.contains("did you mean `model default_risk`?"), "{said}");
}

#[test]
fn a_filter_takes_names_files_and_lines() {
    let home = Home::of_samples();
    let count = |filter: &str| {
        let tested = home.run(&["test", "--filter", filter, "--format", "json"]);
        printed(&tested)["cases"].as_u64().unwrap()
    };
    assert_eq!(count("A MINOR IS DECLINED"), 1);
    assert_eq!(count("personal_loan/cases/knockout.yaml"), 8);
    assert_eq!(count("knockout.yaml:7"), 1, "a line within the first case");
    let none = home.run(&["test", "--filter", "a minr is declined whatever the score"]);
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(code(&none) == 2 && said.contains("did you mean `a minor is declined"), "{said}");
}

#[test]
fn generated_cases_check_hold_and_are_complete() {
    let home = Home::of_samples();
    // The sample's own cases show every boundary: a few of them leave some to be found.
    let own = home.read("rules/fraud_check/cases/signals.yaml");
    let (few, _) = own.split_once("  - case: two are looked at").unwrap();
    home.write("rules/fraud_check/cases/signals.yaml", few);
    let before = printed(&home.run(&["test", "fraud_check", "--format", "json"]))["cases"].as_u64().unwrap();
    let printed_only = text(&home.run(&["test", "fraud_check", "--generate"]));
    assert!(printed_only.contains("generated: true"), "{printed_only}");
    assert!(!home.path("rules/fraud_check/cases/generated.yaml").exists());
    let written = printed(&home.run(&["test", "fraud_check", "--generate", "--write", "--format", "json"]));
    let added = written["generated"].as_u64().unwrap();
    assert!(added > 0, "{written}");
    let file = home.read("rules/fraud_check/cases/generated.yaml");
    assert!(
        file.starts_with("# yaml-language-server: $schema=../../../config/schemas/cases.json\n"),
        "{file}"
    );
    let checked = home.run(&["check"]);
    assert_eq!(code(&checked), 0, "{}", text(&checked));
    let tested = home.run(&["test", "fraud_check", "--format", "json"]);
    let summary = printed(&tested);
    assert_eq!((code(&tested), &summary["failed"]), (0, &json!(0)), "{summary}");
    assert_eq!((summary["cases"].as_u64().unwrap(), &summary["generated"]), (before + added, &json!(added)));
    assert!(text(&home.run(&["test", "fraud_check"])).contains("to be confirmed by a person"));
    let again = printed(&home.run(&["test", "fraud_check", "--generate", "--write", "--format", "json"]));
    assert_eq!(again["generated"], json!(0), "{again}");
    assert_eq!(home.read("rules/fraud_check/cases/generated.yaml"), file);
}

#[test]
fn a_broken_property_comes_with_cases() {
    let home = Home::of_samples();
    home.edit("rules/personal_loan/flow.yaml", "max_default_risk: 0.60", "max_default_risk: 0.40");
    home.edit(
        "rules/personal_loan/pricing.table.csv",
        "> fair_default_risk,-,high_apr",
        "> fair_default_risk,-,0.05",
    );
    let tested = home.run(&["test", FLOW]);
    let shown = text(&tested);
    assert_eq!(code(&tested), 1);
    assert!(shown.contains("property broken: more default_risk, never a lower apr"), "{shown}");
    assert!(shown.contains("why it must hold: Who is more likely to fail must not pay less"), "{shown}");
    assert!(
        shown.contains("with default_risk 0.25 ") && shown.contains("with default_risk 0.250001 "),
        "{shown}"
    );
    let summary = printed(&home.run(&["test", FLOW, "--format", "json"]));
    let broken: Vec<&Json> =
        summary["properties"].as_array().unwrap().iter().filter(|p| p["holds"] == json!(false)).collect();
    assert!(broken[0]["cases"].as_str().unwrap().contains("models: { default_risk: 0.25 }"), "{broken:?}");

    home.write("few.csv", "amount,phone\n9000,\n12,+441\n");
    let tested = home.run(&["test", "fraud_check", "--facts", "few.csv"]);
    assert_eq!(code(&tested), 0, "{}", text(&tested));
    let lacking = home.run(&["test", "fraud_check", "--facts", "nowhere.csv"]);
    assert_eq!(code(&lacking), 2);
}

#[test]
fn a_watched_test_tells_what_each_change_did() {
    let home = Home::of_samples();
    let mut running = home
        .program()
        .args(["test", "fraud_check", "--watch", "--tries", "5"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut until = |wanted: &str| {
        let started = Instant::now();
        let found = lines.by_ref().find(|line| line.contains(wanted));
        assert!(found.is_some() && started.elapsed() < Duration::from_secs(60), "{wanted}");
    };
    until("cases hold");
    home.edit("rules/fraud_check/flow.yaml", "large_at_night: 8000", "large_at_night: 9000");
    until("- fails now: two are looked at");
    home.edit("rules/fraud_check/flow.yaml", "large_at_night: 9000", "large_at_night: 8000");
    until("+ holds again: two are looked at");
    running.kill().unwrap();
    running.wait().unwrap();
}
