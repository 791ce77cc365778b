//! `POST /v1/decisions/batch`: a body a line, an answer a line, in the same order, while more lines come. Each line is
//! decided and recorded as if it had come alone; one that is wrong gets its problem, and the others go on. It holds so
//! many lines at a time and no more, whatever the body is long: who does not read the answers is not read from.
//! Absent on purpose: deciding, and a limit on how many lines there are.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::rt::task::JoinHandle;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc::{self, Sender};
use utoipa::ToSchema;

use super::access::Asker;
use super::asked::{Asked, DecideHeaders};
use super::asking::{self, count_problem, record_refusal};
use super::decide_body::DecideBody;
use super::decision_body::{self, AnswerBody};
use super::problem::{At, Code, Fault, Problem};
use super::{Doors, Service};
use crate::documents::json::{self, JsonLimits};
use crate::domain::facts::Given;
use crate::engine::Origin;

/// Lines of one body that are decided at a time: as many as one group commit likes.
const AT_A_TIME: usize = 64;
/// Answers that wait to be sent, beside those that the connection holds.
const WAITING: usize = 16;
/// How long the next bytes of a body may take.
const LINE_TIME: Duration = Duration::from_secs(30);
/// How long an answer may wait to be read.
const READ_TIME: Duration = Duration::from_secs(120);
/// How often a body that waits for more looks whether the service stops.
const LOOK: Duration = Duration::from_millis(250);

/// One line of a batch: the body of a single request, and its key.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the shape; the body itself is `DecideBody`")]
pub(super) struct BatchLine {
    #[schema(inline = false)]
    #[serde(flatten)]
    body: DecideBody,
    /// 1 to 255 visible ASCII characters: what `Idempotency-Key` is to a single request.
    idempotency_key: Option<String>,
}

/// Decides about many, one a line.
///
/// Each line of the body is a body of `POST /v1/decisions`, with an `idempotency_key` if it has one. Each line of the
/// answer is a decision or a problem, with the number of the `line` that it answers, in the order of the lines; blank
/// lines are none. Read while you send: who does not read is not read from.
#[utoipa::path(
    post,
    path = "/v1/decisions/batch",
    operation_id = "decide_batch",
    tag = "Decisions",
    request_body(
        content = BatchLine,
        content_type = "application/x-ndjson",
        description = "One a line."
    ),
    params(
        ("Deadline-Ms" = Option<u32>, Header, description = "Shortens the flow's own deadline, for each line."),
        ("Accept-Language" = Option<String>, Header, description = "The language of the reasons."),
    ),
    responses((
        status = 200,
        description = "An answer or a `Problem` a line, each with its `line`, and `idempotent_replayed` where it was given before",
        body = AnswerBody<'static>,
        content_type = "application/x-ndjson"
    ))
)]
pub(super) async fn decide_all(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let headers = DecideHeaders::read(asked.http.headers())?;
    if headers.idempotency_key.is_some() {
        let detail = "one key cannot stand for all lines of a body; each may have an `idempotency_key`";
        let fault = Fault { at: At::Header("Idempotency-Key"), code: "invalid", detail: detail.to_owned() };
        return Err(Problem::new(Code::InvalidHeader, detail).with_faults(vec![fault]));
    }
    asked.check_lines()?;
    let desk = Rc::new(Desk {
        service: asked.service()?,
        languages: asked.languages().into_tags(),
        asker: asked.asker,
        headers,
    });
    let lines = Lines::of(asked.payload, asked.doors);
    let (give, take) = mpsc::channel(WAITING);
    actix_web::rt::spawn(answer_all(desk, lines, give));
    let answers = stream::unfold(take, |mut take| async {
        let answer = match take.recv().await {
            Some(Word::Answer(answer)) => Ok(answer),
            Some(Word::End) => return None,
            // Not an end: whoever reads must not take what there is for the whole.
            None => Err(BrokenOff),
        };
        Some((answer, take))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(answers))
}

/// What goes to whoever sends the answers.
enum Word {
    Answer(Bytes),
    /// That was all.
    End,
}

/// More answers were due.
#[derive(Debug, thiserror::Error)]
#[error("the answers break off")]
struct BrokenOff;

impl actix_web::ResponseError for BrokenOff {}

/// Takes lines while there is room, and gives their answers in order. Ends when nobody takes them any more; what was
/// begun is still decided and recorded.
async fn answer_all(desk: Rc<Desk>, mut lines: Lines, give: Sender<Word>) {
    let mut begun: VecDeque<(u64, JoinHandle<Bytes>)> = VecDeque::with_capacity(AT_A_TIME);
    let mut is_open = true;
    while is_open || !begun.is_empty() {
        tokio::select! {
            biased;
            Some(answer) = first(&mut begun) => {
                begun.pop_front();
                let given = give.send_timeout(Word::Answer(answer), READ_TIME).await;
                if given.is_err() {
                    return;
                }
            }
            line = lines.next(), if is_open && begun.len() < AT_A_TIME => match line {
                None => is_open = false,
                Some((number, line)) => {
                    is_open = !matches!(line, Line::Last(_));
                    let desk = Rc::clone(&desk);
                    // On its own, so that it is not held up by who reads the answers of the lines before it.
                    let answer = actix_web::rt::spawn(async move { desk.answer(number, line).await });
                    begun.push_back((number, answer));
                }
            },
            () = give.closed() => return,
        }
    }
    let _nobody_reads = give.send(Word::End).await;
}

/// The answer that is due next; nothing when none is.
async fn first(begun: &mut VecDeque<(u64, JoinHandle<Bytes>)>) -> Option<Bytes> {
    let (number, answer) = begun.front_mut()?;
    Some(answer.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a line of a batch ended without an answer");
        let problem = Problem::new(Code::Internal, "whether this line was decided is not known");
        numbered(*number, Origin::Decided, &problem.to_json())
    }))
}

