//! Imported models answer as the libraries that fitted them, on rows with holes, thresholds and their neighbours; and
//! files that are no models are refused. The fixtures are made by `tests/fixtures/models/make.py`.

mod fuzz;
mod hostile;

use super::*;
use crate::documents::table;
use crate::learn::recipe::read_cell;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
}

/// A file of rows with another file's answers beside them.
struct Answers {
    rows: table::Table,
    answers: table::Table,
}

impl Answers {
    fn read(rows: &str, answers: &str) -> Self {
        let read = |name: &str| table::parse(&fs::read(fixture(name)).unwrap(), b',').unwrap();
        Self { rows: read(rows), answers: read(answers) }
    }

    fn values(&self, model: &Model) -> Vec<Vec<Value>> {
        let place = |name: &str| self.rows.columns.iter().position(|column| column == name).unwrap();
        let places: Vec<_> = model.inputs.iter().map(|input| (place(&input.name), &input.kind)).collect();
        let value = |row: &table::Row| {
            places.iter().map(|(at, kind)| read_cell(kind, &row.cells[*at]).unwrap()).collect()
        };
        self.rows.rows.iter().map(value).collect()
    }

    fn numbers(&self, row: usize) -> Vec<f64> {
        let cells = &self.answers.rows[row].cells;
        cells.iter().filter(|cell| !cell.is_empty()).map(|cell| cell.parse().unwrap()).collect()
    }
}

fn import(file: &str, columns: Option<&str>, rows: Option<&str>) -> (Model, Draft) {
    let request = ImportRequest { file: fixture(file), name: "m".to_owned(), ..ImportRequest::default() };
    let columns = columns.map(|name| columns::read(&fixture(name)).unwrap()).unwrap_or_default();
    let rows = rows.map(|name| rows::read(&fixture(name)).unwrap());
    let bytes = fs::read(fixture(file)).unwrap();
    let draft = convert(&bytes, &request, &columns, rows.as_ref()).unwrap();
    let model = artefact::load(&draft.artefact, Arc::from("m"), 1).unwrap();
    (model, draft)
}

/// How many of the rows must be equal to the last bit, and how far any may be off.
#[track_caller]
fn agrees(model: &Model, fixture: &Answers, exact: f64, within: f64) {
    let rows = fixture.values(model);
    assert!(rows.len() >= 1000, "{} rows", rows.len());
    let mut equal = 0;
    for (at, (row, many)) in rows.iter().zip(model.predict_all(&rows)).enumerate() {
        let Ok(answer) = model.predict(row) else {
            panic!("row {at}: {:?}", model.predict(row));
        };
        assert_eq!(answer.to_bits(), many.unwrap().to_bits(), "row {at}: alone and among many");
        let wanted = fixture.numbers(at)[0];
        let off = (answer - wanted).abs() / wanted.abs().max(1.0);
        assert!(off <= within, "row {at}: {answer} for {wanted}, off by {off:e}");
        equal += usize::from(answer.to_bits() == wanted.to_bits());
    }
    let share = equal as f64 / rows.len() as f64;
    assert!(share >= exact, "{equal} of {} rows are equal to the last bit", rows.len());
}

/// Contributions as the library's own, and adding up.
#[track_caller]
fn explains_alike(model: &Model, fixture: &Answers, columns: &[&str], within: f64) {
    let names: Vec<&str> = fixture.answers.columns.iter().map(String::as_str).collect();
    assert_eq!(names[2..], *columns);
    let mut explained = 0;
    for (at, row) in fixture.values(model).iter().enumerate() {
        let wanted = fixture.numbers(at);
        if wanted.len() < 2 {
            break;
        }
        let found = model.explain(row).unwrap();
        assert!(
            (found.base - wanted[1]).abs() <= within * wanted[1].abs().max(1.0),
            "row {at}: base {}",
            found.base
        );
        for (input, found) in model.inputs.iter().zip(&found.inputs) {
            let column = columns.iter().position(|column| **column == *input.name).unwrap();
            let wanted = wanted[column + 2];
            let off = (found - wanted).abs() / wanted.abs().max(1.0);
            assert!(off <= within, "row {at}, {}: {found} for {wanted}", input.name);
        }
        explained += 1;
    }
    assert!(explained >= 30);
}

const NUMBERS: [&str; 8] = ["seniority", "time", "expenses", "income", "assets", "debt", "amount", "price"];
const ALL: [&str; 11] = [
    "seniority",
    "time",
    "expenses",
    "income",
    "assets",
    "debt",
    "amount",
    "price",
    "home",
    "records",
    "job",
];

