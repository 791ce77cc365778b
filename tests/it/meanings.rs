//! What a flow does and what differs, as the command line and the service give it.

use serde_json::{Value as Json, json};

use crate::app::{FLOW, Home, repository};

const FLOW_YAML: &str = "rules/personal_loan/flow.yaml";

fn code(output: &std::process::Output) -> i32 {
    output.status.code().unwrap()
}

fn printed(output: &std::process::Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_flow_is_shown_in_every_format_and_written_where_it_is_wanted() {
    let home = Home::new();
    let text = String::from_utf8(home.run(&["show", FLOW]).stdout).unwrap();
    assert!(text.contains("under_age") && text.contains("[min_age = 18]"), "{text}");
    assert!(text.contains("└─ ") && !text.contains('\u{1b}'), "{text}");
    let shown = printed(&home.run(&["show", FLOW, "--format", "json"]));
    assert_eq!((&shown["flow"], &shown["nodes"][0]["id"]), (&json!(FLOW), &json!("rules.knockout")));
    assert!(shown["nodes"][0]["line"].as_u64() > Some(1), "{shown}");
    let chart = home.run(&["show", FLOW, "--format", "mermaid"]);
    assert!(chart.stdout.starts_with(b"flowchart TD\n"));
    assert_eq!(code(&home.run(&["show", FLOW, "--format", "svg", "--out", "flow.svg"])), 0);
    assert!(home.read("flow.svg").starts_with("<svg xmlns="));
    for (arguments, way_out) in [
        (vec!["show", "personal_loam"], "did you mean `personal_loan`?"),
        (vec!["show", FLOW, "--market", "xx"], "there is no market `xx`"),
        (vec!["check", "--format", "svg"], "`--format` is one of"),
    ] {
        let refused = home.run(&arguments);
        assert_eq!(code(&refused), 2);
        assert!(said(&refused).contains(way_out), "{}", said(&refused));
    }
}

#[test]
fn folders_are_compared_by_meaning() {
    let (home, other) = (Home::new(), Home::new());
    let folder = other.path("");
    let folder = folder.to_str().unwrap();
    let same = home.run(&["diff", folder, "--format", "json"]);
    assert_eq!((code(&same), &printed(&same)["same"]), (0, &json!(true)), "{}", said(&same));
    home.edit(FLOW_YAML, "min_age: 18", "min_age:   21   # as the law says");
    let differs = home.run(&["diff", folder, "--format", "json"]);
    let changes = &printed(&differs)["flows"][0]["changes"];
    assert_eq!(code(&differs), 1);
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "{changes}");
    assert_eq!((&changes[0]["before"], &changes[0]["after"]), (&json!("18"), &json!("21")), "{changes}");
    let text = String::from_utf8(home.run(&["diff", folder]).stdout).unwrap();
    assert_eq!(text, "personal_loan\n  ~ threshold min_age: 18 → 21\n");
    home.edit(FLOW_YAML, "min_age:", "min_agee:");
    assert_eq!(code(&home.run(&["diff", folder])), 2, "a flow that does not check is not compared");
    assert_eq!(code(&home.run(&["diff", "nowhere"])), 2);
}

#[test]
fn schemas_are_printed_and_written() {
    let home = Home::new();
    let facts = printed(&home.run(&["schema", FLOW]));
    assert_eq!(facts["properties"]["age"]["type"], "integer", "{facts}");
    let rules = printed(&home.run(&["schema", "--document", "rules"]));
    assert_eq!(rules["additionalProperties"], false, "{rules}");
    assert_eq!(code(&home.run(&["schema", "--write", "made"])), 0);
    assert_eq!(
        home.read("made/rules.json"),
        std::fs::read_to_string(repository().join("config/schemas/rules.json")).unwrap()
    );
    let wrong = home.run(&["schema", "--document", "rulez"]);
    assert!(code(&wrong) == 2 && said(&wrong).contains("did you mean `rules`?"), "{}", said(&wrong));
    assert_eq!(code(&home.run(&["schema"])), 2);
    let definitions = home.run(&["schema", FLOW, "--format", "rhai"]);
    assert!(definitions.stdout.starts_with(b"module static;\n"));
}

