//! From the parser's events to a tree of texts with places; everything that YAML allows and we do not is refused
//! on the way. The tree has no types: who reads it says what each scalar must be.

use serde_yaml::granit_parser::{
    self as granit, ErrorKind, Event, Parser, ScalarStyle, ScanError, Span as ParserSpan, Tag,
};

use super::pitfalls;
use super::{DEEPEST, LARGEST_FILE, MOST_NODES};
use crate::documents::Source;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Located, Place, Span};

/// One value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// A scalar's text (inside its quotes, if it has any); a list or map from its first byte.
    pub place: Place,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// Without quotes, escapes resolved.
    pub text: String,
    pub style: Style,
}

/// How a scalar was written; only a plain one can be a number, a boolean or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Quoted,
    Block,
}

/// One `key: value`; keys are unique within their map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Located<String>,
    pub value: Node,
}

/// Reads one file into a tree.
///
/// # Errors
/// The first thing in it that is not YAML, or YAML that we do not take.
pub fn read(file: u32, source: &Source) -> Result<Node, Diagnostic> {
    let text = source.text.as_ref();
    if text.len() > LARGEST_FILE {
        let message = format!("this file has more than {} MiB", LARGEST_FILE / 1024 / 1024);
        return Err(Diagnostic::error("Y006", Place { file, span: Span::default() }, message)
            .help("split it into several files"));
    }
    pitfalls::characters(file, text)?;
    let mut builder = Builder { file, source, open: Vec::new(), root: None, nodes: 0, documents: 0 };
    for event in Parser::new_from_str_with_options(text, options()) {
        let (event, span) = event.map_err(|error| builder.not_yaml(&error))?;
        builder.take(event, &span)?;
    }
    match builder.root {
        Some(root) if !is_nothing(&root) => Ok(root),
        _ => Err(Diagnostic::error("Y015", Place { file, span: Span::default() }, "this file is empty")),
    }
}

fn options() -> granit::Options {
    granit::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        disallow_directives: true,
    }
}

fn is_nothing(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(Scalar { text, style: Style::Plain }) if text.is_empty())
}

/// A list or map whose end has not come yet; a map may be waiting for the value of its last key.
enum Open {
    List {
        place: Place,
        items: Vec<Node>,
    },
    Map {
        place: Place,
        entries: Vec<Entry>,
        key: Option<Located<String>>,
        seen: std::collections::HashSet<String>,
    },
}

