//! The command line on the sample: what it prints, and with which exit code it ends.

use std::process::{Output, Stdio};

use serde_json::{Value as Json, json};

use crate::app::{FLOW, Home, applicants, repository};

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
fn the_samples_check_clean_and_their_cases_hold() {
    let home = Home::of_samples();
    let checked = home.run(&["check"]);
    assert_eq!((code(&checked), checked.stdout.len()), (0, 0), "{}", said(&checked));
    let checked = home.run(&["check", ".", "--format", "json"]);
    assert_eq!((code(&checked), &printed(&checked)["diagnostics"]), (0, &json!([])));
    let conditions = &printed(&checked)["analysis"]["conditions"];
    assert!(
        conditions["all"].as_u64().unwrap() >= 30 && conditions["analysed"].as_u64().unwrap() >= 25,
        "{conditions}"
    );
    let tested = home.run(&["test", "--format", "json"]);
    let summary = printed(&tested);
    assert_eq!((code(&tested), &summary["failed"]), (0, &json!(0)), "{summary}");
    assert!(summary["cases"].as_u64().unwrap() >= 100);
    let coverage = &summary["coverage"];
    assert_eq!(coverage["hit"], coverage["rules"], "every rule has a case: {coverage}");
    assert!(coverage["rules"].as_u64().unwrap() >= 30);
}

