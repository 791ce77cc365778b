//! `POST /v1/check`: a bundle as a tar, looked at as `tollgate check` looks at folders. Absent on purpose: finding
//! anything (the bundle's), keeping anything, and putting anything in force.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use serde_json::{Value as Json, json};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::asked::Asked;
use super::problem::{At, Code, Fault, Problem};
use crate::bundle::{Built, Documents, Findings, Kept, KnownLists};
use crate::documents::archive::{self, ArchiveError, Unfit};
use crate::learn::library::ModelLibrary;

/// Bytes of an archive.
const LARGEST: usize = 4 * 1024 * 1024;
/// Bytes to compile: what keeps one check to seconds and to some hundred MiB, however many markets a flow has.
const MOST_TO_COMPILE: u64 = 16 * 1024 * 1024;
/// What keeps a processor busy that belongs to decisions is done one at a time.
static TURN: Semaphore = Semaphore::const_new(1);
/// How long one waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A turn at what takes long.
///
/// # Errors
/// `overloaded`, when others take too long.
pub(super) async fn turn() -> Result<SemaphorePermit<'static>, Problem> {
    let busy =
        || Problem::new(Code::Overloaded, "another check or comparison is under way").with_retry_after(1);
    timeout(PATIENCE, TURN.acquire()).await.ok().and_then(Result::ok).ok_or_else(busy)
}

/// Everything that is wrong with a bundle; nothing is kept of it.
#[derive(Serialize)]
struct Checked {
    /// Every flow of the bundle, and whether it checks.
    flows: Vec<Json>,
    /// `sent`, or `in_force`: those of this service, because the bundle holds none.
    models: &'static str,
    #[serde(flatten)]
    findings: Findings,
}

/// Everything that is wrong with a bundle.
#[utoipa::path(
    post,
    path = "/v1/check",
    operation_id = "check",
    tag = "Flows",
    request_body(
        content_type = "application/x-tar",
        content = Vec<u8>,
        description = "A tar with `rules/`, and `models/` unless those in force are meant. At most 4 MiB and 500 entries."
    ),
    responses((status = 200, description = "What `tollgate check --format json` prints, `flows` and whose `models` were used", body = Object))
)]
pub(super) async fn check(mut asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let service = asked.service()?;
    let bytes = asked.tar(LARGEST).await?;
    let documents = documents(&bytes)?;
    drop(bytes);
    let models = Arc::clone(&service.release.in_force().models);
    let turn = turn().await?;
    // The turn goes along: whoever hangs up does not make room for another one.
    let checked = tokio::task::spawn_blocking(move || {
        let checked = checked(&documents, models);
        drop(turn);
        checked
    });
    let checked = checked.await.map_err(|error| {
        tracing::error!(%error, "a bundle could not be checked");
        Problem::new(Code::Internal, "the bundle could not be checked")
    })?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(checked))
}

fn documents(bytes: &[u8]) -> Result<Documents, Problem> {
    let documents = Documents::packed(archive::files(bytes)?);
    if documents.bytes_to_compile() > MOST_TO_COMPILE {
        let detail = "the files of a flow count once for each of its markets, and these come to more than 16 MiB; \
                      `tollgate check` has no such limit";
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    if documents.files.keys().any(|path| path.starts_with("rules/")) {
        return Ok(documents);
    }
    let detail = "the tar holds no file below `rules/`; pack the folder itself: `tar -c rules models`";
    Err(Problem::new(Code::InvalidBody, detail))
}

fn checked(documents: &Documents, in_force: Arc<ModelLibrary>) -> Checked {
    let has_models = documents.files.keys().any(|path| path.starts_with("models/"));
    let library = (!has_models).then_some(in_force);
    let built = Built::with(documents, Kept { library, older: None, lists: KnownLists::default() });
    let mut findings = built.told();
    if !has_models {
        // What is wrong with the models in force was not sent.
        findings.diagnostics.retain(|finding| !finding.file.starts_with("models/"));
    }
    let flows = built.flows.iter();
    let flows = flows.map(|(name, report)| json!({ "flow": &**name, "checks": report.revision.is_some() }));
    Checked { flows: flows.collect(), models: if has_models { "sent" } else { "in_force" }, findings }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        let detail = error.to_string();
        match error {
            ArchiveError::Compressed | ArchiveError::Broken => Self::new(Code::MalformedBody, detail),
            ArchiveError::TooManyEntries => Self::new(Code::InvalidBody, detail),
            ArchiveError::Entries(unfit) => {
                let fault = |Unfit { entry, code, detail }| Fault { at: At::Entry(entry), code, detail };
                Self::new(Code::InvalidBody, detail).with_faults(unfit.into_iter().map(fault).collect())
            }
        }
    }
}
