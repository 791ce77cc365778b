//! Cases: examples with the answer that they must get. Read with the flow they belong to, run on it, and shown as
//! a difference when they get another. A case never keeps a flow out of force by itself.

mod asked_for;
mod compare;
mod deciding;
mod file;
mod markets;
mod pins;
mod prepared;
mod report;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use asked_for::ExpectedNeed;
pub use deciding::Deciding;
pub(super) use file::read_cases;
pub use prepared::{Prepared, prepared};
pub use report::{CasesSummary, CoverageSummary, FailedCase, rendered, rendered_one, summary};
pub use run::{Coverage, Lot, Running, run, run_all};

use crate::domain::diagnostic::Diagnostic;
use crate::domain::facts::Given;
use crate::domain::flow::ModelPin;
use crate::domain::list::List;
use crate::domain::place::Place;
use crate::domain::value::Name;

/// All cases of one flow.
#[derive(Debug, Clone, Default)]
pub struct CaseFiles {
    pub cases: Vec<Case>,
    /// The named sets of facts of `cases/_facts.yaml`.
    pub sets: BTreeMap<String, Given>,
    /// What is wrong in the files; a case with an error is not among `cases`.
    pub diagnostics: Vec<Diagnostic>,
}

/// One example: facts, circumstances and the expected answer.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub path: String,
    /// 1-based line of its name.
    pub line: u32,
    pub place: Place,
    /// `given` over the facts of `like`, without those of `without`.
    pub facts: Given,
    /// The moment of the decision; when it runs, if left out.
    pub at: Option<Timestamp>,
    pub models: BTreeMap<Name, ModelPin>,
    /// Entries that a list has in this case instead of its own.
    pub lists: BTreeMap<Name, Arc<List>>,
    /// Where it runs: `base`, markets, or both.
    pub markets: Vec<Name>,
    pub expect: Expectation,
    /// What is expected otherwise in some of the markets.
    pub differing: BTreeMap<Name, Expectation>,
    /// `generated: true`: written by `tollgate test --generate`, and confirmed by nobody yet.
    pub is_generated: bool,
}

/// What must come out; what is not mentioned may be anything.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    /// The case stops there: what the caller is asked for.
    pub needs: Option<Vec<ExpectedNeed>>,
    pub outcome: Option<String>,
    /// All reasons, in order.
    pub reasons: Option<Vec<String>>,
    /// Some of the reasons, in any order.
    pub reasons_include: Option<Vec<String>>,
    pub output: Vec<(String, Given)>,
    pub scores: Vec<(String, ExpectedScore)>,
    pub degraded: Option<bool>,
    /// Every step that fails, in any order.
    pub failed: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedScore {
    pub is: f64,
    /// How far the score may lie from it, either way.
    pub within: f64,
}

/// What came of one case.
#[derive(Debug, Clone)]
pub struct CaseResult {
    pub flow: Name,
    /// The market that it ran in, or `base`.
    pub market: Name,
    pub case: String,
    pub file: String,
    pub line: u32,
    /// Confirmed by nobody yet.
    pub is_generated: bool,
    /// Empty: the case holds.
    pub differences: Vec<Difference>,
    /// What decided it, where it does not hold and somebody asked.
    pub deciding: Deciding,
}

impl CaseResult {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }
}

/// One part of the answer that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `outcome`, `reasons`, `output apr`, `score default_risk`, `facts`, …
    pub part: String,
    pub expected: String,
    pub got: String,
}
