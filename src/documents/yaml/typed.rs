//! YAML straight into a serde struct, for documents where the first problem is enough (recipes, settings).
//! Unknown keys are refused when the struct says `deny_unknown_fields`. Never an untyped value.

use serde::de::DeserializeOwned;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_yaml::{Error, Location, Spanned};

use super::tree::{read, shown};
use super::{DEEPEST, MOST_NODES};
use crate::documents::Source;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::nearest::nearest;
use crate::domain::place::{Place, Span};

/// Fills `T` from one file; `file` is the number that places in it carry.
///
/// # Errors
/// The first thing in the file that is not YAML, not taken (anchors, tags, two documents …) or not a `T`.
pub fn parse<T: DeserializeOwned>(file: u32, source: &Source) -> Result<T, Diagnostic> {
    // The tree refuses what serde-saphyr would let pass, and says it better; it is read only for that.
    read(file, source)?;
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_nodes: MOST_NODES,
            max_depth: DEEPEST,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_yaml::from_str_with_options(&source.text, options).map_err(|error| explained(file, &error))
}

/// Where a `Spanned` value of such a struct was written.
#[must_use]
pub fn place<T>(file: u32, value: &Spanned<T>) -> Place {
    located(file, value.referenced)
}

fn located(file: u32, location: Location) -> Place {
    let span = location.span();
    let start = span.byte_offset().unwrap_or_default();
    let end = start.saturating_add(span.byte_len().unwrap_or_default());
    Place { file, span: Span { start: clamp(start), end: clamp(end) } }
}

fn clamp(n: impl TryInto<u32>) -> u32 {
    n.try_into().unwrap_or(u32::MAX)
}

fn explained(file: u32, error: &Error) -> Diagnostic {
    let place = error.location().map_or(Place { file, span: Span::default() }, |at| located(file, at));
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown_key(place, field, expected),
        Error::SerdeMissingField { field, .. } => {
            Diagnostic::error("Y010", place, format!("the key `{field}` is missing"))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let finding = Diagnostic::error("Y011", place, format!("unknown value `{}`", shown(variant)));
            match nearest(variant, expected.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("one of `{}`", expected.join("`, `"))),
            }
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map(|key| format!(" `{}`", shown(key))).unwrap_or_default();
            Diagnostic::error("Y008", place, format!("the key{key} stands twice"))
        }
        Error::Budget { .. } => Diagnostic::error("Y006", place, "this file is too large or too deep"),
        Error::SerdeInvalidType { unexpected, expected, .. } => Diagnostic::error(
            "Y011",
            place,
            format!("expected {expected}, found {}", plain_words(unexpected)),
        ),
        Error::InvalidScalar { ty, .. } => {
            let expected = match ty.chars().next() {
                Some('b') => "`true` or `false`",
                Some('f') => "a number",
                Some('u') => "a whole number that is not negative",
                _ => "a whole number",
            };
            Diagnostic::error("Y011", place, format!("expected {expected}"))
        }
        Error::SerdeInvalidValue { expected, .. } => {
            Diagnostic::error("Y011", place, format!("expected {expected}"))
        }
        other => Diagnostic::error("Y011", place, first_line(&other.to_string())),
    }
}

fn unknown_key(place: Place, field: &str, expected: &[&'static str]) -> Diagnostic {
    let finding = Diagnostic::error("Y009", place, format!("unknown key `{}`", shown(field)));
    match nearest(field, expected.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None if expected.is_empty() => finding,
        None => finding.help(format!("known here: `{}`", expected.join("`, `"))),
    }
}

/// serde says `string "x"`; people say text.
fn plain_words(unexpected: &str) -> String {
    let kind = unexpected.split([' ', '`', '"']).next().unwrap_or_default();
    match kind {
        "string" => "a text".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        "integer" | "floating" => "a number".to_owned(),
        "boolean" => "a boolean".to_owned(),
        "unit" => "nothing".to_owned(),
        other => other.to_owned(),
    }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
