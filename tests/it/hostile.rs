//! Rules files that are broken or mean harm: `tollgate check` says what and where, a running service keeps deciding.

use serde_json::{Value as Json, json};

use crate::app::{FLOW, Home, applicants};

const FLOW_YAML: &str = "rules/personal_loan/flow.yaml";
const KNOCKOUT: &str = "rules/personal_loan/knockout.rules.yaml";
const SCRIPT: &str = "rules/personal_loan/flow.rhai";

struct Hostile {
    what: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
}

fn files() -> Vec<Hostile> {
    let home = Home::new();
    let edited = |what, file: &'static str, from: &str, to: &str| {
        let text = home.read(file);
        assert!(text.contains(from), "{what}: `{from}` is not in {file}");
        Hostile { what, file, bytes: text.replacen(from, to, 1).into() }
    };
    let whole = |what, file, bytes: &[u8]| Hostile { what, file, bytes: bytes.to_vec() };
    let flow = home.read(FLOW_YAML);
    let mut files = yaml(&edited);
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n";
    files.extend([
        whole("laughs", FLOW_YAML, format!("{laughs}{flow}").as_bytes()),
        whole("two documents", FLOW_YAML, format!("{flow}\n---\n{flow}").as_bytes()),
        whole("an empty file", FLOW_YAML, b""),
        whole("only a comment", FLOW_YAML, b"# nothing\n"),
        whole("an empty rule set", KNOCKOUT, b""),
        whole("a list", FLOW_YAML, b"- flow\n"),
        whole("depth", FLOW_YAML, "[".repeat(10_000).as_bytes()),
        whole("bytes that are no text", FLOW_YAML, &[0xff, 0xfe, 0, 1]),
        whole("NUL", FLOW_YAML, format!("{flow}# \0\n").as_bytes()),
        whole("a script of NULs", SCRIPT, &[0; 100]),
        whole("text that reads backwards", SCRIPT, "// \u{202e}\napprove();".as_bytes()),
        whole("an empty script", SCRIPT, b""),
        whole("a script over 64 KiB", SCRIPT, format!("// {}", "x".repeat(70_000)).as_bytes()),
        whole("a rules file over 16 MiB", KNOCKOUT, "# a long comment line\n".repeat(800_000).as_bytes()),
    ]);
    files.extend(SCRIPTS.iter().map(|script| Hostile {
        what: script,
        file: SCRIPT,
        bytes: (*script).into(),
    }));
    let parentheses = format!("{}1{};", "(".repeat(30_000), ")".repeat(30_000));
    files.push(Hostile { what: "60,000 parentheses", file: SCRIPT, bytes: parentheses.into() });
    files
}

