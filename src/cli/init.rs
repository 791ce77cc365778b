//! `tollgate init DIR`: a starter to edit, for a binary far from its repository: a flow with its rules and cases, a
//! model with its recipe and data, and the configuration. Absent on purpose: overwriting anything.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::say::{Say, Trouble};
use crate::documents::schema::DocumentKind;

/// A starter to edit: a flow with rules and cases, a model with its recipe, the configuration
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate init risk && cd risk && tollgate serve")]
pub(super) struct Init {
    /// Where to write it; made if it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

macro_rules! starter {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../", $path)))),*]
    };
}

/// The sample, as it stands in the repository that this binary was built from.
const STARTER: &[(&str, &[u8])] = starter![
    "config/tollgate.yaml",
    "rules/personal_loan/flow.yaml",
    "rules/personal_loan/flow.rhai",
    "rules/personal_loan/knockout.rules.yaml",
    "rules/personal_loan/affordability.rules.yaml",
    "rules/personal_loan/cases/_facts.yaml",
    "rules/personal_loan/cases/affordability.yaml",
    "rules/personal_loan/cases/knockout.yaml",
    "rules/personal_loan/cases/score.yaml",
    "models/german_credit/model.yaml",
    "models/german_credit/train.yaml",
    "models/german_credit/data/README.md",
    "models/german_credit/data/german_credit.csv",
    "models/german_credit/1/model.json",
    "models/german_credit/1/card.json",
    "models/german_credit/2/model.json",
    "models/german_credit/2/card.json",
];

#[derive(Serialize)]
struct Written {
    files: Vec<String>,
}

/// Every file: the sample, and the schemas that its first lines name.
fn files() -> Vec<(String, Cow<'static, [u8]>)> {
    let sample = STARTER.iter().map(|(path, bytes)| ((*path).to_owned(), Cow::Borrowed(*bytes)));
    let schemas = DocumentKind::ALL
        .iter()
        .map(|kind| (format!("config/schemas/{}.json", kind.word()), Cow::Owned(kind.text().into_bytes())));
    sample.chain(schemas).collect()
}

impl Init {
    pub(super) fn run(self, say: &Say) -> Result<ExitCode, Trouble> {
        // Everything is looked at before anything is written: a refusal leaves nothing half-done.
        let files = files();
        if let Some((path, _)) = files.iter().find(|(path, _)| self.dir.join(path).exists()) {
            let what =
                format!("`{}` is there already, and nothing was written", self.dir.join(path).display());
            return Err(
                Trouble::new(what).help("name a folder that has no `rules/`, `models/` and `config/` yet")
            );
        }
        for (path, bytes) in &files {
            write(&self.dir.join(path), bytes)?;
        }
        let files: Vec<String> = files.into_iter().map(|(path, _)| path).collect();
        let (dir, count) = (self.dir.display(), files.len());
        say.result(&Written { files }, || {
            format!("{count} files written to `{dir}`; `cd {dir} && tollgate serve` decides with them")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let failed =
        |error: std::io::Error| Trouble::because(&format!("cannot write `{}`", path.display()), &error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_is_the_whole_sample() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in ["rules/personal_loan", "models/german_credit"] {
            collect(root, &root.join(folder), &mut found);
        }
        found.push("config/tollgate.yaml".to_owned());
        found.sort();
        let mut starter: Vec<String> = STARTER.iter().map(|(path, _)| (*path).to_owned()).collect();
        starter.sort();
        assert_eq!(starter, found);
    }

    fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn what_is_there_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let init = || Init { dir: dir.path().join("risk") };
        let say = Say::new(super::super::Format::Json);
        assert_eq!(init().run(&say).unwrap(), ExitCode::SUCCESS);
        let flow = dir.path().join("risk/rules/personal_loan/flow.yaml");
        std::fs::write(&flow, "mine").unwrap();
        std::fs::remove_file(dir.path().join("risk/config/tollgate.yaml")).unwrap();
        assert!(init().run(&say).is_err());
        assert_eq!(std::fs::read_to_string(&flow).unwrap(), "mine");
        assert!(!dir.path().join("risk/config/tollgate.yaml").exists());
    }
}
