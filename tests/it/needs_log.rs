//! The log of decisions with parts: one that was kept before there were any, and several nodes, of which one goes on
//! with what another began, and two at once end in one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sqlx::Connection as _;
use tollgate::audit::{AnsweredPart, Audit, Durability, Provenance, StoppedPart, verify_folder};
use tollgate::config::Flags;
use tollgate::domain::value::Value;
use tollgate::domain::verdict::{NeedAsked, Verdict};

use crate::app::{Answer, Api, Home};
use crate::needs::{ask, go_on, home, replays, whole};
use crate::postgres::{Cluster, database};
use crate::{samples, store};

/// Appends a decision that stopped once on its way: the part and the decision itself.
pub async fn append_in_parts(audit: &Audit) {
    let begun = samples::provenance("person-7", Durability::Local);
    let (given, facts, decided) = (samples::given("person-7"), samples::facts(), samples::verdict());
    let stopped = StoppedPart { number: 1, at: begun.decided_at, by: "shop".into() };
    let asked = NeedAsked { name: "bureau".into(), with: Value::Map(Arc::default()) };
    let stops = Verdict { needs: vec![asked], ..decided.clone() };
    let part = audit.part(&begun, &stopped, (&given, &facts), &stops).unwrap();
    audit.append_part(part).await.unwrap();
    let answered = AnsweredPart {
        number: 1,
        need: "bureau".into(),
        asked_at: begun.decided_at,
        answered_at: Timestamp::now(),
        answered_by: "bureau".into(),
    };
    let made = Provenance { parts: vec![answered], ..begun };
    audit.append(audit.record(&made, &given, &facts, &decided)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_from_before_there_were_parts_is_read_as_it_is_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let audit = store::open(folder.path()).await;
    let made = store::append_many(&audit, 3, Durability::Local).await;
    audit.close(Duration::ZERO).await;
    let address = format!("sqlite://{}", folder.path().join("log.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&address).await.unwrap();
    for sql in [
        "DROP INDEX entry_decision",
        "ALTER TABLE entry DROP COLUMN decision_id",
        "DELETE FROM _sqlx_migrations WHERE version = 2",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let report = verify_folder(folder.path()).await.unwrap();
    assert_eq!((report.is_whole(), report.decisions), (true, 3), "{:?}", report.problems);

    let audit = store::open(folder.path()).await;
    assert_eq!(store::ids(&audit).await, made);
    append_in_parts(&audit).await;
    audit.close(Duration::ZERO).await;
    let report = verify_folder(folder.path()).await.unwrap();
    assert_eq!((report.is_whole(), report.decisions), (true, 4), "{:?}", report.problems);
}

async fn shipped(api: &Api) {
    let done = json!({"state": "reachable", "lag": 0});
    api.until("/readyz", |answer| answer.json["store"]["central"] == done).await;
}

async fn verified(url: &str) -> tollgate::audit::Verification {
    let report = tollgate::audit::verify_database(url).await.unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_goes_on_with_what_one_began() {
    let database = database().await;
    let (here, there) = (home(), home());
    there.edit("rules/lending/flow.yaml", "min_score: 500", "min_score: 800");
    let flags = |home: &Home| Flags { database_url: Some(database.url.clone()), ..home.flags() };
    let (one, two) = (here.serve_with(flags(&here)).await, there.serve_with(flags(&there)).await);
    let id = ask(&one.api, "9000").await;
    shipped(&one.api).await;
    assert_eq!(two.api.all("&state=needs", 10).await.len(), 1);
    go_on(&two.api, &id, json!({"bureau": {"score": 700}})).await.ok();
    shipped(&two.api).await;
    let last = go_on(&one.api, &id, json!({"employer": {"since": "2020-01-31"}})).await.ok();
    assert_eq!(last["outcome"], "approve", "on the revision of the node that began");
    shipped(&one.api).await;
    assert_eq!(go_on(&two.api, &id, json!({"employer": {"since": "2020-01-31"}})).await.ok(), last);
    go_on(&two.api, &id, json!({"employer": null})).await.assert_problem(409, "already_decided");
    replays(&two.api, &id).await;
    assert_eq!((two.api.all("", 10).await.len(), two.api.all("&state=needs", 10).await.len()), (1, 0));
    one.stop().await;
    two.stop().await;
    assert_eq!(verified(&database.url).await.decisions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_cannot_see_each_other_end_in_one_decision() {
    let mut cluster = Cluster::start();
    let (here, there) = (home(), home());
    let flags = |home: &Home| Flags { database_url: Some(cluster.url()), ..home.flags() };
    let (one, two) = (here.serve_with(flags(&here)).await, there.serve_with(flags(&there)).await);
    let id = ask(&one.api, "100").await;
    shipped(&one.api).await;
    // The other node has seen it once: its part is known there only from Postgres, so it must be reachable.
    assert_eq!(two.api.get(&format!("/v1/decisions/{id}")).await.ok()["state"], "needs");
    let (approving, declining) = (json!({"bureau": {"score": 700}}), json!({"bureau": {"score": 400}}));
    let (a, b) =
        tokio::join!(go_on(&one.api, &id, approving.clone()), go_on(&two.api, &id, declining.clone()));
    shipped(&one.api).await;
    shipped(&two.api).await;
    let outcome = |answer: &Answer| answer.json["outcome"].clone();
    let (first, second) = (
        one.api.get(&format!("/v1/decisions/{id}")).await,
        two.api.get(&format!("/v1/decisions/{id}")).await,
    );
    assert_eq!(outcome(&first), outcome(&second), "both show what Postgres has");
    assert!(outcome(&a) == outcome(&first) || outcome(&b) == outcome(&first));
    let (agreeing, other) =
        if outcome(&first) == "approve" { (approving, declining) } else { (declining, approving) };
    for api in [&one.api, &two.api] {
        assert_eq!(go_on(api, &id, agreeing.clone()).await.ok()["outcome"], outcome(&first));
        go_on(api, &id, other.clone()).await.assert_problem(409, "already_decided");
    }
    one.stop().await;
    two.stop().await;
    let report = verified(&cluster.url()).await;
    assert_eq!(report.nodes.len(), 2);
    whole(&here, 2);
    whole(&there, 1);
    cluster.kill();
}
