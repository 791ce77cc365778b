//! Which flows and cases a run is about. Absent on purpose: running them.

use crate::bundle::cases::CaseFiles;
use crate::bundle::{Built, FlowRevision};
use crate::cli::say::Trouble;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::value::Name;
use std::sync::Arc;

/// What a run looks at.
pub(super) struct Chosen<'b> {
    pub built: &'b Built,
    pub flows: Vec<ChosenFlow<'b>>,
    /// Flows that do not check: their cases cannot run.
    pub broken: Vec<String>,
    /// The errors in the files of all chosen flows.
    pub errors: Vec<Diagnostic>,
}

/// A flow that checks, with its cases.
pub(super) struct ChosenFlow<'b> {
    pub name: &'b Name,
    pub revision: &'b Arc<FlowRevision>,
    pub files: &'b CaseFiles,
}

impl<'b> Chosen<'b> {
    /// All flows, or the one of this name.
    pub(super) fn of(built: &'b Built, flow: Option<&str>) -> Result<Self, Trouble> {
        let wanted = |name: &Name| flow.is_none_or(|flow| *flow == **name);
        if !built.flows.keys().any(wanted) {
            let names: Vec<&str> = built.flows.keys().map(|name| &**name).collect();
            let what = flow.map_or_else(
                || "there are no flows".to_owned(),
                |flow| format!("there is no flow `{}`", flow.escape_debug()),
            );
            return Err(Trouble::new(what).help(format!("flows here: {}", names.join(", "))));
        }
        let mut chosen = Self { built, flows: Vec::new(), broken: Vec::new(), errors: Vec::new() };
        for (name, report) in built.flows.iter().filter(|(name, _)| wanted(name)) {
            let errors = report.diagnostics.iter().filter(|found| found.severity == Severity::Error);
            chosen.errors.extend(errors.cloned());
            match &report.revision {
                Some(revision) => {
                    chosen.flows.push(ChosenFlow { name, revision, files: &report.cases });
                }
                None => chosen.broken.push(name.to_string()),
            }
        }
        Ok(chosen)
    }
}
