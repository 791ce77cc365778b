//! What a file is, by its first bytes and not by its name; and what to export instead of what is not read.

use super::{ImportError, Read, lightgbm, onnx, pmml, xgboost};

/// How each library saves what is read here.
const SKLEARN: &str = "export it as ONNX: `from skl2onnx import to_onnx; open(\"model.onnx\", \"wb\").write(to_onnx(model, \
     rows[:1], options={\"zipmap\": False}).SerializeToString())`";
const PICKLE: &str = "a pickle is a program that runs when it is opened, so none is. Of scikit-learn export ONNX: `from \
     skl2onnx import to_onnx; open(\"model.onnx\", \"wb\").write(to_onnx(model, rows[:1]).SerializeToString())`; of \
     XGBoost `model.save_model(\"model.json\")`; of LightGBM `model.booster_.save_model(\"model.txt\")`";
const CATBOOST: &str = "of CatBoost export ONNX: `model.save_model(\"model.onnx\", format=\"onnx\")`";
const NET: &str = "export it as ONNX (`tf2onnx`, `torch.onnx.export`)";
const H2O: &str = "of H2O, a boosted model or forest can be fitted again with XGBoost (`H2OXGBoostEstimator`) and saved \
     as JSON: `model.save_model(\"model.json\")`";
const READ: &str = "read are XGBoost's JSON and UBJSON, LightGBM's text, ONNX, and PMML scorecards";

pub(super) fn read(bytes: &[u8]) -> Result<Read, ImportError> {
    let refused =
        |what: &str, help: &str| Err(ImportError::Format { what: what.to_owned(), help: help.to_owned() });
    let text = std::str::from_utf8(bytes).ok();
    let start = text.map(|text| text.trim_start_matches('\u{feff}').trim_start()).unwrap_or_default();
    match bytes {
        [] => refused("the file is empty", READ),
        [0x80, 2..=5, ..] => refused("it is a Python pickle (or joblib)", PICKLE),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => refused(
            "it is a ZIP archive: an H2O MOJO, a Keras file, a PyTorch file or a skops one",
            &format!("{H2O}; of Keras and PyTorch, {NET}; of scikit-learn {SKLEARN}"),
        ),
        [0x89, b'H', b'D', b'F', ..] => refused("it is HDF5: a Keras model", NET),
        [0x1f, 0x8b, ..] | [b'B', b'Z', b'h', ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0xfd, b'7', b'z', ..] => {
            refused("it is compressed", "unpack it; if it is a joblib file then, see the help for pickles")
        }
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => refused("it is compressed: a joblib file", PICKLE),
        [b'C', b'B', b'M', b'1', ..] => refused("it is CatBoost's own binary format", CATBOOST),
        [b'b', b'i', b'n', b'f', ..] => {
            refused("it is XGBoost's old binary format", "save it again: `model.save_model(\"model.json\")`")
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => refused("it is a TensorFlow Lite model", NET),
        _ if start.starts_with('{') && looks_like_xgboost(start) => xgboost::read_json(start.as_bytes()),
        [b'{', ..] if contains(bytes, b"learner") && !start.starts_with("{\"") => xgboost::read_ubj(bytes),
        _ if start.starts_with('{') => json(start),
        _ if start.starts_with("tree\n") || start.starts_with("tree\r\n") => {
            lightgbm::read(&start.replace("\r\n", "\n"))
        }
        _ if start.starts_with("booster[") => refused(
            "it is a dump for people, without all numbers",
            "save it: `model.save_model(\"model.json\")`",
        ),
        _ if start.starts_with('<') => pmml::read(start),
        _ if contains(bytes, b"saved_model") || contains(bytes, b"tensorflow") => {
            refused("it looks like a TensorFlow SavedModel", NET)
        }
        [0x08, 1..=20, ..] => onnx::read(bytes),
        _ => refused("the format is not known", READ),
    }
}

/// XGBoost's JSON has its learner at the top, of which the first kilobytes show the name.
fn looks_like_xgboost(text: &str) -> bool {
    let rest = text.trim_start_matches('{').trim_start();
    rest.starts_with("\"learner\"") || rest.starts_with("\"version\"") && text.contains("\"learner\"")
}

fn json(text: &str) -> Result<Read, ImportError> {
    let (what, help) = if text.contains("\"oblivious_trees\"") {
        ("it is CatBoost's JSON", CATBOOST)
    } else if text.contains("\"tree_info\"") && text.contains("\"tree_structure\"") {
        ("it is LightGBM's dump", "save it as text: `model.save_model(\"model.txt\")`")
    } else if text.contains("\"tollgate-model\"") {
        ("it is an artefact of this program", "copy its folder whole into `models/NAME/`")
    } else {
        ("it is JSON, but no model that is known", READ)
    };
    Err(ImportError::Format { what: what.to_owned(), help: help.to_owned() })
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..bytes.len().min(1 << 16)).unwrap_or_default().windows(word.len()).any(|window| window == word)
}
