//! `tollgate.v1.Decisions`: messages → the same bodies that REST reads → the same use cases, and back. Absent on
//! purpose: checks and rules of its own, so that the two doors cannot drift.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::caller::{Caller, decide_headers, languages, lines, trace};
use super::decision_message;
use super::status;
use super::until;
use super::values::{given_entries, json_struct};
use crate::domain::facts::Given;
use crate::engine::{Decision, Origin, TraceLevel};
use crate::gather::TraceContext;
use crate::http::access::Asker;
use crate::http::problem::{Code, Fault, Problem, count_of_faults};
use crate::http::{DecideHeaders, Doors, Service, Serving, asking, purpose_in};
use crate::store::Role;
use crate::wire::tollgate::v1;
use crate::wire::tollgate::v1::decide_reply::Reply;
use crate::wire::tollgate::v1::decisions_server::Decisions;

/// Messages of one stream that are decided at a time: as many as one group commit likes, and a bound on what a stream
/// can hold in memory.
pub const AT_A_TIME: usize = 64;

pub struct DecisionsDoor {
    pub doors: Arc<Doors>,
    pub stopped: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl Decisions for DecisionsDoor {
    async fn decide(&self, request: Request<v1::DecideRequest>) -> Result<Response<v1::Decision>, Status> {
        let caller = Caller::of(&request);
        let made = async {
            let headers = decide_headers(request.metadata())?;
            let languages = languages(request.metadata());
            let question = question(request.into_inner(), headers)?;
            let (decision, trace) = decide(&self.doors, &caller, question, languages).await?;
            answer(&decision, trace)
        };
        made.await.map_err(|problem: Problem| caller.refused(&problem))
    }

    type DecideStreamStream = BoxStream<'static, Result<v1::DecideReply, Status>>;

    async fn decide_stream(
        &self,
        request: Request<Streaming<v1::DecideRequest>>,
    ) -> Result<Response<Self::DecideStreamStream>, Status> {
        let caller = Caller::of(&request);
        let refused = |problem: Problem| caller.refused(&problem);
        let headers = decide_headers(request.metadata()).map_err(refused)?;
        if headers.idempotency_key.is_some() {
            let detail = "one key cannot stand for all messages of a stream; each has an `idempotency_key`";
            return Err(refused(Problem::new(Code::InvalidHeader, detail)));
        }
        caller.with_roles(&[Role::Caller]).map_err(refused)?;
        let languages = languages(request.metadata());
        let doors = Arc::clone(&self.doors);
        let messages = request.into_inner().take_until(until(self.stopped.clone()));
        let replies = messages.map(move |message| {
            let (doors, caller) = (Arc::clone(&doors), caller.clone());
            let (headers, languages) = (headers.clone(), languages.clone());
            async move { Ok(reply(&doors, &caller, message?, headers, languages).await) }
        });
        Ok(Response::new(replies.buffered(AT_A_TIME).chain(last_word(self.stopped.clone())).boxed()))
    }

    async fn r#continue(
        &self,
        request: Request<v1::ContinueRequest>,
    ) -> Result<Response<v1::Decision>, Status> {
        let caller = Caller::of(&request);
        let made = async {
            let heard = (languages(request.metadata()), trace(request.metadata()));
            let v1::ContinueRequest { decision_id, facts, trace } = request.into_inner();
            let mut entries = Vec::new();
            let mut faults = Vec::new();
            if let Some(facts) = facts {
                entries.push(("facts".to_owned(), given_entries(facts, "/facts", &mut faults)));
            }
            push_trace(trace, &mut entries);
            settle(faults)?;
            let (decision, trace) =
                go_on(&self.doors, &caller, &decision_id, Given::Map(entries), heard).await?;
            answer(&decision, trace)
        };
        made.await.map_err(|problem: Problem| caller.refused(&problem))
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::Record>, Status> {
        let caller = Caller::of(&request);
        let read = async {
            let purpose = purpose_in(&|name| lines(request.metadata(), name))?;
            let asker = caller.with_roles(&[Role::Caller, Role::Auditor])?;
            let service = open(&self.doors)?;
            let decision_id = request.into_inner().decision_id;
            let shown = asking::record(service, asker, parsed(&decision_id)?, purpose).await?;
            Ok(v1::Record { decision_id, json: shown.to_string(), record: Some(json_struct(shown)) })
        };
        read.await.map(Response::new).map_err(|problem: Problem| caller.refused(&problem))
    }
}

/// What is asked for, as the body that REST would have read, and the headers beside it.
pub struct Question {
    pub body: Given,
    pub headers: DecideHeaders,
}

async fn reply(
    doors: &Doors,
    caller: &Caller,
    message: v1::DecideRequest,
    headers: DecideHeaders,
    languages: Vec<String>,
) -> v1::DecideReply {
    let made = async {
        let (decision, trace) = decide(doors, caller, question(message, headers)?, languages).await?;
        decision_message::message(&decision, trace).map_err(|error| unshown(&decision, &error))
    };
    let reply = match made.await {
        Ok(decision) => Reply::Decision(decision),
        Err(problem) => {
            asking::count_problem(&problem);
            Reply::Problem(status::message(&problem, &caller.request_id))
        }
    };
    v1::DecideReply { reply: Some(reply) }
}

/// Nothing, unless the stream ended because the service stops.
pub fn last_word<T: Send + 'static>(stopped: watch::Receiver<bool>) -> BoxStream<'static, Result<T, Status>> {
    let word = async move {
        let is_stopping = *stopped.borrow();
        is_stopping.then(|| Err(Status::unavailable("the service stops; ask another, or again")))
    };
    stream::once(word).filter_map(|word| async { word }).boxed()
}

fn question(message: v1::DecideRequest, mut headers: DecideHeaders) -> Result<Question, Problem> {
    let v1::DecideRequest { flow, market, reference, facts, trace, dry_run, idempotency_key } = message;
    let mut entries = Vec::new();
    let mut faults = Vec::new();
    if !flow.is_empty() {
        entries.push(("flow".to_owned(), Given::Text(flow)));
    }
    entries.extend(market.map(|market| ("market".to_owned(), Given::Text(market))));
    entries.extend(reference.map(|reference| ("reference".to_owned(), Given::Text(reference))));
    if let Some(facts) = facts {
        entries.push(("facts".to_owned(), given_entries(facts, "/facts", &mut faults)));
    }
    push_trace(trace, &mut entries);
    if dry_run {
        entries.push(("dry_run".to_owned(), Given::Boolean(true)));
    }
    settle(faults)?;
    headers.idempotency_key = key_of(headers.idempotency_key, idempotency_key)?;
    Ok(Question { body: Given::Map(entries), headers })
}

/// The key of the metadata, else the message's, which has to have the same form.
pub fn key_of(header: Option<String>, field: Option<String>) -> Result<Option<String>, Problem> {
    match (header, field) {
        (None, Some(field)) => {
            let line = |name: &str| match name {
                "Idempotency-Key" => vec![field.as_bytes()],
                _ => Vec::new(),
            };
            Ok(DecideHeaders::read_lines(&line)?.idempotency_key)
        }
        (header, _) => Ok(header),
    }
}

/// The level as the body's word; left out where the body may leave it out, so that both doors' digests are one.
pub fn push_trace(trace: i32, entries: &mut Vec<(String, Given)>) {
    let word = match v1::Trace::try_from(trace) {
        Ok(v1::Trace::Unspecified | v1::Trace::None) => return,
        Ok(v1::Trace::Summary) => "summary",
        Ok(v1::Trace::Full) => "full",
        // No word of the body's: it is refused there, with the list of those that are.
        Err(_) => "unknown",
    };
    entries.push(("trace".to_owned(), Given::Text(word.to_owned())));
}

pub fn settle(faults: Vec<Fault>) -> Result<(), Problem> {
    if faults.is_empty() {
        return Ok(());
    }
    let detail = format!("{} with the message; `errors` lists all", count_of_faults(faults.len()));
    Err(Problem::new(Code::InvalidBody, detail).with_faults(faults))
}

pub fn open(doors: &Doors) -> Result<&Service, Problem> {
    doors.service().ok_or_else(|| match doors.settings().serving {
        Serving::ModelsOnly => Problem::new(Code::UnknownRoute, "only models are served here"),
        Serving::Everything => Problem::starting(),
    })
}

fn parsed(decision_id: &str) -> Result<Uuid, Problem> {
    decision_id.parse().map_err(|_| Problem::unknown_decision())
}

/// Decides, and records a refusal as REST does.
pub async fn decide(
    doors: &Doors,
    caller: &Caller,
    question: Question,
    languages: Vec<String>,
) -> Result<(Decision, TraceLevel), Problem> {
    let asker = caller.with_roles(&[Role::Caller])?;
    let service = open(doors)?;
    let Question { body, headers } = question;
    noted(service, asker, asking::decide(service, asker, body, headers, languages).await)
}

/// Goes on with a decision, and records a refusal as REST does.
pub async fn go_on(
    doors: &Doors,
    caller: &Caller,
    decision_id: &str,
    body: Given,
    heard: (Vec<String>, Option<TraceContext>),
) -> Result<(Decision, TraceLevel), Problem> {
    let asker = caller.with_roles(&[Role::Caller])?;
    let service = open(doors)?;
    let id = parsed(decision_id)?;
    noted(service, asker, asking::go_on(service, asker, id, body, heard).await)
}

fn noted<T>(service: &Service, asker: &Asker, made: Result<T, Problem>) -> Result<T, Problem> {
    made.inspect_err(|problem| asking::record_refusal(Some(service), asker, problem))
}

fn answer(decision: &Decision, trace: TraceLevel) -> Result<Response<v1::Decision>, Problem> {
    let message = decision_message::message(decision, trace).map_err(|error| unshown(decision, &error))?;
    Ok(marked(decision, message))
}

/// The answer, with the word that it was given before if it was.
pub fn marked<T>(decision: &Decision, message: T) -> Response<T> {
    let mut response = Response::new(message);
    if decision.origin == Origin::Repeated {
        let value = tonic::metadata::MetadataValue::from_static("true");
        response.metadata_mut().insert("idempotent-replayed", value);
    }
    response
}

pub fn unshown(decision: &Decision, error: &serde_json::Error) -> Problem {
    tracing::error!(decision_id = %decision.decision_id, %error, "a decision could not be rendered");
    Problem::new(Code::Internal, "the decision was recorded but could not be shown; look it up by its key")
}
