//! What differs between the flows of two bundles, folders or revisions: flow by flow, market by market. Absent on
//! purpose: telling two declarations apart (the domain's), and where the flows come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::FlowRevision;
use crate::documents::difference as shown;
use crate::domain::difference::{Change, ChangeKind, Part, Stated, difference};
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

/// Those of a flow before and after, as far as they are at hand.
type Revisions = (Option<String>, Option<String>);

/// One of the two flows that are compared, and the flows that it stands among: those that it asks are there.
#[derive(Debug, Clone, Copy)]
pub struct Side<'f> {
    pub flow: &'f FlowRevision,
    pub among: &'f Flows,
}

impl<'f> Side<'f> {
    fn stated(self) -> Stated<'f> {
        Stated { declaration: &self.flow.declaration, usage: &self.flow.flow.usage }
    }

    /// A flow that this one asks, as it asks it.
    fn asked(self, name: &str) -> Option<Self> {
        let market = self.flow.flow.market.as_deref();
        let flow = self.among.get(name)?.for_caller_in(market);
        Some(Self { flow, among: self.among })
    }

    /// What of this flow's files are those of another one.
    fn files_of(self, name: &str) -> Vec<(&'f str, &'f str)> {
        let folder = format!("rules/{name}/");
        let files = self.flow.files.iter().filter(|file| file.path.starts_with(&folder));
        files.map(|file| (file.path.as_str(), file.sha256.as_str())).collect()
    }
}

/// Two flows as they are declared, whatever their names and markets.
#[must_use]
pub fn flow_difference(before: Side<'_>, after: Side<'_>, name: &Name) -> Option<FlowDifference> {
    let changes = changes(before, after);
    let found = FlowDifference {
        flow: Arc::clone(name),
        kind: ChangeKind::Changed,
        markets: markets(before, after, &changes),
        changes,
    };
    (!found.changes.is_empty() || !found.markets.is_empty()).then_some(found)
}

/// Every flow that differs, in order of name.
#[must_use]
pub fn flows_difference(before: &Flows, after: &Flows) -> Vec<FlowDifference> {
    let names: BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
    let differing = |name: &Name| match (before.get(name), after.get(name)) {
        (Some(was), Some(is)) => {
            flow_difference(Side { flow: was, among: before }, Side { flow: is, among: after }, name)
        }
        (was, _) => {
            let kind = if was.is_some() { ChangeKind::Removed } else { ChangeKind::Added };
            Some(FlowDifference { flow: Arc::clone(name), kind, changes: Vec::new(), markets: Vec::new() })
        }
    };
    names.into_iter().filter_map(differing).collect()
}

/// Every flow that differs in a market, in order of name; `None` if no flow of either side has that market.
#[must_use]
pub fn market_difference(before: &Flows, after: &Flows, market: &str) -> Option<Vec<FlowDifference>> {
    let names: BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
    let (mut found, mut is_known) = (Vec::new(), false);
    for name in names {
        let [was, is] = [before, after].map(|flows| {
            let flow = flows.get(name)?.in_market(market)?;
            Some(Side { flow, among: flows })
        });
        is_known |= was.is_some() || is.is_some();
        let kind = match (was, is) {
            (None, None) => continue,
            (Some(was), Some(is)) => {
                let changes = changes(was, is);
                if !changes.is_empty() {
                    let (flow, kind) = (Arc::clone(name), ChangeKind::Changed);
                    found.push(FlowDifference { flow, kind, changes, markets: Vec::new() });
                }
                continue;
            }
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
        };
        let of_market = MarketDifference { market: Name::from(market), kind, changes: Vec::new() };
        found.push(FlowDifference {
            flow: Arc::clone(name),
            kind: ChangeKind::Changed,
            changes: Vec::new(),
            markets: vec![of_market],
        });
    }
    is_known.then_some(found)
}

/// What is declared otherwise, and which of the flows that are asked are not the same.
fn changes(before: Side<'_>, after: Side<'_>) -> Vec<Change> {
    let mut found = difference(before.stated(), after.stated());
    let asks = |side: Side<'_>, name: &Name| side.flow.flow.usage.flows.contains(name);
    let names: BTreeSet<&Name> =
        [before, after].iter().flat_map(|side| &side.flow.flow.usage.flows).collect();
    for name in names {
        let (kind, was, is) = match (asks(before, name), asks(after, name)) {
            (true, true) => match asked_otherwise(before, after, name) {
                Some((was, is)) => (ChangeKind::Changed, was, is),
                None => continue,
            },
            (true, false) => (ChangeKind::Removed, None, None),
            (false, _) => (ChangeKind::Added, None, None),
        };
        found.push(Change {
            part: Part::SubFlow,
            within: None,
            name: name.to_string(),
            field: None,
            kind,
            before: was,
            after: is,
        });
    }
    found
}

/// The revisions of a flow that both sides ask, if it differs in meaning. Of one that is not at hand only its files tell.
fn asked_otherwise(before: Side<'_>, after: Side<'_>, name: &str) -> Option<Revisions> {
    match (before.asked(name), after.asked(name)) {
        (Some(was), Some(is)) => {
            let differs = was.flow.flow_revision != is.flow.flow_revision && !changes(was, is).is_empty();
            let revision = |side: Side<'_>| Some(side.flow.flow_revision.to_string());
            differs.then(|| (revision(was), revision(is)))
        }
        _ => (before.files_of(name) != after.files_of(name)).then_some((None, None)),
    }
}

/// What the overlays change beyond `base`: the same change told once is enough.
fn markets(before: Side<'_>, after: Side<'_>, in_base: &[Change]) -> Vec<MarketDifference> {
    let names: BTreeSet<&Name> = before.flow.markets.keys().chain(after.flow.markets.keys()).collect();
    let differing = |name: &Name| {
        let market = Arc::clone(name);
        match (before.flow.markets.get(name), after.flow.markets.get(name)) {
            (Some(was), Some(is)) => {
                let was = Side { flow: was, ..before };
                let mut changes = changes(was, Side { flow: is, ..after });
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
