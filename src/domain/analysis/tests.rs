//! The analysis held to the evaluator: what it claims of random rule sets is what every point of a small domain
//! shows, and nothing that the points show is left out.

mod of_branches;
mod of_scorecards;
mod of_tables;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::domain::declaration::*;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::facts::Facts;
use crate::domain::flow::{Budget, Flow};
use crate::domain::place::{Located, Place, Span};
use crate::domain::value::{Kind, Value};
use crate::domain::verdict::{RuleResult, Step};

/// A text in a "file" of its own, so that findings can be told apart by file.
fn text_in(file: u32, value: &str) -> Located<String> {
    Located::new(value.to_owned(), Place { file, span: Span::new(0, value.len()) })
}

pub(super) fn text(value: &str) -> Located<String> {
    text_in(0, value)
}

pub(super) fn input(
    name: &str,
    kind: Kind,
    bounds: Option<(&str, &str)>,
    optional: bool,
) -> InputDeclaration {
    InputDeclaration {
        name: text(name),
        kind,
        optional,
        min: bounds.map(|(min, _)| text(min)),
        max: bounds.map(|(_, max)| text(max)),
        unit: None,
        personal: Personal::No,
    }
}

/// `age` 0 to 6, `rate` 0 to 1 or missing, `status` of three, `member`.
pub(super) fn declaration(script: &str) -> FlowDeclaration {
    let choice = Kind::Choice(["a".into(), "b".into(), "c".into()].into());
    FlowDeclaration {
        inputs: vec![
            input("age", Kind::Integer, Some(("0", "6")), false),
            input("rate", Kind::Decimal, Some(("0", "1")), true),
            input("status", choice, None, false),
            input("member", Kind::Boolean, None, false),
        ],
        thresholds: vec![ThresholdDeclaration {
            name: text("half"),
            literal: Located::new(ThresholdLiteral::Number("0.50".into()), Place::default()),
        }],
        reasons: ["R1", "R900"]
            .map(|code| ReasonDeclaration {
                code: text(code),
                texts: BTreeMap::from([("en".into(), "why".into())]),
                is_score: false,
                is_shared: false,
            })
            .into(),
        script: text_in(9_999, script),
        ..FlowDeclaration::blank()
    }
}

/// A flow with one rule set; the condition of rule `rN` stands in file N + 1.
fn with_rules(hit_policy: HitPolicy, conditions: &[String]) -> FlowDeclaration {
    let rules = conditions.iter().enumerate().map(|(at, when)| RuleDeclaration {
        id: text(&format!("r{at}")),
        when: text_in(u32::try_from(at).unwrap() + 1, when),
        outcome: Some(text("decline")),
        reason: Some(text("R1")),
        points: None,
    });
    let rules = rules.collect();
    FlowDeclaration {
        rule_sets: vec![RuleSetDeclaration { name: text("knockout"), hit_policy, takes: vec![], rules }],
        ..declaration("rules(\"knockout\").apply(); approve();")
    }
}

#[track_caller]
pub(super) fn compiled(declaration: &FlowDeclaration) -> (Flow, Vec<Diagnostic>) {
    let (flow, found) = Flow::compile(declaration);
    assert!(!found.iter().any(|d| d.severity == Severity::Error), "{found:#?}");
    (flow.unwrap(), found)
}

/// Every kind of point: each integer, decimals on and between all bounds, missing, each choice, both booleans.
pub(super) fn points() -> Vec<Vec<Value>> {
    let rates = ["0", "0.1", "0.25", "0.3", "0.5", "0.7", "1"];
    let mut rates: Vec<Value> = rates.iter().map(|rate| Value::Decimal(rate.parse().unwrap())).collect();
    rates.push(Value::Missing);
    let mut all = Vec::new();
    for age in 0..=6 {
        for rate in &rates {
            for status in ["a", "b", "c"] {
                for member in [false, true] {
                    let (status, member) = (Value::text(status), Value::Boolean(member));
                    all.push(vec![Value::Integer(age), rate.clone(), status, member]);
                }
            }
        }
    }
    all
}

pub(super) fn facts(values: &[Value]) -> Facts {
    Facts { values: values.to_vec().into(), unread: vec![], needs: [].into(), invalid: vec![] }
}

/// What each rule does at a point: those behind the end of a `first` set are not there.
fn results(flow: &Flow, point: &[Value]) -> Vec<RuleResult> {
    let verdict = flow.decide(&facts(point), "2026-11-22T09:00:00Z".parse().unwrap(), &Budget::default());
    let rules = verdict.trace.iter().find_map(|step| match step {
        Step::Rules { rules, .. } => Some(rules.iter().map(|(_, result)| result).collect()),
        _ => None,
    });
    rules.unwrap()
}

