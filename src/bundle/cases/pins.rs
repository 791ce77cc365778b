//! What a case pins instead of asking: the probability of a model, the entries of a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::CaseReader;
use crate::bundle::flow_file::probability;
use crate::documents::yaml::shape::Shape;
use crate::documents::yaml::{Content, Node};
use crate::domain::flow::ModelPin;
use crate::domain::list::{Entries, List};
use crate::domain::value::Name;

impl CaseReader<'_> {
    pub(super) fn pins(&mut self, node: &Node) -> BTreeMap<Name, ModelPin> {
        let mut pins = BTreeMap::new();
        for entry in self.shape.entries(node).unwrap_or_default() {
            self.check(&entry.key, "model", |known| &known.models);
            let fails = matches!(&entry.value.content, Content::Scalar(scalar) if scalar.text == "fails");
            let pin = if fails {
                Some(ModelPin::Fails)
            } else {
                probability(&mut self.shape, &entry.value).map(|value| ModelPin::Probability(value.value))
            };
            if let Some(pin) = pin {
                pins.insert(Name::from(entry.key.value.as_str()), pin);
            }
        }
        pins
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
