//! Which thresholds an expression reads, with their values in force.

use std::collections::BTreeMap;

use super::ThresholdRead;
use crate::domain::declaration::{FlowDeclaration, ThresholdLiteral};
use crate::domain::place::Located;
use crate::domain::script::Grammar;
use crate::domain::script::syntax::{Node, Syntax};

/// The thresholds of a flow by name.
pub(super) struct Thresholds<'f> {
    values: BTreeMap<&'f str, String>,
    grammar: &'f Grammar,
}

/// A literal as a threshold's author wrote it; a text in quotes.
pub(super) fn shown(literal: &ThresholdLiteral) -> String {
    match literal {
        ThresholdLiteral::Number(text) => text.clone(),
        ThresholdLiteral::Boolean(value) => value.to_string(),
        ThresholdLiteral::Text(text) => format!("\"{text}\""),
    }
}

impl<'f> Thresholds<'f> {
    pub(super) fn of(flow: &'f FlowDeclaration, grammar: &'f Grammar) -> Self {
        let values = flow.thresholds.iter();
        let values = values.map(|t| (t.name.value.as_str(), shown(&t.literal.value))).collect();
        Self { values, grammar }
    }

    pub(super) fn read_by(&self, syntax: &Syntax) -> Vec<ThresholdRead> {
        let mut found = Vec::new();
        each(syntax, &mut |node| {
            if let Node::Name(name) = &node.node {
                self.add(name, &mut found);
            }
        });
        found
    }

    /// Of a condition or formula that has not been parsed yet.
    pub(super) fn read_by_text(&self, text: &Located<String>) -> Vec<ThresholdRead> {
        self.parsed(text).map(|syntax| self.read_by(&syntax)).unwrap_or_default()
    }

    /// A condition or formula; nothing where it cannot be parsed.
    pub(super) fn parsed(&self, text: &Located<String>) -> Option<Syntax> {
        self.grammar.condition(text).ok()
    }

    /// Of a cell or bound: any of its words may be a threshold.
    pub(super) fn named_in<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<ThresholdRead> {
        let mut found = Vec::new();
        for text in texts {
            for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                self.add(word, &mut found);
            }
        }
        found
    }

    fn add(&self, name: &str, found: &mut Vec<ThresholdRead>) {
        if let Some(value) = self.values.get(name)
            && !found.iter().any(|read| read.name == name)
        {
            found.push(ThresholdRead { name: name.to_owned(), value: value.clone() });
        }
    }
}

/// A node and all below it, in source order.
pub(super) fn each<'s>(syntax: &'s Syntax, look: &mut dyn FnMut(&'s Syntax)) {
    look(syntax);
    for child in syntax.children() {
        each(child, look);
    }
}
