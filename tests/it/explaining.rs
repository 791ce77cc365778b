//! Explanations and what-ifs on the sample: what docs/explaining.md shows is what the program prints, over HTTP a full
//! trace comes with its explanation, and a recorded decision is explained as it was made.

use std::process::Output;

use serde_json::{Value as Json, json};

use crate::access::make_key;
use crate::app::{FLOW, Home, repository};

const PAGE: &str = "docs/explaining.md";
/// A line of the page that stands for any number of lines.
const AND_SO_ON: &str = "…";

fn page() -> String {
    std::fs::read_to_string(repository().join(PAGE)).unwrap()
}

/// What stands between ```` ```LANGUAGE ```` and ```` ``` ````.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let open = format!("```{language}\n");
    page.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn home() -> Home {
    let home = Home::of_samples();
    home.write("applicant.json", blocks(&page(), "json")[0]);
    home
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn parsed(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", printed(output), String::from_utf8_lossy(&output.stderr))
    })
}

/// Whether the page's lines are the program's, where `…` stands for some.
pub fn is_shown(shown: &str, printed: &str) -> bool {
    let mut printed = printed.lines().map(str::trim_end).peekable();
    let mut skips = false;
    for line in shown.trim_end().lines().map(str::trim_end) {
        if line.trim_start_matches(['│', '├', '└', '─', ' ']) == AND_SO_ON {
            skips = true;
            continue;
        }
        loop {
            match printed.next() {
                Some(next) if next == line => break,
                Some(_) if skips => {}
                _ => return false,
            }
        }
        skips = false;
    }
    skips || printed.all(str::is_empty)
}

