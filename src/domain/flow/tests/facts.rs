//! How facts are admitted, and how what is wrong with them is said.

use super::*;
use crate::domain::facts::FactProblem;

#[test]
fn everything_wrong_with_facts_is_said_at_once_and_no_value_with_it() {
    let mut flow = declaration("approve();");
    flow.inputs[0].min = Some(text("18"));
    let flow = compiled(&flow);
    let given = Given::Map(vec![
        ("age".to_owned(), Given::Number("17".to_owned())),
        ("amount".to_owned(), Given::Text("1.000,00".to_owned())),
        ("status".to_owned(), Given::Text("secret".to_owned())),
        ("scoer".to_owned(), Given::Number("77".to_owned())),
        ("accounts".to_owned(), Given::List(vec![Given::Map(vec![("blance".to_owned(), Given::Null)])])),
    ]);
    let mut problems = flow.admit(&given).unwrap_err();
    problems.sort_by(|a, b| (&a.pointer, a.code).cmp(&(&b.pointer, b.code)));
    let found: Vec<(&str, &str)> =
        problems.iter().map(|p: &FactProblem| (p.pointer.as_str(), p.code)).collect();
    assert_eq!(
        found,
        [
            ("/accounts/0/balance", "missing"),
            ("/accounts/0/blance", "unknown"),
            ("/age", "too_low"),
            ("/amount", "wrong_type"),
            ("/scoer", "unknown"),
            ("/score", "missing"),
            ("/status", "not_a_choice"),
        ]
    );
    let said = format!("{problems:?}");
    assert!(!["secret", "1.000", "77"].iter().any(|value| said.contains(value)), "{said}");
}

#[test]
fn facts_keep_their_declared_type() {
    let flow = compiled(&declaration("approve();"));
    for (name, sent, code) in [
        ("age", Given::Number("6.0".to_owned()), Some("wrong_type")),
        ("age", Given::Text("6".to_owned()), Some("wrong_type")),
        ("age", Given::Number("1e3".to_owned()), Some("wrong_type")),
        ("age", Given::Number("99999999999999999999".to_owned()), Some("out_of_range")),
        ("age", Given::Number("-0".to_owned()), None),
        ("amount", Given::Number("1e3".to_owned()), None),
        ("amount", Given::Number("1e400".to_owned()), Some("out_of_range")),
        ("amount", Given::Text(" 5".to_owned()), Some("wrong_type")),
        ("amount", Given::Text("NaN".to_owned()), Some("wrong_type")),
        ("amount", Given::Number("0.1234567890123456789012345678901".to_owned()), Some("out_of_range")),
        ("score", Given::Number("1e400".to_owned()), Some("out_of_range")),
        ("score", Given::Text("0.5".to_owned()), Some("wrong_type")),
        ("phone", Given::Text("a\0b".to_owned()), Some("wrong_type")),
        ("phone", Given::Null, None),
        ("age", Given::Null, Some("missing")),
    ] {
        let result = flow.admit(&facts(&[(name, sent.clone())]));
        let found = result.err().and_then(|p| p.first().map(|p| p.code));
        assert_eq!(found, code, "{name}: {sent:?}");
    }
}

