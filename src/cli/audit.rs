//! `tollgate audit search|export`: records, without a server. Absent on purpose: changing any.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::say::{Say, Trouble, table};
use crate::audit::{Audit, Filter, Record, Search, Sight};
use crate::config::Settings;

/// Records that one look at the log brings.
const PAGE: u32 = 1000;

/// Search and export what was recorded.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Recorded decisions, newest first
    #[command(after_help = "Example:
  tollgate audit search --flow personal_loan --outcome decline --from 2026-11-01T00:00:00Z --limit 20")]
    Search {
        #[command(flatten)]
        wanted: Wanted,
        /// 1 to 1000
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// `next` of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Every record that is wanted, whole, one JSON object a line
    Export {
        #[command(flatten)]
        wanted: Wanted,
        /// Show personal values
        #[arg(long)]
        personal: bool,
    },
}

/// What is looked for; every part narrows it.
#[derive(Debug, Clone, Args)]
pub(super) struct Wanted {
    /// The flow that decided
    #[arg(long)]
    flow: Option<String>,
    /// The outcome
    #[arg(long)]
    outcome: Option<String>,
    /// A reason code among the reasons
    #[arg(long)]
    reason: Option<String>,
    /// The caller's own id
    #[arg(long)]
    reference: Option<String>,
    /// The revision that decided
    #[arg(long)]
    revision: Option<String>,
    /// Who asked
    #[arg(long)]
    caller: Option<String>,
    /// Not before this time (RFC 3339)
    #[arg(long)]
    from: Option<Timestamp>,
    /// Before this time (RFC 3339)
    #[arg(long)]
    to: Option<Timestamp>,
}

impl Wanted {
    fn search(self, limit: u32, cursor: Option<String>) -> Search {
        let filter = Filter {
            flow: self.flow,
            outcome: self.outcome,
            reason: self.reason,
            reference: self.reference,
            revision: self.revision,
            caller: self.caller,
            from_us: self.from.map(Timestamp::as_microsecond),
            to_us: self.to.map(Timestamp::as_microsecond),
            limit,
            ..Filter::default()
        };
        Search { filter, subject: None, cursor }
    }
}

impl AuditCommand {
    pub(super) async fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let audit = open(settings).await?;
        match self {
            Self::Search { wanted, limit, cursor } => search(&audit, wanted.search(limit, cursor), say).await,
            Self::Export { wanted, personal } => {
                let sight = if personal { Sight::Plain } else { Sight::Masked };
                export(&audit, &wanted, sight, say).await
            }
        }
    }
}

/// The log that the settings name.
pub(super) async fn open(settings: &Settings) -> Result<Audit, Trouble> {
    Audit::open(crate::app::store_settings(settings))
        .await
        .map_err(|error| Trouble::because("the records cannot be opened", &error))
}

/// One page; a cursor that is not ours is trouble.
pub(super) async fn page(audit: &Audit, search: Search) -> Result<(Vec<Record>, Option<String>), Trouble> {
    search.check().map_err(|error| Trouble::because("`--cursor`", &error))?;
    let page =
        audit.search(search).await.map_err(|error| Trouble::because("the records cannot be read", &error))?;
    Ok((page.items, page.next))
}

async fn search(audit: &Audit, search: Search, say: &Say) -> Result<ExitCode, Trouble> {
    let (records, next) = page(audit, search).await?;
    let decisions = records
        .iter()
        .map(Record::summary)
        .collect::<Result<Vec<Json>, _>>()
        .map_err(|error| Trouble::because("a record cannot be read", &error))?;
    say.result(&json!({ "decisions": decisions, "next": next }), || {
        let rows = decisions.iter().map(|d| {
            let part = |name: &str| d.get(name).and_then(Json::as_str).unwrap_or("-").to_owned();
            let codes = d.get("reasons").and_then(Json::as_array).into_iter().flatten();
            let codes: Vec<&str> = codes.filter_map(|r| r.get("code")?.as_str()).collect();
            [
                part("decided_at"),
                part("decision_id"),
                part("flow"),
                part("outcome"),
                codes.join(","),
                part("reference"),
            ]
        });
        table(["decided at", "decision", "flow", "outcome", "reasons", "reference"], rows)
    })?;
    if let Some(next) = next {
        say.talk(&format!("more: --cursor {next}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(audit: &Audit, wanted: &Wanted, sight: Sight, say: &Say) -> Result<ExitCode, Trouble> {
    let bar = say.progress(None);
    let (mut cursor, mut count) = (None, 0_u64);
    loop {
        let (records, next) = page(audit, wanted.clone().search(PAGE, cursor)).await?;
        for record in &records {
            let shown =
                record.show(sight).map_err(|error| Trouble::because("a record cannot be read", &error))?;
            say.line(&shown.to_string())?;
            count += 1;
        }
        bar.set_message(format!("{count} records"));
        if next.is_none() {
            bar.finish_and_clear();
            say.talk(&format!("{count} records"));
            return Ok(ExitCode::SUCCESS);
        }
        cursor = next;
    }
}
