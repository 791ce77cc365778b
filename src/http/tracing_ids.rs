//! How one request is found again: its own id (`X-Request-Id`) and the trace that it is part of (W3C `traceparent`).
//! Absent on purpose: sampling and exporting of spans.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::{NoContext, Timestamp, Uuid};

use crate::gather::TraceContext;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const LONGEST_REQUEST_ID: usize = 128;

/// The id that was sent, if it is fit to be written in a log; else a new one.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> HeaderValue {
    headers.get(X_REQUEST_ID).filter(|sent| is_plain(sent.as_bytes())).cloned().unwrap_or_else(|| {
        let mut buffer = Uuid::encode_buffer();
        HeaderValue::from_str(new_id(&mut buffer)).unwrap_or(HeaderValue::from_static("none"))
    })
}

fn new_id(buffer: &mut [u8]) -> &str {
    // In the order of their times is enough: a count within the millisecond would be one that all threads share.
    Uuid::new_v7(Timestamp::now(NoContext)).hyphenated().encode_lower(buffer)
}

/// The same from any door's headers.
#[must_use]
pub fn request_id_text(sent: Option<&[u8]>) -> Arc<str> {
    let kept = sent.filter(|sent| is_plain(sent)).and_then(|sent| std::str::from_utf8(sent).ok());
    kept.map_or_else(|| Arc::from(new_id(&mut Uuid::encode_buffer())), Arc::from)
}

fn is_plain(bytes: &[u8]) -> bool {
    (1..=LONGEST_REQUEST_ID).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(b))
}

/// The trace that a request says it is part of. Nothing when no valid one was sent.
#[must_use]
pub fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    TraceContext::parse(headers.get(TRACEPARENT)?.as_bytes())
}

/// The header of the answer: the same trace, a new span.
#[must_use]
pub fn trace_header(trace: &TraceContext) -> Option<HeaderValue> {
    HeaderValue::from_str(&trace.to_text()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        TestRequest::default().insert_header((name, value)).to_http_request().headers().clone()
    }

    #[test]
    fn a_plain_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(request_id(&headers(X_REQUEST_ID, "abc-1")), "abc-1");
        for bad in ["", "a b", "\x1b[31m", "<script>", &"x".repeat(129)] {
            if let Ok(value) = HeaderValue::from_str(bad) {
                let mut map = HeaderMap::new();
                map.insert(X_REQUEST_ID, value);
                assert_eq!(request_id(&map).len(), 36, "{bad:?}");
            }
        }
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_ours() {
        let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = trace_of(&headers(TRACEPARENT, sent)).unwrap();
        let answer = trace_header(&context).unwrap();
        let answer = answer.to_str().unwrap();
        assert!(answer.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && answer.ends_with("-01"));
        assert_ne!(answer, sent);
    }

    #[test]
    fn what_is_no_trace_is_ignored() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(trace_of(&headers(TRACEPARENT, bad)), None, "{bad}");
        }
    }
}
