//! `tollgate audit search|export|verify`: records, without a server. Absent on purpose: changing any.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::audit_explain::Explain;
use super::say::{Say, Trouble, table};
use crate::audit::{Audit, Filter, Record, Search, Sight, verify_database, verify_folder};
use crate::config::{Flags, Settings};

/// Records that one look at the log brings.
const PAGE: u32 = 1000;

/// Search, export and verify what was recorded.
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
    /// Why a recorded decision came out as it did: its facts once more on its own revision
    #[command(after_help = "Examples:
  tollgate audit explain 01a2035d-7212-7b9d-b83d-b535ca086765
  tollgate audit explain 01a2035d-7212-7b9d-b83d-b535ca086765 --personal --picture way.svg

Exit codes: 0 explained, 1 the evaluation does not give the recorded verdict, 2 could not look")]
    Explain(Explain),
    /// Whether the log is whole: every sequence there, every hash right
    #[command(after_help = "Examples:
  tollgate audit verify --data /var/lib/tollgate       the local log, also beside a running service
  tollgate audit verify --database-url postgres://…    every node's log in Postgres

Exit codes: 0 whole, 1 not whole, 2 could not look")]
    Verify,
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
        Search { filter, cursor, ..Search::default() }
    }
}

impl AuditCommand {
    pub(super) async fn run(
        self,
        flags: &Flags,
        settings: &Settings,
        say: &Say,
    ) -> Result<ExitCode, Trouble> {
        match self {
            Self::Search { wanted, limit, cursor } => {
                search(&open(settings).await?, wanted.search(limit, cursor), say).await
            }
            Self::Export { wanted, personal } => {
                let sight = if personal { Sight::Plain } else { Sight::Masked };
                export(&open(settings).await?, &wanted, sight, say).await
            }
            Self::Explain(explain) => explain.run(settings, say).await,
            Self::Verify => verify(flags, settings, say).await,
        }
    }
}

/// `--data` alone means that folder, whatever the environment or the file say of a database.
async fn verify(flags: &Flags, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
    let folder_is_meant = flags.data.is_some() && flags.database_url.is_none();
    let found = match settings.database_url.as_ref().filter(|_| !folder_is_meant) {
        Some(url) => verify_database(url.expose()).await,
        None => verify_folder(&settings.data).await,
    };
    let found = found.map_err(|error| Trouble::because("the log cannot be read", &error))?;
    let problems: Vec<Json> = found
        .problems
        .iter()
        .map(|p| {
            json!({
                "node": p.node, "epoch": p.epoch, "sequence": p.sequence, "id": p.id,
                "code": p.code, "detail": p.detail,
            })
        })
        .collect();
    let body = json!({
        "whole": found.is_whole(), "entries": found.entries, "decisions": found.decisions,
        "erased": found.erased, "problems": problems, "problem_count": found.problem_count,
    });
    say.result(&body, || {
        let lines = found
            .problems
            .iter()
            .map(|p| format!("{} {}/{}/{} {}: {}\n", p.id, p.node, p.epoch, p.sequence, p.code, p.detail));
        let state =
            if found.is_whole() { "whole".to_owned() } else { format!("{} problems", found.problem_count) };
        format!(
            "{}{} entries, {} decisions: {state}",
            lines.collect::<String>(),
            found.entries,
            found.decisions
        )
    })?;
    Ok(ExitCode::from(u8::from(!found.is_whole())))
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
