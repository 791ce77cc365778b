//! `POST /v1/decisions/{id}/continue`: the facts that a decision waits for. Absent on purpose: going on with it (that is
//! the engine's) and the types of the facts (the flow's).

use std::sync::Arc;

use actix_web::HttpResponse;
use utoipa::ToSchema;

use super::asked::Asked;
use super::asking;
use super::decide_body::{read_facts, read_trace, unknown_fault};
use super::decision_body::AnswerBody;
use super::decisions::{answer, decision_id};
use super::problem::{About, At, Code, Fault, Problem, count_of_faults};
use super::tracing_ids::trace_of;
use crate::domain::facts::Given;
use crate::engine::{ContinueError, NotContinued, TraceLevel};

const FIELDS: &[&str] = &["facts", "trace"];

/// What a decision waits for.
#[derive(Debug, Clone, PartialEq, ToSchema)]
#[schema(as = ContinueRequest)]
pub(super) struct ContinueBody {
    /// One entry per need: an object with its fields, or null if it cannot be had.
    #[schema(value_type = Object)]
    pub facts: Given,
    /// As in the first request.
    #[schema(value_type = Option<String>, example = "summary")]
    pub trace: TraceLevel,
}

/// Gives a decision the facts that it asked for.
#[utoipa::path(
    post,
    path = "/v1/decisions/{id}/continue",
    operation_id = "continue_decision",
    tag = "Decisions",
    request_body(content = ContinueBody, description = "What `needs` of the answer asked for, by name."),
    params(
        ("id" = String, Path, description = "`decision_id` of the answer"),
        ("Accept-Language" = Option<String>, Header, description = "The language of the reasons."),
    ),
    responses((status = 200, description = "Decided, or in need of more facts; and recorded", body = AnswerBody<'static>))
)]
pub(super) async fn go_on(mut asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let id = decision_id(&asked)?;
    let body = asked.json().await?;
    let service = asked.service()?;
    let heard = (asked.languages().into_tags(), trace_of(asked.http.headers()));
    let (decision, trace) = asking::go_on(&service, &asked.asker, id, body, heard).await?;
    answer(&decision, trace)
}

/// # Errors
/// Everything wrong with its shape.
pub(super) fn read(body: Given) -> Result<ContinueBody, Problem> {
    let mut faults = Vec::new();
    let (mut facts, mut trace) = (None, TraceLevel::None);
    match body {
        Given::Map(entries) => {
            for (name, value) in entries {
                match name.as_str() {
                    "facts" => facts = read_facts(value).map_err(|fault| faults.push(fault)).ok(),
                    "trace" => {
                        trace = read_trace(&value).map_err(|fault| faults.push(fault)).unwrap_or_default()
                    }
                    unknown => faults.push(unknown_fault(unknown, FIELDS)),
                }
            }
            let is_said = facts.is_some() || faults.iter().any(|f| f.at == At::Pointer("/facts".to_owned()));
            if !is_said {
                let detail = "is required: an object with what the decision waits for".to_owned();
                faults.push(Fault { at: At::Pointer("/facts".to_owned()), code: "missing", detail });
            }
        }
        _ => faults.push(Fault {
            at: At::Pointer(String::new()),
            code: "wrong_type",
            detail: "must be an object with `facts`".to_owned(),
        }),
    }
    match facts {
        Some(facts) if faults.is_empty() => Ok(ContinueBody { facts, trace }),
        _ => {
            let detail = format!("{} with the body; `errors` lists all", count_of_faults(faults.len()));
            Err(Problem::new(Code::InvalidBody, detail).with_faults(faults))
        }
    }
}

impl From<NotContinued> for Problem {
    fn from(refused: NotContinued) -> Self {
        let NotContinued { error, flow, market, reference } = refused;
        let text = |name: Option<Arc<str>>| name.map(|name| name.to_string());
        let about = About { flow: text(flow), market: text(market), reference: text(reference) };
        Self::from(error).about(about)
    }
}

impl From<ContinueError> for Problem {
    fn from(error: ContinueError) -> Self {
        match error {
            ContinueError::UnknownDecision => Self::unknown_decision(),
            ContinueError::AlreadyDecided => Self::new(
                Code::AlreadyDecided,
                "it did not ask for these facts, or was decided on others; `GET /v1/decisions/{id}` shows it",
            ),
            ContinueError::Expired { days } => Self::new(
                Code::DecisionExpired,
                format!("a decision may be continued for {days} days; ask for a new one"),
            ),
            ContinueError::Revision(error) => Self::from(error),
            ContinueError::Decide(error) => Self::from(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::json;

    fn read_text(text: &str) -> Result<ContinueBody, Problem> {
        read(json::parse(text.as_bytes(), json::JsonLimits::default()).unwrap())
    }

    #[test]
    fn a_body_has_facts_and_perhaps_a_trace() {
        let body = read_text(r#"{"facts":{"bureau":null},"trace":"full"}"#).unwrap();
        assert_eq!(body.facts, Given::Map(vec![("bureau".to_owned(), Given::Null)]));
        assert_eq!(
            (body.trace, read_text(r#"{"facts":{},"trace":null}"#).unwrap().trace),
            (TraceLevel::Full, TraceLevel::None)
        );
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let told = |text: &str| {
            let problem = read_text(text).unwrap_err();
            let told = problem.faults().iter().map(|fault| match &fault.at {
                At::Pointer(pointer) => format!("{pointer} {}", fault.code),
                other => format!("{other:?}"),
            });
            told.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(told("[]"), " wrong_type");
        assert_eq!(told("{}"), "/facts missing");
        assert_eq!(
            told(r#"{"facts":[],"trace":1,"fatcs":{}}"#),
            "/facts wrong_type, /trace wrong_type, /fatcs unknown"
        );
    }
}
