//! The sample, fitted again here: equal to smartcore, equal to itself, equal to what the repository holds.
//! And recipes and data that cannot be fitted, each with its answer.

use std::fs;

use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use super::*;
use crate::learn::library::read_models;

fn sample_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/german_credit")
}

fn by(algorithm: &str) -> TrainOptions {
    TrainOptions { algorithm: Some(algorithm.to_owned()), ..TrainOptions::default() }
}

fn fit_sample(algorithm: &str) -> Draft {
    fit_version(&sample_folder(), &by(algorithm), &mut |_| {}).unwrap()
}

/// The sample as a matrix, made from the recipe's words alone and by none of the code that serves.
struct ByHand {
    is_bad: Vec<bool>,
    values: Vec<Vec<Value>>,
    columns: Vec<Vec<f64>>,
    is_number: Vec<bool>,
}

fn by_hand() -> ByHand {
    let text = fs::read_to_string(sample_folder().join("data/german_credit.csv")).unwrap();
    let recipe = read_recipe(&sample_folder()).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let mut by_hand = ByHand { is_bad: vec![], values: vec![], columns: vec![], is_number: vec![] };
    for (number, cells) in lines.enumerate() {
        let cell = |name: &str| cells[header.iter().position(|column| *column == name).unwrap()];
        by_hand.is_bad.push(cell("outcome") == "bad");
        let (mut values, mut columns) = (vec![], vec![]);
        for feature in &recipe.features {
            let cell = cell(&feature.name);
            match &feature.kind {
                Kind::Choice(categories) => {
                    columns.extend(categories.iter().map(|c| if **c == *cell { 1.0 } else { 0.0 }));
                    values.push(Value::text(cell));
                }
                Kind::Integer => {
                    columns.push(cell.parse().unwrap());
                    values.push(Value::Integer(cell.parse().unwrap()));
                }
                _ => {
                    columns.push(cell.parse().unwrap());
                    values.push(Value::Decimal(cell.parse().unwrap()));
                }
            }
            if number == 0 {
                let width = columns.len() - by_hand.is_number.len();
                by_hand.is_number.extend(vec![!matches!(feature.kind, Kind::Choice(_)); width]);
            }
        }
        by_hand.values.push(values);
        by_hand.columns.push(columns);
    }
    by_hand
}

impl ByHand {
    fn split(&self) -> Split {
        let recipe = read_recipe(&sample_folder()).unwrap();
        split::stratified(&self.is_bad, recipe.split.test_fraction, recipe.split.seed)
    }

    fn standardised(mut self, train: &[usize]) -> Self {
        for at in 0..self.is_number.len() {
            if self.is_number[at] {
                let column: Vec<f64> = train.iter().map(|row| self.columns[*row][at]).collect();
                let count = column.len() as f64;
                let mean = column.iter().sum::<f64>() / count;
                let scale = (column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
                for row in &mut self.columns {
                    row[at] = (row[at] - mean) / scale;
                }
            }
        }
        self
    }

    fn matrix(&self, rows: &[usize]) -> DenseMatrix<f64> {
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| self.columns[*row].clone()).collect();
        DenseMatrix::from_2d_vec(&rows).unwrap()
    }
}

#[test]
fn the_served_forest_is_smartcores_to_the_last_bit_on_every_row() {
    let draft = fit_sample("forest");
    let model = artefact::load(&draft.artefact, Arc::from("german_credit"), 2).unwrap();
    let by_hand = by_hand();
    let train = by_hand.split().train;
    let y: Vec<f64> = train.iter().map(|row| if by_hand.is_bad[*row] { 1.0 } else { 0.0 }).collect();
    // The recipe's figures; 8 levels of splits are smartcore's depth 9.
    let parameters = RandomForestRegressorParameters::default()
        .with_n_trees(100)
        .with_max_depth(9)
        .with_min_samples_leaf(4)
        .with_seed(7);
    let smartcore = RandomForestRegressor::fit(&by_hand.matrix(&train), &y, parameters).unwrap();
    let all: Vec<usize> = (0..1000).collect();
    let own: Vec<f64> = smartcore.predict(&by_hand.matrix(&all)).unwrap();
    for (row, own) in by_hand.values.iter().zip(&own) {
        assert_eq!(model.predict(row).unwrap().to_bits(), own.to_bits());
    }
    assert_eq!(own.len(), 1000);
}

