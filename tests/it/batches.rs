//! `POST /v1/decisions/batch`: many decisions over one request, while it is still being sent.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value as Json, json};

use crate::app::{Answer, Api, FLOW, Home, applicants};

const PATH: &str = "/v1/decisions/batch";
/// Far below it the largest line of these tests stays, far above it `MANY` lines are.
const MEMORY_KB: u64 = 24 * 1024;

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

async fn batch(api: &Api, body: impl Into<reqwest::Body>) -> Answer {
    let request = api.request("POST", PATH).header("content-type", "application/x-ndjson").body(body);
    api.send(request).await.unwrap()
}

fn question(n: usize) -> Json {
    let all = applicants();
    json!({"flow": FLOW, "reference": format!("row-{n}"), "facts": all[n % all.len()].facts})
}

/// A flow that is decided in no time, so that tests of many lines take little.
fn small_home() -> Home {
    let home = Home::empty();
    let flow = "flow: gate\ninputs: { amount: integer, note: { type: text, optional: true } }\n\
                outcomes: [approve, review]\nreasons: { R1: { en: Too much } }\n\
                on_error: { outcome: review, reason: R1 }\n";
    home.write("rules/gate/flow.yaml", flow);
    home.write("rules/gate/flow.rhai", "if amount > 500 { review(\"R1\"); }\napprove();\n");
    home.write("models/.keep", "");
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_answered_in_order_and_a_wrong_one_does_not_end_the_others() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let mut body = String::new();
    for n in 0..40 {
        writeln!(body, "{}", question(n)).unwrap();
    }
    let too_long = format!("{{\"flow\": \"{}\"}}", "x".repeat(300 * 1024));
    let mut wrong = question(0);
    wrong["facts"]["age"] = json!("secret");
    write!(body, "\r\n  \n{{\"flow\": broken\n{too_long}\n{wrong}\n[1]\n").unwrap();
    let unknown = json!({"flow": "personal_laon", "facts": {}});
    let dry = json!({"flow": FLOW, "facts": question(7)["facts"], "dry_run": true, "trace": "summary"});
    // The last line has no end.
    write!(body, "{unknown}\n{dry}\r\n{}", question(40)).unwrap();
    let answer = batch(api, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let answers = lines(&answer.text);
    assert_eq!(answers.len(), 47);

    let numbers: Vec<u64> = answers.iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
    // Lines 41 and 42 are blank.
    assert_eq!(numbers, (1..=40).chain(43..=49).collect::<Vec<_>>());
    for (n, answer) in answers.iter().take(40).enumerate() {
        assert_eq!(answer["reference"], json!(format!("row-{n}")));
        assert_eq!((&answer["state"], &answer["durable"]), (&json!("decided"), &json!("local")));
        let path = format!("/v1/decisions/{}", answer["decision_id"].as_str().unwrap());
        let record = api.get(&path).await.ok();
        assert_eq!((&record["outcome"], &record["reference"]), (&answer["outcome"], &answer["reference"]));
    }
    let codes: Vec<&str> = answers[40..46].iter().filter_map(|answer| answer["code"].as_str()).collect();
    let expected = ["malformed_body", "body_too_large", "invalid_facts", "invalid_body", "unknown_flow"];
    assert_eq!(codes, expected, "{:?}", &answers[40..]);
    assert_eq!(answers[40]["detail"], "expected a value at column 10");
    assert_eq!(answers[42]["errors"][0]["pointer"], "/facts/age");
    assert!(answers[44]["detail"].as_str().unwrap().contains("did you mean `personal_loan`?"));
    assert!(!answer.text.contains("secret"));
    assert_eq!((&answers[45]["dry_run"], answers[45]["trace"].is_array()), (&json!(true), true));
    assert_eq!(answers[46]["reference"], "row-40");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decided_line_is_recorded_and_every_refused_one_noted() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let mut body = String::new();
    for n in 0..300 {
        writeln!(body, "{}", question(n)).unwrap();
        if n % 100 == 0 {
            writeln!(body, "{}", json!({"flow": FLOW, "reference": "no facts"})).unwrap();
        }
    }
    let answers = lines(&batch(api, body).await.text);
    let decided: Vec<&Json> = answers.iter().filter(|answer| answer["state"] == "decided").collect();
    assert_eq!((answers.len(), decided.len()), (303, 300));
    let recorded = api.all("", 1000).await;
    let id = |of: &Json| of["decision_id"].as_str().unwrap().to_owned();
    let mut of_answers: Vec<String> = decided.iter().map(|answer| id(answer)).collect();
    let mut of_log: Vec<String> = recorded.iter().map(id).collect();
    of_answers.sort();
    of_log.sort();
    assert_eq!(of_answers, of_log);
    let refused = api.until("/v1/refusals?reference=no%20facts", |answer| {
        answer.json["refusals"].as_array().is_some_and(|all| all.len() == 3)
    });
    assert_eq!(refused.await.json["refusals"][0]["code"], "invalid_body");
    let metrics = api.get("/metrics").await.text;
    assert!(metrics.contains("tollgate_batch_lines_total{result=\"answered\"} "), "{metrics}");
    assert!(metrics.contains("tollgate_batch_lines_total{result=\"problem\"} "), "{metrics}");
    service.stop().await;
    let verified = home.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_s_key_is_that_of_a_single_request_and_works_within_one_body() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let body = question(3);
    let single = api.decide_under_key(&body, "k-1").await.ok();
    let keyed = |key: Json, n: usize| {
        let mut line = question(n);
        line["idempotency_key"] = key;
        format!("{line}\n")
    };
    let text = [
        keyed(json!("k-1"), 3),
        keyed(json!("k-2"), 5),
        keyed(json!("k-2"), 5),
        keyed(json!("k-2"), 6),
        keyed(json!(7), 6),
        keyed(json!("a b"), 6),
        keyed(Json::Null, 6),
    ]
    .concat();
    let answers = lines(&batch(api, text).await.text);
    assert_eq!(answers[0]["decision_id"], single["decision_id"]);
    assert_eq!(answers[0]["idempotent_replayed"], true);
    assert_eq!(answers[1].get("idempotent_replayed"), None);
    assert_eq!(answers[2]["decision_id"], answers[1]["decision_id"]);
    assert_eq!(
        (&answers[2]["idempotent_replayed"], &answers[3]["code"]),
        (&json!(true), &json!("key_reused"))
    );
    for wrong in &answers[4..6] {
        assert_eq!(wrong["errors"][0]["pointer"], "/idempotency_key", "{wrong}");
    }
    assert_eq!(answers[6]["state"], "decided");
    assert_eq!(api.all("", 100).await.len(), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_whole_is_said_before_any_line_is_read() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let line = format!("{}\n", question(0));
    let json = api.request("POST", PATH).header("content-type", "application/json").body(line.clone());
    api.send(json).await.unwrap().assert_problem(415, "unsupported_media_type");
    let lines_of = |name: &'static str, value: &'static str| {
        let request = api.request("POST", PATH).header("content-type", "application/x-ndjson");
        request.header(name, value).body(line.clone())
    };
    let keyed = api.send(lines_of("idempotency-key", "k")).await.unwrap();
    keyed.assert_problem(400, "invalid_header");
    assert!(keyed.text.contains("each may have an `idempotency_key`"), "{}", keyed.text);
    api.send(lines_of("deadline-ms", "soon")).await.unwrap().assert_problem(400, "invalid_header");
    api.send(lines_of("content-encoding", "gzip"))
        .await
        .unwrap()
        .assert_problem(415, "unsupported_media_type");
    assert_eq!(batch(api, "").await.text, "");
    assert_eq!(api.all("", 10).await.len(), 0);
    service.stop().await;
}

/// Lines as they are asked for, and how many were.
fn endless(most: usize, is_dry: bool) -> (reqwest::Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let note = "x".repeat(400);
    let all = stream::iter(0..most).map(move |n| {
        count.store(n + 1, Ordering::Relaxed);
        let facts = json!({"amount": n % 1000, "note": note});
        let line = json!({"flow": "gate", "facts": facts, "dry_run": is_dry, "reference": "r".repeat(250)});
        Ok::<_, std::io::Error>(format!("{line}\n"))
    });
    (reqwest::Body::wrap_stream(all), taken)
}

/// Waits until a number stays the same for a while.
async fn settled(number: impl Fn() -> usize) -> usize {
    let mut before = number();
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = number();
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_not_read_from_and_gets_everything_once_it_reads() {
    let home = small_home();
    let service = home.serve().await;
    let most = 60_000;
    let (body, taken) = endless(most, true);
    let request = service.api.request("POST", PATH).header("content-type", "application/x-ndjson").body(body);
    let response = request.timeout(Duration::from_secs(300)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    // The answers fill the connection; then no more lines are taken.
    let stuck = settled(|| taken.load(Ordering::Relaxed)).await;
    assert!(stuck < most / 2, "{stuck} lines were taken while nobody read");
    let (mut answers, mut rest) = (0_u64, Vec::new());
    let mut bytes = response.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        rest.extend_from_slice(&chunk.unwrap());
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            answers += 1;
            if answers % 1_000 == 0 {
                let answer: Json = serde_json::from_slice(&line).unwrap();
                assert_eq!((&answer["line"], &answer["state"]), (&json!(answers), &json!("decided")));
            }
        }
    }
    assert_eq!((answers as usize, rest.len()), (most, 0));
    service.stop().await;
}

/// Sends lines of a body that would go on for long, reads so many answers, and is gone: how many lines were sent, and
/// what was read.
fn leave_half_way(address: &str, answers: usize) -> (usize, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        "POST /v1/decisions/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n";
    write!(stream, "{head}content-length: 9000000000\r\n\r\n").unwrap();
    let (mut sent, mut read, mut buffer) = (0, Vec::new(), [0; 4096]);
    while read.iter().filter(|byte| **byte == b'{').count() < 4 * answers {
        for _ in 0..20 {
            writeln!(stream, "{}", json!({"flow": "gate", "facts": {"amount": sent}})).unwrap();
            sent += 1;
        }
        let count = stream.read(&mut buffer).unwrap();
        read.extend_from_slice(&buffer[..count]);
    }
    (sent, String::from_utf8(read).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_for_a_client_that_left_is_recorded_and_nothing_is_left_behind() {
    let home = small_home();
    let service = home.serve().await;
    let api = &service.api;
    let address = api.address().to_owned();
    let (sent, read) = tokio::task::spawn_blocking(move || leave_half_way(&address, 500)).await.unwrap();
    let found = || async { api.all("", 1000).await.len() };
    let mut recorded = found().await;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = found().await;
        if now == recorded {
            break;
        }
        recorded = now;
    }
    let answered: Vec<Json> = read.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(answered.len() >= 500 && answered.len() <= recorded && recorded <= sent, "{recorded} of {sent}");
    let last = answered.last().unwrap()["decision_id"].as_str().unwrap();
    assert_eq!(api.get(&format!("/v1/decisions/{last}")).await.ok()["decision_id"], last);
    // Nothing is left that the service would wait for.
    let stopped = std::time::Instant::now();
    service.stop().await;
    assert!(stopped.elapsed() < Duration::from_secs(15), "{:?}", stopped.elapsed());
    assert!(home.run(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_says_which_lines_to_send_again() {
    let home = small_home();
    let process = home.spawn(&[]);
    let api = process.api.clone();
    // Lines that never end, slowly.
    let slow = stream::unfold(0_u64, |n| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let line = json!({"flow": "gate", "facts": {"amount": n}});
        Some((Ok::<_, std::io::Error>(format!("{line}\n")), n + 1))
    });
    let request = api.request("POST", PATH).header("content-type", "application/x-ndjson");
    let response = request.body(reqwest::Body::wrap_stream(slow)).send().await.unwrap();
    let mut bytes = response.bytes_stream();
    let mut read = String::new();
    while read.lines().count() < 20 {
        read.push_str(std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap());
    }
    let mut process = process;
    let ended = tokio::task::spawn_blocking(move || process.terminate());
    while let Some(Ok(chunk)) = bytes.next().await {
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let answers = lines(&read);
    let (last, before) = answers.split_last().unwrap();
    assert_eq!(last["code"], "overloaded", "{last}");
    assert!(last["detail"].as_str().unwrap().contains("send this line and those behind it again"));
    assert!(before.iter().all(|answer| answer["state"] == "decided"));
    assert_eq!(last["line"].as_u64().unwrap() as usize, answers.len());
    assert!(ended.await.unwrap().success());
}

/// A number of `/proc/PID/status`, in KiB.
fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_lines_take_the_memory_of_a_thousand() {
    let home = small_home();
    let process = home.spawn(&["--durable", "memory"]);
    let decide = async |count: usize| {
        let (body, _) = endless(count, false);
        let request = process.api.request("POST", PATH).header("content-type", "application/x-ndjson");
        let response = request.timeout(Duration::from_secs(300)).body(body).send().await.unwrap();
        let mut bytes = response.bytes_stream();
        let mut answers = 0;
        while let Some(chunk) = bytes.next().await {
            answers += chunk.unwrap().iter().filter(|byte| **byte == b'\n').count();
        }
        assert_eq!(answers, count);
        memory(process.id(), "VmHWM")
    };
    // Whatever is made once is made now.
    let before = decide(10_000).await;
    let after = decide(100_000).await;
    assert!(after < before + MEMORY_KB, "{before} KiB after 10,000 lines, {after} KiB after 100,000 more");
}
