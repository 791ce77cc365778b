//! `models/` as models that serve: every version read, tried and named; what is wrong with one stops no other.
//! Fits nothing and watches nothing: `release` reads a new library when files change.

mod files;
mod given;
mod reference;
mod remote;
mod serve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

pub use files::{FilesRead, ModelPart, part_of, read_files, read_models};
pub use reference::ResolveError;
pub use remote::RemoteModel;
pub use serve::VersionPolicy;

use super::artefact;
use super::codes;
use super::reference::MeasuredOn;
use crate::documents::{Source, yaml};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::model::Model;
use crate::domain::nearest::nearest;
use crate::domain::place::Place;
use crate::domain::value::Name;

/// The alias that a bare model name means, if the model has it.
pub const CHAMPION: &str = "champion";

/// Every model that was found, immutable.
#[derive(Debug, Clone, Default)]
pub struct ModelLibrary {
    models: BTreeMap<Name, LibraryModel>,
    findings: Vec<Finding>,
    unread: Unread,
}

/// What is on disk and could not be read, so that its absence here says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Unread {
    #[default]
    Nothing,
    Models(BTreeSet<Name>),
    All,
}

/// One model folder.
#[derive(Debug, Clone, Default)]
pub struct LibraryModel {
    /// In order of name; an alias of a version that does not exist is reported and not here.
    pub aliases: BTreeMap<Name, u32>,
    /// Aliases that name a version which does not exist.
    pub astray: BTreeMap<Name, u32>,
    /// Which versions the model doors serve; `None` when `model.yaml` cannot be read.
    pub serve: Option<VersionPolicy>,
    /// In order of number; one that cannot serve is here without its model.
    pub versions: BTreeMap<u32, LibraryVersion>,
    /// It answers on other servers: then it has no versions here.
    pub remote: Option<RemoteModel>,
}

/// One numbered version.
#[derive(Debug, Clone)]
pub struct LibraryVersion {
    pub version: u32,
    /// `sha256:…` of the artefact's bytes.
    pub digest: Arc<str>,
    /// The bytes of `model.json`, as replay needs them.
    pub artefact: Arc<[u8]>,
    /// `Null` when the card is missing or broken.
    pub card: serde_json::Value,
    /// What its drift is measured against in place of the card's own, where that was given later.
    pub reference_given: Option<serde_json::Value>,
    /// What serves, or why nothing does.
    pub model: Result<Arc<Model>, Arc<str>>,
}

/// Something wrong in a file of `models/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Relative to `models/`: `german_credit/2/model.json`.
    pub path: String,
    /// Its place has file 0; `ModelLibrary::diagnostics` gives the file its index.
    pub diagnostic: Diagnostic,
}

/// `model.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    #[serde(default)]
    aliases: BTreeMap<String, u32>,
    #[serde(default)]
    serve: VersionPolicy,
}

/// A file of a model: what it is to it, its path, its bytes.
type Part<'a> = (ModelPart, &'a str, &'a [u8]);

/// Letters, digits and `_`, beginning with a letter, at most 64: what a model or an alias may be called.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    first && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The number that a version's folder is named by: from 1, written in one way only.
#[must_use]
pub fn version_number(folder: &str) -> Option<u32> {
    let plain = !folder.starts_with('0') && folder.bytes().all(|byte| byte.is_ascii_digit());
    folder.parse().ok().filter(|_| plain)
}

impl LibraryVersion {
    /// What its drift is measured against, as it is stored: what was given later, else the card's own.
    #[must_use]
    pub fn reference(&self) -> Option<&serde_json::Value> {
        self.reference_given.as_ref().or_else(|| self.card.get("reference"))
    }

    /// The rows of its reference, where they were given; `None` for those of a training.
    #[must_use]
    pub fn measured_on(&self) -> Option<MeasuredOn> {
        MeasuredOn::deserialize(self.reference()?.get("measured_on")?).ok()
    }
}

