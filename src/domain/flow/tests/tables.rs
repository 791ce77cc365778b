//! Tables in whole flows: hit policies, what is missing or fails, records, types, and one meaning with conditions.

use proptest::prelude::*;

use super::*;
use crate::domain::verdict::RecordedBy;

/// A table from lines of cells with `;` between them, the header first.
pub(super) fn table(name: &str, hit_policy: TableHitPolicy, lines: &str) -> TableDeclaration {
    let mut lines = lines.lines().map(|line| line.split(';').map(str::trim));
    let columns = lines.next().unwrap().map(|name| ColumnDeclaration {
        name: text(name.strip_prefix("->").unwrap_or(name).trim()),
        kind: None,
        is_output: name.starts_with("->"),
    });
    let columns = columns.collect();
    let rows = lines.enumerate().map(|(at, cells)| RowDeclaration {
        number: u32::try_from(at + 1).unwrap(),
        cells: cells.map(text).collect(),
    });
    let rows = rows.collect();
    let name = text(name);
    TableDeclaration { name, hit_policy, columns, rows, is_decimal_comma: false, place: Place::default() }
}

fn flow_with(script: &str, tables: Vec<TableDeclaration>) -> FlowDeclaration {
    FlowDeclaration { tables, ..declaration(script) }
}

fn number(text: &str) -> Given {
    Given::Number(text.to_owned())
}

const FIRST: TableHitPolicy = TableHitPolicy::First;
const PRICING: &str = "score; age; -> apr; -> limit
    < 0.05; <= 40; 0.129; 10000
    < 0.05; > 40;  0.149; 8000
    0.05..0.35; -; 0.199; 5000
    -; -; 0.299; 2000";

/// The outputs of the first table in the trace, in one line.
fn gave(verdict: &Verdict) -> String {
    let found = verdict.trace.iter().find_map(|step| match step {
        Step::Table { rows, output, .. } => Some((rows, output)),
        _ => None,
    });
    let (rows, output) = found.unwrap();
    let shown = |value: &Value| match value {
        Value::List(items) => format!("{} items", items.len()),
        other => words_of(other),
    };
    let output: Vec<String> = output.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
    format!("{rows:?} {}", output.join(" "))
}

