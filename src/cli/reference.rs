//! `tollgate models reference`: what drift of a version is measured against, given when the version is there already.
//! Absent on purpose: measuring (learn's), and any change of the version itself.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::registry::{RowsOf, here, read};
use super::say::{Say, Trouble};
use crate::config::Settings;
use crate::learn::library::ModelLibrary;
use crate::learn::reference::LEAST_ROWS;
use crate::learn::remeasure::{self, RemeasureError};

/// Measure what drift of a version is held against, from rows given now.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate models reference churn@2 --rows applicants_of_spring.csv

Writes models/MODEL/references/VERSION.json, which from then on stands in for the reference in the card, if there is one;
remove it to go back. The version's own files, its digest and every revision stay as they are. Give rows such as the model
is to meet, and on which it was not fitted, at least 300; a running service takes them over by itself.")]
pub(super) struct Reference {
    /// The version, as a flow would name it: churn@champion
    #[arg(id = "number", value_name = "MODEL")]
    version: String,
    #[command(flatten)]
    rows: RowsOf,
}

impl Reference {
    pub(super) fn run(
        self,
        settings: &Settings,
        library: &ModelLibrary,
        say: &Say,
    ) -> Result<ExitCode, Trouble> {
        let nothing = "no reference was written";
        let file = self.rows.file(settings)?;
        let separator = self.rows.separator()?;
        let (model, found) = here(library, &self.version, (nothing, "its drift is measured there"))?;
        let folder = settings.models.join(&*model.name);
        let data = read(&file)?;
        let written = remeasure::remeasure(&folder, &model, &file, (&data, separator)).map_err(|error| {
            let trouble = Trouble::because(nothing, &error);
            match error {
                RemeasureError::Unmeasured(_) => trouble
                    .help(format!("`--rows FILE` with {LEAST_ROWS} rows or more that the model answers")),
                _ => trouble,
            }
        })?;
        let replaces = match (&found.reference_given, found.reference()) {
            (Some(_), _) => Some("in place of the rows given before"),
            (None, Some(_)) => Some("in place of the reference in the card"),
            (None, None) => None,
        };
        let body = json!({
            "model": &*model.name,
            "version": model.version,
            "digest": &*model.digest,
            "file": written.path,
            "reference": written.measured_on,
            "replaces": replaces.map(|_| if found.reference_given.is_some() { "given" } else { "card" }),
        });
        say.result(&body, || {
            let replaces = replaces.map(|replaces| format!(", {replaces}")).unwrap_or_default();
            let (name, version, rows) = (&model.name, model.version, &written.measured_on);
            let path = written.path.display();
            format!("{name} version {version}: drift is measured against {rows}{replaces}\n{path}")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