impl ModelLibrary {
    /// Reads models from files in memory; paths are relative to `models/`, with `/`. Files that are no part of a
    /// model (recipes, data, hidden ones, drafts) are passed over.
    #[must_use]
    pub fn from_files<P: AsRef<str>, B: AsRef<[u8]>>(files: &[(P, B)]) -> Self {
        Self::from_files_knowing(files, None)
    }

    /// As `from_files`; a version that `older` has read from the same bytes is taken over, not read and tried again.
    #[must_use]
    pub fn from_files_knowing<P: AsRef<str>, B: AsRef<[u8]>>(files: &[(P, B)], older: Option<&Self>) -> Self {
        let mut library = Self::default();
        let mut folders: BTreeMap<&str, Vec<Part<'_>>> = BTreeMap::new();
        for (path, bytes) in files {
            let path = path.as_ref();
            match files::place(path) {
                files::FilePlace::Model { name, part } => {
                    folders.entry(name).or_default().push((part, path, bytes.as_ref()));
                }
                files::FilePlace::Misnamed { folder } => {
                    let message = format!("`{folder}` cannot be the name of a model or a version");
                    let help = "a model: letters, digits and `_`; a version: 1, 2, 3, …";
                    library.warn(path, codes::FOLDER_NAME, message, help);
                }
                files::FilePlace::Elsewhere => {}
            }
        }
        for (name, files) in folders {
            let model = library.read_model(&files, older.and_then(|older| older.models.get(name)));
            library.models.insert(Arc::from(name), model);
        }
        library.findings.sort_by(|a, b| a.path.cmp(&b.path));
        library
    }

    /// Notes that files of a model, or of all of them, could not be read.
    pub fn note_unread(&mut self, model: Option<&str>) {
        match (model, &mut self.unread) {
            (Some(name), Unread::Models(names)) => {
                names.insert(Arc::from(name));
            }
            (Some(name), own @ Unread::Nothing) => *own = Unread::Models([Arc::from(name)].into()),
            (Some(_), Unread::All) => {}
            (None, own) => *own = Unread::All,
        }
    }

    /// Whether files of this model could not be read: then what is not here may be there all the same.
    #[must_use]
    pub fn is_unread(&self, model: &str) -> bool {
        match &self.unread {
            Unread::Nothing => false,
            Unread::Models(names) => names.contains(model),
            Unread::All => true,
        }
    }

    /// Whether anything is left of this model that could answer, here or on other servers.
    #[must_use]
    pub fn has_versions(&self, model: &str) -> bool {
        let found = self.models.get(model);
        found.is_some_and(|found| !found.versions.is_empty() || found.remote.is_some())
    }

    /// Whether a model has lost its newest version since `before`.
    #[must_use]
    pub fn is_behind(&self, before: &Self) -> bool {
        let newest = |library: &Self, name: &Name| {
            library.models.get(name).and_then(|model| model.versions.keys().next_back().copied())
        };
        before.models.keys().any(|name| newest(self, name) < newest(before, name))
    }

