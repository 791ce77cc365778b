//! What one run of `tollgate test` found, as text and as JSON: one field for each thing that a flag asks for. Absent
//! on purpose: finding it.

use serde::Serialize;

use crate::bundle::cases::{self, CaseResult, CasesSummary};

/// What one run found.
pub(super) struct Found {
    pub results: Vec<CaseResult>,
    pub summary: CasesSummary,
    /// Flows that do not check: their cases could not run.
    pub broken: Vec<String>,
    /// Errors in files of the flows, cases among them.
    pub errors: usize,
}

/// `{"cases", "failed", "failures", "coverage", "broken"}`
#[derive(Serialize)]
pub(super) struct Body<'a> {
    #[serde(flatten)]
    summary: &'a CasesSummary,
    broken: &'a [String],
}

impl Found {
    /// Whether there is nothing to do for anybody.
    pub(super) fn is_fine(&self) -> bool {
        self.summary.failed == 0 && self.errors == 0 && self.broken.is_empty()
    }

    pub(super) fn body(&self) -> Body<'_> {
        Body { summary: &self.summary, broken: &self.broken }
    }

    pub(super) fn text(&self) -> String {
        let CasesSummary { cases, failed, coverage, .. } = &self.summary;
        let never = if coverage.never_hit.is_empty() {
            String::new()
        } else {
            format!("\nnever hit: {}", coverage.never_hit.join(", "))
        };
        let holds = cases.saturating_sub(*failed);
        format!(
            "{}{holds} of {cases} cases hold; {} of {} rules were hit{never}",
            cases::rendered(&self.results),
            coverage.hit,
            coverage.rules
        )
    }
}
