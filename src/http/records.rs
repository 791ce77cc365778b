//! Reading what was recorded: decisions, refusals, releases, revisions. Who sees how much is decided here: a caller
//! its own decisions without their trace, an auditor everything. Absent on purpose: writing, but for the entry that
//! says who read.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Service;
use super::access::Asker;
use super::asked::{Asked, purpose};
use super::asking;
use super::decisions::decision_id;
use super::problem::Problem;
use super::query::Filters;
use crate::audit::{
    Durability, Entry, OpenDecision, ReadEntry, ReadError, Record, RevisionFile, Search, SearchState, Sight,
};

/// What of a record only auditors see.
const FOR_AUDITORS: &[&str] = &["trace", "features"];
/// The longest file of a revision that is shown with its text.
const LONGEST_TEXT: usize = 256 * 1024;

/// A page of decisions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Decisions {
    #[schema(value_type = Vec<Object>)]
    decisions: Vec<Json>,
    /// Send it as `cursor` to go on; null at the end.
    next: Option<String>,
}

/// A page of refusals, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusalsPage {
    #[schema(value_type = Vec<Object>)]
    refusals: Vec<Json>,
    next: Option<String>,
}

/// A page of releases, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReleasesPage {
    #[schema(value_type = Vec<Object>)]
    releases: Vec<Json>,
    next: Option<String>,
}

/// Every revision that decided here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revisions {
    #[schema(value_type = Vec<Object>)]
    revisions: Vec<Json>,
}

/// One recorded decision.
#[utoipa::path(
    get,
    path = "/v1/decisions/{id}",
    operation_id = "read_decision",
    tag = "Audit",
    params(
        ("id" = String, Path, description = "`decision_id` of the answer"),
        ("Purpose" = Option<String>, Header, description = "Why it is read: recorded, and needed to see personal facts."),
    ),
    responses((status = 200, description = "The whole record", body = Object))
)]
pub(super) async fn read(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let purpose = purpose(asked.http.headers())?;
    let id = decision_id(&asked)?;
    let service = asked.service()?;
    let shown = asking::record(&service, &asked.asker, id, purpose).await?;
    Ok(page(&shown))
}

/// Recorded decisions.
#[utoipa::path(
    get,
    path = "/v1/decisions",
    operation_id = "list_decisions",
    tag = "Audit",
    responses((status = 200, description = "Newest first", body = Decisions))
)]
pub(super) async fn list(asked: Asked) -> Result<HttpResponse, Problem> {
    let query = asked.filters().search()?;
    found(asked, query).await
}

/// Recorded decisions, with the filters in the body.
#[utoipa::path(
    post,
    path = "/v1/decisions/search",
    operation_id = "search_decisions",
    tag = "Audit",
    request_body(content = Object, description = "The filters of `GET /v1/decisions`, and `subject`"),
    responses((status = 200, description = "Newest first", body = Decisions))
)]
pub(super) async fn search(mut asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let body = asked.json().await?;
    let query = Filters::from_body(&body).search()?;
    found(asked, query).await
}

async fn found(asked: Asked, mut search: Search) -> Result<HttpResponse, Problem> {
    let purpose = purpose(asked.http.headers())?;
    if asked.asker.sees_only_its_own() {
        search.filter.caller = Some(asked.asker.name.to_string());
    }
    if let Some(flow) = &search.filter.flow {
        asked.asker.check_flow(flow)?;
    }
    if search.state == SearchState::Needs {
        return found_open(asked, search, purpose).await;
    }
    let found = asked.service()?.audit.search(search).await?;
    let seen = found.items.iter().filter(|record| may_see(&asked, record));
    let decisions = seen.map(Record::summary).collect::<Result<Vec<Json>, _>>().map_err(ReadError::from)?;
    note_read(&asked, "search", None, decisions.len(), purpose).await?;
    Ok(page(&Decisions { decisions, next: found.next }))
}

async fn found_open(asked: Asked, search: Search, purpose: Option<String>) -> Result<HttpResponse, Problem> {
    let found = asked.service()?.audit.open_decisions(search).await?;
    let seen = found.items.iter().filter(|open| may_see_of(&asked, &open.caller, &open.flow));
    let decisions: Vec<Json> = seen.map(OpenDecision::summary).collect();
    note_read(&asked, "search", None, decisions.len(), purpose).await?;
    Ok(page(&Decisions { decisions, next: found.next }))
}

