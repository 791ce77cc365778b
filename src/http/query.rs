//! The query of an address, and the same filters as a body: names checked, values parsed, everything wrong listed
//! at once. Absent on purpose: personal values (`subject` comes in a body only, for addresses end up in logs).

use std::borrow::Cow;

use jiff::Timestamp;

use super::decide_body::{pointer_part, unknown_detail};
use super::problem::{At, Code, Fault, Problem, count_of_faults};
use crate::audit::{Filter, Search, SearchState};
use crate::domain::facts::Given;

const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 1000;
/// Characters of one value.
const LONGEST_VALUE: usize = 1024;

pub(super) const DECISION_NAMES: &[&str] = &[
    "flow",
    "market",
    "outcome",
    "reason",
    "reference",
    "rule",
    "model",
    "revision",
    "caller",
    "from",
    "to",
    "degraded",
    "state",
    "limit",
    "cursor",
];
const SEARCH_NAMES: &[&str] = &[
    "flow",
    "market",
    "outcome",
    "reason",
    "reference",
    "rule",
    "model",
    "revision",
    "caller",
    "subject",
    "from",
    "to",
    "degraded",
    "state",
    "limit",
    "cursor",
];
pub(super) const REFUSAL_NAMES: &[&str] =
    &["flow", "reference", "code", "caller", "from", "to", "limit", "cursor"];
pub(super) const RELEASE_NAMES: &[&str] = &["flow", "at", "from", "to", "limit", "cursor"];

fn state(word: &str) -> Option<SearchState> {
    match word {
        "decided" => Some(SearchState::Decided),
        "needs" => Some(SearchState::Needs),
        _ => None,
    }
}

/// Where values come from: it decides how a fault names its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Query,
    Body,
}

/// Named values, each at most once.
#[derive(Debug)]
pub struct Filters<'a> {
    sent: Sent,
    values: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    faults: Vec<Fault>,
}

impl<'a> Filters<'a> {
    /// Reads `a=b&c=d`; names outside `known` are faults, as is a name given twice.
    #[must_use]
    pub fn from_query(query: &'a str, known: &[&str]) -> Self {
        let mut filters = Self { sent: Sent::Query, values: Vec::new(), faults: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => filters.take(name, value, known),
                _ => filters.fault(name, "invalid", "is not percent-encoded UTF-8".to_owned()),
            }
        }
        filters
    }

    /// Reads `{"a": "b", "limit": 10}`: texts, numbers and booleans; null is as if left out.
    #[must_use]
    pub fn from_body(body: &'a Given) -> Self {
        let mut filters = Self { sent: Sent::Body, values: Vec::new(), faults: Vec::new() };
        let Given::Map(entries) = body else {
            filters.faults.push(Fault {
                at: At::Pointer(String::new()),
                code: "wrong_type",
                detail: "must be an object of filters".to_owned(),
            });
            return filters;
        };
        for (name, value) in entries {
            let value = match value {
                Given::Null => continue,
                Given::Text(text) | Given::Number(text) => Cow::from(text),
                Given::Boolean(true) => Cow::from("true"),
                Given::Boolean(false) => Cow::from("false"),
                Given::List(_) | Given::Map(_) => {
                    filters.fault(name, "wrong_type", "must be a single value".to_owned());
                    continue;
                }
            };
            filters.take(Cow::from(name), value, SEARCH_NAMES);
        }
        filters
    }

    fn take(&mut self, name: Cow<'a, str>, value: Cow<'a, str>, known: &[&str]) {
        if !known.contains(&&*name) {
            let detail = if name == "subject" && self.sent == Sent::Query {
                "is personal and does not belong in an address; use `POST /v1/decisions/search`".to_owned()
            } else {
                unknown_detail(&name, known)
            };
            self.fault(&name, "unknown", detail);
        } else if self.values.iter().any(|(n, _)| *n == name) {
            self.fault(&name, "repeated", "is given more than once".to_owned());
        } else if value.is_empty()
            || value.chars().count() > LONGEST_VALUE
            || value.chars().any(char::is_control)
        {
            let detail = format!("must have 1 to {LONGEST_VALUE} characters and no control characters");
            self.fault(&name, "invalid", detail);
        } else {
            self.values.push((name, value));
        }
    }

    fn fault(&mut self, name: &str, code: &'static str, detail: String) {
        let at = match self.sent {
            Sent::Query => At::Query(name.chars().take(64).collect()),
            Sent::Body => At::Pointer(format!("/{}", pointer_part(name))),
        };
        self.faults.push(Fault { at, code, detail });
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(str::to_owned)
    }

    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        detail: &str,
    ) -> Option<T> {
        let parsed = parse(self.raw(name)?);
        if parsed.is_none() {
            self.fault(name, "invalid", detail.to_owned());
        }
        parsed
    }

    fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed(name, |t| t.parse().ok(), "must be a time such as `2026-11-22T09:00:00Z`")
    }

    fn limit(&mut self) -> u32 {
        let parse = |t: &str| t.parse().ok().filter(|n| (1..=MOST).contains(n));
        self.parsed("limit", parse, "must be a whole number, 1 to 1000").unwrap_or(DEFAULT_LIMIT)
    }

    /// `value`, unless anything was wrong.
    ///
    /// # Errors
    /// `invalid_query` (`invalid_body` for filters sent as a body) with everything wrong.
    pub fn settle<T>(self, value: T) -> Result<T, Problem> {
        if self.faults.is_empty() {
            return Ok(value);
        }
        let (code, what) = match self.sent {
            Sent::Query => (Code::InvalidQuery, "the query"),
            Sent::Body => (Code::InvalidBody, "the body"),
        };
        let detail = format!("{} with {what}; `errors` lists all", count_of_faults(self.faults.len()));
        Err(Problem::new(code, detail).with_faults(self.faults))
    }

    /// What to search the log for. `code` of a refusal stands where a decision has its reasons; `at` is the end of
    /// the time that is looked at, itself included.
    ///
    /// # Errors
    /// As [`Filters::settle`].
    pub fn search(mut self) -> Result<Search, Problem> {
        let at = self.time("at").map(|at| at.as_microsecond().saturating_add(1));
        let state = self.parsed("state", state, "must be `decided` or `needs`").unwrap_or_default();
        let search = Search {
            state,
            filter: Filter {
                caller: self.text("caller"),
                flow: self.text("flow"),
                market: self.text("market"),
                outcome: self.text("outcome"),
                reason: self.text("reason").or_else(|| self.text("code")),
                rule: self.text("rule"),
                model: self.text("model"),
                reference: self.text("reference"),
                subject: None,
                revision: self.text("revision"),
                from_us: self.time("from").map(Timestamp::as_microsecond),
                to_us: at.or(self.time("to").map(Timestamp::as_microsecond)),
                degraded: self.parsed("degraded", |t| t.parse().ok(), "must be `true` or `false`"),
                before: None,
                limit: self.limit(),
            },
            subject: self.text("subject"),
            cursor: self.text("cursor"),
        };
        if search.check().is_err() {
            let detail = "must be a cursor as `next` gave it; leave it out to begin at the newest";
            self.fault("cursor", "invalid", detail.to_owned());
        }
        self.settle(search)
    }
}

