//! What a flow does and what differs between two, on a small flow that uses every kind of statement: the outline, its
//! pictures, and the changes that are told or not.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use tollgate::bundle::{Documents, FlowRevision, Flows, Side, build, flow_difference};
use tollgate::documents::findings::Colour;
use tollgate::documents::{definitions, difference, outline};
use tollgate::domain::difference::{Change, Stated, difference as compare};
use tollgate::domain::outline::Outline;
use tollgate::domain::value::Name;

const FLOW: &str = "\
flow: loan
title: A loan <small> & \"quick\"
inputs:
  age: { type: integer, min: 0, max: 120, unit: years }
  amount: { type: decimal, min: 0 }
  housing: { type: choice, of: [own, rent] }
  debts: { type: list, of: decimal }
features:
  is_large: amount > large_amount
thresholds:
  min_age: 18
  large_amount: 5000.00
  max_points: 60
outputs:
  limit: { type: decimal }
outcomes: [approve, review, decline]
reasons:
  R1: { en: Too young, de: Zu jung }
  R2: { en: Many weak points }
  R9: { en: Needs a look }
on_error: { outcome: review, reason: R9 }
";
const KNOCKOUT: &str = "\
rule_set: knockout
hit_policy: first
rules:
  - id: under_age
    when: age < min_age
    outcome: decline
    reason: R1
  - id: large_rent
    when: is_large && (housing == \"rent\" || age > 90)
    points: 30
    reason: R2
";
const SCRIPT: &str = "\
fn capped(x) { min(x, large_amount) }

let found = rules(\"knockout\");
found.apply();
let total = 0;
for debt in debts {
    if debt > large_amount { break; }
    total += 1;
}
if found.points > max_points || total > 10 {
    review(found.reasons, \"R2\");
} else if housing == \"rent\" {
    review(\"R9\");
}
switch housing {
    \"own\" => approve(#{ limit: capped(amount) }),
    _ => approve(#{ limit: amount })
}
";

fn built(edits: &[(&str, &str)]) -> Arc<FlowRevision> {
    let edited = |text: &str| {
        let apply = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
        edits.iter().fold(text.to_owned(), apply).into_bytes()
    };
    let built = build(&Documents::from_files([
        ("rules/loan/flow.yaml", edited(FLOW)),
        ("rules/loan/knockout.rules.yaml", edited(KNOCKOUT)),
        ("rules/loan/flow.rhai", edited(SCRIPT)),
    ]));
    let said: Vec<_> = built.diagnostics.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
    assert!(!built.has_errors(), "{said:?}");
    Arc::clone(built.bundle.flow("loan").unwrap())
}

fn outlined() -> Outline {
    Outline::of(&built(&[]).declaration).unwrap()
}

fn stated(flow: &FlowRevision) -> Stated<'_> {
    Stated { declaration: &flow.declaration, usage: &flow.flow.usage }
}

fn changes(edits: &[(&str, &str)]) -> Vec<Change> {
    for (from, _) in edits {
        assert!([FLOW, KNOCKOUT, SCRIPT].iter().any(|text| text.contains(from)), "{from}");
    }
    compare(stated(&built(&[])), stated(&built(edits)))
}

fn told(edits: &[(&str, &str)]) -> String {
    difference::text(&changes(edits), "", Colour::Never)
}

#[test]
fn the_tree_says_what_the_flow_does() {
    insta::assert_snapshot!(outline::tree(&outlined(), Colour::Never));
}

#[test]
fn the_flowchart_has_every_way() {
    insta::assert_snapshot!(outline::mermaid(&outlined()));
}

#[test]
fn ids_stay_when_something_else_is_edited() {
    let ids = |outline: &Outline| {
        let mut ids = Vec::new();
        outline.visit(&mut |node| ids.push(node.id.clone()));
        ids
    };
    let before = ids(&outlined());
    let unique: std::collections::BTreeSet<_> = before.iter().collect();
    assert_eq!(unique.len(), before.len(), "{before:?}");
    let edits = [
        ("let total = 0;", "// more\nlet other = age;\n\n  let total = 0 ;"),
        ("debt > large", "debt >= large"),
    ];
    let after = ids(&Outline::of(&built(&edits).declaration).unwrap());
    assert!(before.iter().all(|id| after.contains(id)), "{before:?}\n{after:?}");
}

/// The numbers of the attributes of an SVG element.
fn numbers(element: &str) -> [f64; 4] {
    ["x", "y", "width", "height"].map(|name| {
        let rest = element.split(&format!(" {name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    })
}

#[test]
fn no_boxes_of_the_picture_overlap_and_its_text_is_escaped() {
    let svg = outline::svg(&outlined());
    assert!(svg.contains("A loan &lt;small&gt; &amp; &quot;quick&quot;") && !svg.contains("href"), "{svg}");
    let rects: Vec<[f64; 4]> = svg
        .split("<rect ")
        .skip(1)
        .filter(|rect| !rect.starts_with("class=\"back\"") && !rect.starts_with("class=\"frame\""))
        .map(numbers)
        .collect();
    assert!(rects.len() > 10, "{svg}");
    for (index, [x, y, width, height]) in rects.iter().enumerate() {
        assert!(*x >= 0.0 && *y >= 0.0, "{x} {y}");
        for [other_x, other_y, other_width, other_height] in rects.iter().skip(index + 1) {
            let apart = x + width <= *other_x
                || other_x + other_width <= *x
                || y + height <= *other_y
                || other_y + other_height <= *y;
            assert!(apart, "{x} {y} {width} {height} / {other_x} {other_y} {other_width} {other_height}");
        }
    }
}

#[test]
fn what_means_the_same_is_no_difference() {
    let same: &[&[(&str, &str)]] = &[
        &[],
        &[("age < min_age", "age<min_age"), ("large_amount: 5000.00", "large_amount: 5000")],
        &[("(housing == \"rent\" || age > 90)", "((housing==\"rent\") || (age>90))")],
        &[("let total = 0;", "\n\n// count them\nlet   total=0;")],
        &[
            ("title: A loan <small> & \"quick\"\ninputs:", "inputs:"),
            ("on_error:", "title: A loan <small> & \"quick\"\non_error:"),
        ],
        &[("hit_policy: first", "hit_policy: 'first'")],
    ];
    for edits in same {
        assert_eq!(told(edits), "", "{edits:?}");
    }
    let (one, other) = (built(&[]), built(&[]));
    let among = Flows::new();
    let side = |flow| Side { flow, among: &among };
    assert_eq!(flow_difference(side(&one), side(&other), &Name::from("loan")), None);
}

#[test]
fn what_changed_in_meaning_is_told() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("min_age: 18", "min_age: 21")], "~ threshold min_age: 18 → 21\n"),
        (
            &[("age < min_age", "age <= min_age")],
            "~ rule knockout/under_age, when: age < min_age → age <= min_age\n",
        ),
        (&[("id: under_age", "id: too_young")], "~ rule knockout/too_young renamed: under_age → too_young\n"),
        (&[("points: 30", "points: 40")], "~ rule knockout/large_rent, points: 30 → 40\n"),
        (
            &[("hit_policy: first", "hit_policy: collect")],
            "~ rule set knockout, hit policy: first → collect\n",
        ),
        (&[("de: Zu jung", "de: Jung")], "~ reason R1, de: Zu jung → Jung\n"),
        (&[("max: 120", "max: 110")], "~ input age, max: 120 → 110\n"),
        (
            &[("of: [own, rent]", "of: [own, rent, free]")],
            "~ input housing, type: choice of own, rent → choice of own, rent, free\n",
        ),
        (
            &[("is_large: amount > large_amount", "is_large: amount >= large_amount")],
            "~ feature is_large, formula: amount > large_amount → amount >= large_amount\n",
        ),
        (
            &[("outcome: review, reason: R9", "outcome: decline, reason: R9")],
            "~ flow loan, on error: review: R9 → decline: R9\n",
        ),
        (
            &[("min(x, large_amount)", "max(x, large_amount)")],
            "~ function capped: min(x, large_amount) → max(x, large_amount)\n",
        ),
        (
            &[("    review(\"R9\");\n", "    decline(\"R9\");\n")],
            "~ script flow.rhai (else if housing == \"rent\"): review(\"R9\") → decline(\"R9\")\n",
        ),
        (
            &[("    total += 1;\n", "    total += 1;\n    total += 0;\n")],
            "+ script flow.rhai (for debt in debts): total += 0\n",
        ),
    ];
    for (edits, expected) in cases {
        assert_eq!(told(edits), *expected, "{edits:?}");
    }
}

#[test]
fn a_rule_that_moved_is_told_where_the_first_hit_counts() {
    let (head, rules) = KNOCKOUT.split_once("rules:\n").unwrap();
    let (first, second) = rules.split_once("  - id: large_rent").unwrap();
    let swapped = format!("{head}rules:\n  - id: large_rent{second}{first}");
    assert_eq!(told(&[(KNOCKOUT, &swapped)]), "↕ rule knockout/large_rent moved: behind under_age → first\n");
    let collect = swapped.replace("hit_policy: first", "hit_policy: collect");
    let text = told(&[(KNOCKOUT, &collect)]);
    assert_eq!(text, "~ rule set knockout, hit policy: first → collect\n");
}

#[test]
fn the_definitions_name_everything_that_a_script_can_say() {
    let text = definitions::rhai(&built(&[]).declaration);
    for line in [
        "module static;",
        "/// integer, from 0, to 120, in years\nlet age: int;",
        "let housing: String;",
        "/// 5000.00\nconst large_amount: decimal;",
        "/// amount > large_amount\nlet is_large: ?;",
        "fn rules(name: String) -> Map;",
        "fn decline(reasons: ?);",
        "fn approve(outputs: Map);",
        "fn pmt(x1: ?, x2: ?, x3: ?) -> ?;",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
