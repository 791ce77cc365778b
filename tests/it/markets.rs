//! One flow in several markets, and flows that ask flows, over real HTTP and with the real program: decisions, records,
//! replays after the rules changed, cases.

use serde_json::{Value as Json, json};

use crate::app::{Api, FLOW, Home, applicants};

const FLOW_YAML: &str = "rules/personal_loan/flow.yaml";
const MX_YAML: &str = "rules/personal_loan/markets/mx.yaml";
const MX: &str = "market: mx
time_zone: America/Mexico_City
languages: [es, en]
thresholds: { min_age: 30 }
models: { default_risk: german_credit@challenger }
inputs: { curp: { type: text, personal: key } }
rules_also: { knockout: [curp_checks] }
reasons: { R310: { en: The CURP is not valid, es: La CURP no es válida } }
";
const CURP_CHECKS: &str = "rule_set: curp_checks
rules:
  - { id: curp_is_none, when: len(curp) != 18, outcome: decline, reason: R310 }
";
const CURP: &str = "XEXX010101HNEXXXA4";

fn with_market() -> Home {
    let home = Home::new();
    home.write(MX_YAML, MX);
    home.write("rules/personal_loan/curp_checks.rules.yaml", CURP_CHECKS);
    home
}

/// The first applicant whom `base` approves and who is too young for `mx`.
async fn young(api: &Api) -> Json {
    for applicant in applicants() {
        if applicant.facts["age"].as_i64().is_some_and(|age| age < 30) {
            let dry = json!({"flow": FLOW, "facts": applicant.facts, "dry_run": true});
            if api.post("/v1/decisions", &dry).await.ok()["outcome"] == "approve" {
                return applicant.facts;
            }
        }
    }
    panic!("nobody young is approved");
}

fn in_mx(facts: &Json, curp: &str) -> Json {
    let mut facts = facts.clone();
    facts["curp"] = json!(curp);
    json!({"flow": FLOW, "market": "mx", "facts": facts, "trace": "full"})
}

fn path(decision: &Json) -> String {
    format!("/v1/decisions/{}", decision["decision_id"].as_str().unwrap())
}

