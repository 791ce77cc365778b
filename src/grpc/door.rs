//! What happens to every call, in order: an id, who asks, the service that it names, the answer's metadata, the count,
//! the log. Absent on purpose: anything that one call does and another does not.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http::header::{AUTHORIZATION, HOST, HeaderValue};
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::codegen::{BoxFuture, Service};
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;

use super::caller::Caller;
use super::decisions::{self, DecisionsDoor};
use super::flows::{self, Contracts, FlowCall};
use super::health::{HealthDoor, service_names};
use super::inference::InferenceDoor;
use super::models::MESSAGE_LIMIT;
use super::reflection;
use super::tensorflow::TensorflowDoor;
use crate::bundle::Bundle;
use crate::gather::TraceContext;
use crate::http::Doors;
use crate::http::access::{self, Credentials, Guard, ModelDoors, Reach};
use crate::http::problem::Problem;
use crate::http::tracing_ids::request_id_text;
use crate::wire::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use crate::wire::tensorflow::serving::model_service_server::ModelServiceServer;
use crate::wire::tensorflow::serving::prediction_service_server::PredictionServiceServer;
use crate::wire::tollgate::v1::decisions_server::DecisionsServer;

/// Everything that connections share. Cheap to clone: each connection has one.
#[derive(Clone)]
pub struct Door {
    shared: Arc<Shared>,
    routes: Routes,
}

struct Shared {
    doors: Arc<Doors>,
    reach: Reach,
    stopped: watch::Receiver<bool>,
    /// `/package.Service/Method` of the contracts: what metrics may be labelled with.
    methods: Vec<String>,
    contracts: Contracts,
}

impl Door {
    pub fn new(doors: Arc<Doors>, reach: Reach, stopped: watch::Receiver<bool>) -> Self {
        let contracts = contracts();
        let limit = doors.settings().body_limit;
        let decisions = DecisionsDoor { doors: Arc::clone(&doors), stopped: stopped.clone() };
        let health = HealthDoor { doors: Arc::clone(&doors), services: Arc::new(service_names(&contracts)) };
        let inference = InferenceDoor { doors: Arc::clone(&doors), stopped: stopped.clone() };
        let tensorflow = TensorflowDoor { doors: Arc::clone(&doors) };
        let routes = Routes::new(DecisionsServer::new(decisions).max_decoding_message_size(limit))
            .add_service(HealthServer::new(health))
            .add_service(GrpcInferenceServiceServer::new(inference).max_decoding_message_size(MESSAGE_LIMIT))
            .add_service(
                PredictionServiceServer::new(tensorflow.clone()).max_decoding_message_size(MESSAGE_LIMIT),
            )
            .add_service(ModelServiceServer::new(tensorflow))
            .prepare();
        let methods = methods(&contracts);
        Self {
            shared: Arc::new(Shared { doors, reach, stopped, methods, contracts: Contracts::default() }),
            routes,
        }
    }

    /// The service that a path names, called.
    fn route(&mut self, caller: &Caller, request: Request<Body>) -> BoxFuture<Response<Body>, Infallible> {
        let path = request.uri().path();
        let bundle = self.shared.doors.service().map(|service| service.release.in_force());
        if path.starts_with("/grpc.reflection.") {
            return match reflection::for_caller(caller, &self.shared.contracts, bundle.as_ref()) {
                Some(mut routes) => Box::pin(routes.call(request)),
                None => ready(Status::internal("server reflection is not available").into_http()),
            };
        }
        if flows::is_flow_path(path) {
            return match self.flow_call(caller, path, bundle.as_ref()) {
                Ok(call) => Box::pin(call.answer(request)),
                Err(problem) => ready(caller.refused(&problem).into_http()),
            };
        }
        Box::pin(self.routes.call(request))
    }

    fn flow_call(
        &self,
        caller: &Caller,
        path: &str,
        bundle: Option<&Arc<Bundle>>,
    ) -> Result<FlowCall, Problem> {
        let bundle = match bundle {
            Some(bundle) => bundle,
            None => return Err(decisions::open(&self.shared.doors).err().unwrap_or_else(Problem::starting)),
        };
        let Shared { doors, stopped, contracts, .. } = &*self.shared;
        flows::call(path, bundle, caller, contracts, (doors, stopped))
    }
}

fn ready(response: Response<Body>) -> BoxFuture<Response<Body>, Infallible> {
    Box::pin(std::future::ready(Ok(response)))
}

