//! Diagnostics as people read them (the line, the place underlined, the way out) and as programs do (one JSON
//! object each). Finding them is not done here, nor deciding what they forbid.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::Source;
use super::source::Lines;
use crate::domain::diagnostic::{Diagnostic, Severity};

/// A longer line is not shown: its place says enough.
const LONGEST_LINE: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    #[default]
    Never,
    Always,
}

impl Colour {
    /// Colour only on a terminal, and not when `NO_COLOR` says otherwise.
    #[must_use]
    pub fn for_stderr() -> Self {
        Self::when(std::io::stderr().is_terminal())
    }

    /// As `for_stderr`, for what is printed to stdout.
    #[must_use]
    pub fn for_stdout() -> Self {
        Self::when(std::io::stdout().is_terminal())
    }

    fn when(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if terminal && !refused { Self::Always } else { Self::Never }
    }
}

/// One finding with its place spelt out: `{"code", "severity", "message", "file", "line", "column",
/// "end_line", "end_column", "help"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    pub message: String,
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Where it ends: the column behind the last character.
    pub end_line: u32,
    pub end_column: u32,
    pub help: Option<String>,
}

/// Sorts by file and place, so that one list reads from top to bottom, and drops repetitions.
pub fn sort(diagnostics: &mut Vec<Diagnostic>, sources: &[Source]) {
    let path =
        |diagnostic: &Diagnostic| source_of(diagnostic, sources).map_or("", |source| source.path.as_str());
    diagnostics.sort_by(|a, b| {
        (path(a), a.place.span, a.code, &a.message).cmp(&(path(b), b.place.span, b.code, &b.message))
    });
    diagnostics.dedup();
}

/// The findings for programs, in the order given.
#[must_use]
pub fn listed(diagnostics: &[Diagnostic], sources: &[Source]) -> Vec<Finding> {
    let mut places = Places::new(sources);
    diagnostics.iter().map(|diagnostic| finding(diagnostic, &mut places)).collect()
}

fn finding(diagnostic: &Diagnostic, places: &mut Places<'_>) -> Finding {
    let source = source_of(diagnostic, places.sources);
    let span = diagnostic.place.span;
    let lines = places.lines(diagnostic);
    let position = lines.map(|lines| lines.at(span.start).0);
    let end = lines.map(|lines| lines.at(span.end.max(span.start)).0).or(position);
    Finding {
        code: diagnostic.code.to_owned(),
        severity: severity_word(diagnostic.severity).to_owned(),
        message: diagnostic.message.clone(),
        file: source.map(|source| source.path.clone()).unwrap_or_default(),
        line: position.map_or(1, |position| position.line),
        column: position.map_or(1, |position| position.column),
        end_line: end.map_or(1, |end| end.line),
        end_column: end.map_or(1, |end| end.column),
        help: diagnostic.help.clone(),
    }
}

/// The findings for people, a blank line between two, each ending with a line break.
#[must_use]
pub fn rendered(diagnostics: &[Diagnostic], sources: &[Source], colour: Colour) -> String {
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    let mut places = Places::new(sources);
    let mut texts = Vec::with_capacity(diagnostics.len());
    for diagnostic in diagnostics {
        texts.push(renderer.render(&[group(diagnostic, &mut places)]) + "\n");
    }
    texts.join("\n")
}

/// The lines of each file that a finding stands in, counted once.
struct Places<'s> {
    sources: &'s [Source],
    lines: BTreeMap<u32, Lines<'s>>,
}

impl<'s> Places<'s> {
    fn new(sources: &'s [Source]) -> Self {
        Self { sources, lines: BTreeMap::new() }
    }

    fn lines(&mut self, diagnostic: &Diagnostic) -> Option<&Lines<'s>> {
        let source = source_of(diagnostic, self.sources)?;
        Some(self.lines.entry(diagnostic.place.file).or_insert_with(|| Lines::new(source)))
    }
}

