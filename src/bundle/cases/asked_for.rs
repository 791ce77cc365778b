//! What a case expects the caller to be asked for, in the place of a decision: needs by name, and what is asked with
//! them, where a case says it. Absent on purpose: giving what is needed (that is `given:`).

use super::Difference;
use super::compare::{given_shown, is_same, list, shown};
use super::file::CaseReader;
use crate::documents::yaml::{Content, Node};
use crate::domain::facts::Given;
use crate::domain::value::Value;
use crate::domain::verdict::{NeedAsked, Verdict};

/// `bureau`, or `{ bureau: { depth: full } }`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedNeed {
    pub name: String,
    /// What is asked with it; what is not named may be anything.
    pub with: Vec<(String, Given)>,
}

impl ExpectedNeed {
    fn is_met(&self, asked: &NeedAsked) -> bool {
        self.name == *asked.name && self.with.iter().all(|(name, given)| asks(asked, name, given))
    }

    fn shown(&self) -> String {
        let with = self.with.iter().map(|(name, given)| format!("{name}: {}", given_shown(given)));
        said(&self.name, &with.collect::<Vec<_>>())
    }
}

fn asks(asked: &NeedAsked, name: &str, given: &Given) -> bool {
    let Value::Map(members) = &asked.with else { return false };
    members.get(name).is_some_and(|value| is_same(given, value))
}

fn said(name: &str, with: &[String]) -> String {
    if with.is_empty() { name.to_owned() } else { format!("{name} {{ {} }}", with.join(", ")) }
}

/// What is asked, with what any of these expectations speaks of.
fn asked_shown(asked: &NeedAsked, expected: &[ExpectedNeed]) -> String {
    let names = expected.iter().filter(|need| need.name == *asked.name).flat_map(|need| &need.with);
    let with = names.map(|(name, _)| {
        let value = match &asked.with {
            Value::Map(members) => members.get(name.as_str()).map(shown),
            _ => None,
        };
        format!("{name}: {}", value.unwrap_or_else(|| "nothing".to_owned()))
    });
    said(&asked.name, &with.collect::<Vec<_>>())
}

/// A case that stops to ask has no outcome to compare; one that expects it and does not is wrong from there on.
pub(super) fn asks_otherwise(expected: Option<&[ExpectedNeed]>, verdict: &Verdict) -> Option<Difference> {
    let expected = expected.unwrap_or_default();
    let asked = &verdict.needs;
    if expected.len() == asked.len() && expected.iter().zip(asked).all(|(need, asked)| need.is_met(asked)) {
        return None;
    }
    let sentence = |names: Vec<String>| match names.is_empty() {
        true => "a decision".to_owned(),
        false => format!("asks the caller for {}", list(&names)),
    };
    let mut got = sentence(asked.iter().map(|asked| asked_shown(asked, expected)).collect());
    if expected.is_empty() {
        got.push_str("; give it under `given:`, or expect it: `needs:`");
    }
    let expected = sentence(expected.iter().map(ExpectedNeed::shown).collect());
    Some(Difference { part: "needs".to_owned(), expected, got })
}

impl CaseReader<'_> {
    pub(super) fn needs(&mut self, node: &Node) -> Vec<ExpectedNeed> {
        let mut all = Vec::new();
        for item in self.shape.list(node).unwrap_or_default() {
            let Content::Map(_) = item.content else {
                if let Some(name) = self.shape.text(item) {
                    self.check(&name, "need", |known| &known.needs);
                    all.push(ExpectedNeed { name: name.value, with: Vec::new() });
                }
                continue;
            };
            for entry in self.shape.entries(item).unwrap_or_default() {
                self.check(&entry.key, "need", |known| &known.needs);
                let with = match self.shape.entries(&entry.value).and_then(|_| self.shape.given(&entry.value))
                {
                    Some(Given::Map(with)) => with,
                    _ => continue,
                };
                all.push(ExpectedNeed { name: entry.key.value.clone(), with });
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::value::Name;

    fn need(with: &[(&str, &str)]) -> ExpectedNeed {
        let with = with.iter().map(|(name, text)| ((*name).to_owned(), Given::Text((*text).to_owned())));
        ExpectedNeed { name: "bureau".to_owned(), with: with.collect() }
    }

    #[test]
    fn what_is_asked_with_a_need_counts_where_it_is_expected() {
        let with = BTreeMap::from([(Name::from("depth"), Value::text("full"))]);
        let asked = NeedAsked { name: Name::from("bureau"), with: Value::Map(Arc::new(with)) };
        for (expected, told) in [
            (need(&[]), None),
            (need(&[("depth", "full")]), None),
            (need(&[("depth", "basic")]), Some("bureau { depth: basic } | bureau { depth: full }")),
            (need(&[("country", "at")]), Some("bureau { country: at } | bureau { country: nothing }")),
        ] {
            let expected = [expected];
            let is_met = expected.iter().all(|need| need.is_met(&asked));
            let shown = expected.iter().map(ExpectedNeed::shown).collect::<String>();
            let got = format!("{shown} | {}", asked_shown(&asked, &expected));
            assert_eq!(told.map(str::to_owned), (!is_met).then_some(got));
        }
    }
}
