//! Problems: what a request gets when it gets no answer (RFC 9457). One finite list of codes, each with its page in
//! `docs/errors/`, and one `match` for each error of the rooms below. Absent on purpose: any value that a caller
//! sent as a fact, file paths, SQL, and the words of an error's cause (those go to the log).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use serde::Serialize;

pub use super::fault::{At, Fault};
use crate::audit::{ReadError, StoreError};
use crate::domain::facts::FactProblem;
use crate::engine::{DecideError, ReplayError};

/// Everything that a problem can be about. The word of each is part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    MalformedBody,
    InvalidQuery,
    InvalidHeader,
    Unauthenticated,
    Forbidden,
    UnknownRoute,
    UnknownFlow,
    UnknownMarket,
    UnknownModel,
    UnknownDecision,
    UnknownRevision,
    UnknownErrorCode,
    MethodNotAllowed,
    RequestTimeout,
    BodyTooLarge,
    HeadTooLarge,
    UnsupportedMediaType,
    InvalidBody,
    InvalidFacts,
    KeyReused,
    NotReplayable,
    AlreadyDecided,
    DecisionExpired,
    Internal,
    Overloaded,
    NotRecorded,
    Starting,
    StoreUnavailable,
    DeadlineExceeded,
}

/// What is fixed about a code: its word, status, title, and its page for people.
#[derive(Debug)]
pub struct CodeFacts {
    pub word: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    pub page: &'static str,
}

macro_rules! codes {
    ($($code:ident = $word:literal, $status:ident, $title:literal;)*) => {
        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            #[must_use]
            pub fn facts(self) -> CodeFacts {
                match self {
                    $(Self::$code => CodeFacts {
                        word: $word,
                        status: StatusCode::$status,
                        title: $title,
                        page: include_str!(concat!("../../docs/errors/", $word, ".md")),
                    },)*
                }
            }
        }
    };
}

codes! {
    MalformedBody = "malformed_body", BAD_REQUEST, "The body cannot be read";
    InvalidQuery = "invalid_query", BAD_REQUEST, "The query has names or values that this route does not take";
    InvalidHeader = "invalid_header", BAD_REQUEST, "A header has a value that cannot be read";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "No valid key was sent";
    Forbidden = "forbidden", FORBIDDEN, "This key may not do that";
    UnknownRoute = "unknown_route", NOT_FOUND, "There is nothing at this address";
    UnknownFlow = "unknown_flow", NOT_FOUND, "There is no flow of that name";
    UnknownMarket = "unknown_market", NOT_FOUND, "The flow has no market of that name";
    UnknownModel = "unknown_model", NOT_FOUND, "There is no model or version of that name";
    UnknownDecision = "unknown_decision", NOT_FOUND, "There is no decision with that id";
    UnknownRevision = "unknown_revision", NOT_FOUND, "There is no revision with that digest";
    UnknownErrorCode = "unknown_error_code", NOT_FOUND, "There is no problem code of that name";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This address does not take that method";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body took too long to arrive";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    HeadTooLarge = "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The address and headers are too large";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body is not sent as plain JSON";
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, "The body does not have the shape that this route takes";
    InvalidFacts = "invalid_facts", UNPROCESSABLE_ENTITY, "The facts do not fit the inputs that the flow declares";
    KeyReused = "key_reused", UNPROCESSABLE_ENTITY, "The idempotency key was used with another body";
    NotReplayable = "not_replayable", UNPROCESSABLE_ENTITY, "The decision cannot be replayed";
    AlreadyDecided = "already_decided", CONFLICT, "The decision is made, and not on these facts";
    DecisionExpired = "decision_expired", GONE, "The decision was not continued in time";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Tollgate failed";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "There is more to do than can be done in time";
    NotRecorded = "not_recorded", SERVICE_UNAVAILABLE, "The decision could not be recorded, so there is none";
    Starting = "starting", SERVICE_UNAVAILABLE, "The service is not ready yet";
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The records cannot be read now";
    DeadlineExceeded = "deadline_exceeded", GATEWAY_TIMEOUT, "The deadline passed before the decision began";
}

/// What a refused request was about, as far as it is known: for the log of refusals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub flow: Option<String>,
    pub market: Option<String>,
    pub reference: Option<String>,
}

