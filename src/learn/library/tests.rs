//! Model folders, whole and broken, and what each reference leads to.

use std::fs;
use std::path::Path;

use super::*;

fn sample(file: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/german_credit").join(file)).unwrap()
}

/// The sample under `name`, as files in memory.
fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = ["train.yaml", "1/model.json", "1/card.json", "2/model.json", "2/card.json"]
        .map(|file| (format!("{name}/{file}"), sample(file)))
        .to_vec();
    let aliases = b"aliases: { champion: 1, challenger: 2 }\n".to_vec();
    files.insert(0, (format!("{name}/model.yaml"), aliases));
    files
}

fn set(files: &mut Vec<(String, Vec<u8>)>, path: &str, bytes: &[u8]) {
    files.retain(|(other, _)| other != path);
    files.push((path.to_owned(), bytes.to_vec()));
}

fn told(library: &ModelLibrary) -> Vec<String> {
    let line = |f: &Finding| format!("{} {}: {}", f.diagnostic.code, f.path, f.diagnostic.message);
    library.findings().iter().map(line).collect()
}

#[test]
fn a_name_a_version_and_an_alias_lead_to_what_they_say() {
    let library = ModelLibrary::from_files(&files("german_credit"));
    assert_eq!(told(&library), Vec::<String>::new());
    let version = |reference: &str| library.resolve(reference).unwrap().version;
    assert_eq!(version("german_credit@champion"), 1);
    assert_eq!(version("german_credit@challenger"), 2);
    assert_eq!(version("german_credit@2"), 2);
    assert_eq!(version("german_credit"), 1, "the champion, not the highest");
    let model = &library.models()["german_credit"];
    assert_eq!(model.versions[&2].digest, artefact::digest(&sample("2/model.json")));
    assert_eq!(*model.versions[&2].artefact, *sample("2/model.json"));
    assert_eq!(model.versions[&1].card["algorithm"], "logistic_regression");

    let mut files = files("german_credit");
    files.retain(|(path, _)| !path.ends_with("model.yaml"));
    let library = ModelLibrary::from_files(&files);
    assert_eq!(library.resolve("german_credit").unwrap().version, 2, "the highest without a champion");
}

#[test]
fn a_reference_that_leads_nowhere_says_why() {
    let mut files = files("german_credit");
    files.push(("fresh/train.yaml".to_owned(), Vec::new()));
    let library = ModelLibrary::from_files(&files);
    let check = |reference: &str, says: &str| {
        assert_eq!(library.resolve(reference).unwrap_err().to_string(), says);
    };
    check("german_credt@1", "there is no model `german_credt` (there is `german_credit`)");
    check("zebra", "there is no model `zebra`");
    check("german_credit@3", "model `german_credit` has no version 3: it has 1, 2");
    check("german_credit@best", "model `german_credit` has no alias `best`: it has challenger, champion");
    check("fresh", "model `fresh` has no version yet: `tollgate train fresh` makes one");
    for malformed in ["", "@1", "a@", "a@01", "a@1@2", "a b", "../a", "a@-1"] {
        let says =
            format!("`{malformed}` is no reference to a model: write `name`, `name@version` or `name@alias`");
        check(malformed, &says);
    }
}

