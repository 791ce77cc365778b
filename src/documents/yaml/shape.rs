//! Takes a tree apart key by key, and keeps every problem instead of stopping at the first: missing and unknown
//! keys (with the nearest known one), values of another type. It knows no document: the rooms above do.

use super::pitfalls;
use super::scalar::Literal;
use super::tree::{Content, Entry, Node, shown};
use crate::documents::Source;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::facts::Given;
use crate::domain::nearest::nearest;
use crate::domain::place::{Located, Place};

/// What is found while one file is taken apart.
#[derive(Debug)]
pub struct Shape<'s> {
    pub source: &'s Source,
    pub findings: Vec<Diagnostic>,
}

/// A map of which some keys have been asked for; `finish` reports the others.
#[derive(Debug)]
pub struct Keys<'n> {
    /// What the map describes, for messages: `a rule`, `flow.yaml`.
    what: String,
    place: Place,
    entries: &'n [Entry],
    known: Vec<&'static str>,
}

impl<'s> Shape<'s> {
    #[must_use]
    pub fn new(source: &'s Source) -> Self {
        Self { source, findings: Vec::new() }
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.findings.push(diagnostic);
    }

    fn wrong(&mut self, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", node.word());
        let mut finding = Diagnostic::error("Y011", node.place, message);
        if expected.starts_with("a text") && !matches!(node.content, Content::Scalar(_)) {
            finding = finding.help(pitfalls::write_quoted(self.source, node.place));
        }
        self.findings.push(finding);
    }

    /// A map whose keys are known beforehand.
    pub fn keys<'n>(&mut self, node: &'n Node, what: impl Into<String>) -> Option<Keys<'n>> {
        let entries = self.entries(node)?;
        let place = entries.first().map_or(node.place, |entry| entry.key.place);
        Some(Keys { what: what.into(), place, entries, known: Vec::new() })
    }

    /// A map whose keys are names of the author's choosing.
    pub fn entries<'n>(&mut self, node: &'n Node) -> Option<&'n [Entry]> {
        match &node.content {
            Content::Map(entries) => Some(entries),
            _ => {
                self.wrong(node, "a map (`key: value` lines)");
                None
            }
        }
    }

    pub fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.content {
            Content::List(items) => Some(items),
            _ => {
                self.wrong(node, "a list");
                None
            }
        }
    }

    /// A name, a sentence, a reference: the text as written, whatever it looks like, but not nothing.
    pub fn text(&mut self, node: &Node) -> Option<Located<String>> {
        match &node.content {
            Content::Scalar(scalar) if !scalar.is_null() => {
                Some(Located::new(scalar.text.clone(), node.place))
            }
            _ => {
                self.wrong(node, "a text");
                None
            }
        }
    }

    /// A condition or formula: a text that no comment may cut short.
    pub fn expression(&mut self, node: &Node) -> Option<Located<String>> {
        let text = self.text(node)?;
        if node.is_plain()
            && let Err(finding) = pitfalls::cut_short(self.source, node.place)
        {
            self.findings.push(finding);
            return None;
        }
        Some(text)
    }

    pub fn boolean(&mut self, node: &Node) -> Option<bool> {
        match self.literal(node)? {
            Literal::Boolean(value) => Some(value),
            _ => {
                self.wrong(node, "`true` or `false`");
                None
            }
        }
    }

    /// A number, as its source text.
    pub fn number(&mut self, node: &Node) -> Option<Located<String>> {
        match self.literal(node)? {
            Literal::Number(text) => Some(Located::new(text, node.place)),
            _ => {
                self.wrong(node, "a number");
                None
            }
        }
    }

    pub fn integer(&mut self, node: &Node) -> Option<Located<i64>> {
        let text = self.number(node)?;
        match text.value.parse() {
            Ok(value) => Some(Located::new(value, text.place)),
            Err(_) => {
                self.wrong(node, "a whole number");
                None
            }
        }
    }

    /// A scalar without a declared type; `Y013` for spellings that YAML readers disagree about.
    pub fn literal(&mut self, node: &Node) -> Option<Literal> {
        let Content::Scalar(scalar) = &node.content else {
            self.wrong(node, "a single value");
            return None;
        };
        match scalar.literal() {
            Ok(literal) => Some(literal),
            Err(help) => {
                let message =
                    format!("`{}` is read differently by different YAML readers", shown(&scalar.text));
                self.findings.push(Diagnostic::error("Y013", node.place, message).help(help));
                None
            }
        }
    }

    /// One of a few fixed words.
    pub fn word<T: Copy>(&mut self, node: &Node, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if let Some((_, value)) = found {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match nearest(&text.value, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of `{}`", known.join("`, `")),
        };
        let message = format!("unknown value `{}`", shown(&text.value));
        self.findings.push(Diagnostic::error("Y011", node.place, message).help(help));
        None
    }

    /// Facts as a case gives them: the same tree that JSON from a caller becomes.
    pub fn given(&mut self, node: &Node) -> Option<Given> {
        match &node.content {
            Content::Scalar(_) => Some(match self.literal(node)? {
                Literal::Null => Given::Null,
                Literal::Boolean(value) => Given::Boolean(value),
                Literal::Number(text) => Given::Number(text),
                Literal::Text(text) => Given::Text(text),
            }),
            Content::List(items) => {
                items.iter().map(|item| self.given(item)).collect::<Option<_>>().map(Given::List)
            }
            Content::Map(entries) => entries
                .iter()
                .map(|entry| Some((entry.key.value.clone(), self.given(&entry.value)?)))
                .collect::<Option<_>>()
                .map(Given::Map),
        }
    }
}

impl<'n> Keys<'n> {
    /// The map's first key: where a finding about the whole of it points.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The value under a key, if it is there; asking makes the key known.
    pub fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
    }

    /// As `optional`; a missing key is a finding.
    pub fn required(&mut self, key: &'static str, shape: &mut Shape<'_>) -> Option<&'n Node> {
        let found = self.optional(key);
        if found.is_none() {
            let message = format!("{} lacks the key `{key}`", self.what);
            let mut finding = Diagnostic::error("Y010", self.place, message);
            let unknown = self.entries.iter().find(|entry| nearest(&entry.key.value, [key]).is_some());
            if let Some(entry) = unknown {
                finding = finding.help(format!("`{}` may be meant as it", shown(&entry.key.value)));
            }
            shape.report(finding);
        }
        found
    }

    /// Where the key itself was written, for findings about it rather than its value.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Option<Place> {
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| entry.key.place)
    }

    /// Reports every key that was not asked for.
    pub fn finish(self, shape: &mut Shape<'_>) {
        for entry in self.entries {
            if self.known.contains(&entry.key.value.as_str()) {
                continue;
            }
            let message = format!("unknown key `{}` in {}", shown(&entry.key.value), self.what);
            let help = match nearest(&entry.key.value, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: `{}`", self.known.join("`, `")),
            };
            shape.report(Diagnostic::error("Y009", entry.key.place, message).help(help));
        }
    }
}

impl Node {
    /// What this is, in a message.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.content {
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
            Content::Scalar(scalar) => match scalar.literal() {
                Ok(Literal::Null) => "nothing",
                Ok(Literal::Boolean(_)) => "a boolean",
                Ok(Literal::Number(_)) => "a number",
                Ok(Literal::Text(_)) | Err(_) => "a text",
            },
        }
    }

    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.is_null())
    }

    fn is_plain(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.style == super::tree::Style::Plain)
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