/// An answer that says why there is no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Inside>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inside {
    code: Code,
    detail: String,
    faults: Vec<Fault>,
    allow: Option<String>,
    retry_after_s: Option<u32>,
    about: About,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl Problem {
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Inside {
            code,
            detail: detail.into(),
            faults: Vec::new(),
            allow: None,
            retry_after_s: None,
            about: About::default(),
        }))
    }

    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.0.faults = faults;
        self
    }

    /// The methods that the address takes, for `Allow`.
    #[must_use]
    pub fn with_allow(mut self, methods: String) -> Self {
        self.0.allow = Some(methods);
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    #[must_use]
    pub fn about(mut self, about: About) -> Self {
        self.0.about = about;
        self
    }

    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// After how many seconds it is worth asking again.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        self.0.retry_after_s
    }

    #[must_use]
    pub fn subject(&self) -> &About {
        &self.0.about
    }

    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The body, as it is sent.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let CodeFacts { word, status, title, .. } = self.0.code.facts();
        let body = ProblemBody {
            r#type: &format!("/docs/errors/{word}"),
            title,
            status: status.as_u16(),
            code: word,
            detail: &self.0.detail,
            errors: &self.0.faults,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    #[must_use]
    pub fn respond(&self) -> HttpResponse {
        self.respond_with("application/problem+json", self.to_json())
    }

    /// As servers of models answer: `{"error": "…"}`.
    #[must_use]
    pub fn respond_as_model_server(&self) -> HttpResponse {
        let body = serde_json::json!({ "error": self.0.detail }).to_string();
        self.respond_with("application/json", body.into_bytes())
    }

    fn respond_with(&self, content_type: &'static str, body: Vec<u8>) -> HttpResponse {
        let mut response = HttpResponse::build(self.0.code.facts().status);
        response.content_type(content_type);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(allow) = &self.0.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if let Some(seconds) = self.0.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.0.code == Code::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"tollgate\""));
        }
        response.body(body)
    }
}

/// `x` in back-quotes, cut at 64 characters: for names that a caller sent.
#[must_use]
pub fn quoted(name: &str) -> String {
    let cut: String = name.chars().take(64).collect();
    let dots = if cut.len() < name.len() { "…" } else { "" };
    format!("`{cut}{dots}`")
}

fn nearest_hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The facts' own problems, with pointers from the root of the body.
#[must_use]
pub fn fact_faults(problems: Vec<FactProblem>) -> Vec<Fault> {
    problems
        .into_iter()
        .map(|p| Fault { at: At::Pointer(format!("/facts{}", p.pointer)), code: p.code, detail: p.detail })
        .collect()
}

/// `1 thing is wrong`, `3 things are wrong`.
#[must_use]
pub fn count_of_faults(n: usize) -> String {
    if n == 1 { "1 thing is wrong".to_owned() } else { format!("{n} things are wrong") }
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::UnknownFlow { flow, nearest } => Self::new(
                Code::UnknownFlow,
                format!("there is no flow {}{}", quoted(&flow), nearest_hint(nearest.as_deref())),
            ),
            DecideError::UnknownMarket { market, nearest } => Self::new(
                Code::UnknownMarket,
                format!("the flow has no market {}{}", quoted(&market), nearest_hint(nearest.as_deref())),
            ),
            DecideError::MarketRequired { markets } => {
                let known = markets.join("`, `");
                let detail = format!("is required by this flow; it decides for `{known}`");
                Self::new(Code::InvalidBody, format!("`market` {detail}")).with_faults(vec![Fault {
                    at: At::Pointer("/market".to_owned()),
                    code: "missing",
                    detail,
                }])
            }
            DecideError::InvalidFacts(problems) => Self::new(
                Code::InvalidFacts,
                format!("{} with the facts; `errors` lists all", count_of_faults(problems.len())),
            )
            .with_faults(fact_faults(problems)),
            DecideError::KeyReused => Self::new(
                Code::KeyReused,
                "this `Idempotency-Key` came with another body before; send a new key with a new body",
            ),
            DecideError::NotRecorded { retry_after_s } => Self::new(
                Code::NotRecorded,
                "nothing was decided; the same request with the same `Idempotency-Key` is safe to send again",
            )
            .with_retry_after(retry_after_s),
            DecideError::Overloaded { retry_after_s } => {
                Self::new(Code::Overloaded, "nothing was decided; send the request again later")
                    .with_retry_after(retry_after_s)
            }
            DecideError::DeadlineExceeded => Self::new(
                Code::DeadlineExceeded,
                "nothing was decided or recorded; raise `Deadline-Ms` or leave it out",
            ),
            DecideError::Starting => Self::starting(),
        }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::UnknownDecision => Self::unknown_decision(),
            ReplayError::UnknownRevision => Self::unknown_revision(),
            ReplayError::NotReplayable { detail } => Self::new(Code::NotReplayable, detail),
            ReplayError::Read(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Unreadable(error) => {
                tracing::error!(%error, "a record cannot be read");
                Self::new(Code::Internal, "a record is not of a form that this version can read")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::store_unavailable(&error)
    }
}