#[test]
fn dates_and_times_are_bounded_and_taken_with_their_offset_only() {
    let mut flow = declaration("if since < date(\"2020-01-01\") { decline(\"R1\"); } approve();");
    flow.inputs.push(input("since", Kind::Date, false));
    flow.inputs.push(input("at", Kind::Time, true));
    let [.., since, at] = flow.inputs.as_mut_slice() else { unreachable!() };
    (since.min, since.max) = (Some(text("1900-01-01")), Some(text("2026-11-22")));
    at.min = Some(text("2026-01-01T00:00:00+01:00"));
    let flow = compiled(&flow);
    for (name, value, problem) in [
        ("since", "1900-01-01", None),
        ("since", "1899-12-31", Some("too_low")),
        ("since", "2026-11-23", Some("too_high")),
        ("since", "2026-02-29", Some("wrong_type")),
        ("since", "2026-1-2", Some("wrong_type")),
        ("since", "01.02.2026", Some("wrong_type")),
        ("since", "2026-01-02T00:00:00Z", Some("wrong_type")),
        ("at", "2025-12-31T23:00:00Z", None),
        ("at", "2025-12-31T22:59:59Z", Some("too_low")),
        ("at", "2026-01-01T00:00:00", Some("wrong_type")),
        ("at", "2026-01-01T00:00:00+01:00[Europe/Berlin]", None),
        ("at", "2026-01-01 00:00:00Z", Some("wrong_type")),
        ("at", "2026-06-30T23:59:60Z", Some("wrong_type")),
    ] {
        let since = ("since", Given::Text("2000-02-29".to_owned()));
        let found = flow.admit(&facts(&[since, (name, Given::Text(value.to_owned()))]));
        assert_eq!(found.err().map(|problems| problems[0].code), problem, "{name}: {value}");
    }
    let mut wrong = declaration("approve();");
    wrong.inputs.push(input("since", Kind::Date, false));
    let [.., since] = wrong.inputs.as_mut_slice() else { unreachable!() };
    (since.min, since.max) = (Some(text("2026-01-02")), Some(text("2026-01-01")));
    let (_, found) = Flow::compile(&wrong);
    assert!(found.iter().any(|d| d.code == "T029"), "{found:#?}");
}

#[test]
fn maps_and_lists_are_read_to_their_depth_and_what_was_not_sent_in_them_is_missing() {
    let field = |kind: Kind, optional: bool| Field { kind, optional };
    let employer = Kind::Map(Arc::new(BTreeMap::from([
        ("name".into(), field(Kind::Text, false)),
        ("since".into(), field(Kind::Date, true)),
        ("scores".into(), field(Kind::List(Arc::new(field(Kind::Decimal, true))), true)),
    ])));
    let holds = |condition: &str, employer_given: Option<Given>| {
        let script = format!("if {condition} {{ decline(\"R1\"); }} approve();");
        let mut flow = declaration(&script);
        flow.inputs.push(input("employer", employer.clone(), true));
        let given: Vec<(&str, Given)> = employer_given.map(|given| ("employer", given)).into_iter().collect();
        let verdict = decide(&compiled(&flow), &facts(&given));
        if verdict.degraded { None } else { Some(&*verdict.outcome == "decline") }
    };
    let named = |more: &[(&str, Given)]| {
        let mut all = vec![("name".to_owned(), Given::Text("Acme".to_owned()))];
        all.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Some(Given::Map(all))
    };
    let since = ("since", Given::Text("2020-02-29".to_owned()));
    let scores = ("scores", Given::List(vec![Given::Number("0.10".to_owned()), Given::Null]));
    for (condition, given, expected) in [
        (
            "is_given(employer.since) && years_between(employer.since, today) == 6",
            named(std::slice::from_ref(&since)),
            Some(true),
        ),
        ("is_given(employer.since)", named(&[]), Some(false)),
        ("is_given(employer.since)", None, Some(false)),
        ("employer.since < today", named(&[]), None),
        ("employer.since < today", None, None),
        ("employer.name == \"Acme\"", None, None),
        ("employer.name == \"Acme\"", named(&[]), Some(true)),
        (
            "is_given(employer.scores) && employer.scores[0] == 0.1",
            named(std::slice::from_ref(&scores)),
            Some(true),
        ),
        (
            "is_given(employer.scores) && employer.scores[1] == 0.1",
            named(std::slice::from_ref(&scores)),
            None,
        ),
        (
            "is_given(employer.scores) && any(employer.scores, |s| s > 5)",
            named(std::slice::from_ref(&scores)),
            None,
        ),
        (
            "is_given(employer.scores) && count(employer.scores, |s| is_given(s)) == 1",
            named(&[scores]),
            Some(true),
        ),
    ] {
        assert_eq!(holds(condition, given), expected, "{condition}");
    }
}