    fn read_model(&mut self, files: &[Part<'_>], older: Option<&LibraryModel>) -> LibraryModel {
        let mut model = LibraryModel { serve: Some(VersionPolicy::default()), ..LibraryModel::default() };
        let mut numbers: BTreeMap<u32, (Option<_>, Option<_>)> = BTreeMap::new();
        for (part, path, bytes) in files {
            match part {
                ModelPart::Artefact(number) => numbers.entry(*number).or_default().0 = Some((*path, *bytes)),
                ModelPart::Card(number) => numbers.entry(*number).or_default().1 = Some((*path, *bytes)),
                ModelPart::Remote => model.remote = Some(self.read_remote(path, bytes)),
                ModelPart::Reference(_) | ModelPart::Aliases | ModelPart::Recipe => {}
            }
        }
        for (number, (artefact, card)) in numbers {
            match artefact {
                Some((path, bytes)) => {
                    let older = older.and_then(|older| older.versions.get(&number));
                    let version = self.read_version(number, (path, bytes), card, older);
                    model.versions.insert(number, version);
                }
                None => {
                    let path = card.map_or("", |(path, _)| path);
                    let message = format!("version {number} has no `model.json`");
                    self.error(path, codes::NO_ARTEFACT, message, "copy the version's folder whole");
                }
            }
        }
        if model.remote.is_some() {
            self.check_alone(files);
        }
        for (part, path, bytes) in files {
            match part {
                ModelPart::Aliases => {
                    model.serve = None;
                    self.read_aliases(path, bytes, &mut model);
                }
                ModelPart::Reference(number) => {
                    let version = model.versions.get_mut(number);
                    match given::read(bytes, version.as_ref().map(|version| &*version.digest)) {
                        Ok(reference) => {
                            version.map_or((), |version| version.reference_given = Some(reference))
                        }
                        Err(why) => self.warn(path, codes::BAD_REFERENCE, why, given::HELP),
                    }
                }
                _ => {}
            }
        }
        model
    }

    fn read_remote(&mut self, path: &str, bytes: &[u8]) -> RemoteModel {
        remote::read_remote(path, bytes, &mut self.findings)
    }

    /// A name means one thing: what answers elsewhere has no versions and no aliases of versions here.
    fn check_alone(&mut self, files: &[Part<'_>]) {
        for (part, path, _) in files {
            if matches!(part, ModelPart::Artefact(_) | ModelPart::Aliases) {
                let message =
                    "the model answers on other servers, as its `remote.yaml` says, and not by this";
                let help =
                    "remove one of the two; the aliases of what answers elsewhere stand in `remote.yaml`";
                self.error(path, codes::REMOTE_AND_VERSIONS, message.to_owned(), help);
            }
        }
    }

    fn read_version(
        &mut self,
        version: u32,
        (path, bytes): (&str, &[u8]),
        card: Option<(&str, &[u8])>,
        older: Option<&LibraryVersion>,
    ) -> LibraryVersion {
        let digest = artefact::digest(bytes);
        let name = path.split('/').next().unwrap_or_default();
        let known = older.filter(|older| older.digest == digest).and_then(|older| older.model.as_ref().ok());
        let read = match known {
            Some(known) => Ok(Arc::clone(known)),
            None => artefact::load(bytes, Arc::from(name), version).map(Arc::new),
        };
        let mut model = read.map_err(|error| {
            let why: Arc<str> = Arc::from(error.to_string());
            let message = format!("version {version} cannot serve: {why}");
            let help = "train it again, or copy its `model.json` from where it was trained";
            self.error(path, codes::BAD_ARTEFACT, message, help);
            why
        });
        let card = match card {
            None => {
                let message = format!("version {version} has no `card.json`");
                self.warn(path, codes::BAD_CARD, message, "the card says how good the model is; copy it too");
                serde_json::Value::Null
            }
            Some((card_path, card)) => self.read_card(card_path, card),
        };
        let written_for = card.get("artefact").and_then(serde_json::Value::as_str);
        if written_for.is_some_and(|written_for| *written_for != *digest) {
            let why = "its card was written for another `model.json`";
            let help = "one of the two was changed or exchanged; copy both from where they were trained";
            self.error(path, codes::OTHER_DIGEST, format!("version {version} cannot serve: {why}"), help);
            model = model.and(Err(Arc::from(why)));
        }
        let artefact = Arc::from(bytes);
        LibraryVersion { version, digest, artefact, card, reference_given: None, model }
    }

    fn read_card(&mut self, path: &str, bytes: &[u8]) -> serde_json::Value {
        serde_json::from_slice(bytes).unwrap_or_else(|error| {
            let message = format!("the card is not JSON (line {}, column {})", error.line(), error.column());
            self.warn(path, codes::BAD_CARD, message, "copy it from where the version was trained");
            serde_json::Value::Null
        })
    }

    fn read_aliases(&mut self, path: &str, bytes: &[u8], model: &mut LibraryModel) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.error(path, codes::UNREADABLE, "it is not UTF-8 text".to_owned(), "save it as UTF-8");
            return;
        };
        let source = Source { path: path.to_owned(), text: Arc::from(text) };
        let file: ModelFile = match yaml::parse(0, &source) {
            Ok(file) => file,
            Err(diagnostic) => {
                self.findings.push(Finding { path: path.to_owned(), diagnostic });
                return;
            }
        };
        let known: Vec<_> = model.versions.keys().map(ToString::to_string).collect();
        for (alias, version) in file.aliases {
            if !is_name(&alias) {
                let message = format!("`{alias}` cannot be an alias");
                self.error(path, codes::ALIAS, message, "letters, digits and `_`, beginning with a letter");
            } else if model.versions.contains_key(&version) {
                model.aliases.insert(Arc::from(alias), version);
            } else {
                let message = format!("alias `{alias}` names version {version}, which does not exist");
                let help = match known.as_slice() {
                    [] => "train a version first".to_owned(),
                    known => format!("there is {}", known.join(", ")),
                };
                self.error(path, codes::ALIAS, message, &help);
                model.astray.insert(Arc::from(alias), version);
            }
        }
        model.serve = Some(file.serve);
    }

