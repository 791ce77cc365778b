//! Where YAML and what an analyst meant part ways: tabs, hidden characters, and conditions that start or hold
//! something YAML has its own idea about. Each gets the form that means what was written. Nothing is repaired.

use super::scalar::quoted;
use super::tree::shown;
use crate::documents::Source;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Place, Span};

/// Refuses characters that hide what a file says, and tabs where YAML wants spaces.
pub(super) fn characters(file: u32, text: &str) -> Result<(), Diagnostic> {
    let mut in_indent = true;
    for (at, c) in text.char_indices() {
        let place = || Place { file, span: Span::new(at, at + c.len_utf8()) };
        match c {
            '\n' => in_indent = true,
            ' ' => {}
            '\t' if in_indent && !rest_of_line(text, at).trim().is_empty() => {
                return Err(Diagnostic::error("Y003", place(), "a tab where YAML wants spaces")
                    .help("indent with spaces"));
            }
            '\t' | '\r' => {}
            '\u{feff}' if at == 0 => {}
            c if is_hidden(c) => {
                let message = format!("the character U+{:04X} may not stand in a file", u32::from(c));
                return Err(Diagnostic::error("Y002", place(), message).help("remove it"));
            }
            _ => in_indent = false,
        }
    }
    Ok(())
}

/// Control characters, and those that make a text look different from what it is.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn rest_of_line(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default().split('\n').next().unwrap_or_default()
}

/// Refuses `.nan` and `.inf`: no number in Tollgate is either.
pub(super) fn not_a_number(text: &str, place: Place) -> Result<(), Diagnostic> {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(bare, ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF") {
        let message = format!("`{text}` is not a number that can be compared");
        return Err(Diagnostic::error("Y012", place, message).help("write a finite number"));
    }
    Ok(())
}

/// `when: !x` → advice with the value of that line in quotes.
pub(super) fn write_quoted(source: &Source, place: Place) -> String {
    match value_on_line(source, place) {
        Some((key, value)) => format!("write it in quotes: `{key}: {}`", quoted(value)),
        None => "write the value in quotes".to_owned(),
    }
}

/// The key and the raw value of the `key: value` line in which a place stands.
fn value_on_line(source: &Source, place: Place) -> Option<(&str, &str)> {
    let (line, _) = source.line_at(place.span.start);
    let line = line.trim();
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let (key, value) = line.split_once(':')?;
    let value = value.trim();
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    (is_key && value.len() <= 200 && !value.is_empty()).then_some((key, value))
}

/// A line that the parser could not read: in its words, and quoted where that would help.
pub(super) fn explain(source: &Source, place: Place, code: &'static str, info: &str) -> Diagnostic {
    if code == "Y003" {
        return Diagnostic::error(code, place, "a tab where YAML wants spaces").help("indent with spaces");
    }
    if code == "Y005" {
        return Diagnostic::error(code, place, "a directive (`%…`) is not allowed").help("remove the line");
    }
    let culprit = culprit(source, place);
    let Some((place, key, value)) = culprit else {
        return Diagnostic::error(code, place, format!("this is not YAML: {info}"));
    };
    let message = format!("YAML does not read `{}` as one text: {info}", shown(value));
    Diagnostic::error(code, place, message).help(format!("write it in quotes: `{key}: {}`", quoted(value)))
}

/// The value that the parser stumbled over, when its line (or the one before, which the parser may have left
/// already) has one that YAML reads in its own way.
fn culprit(source: &Source, place: Place) -> Option<(Place, &str, &str)> {
    let (_, start) = source.line_at(place.span.start);
    let before = u32::try_from(start)
        .ok()?
        .checked_sub(1)
        .map(|at| Place { file: place.file, span: Span { start: at, end: at } });
    [Some(place), before].into_iter().flatten().find_map(|place| {
        let (key, value) = value_on_line(source, place)?;
        if !needs_quotes(value) {
            return None;
        }
        let (line, line_start) = source.line_at(place.span.start);
        let at = line_start + line.rfind(value)?;
        Some((Place { file: place.file, span: Span::new(at, at + value.len()) }, key, value))
    })
}

fn needs_quotes(value: &str) -> bool {
    value.starts_with(['[', '{', '*', '&', '!', '"', '\'', '|', '>', '%', '@', '`', '?'])
        || value.starts_with("- ")
        || value.contains(": ")
        || value.ends_with(':')
        || value.contains(" #")
}

/// Refuses a comment behind an unquoted condition or formula: `a == 1 #b` would silently lose its end.
///
/// # Errors
/// The finding, with the whole line in quotes.
pub(super) fn cut_short(source: &Source, place: Place) -> Result<(), Diagnostic> {
    let end = usize::try_from(place.span.end).unwrap_or(usize::MAX);
    let rest = rest_of_line(&source.text, end);
    let Some(comment) = rest.trim_start().strip_prefix('#') else { return Ok(()) };
    let at = end + rest.find('#').unwrap_or_default();
    let place = Place { file: place.file, span: Span::new(at, at + 1 + comment.trim_end().len()) };
    Err(Diagnostic::error(
        "Y014",
        place,
        "YAML reads ` #` as the start of a comment: what stands before it ends here",
    )
    .help(format!(
        "put a comment on its own line; if this belongs to the value, {}",
        write_quoted(source, place)
    )))
}
