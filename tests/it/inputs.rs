//! Hostile requests: each gets a problem with a code, nothing that was sent comes back, and the service goes on.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::app::{Answer, Api, FLOW, Home, Process, applicants, facts_with};

/// Stands in every value that is refused; it must come back nowhere.
const MARK: &str = "MARK7f3a91";

/// A service whose flow also takes a date, a time and a number.
fn serve(home: &Home) -> Process {
    let inputs = "\ninputs:\n  applied_on: { type: date, optional: true }\n  called_at: { type: time, optional: true }\n  \
                  ratio: { type: number, optional: true }\n";
    home.edit("rules/personal_loan/flow.yaml", "\ninputs:\n", inputs);
    home.spawn(&[])
}

/// A good request's text with one fact's value written as given.
fn body_with(name: &str, value: &str) -> String {
    let facts = facts_with(name, json!("@HERE@")).to_string().replace("\"@HERE@\"", value);
    format!("{{\"flow\":\"{FLOW}\",\"reference\":\"bad-input\",\"facts\":{facts}}}")
}

fn assert_refused(what: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json["code"]), (status, &json!(code)), "{what}: {}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    assert!(!answer.text.contains(MARK), "{what} came back: {}", answer.text);
}

async fn assert_alive(process: &Process, what: &str) {
    let decision = process.api.decide(&applicants()[0].facts).await;
    assert_eq!(decision.status, 200, "after {what}: {}", decision.text);
    let said = process.said();
    assert!(!said.contains("panicked") && !said.contains(MARK), "{what}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_is_refused() {
    let home = Home::new();
    let process = serve(&home);
    let good = json!({"flow": FLOW, "facts": applicants()[0].facts}).to_string();
    let twice = format!("{{\"flow\":\"{FLOW}\",\"flow\":\"{MARK}\",\"facts\":{{}}}}");
    let twice_by_escape = body_with("age", "1").replace("\"amount\"", "\"ag\\u0065\":2,\"amount\"");
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let broken_utf8 = [body_with("job", "\"").as_bytes(), &[0xff, 0xfe]].concat();
    let values = format!("{{\"flow\":\"{FLOW}\",\"facts\":{{\"x\":[{}0]}}}}", "0,".repeat(110_000));
    let bodies: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing", vec![], 400, "malformed_body"),
        ("spaces", b"  \n ".to_vec(), 400, "malformed_body"),
        ("null", b"null".to_vec(), 422, "invalid_body"),
        ("a list", b"[]".to_vec(), 422, "invalid_body"),
        ("a text", format!("\"{MARK}\"").into(), 422, "invalid_body"),
        ("trailing garbage", format!("{good}{MARK}").into(), 400, "malformed_body"),
        ("two values", format!("{good}{good}").into(), 400, "malformed_body"),
        ("a byte order mark", format!("\u{feff}{good}").into(), 400, "malformed_body"),
        ("UTF-16", utf16, 400, "malformed_body"),
        ("bad UTF-8", broken_utf8, 400, "malformed_body"),
        ("half a surrogate pair", body_with("job", "\"\\ud800 MARK7f3a91\"").into(), 400, "malformed_body"),
        ("NUL", body_with("job", "\"MARK7f3a91\\u0000\"").into(), 400, "malformed_body"),
        ("a raw newline in a text", body_with("job", "\"MARK7f3a91\n\"").into(), 400, "malformed_body"),
        ("depth 100,000", vec![b'['; 100_000], 400, "malformed_body"),
        (
            "depth 65 in facts",
            body_with("job", &("[".repeat(65) + &"]".repeat(65))).into(),
            400,
            "malformed_body",
        ),
        ("too many values", values.into(), 400, "malformed_body"),
        ("a million keys", vec![b'x'; 9_000_000], 413, "body_too_large"),
        ("a name twice", twice.into(), 400, "malformed_body"),
        ("a name twice by an escape", twice_by_escape.into(), 400, "malformed_body"),
        ("a comment", format!("/* {MARK} */ {good}").into(), 400, "malformed_body"),
        ("single quotes", good.replace('"', "'").into(), 400, "malformed_body"),
        ("NaN", body_with("amount", "NaN").into(), 400, "malformed_body"),
        ("Infinity", body_with("amount", "-Infinity").into(), 400, "malformed_body"),
        ("a hexadecimal number", body_with("age", "0x7f3a91").into(), 400, "malformed_body"),
        ("a leading zero", body_with("age", "041").into(), 400, "malformed_body"),
        ("a number of 5,000 digits", body_with("amount", &"9".repeat(5000)).into(), 400, "malformed_body"),
        ("the end missing", good.trim_end_matches("}}").into(), 400, "malformed_body"),
    ];
    for (what, body, status, code) in bodies {
        assert_refused(what, &process.api.post_bytes("/v1/decisions", body).await, status, code);
    }
    for path in ["/v1/decisions/search", "/v1/decisions/019a0000-0000-7000-8000-000000000000/replay"] {
        let answer = process.api.post_bytes(path, b"{".to_vec()).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.text);
    }
    assert_alive(&process, "bodies").await;
}