impl Problem {
    #[must_use]
    pub fn starting() -> Self {
        Self::new(Code::Starting, "flows and records are being loaded; `/readyz` says when that is done")
            .with_retry_after(1)
    }

    #[must_use]
    pub fn unknown_decision() -> Self {
        Self::new(Code::UnknownDecision, "no decision with this id that this key may read")
    }

    #[must_use]
    pub fn unknown_revision() -> Self {
        Self::new(Code::UnknownRevision, "no revision with this digest was ever in force here")
    }

    /// The cause is for the log only; it is written here, once.
    pub(super) fn store_unavailable(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %chain(cause), "the record store cannot be read");
        Self::new(Code::StoreUnavailable, "the records cannot be read now; try again").with_retry_after(1)
    }
}

/// An error and its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(problem: &Problem) -> String {
        let value: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    }

    #[test]
    fn every_code_has_one_word_a_page_that_names_it_and_an_error_status() {
        let mut words = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let facts = code.facts();
            assert!(words.insert(facts.word), "`{}` twice", facts.word);
            assert!(facts.status.is_client_error() || facts.status.is_server_error());
            assert!(
                facts.page.starts_with(&format!("# `{}`\n", facts.word)),
                "first line of {}.md",
                facts.word
            );
            assert!(facts.page.contains(&format!("Status {}", facts.status.as_u16())), "{}.md", facts.word);
            assert!(facts.page.contains("## What to do"), "{}.md says no way out", facts.word);
        }
    }

    #[test]
    fn no_page_is_left_of_a_code_that_is_gone() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let word = name.strip_suffix(".md").unwrap();
            assert!(Code::ALL.iter().any(|c| c.facts().word == word), "docs/errors/{name} has no code");
        }
    }

    #[test]
    fn facts_that_do_not_fit_are_listed_at_their_place_in_the_body() {
        let problem = Problem::from(DecideError::InvalidFacts(vec![
            FactProblem { pointer: "/amount".into(), code: "too_low", detail: "must be at least 0".into() },
            FactProblem { pointer: "/agee".into(), code: "unknown", detail: "did you mean `age`?".into() },
        ]));
        insta::assert_snapshot!(shown(&problem), @r#"
        {
          "type": "/docs/errors/invalid_facts",
          "title": "The facts do not fit the inputs that the flow declares",
          "status": 422,
          "code": "invalid_facts",
          "detail": "2 things are wrong with the facts; `errors` lists all",
          "errors": [
            {
              "pointer": "/facts/amount",
              "code": "too_low",
              "detail": "must be at least 0"
            },
            {
              "pointer": "/facts/agee",
              "code": "unknown",
              "detail": "did you mean `age`?"
            }
          ]
        }
        "#);
    }

    #[test]
    fn an_unknown_flow_names_the_nearest() {
        let problem = Problem::from(DecideError::UnknownFlow {
            flow: "personal_laon".into(),
            nearest: Some("personal_loan".into()),
        });
        insta::assert_snapshot!(shown(&problem), @r#"
        {
          "type": "/docs/errors/unknown_flow",
          "title": "There is no flow of that name",
          "status": 404,
          "code": "unknown_flow",
          "detail": "there is no flow `personal_laon`; did you mean `personal_loan`?"
        }
        "#);
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 67);
        assert_eq!(quoted("flow"), "`flow`");
    }

    #[test]
    fn a_store_that_fails_says_nothing_of_its_inside() {
        let problem = Problem::from(ReadError::Store(StoreError::Unreadable("column `facts` of /var/lib/x")));
        assert_eq!(problem.code(), Code::StoreUnavailable);
        let shown = shown(&problem);
        assert!(!shown.contains("column") && !shown.contains("/var"), "{shown}");
    }
}
