//! The durable, versioned form of what happened, and the log of it: append, look up, search, verify, replay's
//! comparison. Absent: rows and SQL (`store`), who may read what (`http`).

mod entry;
mod gathered;
mod json;
mod log;
mod part;
mod record;
#[cfg(test)]
mod sample;
mod show;
mod stored;
mod subject;
mod verdict;
mod verify;

pub use entry::{CasesRun, Entry, ReadEntry, Refusal, Switch};
pub use gathered::RecordedAnswer;
pub use log::{Audit, BadCursor, FileToKeep, Page, ReadError, Recorded, Search, SearchState};
pub use part::{OpenDecision, PartRecord, StoppedPart};
pub use record::{
    AnsweredPart, DecisionRecord, Provenance, ProvenanceKey, RECORD_VERSION, TRACE_VERSION, stamp,
};
pub use show::{MASK, Sight, masked_names};
pub use stored::{Answer, GivenReason, Record, Unreadable};
pub use subject::SubjectKey;
pub use verdict::{Difference, canonical_verdict, compare_verdicts};
pub use verify::{LogProblem, Verification, VerifyError, verify_database, verify_folder};

pub use crate::store::{
    AppendError, Appended, CentralHealth, Durability, Filter, Health, KeyGuard, KeyHolder, OpenError,
    QueueLimits, RevisionFile, RevisionRow, StoreError, StoreSettings,
};
