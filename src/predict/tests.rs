//! Batches against one row at a time, tensors as bytes, and one table after another. The library is the repository's.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::domain::model::{Columns, Model};
use crate::domain::value::{Kind, Value};
use crate::drift::Window;
use crate::learn::library::{ModelLibrary, VersionPolicy, read_models};
use crate::release::ModelFolder;

fn library() -> ModelLibrary {
    read_models(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models"))
}

fn model(reference: &str) -> Arc<Model> {
    library().resolve(reference).unwrap()
}

/// Rows over all categories; every seventh value is missing where the model takes that.
fn columns(model: &Model, rows: usize) -> Vec<Vec<Value>> {
    let value = |kind: &Kind, at: usize| match kind {
        Kind::Boolean => Value::Boolean(at.is_multiple_of(2)),
        Kind::Integer => Value::Integer(i64::try_from(at * 37 % 90).unwrap()),
        Kind::Choice(categories) => Value::Text(categories[at % categories.len()].clone()),
        _ => Value::Number((at * 7919 % 10_000) as f64),
    };
    let column = |(input, kind): (usize, &Kind)| -> Vec<Value> {
        (0..rows)
            .map(|row| {
                let own = value(kind, row * 3 + input);
                let mut one: Vec<Value> = model.inputs.iter().map(|i| value(&i.kind, 0)).collect();
                one[input] = Value::Missing;
                let may_be_missing = model.predict(&one).is_ok();
                if may_be_missing && (row + input).is_multiple_of(7) { Value::Missing } else { own }
            })
            .collect()
    };
    model.inputs.iter().map(|input| &input.kind).enumerate().map(column).collect()
}

#[test]
fn a_batch_gives_the_bits_of_one_row_at_a_time() {
    for reference in ["german_credit@1", "german_credit@2", "credit_history@1", "credit_history@2"] {
        let model = model(reference);
        for rows in [1, 7, 64, 65, 200] {
            let columns = columns(&model, rows);
            let batch = Batch::of_columns(&model, columns).unwrap();
            let together = model.predict_columns(batch.columns()).unwrap();
            for (row, answer) in together.iter().enumerate() {
                let alone = model.predict(&batch.row(row)).unwrap();
                assert_eq!(alone.to_bits(), answer.to_bits(), "{reference}, row {row} of {rows}");
            }
        }
        assert_eq!(model.predict_columns(&Columns::missing(model.inputs.len(), 0)), Ok(Vec::new()));
    }
}

#[test]
fn a_batch_fails_with_its_first_row_that_does() {
    let model = model("german_credit@1");
    let mut columns = columns(&model, 9);
    columns[0][6] = Value::text("nobody was like this");
    columns[4][3] = Value::Missing;
    columns[3][3] = Value::text("nor this");
    let failure = model.predict_columns(&Columns::of_lists(columns).unwrap()).unwrap_err();
    assert_eq!((failure.row, failure.failure.code), (3, "unknown_category"), "{failure:?}");
    assert!(failure.failure.detail.contains("`purpose`"), "{failure:?}");
}

#[test]
fn raw_bytes_are_read_by_their_type() {
    let check = |element, bytes: &[u8], wanted| {
        assert_eq!(TensorData::from_raw("x", element, bytes), Ok(wanted), "{element:?}");
    };
    check(Element::Bool, &[0, 1, 7], TensorData::Booleans(vec![false, true, true]));
    check(Element::Int8, &[255], TensorData::Integers(vec![-1]));
    check(Element::Uint8, &[255], TensorData::Integers(vec![255]));
    check(Element::Int16, &(-2_i16).to_le_bytes(), TensorData::Integers(vec![-2]));
    check(Element::Uint32, &u32::MAX.to_le_bytes(), TensorData::Integers(vec![i64::from(u32::MAX)]));
    check(Element::Int64, &i64::MIN.to_le_bytes(), TensorData::Integers(vec![i64::MIN]));
    check(Element::Fp32, &0.5_f32.to_le_bytes(), TensorData::Numbers(vec![0.5]));
    check(Element::Fp64, &(-0.1_f64).to_le_bytes(), TensorData::Numbers(vec![-0.1]));
    check(Element::Bf16, &[0x80, 0x3f], TensorData::Numbers(vec![1.0]));
    let texts = [Text::from(b"ab".as_slice()), Text::from(b"".as_slice())];
    check(Element::Bytes, &[2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0], TensorData::Texts(texts.to_vec()));
    for (element, bytes) in [
        (Element::Fp64, [0_u8; 7].as_slice()),
        (Element::Uint64, &u64::MAX.to_le_bytes()),
        (Element::Bytes, &[3, 0, 0, 0, b'a']),
        (Element::Bytes, &[1, 0]),
        (Element::Bytes, &[255, 255, 255, 255]),
    ] {
        let error = TensorData::from_raw("x", element, bytes).unwrap_err();
        assert!(error.code() == Canonical::InvalidArgument && error.to_string().contains("`x`"), "{error}");
    }
}

#[test]
fn sixteen_bits_are_numbers_too() {
    let check = |bits: u16, wanted: f64| assert_eq!(half(bits).to_bits(), wanted.to_bits(), "{bits:#x}");
    check(0x3c00, 1.0);
    check(0xc000, -2.0);
    check(0x7bff, 65504.0);
    check(0x0001, 2_f64.powi(-24));
    check(0x03ff, 1023.0 * 2_f64.powi(-24));
    check(0x8000, -0.0);
    check(0x7c00, f64::INFINITY);
    assert!(half(0x7e00).is_nan());
}

#[test]
fn one_tensor_with_all_columns_is_taken_in_the_order_of_the_inputs() {
    let model = model("german_credit@1");
    let numbers = TensorData::Numbers(vec![f64::NAN; 28]);
    let tensor =
        |name: &str, shape: Vec<i64>| vec![Tensor { name: name.to_owned(), shape, data: numbers.clone() }];
    let batch = Batch::of_tensors(&model, tensor("predict", vec![2, 14])).unwrap();
    assert_eq!((batch.rows(), batch.row(1)), (2, vec![Value::Missing; 14]));
    let error = Batch::of_tensors(&model, tensor("predict", vec![1, 14])).unwrap_err();
    assert_eq!(error.to_string(), "input `predict`: its shape does not say how many values were sent");
    let error = Batch::of_tensors(&model, tensor("amount", vec![2, 14])).unwrap_err();
    assert!(error.to_string().starts_with("input size does not match signature: 1!=14"), "{error}");
}

#[test]
fn a_value_is_taken_where_it_fits_the_input_and_nowhere_else() {
    let input = |kind| crate::domain::model::ModelInput { name: Arc::from("x"), kind };
    let choice = input(Kind::Choice(["a".into(), "b".into()].into()));
    let (whole, float, yes) = (input(Kind::Integer), input(Kind::Number), input(Kind::Boolean));
    assert_eq!(number(&whole, 24.0), Ok(Value::Integer(24)));
    assert_eq!(number(&whole, 24.5), Err(Refusal::NotWhole));
    assert_eq!(number(&whole, 1e300), Err(Refusal::NotWhole));
    assert_eq!(number(&float, f64::NAN), Ok(Value::Missing));
    assert_eq!(number(&float, f64::NEG_INFINITY), Err(Refusal::NotFinite));
    assert_eq!(integer(&float, 3), Ok(Value::Integer(3)));
    assert_eq!(integer(&yes, 1), Ok(Value::Boolean(true)));
    assert_eq!(integer(&yes, 2), Err(Refusal::Type));
    assert_eq!(integer(&choice, 1), Err(Refusal::Type));
    assert_eq!(boolean(&float, true), Err(Refusal::Type));
    assert_eq!(text(&choice, "b"), Ok(Value::text("b")));
    assert_eq!(text(&choice, ""), Ok(Value::Missing));
    assert_eq!(text(&float, "1"), Err(Refusal::Type));
    assert_eq!(bytes(&choice, b"\xff"), Err(Refusal::NotUtf8));
}

fn versions(table: &Table) -> Vec<u32> {
    let model = table.model("german_credit").unwrap();
    model.versions.iter().filter(|(_, v)| v.servable.is_some()).map(|(number, _)| *number).collect()
}

#[test]
fn what_somebody_asked_for_is_on_top_of_what_the_files_say() {
    let library = library();
    let start = plan::plan(&library, &Wishes::default(), &Table::default(), &Drift::default());
    assert_eq!(versions(&start.next), [2, 3], "the latest and the challenger");
    assert_eq!(start.fresh.len(), 4, "two versions of two models serve");
    let again = plan::plan(&library, &Wishes::default(), &start.next, &Drift::default());
    assert!(again.fresh.is_empty(), "nothing changed, nothing is loaded");

    let name: Name = Arc::from("german_credit");
    let unloaded = Wishes { unloaded: [Arc::clone(&name)].into(), ..Wishes::default() };
    let without = plan::plan(&library, &unloaded, &start.next, &Drift::default()).next;
    assert_eq!(versions(&without), Vec::<u32>::new());
    let ended = without.status("german_credit", Some(2)).unwrap();
    assert_eq!((ended[0].state, ended[0].code), (State::End, Canonical::Ok));
    let none = PredictError::NoneServes { name: "german_credit".to_owned() };
    assert_eq!(without.find("german_credit", Which::Latest).unwrap_err(), none);

    let only = |policy, labels: &[(&str, u32)]| {
        let labels = labels.iter().map(|(label, version)| (Arc::from(*label), *version)).collect();
        let configured = [(Arc::clone(&name), Configured { policy, labels })].into();
        Wishes { configured: Some(configured), ..Wishes::default() }
    };
    let wishes = only(VersionPolicy::Versions(vec![1]), &[("stable", 1)]);
    let configured = plan::plan(&library, &wishes, &start.next, &Drift::default()).next;
    assert_eq!(versions(&configured), [1]);
    assert!(configured.find("german_credit", Which::Label("stable")).is_ok());
    assert!(configured.find("german_credit", Which::Label("champion")).is_err());
    assert!(
        configured.find("credit_history", Which::Latest).is_err(),
        "it is not among those that are configured"
    );
}

/// A folder with the sample of which `champion` is version 1 and the latest is 2, as it is served by itself.
struct Served {
    folder: tempfile::TempDir,
    models: Arc<Models>,
}

const HISTORY: &str = "credit_history";

impl Served {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let documents =
            crate::bundle::read_models_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models"));
        for (path, bytes) in documents.files.iter().filter(|(path, _)| path.contains(HISTORY)) {
            let to = folder.path().join(path);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, bytes).unwrap();
        }
        let (settle, poll) = (Duration::from_millis(2), Duration::from_secs(600));
        let source = ModelFolder::start(folder.path().join("models"), settle, poll).await;
        let drift = Arc::new(Drift::default());
        let models = Models::start(ModelSource::Folder(source), drift).await;
        Self { folder, models }
    }

    /// Reads the folder and switches to what it holds.
    async fn read(&self) {
        self.models.source.reload().await;
        self.models.change(|_| ()).await;
    }

    /// Renames.
    fn put(&self, from: &str, to: &str) {
        std::fs::rename(self.folder.path().join(from), self.folder.path().join(to)).unwrap();
    }

    fn ask(&self, which: Which<'_>, rows: usize) {
        let servable = self.models.find(HISTORY, which).unwrap();
        let batch = Batch::of_columns(servable.model(), columns(servable.model(), rows)).unwrap();
        servable.predict_here(&batch).unwrap();
    }

    /// Rows that drift shows of a version: since yesterday, as a test may run over midnight.
    fn counted(&self, version: u32) -> u64 {
        let watched = self.models.drift().versions(HISTORY).unwrap();
        let watch = watched.iter().find(|watch| watch.version == version).unwrap();
        let now = jiff::Timestamp::now();
        let rows = |window| watch.report(window, now).unwrap().report.rows;
        rows(Window::Day) + rows(Window::LastDay)
    }

    fn problems(&self) -> Vec<String> {
        self.models.table().problems().into_iter().map(|(.., problem)| problem.to_string()).collect()
    }
}

