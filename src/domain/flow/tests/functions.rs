//! Functions: each call is checked with the types that it has; literals keep their meaning under a name.

use super::*;

#[test]
fn each_of_several_functions_has_its_own_body() {
    let script = r#"
        fn over(a, b) { a > b }
        fn share(a, b) { a / b }
        fn both(a, b) { over(a, b) && share(a, b) > 2 }
        if both(age, 20) && !over(1, 2) && share(1, 2) == 0.5 { decline("R1"); }
        approve();
    "#;
    check(script, &[], "decline", &["R1"]);
}

#[test]
fn a_call_that_cannot_work_is_found_before_it_runs() {
    for (script, code) in [
        ("fn over(a, b) { a > b } if over(amount, phone ?? \"\") { decline(\"R1\"); } approve();", "T005"),
        ("fn over(a, b) { a > b } if over(amount, score) { decline(\"R1\"); } approve();", "T006"),
        ("fn twice(a) { a * 2 } if twice(status) > 1 { decline(\"R1\"); } approve();", "T014"),
        ("fn twice(a) { a * 2 } if twice(age) == \"x\" { decline(\"R1\"); } approve();", "T005"),
        (
            "fn row(a) { a.blance } if is_given(accounts) && any(accounts, |a| row(a) > 1) { decline(\"R1\"); } approve();",
            "T012",
        ),
        ("fn is_none(s) { s == \"none_\" } if is_none(status) { decline(\"R1\"); } approve();", "T007"),
        ("fn one(a) { a } if one(age, 2) > 1 { decline(\"R1\"); } approve();", "T002"),
        ("fn truth(a) { a } if truth(age) { decline(\"R1\"); } approve();", "T008"),
        (
            "fn early(a) { if a > 1 { return \"x\"; } \"y\" } if early(age) > 1 { decline(\"R1\"); } approve();",
            "T005",
        ),
    ] {
        finds(script, code);
    }
}

#[test]
fn one_function_serves_many_types() {
    let script = r#"
        fn twice(a) { a + a }
        fn larger(a, b) { if a > b { a } else { b } }
        if twice(age) == 82 && twice(status) == "nonenone" && twice(amount) == 5000.00
            && larger(amount, 0.1) == amount && larger(score, 0.1) == score && larger(today, today) == today
        { decline("R1"); }
        approve();
    "#;
    check(script, &[], "decline", &["R1"]);
}

#[test]
fn a_function_that_calls_itself_is_checked_when_it_runs() {
    let script = r#"
        fn down(n) { if n > 0 { down(n - 1) } else { n } }
        fn nest(x, n) { if n > 0 { nest([x], n - 1) } else { len(x) } }
        if down(age - 36) == 0 && nest([1], 3) == 1 { decline("R1"); }
        approve();
    "#;
    check(script, &[], "decline", &["R1"]);
}

#[test]
fn many_functions_of_many_types_are_compiled_within_bounds() {
    let mut script = String::from("fn f0(x) { 1 }\n");
    for at in 1..40 {
        let below = at - 1;
        script.push_str(&format!("fn f{at}(x) {{ f{below}(x) + f{below}([x]) }}\n"));
    }
    script.push_str("if f3(1) > 1 { decline(\"R1\"); } approve();");
    let flow = compiled(&declaration(&script));
    assert!(flow.script.functions.len() < 600, "{}", flow.script.functions.len());
    assert_eq!(&*decide(&flow, &facts(&[])).outcome, "decline");
}

#[test]
fn a_name_for_a_literal_or_threshold_keeps_what_was_written() {
    for script in [
        "let m = max_share; if amount > m { decline(\"R1\"); } approve();",
        "const M = max_share * 2 - 0.1; if amount > M && amount * M == 1750 { decline(\"R1\"); } approve();",
        "let m = 0.1; let n = m; if amount - 2499.9 == n { decline(\"R1\"); } approve();",
        "let m = 0.5; if score < m && amount > m { decline(\"R1\"); } approve();",
        "let m = max_share; if any([amount], |a| a > m) { decline(\"R1\"); } approve();",
        "fn over(a, limit) { a > limit } if over(amount, max_share) && !over(score, max_share) { decline(\"R1\"); } approve();",
        "fn over(a) { let m = max_share; a > m } if over(amount) { decline(\"R1\"); } approve();",
        "let m = max_share; if min(amount, m) == 0.4 && amount in [2500.0, m] { decline(\"R1\"); } approve();",
        "let m = -max_share; if amount > m { decline(\"R1\"); } approve();",
    ] {
        check(script, &[], "decline", &["R1"]);
    }
    // What is assigned later is a variable like any other.
    finds("let m = 0.5; if age > 5 { m = 0.6; } if amount > m { decline(\"R1\"); } approve();", "T006");
}

#[test]
fn shared_functions_are_pure_and_conditions_and_features_may_call_them() {
    let mut flow = declaration("rules(\"knockout\").apply(); if group > 2 { review(\"R2\"); } approve();");
    flow.shared_functions = vec![text(
        "fn share(a, b) { a / b }\nfn band(x, max_age) { if share(x, max_age) > max_share { 3 } else { 1 } }",
    )];
    flow.features = vec![feature("band_of_age", "band(age, 100)"), feature("group", "band_of_age + 0")];
    flow.rule_sets =
        vec![rule_set(HitPolicy::Collect, vec![rule("old", "share(age, 2) > 20", "decline", "R1")])];
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!(&*verdict.outcome, "decline", "{verdict:#?}");
    for body in ["decline(\"R1\")", "rules(\"knockout\")", "own(1)"] {
        let mut flow = declaration("fn own(a) { a } if share(1) > 1 { decline(\"R1\"); } approve();");
        flow.rule_sets = vec![rule_set(HitPolicy::Collect, vec![rule("old", "age > 20", "decline", "R1")])];
        flow.shared_functions = vec![text(&format!("fn share(a) {{ {body} }}"))];
        let (_, found) = Flow::compile(&flow);
        assert!(found.iter().any(|d| d.code == "T001"), "{body}: {found:#?}");
    }
}

#[test]
fn a_failure_in_a_shared_function_is_told_at_the_call() {
    let mut flow = declaration("approve();\nif share(age, 0) > 1 { approve(); }");
    flow.shared_functions = vec![text("\n\n\n\nfn share(a, b) { a / b }")];
    let verdict = decide(&compiled(&flow), &facts(&[]));
    let failure = &verdict.failures[0];
    assert_eq!((failure.code, failure.line), ("division_by_zero", 2));
    assert!(failure.detail.starts_with("in `share`: "), "{}", failure.detail);
}

#[test]
fn look_ups_in_loops_end_within_the_budget() {
    let mut flow = declaration("let n = 0; while true { if \"x\" in blocked { n += 1; } } approve();");
    flow.lists = vec![list("blocked", &["0900"])];
    let verdict = decide(&compiled(&flow), &facts(&[]));
    assert_eq!(verdict.failures[0].code, "out_of_budget");
    assert!(verdict.trace.len() < 6_000, "{}", verdict.trace.len());
}