fn words_of(value: &Value) -> String {
    match crate::domain::expression::words::text_of(value) {
        Ok(Value::Text(text)) => text.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_first_row_that_matches_gives_its_outputs_exactly() {
    let script =
        r#"let t = table("pricing"); if t.apr * amount > 497.49 { review("R1"); } else { approve(); }"#;
    let flow = compiled(&flow_with(script, vec![table("pricing", FIRST, PRICING)]));
    for (score, age, expected) in [
        ("0.049", "40", "[1] apr=0.129 limit=10000"),
        ("0.049", "41", "[2] apr=0.149 limit=8000"),
        ("0.05", "41", "[3] apr=0.199 limit=5000"),
        ("0.35", "41", "[4] apr=0.299 limit=2000"),
    ] {
        let verdict = decide(&flow, &facts(&[("score", number(score)), ("age", number(age))]));
        assert_eq!(gave(&verdict), expected, "{score} {age}");
        // 0.199 × 2500 is 497.5 to the last digit.
        assert_eq!(&*verdict.outcome == "approve", score == "0.049", "{score} {age}");
    }
    assert_eq!(flow.tables[0].reads.iter().map(|name| &**name).collect::<Vec<_>>(), ["score", "age"]);
}

#[test]
fn every_hit_policy_answers_as_it_says() {
    let lines = "age; -> fee; -> outcome; -> reason
        > 10; 5; review; R1
        > 20; 7; decline; R2|R3
        > 60; 1; approve; missing";
    let check = |policy: TableHitPolicy, age: &str, expected: &str| {
        let script = r#"let t = table("t"); t.apply(); approve();"#;
        let verdict = decide(
            &compiled(&flow_with(script, vec![table("t", policy, lines)])),
            &facts(&[("age", number(age))]),
        );
        let reasons: Vec<&str> = verdict.reasons.iter().map(|r| &**r).collect();
        let failed = verdict.failures.first().map_or("", |failure| failure.code);
        assert_eq!(
            format!("{} | {} {}{failed}", gave(&verdict), verdict.outcome, reasons.join(",")),
            expected
        );
    };
    let collect = TableHitPolicy::Collect;
    check(FIRST, "70", "[1] fee=5 outcome=review reasons=1 items | review R1");
    check(TableHitPolicy::Priority, "70", "[2] fee=7 outcome=decline reasons=2 items | decline R2,R3");
    check(TableHitPolicy::Priority, "15", "[1] fee=5 outcome=review reasons=1 items | review R1");
    check(TableHitPolicy::Unique, "15", "[1] fee=5 outcome=review reasons=1 items | review R1");
    check(TableHitPolicy::Unique, "70", "[1, 2]  | review R900several_rows");
    check(collect(Collected::All), "70", "[1, 2, 3] fee=3 items | decline R2,R3");
    check(collect(Collected::Sum), "70", "[1, 2, 3] fee=13 | decline R2,R3");
    check(collect(Collected::Min), "70", "[1, 2, 3] fee=1 | decline R2,R3");
    check(collect(Collected::Max), "70", "[1, 2, 3] fee=7 | decline R2,R3");
    check(collect(Collected::Count), "70", "[1, 2, 3] fee=3 items | decline R2,R3");
    check(FIRST, "10", "[]  | review R900no_row");
    check(collect(Collected::Max), "10", "[]  | review R900no_row");
    check(collect(Collected::Sum), "10", "[] fee=0 | approve ");
    check(collect(Collected::All), "10", "[] fee=0 items | approve ");
}

#[test]
fn what_collect_gives_is_read_as_lists_counts_and_numbers() {
    let lines = "age; -> fee\n > 10; 5\n > 20; 7.5";
    for (policy, condition) in [
        (Collected::All, "t.fee.count() == 2 && sum(t.fee) == 12.5 && t.rows == [1, 2] && t.count == 2"),
        (Collected::Sum, "t.fee == 12.5 && t.count == 2 && !t.failed"),
        (Collected::Count, "t.count == 2"),
    ] {
        let script = format!("let t = table(\"t\"); if {condition} {{ decline(\"R1\"); }} approve();");
        let flow = flow_with(&script, vec![table("t", TableHitPolicy::Collect(policy), lines)]);
        assert_eq!(&*decide(&compiled(&flow), &facts(&[])).outcome, "decline", "{condition}");
    }
}

#[test]
fn what_is_missing_matches_only_missing() {
    let lines = "phone; -> n\n a; 1\n missing; 2\n -; 3";
    let script = r#"let n = table("t").n; approve();"#;
    let flow = compiled(&flow_with(script, vec![table("t", FIRST, lines)]));
    assert_eq!(gave(&decide(&flow, &facts(&[]))), "[2] n=2");
    assert_eq!(gave(&decide(&flow, &facts(&[("phone", Given::Text("b".into()))]))), "[3] n=3");
    let flow = compiled(&flow_with(script, vec![table("t", FIRST, "phone; -> n\n -; 3")]));
    let verdict = decide(&flow, &facts(&[]));
    assert_eq!(verdict.failures.iter().map(|f| f.code).collect::<Vec<_>>(), ["no_row", "failed_step"]);
    assert_eq!(verdict.failures[0].step, "table t");
}

#[test]
fn a_failed_table_is_read_only_after_it_was_asked() {
    let lines = "burden; -> n\n < 1; 1";
    let with = |script: &str| {
        let mut flow = flow_with(script, vec![table("t", FIRST, lines)]);
        flow.features = vec![feature("burden", "amount / (age - 41)")];
        decide(&compiled(&flow), &facts(&[]))
    };
    let verdict = with(r#"let t = table("t"); if t.failed { review("R1"); } else { approve(); }"#);
    assert_eq!((&*verdict.outcome, verdict.degraded), ("review", false));
    assert_eq!(
        verdict.failures.iter().map(|f| f.code).collect::<Vec<_>>(),
        ["division_by_zero", "failed_feature"]
    );
    let verdict = with(r#"let t = table("t"); if t.n > 0 { approve(); } else { approve(); }"#);
    assert_eq!((verdict.degraded, verdict.failures.last().unwrap().code), (true, "failed_step"));
}

#[test]
fn a_record_carries_the_outputs_of_its_row_and_is_made_once() {
    let lines = "age; -> apr; -> outcome\n -; 0.129; approve";
    let mut flow = flow_with(r#"table("t").apply(); table("t").apply();"#, vec![table("t", FIRST, lines)]);
    let output = |name: &str, kind: Kind| OutputDeclaration {
        name: text(name),
        kind,
        optional: false,
        min: None,
        max: Some(text("0.90")),
    };
    flow.outputs = vec![output("apr", Kind::Decimal)];
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!(verdict.output, [(Name::from("apr"), Value::Decimal("0.129".parse().unwrap()))]);
    let asked = verdict.trace.iter().filter(|step| matches!(step, Step::Table { .. })).count();
    assert_eq!((asked, &*verdict.outcome, verdict.degraded), (1, "approve", false));
    assert!(
        verdict
            .trace
            .iter()
            .any(|step| matches!(step, Step::Record { by: RecordedBy::Row { row: 1, .. }, .. }))
    );
    // The flow's own type is the column's: no decimal meets a number.
    flow.outputs = vec![output("apr", Kind::Number)];
    assert_eq!(decide(&compiled(&flow), &facts(&[])).output[0].1, Value::Number(0.129));
    flow.tables[0].rows[0].cells[1] = text("0.91");
    assert!(Flow::compile(&flow).1.iter().any(|d| d.code == "T051"));
}

#[test]
fn what_the_call_hands_over_has_the_type_of_what_is_handed() {
    let lines = "risk; -> n\n < 0.1; 1\n -; 2";
    let with = |call: &str| flow_with(&format!("let t = {call}; approve();"), vec![table("t", FIRST, lines)]);
    for (value, kind, row) in [
        ("score", Kind::Number, "[2] n=2"),
        ("money(0.0999, 4)", Kind::Decimal, "[1] n=1"),
        ("age", Kind::Integer, "[2] n=2"),
    ] {
        let flow = compiled(&with(&format!("table(\"t\", #{{ risk: {value} }})")));
        assert_eq!(flow.tables[0].columns[0].kind, kind, "{value}");
        assert_eq!(gave(&decide(&flow, &facts(&[]))), row, "{value}");
    }
    for (call, code) in [
        (r#"table("t", #{ risk: phone ?? "" })"#, "T044"),
        (r#"table("t")"#, "T018"),
        (r#"table("t", #{ risk: score, more: 1 })"#, "T018"),
        (r#"table("tt", #{ risk: score })"#, "T040"),
        (r#"table("t", #{ risk: score }).m"#, "T012"),
        (r#"table("t", #{ risk: score }).apply()"#, "T012"),
    ] {
        let (_, found) = Flow::compile(&with(call));
        assert!(found.iter().any(|d| d.code == code), "{call}: {found:#?}");
    }
}

#[test]
fn each_mistake_in_a_table_is_found_where_it_is() {
    for (lines, code) in [
        ("age; -> n\n ; 1", "T043"),
        ("age; -> n\n 18; ", "T043"),
        ("age; -> n\n = 18; 1", "T042"),
        ("age; -> n\n eighteen; 1", "T044"),
        ("age; -> n\n 5..5; 1", "T047"),
        ("age; -> n\n [9..3]; 1", "T047"),
        ("age; -> n\n missing; 1", "T048"),
        ("amount; -> n\n 1,000; 1", "T045"),
        ("status; -> n\n from_20; 1", "T007"),
        ("phone; -> n\n 12345|1234|12346|12347; 1", "T046"),
        ("accounts; -> n\n -; 1", "T049"),
        ("min_age; -> n\n -; 1", "T049"),
        ("age; age; -> n\n -; -; 1", "T025"),
        ("age; -> rows\n -; 1", "T049"),
        ("age; years old; -> n\n -; -; 1", "T026"),
        ("age\n -", "T049"),
        ("age; -> n", "T049"),
        ("age; -> n\n -; 1\n -; 2\n -; O.3", "T044"),
        ("age; -> outcome\n -; decline", "T017"),
        ("age; -> outcome; -> reason\n -; reject; R1", "T016"),
        ("age; -> reason\n -; R77", "T015"),
        ("age; -> n\n -; -", "T042"),
    ] {
        let (_, found) =
            Flow::compile(&flow_with(r#"let t = table("t"); approve();"#, vec![table("t", FIRST, lines)]));
        assert!(found.iter().any(|d| d.code == code), "{lines}\n{code} is not among {found:#?}");
    }
    let policies = [(TableHitPolicy::Priority, "1"), (TableHitPolicy::Collect(Collected::Sum), "text")];
    for (policy, cell) in policies {
        let lines = format!("age; -> n\n -; {cell}");
        let (_, found) =
            Flow::compile(&flow_with(r#"let t = table("t"); approve();"#, vec![table("t", policy, &lines)]));
        assert!(found.iter().any(|d| d.code == "T050"), "{policy:?} {found:#?}");
    }
}

#[test]
fn a_protected_input_is_read_only_where_the_flow_says() {
    let mut flow =
        flow_with(r#"let n = table("t").n; approve();"#, vec![table("t", FIRST, "age; -> n\n -; 1")]);
    flow.protected = vec![(text("age"), vec![text("t")])];
    compiled(&flow);
    flow.rule_sets = vec![rule_set(HitPolicy::Collect, vec![])];
    flow.protected = vec![(text("age"), vec![text("knockout")])];
    assert!(Flow::compile(&flow).1.iter().any(|d| d.code == "T024"));
    flow.protected = vec![(text("age"), vec![text("tt")])];
    assert!(Flow::compile(&flow).1.iter().any(|d| d.code == "T010"));
}

/// A column, values around each other, how a condition writes one, and whether it may be missing.
fn boundaries() -> impl Strategy<Value = (&'static str, &'static [&'static str], usize, usize, usize)> {
    let columns: &[(&str, &[&str])] = &[
        ("age", &["40", "41", "41.5", "42", "min_age", "9223372036854775807"]),
        ("amount", &["2500", "2500.00", "2499.99", "2500.01", "max_share", "min_age"]),
        ("score", &["0.3", "0.30000000000000004", "1", "9007199254740993", "max_share", "1e-3"]),
        ("since", &["2026-01-31", "2026-02-28", "2026-03-01"]),
        ("status", &["none", "below_0", "from_200"]),
        ("phone", &["aa", "b", "a", "Z"]),
    ];
    (
        prop::sample::select(columns),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|((name, values), a, b, c)| {
            (name, values, a.index(values.len()), b.index(values.len()), c.index(values.len()))
        })
}

fn in_condition(column: &str, value: &str) -> String {
    match column {
        "since" => format!("date(\"{value}\")"),
        "status" | "phone" => format!("\"{value}\""),
        _ => value.to_owned(),
    }
}

proptest! {
    #[test]
    fn a_cell_and_the_same_condition_agree_on_every_boundary(
        (column, values, a, b, sent) in boundaries(),
        form in 0..11_usize,
        is_sent in any::<bool>(),
    ) {
        let (low, high) = (values[a], values[b]);
        let (x, y) = (in_condition(column, low), in_condition(column, high));
        let (cell, condition) = match form {
            0 => (format!("< {low}"), format!("{column} < {x}")),
            1 => (format!("<= {low}"), format!("{column} <= {x}")),
            2 => (format!("> {low}"), format!("{column} > {x}")),
            3 => (format!(">= {low}"), format!("{column} >= {x}")),
            4 => (low.to_owned(), format!("{column} == {x}")),
            5 => (format!("{low}|{high}"), format!("({column} == {x} || {column} == {y})")),
            6 => (format!("{low}..{high}"), format!("({column} >= {x} && {column} < {y})")),
            7 => (format!("[{low}..{high}]"), format!("({column} >= {x} && {column} <= {y})")),
            8 => (format!("({low}..{high}]"), format!("({column} > {x} && {column} <= {y})")),
            9 => (format!("({low}..{high})"), format!("({column} > {x} && {column} < {y})")),
            _ => ("-".to_owned(), "true".to_owned()),
        };
        let lines = format!("{column}; -> hit\n{cell}; true\n-; false\nmissing; false");
        let inputs = |declared: &mut FlowDeclaration| declared.inputs.push(input("since", Kind::Date, false));
        let script = r#"if table("t").hit { decline("R1"); } else { approve(); }"#;
        let mut as_table = flow_with(script, vec![table("t", FIRST, &lines)]);
        inputs(&mut as_table);
        let given = if column == "phone" { "is_given(phone) && " } else { "" };
        let mut as_condition =
            declaration(&format!("if {given}{condition} {{ decline(\"R1\"); }} else {{ approve(); }}"));
        inputs(&mut as_condition);
        let (table, found) = Flow::compile(&as_table);
        // An interval that holds nothing is refused in a cell, and never holds as a condition.
        if found.iter().any(|d| d.code == "T047") {
            prop_assert!(form >= 6);
            return Ok(());
        }
        prop_assert!(table.is_some(), "{lines}\n{found:#?}");
        let value = match values[sent] {
            "min_age" => "18",
            "max_share" => "0.40",
            "41.5" => "41",
            other => other,
        };
        let value = match column {
            "age" | "score" => number(value),
            _ => Given::Text(value.to_owned()),
        };
        let mut sent = vec![("since", Given::Text("2026-02-28".to_owned()))];
        if is_sent || column != "phone" {
            sent.push((column, value));
        }
        let given = facts(&sent);
        let (by_table, by_condition) = (decide(&table.unwrap(), &given), decide(&compiled(&as_condition), &given));
        prop_assert!(!by_table.degraded, "{:#?}", by_table.failures);
        prop_assert_eq!(by_table.outcome, by_condition.outcome, "{} against {}", cell, condition);
    }
}
