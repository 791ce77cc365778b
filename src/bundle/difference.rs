//! What differs between the flows of two bundles, folders or revisions: flow by flow, market by market. Absent on
//! purpose: telling two declarations apart (the domain's), and where the flows come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::FlowRevision;
use crate::documents::difference as shown;
use crate::domain::difference::{Change, ChangeKind, difference};
use crate::domain::value::Name;

/// Flows by name: of a bundle, a folder or a revision.
pub type Flows = BTreeMap<Name, Arc<FlowRevision>>;

/// What differs in one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowDifference {
    pub flow: Name,
    /// `Added` and `Removed`: only one side has the flow at all.
    pub kind: ChangeKind,
    /// In `base`, or in the market that was asked for.
    pub changes: Vec<Change>,
    /// What differs in a market beyond what `changes` says; markets without any are left out.
    pub markets: Vec<MarketDifference>,
}

impl FlowDifference {
    /// `{"flow", "change", "changes": […], "markets": [{"market", "change", "changes"}]}`
    #[must_use]
    pub fn json(&self) -> Json {
        let markets = self.markets.iter().map(|market| {
            json!({
                "market": &*market.market,
                "change": market.kind.word(),
                "changes": shown::json(&market.changes),
            })
        });
        json!({
            "flow": &*self.flow,
            "change": self.kind.word(),
            "changes": shown::json(&self.changes),
            "markets": markets.collect::<Vec<_>>(),
        })
    }
}

/// What differs in one market of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketDifference {
    pub market: Name,
    pub kind: ChangeKind,
    pub changes: Vec<Change>,
}

/// Two flows as they are declared, whatever their names and markets.
#[must_use]
pub fn flow_difference(before: &FlowRevision, after: &FlowRevision, name: &Name) -> Option<FlowDifference> {
    let changes = difference(&before.declaration, &after.declaration);
    let found = FlowDifference {
        flow: Arc::clone(name),
        kind: ChangeKind::Changed,
        changes,
        markets: markets(before, after),
    };
    (!found.changes.is_empty() || !found.markets.is_empty()).then_some(found)
}

/// Every flow that differs, in order of name.
#[must_use]
pub fn flows_difference(before: &Flows, after: &Flows) -> Vec<FlowDifference> {
    let names: BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
    let differing = |name: &Name| match (before.get(name), after.get(name)) {
        (Some(was), Some(is)) => flow_difference(was, is, name),
        (was, _) => {
            let kind = if was.is_some() { ChangeKind::Removed } else { ChangeKind::Added };
            Some(FlowDifference { flow: Arc::clone(name), kind, changes: Vec::new(), markets: Vec::new() })
        }
    };
    names.into_iter().filter_map(differing).collect()
}

/// What the overlays change beyond `base`: the same change told once is enough.
fn markets(before: &FlowRevision, after: &FlowRevision) -> Vec<MarketDifference> {
    let in_base = difference(&before.declaration, &after.declaration);
    let names: BTreeSet<&Name> = before.markets.keys().chain(after.markets.keys()).collect();
    let differing = |name: &Name| {
        let market = Arc::clone(name);
        match (before.markets.get(name), after.markets.get(name)) {
            (Some(was), Some(is)) => {
                let mut changes = difference(&was.declaration, &is.declaration);
                changes.retain(|change| !in_base.contains(change));
                let kind = ChangeKind::Changed;
                (!changes.is_empty()).then_some(MarketDifference { market, kind, changes })
            }
            (was, _) => {
                let kind = if was.is_some() { ChangeKind::Removed } else { ChangeKind::Added };
                Some(MarketDifference { market, kind, changes: Vec::new() })
            }
        }
    };
    names.into_iter().filter_map(differing).collect()
}
