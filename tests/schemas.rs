//! The JSON Schemas of the documents, held to the readers: every sample fits, every key that a reader knows is in the
//! schema and the reverse, what a page of `docs/diagnostics/` calls wrong for its keys is refused, and the committed
//! files are the generated ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};
use tollgate::bundle::{Documents, build, read_folder};
use tollgate::config::{Flags, gather};
use tollgate::documents::Source;
use tollgate::documents::schema::DocumentKind;
use tollgate::documents::yaml::{Content, Literal, Node, read};
use tollgate::domain::diagnostic::Diagnostic;

/// A key that no reader knows, and that is near to none.
const FOREIGN: &str = "qqqqqqqqqqqqqqqq";
/// Keys that a reader knows only to say that it does not support them yet.
const LATER: &[&str] = &["counters", "sources", "assignment"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn as_json(node: &Node) -> Json {
    match &node.content {
        Content::List(items) => items.iter().map(as_json).collect(),
        Content::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.value.clone(), as_json(&entry.value)))
            .collect::<Map<_, _>>()
            .into(),
        Content::Scalar(scalar) => match scalar.literal() {
            Ok(Literal::Null) => Json::Null,
            Ok(Literal::Boolean(value)) => json!(value),
            Ok(Literal::Number(text)) => serde_json::from_str(&text).unwrap_or(json!(text)),
            Ok(Literal::Text(text)) => json!(text),
            Err(_) => json!(scalar.text),
        },
    }
}

fn parsed(path: &str, text: &str) -> Option<Json> {
    read(0, &Source::new(path, text)).ok().map(|node| as_json(&node))
}

fn validator(kind: DocumentKind) -> jsonschema::Validator {
    jsonschema::draft7::new(&kind.schema()).unwrap_or_else(|error| panic!("{}: {error}", kind.word()))
}

/// What a file is, by its path from the folder that holds `rules/`.
fn kind_of(path: &str) -> Option<DocumentKind> {
    let name = path.rsplit('/').next().unwrap();
    let endings = [
        (".rules.yaml", DocumentKind::Rules),
        (".scorecard.yaml", DocumentKind::Scorecard),
        (".table.yaml", DocumentKind::Table),
    ];
    if let Some((_, kind)) = endings.iter().find(|(ending, _)| name.ends_with(ending)) {
        return Some(*kind);
    }
    match name {
        "flow.yaml" => Some(DocumentKind::Flow),
        "_facts.yaml" => Some(DocumentKind::Facts),
        "shared.yaml" => Some(DocumentKind::Shared),
        "reasons.yaml" => Some(DocumentKind::Reasons),
        "model.yaml" => Some(DocumentKind::Model),
        "train.yaml" => Some(DocumentKind::Train),
        "remote.yaml" => Some(DocumentKind::Remote),
        "tollgate.yaml" => Some(DocumentKind::Config),
        _ if path.contains("/markets/") && name.ends_with(".yaml") => Some(DocumentKind::Market),
        _ if path.contains("/cases/") && name.ends_with(".yaml") => Some(DocumentKind::Cases),
        _ => None,
    }
}

