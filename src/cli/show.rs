//! `tollgate show FLOW`: what a flow does, step by step, as a tree, as JSON, as Mermaid or as an SVG picture. Absent
//! on purpose: outlining (the domain's) and drawing (the documents').

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::check;
use super::say::{Say, Trouble};
use super::{Format, declared};
use crate::config::Settings;
use crate::documents::findings::Colour;
use crate::documents::outline as pictures;
use crate::domain::outline::Outline;

/// What a flow does, step by step: rule sets, models, branches, and the outcomes that each can record.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate show personal_loan
  tollgate show personal_loan --market mx --format mermaid
  tollgate show personal_loan --format svg --out personal_loan.svg

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
}

impl Show {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let built = check::read(settings)?;
        let revision = declared::flow(&built, &self.flow)?;
        let revision = declared::in_market(&revision, self.market.as_deref())?;
        let outline = Outline::of(&revision.declaration)
            .map_err(|_| Trouble::new(format!("the script of `{}` cannot be read", self.flow)))?;
        let text = match say.format() {
            Format::Mermaid => pictures::mermaid(&outline),
            Format::Svg => pictures::svg(&outline),
            Format::Json => {
                let shown = pictures::json(&outline, &built.sources);
                serde_json::to_string_pretty(&shown)
                    .map_err(|error| Trouble::because("the outline cannot be written as JSON", &error))?
            }
            _ if self.out.is_some() => pictures::tree(&outline, Colour::Never),
            _ => pictures::tree(&outline, Colour::for_stdout()),
        };
        match &self.out {
            None => say.line(text.trim_end())?,
            Some(file) => {
                let text = format!("{}\n", text.trim_end());
                std::fs::write(file, text).map_err(|error| {
                    Trouble::because(&format!("cannot write `{}`", file.display()), &error)
                })?;
                say.talk(&format!("written to `{}`", file.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