struct Builder<'a> {
    file: u32,
    source: &'a Source,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &ParserSpan) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(..) => self.document(span),
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(self.no_reference("an alias", span)),
            Event::Anchor(..) => Err(self.no_reference("an anchor", span)),
            Event::Scalar(text, style, _, tag) => {
                self.no_tag(tag.as_deref(), span)?;
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let node = self.scalar(text.into_owned(), style, span)?;
                self.add(node)
            }
            Event::SequenceStart(_, _, tag) => {
                self.no_tag(tag.as_deref(), span)?;
                let place = self.opening(span)?;
                self.open.push(Open::List { place, items: Vec::new() });
                Ok(())
            }
            Event::MappingStart(_, _, tag) => {
                self.no_tag(tag.as_deref(), span)?;
                let place = self.opening(span)?;
                let seen = std::collections::HashSet::new();
                self.open.push(Open::Map { place, entries: Vec::new(), key: None, seen });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { place, items }) => self.add(Node { place, content: Content::List(items) }),
                Some(Open::Map { place, entries, .. }) => {
                    self.add(Node { place, content: Content::Map(entries) })
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn document(&mut self, span: &ParserSpan) -> Result<(), Diagnostic> {
        self.documents += 1;
        if self.documents > 1 {
            let place = self.place(span);
            return Err(Diagnostic::error("Y007", place, "a second document starts here")
                .help("one file holds one document: put the second into its own file"));
        }
        Ok(())
    }

    fn scalar(&mut self, mut text: String, style: Style, span: &ParserSpan) -> Result<Node, Diagnostic> {
        let mut place = self.place(span);
        self.count(place)?;
        match style {
            // The parser says `~` for a value that is not there.
            Style::Plain if place.span.start == place.span.end => text.clear(),
            Style::Plain => pitfalls::not_a_number(&text, place)?,
            Style::Quoted => {
                place.span.start = place.span.start.saturating_add(1);
                place.span.end = place.span.end.saturating_sub(1).max(place.span.start);
            }
            Style::Block => place = self.inside_block(place),
        }
        Ok(Node { place, content: Content::Scalar(Scalar { text, style }) })
    }

    /// The place of a block scalar's first character: after the line that has its `|` or `>`.
    fn inside_block(&self, place: Place) -> Place {
        let start = usize::try_from(place.span.start).unwrap_or(usize::MAX);
        let rest = self.source.text.get(start..).unwrap_or_default();
        let skipped = if rest.starts_with(['|', '>']) { rest.find('\n').map_or(0, |at| at + 1) } else { 0 };
        let body = rest.get(skipped..).unwrap_or_default();
        let indent = body.len() - body.trim_start().len();
        let start = Span::new(start + skipped + indent, 0).start;
        Place { file: place.file, span: Span { start, end: place.span.end.max(start) } }
    }

    fn opening(&mut self, span: &ParserSpan) -> Result<Place, Diagnostic> {
        let place = self.place(span);
        self.count(place)?;
        if self.open.len() >= DEEPEST {
            return Err(too_deep(place));
        }
        Ok(place)
    }

    fn count(&mut self, place: Place) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            let message = format!("this file holds more than {MOST_NODES} values");
            return Err(Diagnostic::error("Y006", place, message).help("split it into several files"));
        }
        Ok(())
    }

    /// Puts a finished value where it belongs: into the open list or map, or at the root.
    fn add(&mut self, node: Node) -> Result<(), Diagnostic> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, seen, .. }) => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => *key = Some(key_of(node, entries, seen)?),
            },
        }
        Ok(())
    }

    fn no_reference(&self, what: &str, span: &ParserSpan) -> Diagnostic {
        let place = self.place(span);
        let message = format!("{what} is not allowed: every value is written where it is used");
        Diagnostic::error("Y004", place, message).help(pitfalls::write_quoted(self.source, place))
    }

    fn no_tag(&self, tag: Option<&Tag>, span: &ParserSpan) -> Result<(), Diagnostic> {
        if tag.is_none() {
            return Ok(());
        }
        let place = span.tag_span().map_or_else(|| self.place(span), |span| self.place(&span));
        let message = "YAML reads `!` at the start of a value as a tag, and tags are not allowed";
        Err(Diagnostic::error("Y005", place, message).help(pitfalls::write_quoted(self.source, place)))
    }

    fn place(&self, span: &ParserSpan) -> Place {
        let range = span.byte_range().unwrap_or_default();
        Place { file: self.file, span: Span::new(range.start, range.end) }
    }

    fn not_yaml(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().byte_offset().unwrap_or_default().min(self.source.text.len());
        let place = Place { file: self.file, span: Span::new(at, at) };
        let code = match error.kind() {
            ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation => "Y003",
            ErrorKind::DirectiveDisallowed => "Y005",
            ErrorKind::RecursionLimitExceeded => return too_deep(place),
            _ => "Y001",
        };
        pitfalls::explain(self.source, place, code, &error.info())
    }
}

fn too_deep(place: Place) -> Diagnostic {
    let message = format!("more than {DEEPEST} lists and maps inside each other");
    Diagnostic::error("Y006", place, message).help("flatten this part")
}

fn key_of(
    node: Node,
    entries: &[Entry],
    seen: &mut std::collections::HashSet<String>,
) -> Result<Located<String>, Diagnostic> {
    let Content::Scalar(Scalar { text, .. }) = node.content else {
        return Err(Diagnostic::error("Y011", node.place, "a key must be a text, not a list or map")
            .help("if this is a value, write it in quotes"));
    };
    if text == "<<" {
        return Err(Diagnostic::error("Y004", node.place, "a merge key `<<` is not allowed")
            .help("write the keys where they are used"));
    }
    if !seen.insert(text.clone()) {
        let first = entries.iter().any(|entry| entry.key.value == text);
        let message = if first {
            format!("the key `{}` stands twice", shown(&text))
        } else {
            "a key stands twice".to_owned()
        };
        return Err(Diagnostic::error("Y008", node.place, message).help("remove or rename one of them"));
    }
    Ok(Located::new(text, node.place))
}

/// A text cut to what a message can hold.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
