//! Pools against servers that answer, are late, lie and go away: small ones of this process, on real sockets.

mod blame;
mod fake;

use tokio::net::TcpListener;

use super::*;
use crate::domain::value::Value;
use crate::learn::library::ModelLibrary;
use fake::{Fake, Manner, OIP, about, ask, ask_within, fault, model, remotes};

#[tokio::test]
async fn a_question_and_its_answer_in_both_protocols() {
    let fake = Fake::start(Manner::Answers(0.25)).await;
    let remotes = remotes();
    let answer = ask(&remotes, about(&model(&[&fake], OIP), 41)).await;
    assert_eq!(answer.result, Ok(0.25));
    assert_eq!((answer.version.as_deref(), answer.attempts), (Some("7"), 1));
    assert_eq!(answer.endpoint.as_deref(), fake.address.strip_prefix("http://"));
    let sent = fake.last();
    assert!(sent.starts_with("POST /v2/models/m/infer HTTP/1.1"), "{sent}");
    let body: serde_json::Value = serde_json::from_str(sent.split_once("\n\n").unwrap().1).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "inputs": [
                {"name": "amount", "shape": [1], "datatype": "FP64", "data": [2500.5]},
                {"name": "age", "shape": [1], "datatype": "INT64", "data": [41]},
                {"name": "purpose", "shape": [1], "datatype": "BYTES", "data": ["car \"new\""]},
            ],
            "outputs": [{"name": "p"}],
        })
    );

    fake.turn(Manner::Says("{\"outputs\":[[0.75, 0.125]]}"));
    let served = model(
        &[&fake],
        "protocol: tensorflow_serving\nversion: 3\nlayout: columns\nsignature: s\noutput: { at: 1 }\nhealth: off\n",
    );
    assert_eq!(ask(&remotes, about(&served, 41)).await.result, Ok(0.125));
    let sent = fake.last();
    assert!(sent.starts_with("POST /v1/models/m/versions/3:predict HTTP/1.1"), "{sent}");
    let body: serde_json::Value = serde_json::from_str(sent.split_once("\n\n").unwrap().1).unwrap();
    let inputs = serde_json::json!({"amount": [[2500.5]], "age": [[41]], "purpose": [["car \"new\""]]});
    assert_eq!(body, serde_json::json!({"signature_name": "s", "inputs": inputs}));
}

#[tokio::test]
async fn a_missing_number_travels_as_nan_and_a_matrix_as_one_tensor() {
    let fake = Fake::start(Manner::Answers(0.25)).await;
    let text = format!(
        "servers: [{}]\nmodel: m\n{OIP}layout: {{ matrix: input-0 }}\ninputs:\n  a: {{ type: number, if_missing: nan, send_as: fp32 }}\n  b: {{ type: integer, send_as: fp32 }}\n",
        fake.address
    );
    let library = ModelLibrary::from_files(&[("m/remote.yaml", text.as_bytes())]);
    let model = library.resolve("m").unwrap();
    let asked = ModelAsked { model, row: [Value::Missing, Value::Integer(3)].into() };
    assert_eq!(ask(&remotes(), asked).await.result, Ok(0.25));
    let tensor = "{\"name\":\"input-0\",\"shape\":[1, 2],\"datatype\":\"FP32\",\"data\":[NaN,3.0]}";
    assert!(fake.last().contains(tensor), "{}", fake.last());
}

