//! Explanations of whole flows: conditions with what they met, and what stood in the way of a milder outcome.

use std::collections::BTreeSet;

use super::tables::table;
use super::*;
use crate::domain::explanation::{Asked, Condition, Explanation, Obstacle, Told, Truth, WhyNot, explain};

fn number(text: &str) -> Given {
    Given::Number(text.to_owned())
}

#[track_caller]
fn explained_without(declaration: &FlowDeclaration, given: &[(&str, Given)], hidden: &[&str]) -> Explanation {
    let flow = compiled(declaration);
    let facts = flow.admit(&facts(given)).unwrap();
    let (budget, pins) = (Budget::default(), Pins::default());
    let decided_at = "2026-11-22T09:00:00Z".parse().unwrap();
    let asked = Asked {
        flow: &flow,
        declaration: Some(declaration),
        facts: &facts,
        decided_at,
        budget: &budget,
        pins: &pins,
        gathered: &[],
        hidden: hidden.iter().map(|name| Name::from(*name)).collect::<BTreeSet<Name>>(),
    };
    let explanation = explain(&asked);
    assert_eq!(explanation.verdict, flow.decide(&facts, decided_at, &budget), "looking on changes nothing");
    explanation
}

#[track_caller]
fn explained(declaration: &FlowDeclaration, given: &[(&str, Given)]) -> Explanation {
    explained_without(declaration, given, &[])
}

/// The conditions that a script asked, as they are shown.
fn asked(explanation: &Explanation) -> Vec<String> {
    let branches = explanation.steps.iter().filter_map(|step| match step {
        Told::Branch { line, condition } => Some(format!("{line} {}", told(condition))),
        _ => None,
    });
    branches.collect()
}

fn told(condition: &Condition) -> String {
    format!("{}: {}", condition.shown, condition.truth.word())
}

/// What stands in the way: outcome, line or rule, and the verdict without it alone.
fn obstacles(all: &[Obstacle]) -> Vec<String> {
    let by = |obstacle: &Obstacle| match &obstacle.by {
        crate::domain::verdict::RecordedBy::Rule { rule, .. } => rule.to_string(),
        crate::domain::verdict::RecordedBy::Row { row, .. } => format!("row {row}"),
        _ => format!("line {}", obstacle.line),
    };
    let alone = |obstacle: &Obstacle| obstacle.alone.as_deref().unwrap_or("-").to_owned();
    all.iter().map(|o| format!("{} {} without {}", o.outcome, by(o), alone(o))).collect()
}

fn why_not<'e>(explanation: &'e Explanation, outcome: &str) -> &'e WhyNot {
    explanation.why_not.iter().find(|milder| *milder.outcome == *outcome).unwrap()
}

#[test]
fn a_condition_shows_what_it_met() {
    let script = "if age < min_age || amount * 2 > 4000 { review(\"R1\"); }\nif status == \"none\" && !(phone ?? \"x\" == \"y\") { review(\"R2\"); }\napprove();";
    let found = explained(&declaration(script), &[]);
    assert_eq!(
        asked(&found),
        [
            "1 age 41 < min_age 18 || amount * 2 (5000.00) > 4000: true",
            "2 status \"none\" == \"none\" && !(phone ?? \"x\" == \"y\") (phone missing): true",
        ]
    );
    let Some(Told::Branch { condition, .. }) = found.steps.first() else { panic!("{found:#?}") };
    let parts: Vec<(String, bool)> = condition.parts.iter().map(|part| (told(part), part.decided)).collect();
    assert_eq!(
        parts,
        [
            ("age 41 < min_age 18: false".to_owned(), false),
            ("amount * 2 (5000.00) > 4000: true".to_owned(), true),
        ]
    );
    let reads: Vec<String> = condition.reads.iter().map(|read| read.shown()).collect();
    assert_eq!(reads, ["age 41", "min_age 18", "amount 2500.00"]);
}

#[test]
fn what_was_settled_before_is_not_asked_and_what_fails_says_so() {
    let set = rule_set(
        HitPolicy::Collect,
        vec![
            rule("first_part", "age < 18 && score > 0.1", "decline", "R1"),
            rule("fails", "amount / (age - 41) > 1 || age > 1", "decline", "R2"),
        ],
    );
    let mut declared = declaration("rules(\"knockout\").apply(); approve();");
    declared.rule_sets = vec![set];
    let found = explained(&declared, &[]);
    let rules = found.steps.iter().find_map(|step| match step {
        Told::Rules { rules, .. } => Some(rules),
        _ => None,
    });
    let rules = rules.unwrap();
    let parts = &rules[0].condition.parts;
    assert_eq!((parts[0].truth, parts[0].decided), (Truth::False, true));
    assert_eq!((parts[1].truth, parts[1].decided), (Truth::NotAsked, false));
    assert!(matches!(rules[1].condition.truth, Truth::Failed(_)), "{:#?}", rules[1]);
    assert!(found.verdict.degraded);
}

