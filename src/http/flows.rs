//! `GET /v1/flows`, `GET /v1/flows/{flow}`, `GET /v1/models`: what is in force. Absent on purpose: changing it (that
//! is done by changing files).

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use super::asked::Asked;
use super::decide_body::unknown_detail;
use super::flow_body;
use super::problem::{Code, Problem, quoted};
use crate::release::{FlowInForce, ReleaseStatus};

/// Every flow, and what the last reload found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlowList {
    /// Digest of all that decides now.
    revision: String,
    /// `ok`, or `failed`: then at least one flow keeps its last good version.
    reload: &'static str,
    flows: Vec<FlowSummary>,
}

/// One flow in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlowSummary {
    flow: String,
    title: Option<String>,
    owner: Option<String>,
    /// Digest of what decides in this flow; null when none of its versions ever checked.
    flow_revision: Option<String>,
    /// `in_force`, `kept` (the newest files do not check; the last good version decides), `refused` (never checked).
    status: &'static str,
    /// What is wrong with the newest files.
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<Json>,
}

/// One flow, as its callers need to know it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlowBody {
    flow: String,
    title: Option<String>,
    owner: Option<String>,
    revision: String,
    flow_revision: String,
    status: &'static str,
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<Json>,
    /// JSON Schema of `facts`.
    #[schema(value_type = Object)]
    inputs: Json,
    #[schema(value_type = Object)]
    outputs: Json,
    /// Mildest first.
    outcomes: Vec<String>,
    #[schema(value_type = Object)]
    on_error: Json,
    #[schema(value_type = Object)]
    thresholds: Json,
    #[schema(value_type = Object)]
    reasons: Json,
    #[schema(value_type = Object)]
    models: Json,
    markets: Vec<String>,
}

/// Every model, its versions and what its aliases stand for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelList {
    models: Vec<ModelBody>,
}

/// One model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelBody {
    model: String,
    aliases: BTreeMap<String, u32>,
    versions: Vec<ModelVersionBody>,
}

/// One version of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelVersionBody {
    version: u32,
    digest: String,
    /// How it was fitted, and how well it does.
    #[schema(value_type = Object)]
    card: Json,
}

/// Flows, and what is wrong with their newest files.
#[utoipa::path(
    get,
    path = "/v1/flows",
    operation_id = "list_flows",
    tag = "Flows",
    responses((status = 200, description = "Every flow", body = FlowList))
)]
pub(super) async fn list(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let release = asked.service()?.release;
    let status = release.status();
    let mut flows: Vec<FlowSummary> = release.flows().into_iter().map(|f| summary(f, &status)).collect();
    let refused = status.failed.iter().filter(|(name, _)| !flows.iter().any(|f| f.flow == **name));
    let refused: Vec<FlowSummary> =
        refused.map(|(name, diagnostics)| refused_flow(name, diagnostics)).collect();
    flows.extend(refused);
    flows.retain(|f| asked.asker.may_use_flow(&f.flow));
    flows.sort_by(|a, b| a.flow.cmp(&b.flow));
    let revision = status.revision.to_string();
    Ok(fresh(&FlowList { revision, reload: reload_word(&status), flows }))
}

/// Inputs, thresholds, reasons, models of one flow.
#[utoipa::path(
    get,
    path = "/v1/flows/{flow}",
    operation_id = "read_flow",
    tag = "Flows",
    params(("flow" = String, Path, description = "The flow's name")),
    responses((status = 200, description = "One flow", body = FlowBody))
)]
pub(super) async fn read(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let name = asked.path_part("flow");
    asked.asker.check_flow(name)?;
    let release = asked.service()?.release;
    let status = release.status();
    let flows = release.flows();
    let known: Vec<&str> = flows.iter().map(|f| f.name.as_str()).collect();
    let Some(flow) = flows.iter().find(|f| f.name == name) else {
        let detail = format!("the flow {} {}", quoted(name), unknown_detail(name, &known));
        return Err(Problem::new(Code::UnknownFlow, detail));
    };
    let declared = &flow.declaration;
    let on_error =
        json!({"outcome": declared.on_error.outcome.value, "reason": declared.on_error.reason.value});
    Ok(fresh(&FlowBody {
        flow: flow.name.clone(),
        title: declared.title.clone(),
        owner: declared.owner.clone(),
        revision: status.revision.to_string(),
        flow_revision: flow.flow_revision.to_string(),
        status: status_word(name, &status),
        diagnostics: status.failed.get(name).cloned().unwrap_or_default(),
        inputs: flow_body::inputs_schema(declared),
        outputs: flow_body::outputs_schema(declared),
        outcomes: declared.outcomes.iter().map(|o| o.value.clone()).collect(),
        on_error,
        thresholds: flow_body::thresholds(declared),
        reasons: flow_body::reasons(declared),
        models: flow_body::models(declared),
        markets: vec!["base".to_owned()],
    }))
}

/// Models, versions, aliases, cards.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "models",
    tag = "Models",
    responses((status = 200, description = "Every model", body = ModelList))
)]
pub(super) async fn models(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let models = asked.service()?.release.models().into_iter().map(|model| ModelBody {
        model: model.name,
        aliases: model.aliases,
        versions: model
            .versions
            .into_iter()
            .map(|v| ModelVersionBody { version: v.version, digest: v.digest, card: v.card })
            .collect(),
    });
    Ok(fresh(&ModelList { models: models.collect() }))
}

/// What is in force changes when files do: never answered from a cache.
fn fresh(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(body)
}

fn summary(flow: FlowInForce, status: &ReleaseStatus) -> FlowSummary {
    FlowSummary {
        status: status_word(&flow.name, status),
        diagnostics: status.failed.get(&flow.name).cloned().unwrap_or_default(),
        title: flow.declaration.title.clone(),
        owner: flow.declaration.owner.clone(),
        flow_revision: Some(flow.flow_revision.to_string()),
        flow: flow.name,
    }
}

fn refused_flow(name: &str, diagnostics: &[Json]) -> FlowSummary {
    FlowSummary {
        flow: name.to_owned(),
        title: None,
        owner: None,
        flow_revision: None,
        status: "refused",
        diagnostics: diagnostics.to_vec(),
    }
}

fn status_word(flow: &str, status: &ReleaseStatus) -> &'static str {
    if status.failed.contains_key(flow) { "kept" } else { "in_force" }
}

pub(super) fn reload_word(status: &ReleaseStatus) -> &'static str {
    if status.reload_failed { "failed" } else { "ok" }
}
