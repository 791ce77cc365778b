//! Decisions that stop to ask their caller: one decision with parts, each in the log before its answer, gone on with
//! on the revision and the time that it began on, whatever happens in between.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tollgate::config::{Flags, Settings, gather};

use crate::app::{Answer, Api, Home};

const FLOW: &str = "flow: lending
subject: applicant_id
inputs:
  applicant_id: { type: text, personal: key }
  age:          { type: integer, min: 0, max: 120 }
  amount:       { type: decimal, min: 0 }
needs:
  bureau:
    of:
      score:         { type: integer, min: 0, max: 999, personal: mask }
      delinquencies: { type: integer, optional: true }
    with: { depth: { type: choice, of: [basic, full] }, applicant: text }
  employer: { of: { since: date }, optional: true }
features:
  large: amount > 5000
thresholds: { min_age: 18, min_score: 500 }
outputs: { limit: { type: decimal } }
outcomes: [approve, review, decline]
reasons:
  R101: { en: Under the minimum age }
  R201: { en: The bureau knows too little good }
  R301: { en: Employed for too short a time }
  R900: { en: The application needs a manual look }
on_error: { outcome: review, reason: R900 }
";

const SCRIPT: &str = r#"if age < min_age { decline("R101"); return; }
let bureau = need("bureau", #{ depth: if large { "full" } else { "basic" }, applicant: applicant_id });
if bureau.score < min_score { decline("R201"); return; }
if large {
    let employer = need("employer");
    if is_missing(employer) { review("R301"); return; }
    if years_between(employer.since, today) < 1 { review("R301"); return; }
}
approve(#{ limit: amount });
"#;

pub fn home() -> Home {
    let home = Home::empty();
    home.write("rules/lending/flow.yaml", FLOW);
    home.write("rules/lending/flow.rhai", SCRIPT);
    home.write("models/.keep", "");
    home
}

fn body(amount: &str) -> Json {
    let facts = json!({"applicant_id": "person-7", "age": 41, "amount": amount});
    json!({"flow": "lending", "reference": "a-1", "facts": facts})
}

pub async fn go_on(api: &Api, id: &str, facts: Json) -> Answer {
    api.post(&format!("/v1/decisions/{id}/continue"), &json!({"facts": facts})).await
}

/// Asks for a decision that stops for the bureau; its id.
pub async fn ask(api: &Api, amount: &str) -> String {
    let asked = api.post("/v1/decisions", &body(amount)).await.ok();
    assert_eq!(
        (&asked["state"], &asked["needs"][0]["input"]),
        (&json!("needs"), &json!("bureau")),
        "{asked}"
    );
    asked["decision_id"].as_str().unwrap().to_owned()
}

pub async fn replays(api: &Api, id: &str) {
    let replay = api.post(&format!("/v1/decisions/{id}/replay"), &json!({})).await.ok();
    assert_eq!(replay["agrees"], true, "{replay}");
}

pub fn whole(home: &Home, entries: u64) {
    let verified = home.run(&["audit", "verify", "--data", "data", "--format", "json"]);
    let report: Json = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((verified.status.code(), &report["whole"]), (Some(0), &json!(true)), "{report}");
    assert!(report["entries"].as_u64().unwrap() >= entries, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_asks_twice_goes_on_and_is_one_record_with_parts() {
    let home = home();
    let service = home.serve().await;
    let api = &service.api;

    let first = api.post("/v1/decisions", &body("9000.00")).await.ok();
    let id = first["decision_id"].as_str().unwrap();
    assert_eq!(
        first["needs"],
        json!([{"input": "bureau", "with": {"applicant": "person-7", "depth": "full"}}])
    );
    assert_eq!((&first["durable"], &first["reference"]), (&json!("local"), &json!("a-1")));
    for absent in ["outcome", "reasons", "output", "scores", "degraded", "dry_run", "trace"] {
        assert_eq!(first[absent], Json::Null, "{absent}");
    }

    let open = api.get(&format!("/v1/decisions/{id}")).await.ok();
    assert_eq!((&open["state"], &open["needs"]), (&json!("needs"), &first["needs"]));
    assert_eq!((&open["facts"]["age"], &open["features"]["large"]), (&json!(41), &json!(true)));
    assert_eq!(open["trace"][1]["need"], "bureau");
    assert!(api.all("", 10).await.is_empty(), "it is no decision yet");
    let waiting = api.all("&state=needs&reference=a-1", 10).await;
    assert_eq!((waiting.len(), &waiting[0]["decision_id"]), (1, &json!(id)));
    let replay = api.post(&format!("/v1/decisions/{id}/replay"), &json!({})).await;
    replay.assert_problem(422, "not_replayable");

    let second = go_on(api, id, json!({"bureau": {"score": 700}})).await.ok();
    assert_eq!((&second["state"], &second["needs"][0]["input"]), (&json!("needs"), &json!("employer")));
    for same in ["decision_id", "decided_at", "revision", "flow_revision", "reference", "market"] {
        assert_eq!(second[same], first[same], "{same}");
    }

    let last = go_on(api, id, json!({"employer": {"since": "2020-01-31"}})).await.ok();
    assert_eq!((&last["state"], &last["outcome"]), (&json!("decided"), &json!("approve")), "{last}");
    assert_eq!((&last["decision_id"], &last["decided_at"]), (&first["decision_id"], &first["decided_at"]));
    assert_eq!((&last["output"]["limit"], &last["reference"]), (&json!("9000.00"), &json!("a-1")));

    let record = api.get(&format!("/v1/decisions/{id}")).await.ok();
    assert_eq!((&record["state"], &record["caller"]), (&json!("decided"), &json!("local")));
    let parts = record["parts"].as_array().unwrap();
    let named: Vec<_> = parts.iter().map(|p| (&p["part"], &p["need"], &p["answered_by"])).collect();
    let (bureau, employer, by) = (json!("bureau"), json!("employer"), json!("local"));
    assert_eq!(named, [(&json!(1), &bureau, &by), (&json!(2), &employer, &by)]);
    assert_eq!(parts[0]["answered_at"], parts[1]["asked_at"]);
    assert_eq!(record["facts"]["bureau"]["score"], 700);
    assert_eq!((api.all("", 10).await.len(), api.all("&state=needs", 10).await.len()), (1, 0));
    replays(api, id).await;
    service.stop().await;
    whole(&home, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_facts_get_the_same_answer_and_others_are_refused() {
    let home = home();
    let service = home.serve().await;
    let api = &service.api;
    let id = ask(api, "9000.00").await;
    let second = go_on(api, &id, json!({"bureau": {"score": 700}})).await;
    assert_eq!(second.header("idempotent-replayed"), None);
    let again = go_on(api, &id, json!({"bureau": {"score": 700, "delinquencies": null}})).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.ok(), second.ok());
    let other = go_on(api, &id, json!({"bureau": {"score": 701}, "employer": null})).await;
    other.assert_problem(422, "invalid_facts");
    assert_eq!(other.json["errors"][0]["code"], "already_given");

    let last = go_on(api, &id, json!({"employer": null})).await.ok();
    assert_eq!((&last["outcome"], &last["degraded"]), (&json!("review"), &json!(false)));
    for facts in [
        json!({"employer": null}),
        json!({"bureau": {"score": 700}}),
        json!({"bureau": {"score": 700}, "employer": null}),
    ] {
        let again = go_on(api, &id, facts).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.ok(), last);
    }
    for facts in
        [json!({"employer": {"since": "2020-01-31"}}), json!({"bureau": null}), json!({}), json!({"age": 41})]
    {
        go_on(api, &id, facts).await.assert_problem(409, "already_decided");
    }

    let at_once = api
        .post(
            "/v1/decisions",
            &json!({"flow": "lending", "facts": {
                "applicant_id": "p", "age": 17, "amount": 1,
            }}),
        )
        .await
        .ok();
    assert_eq!(at_once["outcome"], "decline");
    let id = at_once["decision_id"].as_str().unwrap();
    go_on(api, id, json!({"bureau": {"score": 700}})).await.assert_problem(409, "already_decided");
    for unknown in ["019a0000-0000-7000-8000-000000000000", "nonsense"] {
        go_on(api, unknown, json!({"bureau": null})).await.assert_problem(404, "unknown_decision");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_do_not_fit_leave_the_decision_open() {
    let home = home();
    let service = home.serve().await;
    let api = &service.api;
    let id = ask(api, "100").await;
    for (facts, pointer, code) in [
        (json!({"bureau": {"score": "high"}}), "/facts/bureau/score", "wrong_type"),
        (json!({"bureau": {"score": 1000}}), "/facts/bureau/score", "too_high"),
        (json!({"bureau": {}}), "/facts/bureau/score", "missing"),
        (json!({"bureau": {"score": 1, "scroe": 1}}), "/facts/bureau/scroe", "unknown"),
        (json!({"bureau": 700}), "/facts/bureau", "wrong_type"),
        (json!({"buraeu": {"score": 1}}), "/facts/buraeu", "unknown"),
        (json!({"bureau": {"score": 1}, "age": 42}), "/facts/age", "not_asked"),
        (json!({}), "/facts/bureau", "missing"),
        (json!({"employer": null}), "/facts/bureau", "missing"),
    ] {
        let refused = go_on(api, &id, facts.clone()).await;
        refused.assert_problem(422, "invalid_facts");
        let error = &refused.json["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)), "{facts}");
    }
    let path = format!("/v1/decisions/{id}/continue");
    api.post(&path, &json!({"fcats": {}})).await.assert_problem(422, "invalid_body");
    api.post_bytes(&path, "{").await.assert_problem(400, "malformed_body");
    // The answer to a refused request does not wait for the entry that says so.
    let nine = |answer: &Answer| answer.json["refusals"].as_array().is_some_and(|all| all.len() == 9);
    let refusals = api.until("/v1/refusals?flow=lending", nine).await;
    assert_eq!(refusals.json["refusals"][0]["reference"], "a-1");

    // What the caller cannot give fails the flow, which then does what it does with failures.
    let failed = go_on(api, &id, json!({"bureau": null})).await.ok();
    assert_eq!((&failed["outcome"], &failed["degraded"]), (&json!("review"), &json!(true)));
    let record = api.get(&format!("/v1/decisions/{id}")).await.ok();
    assert_eq!(record["failures"][0]["code"], "need_unavailable");
    replays(api, &id).await;

    // All at once: nothing to stop for.
    let mut all = body("100");
    all["facts"]["bureau"] = json!({"score": 700});
    let decided = api.post("/v1/decisions", &all).await.ok();
    assert_eq!((&decided["state"], &decided["outcome"]), (&json!("decided"), &json!("approve")));
    let record = api.get(&format!("/v1/decisions/{}", decided["decision_id"].as_str().unwrap())).await.ok();
    assert_eq!(record["parts"], json!([]));
    all["facts"]["bureau"] = json!({"score": "x"});
    api.post("/v1/decisions", &all).await.assert_problem(422, "invalid_facts");

    // Nothing is kept of a dry run, so there is nothing to go on with.
    let mut dry = body("100");
    dry["dry_run"] = json!(true);
    let dry = api.post("/v1/decisions", &dry).await.ok();
    assert_eq!(
        (&dry["state"], &dry["dry_run"], &dry["durable"]),
        (&json!("needs"), &json!(true), &json!("none"))
    );
    let id = dry["decision_id"].as_str().unwrap();
    go_on(api, id, json!({"bureau": {"score": 700}})).await.assert_problem(404, "unknown_decision");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_after_a_restart_and_on_the_rules_that_it_began_on() {
    let home = home();
    let service = home.serve().await;
    let (first, second) = (ask(&service.api, "100").await, ask(&service.api, "100").await);
    let revision = service.api.get(&format!("/v1/decisions/{first}")).await.word("revision").to_owned();
    service.stop().await;
    home.edit("rules/lending/flow.yaml", "min_score: 500", "min_score: 800");
    let service = home.serve().await;
    let api = &service.api;
    let last = go_on(api, &first, json!({"bureau": {"score": 600}})).await.ok();
    assert_eq!((&last["outcome"], &last["revision"]), (&json!("approve"), &json!(revision)));
    replays(api, &first).await;

    // Also while it runs, and when the flow does not even ask any more.
    home.write(
        "rules/lending/flow.rhai",
        "if age < min_age { decline(\"R101\"); } else { review(\"R900\"); }\n",
    );
    api.until("/v1/flows/lending", |flow| flow.json["revision"] != json!(revision)).await;
    let last = go_on(api, &second, json!({"bureau": {"score": 499}})).await.ok();
    assert_eq!((&last["outcome"], &last["revision"]), (&json!("decline"), &json!(revision)));
    service.stop().await;
    whole(&home, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_go_on_at_once_one_decides_and_the_others_hear_of_it() {
    let home = home();
    let service = home.serve().await;
    let id = ask(&service.api, "100").await;
    let sender = |score: u32| {
        let (api, id) = (service.api.clone(), id.clone());
        tokio::spawn(async move { go_on(&api, &id, json!({"bureau": {"score": score}})).await })
    };
    let senders: Vec<_> = (0..200).map(|n| sender(if n % 2 == 0 { 700 } else { 400 })).collect();
    let (mut answers, mut refused, mut first) = (std::collections::BTreeSet::new(), 0, 0);
    for sender in senders {
        let answer = sender.await.unwrap();
        if answer.status == 409 {
            answer.assert_problem(409, "already_decided");
            refused += 1;
            continue;
        }
        first += usize::from(answer.header("idempotent-replayed").is_none());
        answers.insert(answer.ok().to_string());
    }
    assert_eq!((answers.len(), refused, first), (1, 100, 1), "{answers:#?}");
    assert_eq!(service.api.all("", 10).await.len(), 1);
    replays(&service.api, &id).await;
    service.stop().await;
    whole(&home, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_the_decision_while_it_waits_and_once_it_is_made() {
    let home = home();
    let service = home.serve().await;
    let api = &service.api;
    let first = api.decide_under_key(&body("100"), "k").await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let first = first.ok();
    let again = api.decide_under_key(&body("100"), "k").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.ok(), first);
    api.decide_under_key(&body("101"), "k").await.assert_problem(422, "key_reused");
    let id = first["decision_id"].as_str().unwrap();
    let last = go_on(api, id, json!({"bureau": {"score": 700}})).await.ok();
    let after = api.decide_under_key(&body("100"), "k").await;
    assert_eq!(after.header("idempotent-replayed"), Some("true"));
    assert_eq!(after.ok(), last);
    service.stop().await;
    let service = home.serve().await;
    assert_eq!(service.api.decide_under_key(&body("100"), "k").await.ok(), last);
    service.stop().await;
    whole(&home, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_parts_it_goes_on() {
    let home = home();
    let mut process = home.spawn(&[]);
    let ids = [ask(&process.api, "9000").await, ask(&process.api, "9000").await];
    go_on(&process.api, &ids[0], json!({"bureau": {"score": 700}})).await.ok();
    process.kill();
    let mut process = home.spawn(&[]);
    for id in &ids {
        let open = process.api.get(&format!("/v1/decisions/{id}")).await.ok();
        assert_eq!(open["state"], "needs");
        go_on(&process.api, id, json!({"bureau": {"score": 700}})).await.ok();
        process.kill();
        process = home.spawn(&[]);
        let last = go_on(&process.api, id, json!({"employer": {"since": "2020-01-31"}})).await.ok();
        assert_eq!(last["outcome"], "approve");
        process.kill();
        process = home.spawn(&[]);
        assert_eq!(
            go_on(&process.api, id, json!({"bureau": {"score": 700}})).await.ok()["outcome"],
            "approve"
        );
        replays(&process.api, id).await;
    }
    assert_eq!(process.api.all("", 10).await.len(), 2);
    process.kill();
    whole(&home, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_is_told_so() {
    let home = home();
    let settings = gather(&home.flags(), &|_| None).unwrap();
    assert_eq!(settings.open_for, Duration::from_secs(7 * 86_400));
    let service =
        home.serve_as(Settings { workers: 2, open_for: Duration::from_millis(1), ..settings }).await;
    let id = ask(&service.api, "100").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let late = go_on(&service.api, &id, json!({"bureau": {"score": 700}})).await;
    late.assert_problem(410, "decision_expired");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_same_caller_or_a_key_for_the_flow_goes_on() {
    let home = home();
    let key = |name: &str, more: &[&str]| -> String {
        let arguments = ["keys", "create", "--data", "data", "--name", name];
        let made = home.run(&[&arguments[..], more].concat());
        let shown: Json = serde_json::from_slice(&made.stdout).unwrap();
        shown["key"].as_str().unwrap().to_owned()
    };
    let caller = ["--role", "caller"];
    let shop = key("shop", &caller);
    let other = key("other", &caller);
    let bureau = key("bureau", &["--role", "caller", "--flows", "lending"]);
    let auditor = key("eve", &["--role", "auditor"]);
    let service = home.serve().await;
    let (shop, other) = (service.api.with_key(&shop), service.api.with_key(&other));
    let (bureau, auditor) = (service.api.with_key(&bureau), service.api.with_key(&auditor));
    let id = ask(&shop, "9000").await;
    let facts = json!({"bureau": {"score": 700}});
    go_on(&other, &id, facts.clone()).await.assert_problem(404, "unknown_decision");
    go_on(&auditor, &id, facts.clone()).await.assert_problem(403, "forbidden");
    go_on(&bureau, &id, facts).await.ok();

    // The bureau's key may give, not read; an auditor reads, masked unless for a purpose.
    let path = format!("/v1/decisions/{id}");
    other.get(&path).await.assert_problem(404, "unknown_decision");
    bureau.get(&path).await.assert_problem(404, "unknown_decision");
    let masked = auditor.get(&path).await.ok();
    assert_eq!(masked["facts"], json!({"age": 41, "amount": "9000", "applicant_id": "***", "bureau": "***"}));
    assert!(
        !masked.to_string().contains("person-7") && !masked["trace"].to_string().contains("700"),
        "{masked}"
    );
    let own = shop.get(&path).await.ok();
    assert_eq!((&own["facts"]["bureau"]["score"], &own["trace"]), (&json!(700), &Json::Null));

    go_on(&shop, &id, json!({"employer": null})).await.ok();
    let record = auditor.get(&path).await.ok();
    assert_eq!((&record["caller"], &record["facts"]["bureau"]), (&json!("shop"), &json!("***")));
    assert!(
        !record.to_string().contains("person-7") && !record["trace"].to_string().contains("700"),
        "{record}"
    );
    let answered: Vec<&Json> =
        record["parts"].as_array().unwrap().iter().map(|p| &p["answered_by"]).collect();
    assert_eq!(answered, ["bureau", "shop"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_later_is_durable_even_where_nobody_waits_for_that() {
    let home = home();
    let service = home.serve_with(Flags { durable: Some("memory".to_owned()), ..home.flags() }).await;
    let asked = service.api.post("/v1/decisions", &body("100")).await.ok();
    assert_eq!(asked["durable"], "local");
    let id = asked["decision_id"].as_str().unwrap();
    assert_eq!(go_on(&service.api, id, json!({"bureau": {"score": 700}})).await.ok()["durable"], "local");
    let minor = json!({"flow": "lending", "facts": {"applicant_id": "p", "age": 17, "amount": 1}});
    assert_eq!(service.api.post("/v1/decisions", &minor).await.ok()["durable"], "memory");
    service.stop().await;
    whole(&home, 4);
}

#[test]
fn the_command_line_says_what_is_needed() {
    let home = home();
    let facts = |facts: Json| home.write("facts.json", facts.to_string());
    let decide = || home.run(&["decide", "lending", "--facts", "facts.json", "--format", "json"]);
    facts(body("100")["facts"].clone());
    let asked = decide();
    let shown: Json = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((asked.status.code(), &shown["state"]), (Some(1), &json!("needs")));
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(said.contains("`bureau`") && said.contains("`facts.json`"), "{said}");
    facts(json!({"applicant_id": "p", "age": 41, "amount": 1, "bureau": {"score": 700}}));
    let decided = decide();
    let shown: Json = serde_json::from_slice(&decided.stdout).unwrap();
    assert_eq!((decided.status.code(), &shown["outcome"]), (Some(0), &json!("approve")));
}
