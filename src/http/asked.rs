//! One request as a handler sees it: who asks, the body within its limit, the headers that mean something.
//! Absent on purpose: what routes do with it, and any reading beyond the limits.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;

use super::access::Asker;
use super::language::Languages;
use super::problem::{At, Code, Fault, Problem};
use super::query::Filters;
use super::routes::Route;
use super::{Doors, Service};
use crate::documents::json::{self, JsonLimits};
use crate::domain::facts::Given;
use crate::gather::{TRACEPARENT, TraceContext};

/// The longest that a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Memory that is taken on the word of a `Content-Length` alone.
const MOST_AT_ONCE: usize = 1 << 20;
const LONGEST_IDEMPOTENCY_KEY: usize = 255;
const LONGEST_PURPOSE: usize = 200;
const LONGEST_DEADLINE_MS: u64 = 600_000;

/// A request that its route's permission has admitted.
pub struct Asked {
    pub http: HttpRequest,
    pub payload: Payload,
    pub doors: Arc<Doors>,
    pub asker: Asker,
    pub route: &'static Route,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("path", &self.http.path()).field("asker", &self.asker.name).finish()
    }
}

impl Asked {
    /// # Errors
    /// `starting`, until everything is open.
    pub fn service(&self) -> Result<Service, Problem> {
        self.doors.service().cloned().ok_or_else(Problem::starting)
    }

    /// The query, its names checked against the route's.
    #[must_use]
    pub fn filters(&self) -> Filters<'_> {
        Filters::from_query(self.http.query_string(), self.route.query)
    }

    /// A part of the path, as declared in the route's pattern.
    #[must_use]
    pub fn path_part(&self, name: &str) -> &str {
        self.http.match_info().get(name).unwrap_or_default()
    }

    #[must_use]
    pub fn languages(&self) -> Languages {
        self.http
            .headers()
            .get(ACCEPT_LANGUAGE)
            .and_then(|h| h.to_str().ok())
            .map(Languages::parse)
            .unwrap_or_default()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `unsupported_media_type`, `body_too_large`, `request_timeout`, `malformed_body`.
    pub async fn json(&mut self) -> Result<Given, Problem> {
        check_media_type(self.http.headers(), Media::Json)?;
        let limit = self.doors.settings().body_limit;
        let bytes = self.bytes(limit).await?;
        json::parse(&bytes, JsonLimits::default())
            .map_err(|error| Problem::new(Code::MalformedBody, error.to_string()))
    }

    /// The body as a tar, whole and not yet read.
    ///
    /// # Errors
    /// `unsupported_media_type`, `body_too_large`, `request_timeout`, `malformed_body`.
    pub async fn tar(&mut self, limit: usize) -> Result<Bytes, Problem> {
        check_media_type(self.http.headers(), Media::Tar)?;
        self.bytes(limit).await
    }

    /// Whether the body comes as lines of JSON.
    ///
    /// # Errors
    /// `unsupported_media_type`.
    pub(super) fn check_lines(&self) -> Result<(), Problem> {
        check_media_type(self.http.headers(), Media::Lines)
    }

    async fn bytes(&mut self, limit: usize) -> Result<Bytes, Problem> {
        self.bytes_within(limit, BODY_TIME).await
    }

    /// The body as it is, within so many bytes and so much time.
    ///
    /// # Errors
    /// `body_too_large`, `request_timeout`, `malformed_body`.
    pub(super) async fn bytes_within(&mut self, limit: usize, time: Duration) -> Result<Bytes, Problem> {
        let too_large =
            || Problem::new(Code::BodyTooLarge, format!("a body may have {limit} bytes at most; send less"));
        let announced = self.http.headers().get(CONTENT_LENGTH).and_then(|h| h.to_str().ok()?.parse().ok());
        if announced.is_some_and(|n: usize| n > limit) {
            return Err(too_large());
        }
        let mut body = BytesMut::with_capacity(announced.unwrap_or(1024).min(MOST_AT_ONCE));
        let mut patience = Patience { time, is_asked_again: false, over: None };
        loop {
            tokio::select! {
                biased;
                chunk = self.payload.next() => match chunk {
                    None => return Ok(body.freeze()),
                    Some(Err(_)) => {
                        return Err(Problem::new(Code::MalformedBody, "the body ends before its announced length"));
                    }
                    Some(Ok(bytes)) if body.len() + bytes.len() > limit => return Err(too_large()),
                    Some(Ok(bytes)) => body.extend_from_slice(&bytes),
                },
                () = poll_fn(|cx| patience.poll(cx)) => {
                    let detail = format!("the body did not arrive within {} seconds", time.as_secs());
                    return Err(Problem::new(Code::RequestTimeout, detail));
                }
            }
        }
    }
}