#[tokio::test]
async fn what_serves_counts_where_it_is_looked_at_while_its_folder_is_gone_and_afterwards() {
    let served = Served::new().await;
    let one = format!("models/{HISTORY}/1");
    served.ask(Which::Version(1), 5);
    assert_eq!(served.counted(1), 5);
    served.put(&one, "away");
    served.read().await;
    served.ask(Which::Label("champion"), 2);
    assert_eq!(served.counted(1), 7, "its label keeps it");
    served.put("away", &one);
    served.read().await;
    served.ask(Which::Version(1), 10);
    assert_eq!(served.counted(1), 17);
}

const LEFT: &str = "no version of it is left in `models/`: what was loaded before still serves; \
                    `POST /v2/repository/models/credit_history/unload` ends it";

#[tokio::test]
async fn a_model_of_which_nothing_is_left_serves_on_and_is_a_problem_until_it_is_unloaded() {
    let served = Served::new().await;
    let all = [Which::Latest, Which::Version(1), Which::Label("champion"), Which::Label("challenger")];
    let folder = |part: &str| format!("models/{HISTORY}{part}");
    // The folder of all models, the model's, and what is in that.
    for parts in
        [vec!["models".to_owned()], vec![folder("")], vec![folder("/1"), folder("/2"), folder("/model.yaml")]]
    {
        parts.iter().enumerate().for_each(|(at, part)| served.put(part, &format!("away{at}")));
        served.read().await;
        served.read().await;
        all.into_iter().for_each(|which| served.ask(which, 1));
        assert_eq!(served.problems(), [LEFT], "{parts:?}");
        parts.iter().enumerate().for_each(|(at, part)| served.put(&format!("away{at}"), part));
        served.read().await;
        all.into_iter().for_each(|which| served.ask(which, 1));
        assert_eq!(served.problems(), Vec::<String>::new());
    }
    assert_eq!((served.counted(1), served.counted(2)), (12, 12));

    served.put(&folder(""), "away");
    served.read().await;
    served.models.unload(HISTORY).await.unwrap();
    assert!(served.models.find(HISTORY, Which::Latest).is_err());
    assert_eq!(served.problems(), Vec::<String>::new());
    assert!(served.models.load(HISTORY).await.is_err(), "there is nothing to load");
    served.put("away", &folder(""));
    served.models.load(HISTORY).await.unwrap();
    all.into_iter().for_each(|which| served.ask(which, 1));
}

