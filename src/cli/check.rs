//! `tollgate check [DIR]`: every problem in the rules and models, with its place and the way out. Absent on purpose:
//! finding them (the bundle's).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::say::{Say, Trouble};
use super::{Format, settings};
use crate::bundle::{self, Analysis, Built};
use crate::config::{Flags, Settings, within};
use crate::documents::findings::{self, Colour};
use crate::documents::{annotations, pages, sarif};
use crate::domain::diagnostic::Severity;
use crate::domain::nearest::nearest;

/// Every problem in the rules and models.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate check
  tollgate check /srv/risk --format json
  tollgate check --format sarif > findings.sarif
  tollgate check --format github
  tollgate check --explain T004

Exit codes: 0 nothing found, 1 errors or warnings, 2 could not look")]
pub(super) struct Check {
    /// Holds rules/ and models/
    dir: Option<PathBuf>,
    /// Show the page of a code, such as T004, and look at nothing
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

impl Check {
    pub(super) fn run(self, flags: Flags, say: &Say) -> Result<ExitCode, Trouble> {
        if let Some(code) = &self.explain {
            return explain(code, say);
        }
        let settings = settings(&within(self.dir.as_deref(), flags))?;
        let built = read(&settings)?;
        let found = built.told();
        if say.is_sarif() {
            say.result(&sarif::sarif(&found.diagnostics), String::new)?;
        } else if say.format() == Format::Github {
            if !found.diagnostics.is_empty() {
                say.line(annotations::github(&found.diagnostics).trim_end())?;
            }
        } else if say.is_json() {
            say.result(&found, String::new)?;
        } else if !found.diagnostics.is_empty() {
            say.line(
                findings::rendered(&built.diagnostics, &built.sources, Colour::for_stdout()).trim_end(),
            )?;
        }
        say.talk(&told(&built));
        if let Some(note) = left(&found.analysis) {
            say.talk(&note);
        }
        Ok(ExitCode::from(u8::from(!found.diagnostics.is_empty())))
    }
}

fn explain(code: &str, say: &Say) -> Result<ExitCode, Trouble> {
    let Some(page) = pages::page(code) else {
        let codes: Vec<&str> = pages::all().map(|page| page.code).collect();
        let near = nearest(code, codes.iter().copied());
        let help = near.map_or_else(
            || "docs/diagnostics/README.md lists them".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Trouble::new(format!("there is no finding with the code `{code}`")).help(help));
    };
    say.line(page.text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// `not analysed for what can never happen: 2 of 14 conditions`
fn left(analysis: &Analysis) -> Option<String> {
    let parts = [
        ("conditions", &analysis.conditions),
        ("tables", &analysis.tables),
        ("scorecards", &analysis.scorecards),
        ("branches", &analysis.branches),
    ];
    let left: Vec<String> = parts
        .iter()
        .filter(|(_, part)| part.analysed < part.all)
        .map(|(what, part)| format!("{} of {} {what}", part.all.saturating_sub(part.analysed), part.all))
        .collect();
    (!left.is_empty()).then(|| {
        format!(
            "note: not analysed for what can never happen: {} (`--format json` names them)",
            left.join(", ")
        )
    })
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
