//! `tollgate what-if FLOW --facts FILE --set …`: what would be decided if something were otherwise, and where the two
//! evaluations part; with `--sweep`, one number moved from an end to another. Absent on purpose: any change of a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::say::{Say, Trouble};
use super::{check, declared, explained, facts};
use crate::bundle::Built;
use crate::config::Settings;
use crate::documents::findings::{Colour, rendered};
use crate::domain::flow::Pins;
use crate::trial::what_if::{self as trial, Situation, Sweep, WhatIfError, Wish};

/// What would be decided if a threshold, a fact, a model's answer or the market were otherwise.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate what-if personal_loan --facts applicant.json --set max_default_risk=0.40 --set facts.amount=1500
  tollgate what-if personal_loan --facts applicant.json --set models.default_risk=0.2 --set market=mx
  tollgate what-if personal_loan --facts applicant.json --sweep max_default_risk=0.10..0.60:0.05
  tollgate what-if personal_loan --facts applicant.json --sweep facts.amount=500..15000:500 --html amount.html

Exit codes: 0 shown, 1 the facts do not fit or the flow would not check, 2 could not look")]
pub(super) struct WhatIf {
    /// The flow
    flow: String,
    /// The facts: a JSON object; `-` reads stdin
    #[arg(long, value_name = "FILE")]
    facts: String,
    /// The market, before and after; base if left out
    #[arg(long)]
    market: Option<String>,
    /// What is otherwise: THRESHOLD=…, FLOW.THRESHOLD=…, facts.NAME=…, models.NAME=PROBABILITY|fails, market=…
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// A fact that is not given: facts.NAME
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Move one number: THRESHOLD, facts.NAME or models.NAME = from..to:step, with everything else as `--set` says
    #[arg(long, value_name = "NAME=FROM..TO:STEP")]
    sweep: Option<String>,
    /// Write the sweep as a page that needs nothing else
    #[arg(long, value_name = "FILE", requires = "sweep")]
    html: Option<PathBuf>,
    /// Write the sweep's chart
    #[arg(long, value_name = "FILE", requires = "sweep")]
    svg: Option<PathBuf>,
    /// Decide as of this time (RFC 3339); now if left out
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

impl WhatIf {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let given = facts::read(&self.facts)?;
        let built = check::read(settings)?;
        let flow = declared::flow(&built, &self.flow)?;
        if self.market.is_none() && flow.flow.is_market_required {
            let what = format!("`{}` decides only for a market", self.flow);
            let known = flow.market_names().join("`, `");
            return Err(Trouble::new(what).help(format!("`--market` is one of `{known}`")));
        }
        let flow = declared::in_market(&flow, self.market.as_deref())?;
        let at = self.at.unwrap_or_else(Timestamp::now);
        let now = Situation { flow, facts: given, pins: Pins::default(), at, notes: Vec::new() };
        match self.shown(&now, &built, say)? {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(WhatIfError::Wish { what, help }) => {
                let trouble = Trouble::new(what);
                Err(match help {
                    Some(help) => trouble.help(help),
                    None => trouble,
                })
            }
            Err(WhatIfError::Facts(problems)) => {
                facts::tell_problems(&problems, say);
                Ok(ExitCode::from(1))
            }
            Err(WhatIfError::DoesNotCheck(found)) => {
                say.talk(rendered(&found, &built.sources, Colour::for_stderr()).trim_end());
                say.talk("error: with this the flow does not check");
                Ok(ExitCode::from(1))
            }
        }
    }

    /// What cannot be decided is told apart from what cannot be shown.
    fn shown(&self, now: &Situation, built: &Built, say: &Say) -> Result<Result<(), WhatIfError>, Trouble> {
        let wishes = match self.wishes() {
            Ok(wishes) => wishes,
            Err(error) => return Ok(Err(error)),
        };
        if wishes.is_empty() && self.sweep.is_none() {
            return Err(Trouble::new("nothing is to be otherwise").help(
                "say what with `--set NAME=VALUE`, `--without facts.NAME` or `--sweep NAME=from..to:step`",
            ));
        }
        let (then, changes) = match now.with(&wishes, &built.bundle) {
            Ok(changed) => changed,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(sweep) = &self.sweep {
            return self.swept(sweep, &then, built, say);
        }
        let found = match trial::what_if(now, &then, changes) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        say.result(&trial::json(&found), || trial::text(&found, Colour::for_stdout()))?;
        notes(&then, built, say);
        Ok(Ok(()))
    }

    fn wishes(&self) -> Result<Vec<Wish>, WhatIfError> {
        let mut wishes = Vec::new();
        for text in &self.set {
            wishes.push(Wish::read(text)?);
        }
        for name in &self.without {
            let path = name.strip_prefix("facts.").unwrap_or(name).to_owned();
            wishes.push(Wish::Without { path });
        }
        Ok(wishes)
    }

    fn swept(
        &self,
        text: &str,
        then: &Situation,
        built: &Built,
        say: &Say,
    ) -> Result<Result<(), WhatIfError>, Trouble> {
        let sweep = match Sweep::read(text) {
            Ok(sweep) => sweep,
            Err(error) => return Ok(Err(error)),
        };
        let bar = say.progress(None);
        let done = |count: usize| bar.set_message(format!("{count} steps"));
        let found = trial::sweep(then, &sweep, &built.bundle, &done);
        bar.finish_and_clear();
        let found = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(file) = &self.html {
            explained::write(file, &trial::page(&found), say)?;
        }
        if let Some(file) = &self.svg {
            explained::write(file, &trial::svg(&found), say)?;
        }
        say.result(&trial::sweep_json(&found), || trial::sweep_text(&found, Colour::for_stdout()))?;
        notes(then, built, say);
        Ok(Ok(()))
    }
}

/// What `check` would say of the flow as it would be.
fn notes(then: &Situation, built: &Built, say: &Say) {
    if !then.notes.is_empty() {
        say.talk(rendered(&then.notes, &built.sources, Colour::for_stderr()).trim_end());
    }
}
