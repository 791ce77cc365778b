//! The model library from the command line: train, promote, verify, compare, and what refuses to be any of these.

use std::process::Output;

use serde_json::{Value as Json, json};

use crate::app::{Home, repository};

const DATA: &str = "models/german_credit/data/german_credit.csv";

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn printed(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn promoting_moves_an_alias_and_keeps_the_comments() {
    let home = Home::new();
    let before = home.read("models/german_credit/model.yaml");
    let promoted = home.run(&["models", "promote", "german_credit", "2", "--format", "json"]);
    assert_eq!(code(&promoted), 0, "{}", said(&promoted));
    let wanted = json!({ "model": "german_credit", "alias": "champion", "before": 1, "version": 2 });
    assert_eq!(printed(&promoted), wanted);
    assert_eq!(home.read("models/german_credit/model.yaml"), before.replace("champion: 1", "champion: 2"));
    let added = home.run(&["models", "promote", "german_credit", "1", "--alias", "fallback"]);
    assert_eq!(code(&added), 0, "{}", said(&added));
    let text = home.read("models/german_credit/model.yaml");
    assert!(text.contains("fallback: 1") && text.contains("champion: 2") && text.starts_with('#'), "{text}");
}

#[test]
fn what_does_not_verify_is_not_promoted_and_nothing_changes() {
    let home = Home::new();
    let before = home.read("models/german_credit/model.yaml");
    let refused = |arguments: &[&str], says: &str| {
        let refused = home.run(arguments);
        assert_eq!(code(&refused), 2, "{}", said(&refused));
        assert!(said(&refused).contains(says), "{}", said(&refused));
        assert_eq!(home.read("models/german_credit/model.yaml"), before);
    };
    refused(&["models", "promote", "german_credit", "7"], "there is no version 7: there is 1, 2");
    refused(&["models", "promote", "nowhere", "1"], "there is no model `nowhere`");
    refused(&["models", "promote", "german_credit", "2", "--alias", "best one"], "cannot be an alias");
    // A weight that was changed after training: the recorded predictions come out otherwise.
    home.edit("models/german_credit/2/model.json", "\"value\":[", "\"value\":[0.123,");
    refused(&["models", "promote", "german_credit", "2"], "version 2 does not verify");
    let verified = home.run(&["models", "verify", "german_credit", "--format", "json"]);
    assert_eq!(code(&verified), 1);
    let shown = printed(&verified);
    assert_eq!(shown["failed"], 1);
    let states: Vec<_> =
        shown["versions"].as_array().unwrap().iter().map(|v| v["verifies"].clone()).collect();
    assert_eq!(states, [json!(true), json!(false)]);
}

#[test]
fn verifying_names_what_was_looked_at() {
    let home = Home::new();
    let verified = home.run(&["models", "verify", "german_credit@champion", "--format", "json"]);
    assert_eq!(code(&verified), 0, "{}", said(&verified));
    let checks = printed(&verified)["versions"][0]["checks"].clone();
    let whats: Vec<_> =
        checks.as_array().unwrap().iter().map(|check| check["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["model.json", "card.json", "data"]);
    assert!(checks[0]["found"].as_str().unwrap().contains("8 recorded predictions"), "{checks}");
    home.edit(DATA, "below_0,6,", "below_0,7,");
    let verified = home.run(&["models", "verify"]);
    assert_eq!(code(&verified), 0, "changed data is told, and no reason not to serve");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("has changed since it was fitted"));
    assert_eq!(code(&home.run(&["models", "verify", "german_credit@9"])), 2);
}

#[test]
fn two_versions_are_put_side_by_side() {
    let home = Home::new();
    let compare =
        ["models", "compare", "german_credit@champion", "german_credit@2", "--data", DATA, "--cut", "0.45"];
    let text = home.run(&compare);
    assert_eq!(code(&text), 0, "{}", said(&text));
    let shown = String::from_utf8_lossy(&text.stdout).into_owned();
    for part in ["AUC", "tenth 10", "german_credit@champion only", "rank correlation"] {
        assert!(shown.contains(part), "{shown}");
    }
    let page = home.path("compared.html").display().to_string();
    assert_eq!(code(&home.run(&[compare.as_slice(), &["--html", page.as_str()]].concat())), 0);
    let page = home.read("compared.html");
    for part in ["<svg", "only german_credit@2", "Calibration", "rank correlation", "german_credit.csv"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for outside in ["http://", "https://", "<script", "src=", "url("] {
        assert!(!page.contains(outside), "a page needs nothing from elsewhere: {outside}");
    }
    let compared = printed(&home.run(&[compare.as_slice(), &["--format", "json"]].concat()));
    let cells = compared["swap_set"].as_object().unwrap().values();
    assert_eq!(cells.map(|cell| cell["rows"].as_u64().unwrap()).sum::<u64>(), 1000);
    assert_eq!(compared["models"][0]["metrics"]["rows"], 1000);
    let refused = |arguments: &[&str], says: &str| {
        let refused = home.run(&[&["models", "compare"], arguments].concat());
        assert_eq!(code(&refused), 2);
        assert!(said(&refused).contains(says), "{}", said(&refused));
    };
    refused(&["german_credit@1", "german_credit@2"], "no rows to compare on");
    refused(&["german_credit@1", "german_credit@2", "--rows", "nowhere.csv"], "`nowhere.csv` cannot be read");
    refused(&["german_credit@1", "german_credit@9", "--rows", DATA], "has no version 9");
    refused(&["german_credit@1", "german_credit@2", "--rows", DATA, "--label", "x"], "no column `x`");
    refused(&["german_credit@1", "german_credit@2", "--rows", DATA, "--cut", "2"], "not from 0 to 1");
}

/// The sample scorecard as a flow of its own: the file is taken over as it was written.
#[test]
fn a_flow_takes_a_trained_scorecard_over_as_it_is() {
    let home = Home::empty();
    let card = repository().join("models/credit_history/1/credit_history.scorecard.yaml");
    home.write("rules/cards/credit_history.scorecard.yaml", std::fs::read(card).unwrap());
    let reasons: String = (1..=11).map(|n| format!("  H{n:02}: {{ en: Input {n} }}\n")).collect();
    home.write("rules/cards/flow.yaml", format!("{FLOW}reasons:\n  R1: {{ en: Points }}\n{reasons}"));
    home.write("rules/cards/flow.rhai", SCRIPT);
    std::fs::create_dir(home.path("models")).unwrap();
    let checked = home.run(&["check", "--format", "json"]);
    let found = printed(&checked)["diagnostics"].clone();
    let errors = found.as_array().unwrap().iter().filter(|found| found["severity"] == "error").count();
    assert_eq!(errors, 0, "{found}");
    home.write("facts.json", FACTS);
    let decided = home.run(&["decide", "cards", "--facts", "facts.json", "--format", "json"]);
    assert_eq!(code(&decided), 0, "{}", said(&decided));
    assert_eq!(printed(&decided)["output"]["points"], 597, "{}", String::from_utf8_lossy(&decided.stdout));
}

const FLOW: &str = "
flow: cards
title: A trained scorecard
owner: risk
inputs:
  seniority: { type: integer }
  home: { type: choice, of: [owner, rent, parents, priv, other, ignore], optional: true }
  time: { type: integer }
  records: { type: choice, of: ['no', 'yes'] }
  job: { type: choice, of: [fixed, freelance, partime, others], optional: true }
  expenses: { type: integer }
  income: { type: decimal, optional: true }
  assets: { type: decimal, optional: true }
  debt: { type: decimal, optional: true }
  amount: { type: integer }
  price: { type: integer }
outcomes: [approve, decline]
outputs: { points: { type: integer } }
on_error: { outcome: decline, reason: R1 }
";

const SCRIPT: &str = "let card = scorecard(\"credit_history\");
if card.points < 400 { decline([card.reasons, \"R1\"]); }
approve(#{ points: card.points })
";

const FACTS: &str = r#"{ "seniority": 9, "time": 18, "records": "no", "job": "fixed", "expenses": 73,
  "income": "129.0", "assets": "0.0", "debt": "0.0", "amount": 800, "price": 846, "home": "rent" }"#;
