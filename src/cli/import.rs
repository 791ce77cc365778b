//! `tollgate models import FILE --as NAME`. Absent on purpose: reading formats (learn's).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::say::{Say, Trouble};
use crate::config::Settings;
use crate::documents::findings::{self, Colour};
use crate::learn::import::{self, Agreement, ImportError, ImportRequest, ImportedVersion};
use crate::learn::reference::Unmeasured;

/// Bring a model that another library fitted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate models import churn.json --as churn
  tollgate models import pipeline.onnx --as risk --rows rows.csv --expected probability

Read are XGBoost's JSON and UBJSON, LightGBM's text, ONNX pipelines, and PMML scorecards. The version gets the next
number. No alias moves; a model that is new gets its first version as champion.")]
pub(super) struct Import {
    /// The model's file
    file: PathBuf,
    /// The folder in models/; made when it is not there
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// What the file does not say (YAML): columns, target, reason codes
    #[arg(long, value_name = "FILE")]
    columns: Option<PathBuf>,
    /// Rows (CSV) to measure explanations and drift on, and to compare answers
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// The column of the rows with the answers that the library gave
    #[arg(long, value_name = "COLUMN", requires = "rows")]
    expected: Option<String>,
    /// How far an answer may be from the expected one, as a share above 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1e-6)]
    tolerance: f64,
}

impl Import {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        let request = ImportRequest {
            file: self.file,
            name: self.name,
            columns: self.columns,
            rows: self.rows,
            expected: self.expected,
            tolerance: Some(self.tolerance),
        };
        match import::run(&settings.models, &request) {
            Ok(version) => {
                show(&version, say)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(ImportError::ColumnsFile { source_file, diagnostics }) => {
                say.talk(findings::rendered(&diagnostics, &[source_file], Colour::for_stderr()).trim_end());
                Ok(ExitCode::from(1))
            }
            Err(error) => {
                let trouble = Trouble::because("nothing was imported", &error);
                Err(match error.help() {
                    Some(help) => trouble.help(help),
                    None => trouble,
                })
            }
        }
    }
}

fn show(version: &ImportedVersion, say: &Say) -> Result<(), Trouble> {
    let draft = &version.draft;
    let agreement = draft.agreement.map(|agreement| {
        json!({
            "rows": agreement.rows,
            "equal_to_the_last_bit": agreement.equal_to_the_last_bit,
            "largest_difference": agreement.largest_difference,
        })
    });
    let result = json!({
        "model": version.model,
        "version": version.version,
        "folder": version.folder,
        "digest": &*draft.digest,
        "algorithm": draft.algorithm,
        "fitted_with": draft.fitted_with,
        "inputs": draft.inputs,
        "explanations": draft.explains.as_ref().ok(),
        "not_explainable": draft.explains.as_ref().err(),
        "agreement": agreement,
        "reference": draft.reference.as_ref().ok(),
        "no_reference": draft.reference.as_ref().err().map(|why| unmeasured(version, *why)),
        "notes": draft.notes,
    });
    say.result(&result, || {
        let mut text = format!(
            "{} version {}: {}, {}, {} inputs\n{}\n",
            version.model,
            version.version,
            draft.algorithm,
            draft.fitted_with,
            draft.inputs.len(),
            version.folder.display()
        );
        if let Some(agreement) = draft.agreement {
            text.push_str(&agreement_text(agreement));
        }
        match &draft.explains {
            Ok(space) => text.push_str(&format!("explains its answers, in {}\n", space.replace('_', "-"))),
            Err(why) => text.push_str(&format!("{why}\n")),
        }
        match &draft.reference {
            Ok(rows) => text.push_str(&format!("drift is measured against {rows}\n")),
            Err(why) => text.push_str(&format!("{}\n", unmeasured(version, *why))),
        }
        for note in &draft.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        text
    })
}

/// That drift is not measured, why, and the way out.
fn unmeasured(version: &ImportedVersion, why: Unmeasured) -> String {
    let ImportedVersion { model, version, .. } = version;
    format!(
        "drift is not measured: {why}; `tollgate models reference {model}@{version} --rows FILE` measures it"
    )
}

fn agreement_text(agreement: Agreement) -> String {
    let Agreement { rows, equal_to_the_last_bit: equal, largest_difference: off } = agreement;
    let how = match equal {
        0 => format!("each within {off:.1e}"),
        _ if equal == rows => "each to the last bit".to_owned(),
        _ => format!("{equal} to the last bit, the rest within {off:.1e}"),
    };
    format!("agrees with the expected answers on {rows} rows: {how}\n")
}
