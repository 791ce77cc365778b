//! The pages in `docs/diagnostics/`, tried: what a page calls wrong gives its code, what it calls right does not,
//! and checks. A page's fenced blocks name their file (```` ```yaml flow.yaml ````) and are laid over the flow in
//! `docs/diagnostics/loan/`: of `flow.yaml` only the top-level keys that the block has, of any other file the whole;
//! an empty block takes the file away. `docs/language.md` is tried in the same way on the sample flow. Absent on
//! purpose: pages whose cause a page cannot show (`UNSHOWN`).

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollgate::bundle::{Built, Documents, build, cases};
use tollgate::domain::diagnostic::Severity;

/// What no text on a page can show: unreadable or huge files, hidden characters, what comes up only later.
const UNSHOWN: &[&str] = &["B002", "B011", "M101", "M207", "S002", "Y002", "Y006"];

/// Flows that `docs/language.md` shows whole; its other blocks are laid over the sample flow.
const WHOLE: &str = "rules/lending/";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

type Files = BTreeMap<String, Vec<u8>>;

/// A flow, as `rules/loan/`, the repository's models, and the small ones that the pages need.
fn base(flow: &str) -> Files {
    fn walk(folder: &Path, name: &str, files: &mut Files) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let child = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                walk(&path, &child, files);
            } else if path.extension().is_some_and(|e| e != "csv" && e != "md") {
                files.insert(child, fs::read(&path).unwrap());
            }
        }
    }
    let mut files = Files::new();
    walk(&root().join(flow), "rules/loan", &mut files);
    walk(&root().join("models"), "models", &mut files);
    walk(&root().join("docs/diagnostics/models"), "models", &mut files);
    files
}

/// One fenced block: the file it stands for, and its text.
type Block = (String, String);

/// The part of a page under one heading.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    page.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap_or_default()
}

/// The blocks of a text.
fn blocks(section: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in section.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(info), None) => {
                let path = info.split_once(' ').map_or("", |(_, path)| path);
                open = Some((path.to_owned(), String::new()));
            }
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// Splits a document into its top-level keys, each with its lines.
fn top_level(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let begins = line.starts_with(|c: char| c.is_alphanumeric());
        let key = line.split(':').next().unwrap().to_owned();
        match parts.last_mut() {
            Some((_, lines)) if !begins => lines.push_str(line),
            _ => parts.push((key, line.to_owned())),
        }
    }
    parts
}

fn lay_over(files: &mut Files, (path, text): &Block) {
    let full = if path.starts_with("models/") || path.starts_with("rules/") {
        path.clone()
    } else {
        format!("rules/loan/{path}")
    };
    if text.is_empty() {
        assert!(files.remove(&full).is_some(), "{full} is not there to be taken away");
        return;
    }
    if path != "flow.yaml" {
        files.insert(full, text.clone().into_bytes());
        return;
    }
    let mut parts = top_level(std::str::from_utf8(files.get(&full).unwrap()).unwrap());
    for (key, lines) in top_level(text) {
        match parts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, before)) => *before = lines,
            None => parts.push((key, lines)),
        }
    }
    let whole: String = parts.into_iter().map(|(_, lines)| lines).collect();
    files.insert(full, whole.into_bytes());
}

fn built(blocks: &[Block]) -> Built {
    built_on(base("docs/diagnostics/loan"), blocks)
}

fn built_on(mut files: Files, blocks: &[Block]) -> Built {
    for block in blocks {
        lay_over(&mut files, block);
    }
    build(&Documents::from_files(files))
}

fn said(built: &Built) -> String {
    let lines = built.diagnostics.iter().map(|d| format!("  {} {:?} {}\n", d.code, d.severity, d.message));
    lines.collect()
}

#[test]
fn the_flow_that_the_pages_start_from_checks_clean() {
    let built = built(&[]);
    assert!(built.diagnostics.is_empty(), "{}", said(&built));
}

