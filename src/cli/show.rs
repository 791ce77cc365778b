//! `tollgate show FLOW`: what a flow does, step by step, as a tree, as JSON, as Mermaid or as an SVG picture. Absent
//! on purpose: outlining (the domain's) and drawing (the documents').

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::check;
use super::say::{Say, Trouble};
use super::{Format, declared, explained, facts};
use crate::bundle::FlowRevision;
use crate::config::Settings;
use crate::documents::findings::Colour;
use crate::documents::outline as pictures;
use crate::domain::facts::FactProblem;
use crate::domain::flow::Pins;
use crate::domain::outline::Outline;
use crate::trial::what_if::{Situation, WhatIfError};

/// What a flow does, step by step: rule sets, models, branches, and the outcomes that each can record.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate show personal_loan
  tollgate show personal_loan --market mx --format mermaid
  tollgate show personal_loan --format svg --out personal_loan.svg
  tollgate show personal_loan --facts applicant.json --format svg --out way.svg

--format: text, json, mermaid, svg")]
pub(super) struct Show {
    /// The flow
    flow: String,
    /// As it is in this market; base if left out
    #[arg(long)]
    market: Option<String>,
    /// Where to write it; stdout if left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Mark the way that a decision on these facts takes: a JSON object; `-` reads stdin (`--format svg|mermaid|json`)
    #[arg(long, value_name = "FILE")]
    facts: Option<String>,
    /// With `--facts`: decide as of this time (RFC 3339); now if left out
    #[arg(long, value_name = "TIME", requires = "facts")]
    at: Option<Timestamp>,
}

impl Show {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let built = check::read(settings)?;
        let revision = declared::flow(&built, &self.flow)?;
        let revision = declared::in_market(&revision, self.market.as_deref())?;
        let path = match &self.facts {
            None => None,
            Some(_) if say.format() == Format::Text => {
                return Err(Trouble::new("as text the way that a decision takes is not drawn")
                    .help("`--format svg`, `mermaid` or `json` show it; `tollgate decide FLOW --facts FILE --explain` tells it"));
            }
            Some(file) => match self.path(file, &revision)? {
                Ok(path) => Some(path),
                Err(problems) => {
                    facts::tell_problems(&problems, say);
                    return Ok(ExitCode::from(1));
                }
            },
        };
        let outline = Outline::of(&revision.declaration)
            .map_err(|_| Trouble::new(format!("the script of `{}` cannot be read", self.flow)))?;
        let text = match say.format() {
            Format::Mermaid => match &path {
                Some(path) => pictures::mermaid_with_path(&outline, path),
                None => pictures::mermaid(&outline),
            },
            Format::Svg => match &path {
                Some(path) => pictures::svg_with_path(&outline, path),
                None => pictures::svg(&outline),
            },
            Format::Json => {
                let mut shown = pictures::json(&outline, &built.sources);
                if let (Some(path), Some(shown)) = (&path, shown.as_object_mut()) {
                    shown.insert("path".to_owned(), serde_json::json!(path));
                }
                serde_json::to_string_pretty(&shown)
                    .map_err(|error| Trouble::because("the outline cannot be written as JSON", &error))?
            }
            _ if self.out.is_some() => pictures::tree(&outline, Colour::Never),
            _ => pictures::tree(&outline, Colour::for_stdout()),
        };
        match &self.out {
            None => say.line(text.trim_end())?,
            Some(file) => explained::write(file, &text, say)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The ids of what a decision on these facts comes through.
    fn path(
        &self,
        file: &str,
        revision: &Arc<FlowRevision>,
    ) -> Result<Result<BTreeSet<String>, Vec<FactProblem>>, Trouble> {
        let facts = facts::read(file)?;
        let at = self.at.unwrap_or_else(Timestamp::now);
        let flow = Arc::clone(revision);
        let situation = Situation { flow, facts, pins: Pins::default(), at, notes: Vec::new() };
        match situation.explained() {
            Ok(explanation) => Ok(Ok(explanation.path)),
            Err(WhatIfError::Facts(problems)) => Ok(Err(problems)),
            Err(error) => Err(Trouble::because("the way cannot be told", &error)),
        }
    }
}
