//! The durable, versioned form of what happened, and the log of it: append, look up, search, verify, replay's
//! comparison. Absent: rows and SQL (`store`), who may read what (`http`).

pub mod json;
mod record;
#[cfg(test)]
mod sample;
mod subject;
mod verdict;

pub use record::{DecisionRecord, Provenance, ProvenanceKey, RECORD_VERSION, TRACE_VERSION, stamp};
pub use subject::SubjectKey;
pub use verdict::{Difference, canonical_verdict, compare_verdicts};