    /// What serves under `name`, `name@version` or `name@alias`. A bare name is its champion, else its highest version.
    ///
    /// # Errors
    /// When nothing serves under that reference, and why.
    pub fn resolve(&self, written: &str) -> Result<Arc<Model>, ResolveError> {
        let (name, which) = reference::read(written)?;
        let model = self.models.get(name).ok_or_else(|| {
            let nearest = nearest(name, self.models.keys().map(AsRef::as_ref)).map(str::to_owned);
            ResolveError::UnknownModel { name: name.to_owned(), nearest }
        })?;
        if let Some(remote) = &model.remote {
            let version = reference::version_elsewhere(name, which, &remote.aliases)?;
            let broken = |why| ResolveError::BrokenRemote { name: name.to_owned(), why };
            return remote.asked(&Name::from(name), version.as_deref()).map_err(broken);
        }
        let number = reference::number(name, which, model)?;
        let version = model.versions.get(&number).ok_or_else(|| ResolveError::UnknownVersion {
            name: name.to_owned(),
            version: number,
            known: model.versions.keys().copied().collect(),
        })?;
        let broken = |why: &Arc<str>| ResolveError::Broken {
            name: name.to_owned(),
            version: number,
            why: why.to_string(),
        };
        version.model.clone().map_err(|why| broken(&why))
    }

    /// Every model folder that was found, in order of name.
    #[must_use]
    pub fn models(&self) -> &BTreeMap<Name, LibraryModel> {
        &self.models
    }

    /// What is wrong in `models/`, in order of path.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings as diagnostics; `file` gives each path (relative to `models/`) its index among the sources.
    #[must_use]
    pub fn diagnostics(&self, file: impl Fn(&str) -> u32) -> Vec<Diagnostic> {
        let placed = |finding: &Finding| {
            let mut diagnostic = finding.diagnostic.clone();
            diagnostic.place.file = file(&finding.path);
            diagnostic
        };
        self.findings.iter().map(placed).collect()
    }

    fn error(&mut self, path: &str, code: &'static str, message: String, help: &str) {
        let diagnostic = Diagnostic::error(code, Place::default(), message).help(help);
        self.findings.push(Finding { path: path.to_owned(), diagnostic });
    }

    fn warn(&mut self, path: &str, code: &'static str, message: String, help: &str) {
        self.error(path, code, message, help);
        if let Some(finding) = self.findings.last_mut() {
            finding.diagnostic.severity = Severity::Warning;
        }
    }
}

#[cfg(test)]
mod tests;
