//! What is counted and logged of every call: by its method and how it ended. Absent on purpose: anything of its message.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Histogram};
use tonic::Code;

use crate::gather::TraceContext;

/// What calls are counted as.
pub enum Counted {
    /// A method of the contracts, by its place.
    Known(usize),
    /// `flow.v1.Service/Method`, of a flow that is in force.
    Flow(String),
    /// A path that nobody declared.
    Unknown,
}

impl Counted {
    pub fn of_flow(path: &str) -> Self {
        Self::Flow(path.trim_start_matches('/').to_owned())
    }
}

/// The methods of the contracts, each with its meters at hand: looked up by name they took two microseconds a call.
pub struct Meters {
    /// By path.
    methods: Vec<Method>,
}

struct Method {
    /// `/package.Service/Method`.
    path: String,
    answered: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
}

impl Method {
    fn label(&self) -> &str {
        self.path.trim_start_matches('/')
    }
}

impl Meters {
    /// For methods by their paths.
    pub fn new(mut paths: Vec<String>) -> Self {
        paths.sort_unstable();
        let method = |path| Method { path, answered: OnceLock::new(), seconds: OnceLock::new() };
        Self { methods: paths.into_iter().map(method).collect() }
    }

    pub fn known(&self, path: &str) -> Option<Counted> {
        let found = self.methods.binary_search_by(|method| method.path.as_str().cmp(path));
        found.ok().map(Counted::Known)
    }

    pub fn tell(
        &self,
        counted: &Counted,
        id: &str,
        trace: Option<&TraceContext>,
        code: Code,
        elapsed: Duration,
    ) {
        let known = if let Counted::Known(at) = counted { self.methods.get(*at) } else { None };
        let label = match counted {
            Counted::Flow(label) => label.as_str(),
            _ => known.map_or("unknown", Method::label),
        };
        let status = code_word(code);
        match known {
            Some(method) => {
                if code == Code::Ok {
                    method.answered.get_or_init(|| counter(label, status)).increment(1);
                } else {
                    counter(label, status).increment(1);
                }
                method.seconds.get_or_init(|| histogram(label)).record(elapsed.as_secs_f64());
            }
            None => {
                counter(label, status).increment(1);
                histogram(label).record(elapsed.as_secs_f64());
            }
        }
        let elapsed_us = elapsed.as_micros();
        let trace_id = trace.map(|trace| trace.trace_id.as_str());
        if matches!(code, Code::Internal | Code::Unknown | Code::Unavailable | Code::DataLoss) {
            tracing::warn!(id, trace_id, method = label, status, elapsed_us, "answered over gRPC");
        } else {
            tracing::debug!(id, trace_id, method = label, status, elapsed_us, "answered over gRPC");
        }
    }
}

fn counter(method: &str, status: &'static str) -> Counter {
    metrics::counter!("tollgate_grpc_requests_total", "method" => method.to_owned(), "status" => status)
}

fn histogram(method: &str) -> Histogram {
    metrics::histogram!("tollgate_grpc_request_seconds", "method" => method.to_owned())
}

fn code_word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
