//! `tollgate decide --batch` from end to end: files in, files out, exit codes and what is said.

use std::process::Output;

use serde_json::{Value as Json, json};

use crate::app::{Home, copy_folder};

const DATA: &str = "models/german_credit/data/german_credit.csv";

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn batch<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["decide", "personal_loan", "--batch", DATA, "--label", "outcome"], more].concat()
}

#[test]
fn a_file_of_applicants_is_decided_written_reported_and_compared() {
    let home = Home::of_samples();
    copy_folder(&home.path("rules"), &home.path("other/rules"));
    home.edit("other/rules/personal_loan/flow.yaml", "max_default_risk: 0.60", "max_default_risk: 0.50");
    let flags = ["--groups", "foreign_worker", "--compare", "other", "--report", "report.html"];
    for (file, more) in [("a.csv", "json"), ("a.ndjson", "text"), ("a.parquet", "markdown")] {
        let out = home.run(&batch(&[&flags[..], &["--out", file, "--format", more]].concat()));
        assert_eq!(code(&out), 0, "{}", said(&out));
        let shown = printed(&out);
        match more {
            "json" => {
                let summary: Json = serde_json::from_str(&shown).unwrap();
                assert_eq!(summary["outcomes"][0]["rows"], 665, "{summary}");
                assert_eq!(summary["comparison"]["with"], "other");
                assert_eq!(summary["groups"][0]["column"], "foreign_worker");
            }
            "text" => assert!(shown.contains("approve") && shown.contains("there \\ here"), "{shown}"),
            _ => assert!(shown.contains("| approve | 665 | 66.5 % |"), "{shown}"),
        }
    }
    assert_eq!(home.read("a.csv").lines().count(), 1_001);
    let first: Json = serde_json::from_str(home.read("a.ndjson").lines().next().unwrap()).unwrap();
    assert_eq!((&first["row"], &first["state"]), (&json!(1), &json!("decided")));
    let parquet = std::fs::read(home.path("a.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    let page = home.read("report.html");
    assert!(page.contains("<svg") && page.contains("foreign_worker"), "{}", page.len());

    // What was written as Parquet is read as rows again: an unknown flow input is named.
    let again = home.run(&["decide", "personal_loan", "--batch", "a.parquet"]);
    assert_eq!(code(&again), 2);
    assert!(said(&again).contains("`output.apr`") && said(&again).contains("--ignore"), "{}", said(&again));
}

#[test]
fn wrong_rows_end_with_1_and_are_kept_and_what_cannot_run_ends_with_2() {
    let home = Home::of_samples();
    let text = home.read(DATA).replacen("below_0,6,", "below_0,secret,", 1);
    home.write("wrong.csv", &text);
    let out = home.run(&[
        "decide",
        "personal_loan",
        "--batch",
        "wrong.csv",
        "--ignore",
        "outcome",
        "--rejects",
        "kept.csv",
    ]);
    assert_eq!(code(&out), 1, "{}", said(&out));
    assert!(printed(&out).contains("line 2: /duration_months wrong_type"), "{}", printed(&out));
    assert!(!printed(&out).contains("secret") && !said(&out).contains("secret"));
    assert_eq!(home.read("kept.csv").lines().count(), 2);
    home.edit("kept.csv", "secret", "6");
    let mended = home.run(&["decide", "personal_loan", "--batch", "kept.csv", "--ignore", "outcome"]);
    assert_eq!(code(&mended), 0, "{}", said(&mended));

    let check = |more: &[&str], says: &str| {
        let out = home.run(&[&["decide", "personal_loan"], more].concat());
        assert!(code(&out) == 2 && said(&out).contains(says), "{more:?}: {}", said(&out));
    };
    check(&["--batch", DATA], "no input for the column `outcome`");
    check(&["--batch", "nowhere.csv"], "`nowhere.csv` cannot be read");
    check(&["--batch", "data.xlsx"], "--input-format");
    check(&["--batch", DATA, "--out", DATA, "--label", "outcome"], "is named twice");
    check(&["--batch", DATA, "--rejects", "x.ndjson", "--label", "outcome"], "ends in `.csv`");
    check(&["--batch", DATA, "--label", "outcome", "--groups", "age"], "--groups-may-be-inputs");
    check(&["--batch", DATA, "--label", "outcome", "--at", "yesterday"], "invalid value");
    check(&["--batch", DATA, "--label", "outcome", "--compare", "nowhere"], "there is no folder");
    check(&["--batch", DATA, "--facts", "-"], "cannot be used with");
}

/// Every `$ …` line of the walk is run in order, in one folder; what stands below it is what it prints.
#[test]
fn the_walk_in_the_docs_shows_what_the_commands_print() {
    let home = Home::of_samples();
    let commands = home.walk("docs/backtesting.md");
    assert!(commands >= 4, "{commands} commands were tried: how are blocks written now?");
}
