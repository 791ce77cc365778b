//! Decisions with parts on several nodes: what one began another goes on with, and two at once end in one.

use serde_json::json;
use tollgate::config::Flags;

use crate::app::{Answer, Api, Home};
use crate::needs::{ask, go_on, home, replays, whole};
use crate::postgres::{Cluster, database};

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