#[test]
fn each_round_of_a_recursion_is_told_apart() {
    let script = "fn upto(n) { if n < 1 { 0 } else { n + upto(n - 1) } }\nif upto(age - 39) > 2 { review(\"R1\"); }\napprove();";
    let found = explained(&declaration(script), &[]);
    // The function is the script's own, so its conditions are told too: for 2, 1 and 0.
    assert_eq!(
        asked(&found),
        ["1 n 2 < 1: false", "1 n 1 < 1: false", "1 n 0 < 1: true", "2 upto(age - 39) (3) > 2: true",]
    );
}

#[test]
fn what_is_behind_the_first_obstacle_is_evaluated() {
    let script = "if score > 0.6 {\n  decline(\"R1\");\n} else if score > 0.2 {\n  review(\"R2\");\n}\nif age > 40 { review(\"R3\"); }\napprove();";
    let found = explained(&declaration(script), &[("score", number("0.7"))]);
    assert_eq!(&*found.verdict.outcome, "decline");
    let names: Vec<&str> = found.why_not.iter().map(|milder| &*milder.outcome).collect();
    assert_eq!(names, ["review", "approve"], "the nearest first");

    let review = why_not(&found, "review");
    assert_eq!(obstacles(&review.in_the_way), ["decline line 2 without review"]);
    assert_eq!((review.then.len(), &*review.ends_in), (0, "review"));

    let approve = why_not(&found, "approve");
    assert_eq!(
        obstacles(&approve.in_the_way),
        ["decline line 2 without review", "review line 6 without decline"]
    );
    assert!(approve.in_the_way[1].is_still, "it stands there whether the first does or not");
    assert_eq!(obstacles(&approve.then), ["review line 4 without -"], "hidden behind the first");
    assert_eq!(&*approve.ends_in, "approve");
    let conditions: Vec<String> = approve.then[0].conditions.iter().map(told).collect();
    assert_eq!(conditions, ["score 0.7 > 0.6: false", "score 0.7 > 0.2: true"]);
}

#[test]
fn nothing_stands_in_the_way_of_the_mildest_outcome() {
    assert_eq!(explained(&declaration("approve();"), &[]).why_not, []);
}

#[test]
fn what_no_condition_leads_to_can_still_be_looked_behind() {
    let found = explained(&declaration("review(\"R1\");\napprove();"), &[]);
    let approve = why_not(&found, "approve");
    assert_eq!(obstacles(&approve.in_the_way), ["review line 1 without approve"]);
    assert_eq!(approve.in_the_way[0].conditions, []);
}

#[test]
fn what_failed_stands_in_the_way_and_is_not_looked_behind() {
    let found = explained(
        &declaration("let x = amount / (age - 41);\nif x > 1 { decline(\"R1\"); }\napprove();"),
        &[],
    );
    let approve = why_not(&found, "approve");
    assert_eq!(obstacles(&approve.in_the_way), ["review line 1 without -"]);
    assert!(!approve.in_the_way[0].can_go() && found.verdict.degraded);
}

#[test]
fn every_hit_stands_in_the_way_by_itself() {
    let mut declared = declaration("rules(\"knockout\").apply();\napprove();");
    declared.rule_sets = vec![rule_set(
        HitPolicy::Collect,
        vec![
            rule("old", "age > 40", "decline", "R1"),
            rule("large", "amount > 2000", "review", "R2"),
            rule("risky", "score > 0.2", "decline", "R3"),
        ],
    )];
    let found = explained(&declared, &[]);
    let approve = why_not(&found, "approve");
    assert_eq!(
        obstacles(&approve.in_the_way),
        ["decline old without decline", "decline risky without decline", "review large without decline"],
        "strictest first, then in their order"
    );
    assert_eq!(&*approve.ends_in, "approve");
    assert_eq!(told(&approve.in_the_way[0].conditions[0]), "age 41 > 40: true");
    // Under `first` the second hit comes up only when the first is gone.
    declared.rule_sets[0].hit_policy = HitPolicy::First;
    let found = explained(&declared, &[]);
    let approve = why_not(&found, "approve");
    assert_eq!(obstacles(&approve.in_the_way), ["decline old without review"]);
    assert_eq!(obstacles(&approve.then), ["review large without -", "decline risky without -"]);
}

