//! The trace that a question to another server is part of (W3C `traceparent`): the caller's, continued, or one that begins
//! here. Absent on purpose: sampling and exporting of spans; who samples is whoever began the trace.

use uuid::Uuid;

/// Name of the header and of the metadata.
pub const TRACEPARENT: &str = "traceparent";

/// A trace; every question is a span of its own in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// 32 lower-case hexadecimal digits.
    pub trace_id: String,
    flags: String,
}

impl TraceContext {
    /// Nothing when it is no valid one.
    #[must_use]
    pub fn parse(sent: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(sent).ok()?;
        let mut parts = text.split('-');
        let (version, trace_id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let real = |part: &str| part.bytes().any(|b| b != b'0');
        let fits = hex(version, 2) && hex(trace_id, 32) && hex(parent, 16) && hex(flags, 2);
        let ends = parts.next().is_none() || version != "00";
        (fits && ends && version != "ff" && real(trace_id) && real(parent))
            .then(|| Self { trace_id: trace_id.to_owned(), flags: flags.to_owned() })
    }

    /// A trace that begins here. Its flag is that of a sampled one, so that servers that trace may record their part.
    #[must_use]
    pub fn begin() -> Self {
        Self { trace_id: Uuid::new_v4().simple().to_string(), flags: "01".to_owned() }
    }

    /// The header: the same trace, a new span.
    #[must_use]
    pub fn to_text(&self) -> String {
        let span = Uuid::new_v4().as_u64_pair().0 | 1;
        format!("00-{}-{span:016x}-{}", self.trace_id, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_that_begins_here_is_a_valid_one() {
        let trace = TraceContext::begin();
        assert_eq!(TraceContext::parse(trace.to_text().as_bytes()), Some(trace.clone()));
        assert_ne!(trace.to_text(), trace.to_text(), "every question is a span of its own");
        assert_ne!(TraceContext::begin().trace_id, trace.trace_id);
    }
}
