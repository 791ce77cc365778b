//! What a flow means, shown through whole flows: small declarations in, verdicts and diagnostics out.

mod facts;
mod functions;
mod habits;
mod missing;
mod models;
mod needs;
mod remote;
mod sandbox;
mod scorecards;
mod tables;
mod words;

use std::collections::BTreeMap;

mod exactness;
mod explanations;
mod predicates;

use super::*;
use crate::domain::declaration::*;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::facts::Given;
use crate::domain::place::{Located, Place, Span};
use crate::domain::value::Field;
use crate::domain::verdict::{FeatureState, RuleResult, Step};

fn at<T>(value: T) -> Located<T> {
    Located::new(value, Place::default())
}

fn text(value: &str) -> Located<String> {
    at(value.to_owned())
}

fn input(name: &str, kind: Kind, optional: bool) -> InputDeclaration {
    let name = text(name);
    InputDeclaration { name, kind, optional, min: None, max: None, unit: None, personal: Personal::No }
}

/// A flow with one input of each common type, and whatever the test says besides.
fn declaration(script: &str) -> FlowDeclaration {
    let choice = Kind::Choice(["none".into(), "below_0".into(), "from_200".into()].into());
    let row = Kind::Map(Arc::new(BTreeMap::from([
        ("balance".into(), Field { kind: Kind::Decimal, optional: false }),
        ("opened_on".into(), Field { kind: Kind::Date, optional: true }),
    ])));
    let accounts = Kind::List(Arc::new(Field { kind: row, optional: false }));
    FlowDeclaration {
        time_zone: Some(text("Europe/Berlin")),
        inputs: vec![
            input("age", Kind::Integer, false),
            input("amount", Kind::Decimal, false),
            input("score", Kind::Number, false),
            input("status", choice, false),
            input("phone", Kind::Text, true),
            input("accounts", accounts, true),
        ],
        thresholds: vec![threshold("min_age", "18"), threshold("max_share", "0.40")],
        reasons: ["R1", "R2", "R3", "R900"].map(reason).into(),
        script: text(script),
        ..FlowDeclaration::blank()
    }
}

fn list(name: &str, entries: &[&str]) -> ListDeclaration {
    let mut all = crate::domain::list::Entries::default();
    for entry in entries {
        all.push(entry, 0, None);
    }
    let list = List::new("sha256:test".into(), Default::default(), all).0;
    ListDeclaration { name: text(name), list: Arc::new(list), is_shared: false }
}

fn reason(code: &str) -> ReasonDeclaration {
    let texts = BTreeMap::from([("en".to_owned(), format!("because of {code}"))]);
    ReasonDeclaration { code: text(code), texts, is_score: false, is_shared: false }
}

fn threshold(name: &str, number: &str) -> ThresholdDeclaration {
    ThresholdDeclaration { name: text(name), literal: at(ThresholdLiteral::Number(number.to_owned())) }
}

fn feature(name: &str, formula: &str) -> FeatureDeclaration {
    FeatureDeclaration { name: text(name), formula: text(formula) }
}

fn rule(id: &str, when: &str, outcome: &str, reason: &str) -> RuleDeclaration {
    RuleDeclaration {
        id: text(id),
        when: text(when),
        outcome: Some(text(outcome)),
        reason: Some(text(reason)),
        points: None,
    }
}

fn rule_set(hit_policy: HitPolicy, rules: Vec<RuleDeclaration>) -> RuleSetDeclaration {
    RuleSetDeclaration { name: text("knockout"), hit_policy, takes: vec![], rules }
}

#[track_caller]
fn compiled(declaration: &FlowDeclaration) -> Flow {
    let (flow, found) = Flow::compile(declaration);
    let errors: Vec<&Diagnostic> = found.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    flow.unwrap()
}

fn facts(overrides: &[(&str, Given)]) -> Given {
    let number = |n: &str| Given::Number(n.to_owned());
    let mut all = vec![
        ("age".to_owned(), number("41")),
        ("amount".to_owned(), Given::Text("2500.00".to_owned())),
        ("score".to_owned(), number("0.3")),
        ("status".to_owned(), Given::Text("none".to_owned())),
    ];
    for (name, value) in overrides {
        all.retain(|(n, _)| n != name);
        all.push(((*name).to_owned(), value.clone()));
    }
    Given::Map(all)
}