fn samples() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut paths = Vec::new();
    for folder in ["rules", "models", "config", "docs/diagnostics/loan"] {
        walk(&root().join(folder), &mut paths);
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    let named = paths.iter().map(|path| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    named.collect()
}

#[test]
fn every_sample_document_fits_its_schema() {
    let mut tried = BTreeSet::new();
    for (path, text) in samples() {
        let kind = kind_of(&path).unwrap_or_else(|| panic!("{path}: of which kind?"));
        let Some(document) = parsed(&path, &text) else { panic!("{path} is not read") };
        let errors: Vec<String> =
            validator(kind).iter_errors(&document).map(|e| format!("{} {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{path} ({}): {errors:?}", kind.word());
        tried.insert(kind.word());
    }
    assert!(tried.len() >= 7, "{tried:?}");
}

#[test]
fn every_schema_holds_its_own_example_and_is_itself_right() {
    for kind in DocumentKind::ALL {
        let schema = kind.schema();
        jsonschema::draft7::meta::validate(&schema)
            .unwrap_or_else(|error| panic!("{}: {error}", kind.word()));
        let example = &schema["examples"][0];
        let errors: Vec<String> = validator(*kind).iter_errors(example).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", kind.word());
    }
}

/// Where a reader is asked about a kind of document: a path, and the document to put there.
fn path_of(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Flow => "rules/loan/flow.yaml",
        DocumentKind::Rules => "rules/loan/knockout.rules.yaml",
        DocumentKind::Scorecard => "rules/loan/application.scorecard.yaml",
        DocumentKind::Table => "rules/loan/pricing.table.yaml",
        DocumentKind::Market => "rules/loan/markets/mx.yaml",
        DocumentKind::Cases => "rules/loan/cases/basic.yaml",
        DocumentKind::Facts => "rules/loan/cases/_facts.yaml",
        DocumentKind::Shared => "rules/_shared/shared.yaml",
        DocumentKind::Reasons => "rules/_shared/reasons.yaml",
        DocumentKind::Model => "models/german_credit/model.yaml",
        DocumentKind::Train => "models/german_credit/train.yaml",
        DocumentKind::Remote => "models/elsewhere/remote.yaml",
        DocumentKind::Config => "config/tollgate.yaml",
    }
}

/// What the reader of a kind says of a document.
fn findings(kind: DocumentKind, text: &str) -> Vec<Diagnostic> {
    match kind {
        DocumentKind::Config => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("tollgate.yaml");
            fs::write(&path, text).unwrap();
            let flags = Flags { config: Some(path.to_str().unwrap().to_owned()), ..Flags::default() };
            gather(&flags, &|_| None).err().map(|errors| errors.diagnostics).unwrap_or_default()
        }
        DocumentKind::Train => tollgate::learn::recipe::Recipe::parse(0, &Source::new("train.yaml", text))
            .err()
            .unwrap_or_default(),
        kind => {
            let mut documents = read_folder(&root().join("docs/diagnostics/none"), &root().join("models"));
            documents.unreadable.clear();
            let mut files: BTreeMap<String, Vec<u8>> =
                documents.files.iter().map(|(path, bytes)| (path.clone(), bytes.to_vec())).collect();
            for (path, sample) in samples() {
                if let Some(rest) = path.strip_prefix("docs/diagnostics/loan/") {
                    files.insert(format!("rules/loan/{rest}"), sample.into_bytes());
                }
            }
            let script = fs::read(root().join("docs/diagnostics/loan/flow.rhai")).unwrap();
            files.insert("rules/loan/flow.rhai".to_owned(), script);
            files.insert(path_of(kind).to_owned(), text.as_bytes().to_vec());
            build(&Documents::from_files(files)).diagnostics
        }
    }
}

/// Every object in a document whose schema names its keys: where it is, and the keys.
fn keyed(schema: &Json, whole: &Json, value: &Json, at: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/definitions/").unwrap();
        return keyed(whole["definitions"].get(name).unwrap(), whole, value, at, found);
    }
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        let mut alone = alternative.clone();
        if let (Json::Object(alone), true) = (&mut alone, whole["definitions"].is_object()) {
            alone.insert("definitions".to_owned(), whole["definitions"].clone());
        }
        if jsonschema::draft7::is_valid(&alone, value) {
            return keyed(alternative, whole, value, at, found);
        }
    }
    match value {
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                keyed(&schema["items"], whole, item, &format!("{at}/{index}"), found);
            }
        }
        Json::Object(entries) => {
            let properties = schema["properties"].as_object();
            if schema["additionalProperties"] == json!(false) && schema["patternProperties"].is_null() {
                let keys = properties.into_iter().flat_map(|p| p.keys().cloned()).collect();
                found.push((at.to_owned(), keys));
            }
            for (key, inner) in entries {
                let of = properties.and_then(|p| p.get(key)).unwrap_or(&schema["additionalProperties"]);
                if of.is_object() {
                    keyed(of, whole, inner, &format!("{at}/{key}"), found);
                }
            }
        }
        _ => {}
    }
}

