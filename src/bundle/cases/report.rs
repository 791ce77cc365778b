//! Results of cases for people (a difference each) and for programs. No exit codes and no printing.

use std::fmt::Write as _;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::{CaseResult, Coverage, Difference};
use crate::bundle::BASE;

/// Counts for programs: `{"cases", "failed", "failures": […], "coverage": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CasesSummary {
    pub cases: usize,
    pub failed: usize,
    /// Of `cases`, those that `--generate` wrote and nobody has confirmed.
    pub generated: usize,
    pub failures: Vec<FailedCase>,
    pub coverage: CoverageSummary,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedCase {
    pub flow: String,
    pub market: String,
    pub case: String,
    pub file: String,
    pub line: u32,
    pub differences: Vec<DifferenceSummary>,
    /// What decided it, line by line; empty where nobody asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decided_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceSummary {
    pub part: String,
    pub expected: String,
    pub got: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CoverageSummary {
    /// Rules declared.
    pub rules: usize,
    /// Of those, rules that some case hits.
    pub hit: usize,
    /// `personal_loan/knockout/under_age`.
    pub never_hit: Vec<String>,
}

/// The results of any number of flows; one `Coverage` a flow.
#[must_use]
pub fn summary(results: &[CaseResult], coverage: &[(&str, &Coverage)]) -> CasesSummary {
    let failures: Vec<FailedCase> = results.iter().filter(|result| !result.holds()).map(failed).collect();
    let mut covered = CoverageSummary::default();
    for (flow, coverage) in coverage {
        covered.rules += coverage.rules.len();
        covered.hit += coverage.hit.len();
        covered
            .never_hit
            .extend(coverage.never_hit().into_iter().map(|(set, rule)| format!("{flow}/{set}/{rule}")));
    }
    let generated = results.iter().filter(|result| result.is_generated).count();
    CasesSummary { cases: results.len(), failed: failures.len(), generated, failures, coverage: covered }
}

fn failed(result: &CaseResult) -> FailedCase {
    let difference = |difference: &Difference| DifferenceSummary {
        part: difference.part.clone(),
        expected: difference.expected.clone(),
        got: difference.got.clone(),
    };
    FailedCase {
        flow: result.flow.to_string(),
        market: result.market.to_string(),
        case: result.case.clone(),
        file: result.file.clone(),
        line: result.line,
        differences: result.differences.iter().map(difference).collect(),
        decided_by: result.deciding.lines.clone(),
    }
}

/// The cases that do not hold, each with its place and what differs; empty when all hold.
#[must_use]
pub fn rendered(results: &[CaseResult]) -> String {
    let mut text = String::new();
    for result in results.iter().filter(|result| !result.holds()) {
        text.push_str(&rendered_one(result));
        text.push('\n');
    }
    text
}

/// One case that does not hold.
#[must_use]
pub fn rendered_one(result: &CaseResult) -> String {
    let market = match &*result.market {
        BASE => String::new(),
        market => format!(" (in the market `{market}`)"),
    };
    let confirmed = if result.is_generated { ", generated and not yet confirmed" } else { "" };
    let mut text =
        format!("case failed: {}{market}{confirmed}\n  --> {}:{}\n", result.case, result.file, result.line);
    // Writing to a string cannot fail.
    for difference in &result.differences {
        let _ = writeln!(text, "   | {}", difference.part);
        let diff = TextDiff::from_lines(&difference.expected, &difference.got);
        for change in diff.iter_all_changes() {
            let (sign, whose) = match change.tag() {
                ChangeTag::Delete => ('-', "  (expected)"),
                ChangeTag::Insert => ('+', "  (got)"),
                ChangeTag::Equal => (' ', ""),
            };
            let _ = writeln!(text, "   | {sign} {}{whose}", change.value().trim_end_matches('\n'));
        }
    }
    if !result.deciding.lines.is_empty() {
        let _ = writeln!(text, "   = decided by:");
        for line in &result.deciding.lines {
            let _ = writeln!(text, "       {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::Name;

    #[test]
    fn a_failed_case_shows_its_place_and_what_differs() {
        let difference = |part: &str, expected: &str, got: &str| Difference {
            part: part.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
        };
        let result = |case: &str, differences| CaseResult {
            flow: Name::from("loan"),
            market: Name::from(BASE),
            case: case.to_owned(),
            file: "rules/loan/cases/a.yaml".to_owned(),
            line: 7,
            is_generated: false,
            differences,
            deciding: super::super::Deciding::default(),
        };
        let results = [
            result("holds", Vec::new()),
            result(
                "a minor is declined",
                vec![
                    difference("outcome", "decline", "approve"),
                    difference(
                        "facts",
                        "facts that the flow admits",
                        "/age too_high: at most 120\n/amount missing: required",
                    ),
                ],
            ),
        ];
        let expected = "\
case failed: a minor is declined
  --> rules/loan/cases/a.yaml:7
   | outcome
   | - decline  (expected)
   | + approve  (got)
   | facts
   | - facts that the flow admits  (expected)
   | + /age too_high: at most 120  (got)
   | + /amount missing: required  (got)

";
        assert_eq!(rendered(&results), expected);
        let summary = summary(&results, &[]);
        assert_eq!((summary.cases, summary.failed), (2, 1));
        assert_eq!(summary.failures.first().map(|failed| failed.differences.len()), Some(2));
    }
}
