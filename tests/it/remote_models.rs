//! A flow whose model answers on other servers: real `--models-only` processes under load, of which one is killed, one
//! stops answering and one lies; what is recorded of it; and that a replay needs none of them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tollgate::domain::value::Kind;
use tollgate::learn::library::read_models;

use crate::app::{Api, FLOW, Home, applicants, repository};

/// Of the flow, in milliseconds: far more than an answer takes, even on a machine with much else to do.
const DEADLINE_MS: u64 = 2000;
const APPLICANTS: usize = 40;

/// A server that gives these outputs to whatever it is asked, after a while.
fn saying(outputs: &'static str, after: Duration) -> String {
    let serve = move |mut stream: TcpStream| {
        let (mut buffer, mut chunk) = (Vec::new(), [0_u8; 4096]);
        while let Ok(read @ 1..) = stream.read(&mut chunk) {
            buffer.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&buffer).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.unwrap_or("0").parse().unwrap();
            if body.len() < length {
                continue;
            }
            if head.starts_with("POST ") {
                std::thread::sleep(after);
            }
            buffer.clear();
            let answer = format!("{{\"model_name\":\"german_credit\",\"outputs\":[{outputs}]}}");
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            if stream.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Everything that it is asked it answers with a probability of 7.5.
fn liar() -> String {
    saying(r#"{"name":"probability","shape":[1],"datatype":"FP64","data":[7.5]}"#, Duration::ZERO)
}

/// `remote.yaml` for the sample model on these servers.
fn remote(servers: &[String], more: &str) -> String {
    let library = read_models(&repository().join("models"));
    // The champion of a test home.
    let model = library.resolve("german_credit@1").unwrap();
    let inputs: Vec<String> = model
        .inputs
        .iter()
        .map(|input| {
            let kind = match input.kind {
                Kind::Integer => "integer",
                Kind::Boolean => "boolean",
                Kind::Choice(_) | Kind::Text => "text",
                _ => "number",
            };
            format!("  {}: {kind}\n", input.name)
        })
        .collect();
    format!(
        "protocol: oip\nservers: [{}]\nmodel: german_credit\nversion: {}\noutput: {{ tensor: probability }}\n\
         deadline_ms: {DEADLINE_MS}\nattempt_ms: 400\nretries: {{ most: 3, percent: 100, always_per_s: 100 }}\n\
         health: {{ every_ms: 300, within_ms: 1000 }}\n{more}inputs:\n{}",
        servers.join(", "),
        model.version,
        inputs.concat()
    )
}

/// A home whose flow asks `elsewhere`.
fn home(servers: &[String], more: &str) -> Home {
    let home = Home::new();
    home.write("models/elsewhere/remote.yaml", remote(servers, more));
    home.edit(
        &format!("rules/{FLOW}/flow.yaml"),
        "  default_risk: german_credit@champion\n",
        "  default_risk: { use: elsewhere, if_it_fails: { outcome: review, reason: R900 } }\n",
    );
    home.edit(
        &format!("rules/{FLOW}/flow.yaml"),
        "deadline_ms: 50\n",
        &format!("deadline_ms: {DEADLINE_MS}\n"),
    );
    home
}

/// What the same flow says where the model is here.
async fn here() -> Vec<Json> {
    let service = Home::new().serve().await;
    let mut answers = Vec::new();
    for applicant in applicants().iter().take(APPLICANTS) {
        answers.push(service.api.decide(&applicant.facts).await.ok());
    }
    service.stop().await;
    answers
}

fn same(answer: &Json, expected: &Json) {
    for part in ["outcome", "reasons", "output", "scores"] {
        assert_eq!(answer[part], expected[part], "{answer}");
    }
}

/// Whether something stood in for the model; whatever happens, the flow has said what then.
fn is_referred(answer: &Json) -> bool {
    let has_reason = answer["reasons"].as_array().unwrap().iter().any(|reason| reason["code"] == "R900");
    if answer["degraded"] == json!(false) {
        assert!(!has_reason, "{answer}");
        return false;
    }
    // What was found before is not lost: it may be stricter.
    assert!(answer["outcome"] == "decline" || has_reason, "{answer}");
    true
}

async fn replays(api: &Api, ids: &[String]) {
    for id in ids {
        let replay = api.post(&format!("/v1/decisions/{id}/replay"), &json!({})).await.ok();
        assert_eq!(replay["agrees"], json!(true), "{replay}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_killed_stopped_and_lie_and_no_decision_fails() {
    let expected = Arc::new(here().await);
    let mut servers: Vec<_> = (0..3)
        .map(|_| {
            let home = Home::new();
            let process = home.spawn(&["--models-only", "--models", "models"]);
            (home, process)
        })
        .collect();
    let mut addresses: Vec<String> = servers.iter().map(|(_, process)| process.api.base.clone()).collect();
    addresses.push(liar());
    let home = home(&addresses, "");
    let service = home.serve().await;

    let count = Arc::new(AtomicUsize::new(0));
    let ask = |task: usize| {
        let (api, expected, count) = (service.api.clone(), Arc::clone(&expected), Arc::clone(&count));
        tokio::spawn(async move {
            let applicants = applicants();
            let mut all = Vec::new();
            for turn in 0..60 {
                let at = (task * 7 + turn) % APPLICANTS;
                let answer = api.decide(&applicants[at].facts).await.ok();
                count.fetch_add(1, Ordering::Relaxed);
                if !is_referred(&answer) {
                    same(&answer, &expected[at]);
                }
                all.push(answer);
            }
            all
        })
    };
    let tasks: Vec<_> = (0..8).map(ask).collect();
    let reached = async |many: usize| {
        while count.load(Ordering::Relaxed) < many {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    reached(100).await;
    servers[0].1.kill();
    reached(200).await;
    servers[1].1.pause();
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.unwrap());
    }
    assert_eq!(answers.len(), 480);
    let referred = answers.iter().filter(|answer| answer["degraded"] == json!(true)).count();
    assert!(referred * 20 <= answers.len(), "{referred} of {} were referred", answers.len());
    let late =
        answers.iter().filter(|a| a["elapsed_us"].as_u64().unwrap() > (DEADLINE_MS + 500) * 1000).count();
    assert!(late * 100 <= answers.len(), "{late} of {} were late", answers.len());

    // The last that answers goes too: every decision is what the flow says then, and none fails.
    servers[2].1.kill();
    let mut ids: Vec<String> =
        answers.iter().step_by(24).map(|a| a["decision_id"].as_str().unwrap().to_owned()).collect();
    for applicant in applicants().iter().take(10) {
        let answer = service.api.decide(&applicant.facts).await.ok();
        assert!(is_referred(&answer), "{answer}");
        ids.push(answer["decision_id"].as_str().unwrap().to_owned());
    }
    replays(&service.api, &ids).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_says_who_answered_what_and_a_replay_needs_nobody() {
    let other = Home::new();
    let mut process = other.spawn(&["--models-only", "--models", "models"]);
    let home = home(&[process.api.base.clone()], "");
    let service = home.serve().await;
    let facts = &applicants()[0].facts;
    let body = json!({"flow": FLOW, "facts": facts, "trace": "full"});
    let answer = service.api.post("/v1/decisions", &body).await.ok();
    assert_eq!(answer["degraded"], json!(false));
    let step =
        answer["trace"].as_array().unwrap().iter().find(|step| step.get("gathered").is_some()).unwrap();
    assert_eq!(
        (&step["protocol"], &step["over"], &step["attempts"]),
        (&json!("oip"), &json!("http"), &json!(1))
    );
    assert_eq!(step["endpoint"], json!(process.api.address()));

    let id = answer["decision_id"].as_str().unwrap().to_owned();
    let record = service.api.get(&format!("/v1/decisions/{id}")).await.ok();
    let gathered = &record["gathered"][0];
    assert_eq!((&gathered["model"], &gathered["failed"]), (&json!("elsewhere"), &Json::Null));
    assert_eq!(gathered["version"], gathered["asked_version"]);
    assert_eq!(gathered["answer"], step["answer"]);
    assert_eq!(gathered["inputs"]["duration_months"], facts["duration_months"]);

    process.kill();
    replays(&service.api, &[id]).await;
    // Once more, and now nobody is there: it is said, and the flow's stand-in is taken.
    let answer = service.api.post("/v1/decisions", &body).await.ok();
    assert!(is_referred(&answer));
    let id = answer["decision_id"].as_str().unwrap().to_owned();
    let record = service.api.get(&format!("/v1/decisions/{id}")).await.ok();
    assert_eq!(record["gathered"][0]["failed"]["code"], json!("unreachable"), "{record}");
    replays(&service.api, &[id]).await;

    let metrics = service.api.get("/metrics").await.text;
    for line in ["tollgate_remote_calls_total{model=\"elsewhere\",result=\"ok\"}", "tollgate_remote_servers{"]
    {
        assert!(metrics.contains(line), "{line}");
    }
    service.stop().await;
    assert_eq!(home.serve().await.api.get("/livez").await.status, 200, "a start needs no other server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_asks_its_caller_keeps_what_was_gathered_before() {
    let other = Home::new();
    let mut process = other.spawn(&["--models-only", "--models", "models"]);
    let home = home(&[process.api.base.clone()], "");
    home.edit(
        &format!("rules/{FLOW}/flow.yaml"),
        "\noutputs:",
        "\nneeds:\n  bureau: { of: { score: integer } }\n\noutputs:",
    );
    home.edit(
        &format!("rules/{FLOW}/flow.rhai"),
        "if risk > max_default_risk {",
        "if need(\"bureau\").score < 300 { decline(\"R301\"); }\nif risk > max_default_risk {",
    );
    let service = home.serve().await;
    let asked = service.api.decide(&applicants()[0].facts).await.ok();
    assert_eq!(asked["state"], json!("needs"), "{asked}");
    process.kill();
    let id = asked["decision_id"].as_str().unwrap().to_owned();
    let answers = json!({"facts": {"bureau": {"score": 700}}});
    let decided = service.api.post(&format!("/v1/decisions/{id}/continue"), &answers).await.ok();
    assert_eq!(decided["degraded"], json!(false), "the answer is the one from before: {decided}");
    let scores: BTreeMap<String, Json> = serde_json::from_value(decided["scores"].clone()).unwrap();
    assert!(scores.contains_key("default_risk"));
    replays(&service.api, &[id]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tensorflow_servings_protocol_over_grpc_gives_the_answers_of_a_model_that_is_here() {
    let expected = here().await;
    let other = Home::new();
    let mut process = other.spawn(&["--models-only", "--models", "models"]);
    let home = Home::new();
    let text = remote(&[format!("http://{}", process.grpc)], "over: grpc\n");
    home.write("models/elsewhere/remote.yaml", text.replace("protocol: oip", "protocol: tensorflow_serving"));
    let flow = format!("rules/{FLOW}/flow.yaml");
    let stand_in = "  default_risk: { use: elsewhere, if_it_fails: { outcome: review, reason: R900 } }\n";
    home.edit(&flow, "  default_risk: german_credit@champion\n", stand_in);
    home.edit(&flow, "deadline_ms: 50\n", &format!("deadline_ms: {DEADLINE_MS}\n"));
    let service = home.serve().await;
    let mut ids = Vec::new();
    for (applicant, expected) in applicants().iter().zip(&expected) {
        let body = json!({ "flow": FLOW, "facts": applicant.facts, "trace": "full" });
        let answer = service.api.post("/v1/decisions", &body).await.ok();
        assert!(!is_referred(&answer), "{answer}");
        same(&answer, expected);
        let gathered = answer["trace"].as_array().unwrap().iter().find(|step| step.get("gathered").is_some());
        // Who is knocked out before the model is asked has no such step.
        if let Some(step) = gathered {
            let how = (&step["protocol"], &step["over"], &step["endpoint"], &step["version"]);
            let wanted = (&json!("tensorflow_serving"), &json!("grpc"), &json!(process.grpc), &json!("1"));
            assert_eq!(how, wanted, "{step}");
            ids.push(answer["decision_id"].as_str().unwrap().to_owned());
        }
    }
    assert!(ids.len() > 10, "{}", ids.len());
    process.kill();
    replays(&service.api, &ids).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_trace_reaches_the_other_server() {
    use std::io::BufRead as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (heads, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let head: Vec<String> = std::io::BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            // It hangs up without an answer; what it was sent is what matters.
            if heads.send(head).is_err() {
                return;
            }
        }
    });
    let home = home(&[address], "");
    let service = home.serve().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let body = json!({ "flow": FLOW, "facts": applicants()[0].facts });
    let asked = service.api.request("POST", "/v1/decisions").json(&body);
    let asked = asked.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let answer = service.api.send(asked).await.unwrap();
    assert!(is_referred(&answer.json), "{}", answer.text);
    assert!(answer.header("traceparent").is_some_and(|header| header.contains(trace)));
    let infer = heard.iter().find(|head| head[0].starts_with("POST ")).unwrap();
    let sent = infer.iter().find_map(|line| line.strip_prefix("traceparent: ")).unwrap();
    assert!(sent.starts_with(&format!("00-{trace}-")) && !sent.contains("00f067aa0ba902b7"), "{sent}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_in_a_hurry_takes_the_model_from_nobody_else() {
    let half = r#"{"name":"probability","shape":[1],"datatype":"FP64","data":[0.5]}"#;
    let servers = [saying(half, Duration::from_millis(20)), saying(half, Duration::from_millis(20))];
    let service = home(&servers, "").serve().await;
    let body = json!({ "flow": FLOW, "facts": applicants()[0].facts });
    for _ in 0..60 {
        let hurried = service.api.request("POST", "/v1/decisions").json(&body).header("deadline-ms", "1");
        assert!(is_referred(&service.api.send(hurried).await.unwrap().ok()));
    }
    for _ in 0..20 {
        assert!(!is_referred(&service.api.post("/v1/decisions", &body).await.ok()));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gauges_tell_of_the_file_that_is_in_force() {
    let half = r#"{"name":"probability","shape":[1],"datatype":"FP64","data":[0.5]}"#;
    let server = saying(half, Duration::ZERO);
    let home = home(std::slice::from_ref(&server), "breaker: { calls: 5, pause_ms: 600000 }\n");
    // A name of its own: tests of one process share their metrics.
    std::fs::rename(home.path("models/elsewhere"), home.path("models/gauged")).unwrap();
    home.edit(&format!("rules/{FLOW}/flow.yaml"), "use: elsewhere", "use: gauged");
    let service = home.serve().await;
    let good = home.read("models/gauged/remote.yaml");
    let on = |servers: &str| good.replace(&format!("[{server}]"), servers);
    let gauges = |asked: u8, is_open: u8| {
        let labels = r#"model="gauged",version="1""#;
        [
            format!("tollgate_remote_in_force{{{labels}}} 1\n"),
            format!("tollgate_remote_servers{{{labels},state=\"asked\"}} {asked}\n"),
            format!("tollgate_remote_breaker_open{{{labels}}} {is_open}\n"),
        ]
    };
    let show = |text: &str, wanted: &[String]| wanted.iter().all(|line| text.contains(line));
    let facts = &applicants()[0].facts;
    service.api.until("/metrics", |answer| show(&answer.text, &gauges(1, 0))).await;
    assert!(!is_referred(&service.api.decide(facts).await.ok()));

    home.write("models/gauged/remote.yaml", on("[http://127.0.0.1:1]"));
    let begun = std::time::Instant::now();
    while !show(&service.api.get("/metrics").await.text, &gauges(1, 1)) {
        service.api.decide(facts).await.ok();
        assert!(begun.elapsed().as_secs() < 60, "the breaker does not open");
    }
    home.write("models/gauged/remote.yaml", on("{ at: 'http://no-such-host.invalid:80', every_s: 1 }"));
    service.api.until("/metrics", |answer| show(&answer.text, &gauges(0, 0))).await;

    home.write("models/gauged/remote.yaml", &good);
    service.api.until("/metrics", |answer| show(&answer.text, &gauges(1, 0))).await;
    for _ in 0..100 {
        let said = service.api.get("/metrics").await.text;
        assert!(show(&said, &gauges(1, 0)), "what is replaced says no more: {said}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(!is_referred(&service.api.decide(facts).await.ok()));

    // A flow that asks it no more.
    let flow = format!("rules/{FLOW}/flow.yaml");
    let stand_in = "{ use: gauged, if_it_fails: { outcome: review, reason: R900 } }";
    home.edit(&flow, stand_in, "german_credit@champion");
    let gone = gauges(0, 0).map(|line| {
        line.replace(
            "_in_force{model=\"gauged\",version=\"1\"} 1",
            "_in_force{model=\"gauged\",version=\"1\"} 0",
        )
    });
    service.api.until("/metrics", |answer| show(&answer.text, &gone)).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_of_an_answer_is_recorded_and_replayed() {
    let outputs = r#"{"name":"other","shape":[1],"datatype":"BYTES"},{"name":"probability","shape":[1],"datatype":"FP32","data":[1.0000001]}"#;
    let service = home(&[saying(outputs, Duration::ZERO)], "").serve().await;
    let answer = service.api.decide(&applicants()[0].facts).await.ok();
    assert!(!is_referred(&answer), "{answer}");
    let id = answer["decision_id"].as_str().unwrap().to_owned();
    let record = service.api.get(&format!("/v1/decisions/{id}")).await.ok();
    assert_eq!(record["gathered"][0]["answer"], json!(1.0), "{record}");
    replays(&service.api, &[id]).await;
    service.stop().await;
}
