//! `tollgate openapi`: the description of the REST API, as the service gives it at `/openapi.json`. Absent on
//! purpose: a form for people (`--format` changes nothing).

use std::process::ExitCode;

use super::say::{Say, Trouble};
use crate::http::openapi;

pub(super) fn run(say: &Say) -> Result<ExitCode, Trouble> {
    say.line(openapi::text())?;
    Ok(ExitCode::SUCCESS)
}
