//! Random tables over the four inputs, with cells as the table compiler makes them, point by point.

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
    let one_of =
        |of: Vec<Value>, most| prop::sample::subsequence(of, 1..=most).prop_map(|of| Test::OneOf(of.into()));
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
fn a_table_of_eight_thousand_rows_is_analysed_whole() {
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
                rows.push(vec![cell(a, 19, &whole), cell(b, 19, &decimal), cell(c, 19, &decimal), Test::Any]);
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
    let (found, coverage) = analysed(table.clone());
    assert!(found.is_empty() && coverage.tables.analysed == 1, "{found:#?} {coverage:?}");
    table.hit_policy = TableHitPolicy::Unique;
    let (found, _) = analysed(table.clone());
    assert!(found.is_empty(), "{found:#?}");
    table.rows.remove(4_321);
    let (found, _) = analysed(table);
    let said: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(said, ["no row of `pricing` matches `age = 50, rate = 0.8, status = 0.05`"]);
}
