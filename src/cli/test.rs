//! `tollgate test [FLOW]`: runs the cases and shows as a difference what came out otherwise. Absent on purpose:
//! running them (the bundle's).

mod chosen;
mod found;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use self::chosen::Chosen;
use self::found::Found;
use super::say::{Say, Trouble};
use super::{check, settings};
use crate::bundle::cases;
use crate::config::{Flags, within};
use crate::documents::findings::{self, Colour};

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

impl Test {
    pub(super) fn run(self, flags: Flags, say: &Say) -> Result<ExitCode, Trouble> {
        let settings = settings(&within(self.dir.as_deref(), flags))?;
        let built = check::read(&settings)?;
        let chosen = Chosen::of(&built, self.flow.as_deref())?;
        if !chosen.errors.is_empty() {
            let shown = findings::rendered(&chosen.errors, &built.sources, Colour::for_stderr());
            say.talk(shown.trim_end());
        }
        let found = look(&chosen);
        say.result(&found.body(), || found.text())?;
        Ok(ExitCode::from(u8::from(!found.is_fine())))
    }
}

/// Runs what was chosen.
fn look(chosen: &Chosen<'_>) -> Found {
    let now = Timestamp::now();
    let (mut results, mut covered) = (Vec::new(), Vec::new());
    for flow in &chosen.flows {
        let (of_flow, coverage) = cases::run(flow.name, flow.revision, &flow.files.cases, now);
        results.extend(of_flow);
        covered.push((flow.name.to_string(), coverage));
    }
    let covered: Vec<(&str, &cases::Coverage)> = covered.iter().map(|(name, c)| (name.as_str(), c)).collect();
    let summary = cases::summary(&results, &covered);
    Found { results, summary, broken: chosen.broken.clone(), errors: chosen.errors.len() }
}