#[track_caller]
fn decide(flow: &Flow, given: &Given) -> Verdict {
    let facts = flow.admit(given).unwrap();
    flow.decide(&facts, "2026-11-22T09:00:00Z".parse().unwrap(), &Budget::default())
}

#[track_caller]
fn check(script: &str, given: &[(&str, Given)], outcome: &str, reasons: &[&str]) -> Verdict {
    let verdict = decide(&compiled(&declaration(script)), &facts(given));
    assert_eq!(&*verdict.outcome, outcome, "{script}\n{verdict:#?}");
    assert_eq!(verdict.reasons.iter().map(|r| &**r).collect::<Vec<_>>(), reasons, "{script}\n{verdict:#?}");
    verdict
}

/// Whether a condition holds for the ordinary facts; `None` when it fails.
#[track_caller]
fn holds(condition: &str, given: &[(&str, Given)]) -> Option<bool> {
    let script = format!("if {condition} {{ decline(\"R1\"); }} else {{ approve(); }}");
    let verdict = decide(&compiled(&declaration(&script)), &facts(given));
    match &*verdict.outcome {
        "decline" => Some(true),
        "approve" => Some(false),
        _ => None,
    }
}

#[track_caller]
fn finds(script: &str, code: &str) -> Diagnostic {
    let (_, found) = Flow::compile(&declaration(script));
    found.iter().find(|d| d.code == code).unwrap_or_else(|| panic!("{script}: {found:#?}")).clone()
}

