//! Decimals stay decimals wherever they meet literals, whole numbers and lists without rows; nothing that checks
//! fails at run time only because of how a number was written.

use super::*;

#[test]
fn a_literal_or_whole_number_beside_a_decimal_becomes_one_wherever_they_meet() {
    let none = [("accounts", Given::List(vec![]))];
    for (condition, expected) in [
        ("(if age > 50 { amount } else { 0.5 }) < amount", Some(true)),
        ("(if age > 50 { amount } else { 5 }) / 2 < amount", Some(true)),
        ("(switch status { \"none\" => 0.5, _ => amount }) < amount", Some(true)),
        ("min(amount, 5) / 2 < amount", Some(true)),
        ("min(amount, age) / 2 < amount", Some(true)),
        ("min(money(score * 0.5, 2), amount) == 0.15", Some(true)),
        ("amount in [money(score * 0.5, 2), amount]", Some(true)),
        ("min(max_share, 1) < amount", Some(true)),
        ("amount > max_share * 2", Some(true)),
        ("amount > (if age > 50 { 1 } else { max_share })", Some(true)),
        ("sum(accounts, |a| a.balance) / 2 < amount", Some(true)),
        ("sum(accounts, |a| a.balance) / age < amount / age", Some(true)),
        ("score > max_share - 0.2", Some(true)),
        ("[1, 2] == [1.0, 2.0]", Some(true)),
        ("[amount] == [2500]", Some(true)),
    ] {
        assert_eq!(holds(condition, &none), expected, "{condition}");
    }
}

#[test]
fn a_variable_that_holds_a_decimal_takes_literals_exactly() {
    for script in [
        "let limit = amount; if age > 18 { limit = 999.5; } if limit / 2 < amount { decline(\"R1\"); } approve();",
        "let limit = amount; if age > 18 { limit = 5; } if limit / 2 < amount { decline(\"R1\"); } approve();",
        "let limit = amount ?? 0; if limit > 0.5 { decline(\"R1\"); } approve();",
    ] {
        check(script, &[], "decline", &["R1"]);
    }
}

#[test]
fn literals_that_were_given_a_name_are_numbers_and_a_decimal_beside_them_is_found() {
    for script in [
        "for band in [0.1, 0.2] { if amount > band { decline(\"R1\"); } } approve();",
        "let bands = [0.1, 0.2]; if amount > bands[0] { decline(\"R1\"); } approve();",
        "if any([0.1, 0.2], |band| amount > band) { decline(\"R1\"); } approve();",
    ] {
        finds(script, "T006");
    }
}

#[test]
fn a_return_within_a_row_function_gives_the_rows_value() {
    let script = r#"if any([1, 5], |n| { if n > 3 { return true; } n < 0 }) { decline("R1"); } approve();"#;
    check(script, &[], "decline", &["R1"]);
}

