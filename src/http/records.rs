//! Reading what was recorded: decisions, refusals, releases, revisions. Who sees how much is decided here: a caller
//! its own decisions without their trace, an auditor everything. Absent on purpose: writing, but for the entry that
//! says who read.

use actix_web::HttpResponse;
use actix_web::http::header;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::asked::{Asked, purpose};
use super::decisions::decision_id;
use super::problem::Problem;
use super::query::Filters;
use crate::audit::{DecisionQuery, Read, StoredDecision};

/// Shown in place of a personal value.
const MASK: &str = "•••";
/// What of a record only auditors see.
const FOR_AUDITORS: &[&str] = &["trace", "features"];

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
    let stored = service.audit.get(id).await?.filter(|stored| may_see(&asked, stored));
    let Some(stored) = stored else {
        return Err(Problem::unknown_decision());
    };
    note_read(&asked, Some(id), purpose.clone(), "decision")?;
    Ok(page(&shown(&asked, stored, purpose.is_some())))
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
    let query = asked.filters().decisions()?;
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
    let query = Filters::from_body(&body).decisions()?;
    found(asked, query).await
}

async fn found(asked: Asked, mut query: DecisionQuery) -> Result<HttpResponse, Problem> {
    let purpose = purpose(asked.http.headers())?;
    if asked.asker.sees_only_its_own() {
        query.caller = Some(asked.asker.name.to_string());
    }
    if let Some(flow) = &query.flow {
        asked.asker.check_flow(flow)?;
    }
    let service = asked.service()?;
    let found = service.audit.search(query).await?;
    note_read(&asked, None, purpose.clone(), "decisions")?;
    let seen = found.entries.into_iter().filter(|stored| may_see(&asked, stored));
    let decisions = seen.map(|stored| shown(&asked, stored, purpose.is_some())).collect();
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
    let query = asked.filters().entries()?;
    let purpose = purpose(asked.http.headers())?;
    let found = asked.service()?.audit.refusals(query).await?;
    note_read(&asked, None, purpose, "refusals")?;
    Ok(page(&RefusalsPage { refusals: found.entries, next: found.next }))
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
    let query = asked.filters().entries()?;
    let found = asked.service()?.audit.releases(query).await?;
    Ok(page(&ReleasesPage { releases: found.entries, next: found.next }))
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
    let revisions = asked.service()?.audit.revisions().await?;
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
    let found = service.audit.revision(revision).await?.ok_or_else(Problem::unknown_revision)?;
    Ok(page(&found))
}

fn page(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

/// A decision of another caller, or of a flow that the key is not for, looks as if it did not exist.
fn may_see(asked: &Asked, stored: &StoredDecision) -> bool {
    let its_own = !asked.asker.sees_only_its_own() || stored.caller == asked.asker.name;
    let flow = stored.record.get("flow").and_then(Json::as_str).unwrap_or_default();
    its_own && asked.asker.may_use_flow(flow)
}

/// Whoever sent the facts may see them again; anyone else sees personal ones only for a stated purpose.
fn shown(asked: &Asked, stored: StoredDecision, has_purpose: bool) -> Json {
    let StoredDecision { caller, personal, mut record } = stored;
    if caller != asked.asker.name && !has_purpose {
        mask(&mut record, &personal);
    }
    if asked.asker.sees_only_its_own()
        && let Some(record) = record.as_object_mut()
    {
        for name in FOR_AUDITORS {
            record.remove(*name);
        }
    }
    record
}

fn mask(record: &mut Json, personal: &[String]) {
    let Some(facts) = record.get_mut("facts").and_then(Json::as_object_mut) else {
        return;
    };
    for name in personal {
        if let Some(value) = facts.get_mut(name).filter(|value| !value.is_null()) {
            *value = Json::from(MASK);
        }
    }
}

/// Every read of records by someone is an entry of the log; a search names no single decision.
fn note_read(
    asked: &Asked,
    decision_id: Option<Uuid>,
    purpose: Option<String>,
    what: &'static str,
) -> Result<(), Problem> {
    let reader = asked.asker.name.clone();
    let read = Read { at: Timestamp::now(), reader, decision_id, purpose, what };
    asked.service()?.audit.record_read(read);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn personal_facts_are_masked_and_the_others_are_not() {
        let mut record = json!({"flow": "loan", "facts": {"age": 41, "phone": "555", "email": null}});
        mask(&mut record, &["phone".to_owned(), "email".to_owned(), "absent".to_owned()]);
        assert_eq!(record["facts"], json!({"age": 41, "phone": MASK, "email": null}));
        let mut bare = json!({"flow": "loan"});
        mask(&mut bare, &["phone".to_owned()]);
        assert_eq!(bare, json!({"flow": "loan"}));
    }
}