#[test]
fn the_page_shows_what_the_program_prints() {
    let home = home();
    let page = page();
    let mut commands = 0;
    for block in blocks(&page, "console") {
        let (command, shown) = block.split_once('\n').unwrap();
        let words: Vec<&str> = command.strip_prefix("$ tollgate ").unwrap().split_whitespace().collect();
        let output = home.run(&words);
        let all = printed(&output);
        assert!(
            is_shown(shown, &all),
            "{command} is shown as\n{shown}\nand prints\n{all}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        commands += 1;
    }
    assert!(commands >= 4, "the page shows {commands} commands");
    // What holds the page must be able to fail.
    assert!(!is_shown("approve\n…\nrow 4", "approve\nrow 1\nrow 5") && is_shown("a\n…\nc", "a\nb\nb\nc"));
}

#[test]
fn an_explanation_is_one_document_for_programs() {
    let home = home();
    let decided = home.run(&["decide", FLOW, "--facts", "applicant.json", "--explain", "--format", "json"]);
    let all = parsed(&decided);
    let explanation = &all["explanation"];
    assert_eq!((&explanation["outcome"], &explanation["flow"]), (&all["outcome"], &json!(FLOW)), "{all}");
    let steps = explanation["steps"].as_array().unwrap();
    let step = |kind: &str, name: &str| {
        let found = steps.iter().find(|step| step["step"] == kind && step["name"] == name);
        found.unwrap_or_else(|| panic!("{kind} {name}: {all}"))
    };
    let under_age = &step("rules", "knockout")["rules"][0];
    assert_eq!(under_age["condition"]["shown"], "age 22 < min_age 18", "{under_age}");
    assert_eq!(under_age["condition"]["reads"], json!({ "age": 22, "min_age": 18 }));
    let contributions = &step("model", "default_risk")["contributions"];
    let inputs = contributions["inputs"].as_array().unwrap();
    let sum: f64 = inputs.iter().map(|input| input["contribution"].as_f64().unwrap()).sum();
    let log_odds = contributions["base"].as_f64().unwrap() + sum;
    let score = step("model", "default_risk")["score"].as_f64().unwrap();
    assert!((1.0 / (1.0 + (-log_odds).exp()) - score).abs() < 1e-5, "{contributions}");
    let characteristics = step("scorecard", "application")["characteristics"].as_array().unwrap();
    let points: i64 = characteristics.iter().map(|c| c["points"].as_i64().unwrap()).sum();
    assert_eq!(step("scorecard", "application")["points"], 300 + points);
    assert_eq!(step("table", "pricing")["rows_before"].as_array().unwrap().len(), 3);
    assert!(!step("flow", "fraud_check")["steps"].as_array().unwrap().is_empty());
    assert_eq!(explanation["why_not"][0]["outcome"], "approve");
    assert_eq!(explanation["why_not"][0]["ends_in"], "approve");

    let outline = parsed(&home.run(&["show", FLOW, "--facts", "applicant.json", "--format", "json"]));
    assert_eq!(outline["path"], explanation["path"], "the same way by both");
    let path: Vec<&str> = outline["path"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert!(path.contains(&"rules.knockout") && path.contains(&"model.default_risk"), "{path:?}");
}

#[test]
fn the_way_is_drawn() {
    let home = home();
    for (file, kinds) in
        [("way.svg", ["class=\"left\"", "class=\"taken\""]), ("way.mmd", [" left\n", " taken\n"])]
    {
        let drawn = home.run(&["decide", FLOW, "--facts", "applicant.json", "--picture", file]);
        assert_eq!(drawn.status.code(), Some(0), "{}", String::from_utf8_lossy(&drawn.stderr));
        let picture = home.read(file);
        assert!(kinds.iter().all(|kind| picture.contains(kind)), "{picture}");
    }
    let shown = home.run(&["show", FLOW, "--facts", "applicant.json", "--format", "svg"]);
    assert_eq!(printed(&shown).trim(), home.read("way.svg").trim(), "the same by both commands");
    let plain = printed(&home.run(&["show", FLOW, "--format", "svg"]));
    assert!(!plain.contains("<g class="), "without facts nothing is marked");
    for (arguments, help) in [
        (vec!["decide", FLOW, "--facts", "applicant.json", "--picture", "way.png"], ".svg"),
        (vec!["show", FLOW, "--facts", "applicant.json"], "--explain"),
    ] {
        let refused = home.run(&arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(help), "{said}");
    }
}

#[test]
fn what_cannot_be_otherwise_is_refused_with_the_way_out() {
    let home = home();
    for (set, help) in [
        ("max_default_rsik=0.4", "did you mean `max_default_risk`?"),
        ("max_default_risk=high", "as `max_default_risk=0.60` is written"),
        ("facts.amuont=1", "did you mean `facts.amount`?"),
        ("facts.duration_months=long", "write a whole number"),
        ("facts.housing=ownd", "did you mean `own`?"),
        ("amount=1", "write `facts.amount`"),
        ("default_risk=0.2", "write `models.default_risk`"),
        ("models.default_risk=2", "a probability from 0 to 1, or `fails`"),
        ("market=mexico", "there is `base`, `at`, `mx`"),
        ("large_at_night=1", "write `fraud_check.large_at_night`"),
        ("fraud_chek.large_at_night=1", "did you mean `fraud_check.large_at_night`?"),
        ("max_default_risk", "write NAME=VALUE"),
    ] {
        let refused = home.run(&["what-if", FLOW, "--facts", "applicant.json", "--set", set]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(help), "{set}: {said}");
    }
    let out_of_range = home.run(&["what-if", FLOW, "--facts", "applicant.json", "--set", "facts.age=400"]);
    let said = String::from_utf8_lossy(&out_of_range.stderr).into_owned();
    assert!(out_of_range.status.code() == Some(1) && said.contains("/age too_high"), "{said}");
    // A threshold is compiled again, so what is checked holds here too.
    let broken = home.run(&["what-if", FLOW, "--facts", "applicant.json", "--set", "low_default_risk=0.30"]);
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(broken.status.code() == Some(1) && said.contains("error[T047]"), "{said}");
    assert!(said.contains("pricing.table.csv:4:1") && printed(&broken).is_empty(), "{said}");
}

#[test]
fn two_evaluations_part_where_the_first_thing_differs() {
    let home = home();
    let asked = |arguments: &[&str]| {
        let mut all = vec!["what-if", FLOW, "--facts", "applicant.json", "--format", "json"];
        all.extend(arguments);
        parsed(&home.run(&all))
    };
    let looser = asked(&["--set", "review_default_risk=0.50"]);
    assert_eq!(
        (&looser["before"]["outcome"], &looser["after"]["outcome"]),
        (&json!("review"), &json!("approve"))
    );
    assert_eq!(
        looser["parts_at"]["reads"],
        json!([{ "name": "review_default_risk", "before": "0.45", "after": "0.50" }])
    );
    assert_eq!(looser["same"], false);
    let same = asked(&["--set", "max_default_risk=0.61"]);
    assert_eq!((&same["same"], &same["parts_at"]), (&json!(true), &Json::Null), "{same}");
    let market = asked(&["--set", "market=mx", "--set", "facts.age=19"]);
    assert_eq!(market["after"]["outcome"], "decline", "{market}");
    assert_eq!(market["parts_at"]["step"], "rule under_age in knockout", "{market}");
    let below = asked(&[
        "--set",
        "facts.amount=9000",
        "--set",
        "fraud_check.large_at_night=1",
        "--at",
        "2026-11-22T23:30:00Z",
    ]);
    assert_eq!(below["parts_at"]["flows"], json!(["fraud_check"]), "{below}");
    let fails = asked(&["--set", "models.default_risk=fails"]);
    assert_eq!(
        (&fails["after"]["degraded"], &fails["after"]["reasons"]),
        (&json!(true), &json!(["R900"])),
        "{fails}"
    );
    let unread = asked(&["--set", "facts.employer.name=ACME", "--without", "facts.phone"]);
    assert_eq!(
        unread["changes"][1],
        json!({ "what": "fact", "name": "phone", "before": null, "after": null }),
        "{unread}"
    );
}

#[test]
fn a_sweep_finds_where_the_outcome_changes() {
    let home = home();
    let swept = |sweep: &str| {
        let arguments = ["what-if", FLOW, "--facts", "applicant.json", "--sweep", sweep, "--format", "json"];
        parsed(&home.run(&arguments))
    };
    let found = swept("review_default_risk=0.30..0.60:0.05");
    let risk = home.run(&["decide", FLOW, "--facts", "applicant.json", "--format", "json"]);
    let risk = parsed(&risk)["scores"]["default_risk"].as_f64().unwrap();
    let flip = &found["flips"][0];
    let bound = |name: &str| flip[name].as_str().unwrap().parse::<f64>().unwrap();
    assert!(
        bound("last") < risk && risk <= bound("first") && bound("first") - bound("last") < 1e-5,
        "{risk}: {flip}"
    );
    assert_eq!((found["points"].as_array().unwrap().len(), found["flips"].as_array().unwrap().len()), (7, 1));

    // The model declines one credit before the rule `too_many_credits` does.
    let whole = swept("facts.existing_credits=1..20:1");
    assert_eq!(
        (&whole["flips"][0]["last"], &whole["flips"][0]["first"]),
        (&json!("2"), &json!("3")),
        "{whole}"
    );
    // Two changes between two steps are both found.
    let coarse = swept("models.default_risk=0.10..0.90:0.80");
    let flips: Vec<(&str, &str)> = coarse["flips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["last"].as_str().unwrap(), f["first"].as_str().unwrap()))
        .collect();
    assert_eq!(flips, [("0.45", "0.450001"), ("0.6", "0.600001")], "{coarse}");
    let far = swept("facts.age=100..140:10");
    assert_eq!(far["points"][4]["said"], json!({ "refused": "too_high" }), "{far}");

    let arguments = [
        "what-if",
        FLOW,
        "--facts",
        "applicant.json",
        "--sweep",
        "facts.amount=500..16000:500",
        "--html",
        "a.html",
        "--svg",
        "a.svg",
    ];
    assert_eq!(home.run(&arguments).status.code(), Some(0));
    let (page, picture) = (home.read("a.html"), home.read("a.svg"));
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("<svg") && page.contains("decline"),
        "{page}"
    );
    assert!(picture.starts_with("<svg xmlns=") && !picture.contains("<script"), "{picture}");
    for (sweep, help) in [
        ("facts.housing=1..2:1", "--set"),
        ("age=1..2:1", "facts.age"),
        ("min_age=2..1:1", "upwards"),
        ("min_age=1..2000000:1", "10,000"),
        ("facts.age=1..2:0.5", "whole number"),
    ] {
        let refused = home.run(&["what-if", FLOW, "--facts", "applicant.json", "--sweep", sweep]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(help), "{sweep}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_trace_is_explained_and_a_record_can_be_later() {
    let home = home();
    let caller = make_key(&home, &["caller"], "shop", &[]);
    let service = home.serve().await;
    let api = service.api.with_key(&caller);
    let mut facts: Json = serde_json::from_str(&home.read("applicant.json")).unwrap();
    facts["phone"] = json!("+4930123456");
    let body = |trace: &str| json!({ "flow": FLOW, "facts": facts, "trace": trace });
    let decided = async |trace: &str| {
        let request =
            api.request("POST", "/v1/decisions").header("idempotency-key", trace).json(&body(trace));
        api.send(request).await.unwrap().ok()
    };
    let full = decided("full").await;
    assert_eq!(
        full["explanation"]["why_not"][0]["in_the_way"][0]["by"],
        json!({ "rule_set": "knockout", "rule": "blocked_phone" }),
        "{full}"
    );
    assert!(full["explanation"].to_string().contains("+4930123456"), "who sent it sees it");
    for less in ["summary", "none"] {
        assert_eq!(decided(less).await["explanation"], Json::Null);
    }
    assert_eq!(decided("full").await, full, "a repeated request gets the same");
    service.stop().await;

    let id = full["decision_id"].as_str().unwrap();
    let explained = home.run(&["audit", "explain", id, "--format", "json"]);
    let masked = parsed(&explained);
    assert_eq!(
        (&masked["agrees"], masked["explanation"]["outcome"].as_str()),
        (&json!(true), Some("decline")),
        "{masked}"
    );
    assert!(!masked.to_string().contains("4930123456"), "{masked}");
    let plain = parsed(&home.run(&["audit", "explain", id, "--personal", "--format", "json"]));
    assert_eq!(plain["explanation"], full["explanation"], "as it was told when it was made");
    let text = printed(&home.run(&["audit", "explain", id]));
    assert!(
        text.contains("why not approve?") && text.contains("phone *** in blocked_numbers: true"),
        "{text}"
    );
}
