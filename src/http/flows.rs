//! `GET /v1/flows`, `GET /v1/flows/{flow}`: what is in force. Absent on purpose: changing it (that
//! is done by changing files).

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use super::asked::Asked;
use super::decide_body::unknown_detail;
use super::flow_body;
use super::problem::{Code, Problem, quoted};
use super::records::flow_of_file;
use crate::bundle::{Bundle, FlowRevision};
use crate::documents::findings::Finding;
use crate::domain::value::Name;
use crate::release::ReleaseStatus;

/// Every flow, and what the last reload found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FlowList {
    /// Digest of all that decides now.
    revision: String,
    /// `ok`, or `failed`: then at least one flow keeps its last good version.
    reload: &'static str,
    /// Why nothing at all was taken, if it was not for the documents.
    problem: Option<String>,
    flows: Vec<FlowSummary>,
    /// Everything wrong in the files as they are now, warnings too.
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<Json>,
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
    /// What it may ask its caller for: name → `with`, `of` (JSON Schemas), `optional`.
    #[schema(value_type = Object)]
    needs: Json,
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
    /// Which market all of this is of: `?market=`, else `base`, else the first.
    market: String,
    /// The markets that a request may name.
    markets: Vec<String>,
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
    let (bundle, status) = (release.in_force(), release.status());
    let names: BTreeSet<&Name> = bundle.flows.keys().chain(status.flows.keys()).collect();
    let mut flows: Vec<FlowSummary> = names.into_iter().map(|name| summary(name, &bundle, &status)).collect();
    flows.retain(|f| asked.asker.may_use_flow(&f.flow));
    let revision = bundle.revision.to_string();
    // What lies in no flow's folder concerns all.
    let may =
        |finding: &&Finding| flow_of_file(&finding.file).is_none_or(|flow| asked.asker.may_use_flow(flow));
    let diagnostics = status.diagnostics.iter().filter(may).map(|finding| json!(finding)).collect();
    let problem = status.problem.clone();
    Ok(fresh(&FlowList { revision, reload: status.reload.word(), problem, flows, diagnostics }))
}

/// Inputs, thresholds, reasons, models of one flow, in one market.
#[utoipa::path(
    get,
    path = "/v1/flows/{flow}",
    operation_id = "read_flow",
    tag = "Flows",
    params(("flow" = String, Path, description = "The flow's name")),
    responses((status = 200, description = "One flow", body = FlowBody))
)]
pub(super) async fn read(asked: Asked) -> Result<HttpResponse, Problem> {
    let filters = asked.filters();
    let market = filters.text("market");
    let market = filters.settle(market)?;
    let name = asked.path_part("flow");
    asked.asker.check_flow(name)?;
    let release = asked.service()?.release;
    let (bundle, status) = (release.in_force(), release.status());
    let Some(flow) = bundle.flow(name) else {
        let names = bundle.flows.keys().map(|name| &**name);
        let known: Vec<&str> = names.filter(|name| asked.asker.may_use_flow(name)).collect();
        let detail = format!("the flow {} {}", quoted(name), unknown_detail(name, &known));
        return Err(Problem::new(Code::UnknownFlow, detail));
    };
    let markets = flow.market_names();
    let market = market.or_else(|| markets.first().map(|first| (*first).to_owned())).unwrap_or_default();
    let Some(shown) = flow.in_market(&market) else {
        let detail = format!("the market {} {}", quoted(&market), unknown_detail(&market, &markets));
        return Err(Problem::new(Code::UnknownMarket, detail));
    };
    let declared = &shown.declaration;
    let on_error =
        json!({"outcome": declared.on_error.outcome.value, "reason": declared.on_error.reason.value});
    Ok(fresh(&FlowBody {
        flow: name.to_owned(),
        title: declared.title.clone(),
        owner: declared.owner.clone(),
        revision: bundle.revision.to_string(),
        flow_revision: shown.flow_revision.to_string(),
        status: status_word(name, Some(flow), &status),
        diagnostics: broken(name, &status),
        inputs: flow_body::inputs_schema(declared),
        needs: flow_body::needs(declared),
        outputs: flow_body::outputs_schema(declared),
        outcomes: declared.outcomes.iter().map(|o| o.value.clone()).collect(),
        on_error,
        thresholds: flow_body::thresholds(declared),
        reasons: flow_body::reasons(declared),
        models: flow_body::models(declared),
        markets: markets.into_iter().map(str::to_owned).collect(),
        market,
    }))
}

/// What is in force changes when files do: never answered from a cache.
fn fresh(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(body)
}

fn summary(name: &Name, bundle: &Bundle, status: &ReleaseStatus) -> FlowSummary {
    let flow = bundle.flow(name);
    let declared = flow.map(|flow| &flow.declaration);
    FlowSummary {
        flow: name.to_string(),
        title: declared.and_then(|d| d.title.clone()),
        owner: declared.and_then(|d| d.owner.clone()),
        flow_revision: flow.map(|flow| flow.flow_revision.to_string()),
        status: status_word(name, flow, status),
        diagnostics: broken(name, status),
    }
}

fn broken(flow: &str, status: &ReleaseStatus) -> Vec<Json> {
    status
        .flows
        .get(flow)
        .map(|s| s.broken.iter().map(|finding| json!(finding)).collect())
        .unwrap_or_default()
}

fn status_word(name: &str, flow: Option<&Arc<FlowRevision>>, status: &ReleaseStatus) -> &'static str {
    let is_broken = status.flows.get(name).is_some_and(|s| !s.broken.is_empty());
    match flow {
        None => "refused",
        Some(_) if is_broken => "kept",
        Some(_) => "in_force",
    }
}
