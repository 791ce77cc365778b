//! Whether a version is still what was trained: its recorded predictions are asked again, its files held against its
//! digest. It changes nothing.

use std::fs;
use std::path::Path;

use super::artefact;
use super::library::LibraryVersion;
use super::remeasure::reference_of;

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub what: &'static str,
    pub found: Found,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Fine(String),
    /// Worth knowing, and no reason not to serve.
    Note(String),
    Wrong(String),
}

/// Verifies one version of the model in `folder`.
#[must_use]
pub fn verify(folder: &Path, version: &LibraryVersion) -> Vec<Check> {
    let own = folder.join(version.version.to_string());
    let mut checks = Vec::new();
    let mut add = |what, found| checks.push(Check { what, found });
    add(
        "model.json",
        match &version.model {
            Ok(_) => {
                let rows = artefact::golden_rows(&version.artefact);
                Found::Fine(format!("whole, and it gives its {rows} recorded predictions to the last bit"))
            }
            Err(why) => Found::Wrong(why.to_string()),
        },
    );
    add(
        "card.json",
        match version.card.get("artefact").and_then(serde_json::Value::as_str) {
            Some(digest) if *digest == *version.digest => {
                Found::Fine("written for this `model.json`".to_owned())
            }
            Some(_) => Found::Wrong("written for another `model.json`".to_owned()),
            None => Found::Wrong("missing, or it cannot be read".to_owned()),
        },
    );
    // Files for people, and a reference that was given later, carry the digest in their text; not every version has them.
    if let Some(found) = names(&own.join("card.html"), &version.digest) {
        add("card.html", found);
    }
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(found) = names(&own.join(format!("{name}.scorecard.yaml")), &version.digest) {
        add("scorecard", found);
    }
    if let Some(found) = names(&reference_of(folder, version.version), &version.digest) {
        add("reference", found);
    }
    add("data", data(folder, &version.card));
    checks
}

fn names(path: &Path, digest: &str) -> Option<Found> {
    match fs::read_to_string(path) {
        Ok(text) if text.contains(digest) => Some(Found::Fine("written for this `model.json`".to_owned())),
        Ok(_) => Some(Found::Wrong("written for another `model.json`".to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(Found::Wrong(format!("it cannot be read: {}", error.kind()))),
    }
}

fn data(folder: &Path, card: &serde_json::Value) -> Found {
    let word = |pointer: &str| card.pointer(pointer).and_then(serde_json::Value::as_str);
    let (Some(file), Some(digest)) = (word("/data/file"), word("/data/digest")) else {
        return Found::Note("the card names no training data".to_owned());
    };
    let path = Path::new(file);
    if !path.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
        return Found::Note("the card's training data lies outside of the model's folder".to_owned());
    }
    match fs::read(folder.join(path)) {
        Ok(bytes) if *artefact::digest(&bytes) == *digest => {
            Found::Fine(format!("`{file}` is what it was fitted on"))
        }
        Ok(_) => Found::Note(format!("`{file}` has changed since it was fitted")),
        Err(_) => Found::Note(format!("`{file}` is not here")),
    }
}
