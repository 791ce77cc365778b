//! Every value has its bin, by the card; a card that cannot be read says why.

use serde_json::json;

use super::*;
use crate::drift::tests::{age_model, model_of};

fn variable(kind: &Kind, histogram: Json) -> Variable {
    Variable::input(&Name::from("x"), kind, &Histogram::deserialize(histogram).unwrap()).unwrap()
}

fn label(variable: &Variable, value: &Value) -> String {
    let (cell, _) = variable.cells(value);
    variable.bins[cell - variable.first].label.to_string()
}

#[test]
fn numbers_fall_between_edges() {
    let bins = variable(
        &Kind::Number,
        json!({ "edges": [936.0, 1275.5, 9e6], "counts": [1, 2, 3, 4], "missing": 5 }),
    );
    for (value, wanted) in [
        (Value::Number(-1.0), "<936"),
        (Value::Number(935.999), "<936"),
        (Value::Integer(936), "936 to <1275.5"),
        (Value::Decimal("1275.5".parse().unwrap()), "1275.5 to <9000000"),
        (Value::Number(1e300), ">=9000000"),
        (Value::Missing, MISSING),
    ] {
        assert_eq!(label(&bins, &value), wanted);
    }
    assert_eq!(bins.expected(), 15);
}

#[test]
fn choices_and_booleans_fall_into_their_own_bins() {
    let bins = variable(&Kind::Choice([].into()), json!({ "categories": ["rent", "own"], "counts": [1, 2] }));
    for (value, wanted) in [("own", "own"), ("rent", "rent"), ("tent", UNSEEN), ("", UNSEEN)] {
        assert_eq!(label(&bins, &Value::text(value)), wanted);
    }
    assert_eq!(label(&bins, &Value::Missing), MISSING);
    let bins = variable(&Kind::Boolean, json!({ "categories": ["false", "true"], "counts": [1, 2] }));
    assert_eq!(label(&bins, &Value::Boolean(true)), "true");
    assert_eq!(label(&bins, &Value::Boolean(false)), "false");
}

#[test]
fn of_very_many_categories_the_rarest_share_a_bin() {
    let categories: Vec<String> = (0..1000).map(|at| format!("c{at}")).collect();
    let counts: Vec<u64> = (0..1000).collect();
    let bins = variable(&Kind::Choice([].into()), json!({ "categories": categories, "counts": counts }));
    assert_eq!(bins.bins.len(), MOST_BINS + 2);
    assert_eq!(bins.expected(), 1000 * 999 / 2);
    assert_eq!(label(&bins, &Value::text("c999")), "c999");
    assert_eq!(label(&bins, &Value::text("c937")), "c937");
    assert_eq!(label(&bins, &Value::text("c936")), OTHER);
    assert_eq!(label(&bins, &Value::text("c0")), OTHER);
    assert_eq!(label(&bins, &Value::text("c1000")), UNSEEN);
}

#[test]
fn labels_have_as_many_digits_as_tell_edges_apart() {
    assert_eq!(labels(&[]), ["any"]);
    assert_eq!(labels(&[0.035_618_740, 0.061_989_326]), ["<0.03562", "0.03562 to <0.06199", ">=0.06199"]);
    assert_eq!(labels(&[0.123_451, 0.123_452]), ["<0.123451", "0.123451 to <0.123452", ">=0.123452"]);
}

#[test]
fn every_sample_has_a_reference_or_says_why_not() {
    let library =
        crate::learn::library::read_models(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
    let mut compared = 0;
    for version in library.models().values().flat_map(|model| model.versions.values()) {
        let model = version.model.as_ref().unwrap();
        match Layout::of(model, version) {
            Ok(layout) => {
                compared += 1;
                assert_eq!(layout.inputs.len(), model.inputs.len());
                let held_out = version.card.pointer("/split/held_out_rows").and_then(Json::as_u64);
                assert_eq!(
                    Some(layout.score.expected()),
                    held_out,
                    "the score's are of rows that it has not seen"
                );
            }
            Err(why) => assert!(matches!(why, NoReference::NotInCard { .. }), "{why}"),
        }
    }
    assert_eq!(compared, 3);
}

#[test]
fn a_card_that_cannot_be_read_says_why() {
    let score = json!({ "edges": [0.5], "counts": [5, 5] });
    let age = json!({ "input": "age", "edges": [30.0], "counts": [5, 5] });
    let says = |reference: Json| Layout::read(&age_model(), &reference).unwrap_err().to_string();
    for (reference, wanted) in [
        (json!({ "score": score }), "missing field `inputs`"),
        (json!({ "score": score, "inputs": [] }), "it has nothing for `age`"),
        (
            json!({ "score": { "edges": [0.5], "counts": [5] }, "inputs": [age] }),
            "`score` has not one count more",
        ),
        (
            json!({ "score": { "edges": [0.5, 0.5], "counts": [5, 1, 1] }, "inputs": [age] }),
            "each above the last",
        ),
        (json!({ "score": score, "inputs": [{ "input": "age", "counts": [0] }] }), "`age` has no row"),
    ] {
        let found = says(reference);
        assert!(found.starts_with("its `reference` cannot be read: "), "{found}");
        assert!(found.contains(wanted), "{found}");
        assert!(found.contains("`tollgate models reference ages@1 --rows FILE`"), "the way out: {found}");
    }
}

#[test]
fn without_a_reference_the_way_to_one_is_named() {
    let says = |card: Json| {
        let (digest, artefact) = (std::sync::Arc::from("sha256:0"), [].into());
        let model = Ok(std::sync::Arc::new(age_model()));
        let version = LibraryVersion { version: 1, digest, artefact, card, reference_given: None, model };
        Layout::of(&age_model(), &version).unwrap_err()
    };
    assert_eq!(says(Json::Null), NoReference::NoCard);
    let why = says(json!({}));
    assert_eq!(why, NoReference::NotInCard { model: Name::from("ages"), version: 1 });
    assert!(why.to_string().contains("`tollgate models reference ages@1 --rows FILE` gives it one"), "{why}");
}

#[test]
fn numbers_beyond_the_range_are_in_their_bin_and_counted_apart() {
    let range = Range { low: 18.0, high: 75.0, beyond: crate::domain::model::Beyond::Keep };
    let reference = json!({
        "score": { "edges": [], "counts": [5] },
        "inputs": [{ "input": "age", "edges": [30.0], "counts": [5, 5] }],
    });
    let layout = Layout::read(&model_of(Some(range)), &reference).unwrap();
    assert_eq!(layout.cells, 1 + 4 + 1);
    let age = &layout.inputs[0];
    assert_eq!(age.cells(&Value::Integer(18)), (1, None));
    assert_eq!(age.cells(&Value::Integer(17)), (1, Some(5)));
    assert_eq!(age.cells(&Value::Integer(99)), (2, Some(5)));
    assert_eq!(age.beyond(), Some(5));
}