#[test]
fn a_market_is_shown_and_compared_as_what_it_is_made_into() {
    let (home, other) = (Home::of_samples(), Home::of_samples());
    let text = |arguments: &[&str], expected: i32| {
        let output = home.run(arguments);
        assert_eq!(code(&output), expected, "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = text(&["show", FLOW, "--market", "mx"], 0);
    assert!(shown.contains("(market mx)") && shown.contains("[min_age = 21]"), "{shown}");
    assert!(shown.contains("curp"), "the rules that come with the market: {shown}");
    let of_mx = text(&["diff", "personal_loan@mx"], 1);
    assert!(
        of_mx.contains("  ~ threshold min_age: 18 → 21\n") && of_mx.contains("  + input curp: text\n"),
        "{of_mx}"
    );
    assert_eq!(text(&["diff", "personal_loan@mx", "personal_loan@mx"], 0), "");
    let back = text(&["diff", "personal_loan@mx", "personal_loan@base"], 1);
    assert!(back.contains("  ~ threshold min_age: 21 → 18\n"), "{back}");
    other.edit("rules/personal_loan/markets/mx.yaml", "min_age: 21", "min_age: 20");
    let folder = other.path("");
    let folder = folder.to_str().unwrap();
    let all = text(&["diff", folder], 1);
    assert_eq!(all, "personal_loan\n  in the market mx\n    ~ threshold min_age: 20 → 21\n");
    let in_mx = text(&["diff", folder, "--market", "mx"], 1);
    assert_eq!(in_mx, "personal_loan\n  ~ threshold min_age: 20 → 21\n");
    assert_eq!(text(&["diff", folder, "--market", "base"], 0), "");
    assert_eq!(text(&["diff", folder, "--flow", "fraud_check"], 0), "");
    let nowhere = home.run(&["diff", folder, "--market", "xx"]);
    assert!(code(&nowhere) == 2 && said(&nowhere).contains("has a market `xx`"), "{}", said(&nowhere));
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_revisions_are_compared_from_the_command_line() {
    let home = Home::of_samples();
    let mut process = home.spawn(&[]);
    let revision = process.api.get("/v1/flows").await.ok()["revision"].as_str().unwrap().to_owned();
    home.edit("rules/fraud_check/flow.yaml", "thresholds:", "# as the auditors wish\nthresholds:");
    let edited =
        process.api.until("/v1/flows", |answer| answer.json["revision"] != revision.as_str()).await.ok();
    let commented = edited["revision"].as_str().unwrap().to_owned();
    process.terminate();
    let text = |arguments: &[&str], expected: i32| {
        let output = home.run(arguments);
        assert_eq!(code(&output), expected, "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(text(&["diff", &revision, &commented], 0), "", "a comment is no difference");
    home.edit(FLOW_YAML, "min_age: 18", "min_age: 19");
    let short: String = revision.chars().take(24).collect();
    assert_eq!(text(&["diff", &short], 1), "personal_loan\n  ~ threshold min_age: 18 → 19\n");
    assert_eq!(text(&["diff", &short, "--flow", "fraud_check"], 0), "");
    home.edit("rules/fraud_check/flow.yaml", "large_at_night: 8000", "large_at_night: 7000");
    let asks = text(&["diff", &short, "--flow", FLOW], 1);
    assert_eq!(
        asks,
        "personal_loan\n  ~ threshold min_age: 18 → 19\n  ~ asks fraud_check, which changed: its own difference says how\n"
    );
    let unknown = home.run(&["diff", "sha256:00"]);
    assert!(code(&unknown) == 2 && said(&unknown).contains("there is no revision"), "{}", said(&unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_outlines_flows_and_compares_revisions() {
    let home = Home::new();
    let process = home.spawn(&[]);
    let api = &process.api;
    let outline = api.get("/v1/flows/personal_loan/outline").await.ok();
    assert_eq!(outline["nodes"][0]["kind"], "rules", "{outline}");
    let svg = api.get("/v1/flows/personal_loan/outline?format=svg").await;
    assert_eq!((svg.header("content-type"), svg.text.starts_with("<svg ")), (Some("image/svg+xml"), true));
    api.get("/v1/flows/personal_loan/outline?format=png").await.assert_problem(400, "invalid_query");
    api.get("/v1/flows/personal_loan/outline?market=xx").await.assert_problem(404, "unknown_market");
    api.get("/v1/flows/nothing/outline").await.assert_problem(404, "unknown_flow");
    let before = api.get("/v1/flows").await.ok()["revision"].as_str().unwrap().to_owned();
    home.edit(FLOW_YAML, "min_age: 18", "min_age: 21");
    let changed = api.until("/v1/flows", |answer| answer.json["revision"] != before.as_str()).await.ok();
    let after = changed["revision"].as_str().unwrap();
    let address = format!("/v1/revisions/{before}/diff/{after}");
    let found = api.get(&address).await.ok();
    assert_eq!((&found["same"], &found["before"]), (&json!(false), &json!(before)), "{found}");
    let changes = &found["flows"][0]["changes"];
    assert_eq!((&changes[0]["name"], &changes[0]["after"]), (&json!("min_age"), &json!("21")), "{found}");
    let same = api.get(&format!("/v1/revisions/{after}/diff/{after}")).await.ok();
    assert_eq!(same["same"], true, "{same}");
    let short: String = before.chars().take(30).collect();
    assert_eq!(api.get(&format!("/v1/revisions/{short}/diff/{after}")).await.ok()["before"], before.as_str());
    api.get(&format!("/v1/revisions/sha256:00/diff/{after}")).await.assert_problem(404, "unknown_revision");
}
