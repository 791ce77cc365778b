//! What the door found out about a request before its handler sees it: who asks, and under which id. Absent on purpose:
//! rules; they are REST's.

use std::sync::Arc;
use std::time::Duration;

use tonic::codegen::http::HeaderMap;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Request, Status};

use super::status::status;
use crate::gather::{TRACEPARENT, TraceContext};
use crate::http::access::Asker;
use crate::http::problem::Problem;
use crate::http::{DecideHeaders, Languages, asking};
use crate::store::Role;

const TIMEOUT: &str = "grpc-timeout";

/// Put into every request by the door.
#[derive(Debug, Clone)]
pub struct Caller {
    pub asker: Result<Asker, Problem>,
    /// Models may be asked by whoever can reach the address.
    pub model_doors_open: bool,
    pub request_id: Arc<str>,
}

impl Caller {
    /// Of a request that came through the door; one that did not has no rights.
    pub fn of<T>(request: &Request<T>) -> Arc<Self> {
        request.extensions().get::<Arc<Self>>().cloned().unwrap_or_else(|| {
            Arc::new(Self {
                asker: Err(Problem::starting()),
                model_doors_open: false,
                request_id: Arc::from(""),
            })
        })
    }

    /// Who asks, if that one has one of these roles.
    pub fn with_roles(&self, roles: &[Role]) -> Result<&Asker, Problem> {
        let asker = self.asker.as_ref().map_err(Clone::clone)?;
        asker.check_roles(roles)?;
        Ok(asker)
    }

    /// What the caller gets for a problem, which is counted.
    pub fn refused(&self, problem: &Problem) -> Status {
        asking::count_problem(problem);
        status(problem, &self.request_id)
    }
}

/// All values that came under a name.
pub fn lines<'m>(metadata: &'m MetadataMap, name: &str) -> Vec<&'m [u8]> {
    metadata.get_all(name).iter().map(MetadataValue::<Ascii>::as_encoded_bytes).collect()
}

/// What of a decision's metadata changes how it is made.
pub fn decide_headers(metadata: &MetadataMap) -> Result<DecideHeaders, Problem> {
    let mut headers = DecideHeaders::read_lines(&|name| lines(metadata, name))?;
    let timeout = metadata.get(TIMEOUT).and_then(|value| timeout(value.to_str().ok()?));
    headers.deadline = [headers.deadline, timeout].into_iter().flatten().min();
    Ok(headers)
}

/// How long the caller waits, if it says so.
pub fn deadline(headers: &HeaderMap) -> Option<Duration> {
    timeout(headers.get(TIMEOUT)?.to_str().ok()?)
}

/// The trace that a call says it is part of.
pub fn trace(metadata: &MetadataMap) -> Option<TraceContext> {
    TraceContext::parse(metadata.get(TRACEPARENT)?.as_encoded_bytes())
}

pub fn languages(metadata: &MetadataMap) -> Vec<String> {
    let sent = metadata.get("accept-language").and_then(|value| value.to_str().ok());
    sent.map(Languages::parse).unwrap_or_default().into_tags()
}

/// `grpc-timeout`: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let n: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_in_all_its_units() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("999999999n", None),
            ("", None),
            ("S", None),
            ("1.5S", None),
            ("5é", None),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }

    #[test]
    fn the_shorter_of_two_deadlines_counts() {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "2S".parse().unwrap());
        metadata.insert("deadline-ms", "250".parse().unwrap());
        metadata.insert("idempotency-key", "k-1".parse().unwrap());
        let headers = decide_headers(&metadata).unwrap();
        assert_eq!(headers.deadline, Some(Duration::from_millis(250)));
        assert_eq!(headers.idempotency_key.as_deref(), Some("k-1"));
    }
}