/// The descriptors of everything that is always served.
fn contracts() -> FileDescriptorSet {
    let mut contracts = FileDescriptorSet::default();
    for encoded in [
        crate::wire::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ] {
        // They are constants of this build; a test reads them.
        contracts.file.extend(FileDescriptorSet::decode(encoded).unwrap_or_default().file);
    }
    contracts
}

fn methods(contracts: &FileDescriptorSet) -> Vec<String> {
    let services = contracts.file.iter().flat_map(|file| {
        file.service.iter().map(move |service| (format!("{}.{}", file.package(), service.name()), service))
    });
    let paths = services.flat_map(|(name, service)| {
        service.method.iter().map(move |method| format!("/{name}/{}", method.name()))
    });
    paths.collect()
}

impl Shared {
    fn caller(&self, request: &Request<Body>, id: &str) -> Caller {
        let headers = request.headers();
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let credentials = Credentials {
            authorization: headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
            host: authority.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes)),
        };
        let asker = match self.doors.guard() {
            Some(guard) => {
                let guard = Guard { reach: self.reach, ..guard.clone() };
                access::identify(&guard, &credentials)
            }
            None => Err(Problem::starting()),
        };
        let model_doors_open = self.doors.guard().is_some_and(|guard| guard.model_doors == ModelDoors::Open);
        Caller { asker, model_doors_open, request_id: Arc::from(id) }
    }

    /// A path as metrics name it: what nobody declared is one of them.
    fn label(&self, path: &str) -> String {
        let is_known = self.methods.iter().any(|method| method == path);
        if is_known || self.is_flow_method(path) {
            return path.trim_start_matches('/').to_owned();
        }
        "unknown".to_owned()
    }

    fn is_flow_method(&self, path: &str) -> bool {
        let Some(opened) = self.doors.service().filter(|_| flows::is_flow_path(path)) else { return false };
        flows::method_of_path(&opened.release.in_force(), path).is_some()
    }
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let started = Instant::now();
        let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
        let id = request_id_text(header("x-request-id"));
        let trace = header("traceparent").and_then(TraceContext::parse);
        let method = self.shared.label(request.uri().path());
        let caller = self.shared.caller(&request, &id);
        request.extensions_mut().insert(caller.clone());
        let answering = self.route(&caller, request);
        Box::pin(async move {
            let mut response = answering.await?;
            let code = code_of(response.headers());
            finish(&method, &id, trace.as_ref(), code, started);
            let mut put = |name: &'static str, text: &str| {
                if let Ok(value) = HeaderValue::from_str(text) {
                    response.headers_mut().insert(name, value);
                }
            };
            put("x-request-id", &id);
            if let Some(text) = trace.map(|trace| trace.to_text()) {
                put("traceparent", &text);
            }
            Ok(response)
        })
    }
}

/// Of an answer that is an error it stands at its head; one that begins well is `OK`.
fn code_of(headers: &HeaderMap) -> Code {
    headers.get("grpc-status").map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

fn finish(method: &str, id: &str, trace: Option<&TraceContext>, code: Code, started: Instant) {
    let elapsed = started.elapsed();
    let (method, status) = (method.to_owned(), code_word(code));
    metrics::counter!("tollgate_grpc_requests_total", "method" => method.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("tollgate_grpc_request_seconds", "method" => method.clone())
        .record(elapsed.as_secs_f64());
    let elapsed_us = elapsed.as_micros();
    let trace_id = trace.map(|trace| trace.trace_id.as_str());
    if matches!(code, Code::Internal | Code::Unknown | Code::Unavailable | Code::DataLoss) {
        tracing::warn!(id, trace_id, method, status, elapsed_us, "answered over gRPC");
    } else {
        tracing::debug!(id, trace_id, method, status, elapsed_us, "answered over gRPC");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_have_the_services_that_clients_look_for() {
        let names = service_names(&contracts());
        for name in [
            "tollgate.v1.Decisions",
            "inference.GRPCInferenceService",
            "tensorflow.serving.PredictionService",
            "tensorflow.serving.ModelService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ] {
            assert!(names.contains(name), "{name} is not in {names:?}");
        }
        let methods = methods(&contracts());
        assert!(methods.contains(&"/tollgate.v1.Decisions/Continue".to_owned()), "{methods:?}");
    }
}
