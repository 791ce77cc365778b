//! References of rows that were given: of every format, with a limit that says something, and renewed while somebody
//! counts.

use std::path::{Path, PathBuf};

use super::*;
use crate::learn::import::{self, ImportRequest};
use crate::learn::reference::LEAST_ROWS;
use crate::learn::remeasure;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
}

fn import(models: &Path, file: &str, columns: Option<&str>, rows: Option<&Path>) {
    let request = ImportRequest {
        file: fixture(file),
        name: "credit".to_owned(),
        columns: columns.map(fixture),
        rows: rows.map(Path::to_path_buf),
        ..ImportRequest::default()
    };
    import::run(models, &request).unwrap();
}

/// Every so-many-th line of the real applicants, with the header.
fn applicants(models: &Path, name: &str, wanted: impl Fn(usize) -> bool) -> PathBuf {
    let text = std::fs::read_to_string(fixture("credit_data.csv")).unwrap();
    let lines = text.lines().enumerate().filter(|(at, _)| *at == 0 || wanted(*at)).map(|(_, line)| line);
    let path = models.join(name);
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    path
}

#[test]
fn rows_given_at_import_are_a_reference_of_each_format() {
    for (file, columns, rows) in [
        ("xgb_choices.json", None, "credit_rows.csv"),
        ("xgb_amount.json", None, "credit_rows.csv"),
        ("lgb_choices.txt", None, "credit_rows.csv"),
        ("lgb_zero.txt", None, "credit_rows.csv"),
        ("sk_forest.onnx", None, "credit_rows.csv"),
        ("sk_hist.onnx", Some("columns.yaml"), "credit_rows.csv"),
        ("scorecard.pmml", None, "german_rows.csv"),
    ] {
        let models = tempfile::tempdir().unwrap();
        import(models.path(), file, columns, Some(&fixture(rows)));
        let (model, watch) = watch_of(&read_models(models.path()), "credit", 1);
        let monitor = watch.monitor.as_ref().unwrap_or_else(|why| panic!("{file}: {why}"));
        // The very same rows lie as the reference does, in each bin.
        let sample = monitor.sample();
        let rows = std::fs::read(fixture(rows)).unwrap();
        let asked = answers::ask(&model, (&rows, b','), |row, answer| sample.row(row, answer)).unwrap();
        let report = sample.report();
        assert_eq!(report.rows as usize, asked.rows - asked.refused.values().sum::<usize>(), "{file}");
        for moved in [&report.score.moved].into_iter().chain(report.inputs.iter().map(|input| &input.moved)) {
            assert!(moved.bins.iter().all(|bin| bin.observed == bin.expected), "{file}: {moved:?}");
        }
    }
}

#[test]
fn other_applicants_do_not_alarm_and_shifted_ones_do() {
    let models = tempfile::tempdir().unwrap();
    let given = applicants(models.path(), "given.csv", |at| at % 3 == 0);
    let others = applicants(models.path(), "others.csv", |at| at % 3 != 0);
    import(models.path(), "lgb_choices.txt", None, Some(&given));
    let (model, watch) = watch_of(&read_models(models.path()), "credit", 1);
    let alarmed = |change: &dyn Fn(&mut Vec<Value>)| {
        let sample = watch.monitor.as_ref().unwrap().sample();
        answers::ask(&model, (&std::fs::read(&others).unwrap(), b','), |row, _| {
            let mut row = row.to_vec();
            change(&mut row);
            sample.row(&row, model.predict(&row).unwrap());
        })
        .unwrap();
        let report = sample.report();
        let alarmed = report.inputs.iter().filter(|input| input.moved.is_alarm);
        (alarmed.map(|input| input.input.to_string()).collect::<Vec<_>>(), report.is_alarm)
    };
    assert_eq!(alarmed(&|_| ()), (vec![], false));
    let amount = place(&model, "amount");
    let dearer = |row: &mut Vec<Value>| {
        let number = crate::domain::model::as_number(&row[amount]).unwrap();
        row[amount] = Value::Number(number * 1.5);
    };
    assert_eq!(alarmed(&dearer), (vec!["amount".to_owned()], true));
}

