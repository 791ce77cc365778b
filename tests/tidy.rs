//! The laws of the house, held by reading the source: who may import whom, which room is the door to which crate,
//! what the domain never does, how files open and how long they may be, and that every code, metric, route and
//! command is documented. Each law is one test and says what to do. Absent on purpose: what clippy holds already
//! (length of functions, panics, indexing), and anything that would need the crate itself.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Read downward, import downward.
const ROOMS: &[&str] = &[
    "main",
    "cli",
    "app",
    "config",
    "telemetry",
    "grpc",
    "http",
    "predict",
    "engine",
    "release",
    "gather",
    "wire",
    "trial",
    "audit",
    "store",
    "bundle",
    "drift",
    "learn",
    "documents",
    "domain",
];

/// Each heavy crate, and the places that may name it.
const DOORS: &[(&str, &[&str])] = &[
    ("rhai", &["src/domain/script/"]),
    ("sqlx", &["src/store/"]),
    ("actix_web", &["src/http/", "src/app.rs", "src/app/"]),
    ("utoipa", &["src/http/"]),
    ("clap", &["src/cli/"]),
    ("indicatif", &["src/cli/"]),
    ("serde_yaml", &["src/documents/"]),
    ("csv", &["src/documents/"]),
    ("tar", &["src/documents/"]),
    ("annotate_snippets", &["src/documents/"]),
    ("smartcore", &["src/learn/"]),
    ("maud", &["src/documents/html", "src/learn/card/", "src/learn/compare", "src/trial/"]),
    ("parquet", &["src/documents/"]),
    ("quick_junit", &["src/cli/"]),
    ("tonic", &["src/grpc", "src/gather/", "src/wire"]),
    ("tower", &["src/gather/"]),
    ("reqwest", &["src/gather/", "src/app/tests.rs"]),
    ("prost_reflect", &["src/grpc/"]),
    ("protox", &["src/grpc/"]),
    ("prost", &["src/learn/import/onnx", "src/grpc/", "src/gather/", "src/wire"]),
    ("roxmltree", &["src/learn/import/pmml.rs"]),
    ("arc_swap", &["src/release/", "src/predict/", "src/drift/"]),
    ("statrs", &["src/drift/"]),
    ("notify", &["src/release/"]),
    ("notify_debouncer_full", &["src/release/"]),
    ("tracing_subscriber", &["src/telemetry.rs"]),
    ("metrics_exporter_prometheus", &["src/telemetry.rs"]),
];

/// What `domain/` never names: it has no IO, clock, randomness, waiting, log or wire form, and no order by chance.
const NOT_IN_DOMAIN: &[&str] = &[
    "async",
    "await",
    "fs",
    "net",
    "env",
    "process",
    "thread",
    "SystemTime",
    "Instant",
    "now",
    "HashMap",
    "HashSet",
    "rand",
    "getrandom",
    "tokio",
    "tracing",
    "metrics",
    "serde",
    "serde_json",
    "println",
    "eprintln",
];

const LONGEST_FILE: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files below some folders, by path from the root and text, in order; built and run-time folders left out.
fn files(folders: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let is_made = ["target", "data", ".git"].iter().any(|name| path == root().join(name));
                if !is_made {
                    walk(&path, found);
                }
            } else {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut paths);
    }
    paths.sort();
    let named = paths.iter().map(|path| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        (name, path)
    });
    let texts = named
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, path)| Some((name, String::from_utf8(fs::read(path).unwrap()).ok()?)));
    let texts: Vec<_> = texts.collect();
    assert!(!texts.is_empty(), "nothing to hold in {folders:?}: was a folder moved?");
    texts
}

fn rust(folders: &[&str]) -> Vec<(String, String)> {
    files(folders, |name| name.ends_with(".rs"))
}

#[track_caller]
fn hold(law: &str, way_out: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{law}; {way_out}:\n  {}", broken.join("\n  "));
}

/// The text with comments and the insides of texts blanked out: what is left is code, on the same lines.
fn code(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = |i: usize| characters.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < characters.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => (i..).find(|j| matches!(at(*j), '\n' | '\0')).unwrap(),
            ('/', '*') => {
                (i + 2..).find(|j| at(*j) == '\0' || (at(*j), at(*j + 1)) == ('*', '/')).unwrap() + 2
            }
            ('r', '"' | '#') if !is_word(at(i.wrapping_sub(1))) => raw_end(&at, i),
            ('"', _) => quoted_end(&at, i, '"'),
            ('\'', '\\') => quoted_end(&at, i, '\''),
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            (c, _) => {
                out.push(c);
                i += 1;
                continue;
            }
        };
        let end = end.min(characters.len());
        out.extend((i..end).map(|j| if at(j) == '\n' { '\n' } else { ' ' }));
        i = end;
    }
    out
}