/// How long a body is waited for. A small one is there right after its head, so the timer is only set when it is not.
struct Patience {
    time: Duration,
    is_asked_again: bool,
    over: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.is_asked_again, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let time = self.time;
        self.over.get_or_insert_with(|| Box::pin(sleep(time))).as_mut().poll(cx)
    }
}

/// What a route takes as its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    /// One JSON value a line.
    Lines,
    Tar,
}

fn check_media_type(headers: &HeaderMap, media: Media) -> Result<(), Problem> {
    let encoded =
        headers.get(CONTENT_ENCODING).is_some_and(|h| !h.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "compressed bodies are not taken; leave out `Content-Encoding`",
        ));
    }
    let given = headers.get(CONTENT_TYPE).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let (essence, parameters) = given.split_once(';').unwrap_or((given, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let (fits, wanted) = match media {
        Media::Json => {
            let json = essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json"));
            let charset = parameters.trim().to_ascii_lowercase();
            let unicode = !charset.starts_with("charset=")
                || charset.trim_start_matches("charset=").trim_matches('"') == "utf-8";
            (json && unicode, "send the body as `Content-Type: application/json`, in UTF-8")
        }
        Media::Lines => (
            matches!(
                essence.as_str(),
                "application/x-ndjson"
                    | "application/ndjson"
                    | "application/jsonl"
                    | "application/x-jsonlines"
            ),
            "send one JSON object a line, as `Content-Type: application/x-ndjson`",
        ),
        Media::Tar => (
            matches!(essence.as_str(), "application/x-tar" | "application/tar"),
            "send the tar as `Content-Type: application/x-tar`",
        ),
    };
    if fits { Ok(()) } else { Err(Problem::new(Code::UnsupportedMediaType, wanted)) }
}

/// The headers that change how a decision is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecideHeaders {
    pub idempotency_key: Option<String>,
    pub deadline: Option<Duration>,
    /// What it is part of; one that is no trace is as none.
    pub trace: Option<TraceContext>,
}

impl DecideHeaders {
    /// # Errors
    /// `invalid_header`, with everything wrong.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Self::read_lines(&|name| lines(headers, name))
    }

    /// The same from any door's headers: `lines` gives all values that came under a name.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_lines<'h>(lines: &dyn Fn(&str) -> Vec<&'h [u8]>) -> Result<Self, Problem> {
        let mut faults = Vec::new();
        let idempotency_key = read_header(lines, "Idempotency-Key", &mut faults, |text| {
            let fits = !text.is_empty()
                && text.len() <= LONGEST_IDEMPOTENCY_KEY
                && text.bytes().all(|b| b.is_ascii_graphic());
            fits.then(|| text.to_owned()).ok_or("must be 1 to 255 visible ASCII characters, without spaces")
        });
        let deadline = read_header(lines, "Deadline-Ms", &mut faults, |text| {
            let ms = text.parse().ok().filter(|ms| (1..=LONGEST_DEADLINE_MS).contains(ms));
            ms.map(Duration::from_millis).ok_or("must be a whole number of milliseconds, 1 to 600000")
        });
        let trace = lines(TRACEPARENT).first().and_then(|sent| TraceContext::parse(sent));
        settle(Self { idempotency_key, deadline, trace }, faults)
    }
}

/// Why a record is read, as its reader says.
///
/// # Errors
/// `invalid_header`.
pub fn purpose(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    purpose_in(&|name| lines(headers, name))
}