#[test]
fn the_fewest_rows_add_less_to_the_limit_than_is_told_as_drift_at_least() {
    // Ten bins, and the certainty that is asked of each of a hundred inputs and the score; a window without end.
    let limit = |rows: usize| {
        let shift = Shift { psi: 0.0, degrees: 9, rows: (u64::MAX, rows as u64) };
        shift.limit(1.0 - (1.0 - SURE) / 101.0)
    };
    assert!(limit(LEAST_ROWS) < LEAST, "{}", limit(LEAST_ROWS));
    assert!(limit(LEAST_ROWS * 9 / 10) > LEAST, "fewer would do: {}", limit(LEAST_ROWS * 9 / 10));
}

#[test]
fn a_reference_of_the_fewest_rows_is_rarely_an_unlucky_one() {
    // Ten inputs and a score of ten equal bins each; every reference is held against a window of 5,000 rows.
    let mut dice = Dice(SplitMix64(11));
    let mut unlucky = 0;
    for _ in 0..200 {
        let is_alarm = (0..11).any(|_| {
            let mut draw = |rows: u64| {
                let mut bins = [0_u64; 10];
                (0..rows).for_each(|_| bins[usize::try_from(dice.below(10)).unwrap()] += 1);
                bins
            };
            let (observed, expected) = (draw(5000), draw(LEAST_ROWS as u64));
            let shift = Shift::between(observed.into_iter().zip(expected)).unwrap();
            shift.is_drift(1.0 - (1.0 - SURE) / 11.0)
        });
        unlucky += u32::from(is_alarm);
    }
    assert!(unlucky <= 10, "{unlucky} of 200");
}

#[test]
fn a_reference_given_later_counts_for_who_holds_the_watch_already() {
    let models = tempfile::tempdir().unwrap();
    import(models.path(), "lgb_credit.txt", None, None);
    let drift = Drift::default();
    let follow = || {
        drift.follow(&read_models(models.path()));
        drift.versions("credit").unwrap().remove(0)
    };
    let held = follow();
    assert!(matches!(held.monitor, Err(NoReference::NotInCard { .. })));
    let model = read_models(models.path()).resolve("credit@1").unwrap();
    let give = |name: &str| {
        let rows = std::fs::read(fixture(name)).unwrap();
        remeasure::remeasure(&models.path().join("credit"), &model, Path::new(name), (&rows, b',')).unwrap();
    };
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let ask = |watch: &Watch, rows: usize| {
        let columns = Columns::of_lists(vec![vec![Value::Number(1.0); rows]; model.inputs.len()]).unwrap();
        watch.columns(&columns, &vec![0.5; rows], now);
    };
    let rows = |watch: &Watch| watch.report(Window::Hour, now).map(|found| found.report.rows);
    ask(&held, 5);
    give("credit_rows.csv");
    let first = follow();
    ask(&held, 7);
    assert_eq!((rows(&held), rows(&first)), (None, Some(7)), "counted by the one that has a reference");
    assert!(Arc::ptr_eq(&first, &follow()), "the same rows change nothing");
    give("credit_rows.csv");
    assert_eq!(rows(&follow()), Some(7), "nor when they are given again");
    // Renewed: counting begins anew, and what the counters stand at is kept.
    give("credit_data.csv");
    let second = follow();
    ask(&held, 2);
    ask(&first, 1);
    assert_eq!((rows(&first), rows(&second)), (Some(7), Some(3)));
    let counters = |watch: &Watch| -> u64 {
        let counted = meters::reached(watch);
        counted.iter().filter(|((input, _), _)| input.is_none()).map(|(_, count)| count).sum()
    };
    assert_eq!(counters(&second), 10);
    // Without the file there is what the card has, which is nothing.
    std::fs::remove_file(models.path().join("credit/references/1.json")).unwrap();
    assert!(matches!(follow().monitor, Err(NoReference::NotInCard { .. })));
    ask(&held, 1);
    assert_eq!(rows(&second), Some(3));
    give("credit_rows.csv");
    let third = follow();
    ask(&held, 4);
    assert_eq!((rows(&third), counters(&third)), (Some(4), 14), "a counter never falls");
    // What cannot be read at the moment may be there all the same.
    std::fs::remove_file(models.path().join("credit/references/1.json")).unwrap();
    let mut unread = read_models(models.path());
    unread.note_unread(Some("credit"));
    drift.follow(&unread);
    assert!(Arc::ptr_eq(&third, &drift.versions("credit").unwrap()[0]));
}