/// What all lines of a body have in common.
struct Desk {
    service: Service,
    asker: Asker,
    headers: DecideHeaders,
    languages: Vec<String>,
}

impl Desk {
    async fn answer(&self, number: u64, line: Line) -> Bytes {
        let made = match line {
            Line::Whole(bytes) => self.decide(&bytes).await,
            Line::Wrong(problem) | Line::Last(problem) => Err(problem),
        };
        let (result, origin, body) = match made {
            Ok((origin, body)) => ("answered", origin, body),
            Err(problem) => {
                count_problem(&problem);
                record_refusal(Some(&self.service), &self.asker, &problem);
                ("problem", Origin::Decided, problem.to_json())
            }
        };
        metrics::counter!("tollgate_batch_lines_total", "result" => result).increment(1);
        numbered(number, origin, &body)
    }

    async fn decide(&self, line: &[u8]) -> Result<(Origin, Vec<u8>), Problem> {
        let mut body = json::parse(line, JsonLimits::default()).map_err(|error| {
            Problem::new(Code::MalformedBody, format!("{} at column {}", error.problem, error.column))
        })?;
        let mut headers = self.headers.clone();
        headers.idempotency_key = take_key(&mut body)?;
        let languages = self.languages.clone();
        let (decision, trace) = asking::decide(&self.service, &self.asker, body, headers, languages).await?;
        let body = decision_body::render(&decision, trace).map_err(|error| {
            tracing::error!(decision_id = %decision.decision_id, %error, "a decision could not be rendered");
            Problem::new(
                Code::Internal,
                "the decision was recorded but could not be shown; look it up by its key",
            )
        })?;
        Ok((decision.origin, body))
    }
}

/// The key of a line, taken out of it: what is left is what a single request would have sent beside its header.
fn take_key(body: &mut Given) -> Result<Option<String>, Problem> {
    let Given::Map(entries) = body else { return Ok(None) };
    let Some(at) = entries.iter().position(|(name, _)| name == "idempotency_key") else { return Ok(None) };
    let wrong = |code, detail: &str| {
        let fault = Fault { at: At::Pointer("/idempotency_key".to_owned()), code, detail: detail.to_owned() };
        Problem::new(Code::InvalidBody, format!("`idempotency_key` {detail}")).with_faults(vec![fault])
    };
    match entries.remove(at).1 {
        Given::Null => Ok(None),
        Given::Text(key) => {
            let line = |name: &str| if name == "Idempotency-Key" { vec![key.as_bytes()] } else { Vec::new() };
            let read = DecideHeaders::read_lines(&line);
            let detail = "must be 1 to 255 visible ASCII characters, without spaces";
            Ok(read.map_err(|_| wrong("invalid", detail))?.idempotency_key)
        }
        _ => Err(wrong("wrong_type", "must be a text")),
    }
}

