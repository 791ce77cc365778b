//! One call of a flow's own service, from its bytes to its answer's. Absent on purpose: any way to decide but the one
//! of `tollgate.v1.Decisions`.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use prost::Message as _;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::Grpc;
use tonic::{Request, Response, Status, Streaming};

use super::super::caller::{Caller, decide_headers, languages, trace};
use super::super::decisions::{
    AT_A_TIME, Question, decide, go_on, key_of, last_word, marked, push_trace, settle, unshown,
};
use super::super::{decision_message, status, until};
use super::envelope::{ContinueRequest, DecideRequest, Output, Raw, Reply};
use super::transcode::{Unknown, encoded, facts};
use super::{Contract, ContractError, Contracts, Method, method_of_path};
use crate::bundle::Bundle;
use crate::domain::declaration::UnknownInputs;
use crate::domain::facts::Given;
use crate::domain::value::Name;
use crate::engine::{Decision, TraceLevel};
use crate::gather::TraceContext;
use crate::http::problem::{Code, Problem};
use crate::http::{DecideHeaders, Doors, asking, output_json};
use crate::store::Role;

/// A call that found its flow.
#[derive(Debug, Clone)]
pub struct FlowCall {
    flow: Name,
    contract: Arc<Contract>,
    method: Method,
    unknown: Unknown,
    caller: Caller,
    doors: Arc<Doors>,
    stopped: watch::Receiver<bool>,
}

/// Finds the flow and the method that a path names.
///
/// # Errors
/// `unknown_flow`, `unknown_route`; `forbidden` for a flow that the key is not for, before its contract is shown.
pub fn call(
    path: &str,
    bundle: &Bundle,
    caller: &Caller,
    contracts: &Contracts,
    (doors, stopped): (&Arc<Doors>, &watch::Receiver<bool>),
) -> Result<FlowCall, Problem> {
    let asker = caller.with_roles(&[Role::Caller])?;
    let (revision, method) = method_of_path(bundle, path).ok_or_else(|| {
        Problem::new(
            Code::UnknownRoute,
            "no flow in force has such a service; `tollgate proto FLOW` prints it",
        )
    })?;
    asker.check_flow(&revision.flow.name)?;
    let contract = contracts.of(revision).map_err(|error| match error {
        ContractError::Shape(error) => {
            Problem::new(Code::UnknownRoute, format!("{error}; until then the flow takes Structs only"))
        }
        ContractError::Compile(error) => {
            tracing::error!(flow = &*revision.flow.name, error, "a flow's messages could not be made");
            Problem::new(Code::Internal, "the flow's messages could not be made; it takes Structs")
        }
    })?;
    Ok(FlowCall {
        flow: revision.flow.name.clone(),
        contract,
        method,
        unknown: match revision.flow.unknown_inputs {
            UnknownInputs::Refuse => Unknown::Refuse,
            UnknownInputs::Record => Unknown::Skip,
        },
        caller: caller.clone(),
        doors: Arc::clone(doors),
        stopped: stopped.clone(),
    })
}

impl FlowCall {
    pub async fn answer(self, request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
        let mut grpc = Grpc::new(Raw).max_decoding_message_size(self.doors.settings().body_limit);
        Ok(match self.method {
            Method::DecideStream => grpc.streaming(Streams(self), request).await,
            Method::Decide | Method::Continue => grpc.unary(Single(self), request).await,
        })
    }

