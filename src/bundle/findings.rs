//! What a build has to say, for programs: every finding with its place spelt out, and how much could be decided of what
//! can never happen. Absent: finding anything.

use serde::Serialize;

use super::Built;
use crate::documents::findings::{Finding, listed};
use crate::domain::analysis::Unanalysed;

/// `{"diagnostics": […], "analysis": {…}}`.
#[derive(Debug, Serialize)]
pub struct Findings {
    pub diagnostics: Vec<Finding>,
    pub analysis: Analysis,
}

/// How much could be decided of what can never happen; nothing is said of the rest.
#[derive(Debug, Default, Serialize)]
pub struct Analysis {
    pub conditions: Part,
    pub tables: Part,
    pub scorecards: Part,
    pub branches: Part,
    pub not_analysed: Vec<Left>,
}

#[derive(Debug, Default, Serialize)]
pub struct Part {
    pub all: u32,
    pub analysed: u32,
}

/// What was left, such as `rule blocked_phone in knockout`.
#[derive(Debug, Serialize)]
pub struct Left {
    pub flow: String,
    pub what: String,
    pub why: &'static str,
}

impl Built {
    /// All that is to be said of it.
    #[must_use]
    pub fn told(&self) -> Findings {
        Findings { diagnostics: listed(&self.diagnostics, &self.sources), analysis: analysis(self) }
    }
}

fn analysis(built: &Built) -> Analysis {
    let mut all = Analysis::default();
    for (name, report) in &built.flows {
        let Some(revision) = &report.revision else { continue };
        let coverage = &revision.flow.coverage;
        for (part, share) in [
            (&mut all.conditions, coverage.conditions),
            (&mut all.tables, coverage.tables),
            (&mut all.scorecards, coverage.scorecards),
            (&mut all.branches, coverage.branches),
        ] {
            part.all = part.all.saturating_add(share.all);
            part.analysed = part.analysed.saturating_add(share.analysed);
        }
        let left =
            |left: &Unanalysed| Left { flow: name.to_string(), what: left.what.clone(), why: left.why };
        all.not_analysed.extend(coverage.left.iter().map(left));
    }
    all
}
