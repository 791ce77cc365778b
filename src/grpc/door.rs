//! What happens to every call, in order: an id, who asks, the service that it names, the answer's metadata, the count,
//! the log. Absent on purpose: anything that one call does and another does not.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::codegen::{BoxFuture, CompressionEncoding, Service};
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;

use super::admission::{self, DECISIONS, HEALTH, INFERENCE, MODELS, PREDICTION};
use super::caller::{self, Caller};
use super::calls::Calls;
use super::decisions::{self, DecisionsDoor};
use super::flows::{self, Contracts, FlowCall};
use super::health::{HealthDoor, service_names};
use super::inference::InferenceDoor;
use super::meters::{Counted, Meters};
use super::models::MESSAGE_LIMIT;
use super::reflection;
use super::tensorflow::TensorflowDoor;
use crate::bundle::Bundle;
use crate::gather::{TRACEPARENT, TraceContext};
use crate::http::Doors;
use crate::http::access::{self, Credentials, Guard, ModelDoors, Reach};
use crate::http::problem::Problem;
use crate::http::tracing_ids::request_id_text;
use crate::wire::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use crate::wire::tensorflow::serving::model_service_server::ModelServiceServer;
use crate::wire::tensorflow::serving::prediction_service_server::PredictionServiceServer;
use crate::wire::tollgate::v1::decisions_server::DecisionsServer;

/// How long before a call's deadline it is given up: a timer's own steps.
const AHEAD: Duration = Duration::from_millis(2);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE: HeaderName = HeaderName::from_static(TRACEPARENT);

/// Everything that connections share. Cheap to clone: each connection has one.
#[derive(Clone)]
pub struct Door {
    shared: Arc<Shared>,
    services: Services,
    calls: Calls,
}

/// What is always served. Called by its own type: a router over all of them would box every body once more.
#[derive(Clone)]
struct Services {
    decisions: DecisionsServer<DecisionsDoor>,
    health: HealthServer<HealthDoor>,
    inference: GrpcInferenceServiceServer<InferenceDoor>,
    prediction: PredictionServiceServer<TensorflowDoor>,
    models: ModelServiceServer<TensorflowDoor>,
}

struct Shared {
    doors: Arc<Doors>,
    reach: Reach,
    /// Once there is one: the doors' own, for who can reach this one.
    guard: OnceLock<Guard>,
    stopped: watch::Receiver<bool>,
    meters: Meters,
    contracts: Contracts,
}

/// With messages of so many bytes at most, which may come compressed: the limit is on what they are then.
macro_rules! bounded {
    ($server:expr, $limit:expr) => {
        $server
            .max_decoding_message_size($limit)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Deflate)
    };
}

impl Door {
    pub fn new(doors: Arc<Doors>, reach: Reach, stopped: watch::Receiver<bool>) -> Self {
        let contracts = contracts();
        let limit = doors.settings().body_limit;
        let decisions = DecisionsDoor { doors: Arc::clone(&doors), stopped: stopped.clone() };
        let health = HealthDoor { doors: Arc::clone(&doors), services: Arc::new(service_names(&contracts)) };
        let inference = InferenceDoor { doors: Arc::clone(&doors), stopped: stopped.clone() };
        let tensorflow = TensorflowDoor { doors: Arc::clone(&doors) };
        let services = Services {
            decisions: bounded!(DecisionsServer::new(decisions), limit),
            health: bounded!(HealthServer::new(health), limit),
            inference: bounded!(GrpcInferenceServiceServer::new(inference), MESSAGE_LIMIT),
            prediction: bounded!(PredictionServiceServer::new(tensorflow.clone()), MESSAGE_LIMIT),
            models: bounded!(ModelServiceServer::new(tensorflow), MESSAGE_LIMIT),
        };
        let meters = Meters::new(methods(&contracts));
        let guard = OnceLock::new();
        Self {
            shared: Arc::new(Shared {
                doors,
                reach,
                guard,
                stopped,
                meters,
                contracts: Contracts::default(),
            }),
            services,
            calls: Calls::default(),
        }
    }

