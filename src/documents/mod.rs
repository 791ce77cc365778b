//! Documents as written: parsed within a budget, places kept. Nothing here knows what a document means.

pub mod table;
pub mod yaml;

use std::sync::Arc;

/// One text file of a bundle.
#[derive(Debug, Clone)]
pub struct Source {
    /// Relative, with `/`.
    pub path: String,
    pub text: Arc<str>,
}
