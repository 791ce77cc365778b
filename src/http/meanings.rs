//! `GET /v1/flows/{flow}/outline` and `GET /v1/revisions/{a}/diff/{b}`: what a flow does, and what differs between two
//! revisions. Absent on purpose: outlining and comparing (the domain's).

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::json;

use super::asked::Asked;
use super::checking::turn;
use super::decide_body::unknown_detail;
use super::problem::{Code, Problem, quoted};
use crate::bundle::{FlowDifference, FlowRevision, Flows, flows_difference};
use crate::documents::outline;
use crate::domain::outline::Outline;
use crate::engine::{ReplayError, RevisionError};

/// How an outline is answered.
#[derive(Debug, Clone, Copy)]
enum Picture {
    Json,
    Mermaid,
    Svg,
}

/// The steps, branches and outcomes of one flow.
#[utoipa::path(
    get,
    path = "/v1/flows/{flow}/outline",
    operation_id = "outline_flow",
    tag = "Flows",
    params(("flow" = String, Path, description = "The flow's name")),
    responses((status = 200, description = "The outline: JSON, a Mermaid flowchart or an SVG picture", body = Object))
)]
pub(super) async fn outline_of(asked: Asked) -> Result<HttpResponse, Problem> {
    let mut filters = asked.filters();
    let market = filters.text("market");
    let picture = filters.picture().unwrap_or(Picture::Json);
    let market = filters.settle(market)?;
    let flow = flow_in_market(&asked, market.as_deref())?;
    let declaration = Arc::clone(&flow.declaration);
    let drawn = apart(move || {
        let outline = Outline::of(&declaration).ok()?;
        Some(match picture {
            Picture::Json => ("application/json", outline::json(&outline, &[]).to_string()),
            Picture::Mermaid => ("text/plain; charset=utf-8", outline::mermaid(&outline)),
            Picture::Svg => ("image/svg+xml", outline::svg(&outline)),
        })
    });
    let drawn = drawn.await?.ok_or_else(|| Problem::new(Code::Internal, "the flow cannot be outlined"))?;
    let (media, text) = drawn;
    Ok(HttpResponse::Ok().content_type(media).insert_header((header::CACHE_CONTROL, "no-cache")).body(text))
}

/// The flow that an address names, in the market that was asked for: the flow itself, if none was.
pub(super) fn flow_in_market(asked: &Asked, market: Option<&str>) -> Result<Arc<FlowRevision>, Problem> {
    let name = asked.path_part("flow");
    asked.asker.check_flow(name)?;
    let bundle = asked.service()?.release.in_force();
    let Some(flow) = bundle.flow(name) else {
        let names = bundle.flows.keys().map(|name| &**name);
        let known: Vec<&str> = names.filter(|name| asked.asker.may_use_flow(name)).collect();
        let detail = format!("the flow {} {}", quoted(name), unknown_detail(name, &known));
        return Err(Problem::new(Code::UnknownFlow, detail));
    };
    let found = match market {
        None => flow,
        Some(market) => flow.in_market(market).ok_or_else(|| {
            let detail =
                format!("the market {} {}", quoted(market), unknown_detail(market, &flow.market_names()));
            Problem::new(Code::UnknownMarket, detail)
        })?,
    };
    Ok(Arc::clone(found))
}

/// Runs what may take long away from the threads that answer decisions.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "an answer could not be made");
        Problem::new(Code::Internal, "the answer could not be made")
    })
}

impl super::query::Filters<'_> {
    fn picture(&mut self) -> Option<Picture> {
        let parse = |text: &str| match text {
            "json" => Some(Picture::Json),
            "mermaid" => Some(Picture::Mermaid),
            "svg" => Some(Picture::Svg),
            _ => None,
        };
        self.parsed("format", parse, "must be `json`, `mermaid` or `svg`")
    }
}

/// What differs in meaning between two revisions.
#[utoipa::path(
    get,
    path = "/v1/revisions/{a}/diff/{b}",
    operation_id = "diff_revisions",
    tag = "Flows",
    params(
        ("a" = String, Path, description = "`sha256:…` of the earlier one, or a unique beginning of it"),
        ("b" = String, Path, description = "`sha256:…` of the later one, or a unique beginning of it"),
    ),
    responses((status = 200, description = "Flow by flow: thresholds, rules, rows, bins, reasons, models", body = Object))
)]
pub(super) async fn diff(asked: Asked) -> Result<HttpResponse, Problem> {
    let filters = asked.filters();
    let flow = filters.text("flow");
    let flow = filters.settle(flow)?;
    let engine = asked.service()?.engine;
    let turn = turn().await?;
    let may_see = |name: &str| asked.asker.may_use_flow(name);
    // A revision of which nothing may be seen looks as if it did not exist. Flows that others ask stay for comparing.
    let visible = |flows: Flows| -> Result<Flows, Problem> {
        if flows.keys().any(|name| may_see(name)) { Ok(flows) } else { Err(Problem::unknown_revision()) }
    };
    let (before, was) = engine.flows_at(asked.path_part("a")).await.map_err(problem)?;
    let was = visible(was)?;
    let (after, is) = engine.flows_at(asked.path_part("b")).await.map_err(problem)?;
    let is = visible(is)?;
    let names = was.keys().chain(is.keys()).map(|name| &**name);
    let known: Vec<&str> = names.filter(|name| may_see(name)).collect();
    if let Some(flow) = flow.as_deref().filter(|flow| !known.contains(flow)) {
        let detail = format!("the flow {} {}", quoted(flow), unknown_detail(flow, &known));
        return Err(Problem::new(Code::UnknownFlow, detail));
    }
    let mut found = apart(move || {
        let found = flows_difference(&was, &is);
        drop(turn);
        found
    })
    .await?;
    found.retain(|difference| {
        may_see(&difference.flow) && flow.as_deref().is_none_or(|flow| *difference.flow == *flow)
    });
    let flows: Vec<_> = found.iter().map(FlowDifference::json).collect();
    let body = json!({"before": &*before, "after": &*after, "same": flows.is_empty(), "flows": flows});
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

fn problem(error: RevisionError) -> Problem {
    match error {
        RevisionError::Ambiguous(many) => Problem::new(
            Code::UnknownRevision,
            format!("{many} revisions begin like that; give more of the digest"),
        ),
        error => ReplayError::from(error).into(),
    }
}