fn comparison() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    prop_oneof![
        (operator.clone(), 0..7).prop_map(|(o, n)| format!("age {o} {n}")),
        (operator.clone(), 0..7).prop_map(|(o, n)| format!("{n} {o} age")),
        (operator.clone(), prop::sample::select(vec!["0.25", "half", "0", "1"]))
            .prop_map(|(o, n)| format!("rate {o} {n}")),
        (operator, prop::sample::select(vec!["0.25", "half"]))
            .prop_map(|(o, n)| format!("(rate ?? 0.3) {o} {n}")),
        prop::sample::select(vec!["is_given(rate)", "is_missing(rate)", "member", "rate in [0.25, 0.5]"])
            .prop_map(str::to_owned),
        prop::sample::subsequence(vec!["\"a\"", "\"b\"", "\"c\""], 1..3)
            .prop_map(|of| format!("status in [{}]", of.join(", "))),
        prop::sample::select(vec!["==", "!=", "<"]).prop_map(|o| format!("status {o} \"b\"")),
        prop::sample::subsequence(vec![0, 2, 3, 5], 1..3).prop_map(|of| format!("age in {of:?}")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    comparison().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| format!("!({of})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|of| format!("({})", of.join(" && "))),
            prop::collection::vec(inner, 2..4).prop_map(|of| format!("({})", of.join(" || "))),
        ]
    })
}

/// Files of the findings with one of these codes.
fn files(found: &[Diagnostic], codes: &[&str]) -> BTreeSet<u32> {
    found.iter().filter(|d| codes.contains(&d.code)).map(|d| d.place.file).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_claim_about_rules_is_true_and_none_is_left_out(
        conditions in prop::collection::vec(condition(), 1..7),
        is_first in any::<bool>(),
    ) {
        let policy = if is_first { HitPolicy::First } else { HitPolicy::Collect };
        let (flow, found) = compiled(&with_rules(policy, &conditions));
        prop_assert_eq!(flow.coverage.conditions.analysed, flow.coverage.conditions.all);
        let mut hits = vec![0; conditions.len()];
        let mut misses = vec![0; conditions.len()];
        let alone = compiled(&with_rules(HitPolicy::Collect, &conditions)).0;
        let mut holds = vec![0; conditions.len()];
        let mut same: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        for point in points() {
            for (at, result) in results(&flow, &point).into_iter().enumerate() {
                hits[at] += usize::from(result == RuleResult::Hit);
            }
            let each = results(&alone, &point);
            for (at, result) in each.iter().enumerate() {
                holds[at] += usize::from(*result == RuleResult::Hit);
                misses[at] += usize::from(*result == RuleResult::Miss);
                for (before, other) in each.iter().enumerate().take(at) {
                    let both = same.entry((before, at)).or_insert(true);
                    *both &= (*other == RuleResult::Hit) == (*result == RuleResult::Hit);
                }
            }
        }
        let (shadowed, repeated) = (files(&found, &["T092"]), files(&found, &["T093"]));
        for (at, condition) in conditions.iter().enumerate() {
            let file = u32::try_from(at).unwrap() + 1;
            let says = |code: &str| found.iter().any(|d| d.code == code && d.place.file == file);
            let says_part = says("T090") || says("T091");
            prop_assert!(holds[at] > 0 || says_part, "`{}` never holds: {:#?}", condition, found);
            prop_assert!(misses[at] > 0 || says_part, "`{}` never misses: {:#?}", condition, found);
            for claim in found.iter().filter(|d| d.place.file == file && d.message.starts_with("the condition")) {
                let count = if claim.code == "T090" { holds[at] } else { misses[at] };
                prop_assert_eq!(count, 0, "{}", claim.message);
            }
            let is_shadowed = is_first && hits[at] == 0 && holds[at] > 0;
            prop_assert_eq!(shadowed.contains(&file), is_shadowed, "{} in {:?}: {:#?}", at, conditions, found);
            if repeated.contains(&file) {
                prop_assert!((0..at).any(|before| same[&(before, at)]), "{} in {:?}", at, conditions);
            }
        }
    }
}

#[test]
fn findings_say_what_stands_in_the_way() {
    let all = |conditions: &[&str]| {
        let conditions: Vec<String> = conditions.iter().map(|c| (*c).to_owned()).collect();
        let (_, found) = compiled(&with_rules(HitPolicy::First, &conditions));
        let found = found.into_iter().filter(|d| d.code != "T032");
        found.map(|d| format!("{} {}", d.code, d.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        all(&["age < 3", "age >= 3 && age <= 4", "age < 5"]),
        ["T092 rule `r2` is never reached: rules `r0`, `r1` together come first wherever it would match"]
    );
    assert_eq!(all(&["age < 2 && age > 4"]), ["T090 the condition of rule `r0` can never hold"],);
    assert_eq!(all(&["age > 6"]), ["T090 this comparison in rule `r0` can never hold"]);
    assert_eq!(all(&["age >= 0 && member"]), ["T091 this comparison in rule `r0` always holds"]);
    assert_eq!(all(&["age <= 3", "age < 5 && age % 2 == 0"]), Vec::<String>::new());
    assert_eq!(
        all(&["age <= 3", "age < 2 && age % 2 == 0"]),
        ["T092 rule `r1` is never reached: rule `r0` comes first wherever it would match"]
    );
}
