//! `tollgate schema`: JSON Schemas of a flow's facts and of the documents, and definitions for rhai editors. Absent on
//! purpose: what stands in them (the documents' and the flow's).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::check;
use super::say::{Say, Trouble};
use super::{Format, declared};
use crate::config::Settings;
use crate::documents::definitions;
use crate::documents::schema::DocumentKind;
use crate::domain::nearest::nearest;
use crate::http::flow_body;

/// JSON Schemas of a flow's facts and of the documents, and definitions for rhai editors.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate schema personal_loan                    the facts that this flow takes, as JSON Schema
  tollgate schema personal_loan --format rhai      the words of its script, for rhai editors
  tollgate schema --document rules                 what a *.rules.yaml may hold
  tollgate schema --write config/schemas           the schemas of all documents, one file each

--format: json (what text gives too), rhai
--document: flow, rules, scorecard, table, market, cases, facts, shared, reasons, model, train, remote, config")]
pub(super) struct Schema {
    /// The flow whose facts are described
    #[arg(required_unless_present_any = ["document", "write"], conflicts_with_all = ["document", "write"])]
    flow: Option<String>,
    /// As it is in this market; base if left out
    #[arg(long, requires = "flow")]
    market: Option<String>,
    /// The kind of document that is described
    #[arg(long, value_name = "KIND", conflicts_with = "write")]
    document: Option<String>,
    /// Writes the schemas of all documents into this folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

#[derive(Serialize)]
struct Written {
    files: Vec<String>,
}

impl Schema {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        match (self.flow, self.document, self.write) {
            (Some(flow), ..) => of_flow(&flow, self.market.as_deref(), settings, say),
            (None, _, Some(folder)) => write_all(&folder, say),
            (None, Some(word), None) => {
                let kind = kind_of(&word)?;
                only_json(say)?;
                say.line(kind.text().trim_end())?;
                Ok(ExitCode::SUCCESS)
            }
            (None, None, None) => Err(Trouble::new("name a flow, `--document` or `--write`")),
        }
    }
}

fn only_json(say: &Say) -> Result<(), Trouble> {
    match say.format() {
        Format::Rhai => Err(Trouble::new("only a flow has words for rhai editors")
            .help("`tollgate schema FLOW --format rhai`")),
        _ => Ok(()),
    }
}

fn kind_of(word: &str) -> Result<DocumentKind, Trouble> {
    DocumentKind::of_word(word).ok_or_else(|| {
        let known: Vec<&str> = DocumentKind::ALL.iter().map(|kind| kind.word()).collect();
        let trouble = Trouble::new(format!("there is no kind of document `{}`", word.escape_debug()));
        match nearest(word, known.iter().copied()) {
            Some(near) => trouble.help(format!("did you mean `{near}`?")),
            None => trouble.help(format!("one of `{}`", known.join("`, `"))),
        }
    })
}

fn of_flow(flow: &str, market: Option<&str>, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
    let built = check::read(settings)?;
    let revision = declared::in_market(&declared::flow(&built, flow)?, market)?;
    let text = match say.format() {
        Format::Rhai => definitions::rhai(&revision.declaration),
        _ => serde_json::to_string_pretty(&flow_body::inputs_schema(&revision.declaration))
            .map_err(|error| Trouble::because("the schema cannot be written as JSON", &error))?,
    };
    say.line(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn write_all(folder: &Path, say: &Say) -> Result<ExitCode, Trouble> {
    only_json(say)?;
    let failed = |path: &Path| {
        let what = format!("cannot write `{}`", path.display());
        move |error: std::io::Error| Trouble::because(&what, &error)
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut files = Vec::new();
    for kind in DocumentKind::ALL {
        let path = folder.join(format!("{}.json", kind.word()));
        std::fs::write(&path, kind.text()).map_err(failed(&path))?;
        files.push(path.display().to_string());
    }
    let count = files.len();
    say.result(&Written { files }, || format!("{count} schemas written to `{}`", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
