//! What happens to every request, in order: an id, who asks, the handler, the answer's headers, the count, the log.
//! Absent on purpose: anything that one route does and another does not, and addresses' queries in the log.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use metrics::{Counter, Histogram};
use tracing::Instrument as _;

use super::Doors;
use super::access;
use super::asked::Asked;
use super::asking::{count_problem, record_refusal};
use super::problem::{Code, Problem};
use super::routes::{Family, Refusals, Route};
use super::tracing_ids::{TRACEPARENT, X_REQUEST_ID, request_id, trace_header, trace_of};
use crate::gather::TraceContext;

/// Bytes of a request's address and headers together.
pub const LONGEST_HEAD: usize = 16 * 1024;

/// A route with its meters at hand: looked up by name they took as long as reading a small body.
#[derive(Default)]
pub struct Meters {
    /// Answers with status 200.
    answered: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
}

/// Runs one request through its route.
pub async fn dispatch(
    (route, meters): (&'static Route, Arc<Meters>),
    http: HttpRequest,
    payload: Payload,
    doors: Arc<Doors>,
) -> HttpResponse {
    let started = Instant::now();
    let id = request_id(http.headers());
    let trace = trace_of(http.headers());
    // A span costs as much as reading the body, so it is only there when somebody looks; what went wrong is logged
    // with the request's id all the same.
    let span = tracing::debug_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        trace_id = trace.as_ref().map(|t| t.trace_id.as_str()),
        method = %route.method,
        route = route.path,
    );
    let mut response = run(route, http, payload, doors).instrument(span.clone()).await;
    let elapsed = started.elapsed();
    meters.tell(route.path, response.status(), elapsed);
    span.in_scope(|| log(route, &id, trace.as_ref(), response.status(), elapsed));
    response.headers_mut().insert(X_REQUEST_ID, id);
    if let Some(header) = trace.as_ref().and_then(trace_header) {
        response.headers_mut().insert(TRACEPARENT, header);
    }
    response
}

impl Meters {
    fn tell(&self, route: &'static str, status: StatusCode, elapsed: Duration) {
        let counter =
            |status| metrics::counter!("tollgate_http_requests_total", "route" => route, "status" => status);
        match status {
            StatusCode::OK => self.answered.get_or_init(|| counter("200")).increment(1),
            other => counter(status_word(other)).increment(1),
        }
        let histogram = || metrics::histogram!("tollgate_http_request_seconds", "route" => route);
        self.seconds.get_or_init(histogram).record(elapsed.as_secs_f64());
    }
}

fn log(
    route: &'static Route,
    id: &HeaderValue,
    trace: Option<&TraceContext>,
    status: StatusCode,
    elapsed: Duration,
) {
    if status.is_server_error() {
        let (id, trace_id) = (id.to_str().unwrap_or_default(), trace.map(|t| t.trace_id.as_str()));
        let (status, elapsed_us) = (status.as_u16(), elapsed.as_micros());
        tracing::warn!(id, trace_id, method = %route.method, route = route.path, status, elapsed_us, "answered");
    } else {
        tracing::debug!(status = status.as_u16(), elapsed_us = elapsed.as_micros(), "answered");
    }
}

/// A label with few values: `200`, `4xx` by code, and the rest by class.
fn status_word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        413 => "413",
        415 => "415",
        422 => "422",
        503 => "503",
        504 => "504",
        402..=499 => "4xx",
        500..=599 => "5xx",
        _ => "2xx",
    }
}

async fn run(route: &'static Route, http: HttpRequest, payload: Payload, doors: Arc<Doors>) -> HttpResponse {
    let admitted = check_head(&http).and_then(|()| access::admit(doors.guard(), &http, route.permission));
    let asker = match admitted {
        Ok(asker) => asker,
        Err(problem) => {
            count_problem(&problem);
            return refuse(route, &problem);
        }
    };
    let recording = (route.refusals == Refusals::Recorded).then(|| (Arc::clone(&doors), asker.clone()));
    match (route.run)(Asked { http, payload, doors, asker, route }).await {
        Ok(response) => response,
        Err(problem) => {
            count_problem(&problem);
            if let Some((doors, asker)) = recording {
                record_refusal(doors.service(), &asker, &problem);
            }
            refuse(route, &problem)
        }
    }
}

/// In the words of the protocol that the route belongs to.
fn refuse(route: &Route, problem: &Problem) -> HttpResponse {
    if route.family == Family::Models { problem.respond_as_model_server() } else { problem.respond() }
}

/// The server underneath reads heads of up to 128 KiB, which nobody who means well sends.
fn check_head(http: &HttpRequest) -> Result<(), Problem> {
    let address = http.uri().path_and_query().map_or(0, |address| address.as_str().len());
    let headers: usize = http.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if address + headers <= LONGEST_HEAD {
        return Ok(());
    }
    let detail = format!("address and headers may have {LONGEST_HEAD} bytes together; send less");
    Err(Problem::new(Code::HeadTooLarge, detail))
}
