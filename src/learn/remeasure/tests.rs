//! A reference given later is the rows' own, stands beside the version, and leaves all else as it was.

use std::collections::BTreeMap;

use super::*;
use crate::learn::import::{self, ImportRequest};
use crate::learn::library::read_models;
use crate::learn::reference::LEAST_ROWS;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
}

/// A model that was imported without rows.
fn imported() -> tempfile::TempDir {
    let models = tempfile::tempdir().unwrap();
    let request = ImportRequest {
        file: fixture("lgb_credit.txt"),
        name: "credit".to_owned(),
        ..ImportRequest::default()
    };
    let imported = import::run(models.path(), &request).unwrap();
    assert_eq!(imported.draft.reference, Err(Unmeasured::NoRows));
    models
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn give(models: &Path, rows: &[u8]) -> Result<Remeasured, RemeasureError> {
    let model = read_models(models).resolve("credit@1").unwrap();
    remeasure(&models.join("credit"), &model, Path::new("somewhere/rows.csv"), (rows, b','))
}

#[test]
fn it_stands_beside_the_version_and_nothing_else_changes() {
    let models = imported();
    let before = files(models.path());
    let rows = fs::read(fixture("credit_rows.csv")).unwrap();
    let given = give(models.path(), &rows).unwrap();
    assert_eq!((given.measured_on.rows, given.measured_on.refused), (1010, 0));
    assert_eq!(given.measured_on.file, "rows.csv", "no path of the machine");
    let mut after = files(models.path());
    let bytes = after.remove(&models.path().join("credit/references/1.json")).unwrap();
    assert_eq!(after, before);
    let library = read_models(models.path());
    assert_eq!(library.findings(), []);
    let version = &library.models()["credit"].versions[&1];
    assert_eq!(version.card.get("reference"), None, "the card is as it was written");
    assert_eq!(version.measured_on(), Some(given.measured_on.clone()));
    assert_eq!(version.reference().unwrap()["inputs"].as_array().unwrap().len(), 8);
    assert_eq!(give(models.path(), &rows).unwrap(), given);
    let again = fs::read(models.path().join("credit/references/1.json")).unwrap();
    assert!(again == bytes, "the same rows give the same bytes");
    let half: Vec<&[u8]> = rows.split_inclusive(|byte| *byte == b'\n').take(501).collect();
    assert_eq!(give(models.path(), &half.concat()).unwrap().measured_on.rows, 500, "it may be renewed");
}

#[test]
fn too_few_rows_write_nothing() {
    let models = imported();
    let rows = fs::read(fixture("credit_rows.csv")).unwrap();
    let of = |count: usize| -> Vec<u8> {
        rows.split_inclusive(|byte| *byte == b'\n').take(count + 1).collect::<Vec<_>>().concat()
    };
    let error = give(models.path(), &of(LEAST_ROWS - 1)).unwrap_err();
    assert_eq!(error.to_string(), Unmeasured::TooFew { answered: 299, given: 299 }.to_string());
    assert!(error.to_string().starts_with("300 rows are the fewest, and the model answers 299 of the 299"));
    assert!(!models.path().join("credit/references").exists());
    give(models.path(), &of(LEAST_ROWS)).unwrap();
}