/// The sample with one thing changed.
fn yaml(edited: &dyn Fn(&'static str, &'static str, &str, &str) -> Hostile) -> Vec<Hostile> {
    vec![
        edited("a merge", FLOW_YAML, "\nthresholds: ", "\nthresholds: &t\n  <<: *t\n  x: "),
        edited("a tab", FLOW_YAML, "\n  min_age: 18", "\n\tmin_age: 18"),
        edited("a tag", FLOW_YAML, "flow: personal_loan", "flow: !!python/object personal_loan"),
        edited("not a number", FLOW_YAML, "min_age: 18", "min_age: .nan"),
        edited("infinity", FLOW_YAML, "min_age: 18", "min_age: .inf"),
        edited("an octal number", FLOW_YAML, "min_age: 18", "min_age: 0777"),
        edited("a clock time", FLOW_YAML, "type: integer, min: 0,", "type: integer, min: 12:30:45,"),
        edited("Norway as a number", FLOW_YAML, "type: integer, min: 0,", "type: integer, min: NO,"),
        edited("an unknown key", FLOW_YAML, "owner: credit-risk", "ownr: credit-risk"),
        edited("a key twice", FLOW_YAML, "owner: credit-risk", "owner: a\nowner: b"),
        edited("an unknown model", FLOW_YAML, "german_credit@champion", "german_credti@champion"),
        edited("an unknown alias", FLOW_YAML, "german_credit@champion", "german_credit@winner"),
        edited("an unknown version", FLOW_YAML, "german_credit@champion", "german_credit@99"),
        edited("an unknown type", FLOW_YAML, "type: decimal, min: 1,", "type: money, min: 1,"),
        edited("an unknown time zone", FLOW_YAML, "Europe/Berlin", "Europe/Nowhere"),
        edited(
            "on_error is the mildest",
            FLOW_YAML,
            "on_error: { outcome: review",
            "on_error: { outcome: approve",
        ),
        edited("no on_error", FLOW_YAML, "on_error:", "on_eror:"),
        edited("a reserved name", FLOW_YAML, "min_age: 18", "switch: 18"),
        edited("an unknown reason", KNOCKOUT, "reason: R101", "reason: R999"),
        edited(
            "an outcome without a reason",
            KNOCKOUT,
            "    outcome: decline\n    reason: R101\n",
            "    outcome: decline\n",
        ),
        edited("an unknown outcome", KNOCKOUT, "outcome: decline", "outcome: denied"),
        edited("a rule twice", KNOCKOUT, "id: amount_too_large", "id: under_age"),
        edited("a number against a text", KNOCKOUT, "age < min_age", "age < \"18\""),
        edited("a choice that cannot be", KNOCKOUT, "\"unemployed\"", "\"unemployd\""),
        edited("a tag for a negation", KNOCKOUT, "when: age < min_age", "when: !is_overdrawn"),
        edited("a condition that YAML cuts", KNOCKOUT, "when: age < min_age", "when: age < min_age #18"),
        edited("`and`", KNOCKOUT, "age < min_age", "age < min_age and age > 3"),
        edited("`=`", KNOCKOUT, "age < min_age", "age = min_age"),
        edited("a protected input", KNOCKOUT, "age < min_age", "status_and_sex == \"x\""),
        edited("another hit policy", KNOCKOUT, "hit_policy: collect", "hit_policy: random"),
        edited("an unknown rule set", SCRIPT, "rules(\"knockout\")", "rules(\"knokout\")"),
        edited(
            "a protected input in the script",
            SCRIPT,
            "let risk =",
            "if age < 18 { decline(\"R101\"); }\nlet risk =",
        ),
        edited("assigning a threshold", SCRIPT, "let risk =", "min_age = 3;\nlet risk ="),
    ]
}

const SCRIPTS: &[&str] = &[
    "eval(\"approve()\");",
    "Fn(\"sleep\").call(2);",
    "sleep(10);",
    "import \"/etc/passwd\" as p; p::x();",
    "print(1);",
    "debug(timestamp());",
    "nothing_of_that_name;",
    "let a = [3, 1]; a.sort(); a.dedup();",
    "let a = \"x\"; a.pad(9000000000, \"x\");",
    "let a = \"xx\"; a.replace(\"x\", a);",
    "try { loop { } } catch { approve(#{ apr: 0.1, limit: 1 }); }",
    "let x = (((((;",
    "approve(",
    "\"never closed",
    "let f = |x| f.call(x); f.call(1);",
    "approve(#{ apr: 0.1 });",
    "approve(#{ apr: \"x\", limit: 1 });",
    "decline();",
    "exit(1);",
    "while is_given(amount) { throw 1; }",
];