#[test]
fn a_row_that_is_gone_lets_the_next_one_answer() {
    let rows = "score; -> outcome; -> reason
        > 0.2; decline; R1
        > 0.1; review;  R2
        -;     approve; missing";
    let mut declared = declaration("table(\"action\").apply();\nif score > 9 { review(\"R3\"); }");
    declared.tables = vec![table("action", TableHitPolicy::First, rows)];
    let found = explained(&declared, &[]);
    let approve = why_not(&found, "approve");
    assert_eq!(obstacles(&approve.in_the_way), ["decline row 1 without review"]);
    assert_eq!(obstacles(&approve.then), ["review row 2 without -"]);
    assert_eq!(&*approve.ends_in, "approve");
    assert_eq!(told(&approve.in_the_way[0].conditions[0]), "score 0.3: > 0.2: true");
    let found = explained(&declared, &[("score", number("0.05"))]);
    let Some(Told::Table { rows, missed, .. }) = found.steps.first() else { panic!("{found:#?}") };
    let missed: Vec<String> =
        missed.iter().map(|row| format!("{} {} {}", row.row, row.column, row.cell)).collect();
    assert_eq!(
        (rows.as_slice(), missed),
        ([3].as_slice(), vec!["1 score > 0.2".to_owned(), "2 score > 0.1".to_owned()])
    );
}

#[test]
fn the_path_has_the_arms_that_were_taken() {
    let script = "if score > 0.6 { decline(\"R1\"); } else if score > 0.2 { review(\"R2\"); } else { review(\"R3\"); }\nif age > 99 { decline(\"R1\"); }\napprove();";
    let path = |given: &str| {
        let found = explained(&declaration(script), &[("score", number(given))]);
        found.path.into_iter().collect::<Vec<String>>().join(" ")
    };
    let shared = "approve.1 if.1 if.1/";
    assert_eq!(path("0.7"), format!("{shared}then if.1/then/decline.1 if.2"));
    assert_eq!(path("0.3"), format!("{shared}then.2 if.1/then.2/review.1 if.2"));
    assert_eq!(path("0.1"), format!("{shared}else if.1/else/review.1 if.2"));
}

#[test]
fn what_may_not_be_seen_is_nowhere() {
    let mut declared = declaration(
        "let code = phone ?? \"none\";\nif code == \"secret-1\" && long > 3 { review(\"R1\"); }\nswitch phone ?? \"x\" { \"secret-1\" => review(\"R2\"), _ => review(\"R3\") }\nlet t = table(\"t\");\nrules(\"knockout\").apply();\nif t.out == \"a\" { review(\"R1\"); }\nif phone in blocked { review(\"R2\"); }\napprove();",
    );
    declared.script.value = declared.script.value.replace("phone in blocked", "(phone ?? \"x\") in blocked");
    declared.lists = vec![list("blocked", &["secret-1"])];
    declared.features = vec![feature("long", "len(phone ?? \"x\")"), feature("echo", "phone ?? \"x\"")];
    declared.tables = vec![table("t", TableHitPolicy::First, "echo; -> out\n secret-1; a\n -; b")];
    declared.rule_sets = vec![rule_set(
        HitPolicy::Collect,
        vec![rule("known", "echo == \"secret-1\" || long == 8", "review", "R1")],
    )];
    let given = [("phone", Given::Text("secret-1".to_owned()))];
    let plain = format!("{:?}", explained(&declared, &given).steps);
    assert!(plain.contains("echo \\\"secret-1\\\" =="), "{plain}");
    let masked = explained_without(&declared, &given, &["phone"]);
    let shown = format!("{:?} {:?}", masked.steps, masked.why_not);
    assert!(shown.contains("echo *** ==") && shown.contains("long *** > 3"), "{shown}");
    // What the analyst wrote stays; what the caller sent is gone: no value `secret-1`, and not its length.
    assert!(!shown.contains("Text(\"secret-1\")"), "{shown}");
    assert!(!shown.contains("Integer(8)") && !shown.contains("phone \\\"secret"), "{shown}");
}