    async fn single(self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Status> {
        let languages = languages(request.metadata());
        let made = async {
            let (decision, trace) = match self.method {
                Method::Continue => {
                    let heard = (languages, trace(request.metadata()));
                    self.continued(request.get_ref(), heard).await?
                }
                _ => {
                    let headers = decide_headers(request.metadata())?;
                    self.decided(request.get_ref(), headers, languages).await?
                }
            };
            Ok(marked(&decision, self.message(&decision, trace)?))
        };
        made.await.map_err(|problem: Problem| self.caller.refused(&problem))
    }

    async fn decided(
        &self,
        bytes: &[u8],
        mut headers: DecideHeaders,
        languages: Vec<String>,
    ) -> Result<(Decision, TraceLevel), Problem> {
        let message = DecideRequest::decode(bytes).map_err(|_| malformed())?;
        headers.idempotency_key = key_of(headers.idempotency_key, message.idempotency_key)?;
        let mut entries = vec![("flow".to_owned(), Given::Text(self.flow.to_string()))];
        entries.extend(message.market.map(|market| ("market".to_owned(), Given::Text(market))));
        entries.extend(message.reference.map(|own| ("reference".to_owned(), Given::Text(own))));
        self.push_facts(message.facts.as_deref(), message.unavailable, &mut entries)?;
        push_trace(message.trace, &mut entries);
        if message.dry_run {
            entries.push(("dry_run".to_owned(), Given::Boolean(true)));
        }
        let question = Question { body: Given::Map(entries), headers };
        decide(&self.doors, &self.caller, question, languages).await
    }

    async fn continued(
        &self,
        bytes: &[u8],
        heard: (Vec<String>, Option<TraceContext>),
    ) -> Result<(Decision, TraceLevel), Problem> {
        let message = ContinueRequest::decode(bytes).map_err(|_| malformed())?;
        let mut entries = Vec::new();
        self.push_facts(message.facts.as_deref(), message.unavailable, &mut entries)?;
        push_trace(message.trace, &mut entries);
        go_on(&self.doors, &self.caller, &message.decision_id, Given::Map(entries), heard).await
    }

    fn push_facts(
        &self,
        bytes: Option<&[u8]>,
        unavailable: Vec<String>,
        entries: &mut Vec<(String, Given)>,
    ) -> Result<(), Problem> {
        let mut faults = Vec::new();
        let shape = &self.contract.shapes.facts;
        let bytes = bytes.unwrap_or_default();
        let mut given = facts(bytes, self.contract.facts.clone(), shape, self.unknown, &mut faults);
        settle(faults)?;
        if let Given::Map(facts) = &mut given {
            for name in unavailable {
                if !facts.iter().any(|(known, _)| *known == name) {
                    facts.push((name, Given::Null));
                }
            }
        }
        entries.push(("facts".to_owned(), given));
        Ok(())
    }

    /// The decision as this flow's own message.
    fn message(&self, decision: &Decision, trace: TraceLevel) -> Result<Vec<u8>, Problem> {
        let mut envelope =
            decision_message::message(decision, trace).map_err(|error| unshown(decision, &error))?;
        envelope.output = None;
        let mut bytes = envelope.encode_to_vec();
        if decision.needs.is_empty() {
            let json = output_json(&decision.output).map_err(|error| unshown(decision, &error))?;
            let output = encoded(&json, self.contract.outputs.clone(), &self.contract.shapes.outputs);
            bytes.extend(Output { output: Some(output) }.encode_to_vec());
        }
        Ok(bytes)
    }

    async fn reply(self, bytes: Vec<u8>, headers: DecideHeaders, languages: Vec<String>) -> Vec<u8> {
        let made = async {
            let (decision, trace) = self.decided(&bytes, headers, languages).await?;
            self.message(&decision, trace)
        };
        let reply = match made.await {
            Ok(decision) => Reply { decision: Some(decision), problem: None },
            Err(problem) => {
                asking::count_problem(&problem);
                let problem = status::message(&problem, &self.caller.request_id);
                Reply { decision: None, problem: Some(problem) }
            }
        };
        reply.encode_to_vec()
    }
}

fn malformed() -> Problem {
    Problem::new(Code::MalformedBody, "the bytes are not a message of this method's type")
}

/// `Decide` and `Continue`.
struct Single(FlowCall);

impl Service<Request<Vec<u8>>> for Single {
    type Response = Response<Vec<u8>>;
    type Error = Status;
    type Future = BoxFuture<Response<Vec<u8>>, Status>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Status>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.0.clone().single(request))
    }
}

/// `DecideStream`.
struct Streams(FlowCall);

impl Service<Request<Streaming<Vec<u8>>>> for Streams {
    type Response = Response<BoxStream<'static, Result<Vec<u8>, Status>>>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Status>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Vec<u8>>>) -> Self::Future {
        let call = self.0.clone();
        Box::pin(async move {
            let headers =
                decide_headers(request.metadata()).map_err(|problem| call.caller.refused(&problem))?;
            let languages = languages(request.metadata());
            let stopped = call.stopped.clone();
            let messages = request.into_inner().take_until(until(stopped.clone()));
            let replies = messages.map(move |message| {
                let (call, headers, languages) = (call.clone(), headers.clone(), languages.clone());
                async move { Ok(call.reply(message?, headers, languages).await) }
            });
            Ok(Response::new(replies.buffered(AT_A_TIME).chain(last_word(stopped)).boxed()))
        })
    }
}