/// Percent-decoding of one name or value; `+` is a space, as forms write it.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::from(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::json;

    fn faults(problem: &Problem) -> String {
        let lines = problem.faults().iter().map(|f| format!("{:?} {}: {}", f.at, f.code, f.detail));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn filters_are_read_from_the_address() {
        let text =
            "flow=personal_loan&reference=a%2F1+b&from=2026-11-22T09:00:00%2B01:00&degraded=true&limit=7";
        let query = Filters::from_query(text, DECISION_NAMES).search().unwrap();
        assert_eq!(
            (query.filter.flow.as_deref(), query.filter.reference.as_deref()),
            (Some("personal_loan"), Some("a/1 b"))
        );
        assert_eq!(query.filter.from_us, Some(1_795_334_400_000_000));
        assert_eq!((query.filter.degraded, query.filter.limit, query.cursor), (Some(true), 7, None));
        assert_eq!(Filters::from_query("", DECISION_NAMES).search().unwrap().filter.limit, 50);
    }

    #[test]
    fn everything_wrong_with_an_address_is_listed() {
        let text = "flwo=x&limit=0&from=yesterday&flow=a&flow=b&degraded=maybe&subject=me&cursor=%zz&to=";
        insta::assert_snapshot!(faults(&Filters::from_query(text, DECISION_NAMES).search().unwrap_err()), @r#"
        Query("flwo") unknown: is not known here; did you mean `flow`?
        Query("flow") repeated: is given more than once
        Query("subject") unknown: is personal and does not belong in an address; use `POST /v1/decisions/search`
        Query("cursor") invalid: is not percent-encoded UTF-8
        Query("to") invalid: must have 1 to 1024 characters and no control characters
        Query("from") invalid: must be a time such as `2026-11-22T09:00:00Z`
        Query("degraded") invalid: must be `true` or `false`
        Query("limit") invalid: must be a whole number, 1 to 1000
        "#);
    }

    #[test]
    fn a_body_takes_the_same_filters_and_a_subject() {
        let body = json::parse(
            br#"{"subject":"ABC","limit":10,"degraded":false,"flow":null}"#,
            json::JsonLimits::default(),
        )
        .unwrap();
        let query = Filters::from_body(&body).search().unwrap();
        let filter = query.filter;
        assert_eq!((query.subject.as_deref(), filter.limit, filter.degraded), (Some("ABC"), 10, Some(false)));
        let body = json::parse(br#"{"limit":[1],"sbject":"x"}"#, json::JsonLimits::default()).unwrap();
        insta::assert_snapshot!(faults(&Filters::from_body(&body).search().unwrap_err()), @r#"
        Pointer("/limit") wrong_type: must be a single value
        Pointer("/sbject") unknown: is not known here; did you mean `subject`?
        "#);
        assert_eq!(Filters::from_body(&Given::Null).search().unwrap_err().code(), Code::InvalidBody);
    }

    #[test]
    fn releases_may_be_asked_for_a_moment() {
        let query = Filters::from_query("at=2026-01-01T00:00:00Z", RELEASE_NAMES).search().unwrap();
        assert_eq!(query.filter.to_us, Some(1_767_225_600_000_001));
    }
}
