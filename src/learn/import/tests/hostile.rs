//! What is no model, what is cut, and what was changed at random: refused with a reason, without a panic.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn refused(bytes: &[u8], says: &str) {
    let error = try_read(bytes).unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn formats_that_are_not_read_are_named_with_what_to_export() {
    let check = |bytes: &[u8], says: &str, help: &str| {
        let error = try_read(bytes).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.help().unwrap().contains(help), "{:?}", error.help());
    };
    check(b"\x80\x04\x95\x0b\x00", "Python pickle", "skl2onnx");
    check(b"\x78\x9c\xab", "joblib", "save_model(\"model.json\")");
    check(b"PK\x03\x04....", "H2O MOJO", "XGBoost");
    check(b"\x89HDF\r\n", "Keras", "tf2onnx");
    check(b"CBM1....", "CatBoost", "format=\"onnx\"");
    check(b"{\"oblivious_trees\": []}", "CatBoost's JSON", "onnx");
    check(b"binf\x00\x00", "old binary format", "save_model");
    check(b"....TFL3", "TensorFlow Lite", "tf2onnx");
    check(b"\x1f\x8b\x08", "compressed", "unpack");
    check(b"booster[0]:\n0:[f0<1]", "dump for people", "save_model");
    check(
        b"{\"name\": \"tree\", \"tree_info\": [{\"tree_structure\": {}}]}",
        "LightGBM's dump",
        "save_model",
    );
    check(b"{\"a\": 1}", "no model that is known", "LightGBM's text");
    check(b"", "empty", "ONNX");
    check(b"hello", "not known", "ONNX");
}

fn edited(file: &str, from: &str, to: &str) -> Vec<u8> {
    let text = fs::read_to_string(fixture(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn objectives_and_shapes_that_are_not_read_are_refused_by_name() {
    refused(&edited("xgb_credit.json", "binary:logistic", "rank:ndcg"), "its objective is `rank:ndcg`");
    refused(&edited("xgb_credit.json", "\"num_class\":\"0\"", "\"num_class\":\"3\""), "several classes");
    refused(
        &edited("xgb_credit.json", "\"name\":\"gbtree\"", "\"name\":\"forest\""),
        "its booster is `forest`",
    );
    refused(
        &edited("lgb_credit.txt", "objective=binary", "objective=lambdarank"),
        "its objective is `lambdarank`",
    );
    refused(&edited("lgb_credit.txt", "num_class=1", "num_class=3"), "several classes");
    refused(&edited("lgb_credit.txt", "is_linear=0", "is_linear=1"), "its leaves are linear models");
    let pmml = |from: &str, to: &str| edited("scorecard.pmml", from, to);
    refused(&pmml("<Scorecard", "<TreeModel/><NoScorecard"), "no XML");
    refused(&pmml("operator=\"isMissing\"", "operator=\"isLucky\""), "`isLucky` is no operator");
    refused(
        &pmml(
            "<DataDictionary>",
            "<TransformationDictionary><DerivedField/></TransformationDictionary><DataDictionary>",
        ),
        "derives fields",
    );
    refused(b"<!DOCTYPE a [<!ENTITY x \"y\">]><PMML/>", "no XML");
    refused(b"<html/>", "is no PMML");
}

/// As the libraries themselves write what is not read.
#[test]
fn what_the_libraries_write_and_is_not_read_is_refused_by_name() {
    let check = |file: &str, says: &str| refused(&fs::read(fixture(file)).unwrap(), says);
    check("refused_xgb_classes.json", "several classes");
    check("refused_xgb_rank.json", "its objective is `rank:ndcg`");
    check("refused_lgb_classes.txt", "several classes");
    check("refused_lgb_linear.txt", "its leaves are linear models");
    check("refused_sk_classes.onnx", "classes");
}

#[test]
fn circles_wrong_numbers_and_counts_are_refused_with_their_place() {
    let text = fs::read_to_string(fixture("xgb_credit.json")).unwrap();
    let children = text.split("\"left_children\":[").nth(1).unwrap().split(']').next().unwrap();
    let first = children.split(',').next().unwrap();
    let circle = children.replacen(first, "0", 1);
    refused(
        &edited("xgb_credit.json", children, &circle),
        "tree 0: a node has two parents, or the nodes go in a circle",
    );
    refused(
        &edited(
            "xgb_credit.json",
            "\"num_feature\":\"8\",\"num_target",
            "\"num_feature\":\"99999999999\",\"num_target",
        ),
        "features",
    );
    refused(
        &edited(
            "xgb_credit.json",
            "\"num_feature\":\"8\",\"num_target",
            "\"num_feature\":\"2\",\"num_target",
        ),
        "num_feature",
    );
    refused(&edited("xgb_credit.json", "\"base_score\":\"[", "\"base_score\":\"[NaN"), "`base_score`");
    let lines = fs::read_to_string(fixture("lgb_credit.txt")).unwrap();
    let threshold = lines.lines().find(|line| line.starts_with("threshold=")).unwrap();
    let (_, rest) = threshold.split_once(' ').unwrap();
    for number in ["NaN", "inf", "1e999"] {
        refused(
            &edited("lgb_credit.txt", threshold, &format!("threshold={number} {rest}")),
            "not a finite number",
        );
    }
    refused(&edited("lgb_credit.txt", "left_child=", "left_child=77 "), "not of one length");
    refused(&edited("lgb_credit.txt", "end of trees", "end of"), "end of trees");
    // Found by `fuzz`: the leaf of the lowest number there is.
    let child = lines.lines().find(|line| line.starts_with("left_child=")).unwrap();
    let (_, others) = child.split_once(' ').unwrap();
    let lowest = format!("left_child={} {others}", i64::MIN);
    refused(&edited("lgb_credit.txt", child, &lowest), "child");
    refused(
        &edited("scorecard.pmml", "partialScore=\"9\"", "partialScore=\"many\""),
        "`partialScore` is not a finite number",
    );
}

/// Each format, small enough to be changed thousands of times.
const FILES: [&str; 8] = [
    "xgb_linear.json",
    "xgb_choices.json",
    "xgb_credit.ubj",
    "lgb_choices.txt",
    "lgb_zero.txt",
    "sk_logistic.onnx",
    "sk_tree.onnx",
    "scorecard.pmml",
];

#[test]
fn files_that_were_cut_are_refused() {
    for file in FILES {
        let bytes = fs::read(fixture(file)).unwrap();
        let cuts = if file.ends_with("json") || bytes.len() > 20_000 { 40 } else { 200 };
        for part in 1..cuts {
            let cut = &bytes[..bytes.len() * part / cuts];
            // LightGBM writes what nobody needs behind its trees.
            let whole = file.ends_with("txt") && cut.windows(12).any(|word| word == b"end of trees");
            assert!(whole || try_read(cut).is_err(), "{file} cut at {part}/{cuts}");
        }
    }
}

proptest! {
    // `PROPTEST_CASES=100000 cargo test --release --lib import::tests::hostile` goes on for as long as one likes.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]
    #[test]
    fn files_that_were_changed_at_random_never_panic(
        file in proptest::sample::select(FILES.as_slice()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..5_u8), 1..12),
    ) {
        let mut bytes = fs::read(fixture(file)).unwrap();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => { bytes.remove(at); }
                3 => bytes.insert(at, byte),
                _ => {
                    // A digit becomes another, so that what is read gets further.
                    let digit = bytes[at..].iter().position(u8::is_ascii_digit).map(|next| at + next);
                    if let Some(digit) = digit {
                        bytes[digit] = b'0' + byte % 10;
                    }
                }
            }
        }
        let _either = try_read(&bytes);
    }
}