/// What was refused before it became a decision.
#[utoipa::path(
    get,
    path = "/v1/refusals",
    operation_id = "refusals",
    tag = "Audit",
    responses((status = 200, description = "Newest first", body = RefusalsPage))
)]
pub(super) async fn refusals(asked: Asked) -> Result<HttpResponse, Problem> {
    let query = asked.filters().search()?;
    let purpose = purpose(asked.http.headers())?;
    if let Some(flow) = &query.filter.flow {
        asked.asker.check_flow(flow)?;
    }
    let mut found = asked.service()?.audit.refusals(query).await?;
    // A refusal that names no flow is for those whose key is for all of them.
    let flow = |refusal: &Json| refusal.get("flow").and_then(Json::as_str).unwrap_or_default().to_owned();
    found.items.retain(|refusal| asked.asker.may_use_flow(&flow(refusal)));
    note_read(&asked, "refusals", None, found.items.len(), purpose).await?;
    Ok(page(&RefusalsPage { refusals: found.items, next: found.next }))
}

/// Every switch of what is in force.
#[utoipa::path(
    get,
    path = "/v1/releases",
    operation_id = "releases",
    tag = "Flows",
    responses((status = 200, description = "Newest first", body = ReleasesPage))
)]
pub(super) async fn releases(asked: Asked) -> Result<HttpResponse, Problem> {
    let query = asked.filters().search()?;
    if let Some(flow) = &query.filter.flow {
        asked.asker.check_flow(flow)?;
    }
    let mut found = asked.service()?.audit.releases(query).await?;
    for flows in found.items.iter_mut().filter_map(|release| release.get_mut("flows")?.as_object_mut()) {
        // A market stands as `loan/mx`.
        flows.retain(|name, _| asked.asker.may_use_flow(name.split('/').next().unwrap_or_default()));
    }
    Ok(page(&ReleasesPage { releases: found.items, next: found.next }))
}

/// What ever was in force.
#[utoipa::path(
    get,
    path = "/v1/revisions",
    operation_id = "revisions",
    tag = "Flows",
    responses((status = 200, description = "Every revision that was in force", body = Revisions))
)]
pub(super) async fn revisions(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let rows = asked.service()?.audit.revisions().await?;
    let revisions =
        rows.iter().map(|row| json!({"revision": &*row.revision, "first": time(row.first_us)})).collect();
    Ok(page(&Revisions { revisions }))
}

/// The files of one revision.
#[utoipa::path(
    get,
    path = "/v1/revisions/{revision}",
    operation_id = "revision",
    tag = "Flows",
    params(("revision" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses((status = 200, description = "Its files", body = Object))
)]
pub(super) async fn revision(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let revision = asked.path_part("revision");
    let service = asked.service()?;
    let mut files = service.audit.revision_files(revision).await?;
    // A flow holds the files of the flows that it asks: each is shown to whoever may use the flow that it belongs to.
    let may = |flow: &str| asked.asker.may_use_flow(flow);
    files
        .retain(|file| file.flow.is_empty() || (may(&file.flow) && flow_of_file(&file.path).is_none_or(may)));
    if files.is_empty() {
        return Err(Problem::unknown_revision());
    }
    let files: Vec<Json> = files.iter().map(file).collect();
    Ok(page(&json!({ "revision": revision, "files": files })))
}

/// The flow whose folder a file lies in.
pub(super) fn flow_of_file(path: &str) -> Option<&str> {
    let (folder, _) = path.strip_prefix("rules/")?.split_once('/')?;
    Some(folder).filter(|folder| *folder != "_shared")
}