fn group<'a>(diagnostic: &'a Diagnostic, places: &mut Places<'a>) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let span = diagnostic.place.span;
    let source = source_of(diagnostic, places.sources);
    let at = places.lines(diagnostic).map(|lines| lines.at(span.start));
    let (Some(source), Some((position, line, line_start))) = (source, at) else {
        return with_help(Group::with_title(title), diagnostic);
    };
    if line.len() > LONGEST_LINE || line.trim().is_empty() {
        let origin = Origin::path(source.path.as_str())
            .line(usize_of(position.line))
            .char_column(usize_of(position.column));
        return with_help(title.element(origin), diagnostic);
    }
    let within = |at: u32| usize_of(at).saturating_sub(line_start).min(line.len());
    let (start, end) = (boundary(line, within(span.start)), boundary(line, within(span.end)));
    let mut mark = AnnotationKind::Primary.span(start..end.max(start));
    if let Some(help) = short_help(diagnostic) {
        mark = mark.label(format!("help: {help}"));
    }
    let snippet =
        Snippet::source(line).path(source.path.as_str()).line_start(usize_of(position.line)).annotation(mark);
    let group = title.element(snippet);
    if short_help(diagnostic).is_some() { group } else { with_help(group, diagnostic) }
}

/// Help that fits beside the underline; longer help goes on a line of its own.
fn short_help(diagnostic: &Diagnostic) -> Option<&str> {
    diagnostic.help.as_deref().filter(|help| help.chars().count() <= 72 && !help.contains('\n'))
}

fn with_help<'a>(group: Group<'a>, diagnostic: &'a Diagnostic) -> Group<'a> {
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

fn boundary(line: &str, mut at: usize) -> usize {
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn usize_of(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn source_of<'a>(diagnostic: &Diagnostic, sources: &'a [Source]) -> Option<&'a Source> {
    sources.get(usize_of(diagnostic.place.file))
}

/// `error` or `warning`.
#[must_use]
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::{Place, Span};

    fn sample() -> (Vec<Source>, Diagnostic) {
        let text = format!("{}    when: burdn > max_burden\n", "# a line\n".repeat(14));
        let start = text.find("burdn").unwrap();
        let place = Place { file: 0, span: Span::new(start, start + 5) };
        let message = "rule `heavy_instalment` reads an unknown name `burdn`";
        let diagnostic = Diagnostic::error("T004", place, message).help("this flow has a feature `burden`");
        (vec![Source::new("rules/personal_loan/knockout.rules.yaml", text)], diagnostic)
    }

    #[test]
    fn a_finding_looks_as_the_language_page_shows_it() {
        let (sources, diagnostic) = sample();
        let expected = "\
error[T004]: rule `heavy_instalment` reads an unknown name `burdn`
  --> rules/personal_loan/knockout.rules.yaml:15:11
   |
15 |     when: burdn > max_burden
   |           ^^^^^ help: this flow has a feature `burden`
";
        assert_eq!(rendered(&[diagnostic], &sources, Colour::Never), expected);
    }

    #[test]
    fn a_program_gets_the_same_place() {
        let (sources, diagnostic) = sample();
        let json = serde_json::to_value(listed(&[diagnostic], &sources)).unwrap();
        insta::assert_snapshot!(json, @r#"[{"code":"T004","severity":"error","message":"rule `heavy_instalment` reads an unknown name `burdn`","file":"rules/personal_loan/knockout.rules.yaml","line":15,"column":11,"end_line":15,"end_column":16,"help":"this flow has a feature `burden`"}]"#);
    }

    #[test]
    fn no_place_and_no_text_can_break_the_rendering() {
        let long = "x".repeat(5_000);
        for text in ["", "\n", "ä", "a\u{1b}[31mb\n", "\r\n", "a\tb", long.as_str()] {
            for (start, end) in [(0, 0), (1, 2), (3, 1), (9_999, 10_000), (u32::MAX, 0)] {
                for file in [0, 7] {
                    let place = Place { file, span: Span { start, end } };
                    let diagnostic =
                        Diagnostic::warning("Y001", place, "odd \u{1b}[31m text").help("h".repeat(90));
                    let shown =
                        rendered(std::slice::from_ref(&diagnostic), &[Source::new("a", text)], Colour::Never);
                    assert!(shown.starts_with("warning[Y001]: odd "), "{shown}");
                    assert!(
                        !shown.contains('\u{1b}'),
                        "no control character reaches the terminal: {shown:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn findings_are_sorted_by_file_and_place_and_not_repeated() {
        let sources = [Source::new("b", "xy"), Source::new("a", "xy")];
        let at = |file, start| Diagnostic::error("Y001", Place { file, span: Span::new(start, start) }, "m");
        let mut all = vec![at(0, 0), at(1, 1), at(1, 0), at(1, 0)];
        sort(&mut all, &sources);
        assert_eq!(all, [at(1, 0), at(1, 1), at(0, 0)]);
    }
}
