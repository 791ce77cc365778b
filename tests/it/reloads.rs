//! Rules and models that change while the service decides: taken whole, or not at all.

use std::time::Instant;

use serde_json::{Value as Json, json};
use tollgate::bundle;

use crate::app::{FLOW, Home, applicants, copy_folder};

const FLOW_YAML: &str = "rules/personal_loan/flow.yaml";
const SCRIPT: &str = "rules/personal_loan/flow.rhai";

/// A second flow beside the sample's.
fn add_second_flow(home: &Home) {
    copy_folder(&home.path("rules/personal_loan"), &home.path("rules/second_loan"));
    home.edit("rules/second_loan/flow.yaml", "flow: personal_loan", "flow: second_loan");
}

fn flow<'a>(flows: &'a Json, name: &str) -> &'a Json {
    flows["flows"].as_array().unwrap().iter().find(|flow| flow["flow"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_edit_changes_nothing_and_is_reported_while_other_flows_move_on() {
    let home = Home::new();
    add_second_flow(&home);
    let process = home.spawn(&[]);
    let api = &process.api;
    let facts = &applicants()[0].facts;
    let before = api.get("/v1/flows").await.ok();
    assert_eq!(before["reload"], "ok", "{before}");
    assert!(api.get("/metrics").await.text.contains("\ntollgate_reload_failed 0"));

    home.edit(SCRIPT, "risk > max_default_risk", "risk > max_default_rsk");
    let failed = api.until("/v1/flows", |answer| answer.json["reload"] == "failed").await.ok();
    let kept = flow(&failed, FLOW);
    assert_eq!(
        (&kept["status"], &kept["flow_revision"]),
        (&json!("kept"), &flow(&before, FLOW)["flow_revision"])
    );
    let found = &kept["diagnostics"][0];
    assert!(found["file"].as_str().unwrap().ends_with("personal_loan/flow.rhai"), "{found}");
    assert!(found["line"].as_u64().is_some_and(|line| line > 10) && found["code"].is_string(), "{found}");
    assert!(found.to_string().contains("max_default_risk"), "the way out: {found}");
    let ready = api.get("/readyz").await.ok();
    assert_eq!((&ready["status"], &ready["reload"]), (&json!("ready"), &json!("failed")));
    assert_eq!(ready["failed_flows"], json!([FLOW]));
    assert!(api.get("/metrics").await.text.contains("\ntollgate_reload_failed 1"));
    assert!(process.said().contains("max_default_rsk"), "{}", process.said());
    let decision = api.decide(facts).await.ok();
    assert_eq!(decision["flow_revision"], flow(&before, FLOW)["flow_revision"]);
    assert_eq!(decision["degraded"], false);

    home.edit("rules/second_loan/flow.yaml", "min_age: 18", "min_age: 70");
    let second = json!({"flow": "second_loan", "facts": facts, "dry_run": true});
    let begun = Instant::now();
    while api.post("/v1/decisions", &second).await.ok()["reasons"][0]["code"] != "R101" {
        assert!(begun.elapsed().as_secs() < 60, "the second flow does not move on");
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    }
    assert_eq!(api.get("/readyz").await.ok()["reload"], "failed");

    home.edit(SCRIPT, "risk > max_default_rsk", "risk > max_default_risk");
    let fixed = api.until("/v1/flows", |answer| answer.json["reload"] == "ok").await.ok();
    assert_eq!(flow(&fixed, FLOW)["flow_revision"], flow(&before, FLOW)["flow_revision"]);
    assert_ne!(flow(&fixed, "second_loan")["flow_revision"], flow(&before, "second_loan")["flow_revision"]);
    assert!(api.get("/metrics").await.text.contains("\ntollgate_reload_failed 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_broken_rules_serves_the_last_good_ones() {
    let home = Home::new();
    let service = home.serve().await;
    let facts = &applicants()[0].facts;
    let before = service.api.decide(facts).await.ok();
    service.stop().await;
    for broken in ["flow: [", "", "flow: personal_loan\n", "\0"] {
        home.write(FLOW_YAML, broken);
        let service = home.serve().await;
        let ready = service.api.get("/readyz").await.ok();
        assert_eq!((&ready["reload"], &ready["failed_flows"]), (&json!("failed"), &json!([FLOW])));
        let after = service.api.decide(facts).await.ok();
        assert_eq!(after["flow_revision"], before["flow_revision"]);
        assert_eq!((&after["outcome"], &after["scores"]), (&before["outcome"], &before["scores"]));
        let path = format!("/v1/decisions/{}/replay", before["decision_id"].as_str().unwrap());
        assert_eq!(service.api.post(&path, &json!({})).await.ok()["agrees"], true);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_model_version_decides_once_its_alias_says_so() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let facts = &applicants()[4].facts;
    let old = api.decide(facts).await.ok();

    copy_folder(&home.path("models/german_credit/2"), &home.path("models/german_credit/3"));
    api.until("/v1/models", |a| a.json["models"][0]["versions"].as_array().is_some_and(|v| v.len() == 3))
        .await;
    let unchanged = api.decide(facts).await.ok();
    assert_eq!((&unchanged["scores"], &unchanged["flow_revision"]), (&old["scores"], &old["flow_revision"]));

    home.edit("models/german_credit/model.yaml", "champion: 1", "champion: 3");
    let path = format!("/v1/flows/{FLOW}");
    api.until(&path, |a| a.json["models"]["default_risk"]["version"] == 3).await;
    let new = api.decide(facts).await.ok();
    assert_ne!(new["scores"]["default_risk"], old["scores"]["default_risk"]);
    assert_ne!(new["flow_revision"], old["flow_revision"]);
    let record = format!("/v1/decisions/{}", new["decision_id"].as_str().unwrap());
    assert!(api.get(&record).await.ok()["trace"].to_string().contains("\"version\":3"));

    for decision in [&old, &new] {
        let path = format!("/v1/decisions/{}/replay", decision["decision_id"].as_str().unwrap());
        assert_eq!(api.post(&path, &json!({})).await.ok()["agrees"], true, "its model is kept");
    }
    // A model that cannot be read is as if the flow did not check: what decides stays.
    home.write("models/german_credit/4/model.json", "{}");
    home.edit("models/german_credit/model.yaml", "champion: 3", "champion: 4");
    api.until("/readyz", |a| a.json["reload"] == "failed").await;
    assert_eq!(api.decide(facts).await.ok()["scores"], new["scores"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_decision_replays_after_an_edit_and_shows_what_the_new_rules_would_say() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let declined = {
        let mut found = None;
        for applicant in applicants() {
            let answer = api.decide(&applicant.facts).await.ok();
            if answer["outcome"] == "decline" && answer["reasons"].to_string().contains("R301") {
                found = Some(answer);
                break;
            }
        }
        found.unwrap()
    };
    home.edit(FLOW_YAML, "max_default_risk: 0.60", "max_default_risk: 0.99");
    let revision = api.until_threshold("max_default_risk", 0.99).await;
    assert_ne!(declined["revision"], json!(revision));
    let path = format!("/v1/decisions/{}/replay", declined["decision_id"].as_str().unwrap());
    let same = api.post(&path, &json!({})).await.ok();
    assert_eq!((&same["agrees"], &same["revision"]), (&json!(true), &declined["revision"]));
    let other = api.post(&format!("{path}?revision={revision}"), &json!({})).await.ok();
    assert_eq!((&other["agrees"], &other["revision"]), (&json!(false), &json!(revision)));
    let differences = other["differences"].as_array().unwrap();
    let outcome = differences.iter().find(|d| d["pointer"] == "/outcome").unwrap();
    assert_eq!(outcome["recorded"], "decline", "{outcome}");
    api.post(&format!("{path}?revision=sha256:00"), &json!({})).await.assert_problem(404, "unknown_revision");
    // A revision without the flow is a revision all the same.
    home.write(
        "rules/small/flow.yaml",
        "flow: small\ninputs: { x: integer }\noutcomes: [approve, review]\nreasons: { R1: { en: No } }\non_error: { outcome: review, reason: R1 }\n",
    );
    home.write("rules/small/flow.rhai", "if x > 5 { review(\"R1\"); }\napprove();\n");
    api.until("/v1/flows", |answer| answer.text.contains("small")).await;
    let small = api.post("/v1/decisions", &json!({"flow": "small", "facts": {"x": 1}})).await.ok();
    let without =
        format!("/v1/decisions/{}/replay?revision={revision}", small["decision_id"].as_str().unwrap());
    let refused = api.post(&without, &json!({})).await;
    refused.assert_problem(422, "not_replayable");
    assert!(refused.text.contains("no flow `small`"), "{}", refused.text);
    service.stop().await;
    // The same from the command line, over everything that was recorded.
    let replayed = home.run(&["replay", "--data", "data", "--format", "json"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", String::from_utf8_lossy(&replayed.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_a_verdict_does_not_change_the_revision() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let before = api.get("/v1/flows").await.word("revision").to_owned();
    home.write("rules/personal_loan/README.md", "# Read me");
    home.write("rules/personal_loan/.flow.yaml.swp", "x");
    home.write("rules/personal_loan/flow.yaml~", "x");
    let card = home.read("models/german_credit/1/card.json");
    home.write("models/german_credit/1/card.json", card.replacen('{', "{\n", 1));
    home.edit(
        "rules/personal_loan/cases/score.yaml",
        "outcome: approve, output: { apr: 0.099",
        "outcome: review, output: { apr: 0.099",
    );
    // The case that no longer holds is reported; nothing else is new.
    home.write(
        "rules/personal_loan/cases/more.yaml",
        "like: good_applicant\ncases:\n  - case: x\n    expect: { outcme: approve }\n",
    );
    api.until("/v1/flows", |answer| !answer.json["diagnostics"].as_array().unwrap().is_empty()).await;
    assert_eq!(api.get("/v1/flows").await.word("revision"), before);
    assert_eq!(api.get("/v1/releases").await.ok()["releases"].as_array().unwrap().len(), 1);
    service.stop().await;
}

#[test]
fn the_same_files_elsewhere_are_the_same_revision() {
    let (one, two) = (Home::new(), Home::new());
    let revision = |home: &Home| {
        bundle::build(&bundle::read_folder(&home.path("rules"), &home.path("models"))).bundle.revision.clone()
    };
    assert_eq!(revision(&one), revision(&two));
    two.edit(FLOW_YAML, "min_age: 18", "min_age: 19");
    assert_ne!(revision(&one), revision(&two));
}
