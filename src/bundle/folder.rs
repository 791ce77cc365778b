//! Reads `rules/` and `models/` into memory, whole, under names that are the same on every machine. The only file
//! access of this room. What is hidden, a backup or none of our documents is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::revision::sha256_hex;
use crate::learn::library::part_of;

/// Bytes of one rules file; documents have tighter limits of their own.
const LARGEST_RULES_FILE: u64 = 64 * 1024 * 1024;
/// Bytes of one file of a model.
const LARGEST_MODEL_FILE: u64 = 256 * 1024 * 1024;
const MOST_FILES: usize = 20_000;
/// Folders inside each other; also where a loop of symbolic links ends.
const DEEPEST_FOLDER: usize = 6;

/// The files of one moment, by name: `rules/personal_loan/flow.yaml`, `models/german_credit/model.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// What should have been read and could not be: name and reason.
    pub unreadable: BTreeMap<String, String>,
}

impl Documents {
    pub fn from_files<P: Into<String>, B: Into<Arc<[u8]>>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let files = files.into_iter().map(|(path, bytes)| (path.into(), bytes.into())).collect();
        Self { files, unreadable: BTreeMap::new() }
    }

    /// The documents among files that somebody packed beside each other as `rules/` and `models/`; what reading the
    /// folders would leave alone is left alone.
    pub fn packed(files: impl IntoIterator<Item = (String, Arc<[u8]>)>) -> Self {
        let is_read = |path: &str| {
            let in_folder = path.starts_with("rules/") || path.starts_with("models/");
            in_folder && !path.split('/').any(is_ignored) && is_wanted(path)
        };
        Self::from_files(files.into_iter().filter(|(path, _)| is_read(path)))
    }

    /// How many bytes there are to compile: a flow's files count once for each of its markets, and once for `base`.
    #[must_use]
    pub fn bytes_to_compile(&self) -> u64 {
        let mut flows: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (path, bytes) in &self.files {
            let Some((folder, rest)) = path.strip_prefix("rules/").and_then(|rest| rest.split_once('/'))
            else {
                continue;
            };
            let (size, variants) = flows.entry(folder).or_insert((0, 1));
            *size = size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            *variants += u64::from(rest.starts_with("markets/"));
        }
        flows.values().fold(0, |all, (size, variants)| all.saturating_add(size.saturating_mul(*variants)))
    }

    /// A digest of every byte read, cases and cards included: equal digests mean that nothing changed at all.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut all = String::new();
        for (path, bytes) in &self.files {
            all.push_str(&format!("{path}\0{}\n", sha256_hex(bytes)));
        }
        for (path, reason) in &self.unreadable {
            all.push_str(&format!("{path}\0!{reason}\n"));
        }
        sha256_hex(all.as_bytes())
    }
}

/// Reads both folders. Nothing fails: what cannot be read is listed as such. A `models` folder that does not exist
/// holds no models; a `rules` folder that does not exist is unreadable.
#[must_use]
pub fn read_folder(rules: &Path, models: &Path) -> Documents {
    Walk::all(rules, models, Large::Read)
}

/// A digest that changes when the folders do, cheap enough to be taken twice a second: of large files only length
/// and time of change are looked at.
#[must_use]
pub fn fingerprint(rules: &Path, models: &Path) -> String {
    Walk::all(rules, models, Large::Glance).digest()
}

/// As [`read_folder`], where there are models only.
#[must_use]
pub fn read_models_folder(models: &Path) -> Documents {
    Walk::models(models, Large::Read)
}

/// As [`fingerprint`], where there are models only.
#[must_use]
pub fn fingerprint_of_models(models: &Path) -> String {
    Walk::models(models, Large::Glance).digest()
}

/// What is done with files larger than `LARGE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Large {
    Read,
    Glance,
}

/// Bytes from which on a file is only glanced at.
const LARGE: u64 = 256 * 1024;

struct Walk {
    documents: Documents,
    large: Large,
}

impl Walk {
    fn all(rules: &Path, models: &Path, large: Large) -> Documents {
        let mut walk = Self { documents: Self::models(models, large), large };
        walk.folder(rules, "rules", 0);
        walk.documents
    }

    fn models(models: &Path, large: Large) -> Documents {
        let mut walk = Self { documents: Documents::default(), large };
        // Whether it is there may be what cannot be found out: then it cannot be read either.
        if models.try_exists().unwrap_or(true) {
            walk.folder(models, "models", 0);
        }
        walk.documents
    }

    fn folder(&mut self, folder: &Path, name: &str, depth: usize) {
        if let Err(error) = self.entries(folder, name, depth) {
            self.documents.unreadable.insert(name.to_owned(), reason(&error));
        }
    }

