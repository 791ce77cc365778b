//! `tollgate replay`: recorded decisions again; they must agree, or the difference is shown. Absent on purpose:
//! evaluating (the engine's).

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::audit::{open, page};
use super::say::{Say, Trouble};
use crate::audit::{Filter, Search};
use crate::config::Settings;
use crate::engine::{Engine, Replay as Replayed};
use crate::release::{Release, ReleaseSettings};

const PAGE: u32 = 1000;
/// Differences that are shown; all are counted.
const MOST_SHOWN: usize = 100;

/// Recorded decisions again: they must agree.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate replay --since 2026-11-22T00:00:00Z
  tollgate replay --revision sha256:…          on another revision: the differences

Exit codes: 0 all agree, 1 some differ, 2 could not replay")]
pub(super) struct Replay {
    /// Only decisions since this time (RFC 3339)
    #[arg(long)]
    since: Option<Timestamp>,
    /// On this revision instead of each decision's own
    #[arg(long)]
    revision: Option<String>,
}

#[derive(Default)]
struct Tally {
    replayed: u64,
    differing: u64,
    shown: Vec<Json>,
}

impl Replay {
    pub(super) async fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let audit = Arc::new(open(settings).await?);
        let release = Release::start(
            ReleaseSettings::new(&settings.rules, &settings.models),
            Arc::new(crate::release::NoJournal),
        )
        .await
        .map_err(|error| Trouble::because("the rules cannot be read", &error))?;
        let engine = Engine::new(release, Arc::clone(&audit), settings.durable, settings.open_for);
        let bar = say.progress(None);
        let (mut cursor, mut tally) = (None, Tally::default());
        loop {
            let filter = Filter {
                from_us: self.since.map(Timestamp::as_microsecond),
                limit: PAGE,
                ..Filter::default()
            };
            let (records, next) = page(&audit, Search { filter, cursor, ..Search::default() }).await?;
            for record in &records {
                let replayed = engine
                    .replay(record.id(), self.revision.as_deref())
                    .await
                    .map_err(|error| Trouble::because(&format!("decision {}", record.id()), &error))?;
                tally.add(&replayed);
            }
            bar.set_message(format!("{} replayed, {} differ", tally.replayed, tally.differing));
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        bar.finish_and_clear();
        tally.show(say)
    }
}

impl Tally {
    fn add(&mut self, replayed: &Replayed) {
        self.replayed += 1;
        if replayed.agrees {
            return;
        }
        self.differing += 1;
        if self.shown.len() < MOST_SHOWN {
            let differences: Vec<Json> = replayed
                .differences
                .iter()
                .map(|d| json!({ "pointer": d.pointer, "recorded": d.recorded, "replayed": d.replayed }))
                .collect();
            self.shown.push(json!({ "decision_id": replayed.decision_id, "differences": differences }));
        }
    }

    fn show(self, say: &Say) -> Result<ExitCode, Trouble> {
        let body = json!({
            "replayed": self.replayed,
            "agreed": self.replayed - self.differing,
            "differing": self.differing,
            "decisions": self.shown,
        });
        say.result(&body, || {
            let lines = self.shown.iter().map(|shown| format!("{shown}\n"));
            format!(
                "{}{} of {} decisions agree",
                lines.collect::<String>(),
                self.replayed - self.differing,
                self.replayed
            )
        })?;
        Ok(ExitCode::from(u8::from(self.differing > 0)))
    }
}
