//! Artefacts that were cut, edited or made up: each is refused, and says why.

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::model::{Encoding, ExplainWhen, Fallback};
use crate::domain::value::Kind;

fn features() -> Vec<Feature> {
    let number = Feature {
        name: Arc::from("amount"),
        kind: Kind::Decimal,
        encoding: Encoding::Standardised { mean: 0.1, scale: 1.0 / 3.0 },
        missing: Fallback::As(Value::Decimal("0.30".parse().unwrap())),
        flags_missing: false,
        unseen: Fallback::Refuse,
        range: None,
    };
    let choice = Feature {
        name: Arc::from("purpose"),
        kind: Kind::Choice(["car", "other"].map(Arc::from).into()),
        encoding: Encoding::OneHot,
        missing: Fallback::Refuse,
        flags_missing: false,
        unseen: Fallback::As(Value::text("other")),
        range: None,
    };
    vec![number, choice]
}

fn weights(kind: &str) -> Weights {
    match kind {
        "forest" => {
            let split = Node::Split { column: 0, threshold: 0.1 + 0.2, low: 1, high: 2 };
            let deeper = Node::Split { column: 2, threshold: 0.5, low: 3, high: 4 };
            // Deliberately not breadth first: the stored form is.
            let other = Node::Split { column: 1, threshold: 0.5, low: 1, high: 4 };
            let below = Node::Split { column: 0, threshold: -0.7, low: 2, high: 3 };
            let leaf = |value: f64| Node::Leaf(value);
            Weights::Forest {
                trees: vec![
                    vec![split, deeper, leaf(1.0 / 3.0), leaf(0.1), leaf(2.0 / 7.0)],
                    vec![other, below, leaf(0.2), leaf(0.7), leaf(1.0)],
                ],
            }
        }
        _ => Weights::Logistic { intercept: -1.0 / 7.0, coefficients: vec![0.1, 1e-300, 2.0 / 3.0] },
    }
}

fn bytes(kind: &str) -> Vec<u8> {
    let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
    write(Ingredients {
        target: TargetStored { column: "outcome".to_owned(), bad: "bad".to_owned() },
        decimals: 6,
        fitted_with: FittedWith {
            library: "smartcore".to_owned(),
            library_version: "0.7.0".to_owned(),
            algorithm: kind.to_owned(),
            parameters: json!({}),
        },
        features: &features(),
        weights: &weights(kind),
        golden: vec![
            vec![decimal("0.10"), Value::text("car")],
            vec![Value::Missing, Value::text("unheard of")],
            vec![decimal("-12.5"), Value::text("other")],
        ],
        background: crate::domain::model::Background::default(),
        reasons: &std::collections::BTreeMap::new(),
        explains: ExplainWhen::Asked,
    })
    .unwrap()
}

fn read(bytes: &[u8]) -> Result<Model, ArtefactError> {
    load(bytes, Arc::from("m"), 3)
}

#[test]
fn what_is_written_is_read_again_to_the_last_bit() {
    for kind in ["forest", "logistic"] {
        let bytes = bytes(kind);
        let model = read(&bytes).unwrap();
        assert_eq!((&*model.name, model.version, model.decimals), ("m", 3, 6));
        assert_eq!(model.digest, digest(&bytes));
        let again: Artefact = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json::to_vec(&again).unwrap(), bytes.trim_ascii_end());
        assert!(!String::from_utf8(bytes).unwrap().contains("version\":3"));
    }
}

#[test]
fn floats_keep_their_bits_through_json() {
    use proptest::prelude::*;
    proptest!(|(bits in any::<u64>())| {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let back: f64 = serde_json::from_str(&serde_json::to_string(&number).unwrap()).unwrap();
        prop_assert_eq!(back.to_bits(), bits);
    });
}

/// Loads a small artefact after `edit`, and looks at what is said.
#[track_caller]
fn refused(kind: &str, edit: impl FnOnce(&mut Json), says: &str) {
    let mut artefact: Json = serde_json::from_slice(&bytes(kind)).unwrap();
    edit(&mut artefact);
    let error = read(&serde_json::to_vec(&artefact).unwrap()).unwrap_err().to_string();
    assert!(error.contains(says), "{error:?} does not say {says:?}");
}

