//! `model.yaml` and `train.yaml`.

use serde_json::{Value as Json, json};

use super::{boolean, integer, list, named, number, object, text, with, word};

pub(super) fn model() -> Json {
    let version =
        json!({"type": "integer", "minimum": 1, "description": "a numbered folder beside this file"});
    let aliases = named("names of versions; flows say `model@champion`", version);
    let versions = json!({"type": "array", "items": {"type": "integer", "minimum": 1}});
    let some = [("latest", positive("so many of the highest numbers")), ("versions", versions)];
    let serve = json!({
        "description": "the versions that answer at the model doors, besides those that aliases name",
        "anyOf": [{"enum": ["all"]}, object("some of them", &some)],
    });
    let keys = [("aliases", aliases), ("serve", serve)];
    let schema = object("Which version a flow means by `model@alias`, and which answer by themselves", &keys);
    with(schema, &[], json!({"aliases": {"champion": 1, "challenger": 2}, "serve": {"latest": 2}}))
}

fn plain(description: &str) -> Json {
    json!({"type": "string", "description": description})
}

/// What stands for a value that is not there or not declared: one of `words`, or `{ as: VALUE }`.
fn fallback(description: &str, words: &[&str]) -> Json {
    let value = json!({"type": ["string", "number", "boolean"]});
    json!({
        "description": description,
        "anyOf": [{"enum": words}, object("this value stands for it", &[("as!", value)])],
    })
}

fn positive(description: &str) -> Json {
    json!({"type": "integer", "minimum": 1, "description": description})
}

/// The values of one parameter that a grid tries.
fn tried(of: Json) -> Json {
    json!({"type": "array", "minItems": 1, "items": of})
}

/// The `grid:` of an algorithm.
fn grid() -> Json {
    let keys = [
        ("alpha", tried(number("as beside the grid"))),
        ("trees", tried(positive("as beside the grid"))),
        ("max_depth", tried(positive("as beside the grid"))),
        ("min_rows_in_leaf", tried(positive("as beside the grid"))),
        ("columns_per_split", tried(positive("as beside the grid"))),
        ("max_bins", tried(positive("as beside the grid"))),
        ("min_bin_share", tried(number("as beside the grid"))),
        ("min_information_value", tried(number("as beside the grid"))),
    ];
    object("values to try, every combination of them; `cv` chooses", &keys)
}

/// One entry of `algorithms:`.
fn algorithm() -> Json {
    let kinds = ["logistic_regression", "decision_tree", "forest", "extra_trees", "scorecard"];
    object(
        "one way to fit",
        &[
            ("kind!", word("what is fitted", &kinds)),
            ("grid", grid()),
            ("alpha", number("strength of the L2 penalty; of a logistic regression and a scorecard")),
            ("trees", positive("how many; of a forest and extra trees")),
            ("max_depth", positive("levels of splits; of trees")),
            ("min_rows_in_leaf", positive("of trees")),
            ("columns_per_split", positive("that each split may choose from; of a forest and extra trees")),
            ("seed", json!({"type": "integer", "minimum": 0, "description": "of trees"})),
            ("max_bins", positive("most bins of an input; of a scorecard")),
            ("min_bin_share", number("least share of the rows in a bin; of a scorecard")),
            ("min_information_value", number("an input that tells less is left out; of a scorecard")),
            ("pdo", number("points that double the odds; of a scorecard")),
            ("base_odds", number("good to bad at the base points; of a scorecard")),
            ("base_points", number("points at the base odds; of a scorecard")),
        ],
    )
}

/// One entry of `features:`.
fn feature() -> Json {
    let missing = ["refuse", "median", "most_frequent", "zero", "own"];
    object(
        "one column of the data",
        &[
            ("type!", word("its type", &["integer", "decimal", "number", "boolean", "choice"])),
            ("of", list("the categories of a choice", text("a category"))),
            ("encode", word("how it becomes columns", &["as_is", "standardised", "one_hot"])),
            ("missing", fallback("what happens when it is missing; refused if left out", &missing)),
            (
                "unseen",
                fallback("what happens with another category; refused if left out", &["refuse", "zero"]),
            ),
            (
                "out_of_range",
                word(
                    "what becomes of a number beyond those of the data, with a note",
                    &["keep", "clip", "refuse"],
                ),
            ),
            ("reason", text("the reason code when it spoke against somebody")),
            ("cuts", list("where a scorecard's bins begin", number("ascending"))),
            (
                "trend",
                word("how the bad rate goes over a scorecard's bins", &["auto", "rising", "falling", "any"]),
            ),
        ],
    )
}

