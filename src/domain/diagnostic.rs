//! What is wrong with what an analyst wrote. Rendering (lines, colours, JSON) is the bundle's.

use super::place::Place;

/// Errors keep a flow out of force; warnings are reported and let it run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Warning,
    Error,
}

/// One finding in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code (`T004`), documented in `docs/diagnostics/`.
    pub code: &'static str,
    pub severity: Severity,
    /// What is wrong, lower case, with back-quotes around what the analyst wrote.
    pub message: String,
    pub place: Place,
    /// The way out, without the word `help:`.
    pub help: Option<String>,
}

impl Diagnostic {
    #[must_use]
    pub fn error(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), place, help: None }
    }

    #[must_use]
    pub fn warning(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