#[test]
fn the_served_logistic_regression_is_what_smartcores_coefficients_say_on_every_row() {
    let draft = fit_sample("logistic_regression");
    let model = artefact::load(&draft.artefact, Arc::from("german_credit"), 1).unwrap();
    let by_hand = by_hand();
    let train = by_hand.split().train;
    let by_hand = by_hand.standardised(&train);
    let y: Vec<i32> = train.iter().map(|row| i32::from(by_hand.is_bad[*row])).collect();
    let parameters = LogisticRegressionParameters::default().with_alpha(1.0);
    let smartcore = LogisticRegression::fit(&by_hand.matrix(&train), &y, parameters).unwrap();
    let all: Vec<usize> = (0..1000).collect();
    let labels: Vec<i32> = smartcore.predict(&by_hand.matrix(&all)).unwrap();
    let intercept = *smartcore.intercept().get((0, 0));
    for row in all {
        let served = model.predict(&by_hand.values[row]).unwrap();
        let terms = smartcore.coefficients().iterator(0).zip(&by_hand.columns[row]);
        let margin = terms.map(|(c, x)| c * x).fold(0.0, |sum, term| sum + term) + intercept;
        assert_eq!(served.to_bits(), (1.0 / (1.0 + libm::exp(-margin))).to_bits());
        assert_eq!(i32::from(served > 0.5), labels[row]);
    }
}

#[test]
fn the_same_recipe_and_data_give_the_same_bytes() {
    for algorithm in ["logistic_regression", "decision_tree", "forest", "extra_trees", "scorecard"] {
        assert_eq!(fit_sample(algorithm), fit_sample(algorithm));
    }
}

/// Versions of the repository with the algorithm that they were fitted by, and whether they were written before
/// artefacts held what explanations need and cards had charts.
const VERSIONS: &[(&str, &str, &str, bool)] = &[
    ("german_credit", "1", "logistic_regression", true),
    ("german_credit", "2", "forest", true),
    ("german_credit", "3", "logistic_regression", false),
    ("credit_history", "1", "scorecard", false),
    ("credit_history", "2", "forest", false),
];

#[test]
fn the_versions_in_the_repository_are_what_training_gives_now() {
    // The solver of the logistic regression calls the machine's `exp`: its last bits are this C library's.
    if !cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
        return;
    }
    for (model, version, algorithm, is_older) in VERSIONS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(model);
        let draft = fit_version(&folder, &by(algorithm), &mut |_| {}).unwrap();
        let file = |name: &str| fs::read(folder.join(version).join(name)).unwrap();
        let path = format!("models/{model}/{version}");
        if *is_older {
            let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
            let (stored, mut fitted) = (json(&file("model.json")), json(&draft.artefact));
            for feature in fitted["features"].as_array_mut().unwrap() {
                // What is noted of a number beyond the data came later and decides nothing.
                feature.as_object_mut().unwrap().remove("range");
            }
            for part in ["target", "features", "columns", "predictor", "golden", "fitted_with"] {
                assert!(stored[part] == fitted[part], "{part} of {path} is another");
            }
            let (stored, fitted) = (json(&file("card.json")), json(&draft.card));
            assert_eq!(stored["held_out"], fitted["held_out"], "{path}");
            continue;
        }
        assert!(file("model.json") == draft.artefact, "{path}/model.json is another");
        assert!(file("card.json") == draft.card, "{path}/card.json is another");
        assert!(file("card.html") == draft.page, "{path}/card.html is another");
        if let Some((name, bytes)) = draft.scorecard {
            assert!(file(&name) == bytes, "{path}/{name} is another");
        }
    }
}

#[test]
fn no_golden_row_is_an_applicant() {
    let applicants = by_hand().values;
    let kinds: Vec<Kind> =
        read_recipe(&sample_folder()).unwrap().features.into_iter().map(|feature| feature.kind).collect();
    let golden = golden::invent(&applicants, &(0..kinds.len()).collect::<Vec<_>>(), &kinds, &[]);
    assert_eq!(golden.len(), 8);
    assert!(golden.iter().all(|row| !applicants.contains(row)));
    assert!((1..golden.len()).all(|at| !golden[..at].contains(&golden[at])));
}