fn diagnostics(home: &Home, what: &str) -> Json {
    let checked = home.run(&["check", "--format", "json"]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.code().is_some_and(|code| code < 2), "{what}: {said}");
    assert!(!said.contains("panicked"), "{what}: {said}");
    serde_json::from_slice::<Json>(&checked.stdout).unwrap()["diagnostics"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_told_with_its_place_and_changes_nothing() {
    let home = Home::new();
    let process = home.spawn(&[]);
    let before = process.api.get("/v1/flows").await.word("revision").to_owned();
    let facts = &applicants()[0].facts;
    let mut untold = Vec::new();
    for Hostile { what, file, bytes } in files() {
        let good = home.read(file);
        home.write(file, bytes);
        let found = diagnostics(&home, what);
        let is_told = |found: &&Json| found["severity"] == "error" && found["file"] == file;
        let Some(place) = found.as_array().unwrap().iter().find(is_told) else {
            untold.push(format!("{what}: not told in {file}: {found}"));
            home.write(file, good);
            continue;
        };
        let code = place["code"].as_str().unwrap();
        assert!(
            code.len() == 4 && place["line"].as_u64() > Some(0) && place["column"].as_u64() > Some(0),
            "{place}"
        );

        // The service says the same, and decides as before.
        process.api.until("/v1/flows", |answer| answer.json["diagnostics"] == found).await;
        let flows = process.api.get("/v1/flows").await.ok();
        assert_eq!((&flows["reload"], &flows["revision"]), (&json!("failed"), &json!(before)), "{what}");
        let decision = process.api.decide(facts).await.ok();
        assert_eq!((&decision["revision"], &decision["degraded"]), (&json!(before), &json!(false)), "{what}");
        home.write(file, good);
    }
    assert!(untold.is_empty(), "{}", untold.join("\n"));
    process.api.until("/v1/flows", |answer| answer.json["reload"] == "ok").await;
    assert!(!process.said().contains("panicked"), "{}", process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_never_end_are_stopped_and_on_error_is_the_answer() {
    const ENDLESS: &[&str] = &[
        "loop { }",
        "let x = 0; while true { x += 1; }",
        "fn f(x) { f(x) } f(1);",
        "let s = \"xx\"; loop { s = s + s; }",
        "let a = [1]; loop { a = a + a; }",
        "for a in 0..1000 { for b in 0..1000 { for c in 0..1000 { } } }",
        "let a = 0..1000; filter(a, |x| count(a, |y| count(a, |z| z > y) > x) > 0);",
        "let x = 1e308; x = x * 10.0; decline(\"R301\");",
    ];
    let home = Home::new();
    let process = home.spawn(&[]);
    let rest = home.read(SCRIPT);
    let facts = &applicants()[0].facts;
    for script in ENDLESS {
        // First the sample's own script, so that all that is declared is used.
        home.write(SCRIPT, format!("{rest}\n{script}\n"));
        let revision = expected_revision(&home);
        process.api.until("/readyz", |answer| answer.json["revision"] == *revision).await;
        let body = json!({"flow": FLOW, "facts": facts, "trace": "full"});
        let many: Vec<_> = (0..8)
            .map(|_| {
                let (api, body) = (process.api.clone(), body.clone());
                tokio::spawn(async move { api.post("/v1/decisions", &body).await.ok() })
            })
            .collect();
        for decision in many {
            let decision = decision.await.unwrap();
            assert_eq!(
                (&decision["outcome"], &decision["degraded"]),
                (&json!("review"), &json!(true)),
                "{script}"
            );
            assert_eq!(decision["reasons"][0]["code"], "R900", "{script}");
            let path = format!("/v1/decisions/{}/replay", decision["decision_id"].as_str().unwrap());
            assert_eq!(process.api.post(&path, &json!({})).await.ok()["agrees"], true, "{script}");
        }
        assert_eq!(process.api.get("/livez").await.status, 200);
    }
    let metrics = process.api.get("/metrics").await.text;
    assert!(metrics.contains("tollgate_degraded_total{flow=\"personal_loan\",market=\"base\"}"), "{metrics}");
    assert!(!process.said().contains("panicked"), "{}", process.said());
}

fn expected_revision(home: &Home) -> String {
    let documents = tollgate::bundle::read_folder(&home.path("rules"), &home.path("models"));
    tollgate::bundle::build(&documents).bundle.revision.to_string()
}