#[tokio::test]
async fn whatever_is_no_probability_is_a_failure_and_no_word_of_the_server_is_repeated() {
    let fake = Fake::start(Manner::HangsUp).await;
    let model =
        model(&[&fake], &format!("{OIP}retries: off\nbreaker: off\nejection: off\nattempt_ms: 200\n"));
    let remotes = remotes();
    let two = "{\"outputs\":[{\"name\":\"p\",\"shape\":[2,2],\"data\":[0.1,0.2,0.3,0.4]}]}";
    let cases = [
        (Manner::HangsUp, RemoteFault::Unreachable),
        (Manner::Status(500), RemoteFault::ServerFailed),
        (Manner::Status(404), RemoteFault::ServerFailed),
        (Manner::Status(302), RemoteFault::ServerFailed),
        (Manner::Status(400), RemoteFault::Refused),
        (Manner::Sleeps(Duration::from_secs(5)), RemoteFault::Late),
        (Manner::Endless, RemoteFault::Nonsense),
        (Manner::Answers(1.5), RemoteFault::Nonsense),
        (Manner::Answers(-0.1), RemoteFault::Nonsense),
        (Manner::Says(""), RemoteFault::Nonsense),
        (Manner::Says("[]"), RemoteFault::Nonsense),
        (Manner::Says("{\"outputs\":[]}"), RemoteFault::Nonsense),
        (
            Manner::Says(
                "{\"outputs\":[{\"name\":\"q\",\"shape\":[1],\"data\":[0.1]},{\"name\":\"r\",\"shape\":[1],\"data\":[0.1]}]}",
            ),
            RemoteFault::Nonsense,
        ),
        (
            Manner::Says("{\"outputs\":[{\"name\":\"p\",\"shape\":[1],\"data\":[0.1]}]}"),
            RemoteFault::Nonsense,
        ),
        (
            Manner::Says("{\"outputs\":[{\"name\":\"p\",\"shape\":[1,2],\"data\":[0.1,NaN]}]}"),
            RemoteFault::Nonsense,
        ),
        (
            Manner::Says("{\"outputs\":[{\"name\":\"p\",\"shape\":[1,2],\"data\":[0.1,null]}]}"),
            RemoteFault::Nonsense,
        ),
        (
            Manner::Says("{\"outputs\":[{\"name\":\"p\",\"shape\":[1,2],\"data\":[0.1,\"0.2\"]}]}"),
            RemoteFault::Nonsense,
        ),
        (
            Manner::Says("{\"outputs\":[{\"name\":\"p\",\"shape\":[-1,-2],\"data\":[0.1,0.2]}]}"),
            RemoteFault::Nonsense,
        ),
        (
            Manner::Says(
                "{\"outputs\":[{\"name\":\"p\",\"shape\":[9223372036854775807,2],\"data\":[0.1,0.2]}]}",
            ),
            RemoteFault::Nonsense,
        ),
        (Manner::Says(two), RemoteFault::Nonsense),
    ];
    for (manner, expected) in cases {
        fake.turn(manner);
        let answer = ask(&remotes, about(&model, 41)).await;
        assert_eq!(answer.result.as_ref().map_err(|why| why.code), Err(expected), "{manner:?}");
        assert!(!answer.result.unwrap_err().detail.contains("2500"), "{manner:?}");
        assert_eq!(answer.attempts, 1, "{manner:?}");
    }
    fake.turn(Manner::Answers(0.5));
    assert_eq!(ask(&remotes, about(&model, 41)).await.result, Ok(0.5), "it recovers by itself");
}

#[tokio::test]
async fn a_hair_beyond_the_ends_is_the_end_and_other_outputs_may_lack_their_data() {
    let beside = "{\"outputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"BYTES\",\"parameters\":{\"binary_data_size\":4}},\
         {\"name\":\"p\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[0.75,0.25]}]}";
    let absent = "{\"outputs\":[{\"name\":\"p\",\"shape\":[1,2],\"datatype\":\"FP32\"}]}";
    let fake = Fake::start(Manner::Says(beside)).await;
    let model = model(&[&fake], &format!("{OIP}retries: off\nbreaker: off\nejection: off\n"));
    let remotes = remotes();
    let nonsense = Err(RemoteFault::Nonsense);
    let cases = [
        (Manner::Says(beside), Ok(0.25)),
        (Manner::Says(absent), nonsense),
        (Manner::Answers(1.000_000_1), Ok(1.0)),
        (Manner::Answers(-0.000_000_1), Ok(0.0)),
        (Manner::Answers(1.000_01), nonsense),
        (Manner::Answers(-0.000_01), nonsense),
    ];
    for (manner, expected) in cases {
        fake.turn(manner);
        let answer = ask(&remotes, about(&model, 41)).await;
        assert_eq!(answer.result.map_err(|why| why.code), expected, "{manner:?}");
    }
}