#[test]
fn xgboost_answers_to_the_last_bit_and_is_explained_alike() {
    for (file, answers) in [
        ("xgb_credit.json", "xgb_credit.csv"),
        ("xgb_credit.ubj", "xgb_credit.csv"),
        ("xgb_choices.json", "xgb_choices.csv"),
        ("xgb_dart.json", "xgb_dart.csv"),
    ] {
        let (model, _) = import(file, None, None);
        let fixture = Answers::read("credit_rows.csv", answers);
        agrees(&model, &fixture, EXACT_XGBOOST, 6e-8);
        let columns = if file.contains("choices") { ALL.as_slice() } else { NUMBERS.as_slice() };
        explains_alike(&model, &fixture, columns, 1e-5);
    }
}

/// Of XGBoost's probabilities as many are equal to the last bit; the rest differ in the last one, by the C library's own
/// `expf`.
const EXACT_XGBOOST: f64 = 0.99;

#[test]
fn both_forms_of_xgboost_are_one_model() {
    let (json, _) = import("xgb_credit.json", None, None);
    let (ubj, _) = import("xgb_credit.ubj", None, None);
    assert_eq!(json.predictor(), ubj.predictor());
}

#[test]
fn xgboost_of_other_objectives_and_boosters() {
    let (amount, _) = import("xgb_amount.json", None, None);
    assert!(!amount.gives_probability());
    agrees(&amount, &Answers::read("credit_rows.csv", "xgb_amount.csv"), 1.0, 0.0);
    let (linear, _) = import("xgb_linear.json", None, None);
    agrees(&linear, &Answers::read("credit_rows.csv", "xgb_linear.csv"), 0.0, 1e-6);
}

#[test]
fn xgboost_that_stopped_early_answers_up_to_its_best_iteration() {
    let (early, draft) = import("xgb_early.json", None, None);
    agrees(&early, &Answers::read("credit_rows.csv", "xgb_early.csv"), EXACT_XGBOOST, 6e-8);
    assert!(draft.notes[0].starts_with("it stopped early: the "), "{:?}", draft.notes);
    let (forest, draft) = import("xgb_forest.json", None, None);
    agrees(&forest, &Answers::read("credit_rows.csv", "xgb_forest.csv"), EXACT_XGBOOST, 6e-8);
    assert!(draft.notes.is_empty());
}

#[test]
fn lightgbm_answers_and_is_explained_alike() {
    for name in [
        "lgb_credit",
        "lgb_choices",
        "lgb_one_rest",
        "lgb_zero",
        "lgb_no_missing",
        "lgb_forest",
        "lgb_dart",
        "lgb_goss",
    ] {
        let (model, _) = import(&format!("{name}.txt"), None, None);
        let fixture = Answers::read("credit_rows.csv", &format!("{name}.csv"));
        agrees(&model, &fixture, 0.9, 1e-15);
        let is_of_choices = ["lgb_choices", "lgb_one_rest"].contains(&name);
        explains_alike(&model, &fixture, if is_of_choices { &ALL } else { &NUMBERS }, 1e-9);
    }
}

/// The other objectives of XGBoost and LightGBM: a sum, or its logistic function, exponential or sign.
#[test]
fn each_objective_is_linked_as_its_library_links_it() {
    let mut tried = Vec::new();
    for (path, _) in fuzz::fixtures() {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = file.strip_prefix("objective_") else { continue };
        let name = name.split('.').next().unwrap().to_owned();
        let (model, _) = import(&file, None, None);
        let ends_with = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let is_probability = ends_with(&["logistic", "hinge", "entropy"]);
        assert_eq!(model.gives_probability(), is_probability, "{name}");
        // Sums and signs are to the last bit; in what goes through an exponential it may be the C library's own.
        let (exact, within) = match ends_with(&["_logistic", "entropy", "poisson", "gamma", "tweedie"]) {
            false => (1.0, 0.0),
            true if name.starts_with("xgb") => (0.9, 1.2e-7),
            true => (0.8, 5e-16),
        };
        agrees(&model, &Answers::read("credit_rows.csv", &format!("objective_{name}.csv")), exact, within);
        tried.push(name);
    }
    assert_eq!(tried.len(), 20, "{tried:?}");
}

