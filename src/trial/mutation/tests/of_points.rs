//! Bounds between sums that points cannot be, and what nobody reads of a row: changes that cannot matter, held to the
//! evaluator on facts at random.

use super::*;

const POINTS: &str = "\
rule_set: odd
takes: { share: integer }
rules:
  - { id: young, when: age < 20, points: 20, reason: R1 }
  - { id: little, when: amount < 10, points: 30, reason: R2 }
  - { id: rents, when: home == \"rent\", points: 30, reason: R9 }
  - { id: shares, when: share > 15, points: 10 }
";
const BANDS: &str = "\
points,-> outcome,-> reason,-> rate,-> note
>= 80,decline,R1,1,a
40..80,review,R2,2,b
< 40,approve,missing,3,c
";
const OF_POINTS: &str = "\
let card = scorecard(\"card\");
let odd = rules(\"odd\", #{ share: card.points });
let band = table(\"bands\", #{ points: odd.points });
if odd.points > 60 && age > 5 { review(odd.reasons, \"R2\"); }
if card.points < 14 { review(\"R9\"); }
switch band.outcome {
    \"decline\" => decline(odd.reasons, \"R1\"),
    \"review\" => review(\"R2\"),
    _ => { if band.rate > 2 { approve(); } else { review(\"R1\"); } }
}
";

fn of_points(script: &str) -> Built {
    built(&[
        ("flow.rhai", script),
        ("odd.rules.yaml", POINTS),
        ("bands.table.csv", BANDS),
        ("bands.table.yaml", "table: bands\nhit_policy: unique\ncolumns: { points: integer }\n"),
        ("card.scorecard.yaml", CARD),
    ])
}

/// The changes of the flow that are called equivalent.
fn equivalents(built: &Built) -> Vec<String> {
    let revision = built.flows.values().next().unwrap().revision.clone().unwrap();
    let one = Compiled { flow: &revision.flow, declaration: &revision.declaration };
    let all = mutants::of(&revision, &built.bundle.models).into_iter();
    let is_alike = |mutant: &mutants::Mutant| {
        let declaration = mutant.change.made(&revision.declaration).unwrap();
        Flow::compile_unanalysed(&declaration)
            .is_some_and(|flow| answers_alike(one, Compiled { flow: &flow, declaration: &declaration }))
    };
    all.filter(is_alike).map(|mutant| mutant.shown).collect()
}

#[test]
fn sums_of_points_that_cannot_be_are_no_bounds_to_miss() {
    let built = of_points(OF_POINTS);
    let found = equivalents(&built);
    for (change, is_equivalent) in [
        // Sums are tens.
        ("row 1 of bands: points >= 80 → >= 79", true),
        ("row 1 of bands: points >= 80 → >= 81", false),
        ("row 2 of bands: points 40..80 → [40..79)", true),
        ("row 2 of bands: points 40..80 → [40..81)", false),
        ("row 3 of bands: points < 40 → < 39", true),
        ("row 3 of bands: points < 40 → <= 40", false),
        // The scorecard gives 11, 14, 19.
        ("14 → 13", true),
        ("14 → 15", false),
        ("card.points < 14 → card.points <= 14", false),
        ("rule shares: 15 → 16", true),
        ("rule shares: 15 → 14", true),
        ("rule shares: share > 15 → share >= 15", true),
        // A step up brings no sum over a bound; one down does, and among equals the order of reasons.
        ("rule young: points 20 → 21", false),
        ("rule young: points 20 → 19", false),
        ("rule little: points 30 → 31", false),
        ("rule rents: points 30 → 31", false),
        ("rule shares: points 10 → 11", false),
        ("rule shares: points 10 → 9", false),
        // Nobody reads the note, nor the reason; the rate only where the outcome is neither of two.
        ("row 1 of bands: note a → b", true),
        ("row 1 of bands: reason R1 → R2", true),
        ("row 1 of bands: rate 1 → 2", true),
        ("row 3 of bands: rate 3 → 2", false),
        ("row 2 of bands: outcome review → decline", false),
    ] {
        assert_eq!(found.iter().any(|one| one == change), is_equivalent, "`{change}` in {found:#?}");
    }
}

/// What was returned from before is not met after it.
#[test]
fn what_cannot_be_where_a_step_is_asked_is_no_bound_to_miss() {
    let returning =
        OF_POINTS.replace("let band =", "if odd.points >= 80 { decline(\"R1\"); return; }\nlet band =");
    let found = equivalents(&of_points(&returning));
    for (change, is_equivalent) in [
        ("drop row 1 of bands", true),
        ("row 1 of bands: outcome decline → review", true),
        ("row 2 of bands: points 40..80 → [40..81)", true),
        ("row 2 of bands: points 40..80 → [41..80)", false),
        ("80 → 79", true),
        ("80 → 81", false),
    ] {
        assert_eq!(found.iter().any(|one| one == change), is_equivalent, "`{change}` in {found:#?}");
    }
}

#[test]
fn what_is_said_of_points_differs_on_no_facts() {
    let scripts = [
        OF_POINTS.to_owned(),
        // Where the result goes elsewhere, nothing is known of it.
        OF_POINTS.replace("let card =", "let other = rules(\"odd\", #{ share: 3 });\nlet card ="),
        OF_POINTS.replace("odd.points > 60", "odd.points + 1 > 60"),
        OF_POINTS.replace("\"decline\" =>", "\"decline\" if odd.points > 85 =>"),
        OF_POINTS
            .replace("switch band.outcome {", "if band.rate == 2 { review(\"R9\"); }\nswitch band.outcome {"),
    ];
    let returning = |from: &str| OF_POINTS.replace("let band =", &format!("{from}let band ="));
    let more = [
        returning("if odd.points >= 80 { decline(\"R1\"); return; }\n"),
        returning("if age > 3 { if odd.points < 40 { review(\"R9\"); return; } }\n"),
        returning("let n = 0;\nwhile n < 2 { if odd.points > 50 { review(\"R1\"); return; } n += 1; }\n"),
    ];
    for script in scripts.into_iter().chain(more) {
        let built = of_points(&script);
        let revision = built.flows.values().next().unwrap().revision.clone().unwrap();
        let (changes, admitted) = equivalents_differ_nowhere(&revision, &built.bundle.models, 1_000);
        assert!(changes >= 5 && admitted > 1_000, "{changes} changes, {admitted} facts, {script}");
    }
}

#[test]
fn what_is_called_equivalent_in_the_samples_differs_on_no_facts() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = build(&read_folder(&root.join("rules"), &root.join("models")));
    for report in built.flows.values() {
        let revision = report.revision.as_ref().unwrap();
        for revision in std::iter::once(revision).chain(revision.markets.values()) {
            equivalents_differ_nowhere(revision, &built.bundle.models, 20);
        }
    }
}
