//! What would be decided if something were otherwise: a threshold, a fact, a model's answer, the market. Thresholds are
//! changed in the flow's declaration and the flow is compiled again, so that everything that is checked holds here too.
//! Absent on purpose: files, terminals, and any change of what is in force.

mod change;
mod page;
mod parted;
mod sweep;
mod sweep_text;
mod text;

use std::sync::Arc;

use jiff::Timestamp;

pub use change::{Change, Wish};
pub use page::{page, svg};
pub use parted::{Difference, Parted, parted};
pub use sweep::{Flip, Point, Said, Sweep, Swept, sweep};
pub use sweep_text::{sweep_json, sweep_text};
pub use text::{json, text};

use crate::bundle::FlowRevision;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::explanation::{Asked, Explanation, explain};
use crate::domain::facts::{FactProblem, Facts, Given};
use crate::domain::flow::{Budget, Pins};
use crate::domain::verdict::Verdict;

/// Everything that a decision depends on.
#[derive(Debug, Clone)]
pub struct Situation {
    pub flow: Arc<FlowRevision>,
    pub facts: Given,
    pub pins: Pins,
    pub at: Timestamp,
    /// Warnings that the flow as it is does not have.
    pub notes: Vec<Diagnostic>,
}

/// Why nothing can be decided otherwise.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    /// What is asked for is not there, or cannot be that.
    #[error("{what}")]
    Wish { what: String, help: Option<String> },
    #[error("the facts do not fit")]
    Facts(Vec<FactProblem>),
    #[error("the flow does not check any more")]
    DoesNotCheck(Vec<Diagnostic>),
}

impl WhatIfError {
    fn wish(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Wish { what: what.into(), help: Some(help.into()) }
    }
}

/// Two decisions side by side.
#[derive(Debug)]
pub struct WhatIf {
    pub before: Explanation,
    pub after: Explanation,
    pub changes: Vec<Change>,
    pub parted: Parted,
    /// What would be found in the flow as it would be.
    pub notes: Vec<Diagnostic>,
}

impl Situation {
    /// The verdict alone.
    ///
    /// # Errors
    /// When the flow does not admit the facts.
    pub fn verdict(&self) -> Result<Verdict, WhatIfError> {
        let facts = self.admitted()?;
        Ok(self.flow.flow.decide_with(&facts, self.at, &Budget::default(), &self.pins))
    }

    /// The verdict with everything that led to it.
    ///
    /// # Errors
    /// When the flow does not admit the facts.
    pub fn explained(&self) -> Result<Explanation, WhatIfError> {
        let facts = self.admitted()?;
        let budget = Budget::default();
        Ok(explain(&Asked {
            flow: &self.flow.flow,
            declaration: Some(&self.flow.declaration),
            facts: &facts,
            decided_at: self.at,
            budget: &budget,
            pins: &self.pins,
            gathered: &[],
            hidden: std::collections::BTreeSet::new(),
        }))
    }

    fn admitted(&self) -> Result<Facts, WhatIfError> {
        self.flow.flow.admit(&self.facts).map_err(WhatIfError::Facts)
    }
}

/// Decides twice, as it is and as it would be.
///
/// # Errors
/// When either cannot be decided.
pub fn what_if(before: &Situation, after: &Situation, changes: Vec<Change>) -> Result<WhatIf, WhatIfError> {
    let (was, is) = (before.explained()?, after.explained()?);
    let parted = parted(&was.steps, &is.steps);
    Ok(WhatIf { before: was, after: is, changes, parted, notes: after.notes.clone() })
}
