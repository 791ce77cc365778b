//! `tollgate test [FLOW]`: runs the cases and shows as a difference what came out otherwise, with what decided it.
//! Absent on purpose: running them (the bundle's).

mod chosen;
mod coverage;
mod found;
mod junit;
mod watch;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;

use self::chosen::Chosen;
use self::coverage::CoverageArgs;
use self::found::Found;
use super::say::{Say, Trouble};
use super::{Format, check, settings};
use crate::bundle::Built;
use crate::bundle::cases::{self, Running};
use crate::config::{Flags, within};
use crate::documents::findings::{self, Colour};

/// Run the cases.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate test
  tollgate test personal_loan --filter minor
  tollgate test --filter cases/knockout.yaml:12
  tollgate test --watch
  tollgate test --format junit > cases.xml
  tollgate test --coverage-html coverage.html --coverage-min 90

Exit codes: 0 every case holds, 1 a case fails or a flow does not check, 2 could not run")]
pub(super) struct Test {
    /// Only this flow
    flow: Option<String>,
    /// Holds rules/ and models/
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only cases with this text in their name or file, or the one at FILE:LINE; may be repeated
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Run again whenever rules or models change, until it is stopped
    #[arg(long)]
    watch: bool,
    /// When cases are decided that do not say it themselves; now if left out
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// How many threads run cases; as many as there are processors if left out
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    coverage: CoverageArgs,
}

impl Test {
    pub(super) fn run(self, flags: Flags, say: &Say) -> Result<ExitCode, Trouble> {
        let settings = settings(&within(self.dir.as_deref(), flags))?;
        if self.watch {
            return watch::run(&self, &settings, say);
        }
        let built = check::read(&settings)?;
        let found = self.look(&built, say)?;
        match say.format() {
            Format::Junit => say.line(junit::report(&found)?.trim_end())?,
            _ => say.result(&found.body(), || found.text())?,
        }
        Ok(ExitCode::from(u8::from(!found.is_fine())))
    }

    /// Everything that this command line asks of what was built.
    fn look(&self, built: &Built, say: &Say) -> Result<Found, Trouble> {
        let chosen = Chosen::of(built, self.flow.as_deref(), &self.filter)?;
        if !chosen.errors.is_empty() {
            let shown = findings::rendered(&chosen.errors, &built.sources, Colour::for_stderr());
            say.talk(shown.trim_end());
        }
        let running = Running {
            now: self.at.unwrap_or_else(Timestamp::now),
            threads: self.threads(),
            told: Some(&built.sources),
        };
        let mut found = look(&chosen, &running);
        found.covered = self.coverage.look(&chosen, running.now)?;
        Ok(found)
    }

    fn threads(&self) -> NonZeroUsize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(all)
    }
}

/// Runs what was chosen.
fn look(chosen: &Chosen<'_>, running: &Running<'_>) -> Found {
    let started = Instant::now();
    let (mut results, mut covered) = (Vec::new(), Vec::new());
    let ran = cases::run_all(&chosen.lots(), running);
    for (flow, (of_flow, coverage)) in chosen.flows.iter().zip(ran) {
        results.extend(of_flow);
        covered.push((flow.name.to_string(), coverage));
    }
    let elapsed = started.elapsed();
    let covered: Vec<(&str, &cases::Coverage)> = covered.iter().map(|(name, c)| (name.as_str(), c)).collect();
    let summary = cases::summary(&results, &covered);
    Found {
        results,
        summary,
        broken: chosen.broken.clone(),
        errors: chosen.errors.len(),
        elapsed,
        is_part: chosen.is_part,
        covered: None,
    }
}
