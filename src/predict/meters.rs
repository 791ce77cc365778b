//! What is counted of one version: for `/metrics`, and for the statistics that the Open Inference Protocol's clients
//! ask for. Absent on purpose: inputs and answers themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Counter, Histogram};

use crate::domain::value::Name;

/// Counts of one version, since it was loaded.
pub struct Meters {
    seconds: Histogram,
    counts: Counts,
    told: Mutex<Told>,
}

/// What `/metrics` has been told so far. Requests add to [`Counts`] alone: a counter of the registry costs each of them
/// more than reading a small row.
struct Told {
    requests: Counter,
    failures: Counter,
    rows: Counter,
    before: Statistics,
}

#[derive(Debug, Default)]
struct Counts {
    rows: AtomicU64,
    succeeded: AtomicU64,
    succeeded_ns: AtomicU64,
    failed: AtomicU64,
    failed_ns: AtomicU64,
    last_ms: AtomicU64,
}

/// The counts of one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Rows answered.
    pub rows: u64,
    /// Requests answered, and the nanoseconds that the model took for them.
    pub succeeded: u64,
    pub succeeded_ns: u64,
    /// Requests that got no answer.
    pub failed: u64,
    pub failed_ns: u64,
    /// When it was asked last, in milliseconds since 1970; 0 when it never was.
    pub last_ms: u64,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Meters {
    pub(super) fn new(model: &Name, version: u32) -> Self {
        let (model, version) = (model.to_string(), version.to_string());
        let labels = [("model", model), ("version", version)];
        let told = Told {
            requests: metrics::counter!("tollgate_model_requests_total", &labels),
            failures: metrics::counter!("tollgate_model_failures_total", &labels),
            rows: metrics::counter!("tollgate_model_rows_total", &labels),
            before: Statistics::default(),
        };
        let seconds = metrics::histogram!("tollgate_model_seconds", &labels);
        Self { seconds, counts: Counts::default(), told: Mutex::new(told) }
    }

    /// Brings `/metrics` up to date.
    pub fn publish(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, now) = (told.before, self.statistics());
        let grown = |of: fn(&Statistics) -> u64| of(&now).saturating_sub(of(&before));
        told.requests.increment(grown(|counts| counts.succeeded + counts.failed));
        told.failures.increment(grown(|counts| counts.failed));
        told.rows.increment(grown(|counts| counts.rows));
        told.before = now;
    }

    pub(super) fn asked(&self, rows: usize, took: Duration, answered: bool) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let add = |counter: &AtomicU64, n: u64| {
            counter.fetch_add(n, Ordering::Relaxed);
        };
        if answered {
            let rows = u64::try_from(rows).unwrap_or(u64::MAX);
            self.seconds.record(took.as_secs_f64());
            add(&self.counts.rows, rows);
            add(&self.counts.succeeded, 1);
            add(&self.counts.succeeded_ns, nanoseconds);
        } else {
            add(&self.counts.failed, 1);
            add(&self.counts.failed_ns, nanoseconds);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.counts.last_ms.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            rows: read(&self.counts.rows),
            succeeded: read(&self.counts.succeeded),
            succeeded_ns: read(&self.counts.succeeded_ns),
            failed: read(&self.counts.failed),
            failed_ns: read(&self.counts.failed_ns),
            last_ms: read(&self.counts.last_ms),
        }
    }
}

impl Drop for Meters {
    fn drop(&mut self) {
        // What was counted since the last look is not lost with the version.
        self.publish();
    }
}