#[expect(clippy::too_many_lines, reason = "one document's keys, in the order in which they are written")]
pub(super) fn train() -> Json {
    let left_out = object(
        "columns that no model may read",
        &[
            ("columns!", list("their names", plain("a column"))),
            ("because!", plain("why")),
            ("protected", boolean("the law protects it: the card tells how its groups fare")),
        ],
    );
    let keys = [
        ("model!", plain("the name of the folder")),
        ("title", plain("for people")),
        (
            "flow",
            plain("the flow whose features are computed on the rows, as it computes them when it decides"),
        ),
        ("at", plain("the column that says when a row was decided, for features that depend on it")),
        (
            "data!",
            object(
                "where the rows are",
                &[
                    ("file!", plain("a CSV file, relative to this one")),
                    ("separator", plain("`,` if left out")),
                ],
            ),
        ),
        (
            "target!",
            object(
                "the column that says how it turned out",
                &[
                    ("column!", plain("its name")),
                    ("bad!", plain("the value that the probability is of")),
                    ("good!", plain("the other")),
                ],
            ),
        ),
        (
            "split!",
            object(
                "what is held out and never fitted on",
                &[
                    ("test_fraction!", json!({"type": "number", "minimum": 0.05, "maximum": 0.95})),
                    ("seed!", integer("the same seed holds out the same rows")),
                ],
            ),
        ),
        (
            "cv",
            object(
                "cross-validation on the training rows",
                &[("folds!", json!({"type": "integer", "minimum": 2, "maximum": 20}))],
            ),
        ),
        (
            "cut_off",
            json!({"type": "number", "minimum": 0, "maximum": 1, "description": "the card counts approvals up to this probability"}),
        ),
        (
            "decimals",
            json!({"type": "integer", "minimum": 1, "description": "to which flows see the probability; 6 if left out"}),
        ),
        (
            "explain",
            word(
                "when its answers are explained in the record; only when asked if left out",
                &["asked", "adverse", "always"],
            ),
        ),
        ("algorithm!", plain("the one of `algorithms` that is used when none is asked for")),
        ("algorithms!", named("ways to fit, by name", algorithm())),
        ("features!", named("the columns that are fitted on", feature())),
        ("left_out", list("columns left out, and why", left_out)),
        (
            "known_limits",
            list("what a user of the model must know; it goes onto the card", plain("a sentence")),
        ),
    ];
    with(object("A recipe: data, target, features, algorithms", &keys), &[], recipe_example())
}

/// A recipe with every key.
fn recipe_example() -> Json {
    json!({
        "model": "german_credit", "title": "Risk of default",
        "flow": "personal_loan", "at": "decided_on",
        "data": {"file": "data/german_credit.csv", "separator": ","},
        "target": {"column": "outcome", "bad": "bad", "good": "good"},
        "split": {"test_fraction": 0.3, "seed": 7},
        "cv": {"folds": 5}, "cut_off": 0.45,
        "decimals": 6, "explain": "adverse", "algorithm": "forest",
        "algorithms": {
            "forest": {"kind": "forest", "trees": 100, "grid": {"max_depth": [4, 8]}},
            "scorecard": {"kind": "scorecard", "max_bins": 5, "pdo": 20, "base_odds": 50, "base_points": 600},
        },
        "features": {
            "housing": {"type": "choice", "of": ["own", "rent"], "encode": "one_hot", "unseen": "refuse"},
            "amount": {"type": "decimal", "missing": "median", "out_of_range": "keep", "reason": "H10", "cuts": [1000, 5000], "trend": "rising"},
        },
        "left_out": [{"columns": ["age"], "because": "a protected attribute", "protected": true}],
        "known_limits": ["one bank, one decade"],
    })
}
