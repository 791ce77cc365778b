//! Which flows and cases a run is about. Absent on purpose: running them.

use std::sync::Arc;

use crate::bundle::cases::{Case, CaseFiles, Lot};
use crate::bundle::{Built, FlowRevision};
use crate::cli::say::Trouble;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::nearest::nearest;
use crate::domain::value::Name;

/// What a run looks at.
pub(super) struct Chosen<'b> {
    pub built: &'b Built,
    pub flows: Vec<ChosenFlow<'b>>,
    /// Flows that do not check: their cases cannot run.
    pub broken: Vec<String>,
    /// The errors in the files of all chosen flows.
    pub errors: Vec<Diagnostic>,
    /// Some cases were left out by `--filter`: what was not reached says nothing then.
    pub is_part: bool,
}

/// A flow that checks, with the cases that were chosen.
pub(super) struct ChosenFlow<'b> {
    pub name: &'b Name,
    pub revision: &'b Arc<FlowRevision>,
    pub files: &'b CaseFiles,
    pub cases: Vec<&'b Case>,
}

impl<'b> Chosen<'b> {
    /// All flows, or the one of this name; all cases, or those that one of the filters takes.
    pub(super) fn of(built: &'b Built, flow: Option<&str>, filters: &[String]) -> Result<Self, Trouble> {
        let wanted = |name: &Name| flow.is_none_or(|flow| *flow == **name);
        if !built.flows.keys().any(wanted) {
            let names: Vec<&str> = built.flows.keys().map(|name| &**name).collect();
            let what = flow.map_or_else(
                || "there are no flows".to_owned(),
                |flow| format!("there is no flow `{}`", flow.escape_debug()),
            );
            return Err(Trouble::new(what).help(format!("flows here: {}", names.join(", "))));
        }
        let is_part = !filters.is_empty();
        let mut chosen = Self { built, flows: Vec::new(), broken: Vec::new(), errors: Vec::new(), is_part };
        for (name, report) in built.flows.iter().filter(|(name, _)| wanted(name)) {
            let errors = report.diagnostics.iter().filter(|found| found.severity == Severity::Error);
            chosen.errors.extend(errors.cloned());
            let Some(revision) = &report.revision else {
                chosen.broken.push(name.to_string());
                continue;
            };
            let all = &report.cases.cases;
            let cases: Vec<&Case> =
                all.iter().filter(|case| !is_part || filters.iter().any(|f| takes(f, case, all))).collect();
            if !is_part || !cases.is_empty() {
                chosen.flows.push(ChosenFlow { name, revision, files: &report.cases, cases });
            }
        }
        // A case with an error in it is none of `cases`: then the error is what there is to say.
        if is_part && chosen.flows.is_empty() && chosen.broken.is_empty() && chosen.errors.is_empty() {
            return Err(nothing_fits(built, filters));
        }
        Ok(chosen)
    }

    pub(super) fn lots(&self) -> Vec<Lot<'b>> {
        let lot = |flow: &ChosenFlow<'b>| Lot {
            flow: flow.name,
            revision: flow.revision,
            cases: flow.cases.clone(),
        };
        self.flows.iter().map(lot).collect()
    }
}

/// Whether a filter takes a case: by a part of its name or file, in any case of letters, or as `FILE:LINE`, a line of
/// the case.
fn takes(filter: &str, case: &Case, all: &[Case]) -> bool {
    let at_line = filter.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse::<u32>().ok()?)));
    if let Some((file, line)) = at_line
        && case.path.ends_with(file)
    {
        let of_file = all.iter().filter(|other| other.path == case.path);
        return of_file.filter(|other| other.line <= line).map(|other| other.line).max() == Some(case.line);
    }
    let filter = filter.to_lowercase();
    case.name.to_lowercase().contains(&filter) || case.path.to_lowercase().contains(&filter)
}

fn nothing_fits(built: &Built, filters: &[String]) -> Trouble {
    let asked: Vec<String> = filters.iter().map(|filter| format!("`{}`", filter.escape_debug())).collect();
    let cases = built.flows.values().flat_map(|report| &report.cases.cases);
    let known = cases.flat_map(|case| [case.name.as_str(), case.path.as_str()]);
    let near = filters.iter().find_map(|filter| nearest(filter, known.clone()));
    let help = near.map_or_else(
        || "a filter is a part of a case's name or file, or FILE:LINE".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Trouble::new(format!("no case fits {}", asked.join(" or "))).help(help)
}
