//! The use cases as every door asks them: values in, a decision or a problem out; and what becomes of a refusal.
//! REST's and gRPC's handlers only bring and take away. Absent on purpose: bytes, headers, status codes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

use super::Service;
use super::access::Asker;
use super::asked::DecideHeaders;
use super::continuing::{self, ContinueBody};
use super::decide_body::{self, DecideBody, Unusable};
use super::digest::digest;
use super::problem::{About, At, Code, Problem, count_of_faults, fact_faults};
use super::records;
use crate::audit::{Durability, Entry, Refusal};
use crate::domain::facts::Given;
use crate::engine::{ContinueRequest, DecideRequest, Decision, IdempotencyKey, TraceLevel};
use crate::gather::TraceContext;

/// Decides what a body asks for, and says how much of the trace it wants to see.
///
/// # Errors
/// Everything wrong with the body, what the engine refuses, and `forbidden` for a flow that the key is not for.
pub async fn decide(
    service: &Service,
    asker: &Asker,
    body: Given,
    headers: DecideHeaders,
    languages: Vec<String>,
) -> Result<(Decision, TraceLevel), Problem> {
    let key = headers.idempotency_key.map(|key| IdempotencyKey { key, request_digest: digest(&body) });
    let body = match decide_body::read(body) {
        Ok(body) => body,
        Err(unusable) => return Err(unusable_problem(service, asker, *unusable)),
    };
    let DecideBody { flow, market, reference, facts, trace, dry_run } = body;
    let about = About { flow: Some(flow.clone()), market: market.clone(), reference: reference.clone() };
    if let Err(problem) = asker.check_flow(&flow) {
        return Err(problem.about(about));
    }
    let request = DecideRequest {
        caller: asker.name.clone(),
        flow,
        market,
        reference,
        facts,
        key,
        dry_run,
        deadline: headers.deadline,
        trace,
        languages,
        trace_context: headers.trace,
    };
    let decision = service.engine.decide(request).await.map_err(|error| Problem::from(error).about(about))?;
    Ok((decision, trace))
}

fn unusable_problem(service: &Service, asker: &Asker, unusable: Unusable) -> Problem {
    let Unusable { mut faults, flow, market, reference, facts } = unusable;
    if let Some(flow) = &flow
        && let Err(problem) = asker.check_flow(flow)
    {
        return problem;
    }
    if let (Some(flow), Some(facts)) = (&flow, &facts) {
        faults.extend(fact_faults(service.engine.check_facts(flow, market.as_deref(), facts)));
    }
    let detail = format!("{} with the body; `errors` lists all", count_of_faults(faults.len()));
    Problem::new(Code::InvalidBody, detail).with_faults(faults).about(About { flow, market, reference })
}

/// Gives a decision the facts that it asked for.
///
/// # Errors
/// Everything wrong with the body, and what the engine refuses.
pub async fn go_on(
    service: &Service,
    asker: &Asker,
    decision_id: Uuid,
    body: Given,
    (languages, trace_context): (Vec<String>, Option<TraceContext>),
) -> Result<(Decision, TraceLevel), Problem> {
    let ContinueBody { facts, trace } = continuing::read(body)?;
    let caller = asker.name.clone();
    let request = ContinueRequest { caller, decision_id, facts, trace, languages, trace_context };
    let may = {
        let asker = asker.clone();
        move |caller: &str, flow: &str| asker.may_continue(caller, flow)
    };
    let decision = service.engine.go_on(&request, &may).await?;
    Ok((decision, trace))
}

/// One record, as much of it as the asker may see; that it was read is recorded.
///
/// # Errors
/// `unknown_decision`, also for one that the asker may not read; `store_unavailable`.
pub async fn record(
    service: &Service,
    asker: &Asker,
    decision_id: Uuid,
    purpose: Option<String>,
) -> Result<Json, Problem> {
    let shown = match service.audit.get(decision_id).await? {
        Some(record) if asker.may_see(record.caller(), record.flow()) => {
            records::shown(asker, &record, purpose.is_some())?
        }
        Some(_) => return Err(Problem::unknown_decision()),
        None => {
            let open = service.audit.open_decision(decision_id).await?;
            let open = open.filter(|open| asker.may_see(&open.caller, &open.flow));
            records::shown_open(asker, &open.ok_or_else(Problem::unknown_decision)?, purpose.is_some())?
        }
    };
    records::enter_read(service, asker, "decision", Some(decision_id), 1, purpose).await;
    Ok(shown)
}

/// Records what was refused before it became a decision. Our own failures are not the asker's refusals: they are in
/// the log and the metrics, and writing them here would add load exactly when there is too much.
pub fn record_refusal(service: Option<&Service>, asker: &Asker, problem: &Problem) {
    let code = problem.code();
    let ours = code.facts().status.is_server_error() && code != Code::DeadlineExceeded;
    let Some(service) = service.filter(|_| !ours) else {
        return;
    };
    let place = |at: &At| match at {
        At::Pointer(pointer) => pointer.clone(),
        At::Query(name) => format!("?{name}"),
        At::Header(name) => (*name).to_owned(),
        At::Entry(name) => name.clone(),
    };
    let about = problem.subject();
    let refusal = Refusal {
        at: Timestamp::now(),
        caller: Some(asker.name.clone()),
        flow: about.flow.as_deref().map(Arc::from),
        market: about.market.as_deref().map(Arc::from),
        reference: about.reference.as_deref().map(Arc::from),
        code: Arc::from(code.facts().word),
        problems: problem.faults().iter().map(|f| (Arc::from(f.code), Arc::from(place(&f.at)))).collect(),
    };
    // The answer does not wait: a refusal that a full queue drops is counted there.
    let audit = Arc::clone(&service.audit);
    tokio::spawn(async move {
        if let Err(error) = audit.append_entry(Entry::Refusal(refusal), Durability::Memory).await {
            tracing::warn!(%error, "a refusal was not recorded");
        }
    });
}

/// Counts a problem by its code.
pub fn count_problem(problem: &Problem) {
    let code = problem.code().facts().word;
    metrics::counter!("tollgate_problems_total", "code" => code).increment(1);
    tracing::debug!(code, "refused");
}