#[test]
fn onnx_pipelines_answer_as_onnx_runtime() {
    for name in ["sk_logistic", "sk_forest", "sk_boosting", "sk_tree", "sk_net"] {
        let (model, _) = import(&format!("{name}.onnx"), None, None);
        agrees(&model, &Answers::read("credit_rows.csv", &format!("{name}.csv")), 0.0, 1e-6);
    }
    for name in ["sk_hist", "sk_extra", "sk_normal", "xgb_onnx", "cat_credit"] {
        let (model, _) = import(&format!("{name}.onnx"), Some("columns.yaml"), None);
        agrees(&model, &Answers::read("credit_rows.csv", &format!("{name}.csv")), 0.0, 1e-6);
    }
}

#[test]
fn onnx_is_explained_from_rows_given_at_import() {
    let explained = |file: &str, columns: Option<&str>, space: &str, turn: fn(f64) -> f64| {
        let (model, draft) = import(file, columns, Some("credit_rows.csv"));
        assert_eq!(draft.explains, Ok(space), "{file}");
        let fixture = Answers::read("credit_rows.csv", &file.replace(".onnx", ".csv"));
        for row in fixture.values(&model) {
            let (answer, found) = (model.predict(&row).unwrap(), model.explain(&row).unwrap());
            assert!((turn(found.total()) - answer).abs() < 1e-6, "{file}: {} {answer}", found.total());
        }
        assert_eq!(model.inputs.len(), if columns.is_none() { 11 } else { 8 });
    };
    let logistic: fn(f64) -> f64 = |x| 1.0 / (1.0 + (-x).exp());
    explained("sk_logistic.onnx", None, "log_odds", logistic);
    explained("sk_boosting.onnx", None, "log_odds", logistic);
    explained("sk_forest.onnx", None, "probability", |x| x);
    explained("sk_tree.onnx", None, "probability", |x| x);
    // The logistic function is a step of its own here.
    explained("cat_credit.onnx", Some("columns.yaml"), "log_odds", logistic);
    explained("xgb_onnx.onnx", Some("columns.yaml"), "log_odds", logistic);
    let (_, draft) = import("sk_net.onnx", None, Some("credit_rows.csv"));
    assert!(draft.explains.unwrap_err().contains("mixes the inputs"));
    let (_, draft) = import("sk_forest.onnx", None, None);
    assert!(draft.explains.unwrap_err().contains("`--rows`"));
}

/// By another implementation of the same values, on every row.
#[test]
fn contributions_are_those_of_the_treeshap_crate() {
    let check = |file: &str, trees: &treeshap::TreeModel| {
        let (model, _) = import(file, None, None);
        let explainer = treeshap::TreeExplainer::path_dependent(trees).unwrap();
        let stem = file.split('.').next().unwrap();
        let fixture = Answers::read("credit_rows.csv", &format!("{stem}.csv"));
        // Rows of the data: it compares 64-bit floats, and knows no zero of LightGBM's.
        for row in &fixture.values(&model)[10..500] {
            let cell = |value: &Value| if let Value::Number(x) = value { *x } else { f64::NAN };
            let cells: Vec<f64> = row.iter().map(cell).collect();
            let found = model.explain(row).unwrap();
            for (found, wanted) in found.inputs.iter().zip(explainer.shap_values(&cells, 0).unwrap()) {
                assert!((found - wanted).abs() < 1e-6, "{file}: {found} for {wanted}");
            }
        }
    };
    let read = |file: &str| fs::read(fixture(file)).unwrap();
    check("xgb_credit.json", &treeshap::TreeModel::from_xgboost_json(&read("xgb_credit.json")).unwrap());
    let text = String::from_utf8(read("lgb_credit.txt")).unwrap();
    check("lgb_credit.txt", &treeshap::TreeModel::from_lightgbm_text(&text).unwrap());
}

#[test]
fn a_scorecard_gives_its_points_and_its_reasons() {
    let columns = ["duration_months", "amount", "instalment_rate_pct", "existing_credits"];
    let read = |name: &str| {
        let (model, draft) = import(&format!("{name}.pmml"), None, None);
        let fixture = Answers::read("german_rows.csv", &format!("{name}.csv"));
        agrees(&model, &fixture, 1.0, 0.0);
        explains_alike(&model, &fixture, &columns, 1e-12);
        (model, draft)
    };
    let (model, draft) = read("scorecard");
    assert_eq!((draft.explains, model.gives_probability()), (Ok("points"), false));
    let row = [60.0, 9000.0, 1.0].map(Value::Number).into_iter().chain([Value::Missing]).collect::<Vec<_>>();
    let reasons = |model: &Model| -> Vec<(String, f64)> {
        let contributions = model.explain(&row).unwrap();
        model.reasons(&contributions, 4).into_iter().map(|r| (r.code.to_string(), r.weight)).collect()
    };
    let said = |codes: &[(&str, f64)]| -> Vec<(String, f64)> {
        codes.iter().map(|(code, weight)| ((*code).to_owned(), *weight)).collect()
    };
    assert_eq!(reasons(&model), said(&[("R303", 36.0), ("R313", 28.25), ("R399", 6.0)]));
    // Two characteristics of one input: their points are added up, their reasons are not.
    let (twice, _) = read("scorecard_twice");
    assert_eq!(twice.inputs.len(), 4);
    assert_eq!(reasons(&twice), said(&[("R303", 36.0), ("R313", 28.25), ("R315", 6.75), ("R399", 6.0)]));
}

