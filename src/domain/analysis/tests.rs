//! The analysis held to the evaluator: what it claims of random rule sets is what every point of a small domain
//! shows, and nothing that the points show is left out.

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
        name: text("test"),
        title: None,
        owner: None,
        subject: None,
        time_zone: None,
        inputs: vec![
            input("age", Kind::Integer, Some(("0", "6")), false),
            input("rate", Kind::Decimal, Some(("0", "1")), true),
            input("status", choice, None, false),
            input("member", Kind::Boolean, None, false),
        ],
        unknown_inputs: UnknownInputs::Refuse,
        protected: vec![],
        features: vec![],
        thresholds: vec![ThresholdDeclaration {
            name: text("half"),
            literal: Located::new(ThresholdLiteral::Number("0.50".into()), Place::default()),
        }],
        models: vec![],
        outputs: vec![],
        outcomes: ["approve", "review", "decline"].map(text).into(),
        reasons: ["R1", "R900"]
            .map(|code| ReasonDeclaration {
                code: text(code),
                texts: BTreeMap::from([("en".into(), "why".into())]),
                is_score: false,
            })
            .into(),
        on_error: OnErrorDeclaration { outcome: text("review"), reason: text("R900") },
        on_invalid: OnInvalid::Refuse,
        deadline_ms: 50,
        place: Place::default(),
        rule_sets: vec![],
        scorecards: vec![],
        tables: vec![],
        lists: vec![],
        needs: vec![],
        sub_flows: vec![],
        shared_functions: vec![],
        languages: vec![],
        market: None,
        is_market_required: false,
        script: text_in(9_999, script),
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
                for before in 0..at {
                    let both = same.entry((before, at)).or_insert(true);
                    *both &= (each[before] == RuleResult::Hit) == (*result == RuleResult::Hit);
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

/// A random table over the four inputs: cells as the table compiler makes them.
mod of_tables {
    use super::*;
    use crate::domain::declaration::TableHitPolicy;
    use crate::domain::table::{Bound, Column, Parts, Row, Source, Table, Test};

    fn range(low: Option<(Value, bool)>, high: Option<(Value, bool)>) -> Test {
        let bound = |(value, is_inclusive)| Bound { value, is_inclusive };
        Test::Range { low: low.map(bound), high: high.map(bound) }
    }

    fn ranges(values: Vec<Value>) -> impl Strategy<Value = Test> {
        let end = prop::option::of((prop::sample::select(values), any::<bool>()));
        (end.clone(), end).prop_map(|(low, high)| match (&low, &high) {
            (None, None) => Test::Any,
            _ => range(low, high),
        })
    }

    fn row() -> impl Strategy<Value = Vec<Test>> {
        let whole = |of: &[i64]| of.iter().map(|n| Value::Integer(*n)).collect::<Vec<_>>();
        let rates: Vec<Value> = ["0.25", "0.5"].iter().map(|d| Value::Decimal(d.parse().unwrap())).collect();
        let one_of = |of: Vec<Value>, most| {
            prop::sample::subsequence(of, 1..=most).prop_map(|of| Test::OneOf(of.into()))
        };
        let statuses: Vec<Value> = ["a", "b", "c"].map(Value::text).into();
        (
            prop_oneof![ranges(whole(&[0, 2, 3, 6])), Just(Test::Any), one_of(whole(&[1, 4, 5]), 2)],
            prop_oneof![ranges(rates), Just(Test::Any), Just(Test::Missing)],
            prop_oneof![Just(Test::Any), one_of(statuses, 2)],
            prop_oneof![3 => Just(Test::Any), 1 => one_of(vec![Value::Boolean(true), Value::Boolean(false)], 1)],
        )
            .prop_map(|(a, b, c, d)| vec![a, b, c, d])
    }

    fn table(hit_policy: TableHitPolicy, rows: Vec<Vec<Test>>) -> Table {
        let (flow, _) = compiled(&declaration("approve();"));
        let columns = flow.inputs.iter().enumerate().map(|(at, input)| Column {
            name: input.name.clone(),
            source: Source::Input(u16::try_from(at).unwrap()),
            kind: input.kind.clone(),
            may_be_missing: input.optional,
            place: Place::default(),
        });
        let rows = rows.into_iter().zip(1u32..).map(|(tests, number)| Row {
            number,
            tests: tests.into(),
            outputs: [].into(),
            outcome: None,
            reasons: [].into(),
            place: Place { file: number, span: Span::default() },
        });
        Table::new(Parts {
            name: "pricing".into(),
            hit_policy,
            columns: columns.collect(),
            outputs: vec![],
            has_outcome: false,
            reads: [].into(),
            rows: rows.collect(),
            place: Place::default(),
        })
    }

    fn analysed(table: Table) -> (Vec<Diagnostic>, crate::domain::analysis::Coverage) {
        let declaration = declaration("approve();");
        let (mut flow, _) = compiled(&declaration);
        flow.tables.push(table);
        crate::domain::analysis::check(&flow, &declaration)
    }

    /// The numbers of the rows that match a point, in order.
    fn matching(table: &Table, point: &[Value]) -> Vec<u32> {
        let mut found = Vec::new();
        table.scan(point, &mut |_, row| {
            found.push(row.number);
            true
        });
        found
    }

    /// The point that a message shows: `age = 3, rate = missing`; what it leaves open is anything given.
    fn example(message: &str) -> Vec<(usize, Option<String>)> {
        let (_, rest) = message.split_once("match").unwrap();
        let inside = rest.split('`').nth(1).unwrap();
        let names = ["age", "rate", "status", "member"];
        let part = |(at, name): (usize, &&str)| {
            let value = inside.split(", ").find_map(|part| part.strip_prefix(&format!("{name} = ")));
            (at, value.map(str::to_owned))
        };
        names.iter().enumerate().map(part).collect()
    }

    /// A point of the domain that is what the example says.
    fn points_of(example: &[(usize, Option<String>)]) -> Vec<Vec<Value>> {
        let value = |at: usize, text: &str| match (at, text) {
            (_, "missing") => Value::Missing,
            (0, text) => Value::Integer(text.parse().unwrap()),
            (1, text) => Value::Decimal(text.parse().unwrap()),
            (2, text) => Value::text(text),
            (_, text) => Value::Boolean(text.parse().unwrap()),
        };
        let mut all = points();
        all.retain(|point| example.iter().all(|(at, text)| text.is_some() || point[*at] != Value::Missing));
        for point in &mut all {
            for (at, text) in example {
                if let Some(text) = text {
                    point[*at] = value(*at, text);
                }
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn every_claim_about_a_table_is_true_and_none_is_left_out(
            rows in prop::collection::vec(row(), 1..9),
            is_unique in any::<bool>(),
        ) {
            let policy = if is_unique { TableHitPolicy::Unique } else { TableHitPolicy::First };
            let table = table(policy, rows.clone());
            let (found, coverage) = analysed(table.clone());
            prop_assert_eq!(coverage.tables.analysed, 1);
            let (mut first, mut any) = (BTreeSet::new(), BTreeSet::new());
            let (mut gap, mut missing_gap, mut meeting) = (false, false, BTreeSet::new());
            for point in points() {
                let rows = matching(&table, &point);
                first.extend(rows.first().copied());
                any.extend(rows.iter().copied());
                meeting.extend(rows.iter().skip(1).copied());
                let is_missing = point.contains(&Value::Missing);
                gap |= rows.is_empty() && !is_missing;
                missing_gap |= rows.is_empty() && is_missing;
            }
            let gaps: Vec<&Diagnostic> = found.iter().filter(|d| d.code == "T094").collect();
            let is_of_missing = |d: &&&Diagnostic| d.message.contains("missing");
            prop_assert_eq!(gaps.iter().any(|d| !is_of_missing(&d)), gap, "{:#?} {:#?}", rows, found);
            prop_assert_eq!(gaps.iter().any(|d| is_of_missing(&d)), missing_gap, "{:#?} {:#?}", rows, found);
            for gap in gaps {
                for point in points_of(&example(&gap.message)) {
                    prop_assert!(matching(&table, &point).is_empty(), "{} {:?}", gap.message, point);
                }
            }
            let dead = files(&found, &["T095"]);
            let alive = if is_unique { &any } else { &first };
            for number in 1..=u32::try_from(rows.len()).unwrap() {
                prop_assert_eq!(dead.contains(&number), !alive.contains(&number), "{}: {:#?} {:#?}", number, rows, found);
            }
            let overlaps: Vec<&Diagnostic> = found.iter().filter(|d| d.code == "T096").collect();
            if is_unique {
                prop_assert_eq!(files(&found, &["T096"]), meeting, "{:#?} {:#?}", rows, found);
                for overlap in overlaps {
                    for point in points_of(&example(&overlap.message)) {
                        prop_assert!(matching(&table, &point).len() > 1, "{} {:?}", overlap.message, point);
                    }
                }
            } else {
                prop_assert!(overlaps.is_empty());
            }
        }
    }

    /// 20 by 20 by 20 rows over two decimals and an integer.
    #[test]
    fn a_table_of_eight_thousand_rows_is_analysed_whole_and_fast() {
        let decimal = |n: i64| Value::Decimal(rust_decimal::Decimal::new(n, 2));
        let cell = |at: i64, last: i64, value: &dyn Fn(i64) -> Value| {
            let (low, high) = (Some((value(at * 5), true)), Some((value(at * 5 + 5), false)));
            range(if at == 0 { None } else { low }, if at == last { None } else { high })
        };
        let mut rows = Vec::new();
        for a in 0..20 {
            for b in 0..20 {
                for c in 0..20 {
                    let whole = |n: i64| Value::Integer(n);
                    rows.push(vec![
                        cell(a, 19, &whole),
                        cell(b, 19, &decimal),
                        cell(c, 19, &decimal),
                        Test::Any,
                    ]);
                }
            }
        }
        let mut table = table(TableHitPolicy::First, rows.clone());
        for (column, kind) in table.columns.iter_mut().zip([Kind::Integer, Kind::Decimal, Kind::Decimal]) {
            (column.kind, column.may_be_missing) = (kind, false);
        }
        for (at, column) in table.columns.iter_mut().enumerate() {
            column.source = Source::Taken(u16::try_from(at).unwrap());
        }
        let started = std::time::Instant::now();
        let (found, coverage) = analysed(table.clone());
        assert!(found.is_empty() && coverage.tables.analysed == 1, "{found:#?} {coverage:?}");
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        table.hit_policy = TableHitPolicy::Unique;
        let (found, _) = analysed(table.clone());
        assert!(found.is_empty(), "{found:#?}");
        table.rows.remove(4_321);
        let (found, _) = analysed(table);
        let said: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(said, ["no row of `pricing` matches `age = 50, rate = 0.8, status = 0.05`"]);
    }
}

mod of_scorecards {
    use super::*;
    use crate::domain::scorecard::{Bin, Characteristic, Scorecard};
    use crate::domain::table::{Bound, Source, Test};

    fn said(source: u16, kind: Kind, may_be_missing: bool, tests: Vec<Option<Test>>) -> Vec<String> {
        let declaration = declaration("approve();");
        let (mut flow, _) = compiled(&declaration);
        let bin = |test| Bin { test, points: 1, reason: None, place: Place::default() };
        flow.scorecards.push(Scorecard {
            name: "application".into(),
            base_points: 0,
            takes: vec![],
            characteristics: vec![Characteristic {
                name: "it".into(),
                source: Source::Input(source),
                kind,
                may_be_missing,
                bins: tests.into_iter().map(bin).collect(),
                place: Place::default(),
            }],
        });
        let (found, _) = crate::domain::analysis::check(&flow, &declaration);
        found.into_iter().map(|d| format!("{} {}", d.code, d.message)).collect()
    }

    #[test]
    fn bins_that_are_never_reached_and_values_without_a_bin_are_found() {
        let below = |n: i64| {
            let high = Some(Bound { value: Value::Integer(n), is_inclusive: false });
            Some(Test::Range { low: None, high })
        };
        assert_eq!(said(0, Kind::Integer, false, vec![below(3), below(7)]), Vec::<String>::new());
        assert_eq!(
            said(0, Kind::Integer, false, vec![below(3), below(6)]),
            ["T098 no bin of `it` takes `6`"]
        );
        assert_eq!(
            said(0, Kind::Integer, false, vec![below(4), below(3), None, Some(Test::Missing)]),
            [
                "T097 bin 2 of `it` is never reached: the bins before it take all that would fit",
                "T097 bin 4 of `it` is never reached: no value that it is declared to have fits"
            ]
        );
        assert_eq!(
            said(1, Kind::Decimal, true, vec![None]),
            ["T098 `it` may be missing, and no bin says what then"]
        );
    }
}

mod of_branches {
    use super::*;

    #[track_caller]
    fn check(script: &str, expected: &[&str]) {
        let (_, found) = compiled(&declaration(script));
        let said: Vec<String> = found
            .iter()
            .filter(|d| d.code != "T032")
            .map(|d| {
                let span = d.place.span.start as usize..d.place.span.end as usize;
                format!("{} {}", d.code, &script[span])
            })
            .collect();
        assert_eq!(said, expected, "{script}");
    }

    #[test]
    fn branches_are_followed_through_what_stands_around_and_before_them() {
        check("if age > 3 { if age < 2 { decline(\"R1\"); } } approve();", &["T099 age < 2"]);
        check("if age > 3 { if age > 2 { decline(\"R1\"); } } approve();", &["T099 age > 2"]);
        check(
            "if age > 3 { review(\"R1\"); return; } if age > 4 { decline(\"R1\"); } approve();",
            &["T099 age > 4"],
        );
        check(
            "if age > 3 { review(\"R1\"); } else if age > 4 { decline(\"R1\"); } approve();",
            &["T099 age > 4"],
        );
        check("if age > 9 { review(\"R1\"); } approve();", &["T090 age > 9"]);
        check("if true { review(\"R1\"); } approve();", &["T099 true"]);
        check("if age > 3 { if age < 5 { decline(\"R1\"); } } approve();", &[]);
        check(
            "if is_missing(rate) { review(\"R1\"); return; } if rate >= 0.5 { decline(\"R1\"); } approve();",
            &[],
        );
    }

    #[test]
    fn variables_are_followed_until_they_are_assigned() {
        check("let x = age * 2; if x > 3 { if x < 2 { decline(\"R1\"); } } approve();", &["T099 x < 2"]);
        check("let x = age * 2; if x > 3 { x = 1; if x < 2 { decline(\"R1\"); } } approve();", &[]);
        check("let x = 1; while x < 5 { x += 1; if x >= 5 { break; } } approve();", &[]);
        check("for x in 0..5 { if x > 3 { review(\"R1\"); } } approve();", &[]);
        check("let x = age / 3; if x > 0.1 && x < 0.2 { decline(\"R1\"); } approve();", &[]);
    }

    #[test]
    fn a_record_that_never_counts_is_found() {
        check("review(\"R1\"); decline(\"R1\");", &["T033 review"]);
        check("approve(); if age > 3 { decline(\"R1\"); } else { review(\"R1\"); }", &["T033 approve"]);
        check("approve(); if age > 3 { decline(\"R1\"); }", &[]);
        check("if age > 3 { review(\"R1\"); return; } decline(\"R1\");", &[]);
        check("decline(\"R1\"); approve();", &[]);
        check("for x in 0..age { review(\"R1\"); } decline(\"R1\");", &["T033 review"]);
    }

    #[test]
    fn a_loop_that_records_before_it_is_left_has_recorded() {
        check("loop { approve(); break; }", &[]);
        check("loop { if age > 3 { break; } approve(); break; }", &["T021 loop"]);
        check("loop { if age > 3 { decline(\"R1\"); break; } approve(); break; }", &[]);
        check("while age > 3 { approve(); break; }", &["T021 while"]);
    }
}