#[test]
fn an_edited_forest_is_refused_with_the_place() {
    let tree = |edit: fn(&mut Json)| {
        move |artefact: &mut Json| edit(&mut artefact["predictor"]["forest"]["trees"][1])
    };
    let check = |edit: fn(&mut Json), says: &str| refused("forest", tree(edit), says);
    check(|tree| tree["column"][0] = json!(3), "tree 1, node 0: it splits on a column that does not exist");
    check(|tree| tree["column"][0] = json!(-2), "tree 1: a column is below -1");
    check(|tree| tree["value"][2] = json!(1.5), "tree 1, node 2: a leaf's value is not a probability");
    check(|tree| tree["value"][0] = json!(null), "is not what a model has there");
    check(|tree| tree["column"][3] = json!(0), "tree 1, node 3: a child does not exist");
    // A root that is a leaf, and a split after it: its children would stand before it.
    check(|tree| *tree = json!({"column": [-1, 0, -1], "value": [0.5, 0.5, 0.5]}), "tree 1, node 1:");
    check(
        |tree| *tree = json!({"column": [-1, -1], "value": [0.5, 0.5]}),
        "tree 1, node 1: no split leads to it",
    );
    check(
        |tree| *tree = json!({"column": [-1], "value": []}),
        "tree 1: `column` and `value` are not of one length",
    );
    check(|tree| *tree = json!({"column": [], "value": []}), "tree 1 has 0 nodes");
    check(|tree| tree["value"][2] = json!(0.25), "golden row 0 gives another probability");
    refused("forest", |a| a["predictor"]["forest"]["trees"] = json!([]), "a forest needs 1 to 10000 trees");
}

#[test]
fn an_edited_logistic_regression_is_refused() {
    let path = "/predictor/logistic_regression/coefficients";
    let check = |to: Json, says: &str| refused("logistic", |a| *a.pointer_mut(path).unwrap() = to, says);
    check(json!([0.1, 0.2]), "the features give 3 columns, but the weights are for 2");
    check(json!([0.1, 0.2, 0.3, 0.4]), "the features give 3 columns, but the weights are for 4");
    check(json!([0.1, null, 0.3]), "is not what a model has there");
    check(json!([0.1, "0.2", 0.3]), "is not what a model has there");
    check(json!([0.1, 0.2, 0.3]), "golden row 0 gives another probability");
}

#[test]
fn what_is_not_the_format_is_called_that() {
    let check = |edit: fn(&mut Json), says: &str| refused("logistic", edit, says);
    check(|a| a["format"] = json!("pickle"), "its format is not `tollgate-model`");
    check(|a| a["format_version"] = json!(3), "its format version is 3, and this program reads 1 to 2");
    check(|a| a["surprise"] = json!(1), "is not what a model has there");
    check(
        |a| a["features"][0]["type"] = json!("money"),
        "feature `amount`: its type is none that a model reads",
    );
    check(|a| a["features"][1]["of"] = json!(null), "feature `purpose`: a choice needs `of`");
    check(|a| a["features"][1]["of"] = json!(["car"]), "names 3 columns where the features give 2");
    check(|a| a["features"].as_array_mut().unwrap().reverse(), "or names others");
    check(|a| a["features"][0]["encode"]["standardised"]["scale"] = json!(0), "the scale above 0");
    check(
        |a| a["features"][0]["missing_as"] = json!("much"),
        "feature `amount`: `missing_as` is not of its type",
    );
    check(|a| a["features"][1]["unseen_as"] = json!("boat"), "what stands for an unseen category");
    check(|a| a["decimals"] = json!(99), "`decimals` is 99");
    check(|a| a["golden"] = json!([]), "it has no golden row to try it on");
    check(|a| a["golden"][0]["row"] = json!([1]), "golden row 0 cannot be answered");
    let says = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(says(b"[]"), says(b"{}").replace("its format is not `tollgate-model`", &says(b"[]")));
    assert_eq!(says(b"{}"), "its format is not `tollgate-model`");
}

#[test]
fn whatever_is_cut_off_is_missed() {
    let whole = bytes("forest");
    for length in (0..whole.len() - 1).step_by(7) {
        let error = read(&whole[..length]).unwrap_err();
        // Cut inside a number, the last byte is at fault; anywhere else the end is.
        let at_the_end = match error {
            ArtefactError::Truncated { .. } => true,
            ArtefactError::NotAModel { column, .. } => column == length,
            _ => false,
        };
        assert!(at_the_end, "{length}");
    }
}

#[test]
fn bytes_that_are_no_json_number_or_too_many_are_refused() {
    let text = String::from_utf8(bytes("logistic")).unwrap();
    for (from, to) in
        [("1e-300", "NaN"), ("1e-300", "1e999"), ("1e-300", "Infinity"), ("\"decimals\"", "\"format\"")]
    {
        assert!(text.contains(from), "{from} in {text}");
        let error = read(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(matches!(error, ArtefactError::NotAModel { .. }), "{to}: {error}");
    }
    let error = read(&vec![b' '; MAX_BYTES + 1]).unwrap_err();
    assert!(matches!(error, ArtefactError::TooLarge { .. }), "{error}");
    let deep = format!("{{\"format\":{}", "[".repeat(100_000));
    assert!(read(deep.as_bytes()).is_err());
}
