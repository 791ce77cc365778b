//! One pass of an evaluation under its guards. Absent on purpose: waiting, and everything that is recorded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::TraceLevel;
use crate::domain::facts::Facts;
use crate::domain::flow::remote::{Known, ModelAsked};
use crate::domain::flow::watch::{Explaining, Watch};
use crate::domain::flow::{Budget, Flow, Pins};
use crate::domain::verdict::Verdict;

/// The last guard on one evaluation; ticks end it long before.
const WALL_CLOCK_GUARD: Duration = Duration::from_secs(1);

/// What stops an evaluation before its ticks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    Clock,
    /// The clock, and models explain themselves in the trace.
    Explaining,
    /// A replay stops where the record says, or nowhere: not where this machine's clock would.
    Recorded(Option<u64>),
}

impl Guard {
    /// For a full trace models explain themselves.
    pub(super) fn of(trace: TraceLevel) -> Self {
        match trace {
            TraceLevel::Full => Self::Explaining,
            TraceLevel::None | TraceLevel::Summary => Self::Clock,
        }
    }
}

/// Evaluates on this machine alone.
pub(super) fn run(flow: &Flow, facts: &Facts, decided_at: Timestamp, guard: Guard) -> Verdict {
    pass(flow, facts, decided_at, guard, Known::Offline)
        .unwrap_or_else(|_| flow.given_up(facts, decided_at, "the evaluation asked what nobody answers"))
}

/// Evaluates under the guards: the clock's, and one against defects of our own. An error is what has to be asked.
pub(super) fn pass(
    flow: &Flow,
    facts: &Facts,
    decided_at: Timestamp,
    guard: Guard,
    known: Known<'_>,
) -> Result<Verdict, Vec<ModelAsked>> {
    let started = Instant::now();
    let late = move || started.elapsed() > WALL_CLOCK_GUARD;
    let budget = match guard {
        Guard::Clock | Guard::Explaining => Budget { alarm: Some(&late), stop_at: None },
        Guard::Recorded(stop_at) => Budget { alarm: None, stop_at },
    };
    let pins = Pins::default();
    let watch: Option<&dyn Watch> = (guard == Guard::Explaining).then_some(&Explaining);
    let decided = || flow.decide_knowing(facts, decided_at, (&budget, &pins), known, watch);
    catch_unwind(AssertUnwindSafe(decided)).unwrap_or_else(|_| {
        tracing::error!(flow = &*flow.name, "the evaluation panicked; on_error was recorded");
        Ok(flow.given_up(facts, decided_at, "the evaluation could not be finished"))
    })
}