#[test]
fn what_a_page_calls_wrong_gives_its_code_and_what_it_calls_right_checks() {
    let mut failed = Vec::new();
    let mut tried = 0;
    for entry in fs::read_dir(root().join("docs/diagnostics")).unwrap() {
        let path = entry.unwrap().path();
        let code = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() || code == "README" || UNSHOWN.contains(&code.as_str()) {
            continue;
        }
        tried += 1;
        let page = fs::read_to_string(&path).unwrap();
        let (wrong, right) = (blocks(section(&page, "Wrong")), blocks(section(&page, "Right")));
        if wrong.is_empty() || right.is_empty() {
            failed.push(format!("{code}: shows nothing wrong, or nothing right"));
            continue;
        }
        let (is, ought) = (built(&wrong), built(&right));
        if !is.diagnostics.iter().any(|d| d.code == code) {
            failed.push(format!("{code}: what is called wrong gives\n{}", said(&is)));
        }
        let is_bad =
            |d: &tollgate::domain::diagnostic::Diagnostic| d.code == code || d.severity == Severity::Error;
        if ought.diagnostics.iter().any(is_bad) {
            failed.push(format!("{code}: what is called right gives\n{}", said(&ought)));
        }
    }
    assert!(tried > 50, "only {tried} pages were tried");
    assert!(failed.is_empty(), "{} of {tried} pages:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn the_examples_of_the_language_page_check_in_the_sample_flow() {
    let page = fs::read_to_string(root().join("docs/language.md")).unwrap();
    let others = [WHOLE, "rules/_shared/", "rules/signup/"];
    let is_of_sample =
        |(path, _): &Block| !path.is_empty() && !others.iter().any(|other| path.starts_with(other));
    let shown: Vec<Block> = blocks(&page).into_iter().filter(is_of_sample).collect();
    let paths: Vec<&str> = shown.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "knockout.rules.yaml",
            "application.scorecard.yaml",
            "pricing.table.csv",
            "pricing.table.yaml",
            "limits.table.csv",
            "fees.table.yaml",
            "flow.rhai",
            "markets/mx.yaml",
            "curp_checks.rules.yaml",
            "rules/fraud_check/flow.yaml",
            "rules/fraud_check/flow.rhai",
            "rules/small_loan/flow.yaml",
            "rules/small_loan/flow.rhai",
            "cases/knockout.yaml"
        ]
    );
    let mut files = base("tests/fixtures/small/rules/personal_loan");
    let flow = String::from_utf8(files.remove("rules/loan/flow.yaml").unwrap()).unwrap();
    let flow = flow.replace("flow: personal_loan", "flow: loan");
    files.insert("rules/loan/flow.yaml".to_owned(), flow.into_bytes());
    let built = built_on(files, &shown);
    assert!(!built.has_errors(), "{}", said(&built));
    let report = built.flows.get("loan").unwrap();
    let revision = report.revision.as_ref().unwrap();
    assert_eq!(revision.market_names(), ["base", "mx"]);
    assert!(built.bundle.flow("small_loan").is_some());
    let shown = report.cases.cases.iter().filter(|case| case.path.ends_with("cases/knockout.yaml")).cloned();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let (results, _) = cases::run(&Arc::from("loan"), revision, &shown.collect::<Vec<_>>(), now);
    assert_eq!((results.len(), cases::rendered(&results)), (3, String::new()));
}

#[test]
fn whole_flows_on_the_language_page_check_clean_and_their_cases_hold() {
    let page = fs::read_to_string(root().join("docs/language.md")).unwrap();
    let mut files = Files::new();
    for block in blocks(&page).into_iter().filter(|(path, _)| path.starts_with(WHOLE)) {
        lay_over(&mut files, &block);
    }
    let built = build(&Documents::from_files(files));
    assert!(built.diagnostics.is_empty(), "{}", said(&built));
    for (flow, report) in &built.flows {
        let revision = report.revision.as_ref().unwrap();
        let (cases, now) = (&report.cases.cases, jiff::Timestamp::now());
        assert!(!cases.is_empty(), "{flow} shows no case");
        let (results, _) = cases::run(flow, revision, cases, now);
        assert_eq!(cases::rendered(&results), "", "{flow}");
    }
}

#[test]
fn the_flow_that_the_language_page_tells_of_checks_clean() {
    let page = fs::read_to_string(root().join("docs/language.md")).unwrap();
    let told: Vec<Block> = blocks(&page)
        .into_iter()
        .filter(|(path, _)| path.starts_with("rules/_shared/") || path.starts_with("rules/signup/"))
        .collect();
    assert!(told.len() >= 8, "{told:?}");
    let built = build(&Documents::from_files(told.into_iter().map(|(path, text)| (path, text.into_bytes()))));
    assert!(built.diagnostics.is_empty(), "{}", said(&built));
    assert!(built.bundle.flow("signup").is_some());
}
