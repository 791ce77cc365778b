//! What a case pins instead of asking: the answer of a model, the entries of a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::CaseReader;
use crate::bundle::flow_file::{finite, probability};
use crate::documents::yaml::shape::Shape;
use crate::documents::yaml::{Content, Entry, Node};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::flow::{GivenAnswer, ModelPin};
use crate::domain::list::{Entries, List};
use crate::domain::place::Located;
use crate::domain::value::Name;

impl CaseReader<'_> {
    pub(super) fn pins(&mut self, node: &Node) -> BTreeMap<Name, ModelPin> {
        let mut pins = BTreeMap::new();
        for entry in self.shape.entries(node).unwrap_or_default() {
            self.check(&entry.key, "model", |known| &known.models);
            let fails = matches!(&entry.value.content, Content::Scalar(scalar) if scalar.text == "fails");
            let pin = match &entry.value.content {
                _ if fails => Some(ModelPin::Fails),
                Content::Map(_) => self.answer(&entry.value),
                _ => {
                    let pinned = probability(&mut self.shape, &entry.value);
                    pinned.map(|value| ModelPin::Probability(value.value))
                }
            };
            if let Some(pin) = pin {
                pins.insert(Name::from(entry.key.value.as_str()), pin);
            }
        }
        pins
    }

    /// `{ probability: 0.7, score: 0.85, reasons: [R205], contributions: { amount: 0.4 } }`
    fn answer(&mut self, node: &Node) -> Option<ModelPin> {
        let shape = &mut self.shape;
        let mut keys = shape.keys(node, "a pinned answer")?;
        let probability = keys.optional("probability").map(|node| probability(shape, node));
        let score = keys.optional("score").map(|node| finite(shape, node));
        let reasons = keys.optional("reasons").and_then(|node| shape.list(node)).unwrap_or_default();
        let reasons = reasons.iter().filter_map(|code| shape.text(code)).map(|code| Name::from(code.value));
        let reasons = reasons.collect();
        let contributions = keys.optional("contributions").and_then(|node| shape.entries(node));
        let added =
            |entry: &Entry| Some((Name::from(entry.key.value.as_str()), finite(shape, &entry.value)?.value));
        let contributions = contributions.unwrap_or_default().iter().filter_map(added).collect();
        keys.finish(shape);
        if probability.is_none() && score.is_none() {
            let message = "this pins neither `probability` nor `score`";
            shape.report(Diagnostic::error("Y010", node.place, message).help("write `{ probability: 0.7 }`"));
            return None;
        }
        let value = |number: Option<Option<Located<f64>>>| number.flatten().map(|number| number.value);
        let (probability, score) = (value(probability), value(score));
        Some(ModelPin::Answer(Arc::new(GivenAnswer { probability, score, reasons, contributions })))
    }

    /// `lists: { blocked_phones: ["0900 1234"] }`: these entries and no others, matched as the list declares.
    pub(super) fn lists(&mut self, node: &Node) -> BTreeMap<Name, Arc<List>> {
        let mut pins = BTreeMap::new();
        for entry in self.shape.entries(node).unwrap_or_default() {
            let mut options = None;
            if let Some(known) = &self.known.names {
                options = known.lists.get(&entry.key.value).copied();
                if options.is_none() {
                    let names: Vec<&str> = known.lists.keys().map(String::as_str).collect();
                    self.unknown(&entry.key, "list", names);
                }
            }
            let items = self.shape.list(&entry.value).unwrap_or_default();
            let entries = entries(&mut self.shape, items);
            let list = List::new(Arc::from("pinned"), options.unwrap_or_default(), entries).0;
            pins.insert(Name::from(entry.key.value.as_str()), Arc::new(list));
        }
        pins
    }
}

/// Entries as they would stand in the file: a number is what was written.
fn entries(shape: &mut Shape<'_>, items: &[Node]) -> Entries {
    let mut entries = Entries::default();
    for item in items {
        if let Some(text) = shape.text(item) {
            entries.push(&text.value, text.place.span.start, None);
        }
    }
    entries
}
