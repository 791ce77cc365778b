//! The pages of `docs/models/`, tried: every `$ …` line is run in order, in one folder, and what stands below it is what it
//! prints. The files that the pages of formats read are made by their own Python (`tests/fixtures/models/pages.py`).
//! Absent: that Python, which needs the libraries.

use crate::app::{Home, copy_folder, repository};

fn format(name: &str, commands: usize) {
    let home = Home::empty();
    copy_folder(&repository().join("tests/fixtures/models/pages").join(name), &home.path(""));
    assert_eq!(home.walk(&format!("docs/models/{name}.md")), commands, "how are blocks written now?");
}

#[test]
fn the_page_of_xgboost_shows_what_the_commands_print() {
    format("xgboost", 2);
}

#[test]
fn the_page_of_lightgbm_shows_what_the_commands_print() {
    format("lightgbm", 3);
}

#[test]
fn the_page_of_scikit_learn_shows_what_the_commands_print() {
    format("scikit-learn", 3);
}

#[test]
fn the_page_of_onnx_shows_what_the_commands_print() {
    format("onnx", 2);
}

#[test]
fn the_page_of_pmml_shows_what_the_commands_print() {
    format("pmml", 1);
}

#[test]
fn the_page_of_training_shows_what_the_commands_print() {
    let home = Home::of_samples();
    assert!(home.walk("docs/models/training.md") >= 4);
}

#[test]
fn the_page_of_comparing_shows_what_the_commands_print() {
    let home = Home::of_samples();
    assert!(home.walk("docs/models/comparing.md") >= 4);
}

#[test]
fn the_page_of_explaining_shows_what_the_commands_print() {
    let home = Home::of_samples();
    assert!(home.walk("docs/models/explaining.md") >= 1);
}
