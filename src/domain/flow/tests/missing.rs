//! What is missing never turns into false, zero or an empty text: held against a reference that knows three answers.

use proptest::prelude::*;

use super::*;

/// A condition, and what it must answer when `phone` and `accounts` are missing: `None` is a failure.
#[derive(Debug, Clone)]
struct Expected {
    text: String,
    answer: Option<bool>,
}

fn atoms() -> impl Strategy<Value = Expected> {
    let known = [
        ("age > 18", Some(true)),
        ("amount < 1", Some(false)),
        ("is_given(phone)", Some(false)),
        ("is_missing(phone)", Some(true)),
        ("is_missing(accounts)", Some(true)),
        ("(phone ?? \"x\") == \"x\"", Some(true)),
        ("phone == \"\"", None),
        ("phone != \"\"", None),
        ("phone < \"a\"", None),
        ("phone in [\"a\", \"b\"]", None),
        ("\"a\" in phone", None),
        ("phone in blocked", None),
        ("!(phone in blocked)", None),
        ("(phone ?? \"0900\") in blocked", Some(true)),
        ("len(phone) == 0", None),
        ("count(accounts) == 0", None),
        ("any(accounts, |a| a.balance < 0)", None),
        ("all(accounts, |a| a.balance < 0)", None),
        ("sum(accounts, |a| a.balance) < 1", None),
        ("count(accounts ?? []) == 0", Some(true)),
        ("any([1, 2], |n| phone == \"x\")", None),
        ("`${phone}` == \"\"", None),
        ("phone + \"x\" == \"x\"", None),
        ("is_x(phone)", None),
    ];
    proptest::sample::select(known.to_vec())
        .prop_map(|(text, answer)| Expected { text: text.to_owned(), answer })
}

fn conditions() -> impl Strategy<Value = Expected> {
    atoms().prop_recursive(4, 24, 3, |inner| {
        let many = proptest::collection::vec(inner.clone(), 2..4);
        let joined = |parts: &[Expected], operator: &str| {
            let texts: Vec<String> = parts.iter().map(|part| format!("({})", part.text)).collect();
            texts.join(operator)
        };
        prop_oneof![
            inner.prop_map(|of| Expected {
                text: format!("!({})", of.text),
                answer: of.answer.map(|answer| !answer),
            }),
            // Left to right: what decides before a failure is reached, decides.
            many.clone().prop_map(move |parts| Expected {
                text: joined(&parts, " && "),
                answer: parts.iter().map(|part| part.answer).find(|a| *a != Some(true)).unwrap_or(Some(true)),
            }),
            many.prop_map(move |parts| Expected {
                text: joined(&parts, " || "),
                answer: parts
                    .iter()
                    .map(|part| part.answer)
                    .find(|a| *a != Some(false))
                    .unwrap_or(Some(false)),
            }),
        ]
    })
}

fn asking(condition: &str) -> FlowDeclaration {
    let mut flow = declaration("rules(\"knockout\").apply(); if copy { review(\"R2\"); } approve();");
    flow.lists = vec![list("blocked", &["0900"])];
    flow.shared_functions = vec![text("fn is_x(phone) { phone == \"x\" }")];
    flow.features = vec![feature("copy", condition)];
    flow.rule_sets = vec![rule_set(HitPolicy::Collect, vec![rule("asked", condition, "decline", "R1")])];
    flow
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn missing_is_never_false_in_rules_and_features(expected in conditions()) {
        let flow = compiled(&asking(&expected.text));
        let verdict = decide(&flow, &facts(&[]));
        let rule = verdict.trace.iter().find_map(|step| match step {
            Step::Rules { rules, .. } => rules.iter().next().map(|(_, result)| result),
            _ => None,
        });
        let wanted = match expected.answer {
            Some(true) => RuleResult::Hit,
            Some(false) => RuleResult::Miss,
            None => RuleResult::Failed,
        };
        prop_assert_eq!(rule, Some(wanted), "{}", expected.text);
        let copied = verdict.features.first().map(|(_, state)| state.clone());
        let wanted = match expected.answer {
            Some(answer) => FeatureState::Value(Value::Boolean(answer)),
            None => FeatureState::Failed,
        };
        prop_assert_eq!(copied, Some(wanted), "{}", expected.text);
        // A failure is never milder than `on_error`.
        if expected.answer.is_none() {
            prop_assert!(verdict.degraded && &*verdict.outcome != "approve");
        }
    }
}

#[test]
fn a_list_is_asked_with_what_is_there_and_the_checker_says_where_it_may_not_be() {
    let (_, found) = Flow::compile(&asking("phone in blocked"));
    assert!(found.iter().any(|d| d.code == "T009"), "{found:#?}");
    let (_, found) = Flow::compile(&asking("is_given(phone) && phone in blocked"));
    assert!(!found.iter().any(|d| d.code == "T009"), "{found:#?}");
}
