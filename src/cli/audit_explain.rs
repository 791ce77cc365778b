//! `tollgate audit explain ID`: why a recorded decision came out as it did. Absent on purpose: evaluating (the
//! engine's), and any entry in the log but that of the read.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::audit::open;
use super::explained::{self, Picture};
use super::say::{Say, Trouble};
use crate::audit::Sight;
use crate::config::Settings;
use crate::documents::findings::Colour;
use crate::engine::Engine;
use crate::release::{NoJournal, Release, ReleaseSettings};
use crate::trial::explain;

/// Why a recorded decision came out as it did.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// `decision_id` of the answer
    id: Uuid,
    /// Show personal values
    #[arg(long)]
    personal: bool,
    /// Draw the way that the decision took: a file that ends with .svg, or with .mmd for Mermaid
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

impl Explain {
    pub(super) async fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let kind = self.picture.as_deref().map(Picture::of).transpose()?;
        let audit = Arc::new(open(settings).await?);
        let settled = ReleaseSettings::new(&settings.rules, &settings.models);
        let release = Release::start(settled, Arc::new(NoJournal))
            .await
            .map_err(|error| Trouble::because("the rules cannot be read", &error))?;
        let record = audit
            .get(self.id)
            .await
            .map_err(|error| Trouble::because("the records cannot be read", &error))?
            .ok_or_else(|| {
                Trouble::new(format!("there is no decision `{}`", self.id)).help(
                    "`tollgate audit search` finds them; `--data` or `--database-url` says where they are",
                )
            })?;
        let engine = Engine::new(release, Arc::clone(&audit), settings.durable, settings.open_for);
        let sight = if self.personal { Sight::Plain } else { Sight::Masked };
        let found = engine
            .explain(&record, sight)
            .await
            .map_err(|error| Trouble::because(&format!("decision {}", self.id), &error))?;
        if let (Some(file), Some(kind)) = (&self.picture, kind) {
            let drawn = explained::picture(&found.explanation, &found.flow, kind)?;
            explained::write(file, &drawn, say)?;
        }
        let body = json!({
            "decision_id": self.id,
            "agrees": found.agrees,
            "explanation": explain::json(&found.explanation),
        });
        say.result(&body, || explained::text(&found.explanation, &found.flow, Colour::for_stdout()))?;
        if !found.agrees {
            say.talk("this is not the recorded verdict: `tollgate replay` says what differs");
        }
        Ok(ExitCode::from(u8::from(!found.agrees)))
    }
}
