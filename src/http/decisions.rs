//! `POST /v1/decisions` and `POST /v1/decisions/{id}/replay`: from the request to the engine and back. Absent on
//! purpose: deciding.

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::asked::{Asked, DecideHeaders, purpose};
use super::asking;
use super::decide_body::DecideBody;
use super::decision_body::{self, AnswerBody};
use super::problem::{Code, Problem};
use super::records::{may_see, may_see_of, note_read, sight};
use crate::audit::{Difference, Sight};
use crate::engine::{Decision, Origin, TraceLevel};

const IDEMPOTENT_REPLAYED: &str = "Idempotent-Replayed";

/// Decides about one application, payment or sign-up.
#[utoipa::path(
    post,
    path = "/v1/decisions",
    operation_id = "decide",
    tag = "Decisions",
    request_body(content = DecideBody, description = "What to decide. `facts` has the flow's inputs: see `GET /v1/flows/{flow}`."),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters. The same key and body give the first answer again, for 7 days."),
        ("Deadline-Ms" = Option<u32>, Header, description = "Shortens the flow's own deadline."),
        ("Accept-Language" = Option<String>, Header, description = "The language of the reasons."),
    ),
    responses((status = 200, description = "Decided, or in need of more facts; and recorded", body = AnswerBody<'static>))
)]
pub(super) async fn decide(mut asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let headers = DecideHeaders::read(asked.http.headers())?;
    let body = asked.json().await?;
    let service = asked.service()?;
    let languages = asked.languages().into_tags();
    let (decision, trace) = asking::decide(&service, &asked.asker, body, headers, languages).await?;
    answer(&decision, trace)
}

/// A decision as its caller gets it.
///
/// # Errors
/// None that a decision can cause.
pub(super) fn answer(decision: &Decision, trace: TraceLevel) -> Result<HttpResponse, Problem> {
    let bytes = decision_body::render(decision, trace).map_err(|error| {
        tracing::error!(decision_id = %decision.decision_id, %error, "a decision could not be rendered");
        Problem::new(
            Code::Internal,
            "the decision was recorded but could not be shown; look it up by its key",
        )
    })?;
    let mut response = HttpResponse::Ok();
    response.content_type("application/json").insert_header((header::CACHE_CONTROL, "no-store"));
    if decision.origin == Origin::Repeated {
        response.insert_header((IDEMPOTENT_REPLAYED, "true"));
    }
    Ok(response.body(bytes))
}

/// Whether a recorded decision, evaluated again, comes out the same.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replay)]
pub(super) struct ReplayBody<'a> {
    #[schema(value_type = String, format = "uuid")]
    decision_id: Uuid,
    /// The revision that it was evaluated on now.
    revision: &'a str,
    /// Every byte of the verdict is the same.
    agrees: bool,
    differences: Vec<DifferenceBody<'a>>,
    /// What a reader should know, as that another language version recorded it.
    notes: &'a [String],
}

/// One place in which two verdicts differ.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Difference)]
pub(super) struct DifferenceBody<'a> {
    /// JSON pointer into the verdict.
    pointer: &'a str,
    #[schema(value_type = Object)]
    recorded: &'a Option<serde_json::Value>,
    #[schema(value_type = Object)]
    replayed: &'a Option<serde_json::Value>,
}

/// Evaluates a recorded decision again, on its own revision or another.
#[utoipa::path(
    post,
    path = "/v1/decisions/{id}/replay",
    operation_id = "replay",
    tag = "Audit",
    params(
        ("id" = String, Path, description = "`decision_id` of the answer"),
        ("Purpose" = Option<String>, Header, description = "Why: recorded, and needed to see what was computed from personal facts."),
    ),
    responses((status = 200, description = "Evaluated again", body = ReplayBody<'static>))
)]
pub(super) async fn replay(asked: Asked) -> Result<HttpResponse, Problem> {
    let filters = asked.filters();
    let revision = filters.text("revision");
    let revision = filters.settle(revision)?;
    let id = decision_id(&asked)?;
    let service = asked.service()?;
    let purpose = purpose(asked.http.headers())?;
    let record = service.audit.get(id).await?.filter(|record| may_see(&asked, record));
    let Some(record) = record else {
        return Err(not_made_yet(&asked, id).await?);
    };
    let replay = service.engine.replay_record(&record, revision.as_deref()).await?;
    let sight = sight(&asked, record.caller(), purpose.is_some());
    note_read(&asked, "replay", Some(id), 1, purpose).await?;
    let shown = |difference: Difference| match sight {
        Sight::Plain => difference,
        Sight::Masked => difference.masked(&replay.personal),
    };
    let differences: Vec<Difference> = replay.differences.into_iter().map(shown).collect();
    let body = ReplayBody {
        decision_id: replay.decision_id,
        revision: &replay.revision,
        agrees: replay.agrees,
        differences: differences
            .iter()
            .map(|d| DifferenceBody { pointer: &d.pointer, recorded: &d.recorded, replayed: &d.replayed })
            .collect(),
        notes: &replay.notes,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// Why there is no record of a decision to replay.
async fn not_made_yet(asked: &Asked, id: Uuid) -> Result<Problem, Problem> {
    let open = asked.service()?.audit.open_decision(id).await?;
    Ok(match open.filter(|open| may_see_of(asked, &open.caller, &open.flow)) {
        Some(_) => Problem::new(Code::NotReplayable, "it waits for its caller and is not decided yet"),
        None => Problem::unknown_decision(),
    })
}

/// The id in the address. What is no id is no decision.
pub(super) fn decision_id(asked: &Asked) -> Result<Uuid, Problem> {
    asked.path_part("id").parse().map_err(|_| Problem::unknown_decision())
}