#[test]
fn a_reference_given_later_stands_in_for_the_card_s() {
    let reference =
        |digest: &str| format!(r#"{{ "artefact": "{digest}", "reference": {{ "inputs": [] }} }}"#);
    let digest = artefact::digest(&sample("2/model.json"));
    let version = |path: &str, text: &str| {
        let mut files = files("german_credit");
        set(&mut files, path, text.as_bytes());
        let library = ModelLibrary::from_files(&files);
        let version = library.models()["german_credit"].versions[&2].clone();
        assert!(version.model.is_ok(), "it serves all the same");
        (version, told(&library).concat())
    };
    let path = "german_credit/references/2.json";
    let (given, said) = version(path, &reference(&digest));
    assert_eq!((given.reference(), said.as_str()), (Some(&serde_json::json!({ "inputs": [] })), ""));
    assert_eq!(given.measured_on(), None, "its file does not say");
    for (path, text, wanted) in [
        (
            path,
            reference("sha256:0"),
            "M208 german_credit/references/2.json: the reference was measured on another",
        ),
        (path, "{".to_owned(), "M208 german_credit/references/2.json: the reference is not JSON (line 1"),
        (
            path,
            format!(r#"{{ "artefact": "{digest}" }}"#),
            "M208 german_credit/references/2.json: there is no",
        ),
        (
            "german_credit/references/7.json",
            reference(&digest),
            "M208 german_credit/references/7.json: it is the reference of a version that does not exist",
        ),
        (
            "german_credit/references/02.json",
            reference(&digest),
            "M201 german_credit/references/02.json: `02.json`",
        ),
    ] {
        let (ignored, said) = version(path, &text);
        assert!(said.starts_with(wanted), "{said}");
        assert_eq!(ignored.reference(), ignored.card.get("reference"), "the card's own, if it has one");
    }
}

#[test]
fn one_broken_version_is_reported_and_stops_no_other() {
    let mut files = files("german_credit");
    let whole = sample("2/model.json");
    set(&mut files, "german_credit/2/model.json", &whole[..1000]);
    let library = ModelLibrary::from_files(&files);
    assert!(library.resolve("german_credit@1").is_ok());
    let error = library.resolve("german_credit@2").unwrap_err().to_string();
    assert!(error.starts_with("version 2 of model `german_credit` cannot serve: "), "{error}");
    let told = told(&library);
    assert!(
        told[0].starts_with("M203 german_credit/2/model.json: version 2 cannot serve: it ends too early"),
        "{told:?}"
    );
    assert!(
        library.diagnostics(|path| u32::from(path == "german_credit/2/model.json") * 7).iter().all(|d| d
            .place
            .file
            == 7
            || d.code == "M204")
    );
}

#[test]
fn each_thing_wrong_with_a_folder_is_found() {
    let check = |path: &str, bytes: Option<&[u8]>, says: &str| {
        let mut files = files("german_credit");
        match bytes {
            Some(bytes) => set(&mut files, path, bytes),
            None => files.retain(|(other, _)| other != path),
        }
        let told = told(&ModelLibrary::from_files(&files));
        assert!(told.iter().any(|line| line.starts_with(says)), "{told:?} does not say {says:?}");
    };
    let at = |file: &str| format!("german_credit/{file}");
    check(&at("2/model.json"), None, "M202 german_credit/2/card.json: version 2 has no `model.json`");
    check(&at("2/model.json"), None, "M206 german_credit/model.yaml: alias `challenger` names version 2");
    check(&at("2/card.json"), None, "M205 german_credit/2/model.json: version 2 has no `card.json`");
    check(&at("2/card.json"), Some(b"{"), "M205 german_credit/2/card.json: the card is not JSON");
    let other = sample("1/card.json");
    check(
        &at("2/card.json"),
        Some(&other),
        "M204 german_credit/2/model.json: version 2 cannot serve: its card",
    );
    let aliases = at("model.yaml");
    check(
        &aliases,
        Some(b"aliases: { best: 3 }"),
        "M206 german_credit/model.yaml: alias `best` names version 3",
    );
    check(
        &aliases,
        Some(b"aliases: { 'a b': 1 }"),
        "M206 german_credit/model.yaml: `a b` cannot be an alias",
    );
    check(&aliases, Some(b"\xff"), "M207 german_credit/model.yaml: it is not UTF-8 text");
    check(&at("v3/model.json"), Some(b"{}"), "M201 german_credit/v3/model.json: `v3` cannot be the name");
    check(&at("03/model.json"), Some(b"{}"), "M201 german_credit/03/model.json: `03` cannot be the name");
    check("my model/1/model.json", Some(b"{}"), "M201 my model/1/model.json: `my model` cannot be the name");
}

#[test]
fn a_version_without_its_card_still_serves_and_one_with_anothers_does_not() {
    let mut without = files("german_credit");
    without.retain(|(path, _)| !path.ends_with("card.json"));
    assert!(ModelLibrary::from_files(&without).resolve("german_credit@2").is_ok());
    let mut exchanged = files("german_credit");
    set(&mut exchanged, "german_credit/2/card.json", &sample("1/card.json"));
    let library = ModelLibrary::from_files(&exchanged);
    assert!(matches!(library.resolve("german_credit@2"), Err(ResolveError::Broken { version: 2, .. })));
}

#[test]
fn aliases_that_are_no_yaml_have_a_place() {
    let mut files = files("german_credit");
    set(&mut files, "german_credit/model.yaml", b"aliases: { champion: one }\n");
    let library = ModelLibrary::from_files(&files);
    let diagnostic = &library.findings()[0].diagnostic;
    assert_eq!(diagnostic.place.span.start, 21);
    assert!(library.resolve("german_credit@1").is_ok());
    assert!(library.resolve("german_credit@champion").is_err());
}

#[test]
fn what_is_hidden_a_draft_or_no_part_of_a_model_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    for (path, bytes) in files("german_credit") {
        for name in ["german_credit", ".hidden", "german_credit/.draft-1"] {
            let path = root.path().join(path.replacen("german_credit", name, 1));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &bytes).unwrap();
        }
    }
    fs::create_dir_all(root.path().join("german_credit/data/1")).unwrap();
    fs::write(root.path().join("german_credit/data/1/model.json"), "{").unwrap();
    fs::write(root.path().join("README.md"), "x").unwrap();
    let library = read_models(root.path());
    assert_eq!(told(&library), Vec::<String>::new());
    assert_eq!(library.models().keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["german_credit"]);
    assert_eq!(library.models()["german_credit"].versions.len(), 2);
    let (read, _) = read_files(root.path());
    assert!(read.iter().all(|(path, _)| part_of(path).is_some()) && read.len() == 6);
    assert!(read_models(&root.path().join("nowhere")).models().is_empty());
}

#[test]
fn every_code_is_one_and_the_docs_say_what_it_means() {
    let mut codes: Vec<_> = super::codes::ALL.iter().map(|(code, _)| code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), super::codes::ALL.len());
    let docs = include_str!("../../../docs/models.md");
    for (code, says) in super::codes::ALL {
        assert!(docs.contains(&format!("| {code} | {says} |")), "docs/models.md does not say {code}");
    }
}