/// The fact, its value as JSON text, the code that is listed for it; the request's own code is `invalid_facts`.
const FACTS: &[(&str, &str, &str)] = &[
    ("age", "1e400", "wrong_type"),
    ("amount", "1e400", "out_of_range"),
    ("ratio", "1e400", "out_of_range"),
    ("age", "9007199254740993", "too_high"),
    ("age", "\"100\"", "wrong_type"),
    ("age", "6.0", "wrong_type"),
    ("age", "200", "too_high"),
    ("age", "-1", "too_low"),
    ("age", "true", "wrong_type"),
    ("age", "null", "missing"),
    ("age", "[41]", "wrong_type"),
    ("age", "{\"MARK7f3a91\":1}", "wrong_type"),
    ("amount", "\"1.000,00\"", "wrong_type"),
    ("amount", "\"1,000.00\"", "wrong_type"),
    ("amount", "\" 100\"", "wrong_type"),
    ("amount", "\"MARK7f3a91\"", "wrong_type"),
    ("amount", "-2500", "too_low"),
    ("amount", "\"0.9999999999999999999999999999999\"", "out_of_range"),
    ("applied_on", "\"2026-02-30\"", "wrong_type"),
    ("applied_on", "\"30.01.2026\"", "wrong_type"),
    ("applied_on", "\"20260130\"", "wrong_type"),
    ("applied_on", "\"2026-W05-5\"", "wrong_type"),
    ("called_at", "\"2026-06-30T23:59:60Z\"", "wrong_type"),
    ("called_at", "\"2026-06-30T23:59:59\"", "wrong_type"),
    ("called_at", "\"2026-06-30T25:00:00Z\"", "wrong_type"),
    ("housing", "\"OWN\"", "not_a_choice"),
    ("housing", "\"own\\u200d\"", "not_a_choice"),
    ("housing", "\"o\\u0077n \"", "not_a_choice"),
    ("housing", "\"\\u202eMARK7f3a91\"", "not_a_choice"),
    ("housing", "\"<script>MARK7f3a91</script>\"", "not_a_choice"),
    ("shoe_size", "\"MARK7f3a91\"", "unknown"),
    ("amuont", "1", "unknown"),
    ("a\\u0067e ", "41", "unknown"),
];

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_do_not_fit_are_listed_by_pointer_and_recorded_without_values() {
    let home = Home::new();
    let process = serve(&home);
    let thousand_digits = "1".repeat(1000);
    let facts = FACTS.iter().copied().chain([
        ("age", thousand_digits.as_str(), "out_of_range"),
        ("amount", thousand_digits.as_str(), "out_of_range"),
    ]);
    let mut sent = 0;
    for (name, value, code) in facts {
        let body = body_with("applicant_id", &format!("\"x\",\"{name}\":{value}"));
        // The sample applicant's own value of that fact must go.
        let own = format!(",\"{name}\":{}", applicants()[0].facts[name]);
        let body = if applicants()[0].facts.get(name).is_some() { body.replacen(&own, "", 1) } else { body };
        let answer = process.api.post_bytes("/v1/decisions", body).await;
        assert_refused(&format!("{name}: {value}"), &answer, 422, "invalid_facts");
        let errors = answer.json["errors"].as_array().unwrap();
        assert_eq!((errors.len(), &errors[0]["code"]), (1, &json!(code)), "{name}: {value}: {}", answer.text);
        assert!(errors[0]["pointer"].as_str().unwrap().starts_with("/facts/"), "{}", answer.text);
        sent += 1;
    }
    let everything = json!({"flow": FLOW, "reference": "bad-input", "facts": {"age": 200, "amount": "x"}});
    let answer = process.api.post("/v1/decisions", &everything).await;
    answer.assert_problem(422, "invalid_facts");
    assert_eq!(answer.json["errors"].as_array().unwrap().len(), 15, "everything at once: {}", answer.text);
    let enough = |a: &Answer| a.json["refusals"].as_array().is_some_and(|found| found.len() > sent);
    let refusals = process.api.until("/v1/refusals?reference=bad-input&limit=1000", enough).await;
    assert_eq!(refusals.json["refusals"].as_array().unwrap().len(), sent + 1);
    assert!(refusals.text.contains("/facts/housing") && refusals.text.contains("not_a_choice"));
    assert!(!refusals.text.contains(MARK) && !refusals.text.contains("2026-02-30"), "{}", refusals.text);
    let by_code = process.api.get("/v1/refusals?code=not_a_choice&limit=100").await.ok();
    assert_eq!(by_code["refusals"].as_array().unwrap().len(), 5);
    assert!(process.api.all("", 10).await.is_empty(), "none became a decision");
    assert_alive(&process, "facts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_addresses_of_another_shape_are_refused() {
    let home = Home::new();
    let process = serve(&home);
    let api = &process.api;
    let facts = &applicants()[0].facts;
    let bodies = [
        (json!({"facts": facts}), "/flow"),
        (json!({"flow": FLOW}), "/facts"),
        (json!({"flow": FLOW, "facts": []}), "/facts"),
        (json!({"flow": FLOW, "facts": null}), "/facts"),
        (json!({"flow": 7, "facts": facts}), "/flow"),
        (json!({"flow": "", "facts": facts}), "/flow"),
        (json!({"flow": MARK.repeat(100), "facts": facts}), "/flow"),
        (json!({"flow": FLOW, "facts": facts, "reference": format!("{MARK}\r\nx: y")}), "/reference"),
        (json!({"flow": FLOW, "facts": facts, "reference": format!("\u{1b}[31m{MARK}")}), "/reference"),
        (json!({"flow": FLOW, "facts": facts, "reference": 8841}), "/reference"),
        (json!({"flow": FLOW, "facts": facts, "trace": "all"}), "/trace"),
        (json!({"flow": FLOW, "facts": facts, "dry_run": "yes"}), "/dry_run"),
        (json!({"flow": FLOW, "facts": facts, "dryrun": true}), "/dryrun"),
    ];
    for (body, pointer) in bodies {
        let answer = api.post("/v1/decisions", &body).await;
        assert_refused(pointer, &answer, 422, "invalid_body");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    let market = json!({"flow": FLOW, "market": "mars", "facts": facts});
    api.post("/v1/decisions", &market).await.assert_problem(404, "unknown_market");
    let flow = json!({"flow": "personal_loam", "facts": facts});
    let answer = api.post("/v1/decisions", &flow).await;
    answer.assert_problem(404, "unknown_flow");
    assert!(answer.text.contains("personal_loan"), "{}", answer.text);
    for (method, path, status, code) in [
        ("GET", "/v1/decisions/not-a-uuid", 404, "unknown_decision"),
        ("GET", "/v1/decisions/%00", 404, "unknown_decision"),
        ("GET", "/v1/flows/..%2f..%2fetc%2fpasswd", 404, "unknown_flow"),
        ("GET", "/v1/nothing", 404, "unknown_route"),
        ("GET", "/v1/flows/", 404, "unknown_route"),
        ("GET", "/docs/errors/..%2f..%2fREADME", 404, "unknown_error_code"),
        ("DELETE", "/v1/decisions", 405, "method_not_allowed"),
        ("GET", "/v1/decisions/x/replay", 405, "method_not_allowed"),
        ("GET", "/v1/decisions?outcome=a&outcome=b", 400, "invalid_query"),
        ("GET", "/v1/decisions?reference=%ff", 400, "invalid_query"),
        ("GET", "/v1/decisions?cursor=%27%3B--", 400, "invalid_query"),
        ("GET", "/v1/decisions?flow=x%00", 400, "invalid_query"),
        ("GET", "/v1/flows?verbose=1", 400, "invalid_query"),
    ] {
        let answer = api.send(api.request(method, path)).await.unwrap();
        assert_refused(path, &answer, status, code);
    }
    for (name, value) in [("deadline-ms", "soon"), ("deadline-ms", "-1"), ("purpose", "x\u{7f}")] {
        let request = api.request("POST", "/v1/decisions").header(name, value.as_bytes());
        let answer = api.send(request.json(&json!({"flow": FLOW, "facts": facts}))).await;
        // The client refuses to send some of them itself.
        if let Ok(answer) = answer {
            assert!(answer.status == 400 || name == "purpose", "{name}: {}", answer.text);
        }
    }
    assert_alive(&process, "shapes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_but_valid_text_is_kept_as_it_was_sent() {
    let home = Home::new();
    let process = serve(&home);
    for text in [
        "\u{202e}txt.exe",
        "e\u{301}",
        "\u{e9}",
        "a\u{200d}b",
        "=HYPERLINK(\"x\")",
        "<script>",
        "\u{1f469}\u{200d}\u{1f52c}",
    ] {
        let body = json!({"flow": FLOW, "reference": text, "facts": facts_with("job", json!(text))});
        let id = process.api.post("/v1/decisions", &body).await.word("decision_id").to_owned();
        let record = process.api.get(&format!("/v1/decisions/{id}")).await.ok();
        assert_eq!((&record["reference"], &record["facts"]["job"]), (&json!(text), &json!(text)));
        let found = process.api.post("/v1/decisions/search", &json!({"reference": text})).await.ok();
        let found: Vec<&Json> =
            found["decisions"].as_array().unwrap().iter().map(|d| &d["decision_id"]).collect();
        assert_eq!(found, [&json!(id)], "one spelling is not another");
    }
    assert_alive(&process, "texts").await;
}

/// Sends bytes as they are; what came back until the other side closed or fell silent.
fn raw(api: &Api, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(api.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The other side may have refused and gone before everything was sent.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_break_http_are_refused() {
    let home = Home::new();
    let process = serve(&home);
    let head = |more: &str| {
        format!(
            "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}\r\n"
        )
    };
    let close = "Connection: close\r\n";
    let long = format!("Content-Length: 2\r\n{close}X-Long: {}\r\n", "a".repeat(65_536));
    let both = "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n";
    let gzip = head(&format!("Content-Encoding: gzip\r\nContent-Length: 4\r\n{close}"));
    let chunked = head("Transfer-Encoding: chunked\r\n");
    let utf16 =
        head(&format!("Content-Length: 2\r\n{close}")).replace("json\r\n", "json; charset=utf-16\r\n");
    let address = format!("GET /v1/flows?{} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n", "a".repeat(30_000));
    let text = |text: String| text.into_bytes();
    let requests: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("two ways to say how long", text(format!("{}2\r\n{{}}\r\n0\r\n\r\n", head(both))), 400, ""),
        ("two lengths", text(head("Content-Length: 2\r\nContent-Length: 3\r\n") + "{}"), 400, ""),
        ("a length that is no number", text(head("Content-Length: two\r\n") + "{}"), 400, ""),
        ("a negative length", text(head("Content-Length: -2\r\n") + "{}"), 400, ""),
        ("a header of 64 KiB", text(head(&long) + "{}"), 431, "head_too_large"),
        ("an address of 30 KiB", text(address), 431, "head_too_large"),
        ("a header of 1 MiB", text(head(&format!("X-Long: {}\r\n", "a".repeat(1 << 20)))), 431, ""),
        ("a thousand headers", text(head(&"X-Many: a\r\n".repeat(1000)) + "{}"), 431, ""),
        ("a huge chunk", text(format!("{chunked}ffffffffffffffff\r\n{{}}\r\n")), 400, "malformed_body"),
        ("garbage for chunks", text(format!("{chunked}zz\r\n{MARK}\r\n0\r\n\r\n")), 400, "malformed_body"),
        ("a compressed body", [gzip.as_bytes(), &[0x1f, 0x8b, 8, 0]].concat(), 415, "unsupported_media_type"),
        ("another charset", text(utf16 + "{}"), 415, "unsupported_media_type"),
        (
            "less than announced",
            text(head(&format!("Content-Length: 20\r\n{close}")) + "{"),
            400,
            "malformed_body",
        ),
        ("no HTTP at all", text(format!("{MARK}\r\n\r\n")), 400, ""),
        ("a bad method", b"P\x01ST / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), 400, ""),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400, ""),
    ];
    // What is no request at all is answered by the server underneath, without a body.
    for (what, request, status, code) in requests {
        let answer = raw(&process.api, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")) || code.is_empty(), "{what}: {answer}");
        assert!(!answer.contains(MARK), "{what}: {answer}");
    }
    assert_alive(&process, "broken requests").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_comes_is_not_waited_for_forever() {
    let home = Home::new();
    let process = serve(&home);
    let mut stream = TcpStream::connect(process.api.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = "POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
                Content-Length: 20\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert_alive(&process, "a silent connection").await;
    let answer = tokio::task::block_in_place(|| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");
    assert_alive(&process, "silence").await;
}