/// The same from any door's headers.
///
/// # Errors
/// `invalid_header`.
pub fn purpose_in<'h>(lines: &dyn Fn(&str) -> Vec<&'h [u8]>) -> Result<Option<String>, Problem> {
    let mut faults = Vec::new();
    let purpose = read_header(lines, "Purpose", &mut faults, |text| {
        let fits = (1..=LONGEST_PURPOSE).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned()).ok_or("must be 1 to 200 characters of plain text")
    });
    settle(purpose, faults)
}

fn settle<T>(value: T, faults: Vec<Fault>) -> Result<T, Problem> {
    if faults.is_empty() {
        return Ok(value);
    }
    Err(Problem::new(Code::InvalidHeader, "a header cannot be read; `errors` names each").with_faults(faults))
}

fn lines<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h [u8]> {
    headers.get_all(name).map(HeaderValue::as_bytes).collect()
}

fn read_header<'h, T>(
    lines: &dyn Fn(&str) -> Vec<&'h [u8]>,
    name: &'static str,
    faults: &mut Vec<Fault>,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Option<T> {
    let all = lines(name);
    let parsed = match all.as_slice() {
        [] => return None,
        [one] if one.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) => std::str::from_utf8(one)
            .map_err(|_| "must be plain ASCII text")
            .and_then(|text| parse(text.trim())),
        [_] => Err("must be plain ASCII text"),
        _ => Err("is given more than once"),
    };
    parsed
        .map_err(|detail| {
            faults.push(Fault { at: At::Header(name), code: "invalid", detail: detail.to_owned() })
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let request = pairs.iter().fold(TestRequest::default(), |r, pair| r.append_header(*pair));
        request.to_http_request().headers().clone()
    }

    #[test]
    fn the_headers_of_a_decision_are_read() {
        let read =
            DecideHeaders::read(&headers(&[("Idempotency-Key", "a-1"), ("Deadline-Ms", "250")])).unwrap();
        let expected = DecideHeaders {
            idempotency_key: Some("a-1".into()),
            deadline: Some(Duration::from_millis(250)),
            trace: None,
        };
        assert_eq!(read, expected);
        assert_eq!(DecideHeaders::read(&headers(&[])).unwrap(), DecideHeaders::default());
    }

    #[test]
    fn headers_that_cannot_be_read_are_all_named() {
        let long = "x".repeat(256);
        let problem = DecideHeaders::read(&headers(&[("Idempotency-Key", &long), ("Deadline-Ms", "soon")]))
            .unwrap_err();
        assert_eq!((problem.code(), problem.faults().len()), (Code::InvalidHeader, 2));
        for (name, value) in [
            ("Idempotency-Key", ""),
            ("Idempotency-Key", "a b"),
            ("Idempotency-Key", "é"),
            ("Deadline-Ms", "0"),
            ("Deadline-Ms", "-1"),
            ("Deadline-Ms", "1.5"),
            ("Deadline-Ms", "99999999999999999999"),
        ] {
            assert!(DecideHeaders::read(&headers(&[(name, value)])).is_err(), "{name}: {value}");
        }
        let twice = headers(&[("Idempotency-Key", "a"), ("Idempotency-Key", "b")]);
        assert!(DecideHeaders::read(&twice).is_err());
    }

    #[test]
    fn only_plain_json_is_taken() {
        for fine in ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.x+json"] {
            assert!(check_media_type(&headers(&[("content-type", fine)]), Media::Json).is_ok(), "{fine}");
        }
        for bad in ["", "text/plain", "application/jsonp", "application/json; charset=utf-16"] {
            let refused = check_media_type(&headers(&[("content-type", bad)]), Media::Json).unwrap_err();
            assert_eq!(refused.code(), Code::UnsupportedMediaType, "{bad}");
        }
        let gzip = headers(&[("content-type", "application/json"), ("content-encoding", "gzip")]);
        assert!(check_media_type(&gzip, Media::Json).is_err());
        for (fine, given) in
            [(true, "application/x-tar"), (true, "application/tar"), (false, "application/json")]
        {
            assert_eq!(check_media_type(&headers(&[("content-type", given)]), Media::Tar).is_ok(), fine);
        }
    }
}
