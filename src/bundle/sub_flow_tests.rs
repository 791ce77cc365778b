//! Flows that ask flows: on whose facts, in which market, what comes back, what is said when it cannot work, and that
//! the caller's revision holds what it asks.

use std::sync::Arc;

use super::*;
use crate::documents::findings::{Colour, rendered};
use crate::domain::facts::Given;
use crate::domain::flow::{Budget, Flow, ModelPin, Pins};
use crate::domain::verdict::{FeatureState, Step, Verdict};

const FRAUD: &str = "flow: fraud_check
inputs:
  amount: { type: decimal, min: 0, max: 5000 }
  hour: { type: integer }
  phone: { type: text, optional: true }
features:
  is_late: hour >= late_hour
  ratio: amount / hour
thresholds: { late_hour: 22, large: 1000 }
outputs: { level: { type: integer } }
outcomes: [approve, review, decline]
reasons:
  F1: { en: Late and large }
  F2: { en: Known phone }
  F9: { en: By hand }
on_error: { outcome: review, reason: F9 }
";
const FRAUD_SCRIPT: &str = "if is_late && amount > large { review(\"F1\"); return; }
if is_given(phone) && phone == \"666\" { decline(\"F2\"); return; }
approve(#{ level: if ratio > 100 { 2 } else { 1 } });
";
const LOAN: &str = "flow: loan
inputs:
  amount: decimal
  hour: { type: integer, optional: true }
  phone: { type: text, optional: true }
outcomes: [approve, review, decline]
reasons:
  R1: { en: Not now }
  R9: { en: By hand }
on_error: { outcome: review, reason: R9 }
";

fn documents(script: &str, files: &[(&str, &str)]) -> Documents {
    let mut all = vec![
        ("fraud_check/flow.yaml", FRAUD),
        ("fraud_check/flow.rhai", FRAUD_SCRIPT),
        ("loan/flow.yaml", LOAN),
        ("loan/flow.rhai", script),
    ];
    for (path, text) in files {
        all.retain(|(known, _)| known != path);
        all.push((path, text));
    }
    let bytes = |text: &str| -> Arc<[u8]> { Arc::from(text.as_bytes()) };
    Documents::from_files(all.into_iter().map(|(path, text)| (format!("rules/{path}"), bytes(text))))
}

fn told(built: &Built) -> String {
    rendered(&built.diagnostics, &built.sources, Colour::Never)
}

#[track_caller]
fn loan(documents: &Documents) -> Arc<FlowRevision> {
    let built = build(documents);
    assert!(!built.has_errors(), "{}", told(&built));
    Arc::clone(built.bundle.flow("loan").unwrap())
}

#[track_caller]
fn run(flow: &Flow, facts: &[(&str, &str)]) -> Verdict {
    let given = facts.iter().map(|(name, value)| {
        let is_text = *name == "phone";
        let value = (*value).to_owned();
        ((*name).to_owned(), if is_text { Given::Text(value) } else { Given::Number(value) })
    });
    let facts = flow.admit(&Given::Map(given.collect())).unwrap();
    flow.decide(&facts, "2026-11-22T09:00:00Z".parse().unwrap(), &Budget::default())
}

#[track_caller]
fn check(script: &str, facts: &[(&str, &str)], outcome: &str, reasons: &[&str]) -> Verdict {
    let verdict = run(&loan(&documents(script, &[])).flow, facts);
    assert_eq!(&*verdict.outcome, outcome, "{script}\n{verdict:#?}");
    assert_eq!(verdict.reasons.iter().map(|r| &**r).collect::<Vec<_>>(), reasons, "{script}\n{verdict:#?}");
    verdict
}

/// Applies the answer of the other flow, then approves.
const APPLY: &str = "flow(\"fraud_check\", #{ hour: hour ?? 12 }).apply();\napprove();\n";

#[test]
fn a_flow_asks_another_on_its_own_facts_and_applies_what_it_found() {
    check(APPLY, &[("amount", "2000")], "approve", &[]);
    let verdict = check(APPLY, &[("amount", "2000"), ("hour", "23")], "review", &["F1"]);
    assert!(!verdict.degraded);
    assert!(
        verdict.trace.iter().any(|step| matches!(step, Step::SubFlow { name, outcome, trace, .. }
            if &**name == "fraud_check" && &**outcome == "review" && !trace.is_empty())),
        "{:#?}",
        verdict.trace
    );
    let late = verdict.features.iter().find(|(name, _)| &**name == "fraud_check.is_late");
    assert!(matches!(late, Some((_, FeatureState::Value(_)))), "{:?}", verdict.features);
    check(APPLY, &[("amount", "1"), ("phone", "666")], "decline", &["F2"]);
    let flow = loan(&documents(APPLY, &[]));
    assert_eq!(flow.flow.reason_text("F1", &[]), Some("Late and large"), "its reasons come with it");
}

#[test]
fn what_is_applied_is_an_outcome() {
    let built = build(&documents("flow(\"fraud_check\", #{ hour: hour ?? 12 }).apply();\n", &[]));
    assert!(!told(&built).contains("T021"), "{}", told(&built));
}

#[test]
fn what_a_flow_answered_can_be_read() {
    let script = "let fraud = flow(\"fraud_check\", #{ hour: hour ?? 12, amount: amount / 2 });
if fraud.outcome == \"decline\" { decline(fraud.reasons); }
if fraud.failed { review(\"R1\"); return; }
if fraud.output.level ?? 9 > 1 { review(\"R1\"); }
approve();
";
    check(script, &[("amount", "2400")], "approve", &[]);
    check(script, &[("amount", "2404")], "review", &["R1"]);
    check(script, &[("amount", "100"), ("phone", "666")], "decline", &["F2"]);
}

#[test]
fn what_failed_there_cannot_be_read_unasked_and_is_never_milder_here() {
    let zero: &[(&str, &str)] = &[("amount", "100"), ("hour", "0")];
    let unasked = "let fraud = flow(\"fraud_check\", #{ hour: hour ?? 1 }); if fraud.outcome == \"decline\" { decline(\"R1\"); } approve();";
    let verdict = check(unasked, zero, "review", &["R9"]);
    assert!(verdict.degraded);
    assert_eq!(
        verdict.failures.iter().map(|f| f.code).collect::<Vec<_>>(),
        ["division_by_zero", "failed_feature", "failed_step"]
    );
    assert_eq!(verdict.failures[0].step, "fraud_check: feature ratio");
    let asked = "let fraud = flow(\"fraud_check\", #{ hour: hour ?? 1 }); if fraud.failed { decline(\"R1\"); return; } approve();";
    assert!(!check(asked, zero, "decline", &["R1"]).degraded);
    let applied = check(APPLY, zero, "review", &["F9", "R9"]);
    assert!(applied.degraded, "what failed there has failed here");
    let large = check(APPLY, &[("amount", "6000")], "review", &["R9"]);
    assert_eq!(large.failures[0].detail, "input `amount` of `fraud_check`: out of its declared range");
}

#[test]
fn an_on_error_of_the_strictest_outcome_is_a_failure_too() {
    let strict = FRAUD.replace("on_error: { outcome: review", "on_error: { outcome: decline");
    assert_ne!(strict, FRAUD);
    let files = documents(APPLY, &[("fraud_check/flow.yaml", strict.as_str())]);
    let verdict = run(&loan(&files).flow, &[("amount", "100"), ("hour", "0")]);
    assert_eq!((&*verdict.outcome, verdict.degraded), ("decline", true), "{:#?}", verdict.trace);
}

#[test]
fn the_same_call_is_asked_once_and_another_one_again() {
    let script = "for h in [1, 1, 2, 1] { flow(\"fraud_check\", #{ hour: h }).apply(); }\napprove();";
    let verdict = check(script, &[("amount", "5")], "approve", &[]);
    let asked = verdict.trace.iter().filter(|step| matches!(step, Step::SubFlow { .. })).count();
    assert_eq!(asked, 2);
    let names: Vec<&str> = verdict.features.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        ["fraud_check.is_late", "fraud_check.ratio", "fraud_check#2.is_late", "fraud_check#2.ratio"]
    );
}

#[test]
fn one_budget_holds_for_all() {
    let endless = "let n = 0; while true { n += 1; }\napprove(#{ level: 1 });";
    let documents = documents(APPLY, &[("fraud_check/flow.rhai", endless)]);
    let verdict = run(&loan(&documents).flow, &[("amount", "5")]);
    assert_eq!((&*verdict.outcome, verdict.degraded), ("review", true));
    assert!(verdict.ticks <= 100_100, "{}", verdict.ticks);
    let codes: Vec<&str> = verdict.failures.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["out_of_budget", "out_of_budget"], "the caller goes no further either");
    let facts = loan(&documents)
        .flow
        .admit(&Given::Map(vec![("amount".to_owned(), Given::Number("5".to_owned()))]))
        .unwrap();
    let stopped = Budget { alarm: None, stop_at: Some(500) };
    let at = "2026-11-22T09:00:00Z".parse().unwrap();
    let verdict = loan(&documents).flow.decide(&facts, at, &stopped);
    assert_eq!((verdict.stopped_at, &*verdict.outcome), (Some(500), "review"));
}

#[test]
fn what_cannot_be_asked_is_told_with_its_place_and_the_way_out() {
    let table: &[(&str, &[&str])] = &[
        (
            "flow(\"fraud_chek\").apply();",
            &["error[T080]", "loan/flow.rhai:1:6", "did you mean `\"fraud_check\"`?"],
        ),
        ("flow(\"loan\").apply();", &["error[T082]", "`loan` → `loan`"]),
        ("flow(fraud_check).apply();", &["error[T002]", "the name of a flow in quotes"]),
        ("flow(\"fraud_check\", 5).apply();", &["error[T002]", "a map of what is handed over"]),
        (
            "flow(\"fraud_check\", #{ hours: 5 }).apply();",
            &["error[T083]", "has no input `hours`", "did you mean `hour`?"],
        ),
        ("flow(\"fraud_check\", #{ hour: \"x\" }).apply();", &["error[T083]", "is an integer, not a text"]),
        ("flow(\"fraud_check\").apply();", &["warning[T009]", "`hour` may be missing"]),
        ("flow(\"fraud_check\", #{ hour: 1 });", &["warning[T020]", "the result of this flow"]),
        ("flow(\"fraud_check\", #{ hour: 1 }).outcom;", &["error[T012]", "did you mean `outcome`?"]),
        (
            "let f = flow(\"fraud_check\", #{ hour: 1 }); if f.outcome == \"decine\" { decline(\"R1\"); }",
            &["error[T007]"],
        ),
        (
            "if flow(\"fraud_check\", #{ hour: 1 }).output.levl ?? 1 > 1 { decline(\"R1\"); }",
            &["error[T012]", "`level`"],
        ),
    ];
    for (line, expected) in table {
        let text = told(&build(&documents(&format!("{line}\napprove();\n"), &[])));
        for part in *expected {
            assert!(text.contains(part), "`{line}` should say `{part}`:\n{text}");
        }
    }
    let with = |path: &str, text: &str| {
        let built = build(&documents(APPLY, &[(path, text)]));
        (told(&built), built.bundle.flow("loan").is_some())
    };
    let (text, in_force) =
        with("loan/flow.yaml", &LOAN.replace("  phone: {", "  fone: {").replace("  amount: decimal\n", ""));
    assert!(text.contains("error[T083]: the flow `fraud_check` needs `amount` (decimal)"), "{text}");
    assert!(!text.contains("phone` (text)") && !in_force, "what is optional may stay missing: {text}");
    let (text, _) = with("loan/flow.yaml", &LOAN.replace("amount: decimal", "amount: number"));
    assert!(
        text.contains("the input `amount` of the flow `fraud_check` is a decimal, not a number"),
        "{text}"
    );
    let (text, _) =
        with("loan/flow.yaml", &LOAN.replace("[approve, review, decline]", "[approve, review, refuse]"));
    assert!(text.contains("error[T076]") && text.contains("can end in `decline`"), "{text}");
    let (text, _) =
        with("loan/flow.yaml", &LOAN.replace("[approve, review, decline]", "[approve, decline, review]"));
    assert!(text.contains("error[T076]") && text.contains("stricter"), "{text}");
    let (text, in_force) = with("fraud_check/flow.rhai", "approve(#{ level: leve });");
    assert!(text.contains("error[T081]: the flow `fraud_check` does not check") && !in_force, "{text}");
    let round = "flow(\"loan\", #{ amount: amount }).apply();\napprove(#{ level: 1 });";
    let (text, in_force) = with("fraud_check/flow.rhai", round);
    assert!(text.contains("error[T082]") && text.contains("`loan` → `fraud_check` → `loan`"), "{text}");
    assert!(text.contains("`fraud_check` → `loan` → `fraud_check`") && !in_force, "{text}");
    let (text, in_force) = with("fraud_check/flow.yaml", &format!("{FRAUD}market: required\n"));
    assert!(text.contains("error[B042]") && !in_force, "{text}");
}

#[test]
fn a_market_asks_the_same_market_of_another_flow_if_it_has_it() {
    let mx = "market: mx\nthresholds: { late_hour: 10 }\n";
    let own = "market: mx\ndeadline_ms: 20\n";
    let br = "market: br\ndeadline_ms: 20\n";
    let markets =
        [("fraud_check/markets/mx.yaml", mx), ("loan/markets/mx.yaml", own), ("loan/markets/br.yaml", br)];
    let documents_with = documents(APPLY, &markets);
    let base = loan(&documents_with);
    let facts: &[(&str, &str)] = &[("amount", "2000"), ("hour", "12")];
    let outcome = |market: &str| run(&base.in_market(market).unwrap().flow, facts).outcome.to_string();
    assert_eq!([outcome("base"), outcome("mx"), outcome("br")], ["approve", "review", "approve"]);
    let has =
        |market: &str, path: &str| base.in_market(market).unwrap().files.iter().any(|file| file.path == path);
    assert!(
        has("mx", "rules/fraud_check/markets/mx.yaml") && !has("base", "rules/fraud_check/markets/mx.yaml")
    );
    assert!(has("base", "rules/fraud_check/flow.rhai") && has("br", "rules/fraud_check/flow.yaml"));
    let files: Vec<_> = base.all_files().into_iter().map(|file| (file.path, file.bytes)).collect();
    let again = rebuild("loan", &files, Expected::Whole(&base.whole_revision())).unwrap();
    for market in ["base", "mx", "br"] {
        let (before, after) = (base.in_market(market).unwrap(), again.in_market(market).unwrap());
        assert_eq!((&before.flow_revision, &before.files), (&after.flow_revision, &after.files));
        assert_eq!(run(&before.flow, facts), run(&after.flow, facts));
    }
    let required = format!("{FRAUD}market: required\n");
    let mut documents = documents_with;
    documents.files.insert("rules/fraud_check/flow.yaml".to_owned(), Arc::from(required.as_bytes()));
    let text = told(&build(&documents));
    assert!(text.contains("error[T084]") && text.contains("has no `base`"), "{text}");
    assert!(text.contains("has no `br` (in the market `br`)"), "{text}");
}

#[test]
fn a_change_below_is_a_change_above() {
    let revision = |files: &[(&str, &str)]| loan(&documents(APPLY, files)).flow_revision.to_string();
    let before = revision(&[]);
    assert_ne!(revision(&[("fraud_check/flow.yaml", &FRAUD.replace("large: 1000", "large: 1001"))]), before);
    let other = ("other/flow.rhai", "approve();");
    let flow = LOAN.replace("flow: loan", "flow: other");
    assert_eq!(revision(&[("other/flow.yaml", &flow), other]), before);
}

#[test]
fn models_below_are_pinned_scored_and_digested_under_the_flows_name() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = read_folder(&root.join("tests/fixtures/small/rules"), &root.join("models"));
    let text = |path: &str| String::from_utf8(documents.files.get(path).unwrap().to_vec()).unwrap();
    let yaml = text("rules/personal_loan/flow.yaml").replace("flow: personal_loan", "flow: outer");
    let yaml = yaml
        .replace("models:\n  default_risk: german_credit@champion\n", "")
        .replace("protected:", "protected: {}\nunused:");
    let yaml: String = yaml.split("unused:").next().unwrap().to_owned()
        + "outcomes: [approve, review, decline]\nreasons: { R900: { en: By hand } }\non_error: { outcome: review, reason: R900 }\n";
    let script = "let inner = flow(\"personal_loan\");\ninner.apply();\nif inner.scores.default_risk ?? 0 > 0.99 { review(\"R900\"); }\napprove();\n";
    documents.files.insert("rules/outer/flow.yaml".to_owned(), Arc::from(yaml.as_bytes()));
    documents.files.insert("rules/outer/flow.rhai".to_owned(), Arc::from(script.as_bytes()));
    let built = build(&documents);
    assert!(!built.has_errors(), "{}", told(&built));
    let outer = built.bundle.flow("outer").unwrap();
    assert_eq!(outer.flow.model_names(), ["personal_loan.default_risk"]);
    assert!(outer.files.iter().any(|file| file.path == "models/german_credit@champion/3"));
    let case = &built.flows.get("personal_loan").unwrap().cases.cases[0];
    let facts = outer.flow.admit(&case.facts).unwrap();
    let now = "2026-11-22T09:00:00Z".parse().unwrap();
    let pins = Pins {
        models: [(Name::from("personal_loan.default_risk"), ModelPin::Probability(0.995))].into(),
        ..Pins::default()
    };
    let verdict = outer.flow.decide_with(&facts, now, &Budget::default(), &pins);
    assert_eq!(&*verdict.scores[0].0, "personal_loan.default_risk");
    assert!((verdict.scores[0].1.rounded - 0.995).abs() < 1e-9);
    assert_eq!(&*verdict.models[0].0, "personal_loan.default_risk");
    let files: Vec<_> = outer.files.iter().map(|file| (file.path.clone(), Arc::clone(&file.bytes))).collect();
    let again = rebuild("outer", &files, Expected::Whole(&outer.flow_revision)).unwrap();
    let run = |flow: &Flow| flow.decide(&facts, now, &Budget::default());
    assert_eq!(run(&again.flow), run(&outer.flow));
}