#[test]
fn the_strictest_outcome_wins_whatever_comes_later() {
    check(r#"decline("R1"); approve();"#, &[], "decline", &["R1"]);
    check(r#"approve(); review("R2"); decline("R1"); review("R3");"#, &[], "decline", &["R1"]);
    check(r#"review("R2"); review(["R3", "R2"]); return; "#, &[], "review", &["R2", "R3"]);
}

#[test]
fn a_flow_without_an_outcome_ends_in_on_error() {
    let verdict = check("if age > 100 { approve(); }", &[], "review", &["R900"]);
    assert!(verdict.degraded);
    assert_eq!(verdict.failures[0].code, "no_outcome");
    finds("if age > 100 { approve(); }", "T021");
    for empty in ["", "// approve();\n", "fn f(x) { x }"] {
        assert!(Flow::compile(&declaration(empty)).0.is_none(), "{empty}");
    }
}

#[test]
fn numbers_have_one_meaning() {
    for (condition, expected) in [
        ("5 / 2 == 2.5", Some(true)),
        ("amount == 2500", Some(true)),
        ("amount * 0.1 == 250", Some(true)),
        ("0.1 + 0.2 > 0.3", Some(true)),
        ("amount / 3 > 833.33", Some(true)),
        ("score <= max_share && amount * max_share == 1000", Some(true)),
        ("amount / (age - 41) > 1", None),
        ("1.0 / (score - 0.3) > 0.45", None),
        ("age * 9223372036854775807 > 0", None),
        ("money(score, 2) == 0.3", Some(true)),
        ("number(amount) > score", Some(true)),
        ("min(amount, 100) == 100", Some(true)),
        ("max(1, 2, 3) == 3", Some(true)),
        ("-amount < 0", Some(true)),
        ("age % 2 == 1", Some(true)),
        ("2 ** 10 == 1024", Some(true)),
        ("status == \"none\"", Some(true)),
        ("status in [\"below_0\", \"none\"]", Some(true)),
        ("\"on\" in status", Some(true)),
        ("age in 18..41", Some(false)),
        ("age in 18..=41", Some(true)),
        ("years_between(date(\"1985-11-23\"), today) == 40", Some(true)),
        ("hour_of(decided_at) == 10", Some(true)),
    ] {
        assert_eq!(holds(condition, &[]), expected, "{condition}");
    }
}

#[test]
fn missing_is_never_zero_and_never_false() {
    let sent = [("phone", Given::Text("0900123".to_owned()))];
    for (condition, without, with) in [
        ("phone == \"0900123\"", None, Some(true)),
        ("!(phone == \"0900123\")", None, Some(false)),
        ("is_given(phone) && phone.starts_with(\"0900\")", Some(false), Some(true)),
        ("is_missing(phone) || phone == \"x\"", Some(true), Some(false)),
        ("(phone ?? \"none\") == \"none\"", Some(true), Some(false)),
        ("age > 100 && phone == \"x\"", Some(false), Some(false)),
    ] {
        assert_eq!(holds(condition, &[]), without, "{condition} without");
        assert_eq!(holds(condition, &sent), with, "{condition} with");
    }
    finds("if phone == \"x\" { approve(); } else { approve(); }", "T009");
}

#[test]
fn what_a_missing_map_holds_is_missing() {
    let mut flow = declaration(r#"if is_given(employer.since) { decline("R1"); } else { approve(); }"#);
    let fields = BTreeMap::from([("since".into(), Field { kind: Kind::Date, optional: false })]);
    flow.inputs.push(input("employer", Kind::Map(Arc::new(fields)), true));
    let (_, found) = Flow::compile(&flow);
    assert!(!found.iter().any(|d| d.code == "T009"), "{found:#?}");
    assert_eq!(&*decide(&compiled(&flow), &facts(&[])).outcome, "approve");
    flow.script = text(r#"if employer.since < today { decline("R1"); } else { approve(); }"#);
    assert!(Flow::compile(&flow).1.iter().any(|d| d.code == "T009"));
    assert_eq!(decide(&compiled(&flow), &facts(&[])).failures[0].code, "missing_value");
}

#[test]
fn an_early_return_narrows_what_follows() {
    let (_, found) = Flow::compile(&declaration(
        r#"if is_missing(phone) { review("R1"); return; } if phone.len() > 3 { decline("R1"); } approve();"#,
    ));
    assert!(!found.iter().any(|d| d.code == "T009"), "{found:#?}");
}

#[test]
fn mistakes_in_types_are_found_before_anything_runs() {
    for (condition, code) in [
        ("age > \"18\"", "T005"),
        ("phone > 5", "T005"),
        ("amount > score", "T006"),
        ("amount + score > 1", "T006"),
        ("status == \"from_20\"", "T007"),
        ("age", "T008"),
        ("agee > 3", "T004"),
        ("sqroot(age) > 3", "T001"),
        ("sqrt(age, 2) > 3", "T002"),
        ("sqrt(status) > 3.0", "T003"),
        ("status * 2 > 3", "T014"),
        ("accounts.balance > 3", "T012"),
        ("age == 'mx'", "S005"),
        ("age > 3 and age < 5", "S005"),
        ("age = 3", "S005"),
    ] {
        let diagnostic = finds(&format!("if {condition} {{ decline(\"R1\"); }} else {{ approve(); }}"), code);
        assert_eq!(diagnostic.severity, Severity::Error, "{condition}");
    }
    for (script, code) in [
        ("decline();", "T017"),
        ("decline(\"R99\");", "T015"),
        ("rules(\"knockuot\").apply();", "T010"),
        ("model(\"x\").probability;", "T011"),
        ("age = 3;", "T013"),
        ("let age = 3;", "T027"),
        ("let x = 1; let x = 2;", "S001"),
        ("approve(#{ apr: 3 });", "T018"),
        ("for a in age { approve(); }", "T003"),
        ("try { approve(); } catch (e) { }", "S003"),
        ("import \"x\" as y;", "S003"),
        ("throw 3;", "S003"),
        ("let f = |x| x; approve();", "S003"),
        ("break;", "S001"),
        ("approve(", "S001"),
        ("let x = \u{202E}1;", "S002"),
    ] {
        finds(script, code);
    }
}

#[test]
fn an_unknown_name_comes_with_the_nearest_one_and_its_place() {
    let diagnostic = finds("approve();\nif amont > 5 { approve(); }", "T004");
    assert_eq!(diagnostic.message, "this script reads an unknown name `amont`");
    assert_eq!(diagnostic.help.as_deref(), Some("this flow has an input `amount`"));
    assert_eq!(diagnostic.place.span, Span::new(14, 19));
}

#[test]
fn scripts_have_variables_functions_loops_and_switch() {
    check(
        r#"
        fn doubled(x) { x * 2 }
        let codes = [];
        for n in 1..=3 { if n == 2 { continue; } codes.push(`R${n}`); }
        let total = 0;
        while total < 10 { total += doubled(2); if total > 100 { break; } }
        let kind = switch status { "none" | "below_0" if total == 12 => "low", _ => "high" };
        if kind == "low" { decline(codes); } else { approve(); }
        "#,
        &[],
        "decline",
        &["R1", "R3"],
    );
}

#[test]
fn switch_labels_are_read_as_written() {
    for (status, expected) in [("none", "R1"), ("below_0", "R2"), ("from_200", "R3")] {
        check(
            r#"
            let code = switch status {
                "none" => { /* , => */ "R1" }
                "below_0" /* "x" => */ => "R2", // => comment
                _ => "R3",
            };
            decline(code);
            "#,
            &[("status", Given::Text(status.to_owned()))],
            "decline",
            &[expected],
        );
    }
}

#[test]
fn words_over_lists_read_rows_and_everything_else() {
    let account = |balance: &str, opened: Option<&str>| {
        let mut entries = vec![("balance".to_owned(), Given::Number(balance.to_owned()))];
        entries.extend(opened.map(|date| ("opened_on".to_owned(), Given::Text(date.to_owned()))));
        Given::Map(entries)
    };
    let rows = [("accounts", Given::List(vec![account("-5", None), account("30.5", Some("2020-01-31"))]))];
    for (condition, expected) in [
        ("count(accounts) == 2", Some(true)),
        ("count(accounts, |a| a.balance < money(0, 2)) == 1", Some(true)),
        ("count(accounts, |a| a.balance > 0) == 1 && count(accounts, |a| a.balance > 50) == 0", Some(true)),
        ("count(accounts, |a| count(accounts, |b| b.balance > a.balance) > 0) == 1", Some(true)),
        ("count(accounts, |a| count(accounts, |b| b.balance >= a.balance) > 1) == 1", Some(true)),
        ("sum(accounts, |a| a.balance) == 25.5", Some(true)),
        ("average(accounts, |a| a.balance) == 12.75", Some(true)),
        ("min(accounts, |a| a.balance) == -5", Some(true)),
        ("all(accounts, |a| is_given(a.opened_on))", Some(false)),
        ("count(accounts.filter(|a| a.balance > age - 41)) == 1", Some(true)),
        ("latest(accounts, |a| a.opened_on ?? date(\"1900-01-01\")) == accounts[1]", Some(true)),
        ("accounts[7].balance > 1", None),
    ] {
        assert_eq!(holds(condition, &rows), expected, "{condition}");
    }
}

#[test]
fn rules_hit_miss_and_fail() {
    let mut flow = declaration(r#"rules("knockout").apply(); approve();"#);
    flow.features = vec![feature("share", "amount / (age - 41)")];
    flow.rule_sets = vec![rule_set(
        HitPolicy::Collect,
        vec![
            rule("young", "age < min_age", "decline", "R1"),
            rule("share", "share > max_share", "review", "R2"),
            rule("rich", "amount > 1000", "review", "R3"),
        ],
    )];
    let flow = compiled(&flow);

    let verdict = decide(&flow, &facts(&[]));
    assert_eq!((&*verdict.outcome, verdict.degraded), ("review", true));
    assert_eq!(verdict.reasons.iter().map(|r| &**r).collect::<Vec<_>>(), ["R3", "R900"]);
    assert_eq!(verdict.features, [("share".into(), FeatureState::Failed)]);
    let rules = verdict.trace.iter().find_map(|step| match step {
        Step::Rules { rules, .. } => Some(rules.results.clone()),
        _ => None,
    });
    assert_eq!(rules.unwrap(), [RuleResult::Miss, RuleResult::Failed, RuleResult::Hit]);

    // The strictest outcome is already hit, so the failed rule cannot change anything.
    let mut strict = declaration(r#"rules("knockout").apply(); approve();"#);
    strict.rule_sets = vec![rule_set(
        HitPolicy::Collect,
        vec![
            rule("rich", "amount > 1000", "decline", "R3"),
            rule("bad", "amount / (age - 41) > 1", "review", "R2"),
        ],
    )];
    let verdict = decide(&compiled(&strict), &facts(&[]));
    assert_eq!((&*verdict.outcome, verdict.degraded), ("decline", false));
}

#[test]
fn first_stops_at_the_first_hit_or_failure() {
    let mut flow = declaration(r#"rules("knockout").apply(); approve();"#);
    flow.rule_sets = vec![rule_set(
        HitPolicy::First,
        vec![
            rule("bad", "amount / (age - 41) > 1", "review", "R2"),
            rule("rich", "amount > 1000", "decline", "R3"),
        ],
    )];
    let flow = compiled(&flow);
    let verdict = decide(&flow, &facts(&[]));
    assert_eq!((&*verdict.outcome, verdict.degraded), ("review", true));
    let verdict = decide(&flow, &facts(&[("age", Given::Number("42".to_owned()))]));
    assert_eq!(verdict.reasons.iter().map(|r| &**r).collect::<Vec<_>>(), ["R2"]);
}

#[test]
fn the_result_of_a_failed_set_is_read_only_by_who_asked() {
    let sets =
        vec![rule_set(HitPolicy::Collect, vec![rule("bad", "amount / (age - 41) > 1", "review", "R2")])];
    for (script, outcome, degraded) in [
        (r#"if rules("knockout").is_hit { decline("R1"); } approve();"#, "review", true),
        (r#"let k = rules("knockout"); if k.failed { decline("R1"); } approve();"#, "decline", false),
        (
            r#"let k = rules("knockout"); if !k.failed || k.is_hit { decline("R1"); } approve();"#,
            "approve",
            false,
        ),
    ] {
        let mut flow = declaration(script);
        flow.rule_sets = sets.clone();
        let verdict = decide(&compiled(&flow), &facts(&[]));
        assert_eq!((&*verdict.outcome, verdict.degraded), (outcome, degraded), "{script}");
    }
}

#[test]
fn protected_inputs_are_read_only_where_they_may_be() {
    let mut flow = declaration(r#"rules("knockout").apply(); if age > 60 { review("R1"); } approve();"#);
    flow.protected = vec![(text("age"), vec![text("knockout")])];
    flow.rule_sets =
        vec![rule_set(HitPolicy::Collect, vec![rule("young", "age < min_age", "decline", "R1")])];
    let (made, found) = Flow::compile(&flow);
    assert!(made.is_none());
    assert_eq!(found.iter().filter(|d| d.code == "T024").count(), 1, "{found:#?}");
}

#[test]
fn outputs_are_checked() {
    let script = r#"approve(#{ apr: if age > 40 { 0.1 } else { 0.2 }, limit: age })"#;
    let mut flow = declaration(script);
    let output = |name: &str, kind: Kind, max: Option<&str>| OutputDeclaration {
        name: text(name),
        kind,
        optional: false,
        min: None,
        max: max.map(text),
    };
    flow.outputs = vec![output("apr", Kind::Decimal, None), output("limit", Kind::Decimal, Some("100"))];
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!(verdict.output[0], ("apr".into(), Value::Decimal("0.1".parse().unwrap())));
    assert_eq!(verdict.output[1], ("limit".into(), Value::Decimal("41".parse().unwrap())));
    flow.outputs[1].max = Some(text("40"));
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!((&*verdict.outcome, verdict.failures[0].code), ("review", "invalid_output"));
    flow.outputs.push(output("term", Kind::Integer, None));
    assert!(Flow::compile(&flow).1.iter().any(|d| d.code == "T018"));
}
