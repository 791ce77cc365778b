//! `model.yaml` and `train.yaml`.

use serde_json::{Value as Json, json};

use super::{integer, list, named, number, object, text, with, word};

pub(super) fn model() -> Json {
    let version =
        json!({"type": "integer", "minimum": 1, "description": "a numbered folder beside this file"});
    let aliases = named("names of versions; flows say `model@champion`", version);
    let schema = object("Which version a flow means by `model@alias`", &[("aliases", aliases)]);
    with(schema, &[], json!({"aliases": {"champion": 1, "challenger": 2}}))
}

fn plain(description: &str) -> Json {
    json!({"type": "string", "description": description})
}

fn fallback(description: &str) -> Json {
    let value = json!({"type": ["string", "number", "boolean"]});
    json!({
        "description": description,
        "anyOf": [{"enum": ["refuse"]}, object("this value stands for it", &[("as!", value)])],
    })
}

/// One entry of `algorithms:`.
fn algorithm() -> Json {
    let positive = |description: &str| json!({"type": "integer", "minimum": 1, "description": description});
    object(
        "one way to fit",
        &[
            ("kind!", word("what is fitted", &["logistic_regression", "forest"])),
            ("alpha", number("strength of the L2 penalty; of a logistic regression")),
            ("trees", positive("how many; of a forest")),
            ("max_depth", positive("levels of splits; of a forest")),
            ("min_rows_in_leaf", positive("of a forest")),
            ("columns_per_split", positive("that each split may choose from; of a forest")),
            ("seed", json!({"type": "integer", "minimum": 0, "description": "of a forest"})),
        ],
    )
}

/// One entry of `features:`.
fn feature() -> Json {
    object(
        "one column of the data",
        &[
            ("type!", word("its type", &["integer", "decimal", "number", "boolean", "choice"])),
            ("of", list("the categories of a choice", text("a category"))),
            ("encode", word("how it becomes columns", &["as_is", "standardised", "one_hot"])),
            ("missing", fallback("what happens when it is missing: refuse, or take this")),
            ("unseen", fallback("what happens with another category: refuse, or take this")),
        ],
    )
}

pub(super) fn train() -> Json {
    let left_out = object(
        "columns that no model may read",
        &[("columns!", list("their names", plain("a column"))), ("because!", plain("why"))],
    );
    let keys = [
        ("model!", plain("the name of the folder")),
        ("title", plain("for people")),
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
            "decimals",
            json!({"type": "integer", "minimum": 1, "description": "to which flows see the probability; 6 if left out"}),
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
    let example = json!({
        "model": "german_credit", "title": "Risk of default",
        "data": {"file": "data/german_credit.csv", "separator": ","},
        "target": {"column": "outcome", "bad": "bad", "good": "good"},
        "split": {"test_fraction": 0.3, "seed": 7},
        "decimals": 6, "algorithm": "forest",
        "algorithms": {"forest": {"kind": "forest", "trees": 100, "max_depth": 8}},
        "features": {"housing": {"type": "choice", "of": ["own", "rent"], "encode": "one_hot", "unseen": "refuse"}},
        "left_out": [{"columns": ["age"], "because": "a protected attribute"}],
        "known_limits": ["one bank, one decade"],
    });
    with(object("A recipe: data, target, features, algorithms", &keys), &[], example)
}