    /// The same, with a count of its own of what is in flight.
    pub fn on_a_thread_of_its_own(&self) -> Self {
        Self { calls: Calls::default(), ..self.clone() }
    }

    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// The service that a path names, called.
    fn route(&mut self, caller: &Caller, request: Request<Body>) -> BoxFuture<Response<Body>, Infallible> {
        let path = request.uri().path();
        let service = path.split('/').nth(1).unwrap_or_default();
        let Services { decisions, health, inference, prediction, models } = &mut self.services;
        match service {
            PREDICTION => return prediction.call(request),
            INFERENCE => return inference.call(request),
            DECISIONS => return decisions.call(request),
            MODELS => return models.call(request),
            HEALTH => return health.call(request),
            _ => {}
        }
        let bundle = self.shared.doors.service().map(|service| service.release.in_force());
        if path.starts_with("/grpc.reflection.") {
            let Shared { doors, contracts, .. } = &*self.shared;
            let serving = doors.settings().serving;
            return match reflection::for_caller(caller, contracts, bundle.as_ref(), serving) {
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
        ready(Status::unimplemented("").into_http())
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
pub fn contracts() -> FileDescriptorSet {
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
    fn caller(&self, request: &Request<Body>, id: Arc<str>) -> Caller {
        let headers = request.headers();
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let credentials = Credentials {
            authorization: headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
            host: authority.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes)),
        };
        let asker = match self.guard() {
            Some(guard) => access::identify(guard, &credentials),
            None => Err(Problem::starting()),
        };
        let model_doors_open = self.guard().is_some_and(|guard| guard.model_doors == ModelDoors::Open);
        Caller { asker, model_doors_open, request_id: id }
    }

    fn guard(&self) -> Option<&Guard> {
        let of_doors = self.doors.guard()?;
        Some(self.guard.get_or_init(|| Guard { reach: self.reach, ..of_doors.clone() }))
    }

    /// A path as metrics name it: what nobody declared is one of them.
    fn counted_as(&self, path: &str) -> Counted {
        self.meters.known(path).unwrap_or_else(|| {
            if self.is_flow_method(path) { Counted::of_flow(path) } else { Counted::Unknown }
        })
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
        let header = |name: HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
        let id = request_id_text(header(REQUEST_ID));
        let trace = header(TRACE).and_then(TraceContext::parse);
        let method = self.shared.counted_as(request.uri().path());
        let is_stream = request.uri().path().contains("Stream");
        let caller = Arc::new(self.shared.caller(&request, Arc::clone(&id)));
        request.extensions_mut().insert(Arc::clone(&caller));
        let refused = admission::check_head(request.uri(), request.headers())
            .and_then(|()| admission::admit(&caller, request.uri().path()));
        let deadline = caller::deadline(request.headers());
        let answering = match refused {
            Ok(()) => self.route(&caller, request),
            Err(problem) => ready(caller.refused(&problem).into_http()),
        };
        let answering = in_time(answering, deadline);
        let (shared, call) = (Arc::clone(&self.shared), self.calls.begin());
        Box::pin(async move {
            let mut response = answering.await?;
            let code = code_of(response.headers());
            shared.meters.tell(&method, &id, trace.as_ref(), code, started.elapsed());
            let mut put = |name: HeaderName, text: &str| {
                if let Ok(mut value) = HeaderValue::from_str(text) {
                    // Never the same again: kept out of the table of headers that both sides remember.
                    value.set_sensitive(true);
                    response.headers_mut().insert(name, value);
                }
            };
            put(REQUEST_ID, &id);
            if let Some(text) = trace.map(|trace| trace.to_text()) {
                put(TRACE, &text);
            }
            // Of any other call the answer is whole by now.
            Ok(if is_stream { response.map(|body| call.until_the_end_of(body)) } else { response })
        })
    }
}

/// Says that a call is late shortly before the transport would, which calls it cancelled.
async fn in_time(
    answering: BoxFuture<Response<Body>, Infallible>,
    deadline: Option<Duration>,
) -> Result<Response<Body>, Infallible> {
    let Some(deadline) = deadline else { return answering.await };
    let time = deadline.saturating_sub(AHEAD).max(deadline / 2);
    let late = |_| Ok(Status::deadline_exceeded("the call's deadline has passed").into_http());
    tokio::time::timeout(time, answering).await.unwrap_or_else(late)
}

/// Of an answer that is an error it stands at its head; one that begins well is `OK`.
fn code_of(headers: &HeaderMap) -> Code {
    headers.get("grpc-status").map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_late_before_the_transport_says_that_it_was_cancelled() {
        let never = || Box::pin(std::future::pending::<Result<Response<Body>, Infallible>>());
        let late = in_time(never(), Some(Duration::from_millis(5))).await.unwrap();
        assert_eq!(code_of(late.headers()), Code::DeadlineExceeded);
        let answered = in_time(ready(Status::not_found("").into_http()), Some(Duration::from_secs(60))).await;
        assert_eq!(code_of(answered.unwrap().headers()), Code::NotFound);
    }

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
