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