fn page(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

/// Null for a time outside of what can be shown, which no log of ours holds.
fn time(us: i64) -> Option<String> {
    Timestamp::from_microsecond(us).ok().map(|at| format!("{at:.6}"))
}

/// One file of a revision; with its text, if it is one and not too long.
fn file(file: &RevisionFile) -> Json {
    let text = std::str::from_utf8(&file.bytes).ok().filter(|text| text.len() <= LONGEST_TEXT);
    json!({
        "path": &*file.path,
        "flow": Some(&*file.flow).filter(|flow| !flow.is_empty()),
        "digest": format!("sha256:{}", data_encoding::HEXLOWER.encode(&file.digest)),
        "bytes": file.bytes.len(),
        "text": text,
    })
}

/// A decision of another caller, or of a flow that the key is not for, looks as if it did not exist.
pub(super) fn may_see(asked: &Asked, record: &Record) -> bool {
    may_see_of(asked, record.caller(), record.flow())
}

/// The same for any decision of this caller and flow.
pub(super) fn may_see_of(asked: &Asked, caller: &str, flow: &str) -> bool {
    asked.asker.may_see(caller, flow)
}

/// Whoever sent the facts may see them again; anyone else sees personal ones only for a stated purpose.
pub(super) fn shown(asker: &Asker, record: &Record, has_purpose: bool) -> Result<Json, ReadError> {
    let shown = record.show(sight_of(asker, record.caller(), has_purpose))?;
    Ok(without_what_auditors_see(asker, shown))
}

/// The same for a decision that waits for its caller.
pub(super) fn shown_open(asker: &Asker, open: &OpenDecision, has_purpose: bool) -> Result<Json, ReadError> {
    let shown = open.show(sight_of(asker, &open.caller, has_purpose))?;
    Ok(without_what_auditors_see(asker, shown))
}

pub(super) fn sight(asked: &Asked, caller: &str, has_purpose: bool) -> Sight {
    sight_of(&asked.asker, caller, has_purpose)
}

fn sight_of(asker: &Asker, caller: &str, has_purpose: bool) -> Sight {
    if has_purpose || *caller == *asker.name { Sight::Plain } else { Sight::Masked }
}

fn without_what_auditors_see(asker: &Asker, mut shown: Json) -> Json {
    if asker.sees_only_its_own()
        && let Some(shown) = shown.as_object_mut()
    {
        for name in FOR_AUDITORS {
            shown.remove(*name);
        }
    }
    shown
}

/// Enters in the log that the asker read something.
///
/// # Errors
/// `starting`.
pub(super) async fn note_read(
    asked: &Asked,
    what: &str,
    decision_id: Option<Uuid>,
    records: usize,
    purpose: Option<String>,
) -> Result<(), Problem> {
    enter_read(&asked.service()?, &asked.asker, what, decision_id, records, purpose).await;
    Ok(())
}

/// Every read of records by someone is an entry of the log. When that cannot be written the read is still answered:
/// auditors need the records most when something is wrong.
pub(super) async fn enter_read(
    service: &Service,
    asker: &Asker,
    what: &str,
    decision_id: Option<Uuid>,
    records: usize,
    purpose: Option<String>,
) {
    let entry = ReadEntry {
        at: Timestamp::now(),
        caller: asker.name.clone(),
        what: Arc::from(what),
        decision_id,
        records: u64::try_from(records).unwrap_or(u64::MAX),
        purpose: purpose.map(Arc::from),
    };
    if let Err(error) = service.audit.append_entry(Entry::Read(entry), Durability::Local).await {
        metrics::counter!("tollgate_unrecorded_reads_total").increment(1);
        tracing::error!(%error, reader = %asker.name, what, "a read was not recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_revision_show_their_text_if_they_have_one() {
        let of = |bytes: &[u8]| {
            let (flow, path) = (Arc::from(""), Arc::from("models/m/1/model.json"));
            file(&RevisionFile { flow, path, digest: [0; 32], bytes: Arc::from(bytes) })
        };
        assert_eq!((&of(b"x: 1")["text"], &of(b"x: 1")["flow"]), (&json!("x: 1"), &Json::Null));
        assert_eq!((&of(&[0xff])["text"], &of(&[0xff])["bytes"]), (&Json::Null, &json!(1)));
        assert_eq!(of(&vec![b'x'; LONGEST_TEXT + 1])["text"], Json::Null);
        assert_eq!(time(1_767_225_600_000_000).as_deref(), Some("2026-01-01T00:00:00.000000Z"));
    }
}
