//! The same request sent again: one record, one answer, however many ask at once.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::app::{Answer, FLOW, Home, applicants, facts_with};

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_at_once_under_one_key_are_one_decision() {
    let home = Home::new();
    let service = home.serve().await;
    let body = json!({"flow": FLOW, "reference": "once", "facts": applicants()[1].facts});
    let senders: Vec<_> = (0..1000)
        .map(|_| {
            let (api, body) = (service.api.clone(), body.clone());
            tokio::spawn(async move { api.decide_under_key(&body, "application-1").await })
        })
        .collect();
    let (mut answers, mut first_answers) = (BTreeSet::new(), 0);
    for sender in senders {
        let answer = sender.await.unwrap();
        first_answers += usize::from(!replayed(&answer));
        answers.insert(answer.clone().ok().to_string());
    }
    assert_eq!((answers.len(), first_answers), (1, 1), "{answers:#?}");
    assert_eq!(service.api.all("&reference=once", 10).await.len(), 1);

    service.stop().await;
    let restarted = home.serve().await;
    let again = restarted.api.decide_under_key(&body, "application-1").await;
    assert!(replayed(&again), "also after a restart");
    assert_eq!(again.ok().to_string(), *answers.first().unwrap());
    restarted.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_means_one_body_as_values_of_one_flow_and_caller() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let body = json!({"flow": FLOW, "facts": applicants()[0].facts});
    let first = api.decide_under_key(&body, "k").await;
    assert!(!replayed(&first));
    let first = first.ok();

    // Names in another order, other spaces, an escape, a number spelt otherwise.
    let facts = body["facts"].as_object().unwrap();
    let mut members: Vec<String> = facts.iter().map(|(name, v)| format!("  \"{name}\" :\t{v}")).collect();
    members.reverse();
    let text = format!("{{ \"facts\": {{\n{}\n}},\n \"fl\\u006fw\": \"{FLOW}\" }}", members.join(",\n"));
    let text = text.replace("\"age\" :\t67", "\"age\" :\t6.7e1");
    let request = api.request("POST", "/v1/decisions").header("idempotency-key", "k");
    let same = api.send(request.header("content-type", "application/json").body(text)).await.unwrap();
    assert!(replayed(&same), "{}", same.text);
    assert_eq!(same.ok(), first);

    for other in [
        json!({"flow": FLOW, "facts": applicants()[1].facts}),
        json!({"flow": FLOW, "facts": facts_with("age", json!(66))}),
        json!({"flow": FLOW, "facts": applicants()[0].facts, "reference": "r"}),
    ] {
        api.decide_under_key(&other, "k").await.assert_problem(422, "key_reused");
    }
    assert_eq!(api.all("", 10).await.len(), 1);

    // What was no decision leaves the key free.
    let wrong = json!({"flow": FLOW, "facts": facts_with("age", json!("old"))});
    api.decide_under_key(&wrong, "free").await.assert_problem(422, "invalid_facts");
    let dry = json!({"flow": FLOW, "facts": applicants()[2].facts, "dry_run": true});
    assert_eq!(api.decide_under_key(&dry, "free").await.ok()["dry_run"], true);
    let nowhere = json!({"flow": "nowhere", "facts": {}});
    api.decide_under_key(&nowhere, "free").await.assert_problem(404, "unknown_flow");
    let answer = api.decide_under_key(&body, "free").await;
    assert!(!replayed(&answer) && answer.ok()["decision_id"] != first["decision_id"]);

    for wrong in ["", " ", "a b\u{e9}", &"k".repeat(256)] {
        let request = api.request("POST", "/v1/decisions").header("idempotency-key", wrong.as_bytes());
        api.send(request.json(&body)).await.unwrap().assert_problem(400, "invalid_header");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_other_callers_and_flows_are_other_keys() {
    let home = Home::new();
    crate::app::copy_folder(&home.path("rules/personal_loan"), &home.path("rules/second_loan"));
    home.edit("rules/second_loan/flow.yaml", "flow: personal_loan", "flow: second_loan");
    for file in ["affordability", "knockout", "score"] {
        std::fs::remove_file(home.path(&format!("rules/second_loan/cases/{file}.yaml"))).unwrap();
    }
    let key = |name: &str| -> String {
        let made = home.run(&["keys", "create", "--role", "caller", "--name", name, "--data", "data"]);
        let shown: Json = serde_json::from_slice(&made.stdout).unwrap();
        shown["key"].as_str().unwrap().to_owned()
    };
    let keys = [key("shop"), key("other_shop")];
    let service = home.serve().await;
    let mut ids = BTreeSet::new();
    for key in &keys {
        for flow in [FLOW, "second_loan"] {
            let body = json!({"flow": flow, "facts": applicants()[0].facts});
            let api = service.api.with_key(key);
            let answer = api.decide_under_key(&body, "same").await;
            assert!(!replayed(&answer), "{}", answer.text);
            ids.insert(answer.ok()["decision_id"].to_string());
            assert!(replayed(&api.decide_under_key(&body, "same").await));
        }
    }
    assert_eq!(ids.len(), 4);
    service.stop().await;
}