fn quoted_end(at: &impl Fn(usize) -> char, start: usize, quote: char) -> usize {
    let mut i = start + 1;
    while at(i) != quote && at(i) != '\0' {
        i += if at(i) == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// Behind `r#"…"#`; behind the `r` when it begins no raw text.
fn raw_end(at: &impl Fn(usize) -> char, start: usize) -> usize {
    let hashes = (start + 1..).take_while(|j| at(*j) == '#').count();
    if at(start + 1 + hashes) != '"' {
        return start + 1;
    }
    let closes = |j: usize| at(j) == '"' && (1..=hashes).all(|h| at(j + h) == '#');
    (start + 2 + hashes..).find(|j| at(*j) == '\0' || closes(*j)).unwrap() + 1 + hashes
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every word of some code with its line and what stands before and behind it.
fn words(code: &str) -> Vec<(usize, &str, &str, &str)> {
    let (mut found, mut line, mut last) = (Vec::new(), 1, ' ');
    for (at, c) in code.char_indices() {
        if is_word(c) && !is_word(last) {
            let (before, rest) = code.split_at(at);
            let word = rest.split(|c| !is_word(c)).next().unwrap();
            found.push((line, word, before, rest.strip_prefix(word).unwrap()));
        }
        line += usize::from(c == '\n');
        last = c;
    }
    found
}

/// The room of a file, and how many modules deep it lies.
fn room_of(path: &str) -> (&str, usize) {
    let inside = path.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    (inside.split('/').next().unwrap(), inside.split('/').count())
}

/// What some code names of the crate's top level: `crate::x`, `crate::{x, y}`, enough `super::`s and then `x`.
fn top_level_names(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, word, before, behind) in words(code) {
        let Some(behind) = behind.strip_prefix("::") else { continue };
        let climbs = match word {
            "crate" => true,
            "super" => {
                let climbed = before.trim_end_matches("super::").len();
                (before.len() - climbed) / "super::".len() + 1 >= depth
            }
            _ => false,
        };
        if !climbs {
            continue;
        }
        if let Some(group) = behind.strip_prefix('{') {
            let mut nesting = 0_i32;
            for part in group.split_inclusive(['{', '}', ',']) {
                if nesting == 0 {
                    found.push((line, part.trim_matches(|c| !is_word(c)).to_owned()));
                }
                nesting += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                if nesting < 0 {
                    break;
                }
            }
        } else {
            found.push((line, behind.split(|c| !is_word(c)).next().unwrap().to_owned()));
        }
    }
    found.into_iter().map(|(line, name)| (line, name.split("::").next().unwrap().to_owned())).collect()
}

fn upward_imports(path: &str, text: &str) -> Vec<String> {
    let (room, depth) = room_of(path);
    let Some(floor) = ROOMS.iter().position(|r| *r == room) else {
        return vec![format!("{path}: the room `{room}` has no place in the order of rooms")];
    };
    let above = ROOMS.split_at(floor).0;
    let names = top_level_names(&code(text), depth);
    let wrong = names.iter().filter(|(_, name)| above.contains(&name.as_str()));
    wrong.map(|(line, name)| format!("{path}:{line}: `{room}` imports `{name}`")).collect()
}

#[test]
fn imports_go_downward() {
    let sources = rust(&["src"]);
    let broken: Vec<String> = sources
        .iter()
        .filter(|(path, _)| path != "src/lib.rs")
        .flat_map(|(path, text)| upward_imports(path, text))
        .collect();
    hold(
        "a room imports only rooms below it (main, cli, app, …, domain)",
        "move what is shared down, or pass it in",
        &broken,
    );
}

#[test]
fn the_import_law_sees_every_way_to_import_upward() {
    for bad in [
        "use crate::http::Doors;",
        "use crate::{domain::value::Value, http};",
        "use crate::{\n    domain::{value::Value, facts::Given},\n    http::{Doors, problem},\n};",
        "fn f() -> crate::cli::Say { todo!() }",
        "use super::super::http::Doors;",
        "/* harmless */ use crate::app;",
        "const A: &str = \"//\"; use crate::engine::Engine;",
    ] {
        assert_eq!(upward_imports("src/store/local.rs", bad).len(), 1, "{bad}");
    }
    for good in [
        "use crate::domain::value::Value;",
        "use crate::store::row::Row;",
        "use super::http::Door;",
        "// use crate::http::Doors;",
        "const A: &str = \"crate::http\"; const B: &str = r#\"crate::cli\"#;",
        "/// [`crate::http::Doors`]\nfn f() {}",
        "use crate::{domain::{http, cli}, documents};",
    ] {
        assert_eq!(upward_imports("src/store/local.rs", good), [""; 0], "{good}");
    }
    assert_eq!(upward_imports("src/attic/mod.rs", "").len(), 1, "an unknown room");
}

#[test]
fn every_room_is_in_the_order_and_there() {
    let mut there = BTreeSet::new();
    for (path, _) in rust(&["src"]) {
        let (room, _) = room_of(&path);
        there.insert(room.to_owned());
    }
    there.remove("lib");
    let known: BTreeSet<String> = ROOMS.iter().map(|room| (*room).to_owned()).collect();
    assert_eq!(there, known, "the rooms in `src/` and the order in tests/tidy.rs and ARCHITECTURE.md differ");
}

#[test]
fn each_heavy_crate_has_one_door() {
    let mut broken = Vec::new();
    let mut used = BTreeSet::new();
    for (path, text) in rust(&["src"]) {
        let code = code(&text);
        for (line, word, before, behind) in words(&code) {
            let Some((name, doors)) = DOORS.iter().find(|(name, _)| *name == word) else { continue };
            let is_path = behind.starts_with("::")
                && (!before.ends_with("::") || before.ends_with("notify_debouncer_full::"));
            let is_use = in_use(before) && !before.ends_with("::");
            if !is_path && !is_use {
                continue;
            }
            used.insert(*name);
            if !doors.iter().any(|door| path.starts_with(door)) {
                broken.push(format!("{path}:{line}: `{name}` belongs to {}", doors.join(", ")));
            }
        }
    }
    hold("a heavy crate is named in one room only", "ask that room for what is needed", &broken);
    let unused: Vec<_> = DOORS.iter().filter(|(name, _)| !used.contains(name)).collect();
    assert!(unused.is_empty(), "doors that nobody uses any more; remove them here: {unused:?}");
}

#[test]
fn every_dependency_is_used() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let named = |section: &str| -> Vec<String> {
        let lines = manifest.lines().skip_while(|line| *line != section).skip(1);
        let lines = lines.take_while(|line| !line.starts_with('['));
        lines.filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_"))).collect()
    };
    let uses = |folders: &[&str]| -> BTreeSet<String> {
        let sources: Vec<String> = rust(folders).iter().map(|(_, text)| code(text)).collect();
        sources.iter().flat_map(|code| words(code)).map(|(_, word, ..)| word.to_owned()).collect()
    };
    let (built, tested) = (named("[dependencies]"), named("[dev-dependencies]"));
    assert!(built.len() > 10 && !tested.is_empty(), "where are the dependencies in Cargo.toml?");
    let (in_source, anywhere) = (uses(&["src"]), uses(&["src", "tests", "benches"]));
    // Named by what `build.rs` makes from `proto/`, which is not in `src/`.
    let is_generated_s = |name: &str| name == "tonic_prost";
    let unused = built.iter().filter(|name| !in_source.contains(*name) && !is_generated_s(name));
    let unused: Vec<String> =
        unused.chain(tested.iter().filter(|name| !anywhere.contains(*name))).cloned().collect();
    hold("every dependency is used", "remove it from Cargo.toml", &unused);
}

/// Whether code breaks off inside of a `use`, so that a name behind it is imported.
fn in_use(before: &str) -> bool {
    let statement = before.rsplit(';').next().unwrap();
    let used = statement.rsplit_once("use ").map(|(_, used)| used);
    used.is_some_and(|used| used.chars().all(|c| is_word(c) || c.is_whitespace() || ":{},*".contains(c)))
}

fn impurities(code: &str) -> Vec<(usize, &str)> {
    let is_impure = |(_, word, before, behind): &(usize, &str, &str, &str)| {
        let is_named = behind.starts_with("::") || before.ends_with("::") || behind.starts_with('!');
        let is_always = word.starts_with(char::is_uppercase) || matches!(*word, "async" | "await");
        NOT_IN_DOMAIN.contains(word) && (is_named || is_always || in_use(before))
    };
    words(code).into_iter().filter(is_impure).map(|(line, word, ..)| (line, word)).collect()
}

#[test]
fn the_domain_is_pure() {
    let mut broken = Vec::new();
    for (path, text) in rust(&["src/domain"]) {
        let code = code(&text);
        broken.extend(impurities(&code).iter().map(|(line, word)| format!("{path}:{line}: `{word}`")));
    }
    hold(
        "`domain/` has no IO, clock, randomness, waiting, log, serde and hash map",
        "do it in the room that calls, and pass the result in",
        &broken,
    );
}

#[test]
fn the_law_of_the_domain_sees_impurity_in_every_dress() {
    for bad in [
        "use std::collections::HashMap;",
        "use std::{\n    fs,\n    sync::Arc,\n};",
        "let text = std::fs::read_to_string(path);",
        "let at = Timestamp::now();",
        "async fn f() {}",
        "#[derive(serde::Serialize)]\nstruct S;",
        "fn f() {}\nuse tracing as t;",
        "println!();",
    ] {
        assert_eq!(impurities(&code(bad)).len(), 1, "{bad}");
    }
    for good in ["let now = 1; // HashMap", "fn env(rand: u8) {}", "let fs = use_of(net);", "\"serde::x\""] {
        assert_eq!(impurities(&code(good)), [], "{good}");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let sources = rust(&["src", "tests", "benches"]);
    let silent: Vec<String> =
        sources.into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    hold("every file opens with `//!`", "say what it is for and what is absent on purpose", &silent);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = rust(&["src", "tests", "benches"])
        .into_iter()
        .filter(|(_, text)| text.lines().count() > LONGEST_FILE)
        .map(|(path, text)| format!("{path}: {} lines", text.lines().count()))
        .collect();
    hold("no file has more than 500 lines", "find the second idea in it and give it a file", &long);
}

#[test]
fn no_file_is_named_after_nothing() {
    let refused = ["util", "utils", "helper", "helpers", "common", "type", "types", "misc", "stuff"];
    let broken: Vec<String> = rust(&["src", "tests", "benches"])
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| {
            let mut parts = path.trim_end_matches(".rs").split('/');
            parts.any(|p| refused.contains(&p) || p.ends_with("_new") || p.ends_with("_v2"))
        })
        .collect();
    hold("a file is named after what it holds", "find the word for it in GLOSSARY.md", &broken);
}

#[test]
fn lints_are_silenced_only_with_a_reason_and_only_here() {
    let mut broken = Vec::new();
    for (path, text) in rust(&["src", "tests", "benches"]) {
        let code = code(&text);
        for (line, word, before, behind) in words(&code) {
            let is_attribute = before.ends_with("#[") || before.ends_with("#![");
            if !is_attribute || !matches!(word, "allow" | "expect") {
                continue;
            }
            let arguments = behind.split(']').next().unwrap();
            if word == "allow" {
                broken.push(format!("{path}:{line}: `allow` outlives its cause, `expect` does not"));
            } else if !arguments.contains("reason") {
                broken.push(format!("{path}:{line}: no reason"));
            } else if before.ends_with("#![") && path.starts_with("src/") {
                broken.push(format!("{path}:{line}: for a whole file"));
            }
        }
    }
    hold("a lint is silenced at one place", "write `#[expect(…, reason = \"…\")]` there", &broken);
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let homes = ["home", "root", "Users", "work"].map(|folder| format!("/{folder}/"));
    let mut broken = Vec::new();
    for (path, text) in files(&["."], |name| !matches!(name, "Cargo.lock" | ".git")) {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| line.len() < 10_000) {
            // An address or a longer path may go through a folder of that name.
            let starts = |at: usize| {
                let before = line.get(..at).unwrap_or_default().chars().next_back();
                !before.is_some_and(|c| is_word(c) || "./:-}".contains(c))
            };
            if homes.iter().any(|home| line.match_indices(home.as_str()).any(|(at, _)| starts(at))) {
                broken.push(format!("{path}:{}", number + 1));
            }
        }
    }
    hold("no path of someone's machine is in the tree", "make it relative or a variable", &broken);
}