#[tokio::test]
async fn a_version_whose_folder_is_gone_ends_where_another_is_left_or_none_is_wanted() {
    let served = Served::new().await;
    let root = served.folder.path().join("models").join(HISTORY);
    let serve = |text: &str| std::fs::write(root.join("model.yaml"), text).unwrap();
    serve("serve: all\n");
    std::fs::remove_dir_all(root.join("2")).unwrap();
    served.read().await;
    assert!(served.models.find(HISTORY, Which::Version(2)).is_err());
    served.ask(Which::Latest, 1);
    std::fs::remove_dir_all(root.join("1")).unwrap();
    served.read().await;
    served.ask(Which::Latest, 1);
    serve("serve: { versions: [] }\n");
    served.read().await;
    assert!(served.models.find(HISTORY, Which::Latest).is_err());
    assert_eq!(served.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn what_serves_counts_where_it_is_looked_at_while_nothing_can_be_read() {
    let served = Served::new().await;
    served.ask(Which::Version(1), 5);
    let drift = Arc::clone(served.models.drift());
    // As when file descriptors are used up: nothing was read, and that is known.
    let mut nothing = ModelLibrary::default();
    nothing.note_unread(Some(HISTORY));
    let table = served.models.table();
    let watches = |table: &Table| -> Vec<_> {
        table.servables().filter_map(|servable| servable.watch().cloned()).collect()
    };
    let next = plan::plan(&nothing, &Wishes::default(), &table, &drift).next;
    drift.follow_all(&nothing, watches(&next), &[]);
    served.ask(Which::Version(1), 3);
    assert_eq!(served.counted(1), 8);
    drift.follow(&nothing);
    assert_eq!(served.counted(1), 8, "of what cannot be read nothing is known to be gone");
    drift.follow(&ModelLibrary::default());
    assert!(drift.versions(HISTORY).is_none());
}
