//! The one door to the YAML parser: strict, one document, within a budget, without anchors.

use serde::de::DeserializeOwned;

use super::Source;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Place, Span};

/// Reads one document into `T`; `file` is the source's index in the bundle, for the diagnostic's place.
///
/// # Errors
/// The first thing wrong, where it stands.
pub fn parse<T: DeserializeOwned>(file: u32, source: &Source) -> Result<T, Diagnostic> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        merge_keys: serde_yaml::MergeKeyPolicy::Error,
        with_snippet: false,
        budget: serde_yaml::budget! { max_nodes: 500_000, max_depth: 24, max_anchors: 0, max_aliases: 0 },
    };
    serde_yaml::from_str_with_options(&source.text, options).map_err(|error| {
        let span = error.location().map_or(Span::default(), |location| {
            let offset = |n: Option<u64>| usize::try_from(n.unwrap_or(0)).unwrap_or(usize::MAX);
            let start = offset(location.span().byte_offset());
            Span::new(start, start.saturating_add(offset(location.span().byte_len()).max(1)))
        });
        Diagnostic::error("Y001", Place { file, span }, error.without_snippet().to_string())
    })
}
