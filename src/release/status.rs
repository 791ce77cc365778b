//! What is in force and what was refused, for `/readyz` and `GET /v1/flows`. A picture of one moment: nothing in
//! it changes later.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::CasesTold;
use crate::bundle::cases::FailedCase;
use crate::bundle::{Built, Bundle, FlowReport};
use crate::documents::Source;
use crate::documents::findings::{Finding, listed};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::value::Name;

#[derive(Debug, Clone)]
pub struct ReleaseStatus {
    pub revision: Arc<str>,
    /// Since when this revision is in force.
    pub since: Timestamp,
    pub reload: ReloadState,
    /// When the files were read last and differed from before.
    pub read_at: Timestamp,
    /// Every flow folder, and flows of the bundle whose folder cannot be read.
    pub flows: BTreeMap<Name, FlowStatus>,
    /// Everything that is wrong, errors and warnings, in one sorted list.
    pub diagnostics: Vec<Finding>,
    pub cases: CasesStatus,
    /// Why nothing at all was taken, if it was not for the documents: `rules/` unreadable, the store down.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadState {
    Ok,
    /// Something on disk is not in force: a flow that does not check, or everything.
    Failed,
}

impl ReloadState {
    /// `ok` or `failed`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone)]
pub struct FlowStatus {
    /// What is in force, if anything is: over all its markets.
    pub flow_revision: Option<Arc<str>>,
    /// Since when that is in force.
    pub since: Option<Timestamp>,
    /// Why the files on disk are not what is in force; empty when they are.
    pub broken: Vec<Finding>,
}

/// How the cases came out when the files were read last.
#[derive(Debug, Clone, Default)]
pub struct CasesStatus {
    pub told: CasesTold,
    pub failures: Vec<FailedCase>,
}

impl ReleaseStatus {
    /// Of a bundle that is in force now, built from what was read now.
    pub(super) fn new(
        bundle: &Bundle,
        built: &Built,
        cases: CasesStatus,
        refused_for_cases: &[Name],
        before: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let mut flows = BTreeMap::new();
        for name in built.flows.keys().chain(bundle.flows.keys()) {
            let report = built.flows.get(name);
            flows.insert(Name::clone(name), flow_status(bundle, name, report, &built.sources, before, now));
        }
        for name in refused_for_cases {
            if let Some(flow) = flows.get_mut(name) {
                flow.broken
                    .extend(cases.failures.iter().filter(|failed| *failed.flow == **name).map(case_finding));
            }
        }
        let failed = built.unreadable || flows.values().any(|flow| !flow.broken.is_empty());
        let same = before.filter(|before| before.revision == bundle.revision);
        Self {
            revision: Arc::clone(&bundle.revision),
            since: same.map_or(now, |before| before.since),
            reload: if failed { ReloadState::Failed } else { ReloadState::Ok },
            read_at: now,
            flows,
            diagnostics: listed(&built.diagnostics, &built.sources),
            cases,
            problem: None,
        }
    }

    /// The same as before, with the reason why what was read was not taken.
    pub(super) fn refused(&self, problem: String, diagnostics: Vec<Finding>, now: Timestamp) -> Self {
        let mut status = self.clone();
        status.reload = ReloadState::Failed;
        status.read_at = now;
        status.problem = Some(problem);
        status.diagnostics = diagnostics;
        status
    }
}

fn flow_status(
    bundle: &Bundle,
    name: &Name,
    report: Option<&FlowReport>,
    sources: &[Source],
    before: Option<&ReleaseStatus>,
    now: Timestamp,
) -> FlowStatus {
    let flow_revision = bundle.flows.get(name).map(|flow| flow.whole_revision());
    let same =
        before.and_then(|before| before.flows.get(name)).filter(|flow| flow.flow_revision == flow_revision);
    let since = flow_revision.as_ref().map(|_| same.and_then(|flow| flow.since).unwrap_or(now));
    let errors: Vec<Diagnostic> = report
        .filter(|report| report.revision.is_none())
        .map(|report| {
            report.diagnostics.iter().filter(|found| found.severity == Severity::Error).cloned().collect()
        })
        .unwrap_or_default();
    FlowStatus { flow_revision, since, broken: listed(&errors, sources) }
}

fn case_finding(failed: &FailedCase) -> Finding {
    Finding {
        code: "B011".to_owned(),
        severity: "error".to_owned(),
        message: format!("the case `{}` does not hold", failed.case),
        file: failed.file.clone(),
        line: failed.line,
        column: 1,
        end_line: failed.line,
        end_column: 1,
        help: Some(
            "cases are required before a flow comes into force: `tollgate test` shows the difference"
                .to_owned(),
        ),
    }
}