#[test]
fn reasons_are_ranked_toward_the_adverse_side_and_counted_by_code() {
    let bytes = fs::read(fixture("xgb_credit.json")).unwrap();
    let request = ImportRequest { name: "m".to_owned(), ..ImportRequest::default() };
    let columns: Columns = serde_json::from_value(
        serde_json::json!({"reasons": {"income": "R1", "assets": "R1", "time": "R2", "price": "R3"}}),
    )
    .unwrap();
    let draft = convert(&bytes, &request, &columns, None).unwrap();
    let model = artefact::load(&draft.artefact, Arc::from("m"), 1).unwrap();
    let fixture = Answers::read("credit_rows.csv", "xgb_credit.csv");
    for row in fixture.values(&model) {
        let found = model.explain(&row).unwrap();
        let reasons = model.reasons(&found, 2);
        let weight =
            |code: &str| reasons.iter().find(|reason| &*reason.code == code).map(|reason| reason.weight);
        let income = found.inputs[3] + found.inputs[4];
        assert!(reasons.len() <= 2 && reasons.iter().all(|reason| reason.weight > 0.0));
        assert!(reasons.windows(2).all(|pair| pair[0].weight >= pair[1].weight));
        if let Some(weight) = weight("R1") {
            assert!((weight - income).abs() < 1e-12);
        }
        assert!(weight("R2").is_none_or(|weight| (weight - found.inputs[1]).abs() < 1e-12));
    }
}

#[test]
fn an_import_writes_the_next_version_and_is_compared_with_what_was_expected() {
    let models = tempfile::tempdir().unwrap();
    // Rows and answers in one file, as people have them.
    let rows = fs::read_to_string(fixture("credit_rows.csv")).unwrap();
    let answers = fs::read_to_string(fixture("lgb_credit.csv")).unwrap();
    let joined: Vec<String> = rows
        .lines()
        .zip(answers.lines())
        .map(|(row, answer)| format!("{row},{}", answer.split(',').next().unwrap()))
        .collect();
    let path = models.path().join("rows.csv");
    fs::write(&path, joined.join("\n")).unwrap();
    let request = ImportRequest {
        file: fixture("lgb_credit.txt"),
        name: "credit".to_owned(),
        rows: Some(path),
        expected: Some("answer".to_owned()),
        tolerance: Some(1e-12),
        columns: None,
    };
    for version in [1, 2] {
        let imported = run(models.path(), &request).unwrap();
        assert_eq!((imported.version, imported.draft.agreement.unwrap().rows), (version, 1010));
    }
    let library = crate::learn::library::read_models(models.path());
    assert_eq!(library.findings(), []);
    assert_eq!(library.resolve("credit").unwrap().version, 1, "the champion does not move");
    let card = &library.models()["credit"].versions[&2].card;
    assert_eq!(card["imported_from"]["file"], "lgb_credit.txt");
    let measured_on = &card["reference"]["measured_on"];
    assert_eq!((&measured_on["given"], &measured_on["rows"]), (&"at_import".into(), &1010.into()));
    assert_eq!((&measured_on["file"], &measured_on["refused"]), (&"rows.csv".into(), &0.into()));
    assert!(measured_on["says"].as_str().unwrap().contains("not on those that it was fitted on"));
    let wrong = ImportRequest { file: fixture("lgb_zero.txt"), ..request };
    let error = run(models.path(), &wrong).unwrap_err();
    assert!(matches!(error, ImportError::Disagrees { .. }), "{error}");
    assert!(!models.path().join("credit/3").exists());
}