/// The keys that a reader knows in a place: it says them of a key that it does not know.
fn known_to_the_reader(kind: DocumentKind, example: &Json, at: &str) -> Result<BTreeSet<String>, String> {
    let mut document = example.clone();
    let Some(Json::Object(object)) = document.pointer_mut(at) else { panic!("{at} is no object") };
    object.insert(FOREIGN.to_owned(), json!(1));
    let found = findings(kind, &document.to_string());
    let told = found.iter().find(|f| f.code == "Y009" && f.message.contains(FOREIGN));
    let told = told.and_then(|f| f.help.clone());
    let Some(help) = told.as_deref().and_then(|help| help.strip_prefix("known here: ")) else {
        let said: Vec<String> = found.iter().map(|f| format!("{} {}", f.code, f.message)).collect();
        return Err(format!("{said:?}"));
    };
    let keys = help.split(", ").map(|key| key.trim_matches('`').to_owned());
    Ok(keys.filter(|key| !LATER.contains(&key.as_str())).collect())
}

/// Where a document may take one of several forms.
fn has_forms(at: &str) -> bool {
    at.contains("/properties/") || at.ends_with("/if_it_fails")
}

#[test]
fn readers_and_schemas_know_the_same_keys() {
    let (mut wrong, mut compared) = (Vec::new(), BTreeMap::new());
    for kind in DocumentKind::ALL {
        let schema = kind.schema();
        let example = &schema["examples"][0];
        let mut places = Vec::new();
        keyed(&schema, &schema, example, "", &mut places);
        for (at, of_schema) in places {
            let name = format!("{}{at}", kind.word());
            match known_to_the_reader(*kind, example, &at) {
                // The reader names the keys of every form there is; the schema says each form apart.
                Ok(of_reader)
                    if of_reader == of_schema || (has_forms(&at) && of_reader.is_superset(&of_schema)) =>
                {
                    *compared.entry(kind.word()).or_insert(0) += 1;
                }
                Ok(of_reader) => wrong.push(format!("{name}: reader {of_reader:?}\n  schema {of_schema:?}")),
                Err(said) => wrong.push(format!("{name}: the reader does not refuse a foreign key: {said}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared.len() >= 9 && compared.values().sum::<i32>() > 30, "{compared:?}");
}

#[test]
fn what_the_pages_call_wrong_in_keys_is_refused_by_the_schema_too() {
    let mut tried = 0;
    for code in ["Y009", "Y010"] {
        let page = fs::read_to_string(root().join(format!("docs/diagnostics/{code}.md"))).unwrap();
        let of = |heading: &str| {
            let section = page.split("\n## ").find_map(|part| part.strip_prefix(heading)).unwrap();
            let (info, rest) = section.split_once("```").unwrap().1.split_once('\n').unwrap();
            (info.split(' ').nth(1).unwrap().to_owned(), rest.split("\n```").next().unwrap().to_owned())
        };
        for (heading, is_right) in [("Wrong", false), ("Right", true)] {
            let (path, text) = of(heading);
            let kind = kind_of(&format!("rules/loan/{path}")).unwrap();
            let mut schema = kind.schema();
            if kind == DocumentKind::Flow {
                // A page shows of `flow.yaml` only the keys that it is about.
                schema.as_object_mut().unwrap().remove("required");
            }
            let document = parsed(&path, &text).unwrap();
            assert_eq!(
                jsonschema::draft7::is_valid(&schema, &document),
                is_right,
                "{code} {heading}: {document}"
            );
            tried += 1;
        }
    }
    assert_eq!(tried, 4);
}

#[test]
fn the_committed_schemas_are_the_generated_ones() {
    for kind in DocumentKind::ALL {
        let path = root().join(format!("config/schemas/{}.json", kind.word()));
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == kind.text(),
            "run `tollgate schema --write config/schemas` ({})",
            path.display()
        );
    }
}

#[test]
fn every_sample_names_its_schema_by_a_path_that_leads_there() {
    for (path, text) in samples() {
        // A trained scorecard stands in a version's folder and is copied beside a flow: no path leads from both.
        let is_trained = path.starts_with("models/") && path.ends_with(".scorecard.yaml");
        if path.starts_with("docs/") || is_trained {
            continue;
        }
        let line = text.lines().find_map(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let target = line.unwrap_or_else(|| panic!("{path} has no modeline"));
        let schema = root().join(&path).parent().unwrap().join(target);
        assert!(schema.exists(), "{path}: {target} leads nowhere");
        assert_eq!(schema.file_stem().unwrap(), kind_of(&path).unwrap().word(), "{path}");
    }
}