#[tokio::test]
async fn a_failed_try_is_followed_by_one_elsewhere_but_a_wrong_question_is_not() {
    let (bad, good) = (Fake::start(Manner::Status(500)).await, Fake::start(Manner::Answers(0.5)).await);
    let model = model(&[&bad, &good], &format!("{OIP}ejection: off\nretries: {{ most: 1 }}\n"));
    let remotes = remotes();
    for age in 0..50 {
        let answer = ask(&remotes, about(&model, age)).await;
        assert_eq!(answer.result, Ok(0.5), "{answer:?}");
        assert!(answer.attempts <= 2);
    }
    assert!(bad.asked() <= 2, "a server that has just failed is second choice: {}", bad.asked());
    bad.turn(Manner::Status(422));
    good.turn(Manner::Status(422));
    let answer = ask(&remotes, about(&model, 1)).await;
    assert_eq!((fault(&answer), answer.attempts), (RemoteFault::Refused, 1));
}

#[tokio::test]
async fn retries_end_with_their_budget() {
    let fake = Fake::start(Manner::Status(500)).await;
    let more = "breaker: off\nejection: off\nretries: { most: 3, percent: 0, always_per_s: 1 }\n";
    let model = model(&[&fake], &format!("{OIP}{more}"));
    let remotes = remotes();
    for age in 0..100 {
        assert_eq!(fault(&ask(&remotes, about(&model, age)).await), RemoteFault::ServerFailed);
    }
    // One a second, of the last ten seconds.
    assert!((101..=112).contains(&fake.asked()), "{}", fake.asked());
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_left_alone_and_comes_back() {
    let (bad, good) = (Fake::start(Manner::Says("{}")).await, Fake::start(Manner::Answers(0.5)).await);
    let more = "ejection: { after: 1, pause_ms: 300 }\n";
    let model = model(&[&bad, &good], &format!("{OIP}{more}"));
    let remotes = remotes();
    while bad.asked() == 0 {
        assert_eq!(ask(&remotes, about(&model, 1)).await.result, Ok(0.5));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = bad.asked();
    for age in 0..50 {
        assert_eq!(ask(&remotes, about(&model, age)).await.result, Ok(0.5));
    }
    assert_eq!(bad.asked(), before, "it is out");
    bad.turn(Manner::Answers(0.25));
    tokio::time::sleep(Duration::from_millis(400)).await;
    for age in 0..200 {
        if ask(&remotes, about(&model, age)).await.result == Ok(0.25) {
            return;
        }
    }
    panic!("it never came back");
}

#[tokio::test]
async fn a_killed_server_is_noticed_by_its_health_before_anybody_asks() {
    let (mut one, two) = (Fake::start(Manner::Answers(0.25)).await, Fake::start(Manner::Answers(0.5)).await);
    let health = "protocol: oip\noutput: { tensor: p, at: 1 }\nretries: off\nhealth: { every_ms: 50, within_ms: 200, after: 1 }\n";
    let model = model(&[&one, &two], health);
    let remotes = remotes();
    remotes.prepare([&model]);
    assert!(ask(&remotes, about(&model, 1)).await.result.is_ok());
    one.kill().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    for age in 0..100 {
        assert_eq!(ask(&remotes, about(&model, age)).await.result, Ok(0.5));
    }
}

#[tokio::test]
async fn the_breaker_spares_servers_that_all_fail_and_the_deadline_holds() {
    let fake = Fake::start(Manner::Sleeps(Duration::from_secs(60))).await;
    let more = "deadline_ms: 40\nattempt_ms: 20\nretries: off\nejection: off\nbreaker: { calls: 5, pause_ms: 200 }\n";
    let model = model(&[&fake], &format!("{OIP}{more}"));
    let remotes = remotes();
    for age in 0..5 {
        assert_eq!(fault(&ask(&remotes, about(&model, age)).await), RemoteFault::Late);
    }
    let asked = fake.asked();
    for age in 0..20 {
        assert_eq!(fault(&ask(&remotes, about(&model, age)).await), RemoteFault::BreakerOpen);
    }
    assert_eq!(fake.asked(), asked);
    fake.turn(Manner::Answers(0.5));
    tokio::time::sleep(Duration::from_millis(250)).await;
    for age in 0..20 {
        assert_eq!(ask(&remotes, about(&model, age)).await.result, Ok(0.5), "{age}");
    }
}

#[tokio::test]
async fn no_more_are_awaited_than_may_be_and_no_longer_than_the_decision_can_wait() {
    let fake = Fake::start(Manner::Sleeps(Duration::from_secs(60))).await;
    let more = "deadline_ms: 5000\nattempt_ms: 5000\nmost_at_once: 3\nbreaker: off\n";
    let model = model(&[&fake], &format!("{OIP}{more}"));
    let remotes = remotes();
    let asked = (0..10).map(|age| about(&model, age)).collect();
    let began = std::time::Instant::now();
    let answers = remotes.ask_all(asked, began + Duration::from_millis(100), &TraceContext::begin()).await;
    let count = |code| answers.iter().filter(|answered| fault(&answered.answer) == code).count();
    assert_eq!((count(RemoteFault::Late), count(RemoteFault::Full)), (3, 7));
    let passed = ask_within(&remotes, about(&model, 1), Duration::ZERO).await;
    assert_eq!((fault(&passed), passed.attempts), (RemoteFault::Late, 0));
}

#[tokio::test]
async fn all_addresses_of_a_name_are_asked_and_one_without_any_is_said() {
    let fake = Fake::start(Manner::Answers(0.5)).await;
    let port = fake.address.rsplit_once(':').unwrap().1;
    let named = |host: &str| {
        let text = format!(
            "servers: {{ at: 'http://{host}:{port}', every_s: 1 }}\nmodel: m\n{OIP}inputs: {{ amount: decimal, age: integer, purpose: text }}\n"
        );
        let library = ModelLibrary::from_files(&[("m/remote.yaml", text.as_bytes())]);
        library.resolve("m").unwrap()
    };
    let remotes = remotes();
    // `localhost` may be two addresses, of which only one is listened on: the other is second choice.
    let answer = ask(&remotes, about(&named("localhost"), 41)).await;
    assert_eq!(answer.result, Ok(0.5), "{answer:?}");
    assert_eq!(answer.endpoint.as_deref(), Some(&*format!("127.0.0.1:{port}")));
    assert!(fake.last().contains(&format!("host: localhost:{port}")), "{}", fake.last());

    let nowhere = named("no-such-host.invalid");
    remotes.prepare([&nowhere]);
    for _ in 0..100 {
        let answer = ask_within(&remotes, about(&nowhere, 1), Duration::from_millis(50)).await;
        if fault(&answer) == RemoteFault::NoServer {
            return;
        }
    }
    panic!("it waits for servers that there are not");
}

#[tokio::test]
async fn servers_that_are_no_longer_named_are_let_go_of_and_who_is_asking_them_ends_in_peace() {
    let fake = Fake::start(Manner::Ponders(Duration::from_millis(150))).await;
    let (old, new) = (model(&[&fake], OIP), model(&[&fake], &format!("{OIP}decimals: 5\n")));
    let remotes = remotes();
    let count = |remotes: &Remotes| remotes.pools.lock().unwrap().len();
    remotes.prepare([&old]);
    let pool = Arc::downgrade(&remotes.pool(&old).unwrap());
    let asking = ask(&remotes, about(&old, 1));
    let changing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        remotes.prepare([&new]);
        assert_eq!(count(&remotes), 1);
        assert!(pool.upgrade().is_some(), "somebody is asking");
    };
    let (answer, ()) = tokio::join!(asking, changing);
    assert_eq!(answer.result, Ok(0.5));
    assert!(pool.upgrade().is_none(), "its servers are no longer looked after");

    // A decision that continues asks as it did.
    assert_eq!(ask(&remotes, about(&old, 2)).await.result, Ok(0.5));
    remotes.prepare([&new]);
    assert_eq!(count(&remotes), 2);
    assert!(!remotes.pool(&old).unwrap().gauge().is_in_force());
}

/// The trace and the span of a `traceparent`.
fn span(header: &str) -> (&str, &str) {
    let parts: Vec<&str> = header.split('-').collect();
    assert_eq!(parts.len(), 4, "{header}");
    (parts[1], parts[2])
}

#[tokio::test]
async fn every_try_is_a_span_of_the_callers_trace_over_http() {
    let fakes = [Fake::start(Manner::Status(503)).await, Fake::start(Manner::Status(503)).await];
    let model = model(&[&fakes[0], &fakes[1]], &format!("{OIP}retries: {{ most: 1, always_per_s: 100 }}\n"));
    let trace = TraceContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    let answer = remotes().ask_all(vec![about(&model, 41)], deadline, &trace).await.remove(0).answer;
    assert_eq!(answer.attempts, 2);
    let sent: Vec<String> = fakes.iter().map(Fake::last).collect();
    let header =
        |text: &str| text.lines().find_map(|line| line.strip_prefix("traceparent: ")).map(str::to_owned);
    let headers: Vec<String> = sent.iter().filter_map(|text| header(text)).collect();
    let spans: Vec<(&str, &str)> = headers.iter().map(|header| span(header)).collect();
    // Both tries may have met the same server, which remembers the last.
    assert!(!spans.is_empty(), "{sent:?}");
    for (trace, span) in &spans {
        assert_eq!(*trace, "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(*span, "00f067aa0ba902b7", "a span of its own");
    }
    if let [(_, one), (_, other)] = spans.as_slice() {
        assert_ne!(one, other);
    }
}

#[tokio::test]
async fn the_trace_goes_on_over_grpc_in_both_protocols() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noting = Arc::clone(&seen);
    let note = move |request: tonic::Request<()>| {
        let sent = request.metadata().get(TRACEPARENT).and_then(|sent| sent.to_str().ok()).map(str::to_owned);
        noting.lock().unwrap().extend(sent);
        Ok(request)
    };
    // It knows no model: what was sent to it is noted before that is found out.
    let (_, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder()
        .layer(tonic::service::InterceptorLayer::new(note))
        .add_service(health)
        .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
    let serving = tokio::spawn(server);
    for protocol in ["oip", "tensorflow_serving"] {
        let text = format!(
            "servers: [http://{address}]\nmodel: m\nprotocol: {protocol}\nover: grpc\noutput: {{ tensor: p }}\nhealth: off\n\
             inputs:\n  amount: {{ type: decimal, if_missing: nan }}\n  age: integer\n  purpose: text\n"
        );
        let library = ModelLibrary::from_files(&[("m/remote.yaml", text.as_bytes())]);
        assert_eq!(library.findings(), [], "{text}");
        let answer = ask(&remotes(), about(&library.resolve("m").unwrap(), 41)).await;
        assert!(answer.result.is_err());
        let sent = std::mem::take(&mut *seen.lock().unwrap());
        assert!(!sent.is_empty(), "{protocol}");
        assert!(sent.iter().all(|header| TraceContext::parse(header.as_bytes()).is_some()), "{sent:?}");
    }
    serving.abort();
}
