//! How much of a flow its cases would miss if it were wrong: small changes, one at a time, and whether a case fails.
//! A change that can never matter is recognised and not counted; one that no case notices comes with a case that
//! would. Absent on purpose: writing files, and saying how far it is (the command line's).

mod axes;
mod case_text;
mod cells;
mod change;
mod literal;
mod mutants;
mod run;
mod search;
mod trees;

#[cfg(test)]
mod tests;

pub use case_text::{append, file_of};
pub use mutants::Operator;
pub use run::{Cases, Failing, Found, Progress, Survivor, Tried, Weak, mutate};

use serde::Serialize;

use crate::documents::Source;
use crate::trial::coverage::written_place;

/// Mutants for programs: `{"total", "caught", "survivors": […], "equivalent", "percent"}`.
#[derive(Debug, Clone, Serialize)]
pub struct MutantsBody {
    /// Changes that can matter.
    pub total: usize,
    /// Of those, changes that some case notices.
    pub caught: usize,
    /// Changes that can never matter: not in `total`.
    pub equivalent: usize,
    /// Of all that can matter, rounded down to two decimals.
    pub percent: f64,
    pub survivors: Vec<SurvivorBody>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SurvivorBody {
    pub flow: String,
    pub operator: Operator,
    /// `min_age: 18 → 19`
    pub change: String,
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub markets: Vec<String>,
    /// No case comes to the place at all.
    pub is_reached: bool,
    /// Cases whose answer changes in a part that they do not expect.
    pub unexpected: Vec<WeakBody>,
    /// A case that would notice, as it stands in a file of cases; `null` where none was found.
    pub case: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct WeakBody {
    pub case: String,
    pub file: String,
    pub line: u32,
    /// What to add under `expect:`.
    pub expect: String,
}

/// The share of what can matter that the cases notice; 100 where nothing can.
#[must_use]
pub fn percent(flows: &[Found]) -> f64 {
    let total: usize = flows.iter().map(Found::total).sum();
    let caught: usize = flows.iter().map(|flow| flow.caught.len()).sum();
    if total == 0 {
        return 100.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of mutants are far below 2^53")]
    let (caught, total) = (caught as f64, total as f64);
    100.0 * caught / total
}

/// All flows that were tried.
#[must_use]
pub fn body(flows: &[Found], sources: &[Source]) -> MutantsBody {
    let survivor = |found: &Found, survivor: &Survivor| {
        let (file, line, column) = written_place(sources, survivor.place);
        let weak = |weak: &Weak| WeakBody {
            case: weak.case.clone(),
            file: weak.path.clone(),
            line: weak.line,
            expect: weak.expect.clone(),
        };
        SurvivorBody {
            flow: found.flow.to_string(),
            operator: survivor.operator,
            change: survivor.change.clone(),
            file,
            line,
            column,
            markets: survivor.markets.iter().map(ToString::to_string).collect(),
            is_reached: survivor.is_reached,
            unexpected: survivor.weak.iter().map(weak).collect(),
            case: survivor.case.clone(),
        }
    };
    let survivors =
        flows.iter().flat_map(|found| found.survivors.iter().map(move |one| survivor(found, one)));
    MutantsBody {
        total: flows.iter().map(Found::total).sum(),
        caught: flows.iter().map(|found| found.caught.len()).sum(),
        equivalent: flows.iter().map(|found| found.equivalent.len()).sum(),
        percent: (percent(flows) * 100.0).floor() / 100.0,
        survivors: survivors.collect(),
    }
}
