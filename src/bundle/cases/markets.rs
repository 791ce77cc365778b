//! In which markets a case runs, and what it expects in each. How facts are read is `file`'s.

use std::collections::BTreeMap;

use super::Expectation;
use super::file::CaseReader;
use crate::bundle::{BASE, FlowRevision};
use crate::documents::yaml::shape::Keys;
use crate::documents::yaml::{Content, Node};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::facts::Given;
use crate::domain::place::Located;
use crate::domain::value::Name;

/// Every market that a flow has.
const ALL: &str = "all";

/// Where a case runs, and where it expects something else.
pub(super) struct CaseMarkets {
    pub markets: Vec<Name>,
    pub differing: BTreeMap<Name, Expectation>,
}

impl CaseReader<'_> {
    /// `market:` and `in:` of a case called `name`.
    pub(super) fn markets(&mut self, keys: &mut Keys<'_>, name: Option<&Located<String>>) -> CaseMarkets {
        let markets = match (keys.optional("market"), name) {
            (Some(node), _) => self.named_markets(node),
            (None, Some(name)) if self.known.is_market_required() => {
                let known = self.known.markets().join("`, `");
                let message = "this flow decides only for a market, and the case names none";
                self.shape.report(
                    Diagnostic::error("B010", name.place, message)
                        .help(format!("say `market: all`, or one of `{known}`")),
                );
                Vec::new()
            }
            (None, _) => vec![Name::from(BASE)],
        };
        let mut differing = BTreeMap::new();
        if let Some(node) = keys.optional("in") {
            for entry in self.shape.entries(node).unwrap_or_default() {
                let is_run = markets.iter().any(|market| **market == *entry.key.value);
                if !is_run && self.known.markets().contains(&entry.key.value.as_str()) {
                    let message = format!("this case does not run in the market `{}`", entry.key.value);
                    self.shape.report(
                        Diagnostic::error("B010", entry.key.place, message)
                            .help("name it under `market:` too, or write `market: all`"),
                    );
                } else if !is_run {
                    self.unknown_market(&entry.key);
                }
                if let Some(expectation) = self.expectation(&entry.value) {
                    differing.insert(Name::from(entry.key.value.as_str()), expectation);
                }
            }
        }
        CaseMarkets { markets, differing }
    }

    /// A name, a list of names or `all`.
    fn named_markets(&mut self, node: &Node) -> Vec<Name> {
        let names: Vec<Located<String>> = match &node.content {
            Content::List(items) => items.iter().filter_map(|item| self.shape.text(item)).collect(),
            _ => self.shape.text(node).into_iter().collect(),
        };
        let mut markets: Vec<Name> = Vec::new();
        for name in &names {
            let known = self.known.markets();
            let meant = match name.value.as_str() {
                ALL => known,
                one if known.contains(&one) => vec![one],
                _ => {
                    self.unknown_market(name);
                    continue;
                }
            };
            for market in meant {
                if !markets.iter().any(|there| **there == *market) {
                    markets.push(Name::from(market));
                }
            }
        }
        markets
    }

    fn unknown_market(&mut self, name: &Located<String>) {
        // The markets of a flow that cannot be read are not known.
        if self.known.is_known() {
            let known: Vec<&str> = self.known.markets().into_iter().chain([ALL]).collect();
            self.unknown(name, "market", known);
        }
    }
}

impl Expectation {
    /// What is expected in a market: what `other` says, and of the rest what this says.
    pub(super) fn overlaid(&self, other: Option<&Self>) -> Self {
        let mut whole = self.clone();
        let Some(other) = other.cloned() else { return whole };
        whole.outcome = other.outcome.or(whole.outcome);
        if other.reasons.is_some() || other.reasons_include.is_some() {
            whole.reasons = other.reasons;
            whole.reasons_include = other.reasons_include;
        }
        for (name, value) in other.output {
            whole.output.retain(|(known, _)| *known != name);
            whole.output.push((name, value));
        }
        for (name, score) in other.scores {
            whole.scores.retain(|(known, _)| *known != name);
            whole.scores.push((name, score));
        }
        whole.degraded = other.degraded.or(whole.degraded);
        whole.failed = other.failed.or(whole.failed);
        whole
    }
}

/// The facts of a case as they are sent in one market: without the inputs that only other markets have.
pub(super) fn facts_for(facts: &Given, here: &FlowRevision, flow: &FlowRevision) -> Given {
    let Given::Map(entries) = facts else { return facts.clone() };
    let has =
        |revision: &FlowRevision, name: &str| revision.flow.inputs.iter().any(|input| *input.name == *name);
    let is_sent = |name: &str| {
        has(here, name) || !(has(flow, name) || flow.markets.values().any(|market| has(market, name)))
    };
    Given::Map(entries.iter().filter(|(name, _)| is_sent(name)).cloned().collect())
}