async fn agrees(api: &Api, decision: &Json, query: &str) -> bool {
    let replay = api.post(&format!("{}/replay{query}", path(decision)), &json!({})).await.ok();
    replay["agrees"].as_bool().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_market_decides_is_recorded_and_replays_by_its_own_rules() {
    let home = with_market();
    let service = home.serve().await;
    let api = &service.api;
    let facts = young(api).await;
    let base = api.decide(&facts).await.ok();
    let mx = api.post("/v1/decisions", &in_mx(&facts, CURP)).await.ok();
    assert_eq!((&base["market"], &base["outcome"]), (&json!("base"), &json!("approve")));
    assert_eq!((&mx["market"], &mx["outcome"]), (&json!("mx"), &json!("decline")));
    assert_eq!(mx["reasons"][0]["code"], "R101");
    assert_eq!(mx["reasons"][0]["text"], "El solicitante no alcanza la edad mínima", "the market's language");
    assert_ne!((&base["flow_revision"], &base["scores"]), (&mx["flow_revision"], &mx["scores"]));
    assert_eq!(base["revision"], mx["revision"]);
    let bad = api.post("/v1/decisions", &in_mx(&facts, "short")).await.ok();
    assert!(
        bad["reasons"].to_string().contains("R310") && bad["trace"].to_string().contains("curp_is_none"),
        "{bad}"
    );

    let record = api.get(&path(&mx)).await.ok();
    assert_eq!((&record["market"], &record["flow_revision"]), (&json!("mx"), &mx["flow_revision"]));
    assert_eq!(api.all("&market=mx", 10).await.len(), 2);
    assert_eq!(api.all("&market=base", 10).await.len(), 1);
    assert_eq!(api.all("&rule=knockout.curp_is_none", 10).await.len(), 1);
    let metrics = api.get("/metrics").await.text;
    let counted = "tollgate_decisions_total{flow=\"personal_loan\",market=\"mx\",outcome=\"decline\"} ";
    assert!(metrics.contains(counted), "{metrics}");

    // A market's facts are its own, and so are the markets of a flow.
    let body = json!({"flow": FLOW, "market": "mx", "facts": facts});
    api.post("/v1/decisions", &body).await.assert_problem(422, "invalid_facts");
    let unknown = api.post("/v1/decisions", &json!({"flow": FLOW, "market": "mxx", "facts": facts})).await;
    unknown.assert_problem(404, "unknown_market");
    assert!(unknown.word("detail").contains("did you mean `mx`?"), "{}", unknown.text);

    let flow = api.get("/v1/flows/personal_loan").await.ok();
    assert_eq!((&flow["markets"], &flow["market"]), (&json!(["base", "mx"]), &json!("base")));
    assert_eq!(flow["flow_revision"], base["flow_revision"]);
    let shown = api.get("/v1/flows/personal_loan?market=mx").await.ok();
    assert_eq!((&shown["market"], &shown["flow_revision"]), (&json!("mx"), &mx["flow_revision"]));
    assert_eq!((&shown["thresholds"]["min_age"], &flow["thresholds"]["min_age"]), (&json!(30), &json!(18)));
    assert!(shown["inputs"]["required"].to_string().contains("curp") && shown["reasons"]["R310"].is_object());
    assert_eq!(
        (&shown["models"]["default_risk"]["version"], &flow["models"]["default_risk"]["version"]),
        (&json!(2), &json!(1))
    );
    api.get("/v1/flows/personal_loan?market=br").await.assert_problem(404, "unknown_market");

    // Only the market changes: the base flow is the same, and what was decided replays on its own revision.
    home.edit(MX_YAML, "min_age: 30", "min_age: 19");
    let changed = api
        .until("/v1/flows/personal_loan?market=mx", |answer| answer.json["thresholds"]["min_age"] == 19)
        .await
        .ok();
    let now = api.post("/v1/decisions", &in_mx(&facts, CURP)).await.ok();
    assert_ne!(now["reasons"], mx["reasons"]);
    assert_eq!((&now["flow_revision"], &now["revision"]), (&changed["flow_revision"], &changed["revision"]));
    assert_eq!(api.decide(&facts).await.ok()["flow_revision"], base["flow_revision"]);
    for decision in [&base, &mx, &bad, &now] {
        assert!(agrees(api, decision, "").await, "{decision}");
    }
    let newest = format!("?revision={}", changed["revision"].as_str().unwrap());
    assert!(!agrees(api, &mx, &newest).await, "on the new revision it is another answer");
    assert!(agrees(api, &base, &newest).await);
    let releases = api.get("/v1/releases?flow=personal_loan").await.ok();
    assert_eq!(releases["releases"][0]["flows"]["personal_loan/mx"], changed["flow_revision"]);

    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_market_keeps_the_flow_and_a_removed_one_is_gone() {
    let home = with_market();
    let service = home.serve().await;
    let facts = young(&service.api).await;
    let mx = service.api.post("/v1/decisions", &in_mx(&facts, CURP)).await.ok();
    home.edit(MX_YAML, "min_age: 30", "min_agee: 30");
    let failed = service.api.until("/v1/flows", |answer| answer.json["reload"] == "failed").await.ok();
    assert_eq!(failed["flows"][0]["status"], "kept");
    assert!(failed["flows"][0]["diagnostics"].to_string().contains("T070"), "{failed}");
    service.stop().await;
    let service = home.serve().await;
    let api = &service.api;
    let kept = api.post("/v1/decisions", &in_mx(&facts, CURP)).await.ok();
    assert_eq!((&kept["flow_revision"], &kept["revision"]), (&mx["flow_revision"], &mx["revision"]));
    std::fs::remove_file(home.path(MX_YAML)).unwrap();
    std::fs::remove_file(home.path("rules/personal_loan/curp_checks.rules.yaml")).unwrap();
    api.until("/v1/flows/personal_loan", |answer| answer.json["markets"] == json!(["base"])).await;
    api.post("/v1/decisions", &in_mx(&facts, CURP)).await.assert_problem(404, "unknown_market");
    assert!(agrees(api, &mx, "").await, "what was decided in it still replays");
    let gone = api.get("/v1/flows/personal_loan").await.ok();
    let elsewhere = format!("{}/replay?revision={}", path(&mx), gone["revision"].as_str().unwrap());
    api.post(&elsewhere, &json!({})).await.assert_problem(422, "not_replayable");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_may_require_a_market() {
    let home = with_market();
    let yaml = home.read(FLOW_YAML);
    home.write(FLOW_YAML, format!("{yaml}market: required\n"));
    let service = home.serve().await;
    let api = &service.api;
    let facts = &applicants()[0].facts;
    let refused = api.decide(facts).await;
    refused.assert_problem(422, "invalid_body");
    assert_eq!(refused.json["errors"][0]["pointer"], "/market");
    assert!(refused.text.contains("`mx`"), "it says which there are: {}", refused.text);
    let base = json!({"flow": FLOW, "market": "base", "facts": facts});
    api.post("/v1/decisions", &base).await.assert_problem(404, "unknown_market");
    assert_eq!(api.post("/v1/decisions", &in_mx(facts, CURP)).await.ok()["market"], "mx");
    let flow = api.get("/v1/flows/personal_loan").await.ok();
    assert_eq!((&flow["markets"], &flow["market"]), (&json!(["mx"]), &json!("mx")));
    service.stop().await;
}

fn printed(output: &std::process::Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tests_decides_and_replays_in_markets() {
    let home = with_market();
    let service = home.serve().await;
    let facts = young(&service.api).await;
    let made = service.api.post("/v1/decisions", &in_mx(&facts, CURP)).await.ok();
    service.stop().await;

    let mut sent = facts.clone();
    sent["curp"] = json!(CURP);
    home.write("facts.json", sent.to_string());
    let decided = home.run(&["decide", FLOW, "--facts", "facts.json", "--market", "mx", "--format", "json"]);
    let decided = printed(&decided);
    assert_eq!((&decided["market"], &decided["outcome"]), (&json!("mx"), &made["outcome"]));
    assert_eq!(home.run(&["decide", FLOW, "--facts", "facts.json", "--market", "br"]).status.code(), Some(2));

    let case = json!({"cases": [{
        "case": "young", "given": sent, "market": "all",
        "expect": {"outcome": "approve"}, "in": {"mx": {"outcome": "decline", "reasons_include": ["R101"]}}
    }]});
    home.write("rules/personal_loan/cases/markets.yaml", case.to_string());
    let before = printed(&home.run(&["test", "--format", "json"]));
    assert_eq!(before["failed"], 0, "{before}");
    home.edit(MX_YAML, "min_age: 30", "min_age: 19");
    let after = home.run(&["test", "--format", "json"]);
    assert_eq!(after.status.code(), Some(1));
    let after = printed(&after);
    assert_eq!((&after["failed"], &after["cases"]), (&json!(1), &before["cases"]));
    assert_eq!(
        (&after["failures"][0]["market"], &after["failures"][0]["case"]),
        (&json!("mx"), &json!("young"))
    );

    let replayed = home.run(&["replay", "--data", "data", "--format", "json"]);
    let tally = printed(&replayed);
    assert_eq!(
        (&tally["replayed"], &tally["agreed"]),
        (&json!(1), &json!(1)),
        "on the market that it had: {tally}"
    );
}

const FRAUD_YAML: &str = "flow: fraud_check
inputs:
  amount: { type: decimal }
  purpose: { type: choice, of: [car_new, car_used, furniture, radio_tv, appliances, repairs, education, retraining, business, others] }
features:
  per_mille: amount / 1000
thresholds: { large: 1 }
models: {}
outcomes: [approve, review, decline]
reasons:
  F101: { en: Much at once }
  F900: { en: By hand }
on_error: { outcome: review, reason: F900 }
";

/// Amounts are sent as numbers or as texts.
fn large(facts: &Json) -> bool {
    let amount = facts["amount"].to_string();
    amount.trim_matches('"').parse::<f64>().is_ok_and(|amount| amount > 2000.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_asks_another_is_recorded_with_it_and_replays_after_both_changed() {
    let home = with_market();
    home.write("rules/fraud_check/flow.yaml", FRAUD_YAML);
    home.write("rules/fraud_check/flow.rhai", "if per_mille >= large { decline(\"F101\"); }\napprove();\n");
    let script = home.read("rules/personal_loan/flow.rhai");
    home.write("rules/personal_loan/flow.rhai", format!("flow(\"fraud_check\").apply();\n{script}"));
    let service = home.serve().await;
    let api = &service.api;
    let facts = applicants().into_iter().map(|a| a.facts).find(large);
    let facts = facts.unwrap();
    let body = json!({"flow": FLOW, "facts": facts, "trace": "full"});
    let decision = api.post("/v1/decisions", &body).await.ok();
    assert_eq!(decision["outcome"], "decline");
    assert_eq!(decision["reasons"][0], json!({"code": "F101", "text": "Much at once", "rank": 1}));
    let asked =
        decision["trace"].as_array().unwrap().iter().find(|step| step["flow"] == "fraud_check").unwrap();
    assert!(asked["trace"].to_string().contains("F101"), "its trace is inside: {asked}");
    let record = api.get(&path(&decision)).await.ok();
    assert!(record["features"]["fraud_check.per_mille"].is_string(), "{}", record["features"]);
    assert_eq!(api.all("&reason=F101", 10).await.len(), 1);
    let mx = api.post("/v1/decisions", &in_mx(&facts, CURP)).await.ok();
    assert!(mx["reasons"].to_string().contains("F101"));

    home.edit("rules/fraud_check/flow.yaml", "large: 1 ", "large: 100 ");
    let before = decision["flow_revision"].clone();
    api.until("/v1/flows/personal_loan", |answer| answer.json["flow_revision"] != before).await;
    let after = api.post("/v1/decisions", &body).await.ok();
    assert!(!after["reasons"].to_string().contains("F101"), "{after}");
    for decision in [&decision, &mx, &after] {
        assert!(agrees(api, decision, "").await, "{decision}");
    }

    home.edit("rules/fraud_check/flow.rhai", "per_mille", "per_mile");
    let failed = api.until("/v1/flows", |answer| answer.json["reload"] == "failed").await.ok();
    let flows = failed["flows"].as_array().unwrap();
    assert!(
        flows.iter().all(|flow| flow["status"] == "kept"),
        "who asks is kept with what is asked: {failed}"
    );
    assert!(failed["diagnostics"].to_string().contains("T081"));
    service.stop().await;
    let service = home.serve().await;
    let again = service.api.post("/v1/decisions", &body).await.ok();
    assert_eq!((&again["flow_revision"], &again["reasons"]), (&after["flow_revision"], &after["reasons"]));
    service.stop().await;
}
