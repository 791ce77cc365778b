//! Which files of `models/` make a model, and reading them from disk.
//! No parsing: bytes and their places only.

use std::fs;
use std::io;
use std::path::Path;

use super::{Finding, ModelLibrary, codes, is_name, version_number};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Place;
use crate::learn::artefact::MAX_BYTES;
use crate::learn::remeasure::REFERENCES;

/// What a file is to its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelPart {
    /// `NAME/N/model.json`
    Artefact(u32),
    /// `NAME/N/card.json`
    Card(u32),
    /// `NAME/references/N.json`: what its drift is measured against, where that was given later.
    Reference(u32),
    /// `NAME/model.yaml`
    Aliases,
    /// `NAME/remote.yaml`: it answers on other servers.
    Remote,
    /// `NAME/train.yaml`: not read here, but it says that the folder is a model's.
    Recipe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilePlace<'a> {
    Model {
        name: &'a str,
        part: ModelPart,
    },
    /// It would be a model's file if this folder had another name.
    Misnamed {
        folder: &'a str,
    },
    Elsewhere,
}

/// What the file at `path` (relative to `models/`) is; `None` for files that no model reads.
#[must_use]
pub fn part_of(path: &str) -> Option<(&str, ModelPart)> {
    match place(path) {
        FilePlace::Model { name, part } => Some((name, part)),
        FilePlace::Misnamed { .. } | FilePlace::Elsewhere => None,
    }
}

pub(super) fn place(path: &str) -> FilePlace<'_> {
    let segments: Vec<&str> = path.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty() || segment.starts_with('.')) {
        return FilePlace::Elsewhere;
    }
    let (name, part) = match segments.as_slice() {
        [name, "model.yaml"] => (*name, ModelPart::Aliases),
        [name, "remote.yaml"] => (*name, ModelPart::Remote),
        [name, "train.yaml"] => (*name, ModelPart::Recipe),
        [name, version, file @ ("model.json" | "card.json")] => match version_number(version) {
            Some(number) if *file == "model.json" => (*name, ModelPart::Artefact(number)),
            Some(number) => (*name, ModelPart::Card(number)),
            None => return FilePlace::Misnamed { folder: version },
        },
        [name, REFERENCES, file] => match file.strip_suffix(".json").map(version_number) {
            Some(Some(number)) => (*name, ModelPart::Reference(number)),
            Some(None) => return FilePlace::Misnamed { folder: file },
            None => return FilePlace::Elsewhere,
        },
        _ => return FilePlace::Elsewhere,
    };
    if is_name(name) { FilePlace::Model { name, part } } else { FilePlace::Misnamed { folder: name } }
}

/// Files read from disk: path relative to `models/`, and bytes.
pub type FilesRead = Vec<(String, Vec<u8>)>;

/// Reads every model under `folder`. A folder that does not exist holds no models.
#[must_use]
pub fn read_models(folder: &Path) -> ModelLibrary {
    let (files, findings) = read_files(folder);
    let mut library = ModelLibrary::from_files(&files);
    library.findings.extend(findings);
    library.findings.sort_by(|a, b| a.path.cmp(&b.path));
    library
}

/// The files under `folder` that models are made of, in order of path, and what could not be read.
#[must_use]
pub fn read_files(folder: &Path) -> (FilesRead, Vec<Finding>) {
    let mut walk = Walk { files: Vec::new(), findings: Vec::new() };
    walk.folder(folder, "", 0);
    walk.files.sort();
    (walk.files, walk.findings)
}

struct Walk {
    files: FilesRead,
    findings: Vec<Finding>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: u8) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.unreadable(prefix, &error),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.unreadable(prefix, &error),
            };
            // A name that is not UTF-8 is none that a model, a version or one of their files has.
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if name.starts_with('.') {
                continue;
            }
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            // Follows links, as mounted configurations are made of them.
            match fs::metadata(entry.path()) {
                Ok(found) if found.is_dir() && depth < 2 => self.folder(&entry.path(), &path, depth + 1),
                Ok(found) if found.is_file() && place(&path) != FilePlace::Elsewhere => {
                    self.file(&entry.path(), path, found.len());
                }
                Ok(_) => {}
                Err(error) => self.unreadable(&path, &error),
            }
        }
    }

    fn file(&mut self, file: &Path, path: String, length: u64) {
        if length > MAX_BYTES as u64 {
            let message = format!("it is {length} bytes long, and the most is {MAX_BYTES}");
            return self.find(&path, codes::BAD_ARTEFACT, message);
        }
        match fs::read(file) {
            Ok(bytes) => self.files.push((path, bytes)),
            // It was there when the folder was listed: it is being replaced, and the next reading finds it.
            Err(error) => self.unreadable(&path, &error),
        }
    }

    fn unreadable(&mut self, path: &str, error: &io::Error) {
        self.find(path, codes::UNREADABLE, format!("it cannot be read: {}", error.kind()));
    }

    fn find(&mut self, path: &str, code: &'static str, message: String) {
        let diagnostic = Diagnostic::error(code, Place::default(), message);
        self.findings.push(Finding { path: path.to_owned(), diagnostic });
    }
}
