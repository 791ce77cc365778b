//! The short way of a condition and the evaluator's: the same verdict, the same failures, the same tick.

use proptest::prelude::*;

use super::*;
use crate::domain::flow::watch::{Gave, Seen, Site, Watch};

/// Conditions over the inputs of the test flow, most of them short ones.
fn conditions() -> impl Strategy<Value = String> {
    let operator = || prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let constant = |of: &'static [&'static str]| prop::sample::select(of.to_vec());
    let leaf = prop_oneof![
        (operator(), constant(&["40", "41", "42", "min_age"])).prop_map(|(o, c)| format!("age {o} {c}")),
        (operator(), constant(&["2500", "2500.00", "2499.99", "min_age"]))
            .prop_map(|(o, c)| format!("amount {o} {c}")),
        (operator(), constant(&["0.3", "0.30000000000000004", "1", "max_share"]))
            .prop_map(|(o, c)| format!("{c} {o} score")),
        (operator(), constant(&["60.975", "0.5"])).prop_map(|(o, c)| format!("share {o} {c}")),
        constant(&["\"none\"", "\"below_0\""]).prop_map(|c| format!("status == {c}")),
        constant(&["[\"none\"]", "[\"below_0\", \"from_200\"]"]).prop_map(|c| format!("status in {c}")),
        constant(&["is_given(phone)", "is_missing(phone)", "(phone ?? \"\") == \"1\"", "phone == \"1\""])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" && "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" || "))),
            inner.prop_map(|one| format!("!({one})")),
        ]
    })
}

fn flow_of(conditions: &[String], hit_policy: HitPolicy) -> Flow {
    let mut declared = declaration(r#"let k = rules("knockout"); k.apply(); approve();"#);
    declared.features = vec![feature("share", "amount / age")];
    let rules = conditions.iter().enumerate().map(|(n, when)| rule(&format!("r{n}"), when, "review", "R1"));
    declared.rule_sets = vec![rule_set(hit_policy, rules.collect())];
    compiled(&declared)
}

proptest! {
    #[test]
    fn a_predicate_answers_as_the_evaluator_does(
        conditions in prop::collection::vec(conditions(), 1..12),
        first in any::<bool>(),
        age in 39..43_i64,
        amount in prop::sample::select(vec!["2499.99", "2500", "2500.000", "2500.01"]),
        score in prop::sample::select(vec!["0.3", "0.30000000000000004", "1"]),
        phone in prop::option::of(prop::sample::select(vec!["1", "2"])),
        stop_at in prop::option::of(0..60_u64),
    ) {
        let policy = if first { HitPolicy::First } else { HitPolicy::Collect };
        let quick = flow_of(&conditions, policy);
        let mut slow = flow_of(&conditions, policy);
        for rule in slow.rule_sets.iter_mut().flat_map(|set| &mut set.rules) {
            rule.predicate = None;
        }
        let mut given = vec![
            ("age", Given::Number(age.to_string())),
            ("amount", Given::Text(amount.to_owned())),
            ("score", Given::Number(score.to_owned())),
        ];
        given.extend(phone.map(|phone| ("phone", Given::Text(phone.to_owned()))));
        let facts = quick.admit(&facts(&given)).unwrap();
        let budget = Budget { alarm: None, stop_at };
        let moment = "2026-11-22T09:00:00Z".parse().unwrap();
        let verdict = quick.decide(&facts, moment, &budget);
        prop_assert_eq!(&verdict, &slow.decide(&facts, moment, &budget));
        let watch = Everything::default();
        prop_assert_eq!(&verdict, &quick.decide_watched(&facts, moment, (&budget, &Pins::default()), &watch));
        let seen = watch.0.into_inner();
        let results = verdict.trace.iter().find_map(|step| match step {
            Step::Rules { rules, .. } => Some(rules.results.clone()),
            _ => None,
        });
        for (at, result) in results.unwrap_or_default().into_iter().enumerate() {
            let site = Site::Rule { set: 0, rule: u16::try_from(at).unwrap() };
            let last = seen.iter().rev().find(|(there, _)| *there == site);
            let expected = match result {
                RuleResult::Hit => Some(Value::Boolean(true)),
                RuleResult::Miss => Some(Value::Boolean(false)),
                RuleResult::Failed => None,
            };
            prop_assert_eq!(last.and_then(|(_, gave)| gave.clone()), expected);
        }
    }
}

/// Keeps all that it is shown; `None` for what gave no value.
#[derive(Default)]
struct Everything(std::cell::RefCell<Vec<(Site, Option<Value>)>>);

impl Watch for Everything {
    fn seen(&self, seen: Seen<'_>) {
        let gave = match seen.gave {
            Gave::Value(value) => Some(value.clone()),
            Gave::Failed(_) | Gave::Left => None,
        };
        self.0.borrow_mut().push((seen.site, gave));
    }

    fn enter(&self, _: &Name) {}

    fn leave(&self) {}
}

/// One condition as a rule, as a script's branch and as a feature: hit, miss or failed.
fn three_ways(condition: &str, given: &Given) -> [RuleResult; 3] {
    let result = |verdict: &Verdict| match (verdict.degraded, &*verdict.outcome) {
        (true, _) => RuleResult::Failed,
        (false, "decline") => RuleResult::Hit,
        (false, _) => RuleResult::Miss,
    };
    let mut as_rule = declaration(r#"rules("knockout").apply(); approve();"#);
    as_rule.features = vec![feature("share", "amount / age")];
    as_rule.rule_sets = vec![rule_set(HitPolicy::Collect, vec![rule("r", condition, "decline", "R1")])];
    let mut as_branch = declaration(&format!("if {condition} {{ decline(\"R1\"); }} approve();"));
    as_branch.features = vec![feature("share", "amount / age")];
    let mut as_feature = declaration("if holds { decline(\"R1\"); } approve();");
    as_feature.features = vec![feature("share", "amount / age"), feature("holds", condition)];
    [as_rule, as_branch, as_feature].map(|declared| result(&decide(&compiled(&declared), given)))
}

proptest! {
    #[test]
    fn a_condition_means_the_same_in_yaml_and_in_rhai(
        condition in conditions(),
        age in 39..43_i64,
        amount in prop::sample::select(vec!["2499.99", "2500", "2500.000", "2500.01"]),
        score in prop::sample::select(vec!["0.3", "0.30000000000000004", "0.4", "1"]),
        phone in prop::option::of(prop::sample::select(vec!["1", "2"])),
    ) {
        let mut given = vec![
            ("age", Given::Number(age.to_string())),
            ("amount", Given::Text(amount.to_owned())),
            ("score", Given::Number(score.to_owned())),
        ];
        given.extend(phone.map(|phone| ("phone", Given::Text(phone.to_owned()))));
        let [rule, branch, feature] = three_ways(&condition, &facts(&given));
        prop_assert!(rule == branch && branch == feature, "{condition}: {rule:?}, {branch:?}, {feature:?}");
    }
}

#[test]
fn the_rules_of_threshold_and_choice_are_predicates() {
    let wanted =
        ["age < 18", "amount > 2500.00", "status in [\"none\"]", "is_given(phone) && age >= min_age"];
    let flow = flow_of(&wanted.map(str::to_owned), HitPolicy::Collect);
    assert!(flow.rule_sets[0].rules.iter().all(|rule| rule.predicate.is_some()));
    let none = flow_of(
        &["age + 1 < 18".to_owned(), "to_upper(phone ?? \"\") == \"X\"".to_owned()],
        HitPolicy::Collect,
    );
    assert!(none.rule_sets[0].rules.iter().all(|rule| rule.predicate.is_none()));
}
