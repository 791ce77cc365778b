//! `tollgate test [FLOW]`: runs the cases and shows as a difference what came out otherwise, with what decided it.
//! Absent on purpose: running them (the bundle's).

mod chosen;
mod coverage;
mod found;
mod generate;
mod junit;
mod mutation;
mod properties;
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
use self::generate::To;
use self::mutation::{Mutants, MutationArgs};
use super::say::{Say, Trouble};
use super::{Format, check, settings};
use crate::bundle::Built;
use crate::bundle::cases::{self, Running};
use crate::config::{Flags, Settings, within};
use crate::documents::findings::{self, Colour};
use crate::trial::applicant::Applicant;
use crate::trial::properties::Trying;

/// Run the cases.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate test
  tollgate test personal_loan --filter minor
  tollgate test --filter cases/knockout.yaml:12
  tollgate test --watch
  tollgate test --format junit > cases.xml
  tollgate test --coverage-html coverage.html --coverage-min 90
  tollgate test personal_loan --mutate
  tollgate test personal_loan --facts applicants.csv
  tollgate test --generate --write

Properties of `flow.yaml` are held on the facts of all cases, on `--facts`, and on facts made up near the boundaries,
the same ones in every run.

Exit codes: 0 every case holds, 1 a case fails, a property does not hold or a flow does not check, 2 could not run")]
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
    #[command(flatten)]
    mutation: MutationArgs,
    /// Facts that properties are held on too, of the one flow named: CSV, or a JSON object a line
    #[arg(long, value_name = "FILE", requires = "flow")]
    facts: Option<PathBuf>,
    /// How many applicants are made up for each property
    #[arg(long, value_name = "N", default_value_t = 300)]
    tries: usize,
    /// Cases at the boundaries that nobody has written, with today's answers to be confirmed
    #[arg(long, conflicts_with_all = ["watch", "filter"], group = "finds_cases")]
    generate: bool,
    /// Add what was found to FILE instead of printing it; if left out, to cases/generated.yaml of each flow, and to
    /// cases/from_mutants.yaml with `--mutate`
    #[arg(long, value_name = "FILE", requires = "finds_cases")]
    write: Option<Option<PathBuf>>,
}

impl Test {
    pub(super) fn run(self, flags: Flags, say: &Say) -> Result<ExitCode, Trouble> {
        let settings = settings(&within(self.dir.as_deref(), flags))?;
        if self.watch {
            return watch::run(&self, &settings, say);
        }
        let built = check::read(&settings)?;
        if self.generate {
            let chosen = Chosen::of(&built, self.flow.as_deref(), &self.filter)?;
            let to = match &self.write {
                None => To::Stdout,
                Some(None) => To::EachFlow,
                Some(Some(file)) => To::File(file.clone()),
            };
            return generate::run(&chosen, &settings, &to, self.now(), say);
        }
        let mut found = self.look(&built, say)?;
        if found.summary.failed == 0 && found.errors == 0 {
            found.mutants = self.mutants(&built, &settings, say)?;
        }
        match say.format() {
            Format::Junit => say.line(junit::report(&found, &built.sources)?.trim_end())?,
            _ => say.result(&found.body(&built.sources), || found.text(&built.sources))?,
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
        let (now, threads) = (self.now(), self.threads());
        let running = Running { now, threads, told: Some(&built.sources) };
        let mut found = look(&chosen, &running);
        if !found.is_part {
            let more = self.facts(&chosen, now, say)?;
            let trying = Trying { now, made_up: self.tries, more: &more };
            found.properties = properties::run(&chosen, &trying, threads);
        }
        found.covered = self.coverage.look(&chosen, now)?;
        Ok(found)
    }

    /// What the cases would miss; only cases that hold can tell.
    fn mutants(&self, built: &Built, settings: &Settings, say: &Say) -> Result<Option<Mutants>, Trouble> {
        if !self.mutation.is_asked() {
            return Ok(None);
        }
        if let Some(Some(file)) = &self.write {
            let what = format!("`--mutate` does not write to `{}`", file.display());
            let help = "`--write` alone adds the cases to cases/from_mutants.yaml of each flow";
            return Err(Trouble::new(what).help(help));
        }
        let chosen = Chosen::of(built, self.flow.as_deref(), &self.filter)?;
        let rules = self.write.as_ref().map(|_| settings.rules.as_path());
        self.mutation.look(&chosen, (self.now(), self.threads()), rules, say).map(Some)
    }

    fn facts(&self, chosen: &Chosen<'_>, now: Timestamp, say: &Say) -> Result<Vec<Applicant>, Trouble> {
        let (Some(path), Some(flow)) = (&self.facts, chosen.flows.first()) else { return Ok(Vec::new()) };
        let all = properties::facts(path, &flow.revision.flow, now)?;
        let refused = all.iter().filter(|one| one.admitted(&flow.revision.flow).is_none()).count();
        if refused > 0 {
            let many = all.len();
            say.talk(&format!(
                "note: the flow does not admit the facts of {refused} of {many} lines of `{}`; they are left out",
                path.display()
            ));
        }
        Ok(all)
    }

    fn now(&self) -> Timestamp {
        self.at.unwrap_or_else(Timestamp::now)
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
        properties: Vec::new(),
        broken: chosen.broken.clone(),
        errors: chosen.errors.len(),
        elapsed,
        is_part: chosen.is_part,
        covered: None,
        mutants: None,
    }
}
