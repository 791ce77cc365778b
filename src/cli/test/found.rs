//! What one run of `tollgate test` found, as text and as JSON: one field for each thing that a flag asks for. Absent
//! on purpose: finding it.

use serde::Serialize;

use super::coverage::Covered;
use crate::bundle::cases::{self, CaseResult, CasesSummary, CoverageSummary, FailedCase};
use crate::trial::coverage::CoverageBody;

/// What one run found.
pub(super) struct Found {
    pub results: Vec<CaseResult>,
    pub summary: CasesSummary,
    /// Flows that do not check: their cases could not run.
    pub broken: Vec<String>,
    /// Errors in files of the flows, cases among them.
    pub errors: usize,
    /// What the cases reach, if that was asked.
    pub covered: Option<Covered>,
}

/// `{"cases", "failed", "failures", "coverage", "broken"}`
#[derive(Serialize)]
pub(super) struct Body<'a> {
    cases: usize,
    failed: usize,
    failures: &'a [FailedCase],
    coverage: CoverageJson<'a>,
    broken: &'a [String],
}

/// The rules that were hit, and with `--coverage` everything else that was reached.
#[derive(Serialize)]
struct CoverageJson<'a> {
    #[serde(flatten)]
    rules: &'a CoverageSummary,
    #[serde(flatten)]
    more: Option<&'a CoverageBody>,
}

impl Found {
    /// Whether there is nothing to do for anybody.
    pub(super) fn is_fine(&self) -> bool {
        let is_covered = self.covered.as_ref().is_none_or(|covered| covered.is_enough);
        self.summary.failed == 0 && self.errors == 0 && self.broken.is_empty() && is_covered
    }

    pub(super) fn body(&self) -> Body<'_> {
        let CasesSummary { cases, failed, failures, coverage } = &self.summary;
        let more = self.covered.as_ref().map(|covered| &covered.body);
        Body {
            cases: *cases,
            failed: *failed,
            failures,
            coverage: CoverageJson { rules: coverage, more },
            broken: &self.broken,
        }
    }

    pub(super) fn text(&self) -> String {
        let CasesSummary { cases, failed, coverage, .. } = &self.summary;
        let never = if coverage.never_hit.is_empty() {
            String::new()
        } else {
            format!("\nnever hit: {}", coverage.never_hit.join(", "))
        };
        let holds = cases.saturating_sub(*failed);
        let covered =
            self.covered.as_ref().map_or_else(String::new, |covered| format!("\n\n{}", covered.text));
        format!(
            "{}{holds} of {cases} cases hold; {} of {} rules were hit{never}{covered}",
            cases::rendered(&self.results),
            coverage.hit,
            coverage.rules
        )
    }
}