    fn entries(&mut self, folder: &Path, name: &str, depth: usize) -> io::Result<()> {
        if depth > DEEPEST_FOLDER {
            return Err(io::Error::other("folders are nested too deeply"));
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let file_name = entry.file_name();
            // A name that is not UTF-8 cannot be one of our documents.
            let Some(file_name) = file_name.to_str().filter(|name| !is_ignored(name)) else { continue };
            let child = format!("{name}/{file_name}");
            // Links are followed: a ConfigMap's files are links into its `..data`.
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_dir() => self.folder(&entry.path(), &child, depth + 1),
                Ok(metadata) if metadata.is_file() && is_wanted(&child) => {
                    self.file(&entry.path(), child, &metadata)?;
                }
                Ok(_) => {}
                Err(error) => self.documents.unreadable.insert(child, reason(&error)).map_or((), drop),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String, metadata: &fs::Metadata) -> io::Result<()> {
        if self.documents.files.len() >= MOST_FILES {
            return Err(io::Error::other(format!("more than {MOST_FILES} files")));
        }
        let bytes = if self.large == Large::Glance && metadata.len() > LARGE {
            Ok(format!("{} {:?}", metadata.len(), metadata.modified().ok()).into_bytes().into())
        } else {
            read_file(path, largest(&name))
        };
        match bytes {
            Ok(bytes) => self.documents.files.insert(name, bytes).map_or((), drop),
            Err(error) => self.documents.unreadable.insert(name, reason(&error)).map_or((), drop),
        }
        Ok(())
    }
}

/// Everything in `rules/` may be a document; in `models/` data and reports lie beside what serves.
fn is_wanted(name: &str) -> bool {
    match name.strip_prefix("models/") {
        Some(in_models) => part_of(in_models).is_some(),
        None => true,
    }
}

fn largest(name: &str) -> u64 {
    if name.starts_with("models/") { LARGEST_MODEL_FILE } else { LARGEST_RULES_FILE }
}

fn read_file(path: &Path, largest: u64) -> io::Result<Arc<[u8]>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > largest {
        return Err(io::Error::other(format!("larger than {} MiB", largest / 1024 / 1024)));
    }
    Ok(bytes.into())
}

/// Hidden files, and what editors leave behind.
fn is_ignored(file_name: &str) -> bool {
    file_name.starts_with(['.', '#'])
        || file_name.ends_with('~')
        || [".swp", ".swx", ".bak", ".orig", ".rej", ".tmp"].iter().any(|ending| file_name.ends_with(ending))
}

/// Why, in words without the machine's paths.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_map_of_links_reads_like_plain_files_and_backups_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (rules, models) = (folder.path().join("rules"), folder.path().join("models"));
        let flow = rules.join("loan");
        fs::create_dir_all(flow.join("..2026_11_22/")).unwrap();
        fs::write(flow.join("..2026_11_22/flow.yaml"), "flow: loan\n").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("..2026_11_22", flow.join("..data")).unwrap();
            std::os::unix::fs::symlink("..data/flow.yaml", flow.join("flow.yaml")).unwrap();
            std::os::unix::fs::symlink(".", flow.join("loop")).unwrap();
            std::os::unix::fs::symlink("nowhere", flow.join("gone.rules.yaml")).unwrap();
        }
        for backup in ["flow.yaml~", ".flow.yaml.swp", "flow.yaml.bak", "#flow.yaml#"] {
            fs::write(flow.join(backup), "x").unwrap();
        }
        fs::create_dir_all(models.join("m/data")).unwrap();
        fs::write(models.join("m/data/rows.csv"), "a\n").unwrap();
        fs::write(models.join("m/model.yaml"), "aliases: {}\n").unwrap();

        let documents = read_folder(&rules, &models);
        let names: Vec<&str> =
            documents.files.keys().map(String::as_str).filter(|name| !name.contains("/loop/")).collect();
        assert_eq!(names, ["models/m/model.yaml", "rules/loan/flow.yaml"]);
        assert_eq!(
            documents.unreadable.get("rules/loan/gone.rules.yaml").map(String::as_str),
            Some("it does not exist")
        );
        assert!(documents.files.len() < 20, "the loop ends");
    }

    #[test]
    fn the_files_of_a_flow_count_once_for_each_of_its_markets() {
        let files =
            [("rules/a/flow.yaml", "1234"), ("rules/b/flow.yaml", "12"), ("rules/_shared/x.rhai", "1")];
        let markets = [("rules/a/markets/mx.yaml", "1"), ("rules/a/markets/de.yaml", "")];
        let documents = Documents::from_files(
            files.into_iter().chain(markets).map(|(path, text)| (path, text.as_bytes().to_vec())),
        );
        assert_eq!(documents.bytes_to_compile(), 5 * 3 + 2 + 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let documents = read_folder(&folder.path().join("rules"), &folder.path().join("models"));
        assert_eq!(documents.unreadable.keys().collect::<Vec<_>>(), ["rules"]);
    }
}
