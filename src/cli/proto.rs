//! `tollgate proto`: what a flow takes and gives as protobuf messages, and the contracts of the gRPC door as files.
//! Absent on purpose: what stands in them (the door's).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::say::{Say, Trouble};
use super::{check, declared};
use crate::config::Settings;
use crate::grpc::flows::{file_name, proto_text};
use crate::wire::FILES;

/// What a flow takes and gives as protobuf messages, for typed clients.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate proto personal_loan > personal_loan.proto     one file, all that a client of this flow needs
  tollgate proto --write proto                           all flows and the public contracts, one file each

A field's number comes from its name and type: it stays while other inputs come and go, and nobody keeps a list.
The same service is visible by server reflection (grpcurl, Postman) on the address of `--grpc`.")]
pub(super) struct Proto {
    /// The flow whose messages are printed
    #[arg(required_unless_present = "write", conflicts_with = "write")]
    flow: Option<String>,
    /// Writes the contracts into this folder, in the folders that their packages name
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

#[derive(Serialize)]
struct Printed<'a> {
    flow: &'a str,
    proto: &'a str,
}

#[derive(Serialize)]
struct Written {
    files: Vec<String>,
}

impl Proto {
    pub(super) fn run(self, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
        match (self.flow, self.write) {
            (Some(flow), _) => {
                let built = check::read(settings)?;
                let revision = declared::flow(&built, &flow)?;
                let text = text(&revision)?;
                say.result(&Printed { flow: &flow, proto: &text }, || text.trim_end().to_owned())?;
            }
            (None, Some(folder)) => {
                let files = write_all(&folder, settings)?;
                let count = files.len();
                say.result(&Written { files }, || {
                    format!("{count} contracts written to `{}`", folder.display())
                })?;
            }
            (None, None) => return Err(Trouble::new("name a flow, or `--write DIR`")),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(revision: &crate::bundle::FlowRevision) -> Result<String, Trouble> {
    let what = format!("the flow `{}` has no protobuf messages", revision.flow.name);
    proto_text(revision).map_err(|error| Trouble::because(&what, &error))
}

fn write_all(folder: &Path, settings: &Settings) -> Result<Vec<String>, Trouble> {
    let built = check::read(settings)?;
    let mut files: Vec<(String, String)> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for (name, revision) in &built.bundle.flows {
        files.push((file_name(name), text(revision)?));
    }
    let mut written = Vec::new();
    for (path, text) in files {
        let path = folder.join(path);
        let what = format!("cannot write `{}`", path.display());
        let inside = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(inside)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| Trouble::because(&what, &error))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}