#[test]
fn no_protected_attribute_is_read_by_the_sample_models() {
    let library = read_models(&sample_folder().join(".."));
    assert_eq!(library.findings(), []);
    for version in ["german_credit@champion", "german_credit@challenger"] {
        let model = library.resolve(version).unwrap();
        for protected in ["age", "status_and_sex", "foreign_worker", "dependants", "job", "telephone"] {
            assert!(
                model.inputs.iter().all(|input| *input.name != *protected),
                "{version} reads {protected}"
            );
        }
    }
}

#[test]
fn the_sample_separates_better_than_chance_and_says_so_in_its_card() {
    for (version, algorithm) in [("1", "logistic_regression"), ("2", "forest")] {
        let draft = fit_sample(algorithm);
        assert!(draft.held_out.auc > 0.75, "{algorithm}: {}", draft.held_out.auc);
        let card: serde_json::Value = serde_json::from_slice(&draft.card).unwrap();
        assert_eq!(card["artefact"], *draft.digest);
        assert_eq!(card["held_out"]["auc"], draft.held_out.auc);
        assert_eq!(card["held_out"]["calibration"].as_array().unwrap().len(), 10);
        assert_eq!(card["data"]["rows"], 1000);
        assert_eq!(card["split"]["held_out_rows"], 300);
        assert_eq!(card["fitted_with"], "smartcore 0.7.0");
        assert!(fs::read_dir(sample_folder().join(version)).unwrap().count() == 2);
    }
}

const RECIPE: &str = "
model: tiny
data: { file: data.csv }
target: { column: y, bad: 'yes', good: 'no' }
split: { test_fraction: 0.25, seed: 1 }
algorithm: line
algorithms:
  line: { kind: logistic_regression }
  trees: { kind: forest, trees: 3, max_depth: 2 }
features:
  x: { type: number }
  c: { type: choice, of: [a, b] }
left_out:
  - { columns: [z], because: not needed }
";

fn data() -> String {
    let row = |n: u32| {
        let c = if n.is_multiple_of(3) { "a" } else { "b" };
        let y = if n.is_multiple_of(4) { "yes" } else { "no" };
        format!("{}.5,{c},0,{y}\n", n * 7 % 11)
    };
    format!("x,c,z,y\n{}", (0..40).map(row).collect::<String>())
}

fn folder(recipe: &str, data: &str) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("tiny");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("train.yaml"), recipe).unwrap();
    fs::write(folder.join("data.csv"), data).unwrap();
    (root, folder)
}

#[test]
fn a_training_writes_the_next_version_and_tells_how_far_it_is() {
    let (root, folder) = folder(RECIPE, &data());
    let mut told = Vec::new();
    let first = run(&folder, &TrainOptions::default(), &mut |progress| told.push(progress)).unwrap();
    let second = run(&folder, &by("trees"), &mut |_| {}).unwrap();
    assert_eq!((first.version, first.algorithm.as_str()), (1, "line"));
    assert_eq!((second.version, second.algorithm.as_str()), (2, "trees"));
    let wanted = [
        Progress::Read { rows: 40, training: 29, held_out: 11 },
        Progress::Fitting { algorithm: "line".to_owned() },
        Progress::Verified { rows: 40 },
        Progress::Written { version: 1 },
    ];
    assert_eq!(told, wanted);
    let library = read_models(root.path());
    assert_eq!(library.findings(), []);
    assert_eq!(library.resolve("tiny").unwrap().digest, second.digest);
    assert_eq!(library.resolve("tiny@1").unwrap().digest, first.digest);
}

#[track_caller]
fn refused(recipe: &str, data: &str, says: &str) {
    let (_root, folder) = folder(recipe, data);
    let error = run(&folder, &TrainOptions::default(), &mut |_| {}).unwrap_err();
    let told = match &error {
        TrainError::Recipe { diagnostics, .. } => {
            diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    };
    assert!(told.contains(says), "{told:?} does not say {says:?}");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "something was written: {left:?}");
}

