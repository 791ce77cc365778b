//! `tollgate openapi`: the description of the REST API, as the service gives it at `/openapi.json`; with a flow, as a
//! client of that flow needs it. Absent on purpose: a form for people (`--format` changes nothing).

use std::process::ExitCode;

use clap::Args;

use super::say::{Say, Trouble};
use super::{check, declared, settings};
use crate::config::Flags;
use crate::http::{flow_openapi, openapi};

/// The description of the REST API.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate openapi > openapi.json
  tollgate openapi personal_loan --market mx      with this flow's facts and output, for typed clients")]
pub(super) struct Openapi {
    /// The flow whose facts and output stand in it
    flow: Option<String>,
    /// As it is in this market; base if left out
    #[arg(long, requires = "flow")]
    market: Option<String>,
}

impl Openapi {
    pub(super) fn run(self, flags: &Flags, say: &Say) -> Result<ExitCode, Trouble> {
        let Some(flow) = self.flow else {
            say.line(openapi::text())?;
            return Ok(ExitCode::SUCCESS);
        };
        let built = check::read(&settings(flags)?)?;
        let revision = declared::in_market(&declared::flow(&built, &flow)?, self.market.as_deref())?;
        let text = serde_json::to_string_pretty(&flow_openapi::described(&revision.declaration));
        say.line(&text.map_err(|error| Trouble::because("the description cannot be written", &error))?)?;
        Ok(ExitCode::SUCCESS)
    }
}
