//! The sample flows as the repository has them, over real HTTP: every construct of the language in one log, replayed to
//! the byte after the documents that decided have changed.

use serde_json::{Value as Json, json};

use crate::app::{Api, FLOW, Home, applicants};

fn payment() -> Json {
    json!({
        "payment_id": "p-1", "card": "tok_000001", "amount": "45.90", "placed_at": "2026-11-20T15:30:00+01:00",
        "card_country": "DE", "merchant_category": "electronics", "authentication": "none",
        "device": {"id": "DEV-7A31", "first_seen": "2026-11-19", "country": "DE"},
        "payments_last_hour": 0, "declined_last_day": 0, "spent_last_day": "0"
    })
}

fn borrower() -> Json {
    json!({
        "applicant_id": "a-1", "born_on": "1990-05-17", "monthly_income": "3200", "monthly_debt": "150",
        "amount": "6000", "duration_months": 36, "employment": "self_employed", "email": "a@example.com"
    })
}

async fn decide(api: &Api, flow: &str, market: Option<&str>, facts: &Json) -> Json {
    let mut body = json!({"flow": flow, "facts": facts, "trace": "full"});
    if let Some(market) = market {
        body["market"] = json!(market);
    }
    api.post("/v1/decisions", &body).await.ok()
}

async fn go_on(api: &Api, decision: &Json, facts: Json) -> Json {
    let path = format!("/v1/decisions/{}/continue", decision["decision_id"].as_str().unwrap());
    api.post(&path, &json!({"facts": facts, "trace": "full"})).await.ok()
}

/// The steps of a trace that have this name.
fn steps<'j>(decision: &'j Json, kind: &str) -> Vec<&'j Json> {
    decision["trace"].as_array().unwrap().iter().filter(|step| step.get(kind).is_some()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_construct_is_decided_recorded_and_replayed_after_everything_changed() {
    let home = Home::of_samples();
    let service = home.serve().await;
    let api = &service.api;

    let paid = decide(api, "card_payment", None, &payment()).await;
    assert_eq!((&paid["outcome"], &paid["output"]["exemption"]), (&json!("approve"), &json!("low_risk")));
    assert_eq!(steps(&paid, "list").iter().filter(|step| step["listed"] == true).count(), 1, "{paid}");
    assert_eq!(steps(&paid, "table")[0]["rows"], json!([7]), "{paid}");

    let asked = decide(api, "consumer_credit", None, &borrower()).await;
    assert_eq!(
        (&asked["state"], &asked["needs"][0]["input"]),
        (&json!("needs"), &json!("bureau")),
        "{asked}"
    );
    let bureau = json!({"score": 700, "delinquencies": 0, "inquiries": 1, "oldest_account": "2012-03-01"});
    let again = go_on(api, &asked, json!({ "bureau": bureau })).await;
    assert_eq!(again["needs"][0]["input"], "income_proof", "{again}");
    let lent = go_on(api, &asked, json!({ "income_proof": null })).await;
    assert_eq!((&lent["outcome"], &lent["reasons"][0]["code"]), (&json!("review"), &json!("R402")), "{lent}");
    assert_eq!(
        (&lent["decision_id"], &lent["scores"]["risk"]),
        (&asked["decision_id"], &json!(635)),
        "{lent}"
    );
    assert_eq!(steps(&lent, "flow")[0]["outcome"], "approve", "{lent}");

    let mut decided = vec![paid, lent];
    for market in [None, Some("at"), Some("mx")] {
        for applicant in applicants().iter().take(20) {
            let one = decide(api, FLOW, market, &applicant.facts).await;
            assert_eq!((&one["degraded"], &one["market"]), (&json!(false), &json!(market.unwrap_or("base"))));
            let set = steps(&one, "rules")[0]["rules"].as_array().unwrap().len();
            assert_eq!(set, if market == Some("mx") { 9 } else { 8 }, "{one}");
            assert_eq!(steps(&one, "scorecard")[0]["bins"].as_array().unwrap().len(), 5);
            decided.push(one);
        }
    }
    change_everything(&home, api).await;
    for one in &decided {
        let path = format!("/v1/decisions/{}/replay", one["decision_id"].as_str().unwrap());
        let replay = api.post(&path, &json!({})).await.ok();
        assert_eq!((&replay["agrees"], &replay["notes"]), (&json!(true), &json!([])), "{replay}");
    }
    service.stop().await;
    let verified = home.run(&["audit", "verify", "--data", "data"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

/// Edits what decided: a list, a table, a scorecard, a shared function, a market, a rule of the flow that others ask.
async fn change_everything(home: &Home, api: &Api) {
    let before = api.get("/v1/flows").await.ok();
    home.edit("rules/card_payment/trusted_devices.list.csv", "dev-7a31", "dev-0000");
    home.edit("rules/card_payment/action.table.csv", "low_risk", "none");
    home.edit("rules/personal_loan/application.scorecard.yaml", "base_points: 300", "base_points: 290");
    home.edit("rules/_shared/lending.rhai", "pmt(rate / 12,", "pmt(rate / 11,");
    home.edit("rules/personal_loan/markets/mx.yaml", "min_age: 21", "min_age: 40");
    home.edit("rules/fraud_check/signals.rules.yaml", "points: 3", "points: 4");
    home.edit("rules/consumer_credit/risk.scorecard.yaml", "points: 180", "points: 181");
    let changed = |now: &Json| {
        let all = |list: &Json| -> Vec<Json> {
            list["flows"].as_array().unwrap().iter().map(|flow| flow["flow_revision"].clone()).collect()
        };
        let (old, new) = (all(&before), all(now));
        old.len() == 4 && old.iter().zip(&new).all(|(old, new)| old != new && new.is_string())
    };
    api.until("/v1/flows", |answer| changed(&answer.json)).await;
}
