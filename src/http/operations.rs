//! For those who run the service: alive, ready, metrics, the description of the API, and the pages of problems.
//! Absent on purpose: anything that `/livez` could depend on.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use super::Serving;
use super::asked::Asked;
use super::openapi;
use super::problem::{Code, Problem, quoted};
use crate::audit::{CentralHealth, Health};
use crate::domain::value::Name;
use crate::predict::Table;
use crate::release::ReleaseStatus;

/// `/livez`
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    /// `alive`.
    status: &'static str,
}

/// `/readyz`
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ready {
    /// `ready`, `starting`, `stopping`; only `ready` comes with 200.
    status: &'static str,
    /// Digest of all that decides now.
    revision: Option<String>,
    /// `failed` when the newest files do not check and older ones decide. That is still ready.
    reload: Option<&'static str>,
    /// Flows whose newest files do not check.
    failed_flows: Vec<String>,
    /// How the record store is; null where only models are served.
    #[schema(value_type = Object)]
    store: Json,
    /// The models that are asked directly.
    models: Option<ModelsReady>,
}

/// How the models are that are asked directly. What is wrong with them keeps nobody from being ready: what served goes
/// on serving.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelsReady {
    /// Versions that answer.
    available: usize,
    /// Versions and labels that do not serve as they are written.
    problems: Vec<ModelProblem>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelProblem {
    model: String,
    version: Option<u32>,
    problem: String,
}

/// Whether the process answers at all.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "Operations",
    responses((status = 200, description = "The process answers", body = Alive))
)]
pub(super) async fn livez(_asked: Asked) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(Alive { status: "alive" }))
}

/// Whether requests should be sent here.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "Operations",
    responses(
        (status = 200, description = "Send requests", body = Ready),
        (status = 503, description = "Send none: it starts or stops", body = Ready),
    )
)]
pub(super) async fn readyz(asked: Asked) -> Result<HttpResponse, Problem> {
    let service = asked.doors.service().filter(|_| asked.doors.guard().is_some());
    let release = service.map(|s| s.release.status());
    let is_alone = asked.doors.settings().serving == Serving::ModelsOnly;
    let models =
        asked.doors.models().filter(|_| asked.doors.guard().is_some()).map(|m| models_ready(&m.table()));
    let status = match &release {
        _ if asked.doors.is_stopping() => "stopping",
        None if models.is_some() && is_alone => "ready",
        None => "starting",
        Some(_) => "ready",
    };
    let body = Ready {
        status,
        revision: release.as_ref().map(|r| r.revision.to_string()),
        reload: release.as_ref().map(|r| r.reload.word()),
        failed_flows: release.map(|r| broken_flows(&r)).unwrap_or_default(),
        store: service.map_or(Json::Null, |s| store(&s.audit.health())),
        models,
    };
    let mut response =
        if status == "ready" { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    Ok(response.insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// Counters and times.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "Operations",
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(asked: Asked) -> Result<HttpResponse, Problem> {
    let text = (asked.doors.render_metrics)();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// This description of the API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "Operations",
    responses((status = 200, description = "This document", body = Object))
)]
pub(super) async fn openapi(_asked: Asked) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().content_type("application/json").body(openapi::text()))
}

/// The page that a problem's `type` leads to.
#[utoipa::path(
    get,
    path = "/docs/errors/{code}",
    operation_id = "error_page",
    tag = "Operations",
    params(("code" = String, Path, description = "Code of a problem")),
    responses((status = 200, description = "What the problem means and what to do", body = String, content_type = "text/markdown"))
)]
pub(super) async fn error_page(asked: Asked) -> Result<HttpResponse, Problem> {
    let word = asked.path_part("code");
    let code = Code::ALL.iter().find(|code| code.facts().word == word).ok_or_else(|| {
        Problem::new(Code::UnknownErrorCode, format!("there is no problem code {}", quoted(word)))
    })?;
    Ok(HttpResponse::Ok().content_type("text/markdown; charset=utf-8").body(code.facts().page))
}

fn models_ready(table: &Table) -> ModelsReady {
    let versions = table.models().values().flat_map(|model| model.versions.values());
    let problem = |(model, version, problem): (Name, Option<u32>, Arc<str>)| ModelProblem {
        model: model.to_string(),
        version,
        problem: problem.to_string(),
    };
    ModelsReady {
        available: versions.filter(|version| version.servable.is_some()).count(),
        problems: table.problems().into_iter().map(problem).collect(),
    }
}

fn broken_flows(release: &ReleaseStatus) -> Vec<String> {
    let broken = release.flows.iter().filter(|(_, flow)| !flow.broken.is_empty());
    broken.map(|(name, _)| name.to_string()).collect()
}

fn store(health: &Health) -> Json {
    let central = match health.central {
        CentralHealth::None => json!({"state": "none"}),
        CentralHealth::Reachable { lag } => json!({"state": "reachable", "lag": lag}),
        CentralHealth::Away { lag } => json!({"state": "away", "lag": lag}),
    };
    json!({
        "records": health.records,
        "broken": health.broken,
        "disk_used_percent": health.disk_used_percent,
        "disk_warns": health.disk_warns,
        "minutes_left": health.minutes_left,
        "waiting": health.waiting,
        "gaps": health.gaps,
        "central": central,
    })
}