/// An object with the number of the line that it answers in front.
fn numbered(number: u64, origin: Origin, body: &[u8]) -> Bytes {
    let replayed = if origin == Origin::Repeated { ",\"idempotent_replayed\":true" } else { "" };
    let head = format!("{{\"line\":{number}{replayed},");
    let mut answer = Vec::with_capacity(head.len() + body.len());
    answer.extend_from_slice(head.as_bytes());
    answer.extend_from_slice(body.get(1..).unwrap_or_default());
    answer.push(b'\n');
    answer.into()
}

/// One line of a body.
#[derive(Debug, PartialEq)]
enum Line {
    Whole(Bytes),
    /// It cannot be read; the next one may.
    Wrong(Problem),
    /// Nothing behind this place can be read.
    Last(Problem),
}

/// The lines of a body as they come. It holds one line at most, and what came behind it in the same packet.
struct Lines {
    payload: Payload,
    doors: Arc<Doors>,
    held: BytesMut,
    /// How far `held` was looked through.
    seen: usize,
    /// Lines that were taken.
    number: u64,
    /// The line that is coming is too long: it is dropped up to its end.
    is_skipping: bool,
    is_ended: bool,
    /// For how long nothing has come, while it was waited for.
    silent: Duration,
}

/// What came next of a body.
enum Came {
    Bytes,
    End,
    Nothing(Problem),
}

impl Lines {
    fn of(payload: Payload, doors: Arc<Doors>) -> Self {
        let (held, silent) = (BytesMut::new(), Duration::ZERO);
        Self { payload, doors, held, seen: 0, number: 0, is_skipping: false, is_ended: false, silent }
    }

    /// The next line that is not blank, and its number from 1. Nothing is lost when this is dropped half-way.
    async fn next(&mut self) -> Option<(u64, Line)> {
        loop {
            if let Some(line) = self.whole() {
                return Some((self.number, line));
            }
            if self.is_ended {
                return None;
            }
            match self.more().await {
                Came::Bytes => {}
                Came::End => self.is_ended = true,
                Came::Nothing(problem) => {
                    self.is_ended = true;
                    self.held.clear();
                    self.is_skipping = false;
                    return Some((self.number + 1, Line::Last(problem)));
                }
            }
        }
    }

    /// A line of what is held.
    fn whole(&mut self) -> Option<Line> {
        let limit = self.doors.settings().body_limit;
        loop {
            let rest = self.held.get(self.seen..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b'\n').map(|at| self.seen + at);
            let Some(end) = end.or_else(|| self.rest_is_a_line()) else {
                self.seen = self.held.len();
                if self.held.len() > limit {
                    self.is_skipping = true;
                }
                if self.is_skipping {
                    self.held.clear();
                    self.seen = 0;
                }
                return None;
            };
            let mut line = self.held.split_to(end);
            // The line's end, where it has one.
            let _newline = self.held.split_to(self.held.len().min(1));
            self.seen = 0;
            self.number += 1;
            if std::mem::take(&mut self.is_skipping) || line.len() > limit {
                let detail = format!("a line may have {limit} bytes at most; send less");
                return Some(Line::Wrong(Problem::new(Code::BodyTooLarge, detail)));
            }
            line.truncate(line.trim_ascii_end().len());
            if !line.trim_ascii_start().is_empty() {
                return Some(Line::Whole(line.freeze()));
            }
        }
    }

    /// The end of what is held, when nothing more comes and there is something.
    fn rest_is_a_line(&self) -> Option<usize> {
        (self.is_ended && (self.is_skipping || !self.held.is_empty())).then_some(self.held.len())
    }

    async fn more(&mut self) -> Came {
        loop {
            if self.doors.is_stopping() {
                let detail = "the service stops; send this line and those behind it again";
                return Came::Nothing(Problem::new(Code::Overloaded, detail));
            }
            match actix_web::rt::time::timeout(LOOK, self.payload.next()).await {
                Ok(None) => return Came::End,
                Ok(Some(Ok(bytes))) => {
                    self.silent = Duration::ZERO;
                    self.held.extend_from_slice(&bytes);
                    return Came::Bytes;
                }
                Ok(Some(Err(_))) => {
                    let detail = "the body ends before its announced length";
                    return Came::Nothing(Problem::new(Code::MalformedBody, detail));
                }
                Err(_) => self.silent += LOOK,
            }
            if self.silent > LINE_TIME {
                let detail = format!("nothing came for {} seconds", LINE_TIME.as_secs());
                return Came::Nothing(Problem::new(Code::RequestTimeout, detail));
            }
        }
    }
}