#[test]
fn data_that_does_not_fit_is_refused_with_its_line_and_without_its_values() {
    let edit = |line: &str, to: &str| data().replacen(line, to, 1);
    refused(RECIPE, &edit("x,c,z,y", "xx,c,z,y"), "the data has no column `x`");
    refused(RECIPE, &edit("x,c,z,y", "x,c,w,y"), "the data has no column `z`");
    let extra = data().replace('\n', ",1\n").replacen("y,1", "y,income", 1);
    refused(RECIPE, &extra, "column `income` of the data is neither a feature nor the target");
    refused(RECIPE, &edit("\n0.5,", "\nsecret,"), "line 2: `x` is not of type `number`");
    refused(RECIPE, &edit("\n0.5,", "\nNaN,"), "line 2: `x` is not of type `number`");
    refused(RECIPE, &edit("\n0.5,", "\n,"), "line 2: the model needs `x`, which is missing");
    refused(
        RECIPE,
        &edit("\n0.5,a", "\n0.5,q"),
        "line 2: `c` has a category that the model was not fitted on",
    );
    refused(RECIPE, &edit(",yes\n", ",maybe\n"), "line 2: `y` is neither the `bad` nor the `good` value");
    refused(RECIPE, &data().replace(",yes\n", ",no\n"), "the data has 0 bad and 40 good rows");
    refused(RECIPE, "", "the table has no header line");
}

#[test]
fn a_missing_value_is_fitted_as_what_the_recipe_says() {
    let recipe = RECIPE.replace("x: { type: number }", "x: { type: number, missing: { as: 4 } }");
    let blank = data().replacen("\n0.5,", "\n,", 1);
    let filled = data().replacen("\n0.5,", "\n4,", 1);
    let fit = |data: &str| {
        let (_root, folder) = folder(&recipe, data);
        fit_version(&folder, &TrainOptions::default(), &mut |_| {}).unwrap()
    };
    let (blank, filled) = (fit(&blank), fit(&filled));
    let weights = |draft: &Draft| {
        serde_json::from_slice::<serde_json::Value>(&draft.artefact).unwrap()["predictor"].clone()
    };
    assert_eq!(weights(&blank), weights(&filled));
    let model = artefact::load(&blank.artefact, Arc::from("tiny"), 1).unwrap();
    let answer = |x: Value| model.predict(&[x, Value::text("a")]).unwrap().to_bits();
    assert_eq!(answer(Value::Missing), answer(Value::Number(4.0)));
}

#[test]
fn a_folder_without_recipe_or_data_or_with_another_models_recipe_is_named() {
    let (_root, tiny) = folder(RECIPE, &data());
    let error =
        |folder: &Path, options: &TrainOptions| run(folder, options, &mut |_| {}).unwrap_err().to_string();
    let unknown = "the recipe has no algorithm `forest`: it has `line`, `trees`";
    assert_eq!(error(&tiny, &by("forest")), unknown);
    fs::remove_file(tiny.join("data.csv")).unwrap();
    assert!(error(&tiny, &TrainOptions::default()).contains("data.csv"));
    let elsewhere = tiny.join("../other");
    fs::create_dir(&elsewhere).unwrap();
    assert!(error(&elsewhere, &TrainOptions::default()).contains("train.yaml"));
    fs::write(elsewhere.join("train.yaml"), RECIPE).unwrap();
    let other = "the recipe is for model `tiny` and stands in the folder of `other`";
    assert_eq!(error(&elsewhere, &TrainOptions::default()), other);
    fs::write(tiny.join("train.yaml"), RECIPE.replace("data.csv", "../../etc/passwd")).unwrap();
    assert_eq!(error(&tiny, &TrainOptions::default()), "`data.file` leads out of the model's folder");
}

/// A flow with what a recipe may name: `share` is what `tiny`'s data has no column for.
fn flow(features: &[(&str, &str)]) -> Arc<Flow> {
    use crate::domain::declaration::{
        FeatureDeclaration, FlowDeclaration, InputDeclaration, Personal, ReasonDeclaration,
    };
    use crate::domain::place::{Located, Place};
    let text = |text: &str| Located::new(text.to_owned(), Place::default());
    let input = |name: &str, kind, optional| {
        let personal = Personal::No;
        InputDeclaration { name: text(name), kind, optional, min: None, max: None, unit: None, personal }
    };
    let reason = |code: &str| ReasonDeclaration {
        code: text(code),
        texts: BTreeMap::from([("en".to_owned(), "because".to_owned())]),
        is_score: false,
        is_shared: false,
    };
    let feature =
        |(name, formula): &(&str, &str)| FeatureDeclaration { name: text(name), formula: text(formula) };
    let declaration = FlowDeclaration {
        inputs: vec![
            input("amount", Kind::Decimal, false),
            input("income", Kind::Decimal, true),
            input("born", Kind::Date, true),
        ],
        features: features.iter().map(feature).collect(),
        reasons: vec![reason("R1"), reason("R900")],
        script: text(
            "if amount > 1000000 { decline(\"R1\"); } else if amount > 5 { review(\"R900\"); } else { approve(); }",
        ),
        ..FlowDeclaration::blank()
    };
    let (flow, found) = Flow::compile(&declaration);
    Arc::new(flow.unwrap_or_else(|| panic!("{found:#?}")))
}

