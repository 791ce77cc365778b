//! What one run of `tollgate test` found, as text and as JSON: one field for each thing that a flag asks for. Absent
//! on purpose: finding it.

use std::time::Duration;

use serde::Serialize;

use super::coverage::Covered;
use super::mutation::Mutants;
use super::properties::{self, PropertyBody};
use crate::bundle::cases::{self, CaseResult, CasesSummary, CoverageSummary, FailedCase};
use crate::documents::Source;
use crate::trial::coverage::CoverageBody;
use crate::trial::mutation::MutantsBody;
use crate::trial::properties::{Held, PropertyResult};

/// What one run found.
pub(super) struct Found {
    pub results: Vec<CaseResult>,
    pub summary: CasesSummary,
    pub properties: Vec<PropertyResult>,
    /// Flows that do not check: their cases could not run.
    pub broken: Vec<String>,
    /// Errors in files of the flows, cases among them.
    pub errors: usize,
    /// What running the cases took, without reading the files.
    pub elapsed: Duration,
    /// Not all cases were run.
    pub is_part: bool,
    /// What the cases reach, if that was asked.
    pub covered: Option<Covered>,
    /// What the cases would miss, if that was asked.
    pub mutants: Option<Mutants>,
}

/// `{"cases", "failed", "generated", "failures", "coverage", "mutants", "properties", "broken", "elapsed_us"}`
#[derive(Serialize)]
pub(super) struct Body<'a> {
    cases: usize,
    failed: usize,
    /// Of `cases`, those that nobody has confirmed.
    generated: usize,
    failures: &'a [FailedCase],
    coverage: CoverageJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<&'a MutantsBody>,
    properties: Vec<PropertyBody<'a>>,
    broken: &'a [String],
    /// Microseconds that running the cases took, without reading the files.
    elapsed_us: u64,
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
        let properties_hold = self.properties.iter().all(PropertyResult::holds);
        let cases_hold = self.summary.failed == 0 && self.errors == 0 && self.broken.is_empty();
        let is_noticed = self.mutants.as_ref().is_none_or(|mutants| mutants.is_enough);
        cases_hold && properties_hold && is_covered && is_noticed
    }

    pub(super) fn body(&self, sources: &[Source]) -> Body<'_> {
        let CasesSummary { cases, failed, generated, failures, coverage } = &self.summary;
        let more = self.covered.as_ref().map(|covered| &covered.body);
        Body {
            cases: *cases,
            failed: *failed,
            generated: *generated,
            failures,
            coverage: CoverageJson { rules: coverage, more },
            mutants: self.mutants.as_ref().map(|mutants| &mutants.body),
            properties: self.properties.iter().map(|result| properties::body(result, sources)).collect(),
            broken: &self.broken,
            elapsed_us: u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn text(&self, sources: &[Source]) -> String {
        let broken = self.properties.iter().filter(|result| !result.holds());
        let broken: String = broken.map(|result| properties::rendered(result, sources) + "\n").collect();
        format!("{}{broken}{}", cases::rendered(&self.results), self.totals())
    }

    /// `132 of 132 cases hold, in 8.1 ms; 38 of 38 rules were hit`
    pub(super) fn totals(&self) -> String {
        let CasesSummary { cases, failed, coverage, generated, .. } = &self.summary;
        let holds = cases.saturating_sub(*failed);
        let milliseconds = self.elapsed.as_secs_f64() * 1_000.0;
        let mut text = format!("{holds} of {cases} cases hold, in {milliseconds:.1} ms");
        if !self.is_part {
            text.push_str(&format!("; {} of {} rules were hit", coverage.hit, coverage.rules));
        }
        if !self.properties.is_empty() {
            let hold = self.properties.iter().filter(|result| result.holds()).count();
            let proved = self.properties.iter().filter(|r| matches!(r.held, Held::Proved(_))).count();
            let tried: u64 = self.properties.iter().map(|result| result.tried).sum();
            text.push_str(&format!(
                "\n{hold} of {} properties hold: {proved} proved, the others in {tried} trials",
                self.properties.len()
            ));
        }
        if *generated > 0 {
            let were = if *generated == 1 { "was" } else { "were" };
            text.push_str(&format!(
                "\n{generated} of them {were} generated, to be confirmed by a person: hold the answer against the policy, \
                 then remove `generated: true`"
            ));
        }
        if !self.is_part && !coverage.never_hit.is_empty() {
            text.push_str(&format!("\nnever hit: {}", coverage.never_hit.join(", ")));
        }
        if !self.broken.is_empty() {
            text.push_str(&format!("\nnot run, because they do not check: {}", self.broken.join(", ")));
        }
        if let Some(covered) = &self.covered {
            text.push_str(&format!("\n\n{}", covered.text));
        }
        if let Some(mutants) = &self.mutants {
            text.push_str(&format!("\n\n{}", mutants.text));
        }
        text
    }
}
