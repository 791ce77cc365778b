//! The service with a real PostgreSQL: every record reaches it, it may go away and come back, nothing is lost or
//! twice.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use tollgate::config::Flags;

use crate::app::{Api, FLOW, Home, applicants};
use crate::postgres::{Cluster, database};

/// Decides about so many applicants; the ids.
async fn decide(api: &Api, reference: &str, count: usize) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for applicant in applicants().iter().take(count) {
        let body = json!({"flow": FLOW, "reference": reference, "facts": applicant.facts});
        let decision = api.post("/v1/decisions", &body).await.ok();
        ids.insert(decision["decision_id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn ids(api: &Api, filters: &str) -> BTreeSet<String> {
    let found = api.all(filters, 40).await;
    let ids: BTreeSet<String> = found.iter().map(|d| d["decision_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), found.len(), "each once");
    ids
}

async fn shipped(api: &Api) {
    let done = json!({"state": "reachable", "lag": 0});
    api.until("/readyz", |answer| answer.json["store"]["central"] == done).await;
}

/// Ids in the table, by SQL.
async fn in_table(url: &str) -> BTreeSet<String> {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT decision_id::text FROM public.decision").fetch_all(&pool).await.unwrap();
    let ids: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(ids.len(), rows.len());
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_reaches_the_database_however_often_it_goes_away() {
    let mut cluster = Cluster::start();
    let home = Home::new();
    let process = home.spawn(&["--database-url", &cluster.url()]);
    let api = &process.api;
    let mut made = decide(api, "before", 60).await;
    shipped(api).await;
    assert_eq!(in_table(&cluster.url()).await, made);
    assert_eq!(ids(api, "").await, made);

    for (round, reference) in ["away-1", "away-2"].into_iter().enumerate() {
        cluster.kill();
        let during = decide(api, reference, 40).await;
        assert_eq!(ids(api, &format!("&reference={reference}")).await, during, "from the local log");
        for id in &during {
            let record = api.get(&format!("/v1/decisions/{id}")).await.ok();
            assert_eq!((&record["durable"], &record["reference"]), (&json!("local"), &json!(reference)));
        }
        api.until("/readyz", |answer| answer.json["store"]["central"]["state"] == "away").await;
        assert_eq!(api.get("/readyz").await.status, 200, "decisions go on");
        made.extend(during);
        assert_eq!(ids(api, "").await, made, "also what was shipped before");
        cluster.resume();
        shipped(api).await;
        assert_eq!(in_table(&cluster.url()).await, made, "round {round}");
        assert_eq!(ids(api, "").await, made);
    }
    let some = made.first().unwrap();
    let replay = api.post(&format!("/v1/decisions/{some}/replay"), &json!({})).await.ok();
    assert_eq!(replay["agrees"], true);
    for place in [["--database-url", &cluster.url()], ["--data", "data"]] {
        let verified = home.run(&[&["audit", "verify"][..], &place].concat());
        assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    }
    let password = process.said();
    assert!(!password.contains("panicked"), "{password}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_answered_from_the_database_by_a_service_that_made_none_of_it() {
    let database = database().await;
    let (home, other) = (Home::new(), Home::new());
    let flags = |home: &Home| Flags { database_url: Some(database.url.clone()), ..home.flags() };
    let service = home.serve_with(flags(&home)).await;
    let made = decide(&service.api, "r", 30).await;
    shipped(&service.api).await;
    let elsewhere = other.serve_with(flags(&other)).await;
    shipped(&elsewhere.api).await;
    assert_eq!(ids(&elsewhere.api, "").await, made);
    let some = made.last().unwrap();
    for api in [&service.api, &elsewhere.api] {
        let record = api.get(&format!("/v1/decisions/{some}")).await.ok();
        assert_eq!(record["decision_id"], *some);
        let replay = api.post(&format!("/v1/decisions/{some}/replay"), &json!({})).await.ok();
        assert_eq!(replay["agrees"], true, "with the files from the database or its own");
    }
    let by_subject = elsewhere.api.post("/v1/decisions/search", &json!({"subject": "row-3"})).await.ok();
    assert_eq!(by_subject["decisions"].as_array().unwrap().len(), 1);
    service.stop().await;
    elsewhere.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn central_is_answered_when_the_database_has_it_and_refused_while_it_is_away() {
    let mut cluster = Cluster::start();
    let home = Home::new();
    let process = home.spawn(&["--database-url", &cluster.url(), "--durable", "central"]);
    let api = &process.api;
    let first = api.decide(&applicants()[0].facts).await.ok();
    assert_eq!(first["durable"], "central");
    assert_eq!(in_table(&cluster.url()).await.len(), 1, "it is there when it is answered");

    cluster.kill();
    let body = json!({"flow": FLOW, "facts": applicants()[1].facts});
    let refused = api.decide_under_key(&body, "again").await;
    refused.assert_problem(503, "not_recorded");
    assert!(refused.header("retry-after").is_some());
    cluster.resume();
    shipped(api).await;
    let answer = api.decide_under_key(&body, "again").await.ok();
    assert_eq!(answer["durable"], "central");
    let again = api.decide_under_key(&body, "again").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.ok()["decision_id"], answer["decision_id"]);
    assert!(in_table(&cluster.url()).await.contains(answer["decision_id"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_made_in_the_database_open_every_service_on_it() {
    let database = database().await;
    let home = Home::new();
    let made =
        home.run(&["keys", "create", "--role", "caller", "--name", "shop", "--database-url", &database.url]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let key: Json = serde_json::from_slice(&made.stdout).unwrap();
    let other = Home::new();
    let flags = Flags { database_url: Some(database.url.clone()), ..other.flags() };
    let service = other.serve_with(flags).await;
    service.api.decide(&applicants()[0].facts).await.assert_problem(401, "unauthenticated");
    let api = service.api.with_key(key["key"].as_str().unwrap());
    api.decide(&applicants()[0].facts).await.ok();
    shipped(&service.api).await;
    service.stop().await;
}