#[test]
fn a_problem_is_shown_with_its_place_line_and_way_out() {
    let home = Home::new();
    home.edit("rules/personal_loan/knockout.rules.yaml", "age < min_age", "age < min_aeg");
    let checked = home.run(&["check"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(code(&checked), 1);
    assert!(text.contains("knockout.rules.yaml:7:"), "{text}");
    assert!(text.contains("when: age < min_aeg") && text.contains("`min_age`"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours into a pipe");
    let found = printed(&home.run(&["check", "--format", "json"]))["diagnostics"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1, "nothing that only follows from it: {found}");
    let found = &found[0];
    for (name, value) in [("line", json!(7)), ("severity", json!("error"))] {
        assert_eq!(found[name], value, "{found}");
    }
    assert!(found["column"].as_u64().unwrap() > 5 && found["help"].is_string(), "{found}");
    let sarif = home.run(&["check", "--format", "sarif"]);
    let result = printed(&sarif)["runs"][0]["results"][0].clone();
    assert_eq!((code(&sarif), &result["ruleId"], &result["level"]), (1, &json!("T004"), &json!("error")));
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["endLine"]), (&json!(7), &json!(7)), "{region}");
    let long = region["endColumn"].as_u64().unwrap() - region["startColumn"].as_u64().unwrap();
    assert_eq!(long, "min_aeg".len() as u64, "{region}");
    assert_eq!(code(&home.run(&["openapi", "--format", "sarif"])), 2, "nothing else writes it");
    let explained = home.run(&["check", "--explain", "t004"]);
    assert!(code(&explained) == 0 && String::from_utf8_lossy(&explained.stdout).starts_with("# T004: "));
    assert_eq!(code(&home.run(&["check", "--explain", "T999"])), 2);
    assert_eq!(code(&home.run(&["test"])), 1, "a flow that does not check");
    assert_eq!(code(&home.run(&["check", "--rules", "nowhere"])), 2);
}

#[test]
fn a_case_that_does_not_hold_is_shown_as_a_difference() {
    let home = Home::new();
    home.edit("rules/personal_loan/flow.yaml", "min_age: 18", "min_age: 36");
    let tested = home.run(&["test", FLOW]);
    let text = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert_eq!(code(&tested), 1);
    assert!(text.contains("the best risks get the best rate"), "{text}");
    assert!(text.contains("score.yaml") && text.contains("approve") && text.contains("decline"), "{text}");
    let summary = printed(&home.run(&["test", "--format", "json"]));
    assert!(summary["failed"].as_u64().unwrap() > 0 && summary["failures"][0]["line"].is_u64(), "{summary}");
}

#[test]
fn one_decision_is_made_without_a_server() {
    let home = Home::new();
    home.write("facts.json", applicants()[0].facts.to_string());
    let decided = home.run(&["decide", FLOW, "--facts", "facts.json", "--trace", "full", "--format", "json"]);
    let decision = printed(&decided);
    assert_eq!((code(&decided), &decision["outcome"]), (0, &json!("approve")), "{decision}");
    assert_eq!((&decision["dry_run"], &decision["durable"]), (&json!(true), &json!("none")));
    assert!(decision["trace"].is_array() || decision["trace"].is_object(), "{decision}");
    let text = home.run(&["decide", FLOW, "--facts", "facts.json"]);
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("approve\n"));
    assert!(!home.path("data").exists(), "nothing is recorded");

    let piped = home
        .program()
        .args(["decide", FLOW, "--facts", "-", "--format", "json"])
        .stdin(std::fs::File::open(home.path("facts.json")).unwrap())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(printed(&piped)["scores"], decision["scores"]);

    home.write("wrong.json", r#"{"age": "old-as-the-hills", "amuont": 1}"#);
    let refused = home.run(&["decide", FLOW, "--facts", "wrong.json"]);
    let text = said(&refused);
    assert_eq!(code(&refused), 1);
    assert!(text.contains("/age") && text.contains("/amuont") && text.contains("/housing"), "{text}");
    assert!(!text.contains("old-as-the-hills"), "{text}");
    for (arguments, way_out) in [
        (["decide", "personal_loam", "--facts", "facts.json"], "personal_loan"),
        (["decide", FLOW, "--facts", "nowhere.json"], "nowhere.json"),
    ] {
        let failed = home.run(&arguments);
        assert_eq!(code(&failed), 2);
        assert!(said(&failed).contains(way_out), "{}", said(&failed));
    }
}

#[test]
fn every_command_explains_itself() {
    let home = Home::empty();
    let help = |path: &[&str]| {
        let mut arguments = path.to_vec();
        arguments.push("--help");
        let helped = home.run(&arguments);
        assert_eq!((code(&helped), said(&helped).as_str()), (0, ""), "{path:?}");
        String::from_utf8(helped.stdout).unwrap()
    };
    let all = help(&[]);
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    for expected in ["serve", "check", "test", "decide", "train", "models", "replay", "audit", "keys"] {
        assert!(commands.contains(&expected), "{expected} is not in {commands:?}");
    }
    for command in commands {
        let text = help(&[command]);
        assert!(text.contains("Usage:") && text.lines().count() > 5, "{text}");
    }
    assert!(help(&["keys", "create"]).contains("--role"));
    for wrong in [&["srve"][..], &[], &["decide"], &["keys", "create", "--role", "king", "--name", "x"]] {
        assert_eq!(code(&home.run(wrong)), 2, "{wrong:?}");
    }
    assert_eq!(code(&home.run(&["--version"])), 0);
    assert_eq!(code(&home.run(&["serve", "--durable", "disk"])), 2);
    assert_eq!(code(&home.run(&["audit", "verify", "--data", "nowhere"])), 2);
}

#[test]
fn training_again_gives_the_same_bytes_as_the_committed_versions() {
    let home = Home::new();
    for (algorithm, committed, written) in [("logistic_regression", 1, 3), ("forest", 2, 4)] {
        let trained = home.run(&["train", "german_credit", "--algorithm", algorithm, "--format", "json"]);
        assert_eq!(code(&trained), 0, "{}", said(&trained));
        let shown = printed(&trained);
        assert_eq!(shown["version"], json!(written), "{shown}");
        assert!(shown["held_out"]["auc"].as_f64().is_some_and(|auc| auc > 0.7 && auc < 1.0), "{shown}");
        // The committed versions are older than what explanations need; all that decides is the same.
        let decides = |root: &std::path::Path, version: i32| {
            let text =
                std::fs::read(root.join(format!("models/german_credit/{version}/model.json"))).unwrap();
            let mut artefact: Json = serde_json::from_slice(&text).unwrap();
            for newer in ["format_version", "background", "reasons", "explain"] {
                artefact.as_object_mut().unwrap().remove(newer);
            }
            for feature in artefact["features"].as_array_mut().unwrap() {
                feature.as_object_mut().unwrap().remove("range");
            }
            artefact
        };
        assert!(
            decides(&home.path(""), written) == decides(repository(), committed),
            "the artefact of {algorithm} differs"
        );
        let file = |name: &str| home.read(&format!("models/german_credit/{written}/{name}"));
        let card: Json = serde_json::from_str(&file("card.json")).unwrap();
        assert_eq!(card["protected"][0]["attribute"], "status_and_sex", "{card}");
        let page = file("card.html");
        assert!(page.contains("<svg") && page.contains("Known limits"), "{page}");
        for outside in ["http://", "https://", "<script", "src=", "url("] {
            assert!(!page.contains(outside), "a card needs nothing from elsewhere: {outside}");
        }
    }
    let again = home.run(&["train", "german_credit", "--algorithm", "magic"]);
    assert!(code(&again) > 0 && said(&again).contains("forest"), "{}", said(&again));
    assert_eq!(code(&home.run(&["train", "nowhere"])), 2);
}