#[test]
fn a_reference_needs_rows_that_the_model_answers() {
    let draft = |count: usize, columns: serde_json::Value| {
        let text = fs::read_to_string(fixture("credit_rows.csv")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        fs::write(&path, text.lines().take(count + 1).collect::<Vec<_>>().join("\n")).unwrap();
        let request = ImportRequest {
            file: fixture("lgb_credit.txt"),
            name: "m".to_owned(),
            ..ImportRequest::default()
        };
        let columns: Columns = serde_json::from_value(columns).unwrap();
        let rows = rows::read(&path).unwrap();
        convert(&fs::read(fixture("lgb_credit.txt")).unwrap(), &request, &columns, Some(&rows)).unwrap()
    };
    let none = || serde_json::json!({});
    let few = draft(299, none());
    assert_eq!(few.reference, Err(Unmeasured::TooFew { answered: 299, given: 299 }));
    let card: serde_json::Value = serde_json::from_slice(&few.card).unwrap();
    assert_eq!(card.get("reference"), None);
    assert_eq!(draft(300, none()).reference.unwrap().rows, 300);
    // A row that the model refuses is none of its cases when it serves, and none here.
    let refusing = draft(1010, serde_json::json!({"columns": [{"name": "income", "missing": "refuse"}]}));
    let measured_on = refusing.reference.unwrap();
    assert!(measured_on.refused > 10, "{measured_on:?}");
    assert_eq!(measured_on.rows + measured_on.refused, 1010);
    let card: serde_json::Value = serde_json::from_slice(&refusing.card).unwrap();
    for counted in card["reference"]["inputs"].as_array().unwrap().iter().chain([&card["reference"]["score"]])
    {
        let bins: u64 = counted["counts"].as_array().unwrap().iter().filter_map(|count| count.as_u64()).sum();
        let all = bins + counted["missing"].as_u64().unwrap() + counted["unseen"].as_u64().unwrap();
        assert_eq!(all, measured_on.rows as u64, "{counted}");
    }
    let income =
        card["reference"]["inputs"].as_array().unwrap().iter().find(|input| input["input"] == "income");
    assert_eq!(income.unwrap()["missing"], 0);
}

/// As pandas writes a column of 32-bit floats: with the digits that those need.
#[test]
fn an_expected_answer_of_32_bits_is_read_as_such() {
    let rows = fs::read_to_string(fixture("credit_rows.csv")).unwrap();
    let answers = Answers::read("credit_rows.csv", "xgb_credit.csv");
    let mut written = String::new();
    for (at, line) in rows.lines().enumerate() {
        let answer =
            if at == 0 { "answer".to_owned() } else { (answers.numbers(at - 1)[0] as f32).to_string() };
        written.push_str(&format!("{line},{answer}\n"));
    }
    let models = tempfile::tempdir().unwrap();
    let path = models.path().join("rows.csv");
    fs::write(&path, written).unwrap();
    let request = ImportRequest {
        file: fixture("xgb_credit.json"),
        name: "credit".to_owned(),
        rows: Some(path),
        expected: Some("answer".to_owned()),
        tolerance: None,
        columns: None,
    };
    let agreement = run(models.path(), &request).unwrap().draft.agreement.unwrap();
    assert!(agreement.equal_to_the_last_bit > 1000, "{agreement:?}");
}

#[test]
fn columns_that_the_file_does_not_name_must_be_said() {
    let request = ImportRequest { name: "m".to_owned(), ..ImportRequest::default() };
    let check = |file: &str, columns: serde_json::Value, says: &str| {
        let bytes = fs::read(fixture(file)).unwrap();
        let columns: Columns = serde_json::from_value(columns).unwrap();
        let error = convert(&bytes, &request, &columns, None).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    };
    let none = serde_json::json!({});
    check(
        "sk_hist.onnx",
        none,
        "the model has 8 columns, of which its file names 0; say all of them in order",
    );
    let near = serde_json::json!({"columns": [{"name": "incone"}]});
    check("xgb_credit.json", near, "the model has no column `incone` (there is `income`)");
    let reasons = serde_json::json!({"reasons": {"incone": "R1"}});
    check("xgb_credit.json", reasons, "`reasons` speaks of `incone`, which is no input (there is `income`)");
    let other = serde_json::json!({"columns": [{"name": "home", "of": ["a"]}]});
    check("lgb_choices.txt", other, "its categories are in the model's file already, and are others");
    let renamed: Columns = serde_json::from_value(
        serde_json::json!({"columns": [{"name": "pay", "in_file": "income", "missing": "refuse"}]}),
    )
    .unwrap();
    let draft = convert(&fs::read(fixture("xgb_credit.json")).unwrap(), &request, &renamed, None).unwrap();
    assert_eq!(draft.inputs[3], "pay");
}
