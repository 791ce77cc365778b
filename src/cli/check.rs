//! `tollgate check [DIR]`: every problem in the rules and models, with its place and the way out. Absent on purpose:
//! finding them (the bundle's).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::say::{Say, Trouble};
use super::settings;
use crate::bundle::{self, Built};
use crate::config::{Flags, Settings, within};
use crate::documents::findings::{self, Colour, Finding};
use crate::domain::diagnostic::Severity;

/// Every problem in the rules and models.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate check
  tollgate check /srv/risk --format json

Exit codes: 0 nothing found, 1 errors or warnings, 2 could not look")]
pub(super) struct Check {
    /// Holds rules/ and models/
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Findings {
    diagnostics: Vec<Finding>,
}

impl Check {
    pub(super) fn run(self, flags: Flags, say: &Say) -> Result<ExitCode, Trouble> {
        let settings = settings(&within(self.dir.as_deref(), flags))?;
        let built = read(&settings)?;
        let found = Findings { diagnostics: findings::listed(&built.diagnostics, &built.sources) };
        if say.is_json() {
            say.result(&found, String::new)?;
        } else if !found.diagnostics.is_empty() {
            say.line(
                findings::rendered(&built.diagnostics, &built.sources, Colour::for_stdout()).trim_end(),
            )?;
        }
        say.talk(&told(&built));
        Ok(ExitCode::from(u8::from(!found.diagnostics.is_empty())))
    }
}

/// Reads and builds what the settings' folders hold.
pub(super) fn read(settings: &Settings) -> Result<Built, Trouble> {
    // Only `rules/` must be there: flows without models need no `models/`.
    if !settings.rules.is_dir() {
        let what = format!("there is no folder `{}`", settings.rules.display());
        return Err(Trouble::new(what).help("`--rules DIR` says where it is"));
    }
    Ok(bundle::build(&bundle::read_folder(&settings.rules, &settings.models)))
}

fn told(built: &Built) -> String {
    let count = |severity| built.diagnostics.iter().filter(|d| d.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let many = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let models = built.bundle.models.models().len();
    let looked = format!("{}, {}", many(built.flows.len(), "flow"), many(models, "model"));
    if errors + warnings == 0 {
        return format!("{looked}: nothing found");
    }
    format!("{looked}: {}, {}", many(errors, "error"), many(warnings, "warning"))
}