#[test]
fn two_results_of_one_rule_set_are_kept_apart() {
    let mut flow = declaration(
        r#"
        let strict = rules("knockout", #{ limit: 10 });
        let loose = rules("knockout", #{ limit: 90 });
        if strict.is_hit && !loose.is_hit { decline("R1"); }
        strict.apply();
        approve();
        "#,
    );
    let mut set = rule_set(HitPolicy::Collect, vec![rule("old", "age > limit", "review", "R2")]);
    set.takes = vec![(text("limit"), Kind::Integer)];
    flow.rule_sets = vec![set];
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!(&*verdict.outcome, "decline", "{verdict:#?}");
}

#[test]
fn reasons_of_one_strictness_are_ranked_by_points() {
    let pointed = |id: &str, reason: &str, points: i64| {
        let mut rule = rule(id, "age > 18", "decline", reason);
        rule.points = Some(at(points));
        rule
    };
    let rules = vec![pointed("a", "R1", 10), pointed("b", "R2", 50), pointed("c", "R3", 10)];
    for script in [r#"rules("knockout").apply();"#, r#"decline(rules("knockout").reasons);"#] {
        let mut flow = declaration(script);
        flow.rule_sets = vec![rule_set(HitPolicy::Collect, rules.clone())];
        let verdict = decide(&compiled(&flow), &facts(&[]));
        assert_eq!(verdict.reasons.iter().map(|r| &**r).collect::<Vec<_>>(), ["R2", "R1", "R3"], "{script}");
    }
}

#[test]
fn an_approval_by_a_rule_alone_does_not_go_out_without_its_outputs() {
    let mut flow = declaration(r#"rules("knockout").apply();"#);
    let limit =
        OutputDeclaration { name: text("limit"), kind: Kind::Decimal, optional: false, min: None, max: None };
    flow.outputs = vec![limit];
    flow.rule_sets = vec![rule_set(HitPolicy::Collect, vec![rule("old", "age > 18", "approve", "R1")])];
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!((&*verdict.outcome, verdict.failures[0].code), ("review", "missing_output"));
}

#[test]
fn outputs_are_checked_to_their_last_item() {
    let of = |kind: Kind| Arc::new(Field { kind, optional: false });
    let with = |script: &str, kind: Kind| {
        let mut flow = declaration(script);
        flow.outputs =
            vec![OutputDeclaration { name: text("x"), kind, optional: false, min: None, max: None }];
        decide(&compiled(&flow), &facts(&[]))
    };
    let verdict = with("approve(#{ x: [age, age] })", Kind::List(of(Kind::Decimal)));
    let exact = Value::Decimal("41".parse().unwrap());
    assert_eq!(verdict.output, [("x".into(), Value::List([exact.clone(), exact].into()))]);
    for script in ["let l = [\"a\"]; approve(#{ x: l })", "approve(#{ x: [rules(\"a\")] })"] {
        let mut flow = declaration(script);
        let mut set = rule_set(HitPolicy::Collect, vec![rule("old", "age > 18", "review", "R1")]);
        set.name = text("a");
        flow.rule_sets = vec![set];
        let kind = Kind::List(of(Kind::Decimal));
        flow.outputs =
            vec![OutputDeclaration { name: text("x"), kind, optional: false, min: None, max: None }];
        match Flow::compile(&flow) {
            (Some(flow), _) => {
                let verdict = decide(&flow, &facts(&[]));
                assert_eq!(verdict.failures[0].code, "invalid_output", "{script}: {verdict:#?}");
            }
            (None, found) => assert!(found.iter().any(|d| d.code == "T018"), "{found:#?}"),
        }
    }
}

#[test]
fn a_label_of_another_type_fails_instead_of_falling_through() {
    // Of what a function that calls itself gives, nothing is known before it runs.
    let script = r#"fn f(n) { if n > 0 { f(n - 1) } else { 1.5 } }
        switch f(1) { "a" => approve(), _ => approve() }"#;
    let verdict = check(script, &[], "review", &["R900"]);
    assert_eq!(verdict.failures[0].code, "wrong_type");
}

#[test]
fn what_scripts_build_is_bounded_in_depth_and_size() {
    for script in [
        "let a = [1]; loop { a = [a]; }",
        "let a = #{ x: 1 }; loop { a = #{ x: a }; }",
        "let a = [1]; for i in 0..40 { a = [a, a]; } if a == a { approve(); }",
        "let a = [1]; let b = [1]; for i in 0..14 { a = [a, a]; b = [b, b]; } loop { if a != b { approve(); } }",
    ] {
        let verdict = check(script, &[], "review", &["R900"]);
        assert_eq!(verdict.failures[0].code, "out_of_budget", "{script}");
    }
    let pushed = "let a = []; for n in 0..1000 { a.push([n]); } if len(a) == 1000 { approve(); }";
    check(pushed, &[], "approve", &[]);
}

#[test]
fn long_chains_neither_overflow_the_stack_nor_stop_the_program() {
    let many = 3_000;
    for script in [
        format!("let x = {}1; approve();", "1 + ".repeat(many)),
        format!("let x = {}true; approve();", "!".repeat(many)),
        format!("if {}true {{ approve(); }}", "true && ".repeat(many)),
        format!("let x = #{{}}; let y = x{}; approve();", ".a".repeat(many)),
        format!("let x = []; let y = x{}; approve();", "[0]".repeat(many)),
        format!("{}{{ approve(); }}", "if age < 3 { approve(); } else ".repeat(many)),
        format!("let x = 1{}; approve();", " ?? 2".repeat(many)),
    ] {
        drop(Flow::compile(&declaration(&script)));
    }
    let mut flow = declaration("if f2999 > 5 { decline(\"R1\"); } approve();");
    flow.features = (0..many)
        .map(|n| match n {
            0 => feature("f0", "age"),
            _ => feature(&format!("f{n}"), &format!("f{} + 1", n - 1)),
        })
        .collect();
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!(&*verdict.outcome, "decline");
}

#[test]
fn names_that_would_hide_others_are_found() {
    finds("fn min(a, b) { a } approve();", "T026");
    finds("fn approve(a) { a } approve();", "T026");
    let mut flow = declaration(r#"rules("knockout", #{ age: 1 }).apply(); approve();"#);
    let mut set = rule_set(HitPolicy::Collect, vec![rule("old", "age > 3", "review", "R2")]);
    set.takes = vec![(text("age"), Kind::Integer)];
    flow.rule_sets = vec![set];
    assert!(Flow::compile(&flow).1.iter().any(|d| d.code == "T025"));
}

#[test]
fn a_flood_of_wrong_facts_is_listed_within_reason() {
    let flow = compiled(&declaration("approve();"));
    let long = "x".repeat(100_000);
    let mut flood: Vec<(String, Given)> = (0..5_000).map(|n| (format!("y{n}"), Given::Null)).collect();
    flood.push((long, Given::Null));
    let problems = flow.admit(&Given::Map(flood)).unwrap_err();
    assert_eq!(problems.len(), 1_001);
    assert!(problems.iter().all(|p| p.pointer.len() < 80));
    assert_eq!(problems.last().map(|p| p.code), Some("too_many"));
}

#[test]
fn an_outcome_that_a_function_records_is_one() {
    let ends = |script: &str| Flow::compile(&declaration(script)).1.iter().any(|d| d.code == "T021");
    assert!(!ends("fn g() { f(); } fn f() { if age > 3 { return approve(); } decline(\"R1\"); } g();"));
    assert!(ends("fn f() { if age > 3 { return; } approve(); } f();"));
    assert!(ends("fn f() { f(); } f();"));
}
