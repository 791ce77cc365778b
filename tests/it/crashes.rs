//! The program killed and stopped while it answers: what was answered is there afterwards, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::app::{Api, FLOW, Home, applicants};

/// Decides over several connections until the service goes away; the ids of all that was answered with 200.
struct Load {
    senders: Vec<tokio::task::JoinHandle<Vec<String>>>,
    answered: Arc<AtomicUsize>,
}

impl Load {
    fn start(api: &Api, connections: usize) -> Self {
        let applicants: Arc<[_]> = applicants().into();
        let answered = Arc::new(AtomicUsize::new(0));
        let sender = |n: usize| {
            let (api, applicants, answered) = (api.clone(), Arc::clone(&applicants), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for applicant in applicants.iter().cycle().skip(n * 97) {
                    let body = json!({"flow": FLOW, "facts": applicant.facts});
                    // Whoever gets no whole answer has none: the connection broke, or the service is stopping.
                    let Ok(answer) = api.send(api.request("POST", "/v1/decisions").json(&body)).await else {
                        return ids;
                    };
                    if answer.status == 503 {
                        return ids;
                    }
                    let decision = answer.ok();
                    ids.push(decision["decision_id"].as_str().unwrap().to_owned());
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                ids
            })
        };
        Self { senders: (0..connections).map(sender).collect(), answered }
    }

    async fn until_answered(&self, count: usize) {
        while self.answered.load(Ordering::SeqCst) < count {
            assert!(self.senders.iter().any(|sender| !sender.is_finished()), "everyone was turned away");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn ids(self) -> Vec<String> {
        let mut ids = Vec::new();
        for sender in self.senders {
            ids.extend(sender.await.unwrap());
        }
        ids
    }
}

/// That every answered decision is found, and found once.
async fn assert_recorded_once(api: &Api, answered: &BTreeSet<String>) -> Vec<Json> {
    let found = api.all("", 1000).await;
    let ids: BTreeSet<String> =
        found.iter().map(|decision| decision["decision_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), found.len(), "each once");
    let lost: Vec<_> = answered.difference(&ids).collect();
    assert!(lost.is_empty(), "answered and not recorded: {lost:?}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_ten_times_under_load_it_keeps_every_answered_decision_once() {
    let home = Home::new();
    let mut answered = BTreeSet::new();
    for round in 0..10 {
        let mut process = home.spawn(&[]);
        assert_recorded_once(&process.api, &answered).await;
        let load = Load::start(&process.api, 8);
        load.until_answered(20 + round * 13).await;
        process.kill();
        let ids = load.ids().await;
        let before = answered.len();
        answered.extend(ids.iter().cloned());
        assert_eq!(answered.len(), before + ids.len(), "no id twice");
    }
    assert!(answered.len() > 500, "{}", answered.len());

    let verified = home.run(&["audit", "verify", "--data", "data", "--format", "json"]);
    let report: Json = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((verified.status.code(), &report["whole"]), (Some(0), &json!(true)), "{report}");

    let mut process = home.spawn(&[]);
    let found = assert_recorded_once(&process.api, &answered).await;
    assert_eq!(report["decisions"], json!(found.len()));
    for decision in found.iter().step_by(97) {
        let path = format!("/v1/decisions/{}/replay", decision["decision_id"].as_str().unwrap());
        assert_eq!(process.api.post(&path, &json!({})).await.ok()["agrees"], true);
    }
    assert!(process.terminate().success());

    // Positions, as an auditor reads them: decisions, releases, refusals and reads share one sequence.
    let exported = home.run(&["audit", "export", "--data", "data"]);
    let mut places: BTreeMap<(String, u64), BTreeSet<u64>> = BTreeMap::new();
    for line in String::from_utf8(exported.stdout).unwrap().lines() {
        let log = serde_json::from_str::<Json>(line).unwrap()["log"].clone();
        let epoch = (log["node"].as_str().unwrap().to_owned(), log["epoch"].as_u64().unwrap());
        assert!(places.entry(epoch).or_default().insert(log["sequence"].as_u64().unwrap()), "{log}");
    }
    assert_eq!(places.len(), 10, "an epoch a life");
    assert_eq!(places.values().map(BTreeSet::len).sum::<usize>(), found.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_under_load_it_finishes_and_exits_with_0() {
    let home = Home::new();
    let mut process = home.spawn(&[]);
    let load = Load::start(&process.api, 8);
    load.until_answered(100).await;
    let status = tokio::task::block_in_place(|| process.terminate());
    assert_eq!(status.code(), Some(0), "{}", process.said());
    let answered: BTreeSet<String> = load.ids().await.into_iter().collect();
    assert!(answered.len() >= 100);
    let restarted = home.spawn(&[]);
    let found = assert_recorded_once(&restarted.api, &answered).await;
    assert_eq!(found.len(), answered.len(), "everything that was recorded was answered");
    assert!(!process.said().contains("panicked"), "{}", process.said());
}