const OF_A_FLOW: &str = "\
model: tiny
flow: loan
data: { file: data.csv }
target: { column: bad, bad: 'yes', good: 'no' }
split: { test_fraction: 0.25, seed: 1 }
algorithm: line
algorithms: { line: { kind: logistic_regression } }
features:
  share: { type: number }
  amount: { type: decimal }
";

fn rows_of_a_flow(income: &str) -> String {
    let row = |at: u32| {
        let bad = if at.is_multiple_of(3) { "yes" } else { "no" };
        format!(
            "{}.50,{},{bad}\n",
            100 + at * 7 % 40,
            if at == 5 { income.to_owned() } else { (200 + at * 3).to_string() }
        )
    };
    format!("amount,income,bad\n{}", (0..40).map(row).collect::<String>())
}

fn with_flow(features: &[(&str, &str)]) -> TrainOptions {
    TrainOptions { flow: Some(flow(features)), ..TrainOptions::default() }
}

#[test]
fn features_of_a_flow_are_computed_on_the_rows_as_the_flow_computes_them() {
    let (_root, place) = folder(OF_A_FLOW, &rows_of_a_flow("215"));
    let options = with_flow(&[("earned", "number(income ?? 1) * 2.0"), ("share", "number(amount) * earned")]);
    let draft = fit_version(&place, &options, &mut |_| {}).unwrap();
    // The same model from data that has the column, computed by hand.
    let mut by_hand = String::from("amount,share,bad\n");
    for line in rows_of_a_flow("215").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |cell: &str| cell.parse::<f64>().unwrap();
        let share = number(cells[0]) * (number(cells[1]) * 2.0);
        by_hand.push_str(&format!("{},{share:?},{}\n", cells[0], cells[2]));
    }
    let (_root, other) = folder(&OF_A_FLOW.replace("flow: loan\n", ""), &by_hand);
    let wanted = fit_version(&other, &TrainOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(draft.digest, wanted.digest);
}

#[test]
fn what_a_flow_cannot_compute_is_told_with_its_line() {
    let check = |features: &[(&str, &str)], recipe: &str, data: &str, says: &str| {
        let (_root, place) = folder(recipe, data);
        let error = fit_version(&place, &with_flow(features), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    };
    let optional = [("share", "number(amount / (income ?? 0))")];
    check(&optional, OF_A_FLOW, &rows_of_a_flow(""), "line 7: feature `share` cannot be computed");
    check(
        &[("share", "number(amount) * 1.0")],
        OF_A_FLOW,
        "amount,bad\n1,yes\n",
        "each part of the split needs both",
    );
    let timed = [("age", "years_between(born ?? today, today)"), ("share", "number(age) * 1.0")];
    check(&timed, OF_A_FLOW, &rows_of_a_flow("1"), "`at: COLUMN` in the recipe");
    check(&[("other", "amount * 2")], OF_A_FLOW, &rows_of_a_flow("1"), "the data has no column `share`");
    let (_root, place) = folder(OF_A_FLOW, &rows_of_a_flow("1"));
    let error = fit_version(&place, &TrainOptions::default(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("there is no such flow here"), "{error}");
}

#[test]
fn a_feature_that_depends_on_the_time_takes_it_from_the_column_that_the_recipe_names() {
    let recipe = OF_A_FLOW
        .replace("flow: loan\n", "flow: loan\nat: decided\n")
        .replace("  amount: { type: decimal }\n", "");
    let data: String = (0..40)
        .map(|at: u32| {
            let bad = if at.is_multiple_of(3) { "yes" } else { "no" };
            format!("{}-06-01,20{:02}-06-0{},{bad}\n", 1950 + at, 10 + at % 9, 1 + at % 2)
        })
        .collect();
    let (_root, place) = folder(&recipe, &format!("born,decided,bad\n{data}"));
    let options = with_flow(&[("share", "number(years_between(born ?? today, today))")]);
    fit_version(&place, &options, &mut |_| {}).unwrap();
    let (_root, place) =
        folder(&recipe, &format!("born,decided,bad\n{}", data.replace("2014-06-01", "soon")));
    let error = fit_version(&place, &options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("`decided` is not of type `date`"), "{error}");
}
