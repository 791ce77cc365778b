//! `tollgate test [FLOW]`: runs the cases and shows as a difference what came out otherwise. Absent on purpose:
//! running them (the bundle's).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::say::{Say, Trouble};
use super::{check, settings};
use crate::bundle::cases::{self, CasesSummary};
use crate::config::{Flags, within};
use crate::documents::findings::{self, Colour};
use crate::domain::diagnostic::Severity;
use crate::domain::value::Name;

/// Run the cases.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate test
  tollgate test personal_loan --format json

Exit codes: 0 every case holds, 1 a case fails or a flow does not check, 2 could not run")]
pub(super) struct Test {
    /// Only this flow
    flow: Option<String>,
    /// Holds rules/ and models/
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    summary: &'a CasesSummary,
    /// Flows that do not check: their cases could not run.
    broken: &'a [String],
}

impl Test {
    pub(super) fn run(self, flags: Flags, say: &Say) -> Result<ExitCode, Trouble> {
        let settings = settings(&within(self.dir.as_deref(), flags))?;
        let built = check::read(&settings)?;
        let wanted = |name: &Name| self.flow.as_ref().is_none_or(|flow| **flow == **name);
        if !built.flows.keys().any(wanted) {
            let names: Vec<&str> = built.flows.keys().map(|name| &**name).collect();
            let what = self
                .flow
                .map_or_else(|| "there are no flows".to_owned(), |f| format!("there is no flow `{f}`"));
            return Err(Trouble::new(what).help(format!("flows here: {}", names.join(", "))));
        }
        let (mut results, mut coverage, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        let mut findings = Vec::new();
        for (name, report) in built.flows.iter().filter(|(name, _)| wanted(name)) {
            findings.extend(report.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned());
            let Some(revision) = &report.revision else {
                broken.push(name.to_string());
                continue;
            };
            let (found, covered) = cases::run(name, revision, &report.cases.cases, Timestamp::now());
            results.extend(found);
            coverage.push((name.to_string(), covered));
        }
        let coverage: Vec<(&str, &cases::Coverage)> =
            coverage.iter().map(|(name, c)| (name.as_str(), c)).collect();
        let summary = cases::summary(&results, &coverage);
        if !findings.is_empty() {
            say.talk(findings::rendered(&findings, &built.sources, Colour::for_stderr()).trim_end());
        }
        say.result(&Body { summary: &summary, broken: &broken }, || {
            text(&cases::rendered(&results), &summary)
        })?;
        let fine = summary.failed == 0 && findings.is_empty() && broken.is_empty();
        Ok(ExitCode::from(u8::from(!fine)))
    }
}

fn text(failures: &str, summary: &CasesSummary) -> String {
    let CasesSummary { cases, failed, coverage, .. } = summary;
    let never = if coverage.never_hit.is_empty() {
        String::new()
    } else {
        format!("\nnever hit: {}", coverage.never_hit.join(", "))
    };
    let holds = cases.saturating_sub(*failed);
    format!(
        "{failures}{holds} of {cases} cases hold; {} of {} rules were hit{never}",
        coverage.hit, coverage.rules
    )
}
