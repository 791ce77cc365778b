//! `tollgate migrate`: brings the local log and, where there is an address, Postgres to this version's form. Absent
//! on purpose: any way back.

use std::process::ExitCode;

use serde_json::json;

use super::audit::open;
use super::say::{Say, Trouble};
use crate::app;
use crate::config::Settings;

pub(super) async fn run(settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
    let audit = open(settings).await?;
    audit.close(app::SHIPPING).await;
    let database = settings.database_url.as_ref().map(ToString::to_string);
    say.result(&json!({ "data": settings.data, "database": database }), || {
        let central = database.as_ref().map(|url| format!("\n{url}")).unwrap_or_default();
        format!("up to date: {}{central}", settings.data.display())
    })?;
    Ok(ExitCode::SUCCESS)
}
