//! From documents to a bundle that cannot be wrong: all flows and models of one moment, compiled, immutable and
//! named by a digest. Files are read in `folder` and nowhere else; which bundle is in force is `release`'s.

mod build;
pub mod cases;
mod declared;
mod difference;
mod findings;
mod flow_file;
mod folder;
mod list_file;
mod lists;
mod market_file;
mod markets;
pub mod messages;
mod models;
mod names;
mod needs;
mod order;
mod overlay;
mod parts;
mod properties;
mod rebuild;
mod replaced;
mod revision;
mod rule_file;
mod scorecard_file;
mod shared;
mod table_file;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use build::{Built, FlowReport, Kept, build, models_of};
pub use difference::{
    FlowDifference, Flows, MarketDifference, Side, flow_difference, flows_difference, market_difference,
};
pub use findings::{Analysis, Findings, Left, Part};
pub use folder::{Documents, fingerprint, fingerprint_of_models, read_folder, read_models_folder};
pub use list_file::{ListFile, read_list};
pub use lists::KnownLists;
pub use rebuild::{Expected, RebuildError, rebuild};
pub use revision::{ManifestFile, of_files, sha256_hex};

use crate::domain::declaration::FlowDeclaration;
use crate::domain::flow::Flow;
use crate::domain::model::Model;
use crate::domain::value::Name;
use crate::learn::library::ModelLibrary;

/// Every code of this room with what it means, for the documentation and the test that compares them.
pub const CODES: &[(&str, &str)] = &[
    ("B001", "a flow folder lacks `flow.yaml` or `flow.rhai`"),
    ("B002", "a file that cannot be read, is not UTF-8 or is too large"),
    ("B003", "a document or key that this version does not support"),
    ("B004", "a name in a file that is not the name of the file or folder"),
    ("B005", "a name that cannot be used: reserved, or not made of letters, digits and `_`"),
    ("B006", "a model that a flow uses and that is not there"),
    ("B007", "a value out of its range"),
    ("B008", "a name declared twice"),
    ("B009", "a file that looks like a document of a flow and is not read"),
    ("B010", "a case that refers to something that is not there"),
    ("B011", "a case that does not hold, where cases are required before a flow comes into force"),
    ("B020", "a list whose file has another form"),
    ("B021", "a blank entry of a list"),
    ("B022", "an entry that a spreadsheet has damaged"),
    ("B023", "entries that may have lost their leading zeros"),
    ("B024", "an entry that cannot be matched as declared"),
    ("B025", "an entry that stands in a list twice"),
    ("B026", "an expiry that is not a date"),
    ("B027", "`lists:` and the files of lists do not fit together"),
    ("B028", "a name that both a flow and `rules/_shared/` declare"),
    ("B029", "a shared file with more than functions"),
    ("B030", "a table's CSV file that cannot be read, or a column without a name"),
    ("B031", "a row with more or fewer cells than the header"),
    ("B032", "a table without rows, or with rows in two files"),
    ("B033", "another separator than the one that is declared"),
    ("B034", "a type for a column that is not there"),
    ("B035", "a bin that asks nothing, or several things"),
    ("B040", "a market with a name that no market can have"),
    ("B041", "a market that changes nothing"),
    ("B042", "a flow that decides only for a market and has none"),
    ("B060", "a property that claims nothing, or several things at once"),
    ("B076", "two names that get the same protobuf field number"),
];

/// The market of a request that names none.
pub const BASE: &str = "base";

/// All flows that are in force together, and the models there are. Immutable: a request holds one from its
/// beginning to its end.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub flows: BTreeMap<Name, Arc<FlowRevision>>,
    /// `sha256:…` over everything that decides: the same on every machine.
    pub revision: Arc<str>,
    pub models: Arc<ModelLibrary>,
}

/// One flow as it decides, with everything that it was made from.
#[derive(Debug, Clone)]
pub struct FlowRevision {
    pub flow: Arc<Flow>,
    /// What the documents say, for those who describe the flow rather than run it.
    pub declaration: Arc<FlowDeclaration>,
    /// `sha256:…` over what decides in this flow alone: its files, those of the flows that it asks, its models. Of a
    /// market: over what decides there, its overlay included.
    pub flow_revision: Arc<str>,
    /// Sorted by path; models stand under `models/REFERENCE/VERSION`.
    pub files: Arc<[ManifestFile]>,
    /// The same flow in each of its markets; those have none themselves.
    pub markets: BTreeMap<Name, Arc<FlowRevision>>,
}

impl FlowRevision {
    /// The flow in a market; `None` where there is no such market, and for `base` where a market is required.
    #[must_use]
    pub fn in_market<'r>(self: &'r Arc<Self>, market: &str) -> Option<&'r Arc<Self>> {
        match market {
            BASE => Some(self).filter(|base| !base.flow.is_market_required),
            name => self.markets.get(name),
        }
    }

    /// The markets that a request may name: `base` first, unless one of the others is required.
    #[must_use]
    pub fn market_names(&self) -> Vec<&str> {
        let base = (!self.flow.is_market_required).then_some(BASE);
        base.into_iter().chain(self.markets.keys().map(|name| &**name)).collect()
    }

    /// The flow as another one in this market asks it: its own of that name, else `base`.
    pub(crate) fn for_caller_in(&self, market: Option<&str>) -> &Self {
        market.and_then(|name| self.markets.get(name)).map_or(self, |market| market)
    }

    /// The files of `base` and of every market, each once, sorted by path: what must be kept of this flow.
    #[must_use]
    pub fn all_files(&self) -> Vec<ManifestFile> {
        revision::union([self])
    }

    /// `sha256:…` over all its files: it changes when anything in any market does.
    #[must_use]
    pub fn whole_revision(&self) -> Arc<str> {
        if self.markets.is_empty() {
            return Arc::clone(&self.flow_revision);
        }
        of_files(&self.all_files())
    }

    /// The revision of `base` and of each market, with their names: `loan` and `loan/mx`.
    pub fn named_revisions<'r>(&'r self, flow: &Name) -> impl Iterator<Item = (Name, &'r Arc<str>)> {
        let markets = self.markets.iter().map({
            let flow = Arc::clone(flow);
            move |(market, revision)| (Name::from(format!("{flow}/{market}")), &revision.flow_revision)
        });
        std::iter::once((Arc::clone(flow), &self.flow_revision)).chain(markets)
    }
}

impl Bundle {
    pub fn new(flows: BTreeMap<Name, Arc<FlowRevision>>, models: Arc<ModelLibrary>) -> Self {
        let revision = revision::of_flows(flows.values().map(AsRef::as_ref));
        Self { flows, revision, models }
    }

    #[must_use]
    pub fn flow(&self, name: &str) -> Option<&Arc<FlowRevision>> {
        self.flows.get(name)
    }

    /// The models that its flows ask, in every market; one that several ask comes several times.
    #[must_use]
    pub fn models_asked(&self) -> Vec<Arc<Model>> {
        let of =
            |revision: &FlowRevision| revision.flow.all_models().into_iter().cloned().collect::<Vec<_>>();
        let variants = |base: &FlowRevision| {
            let markets = base.markets.values().flat_map(|market| of(market));
            of(base).into_iter().chain(markets).collect::<Vec<_>>()
        };
        self.flows.values().flat_map(|base| variants(base)).collect()
    }

    /// The files of every flow, each once, sorted by path: what must be kept so that this revision can be rebuilt.
    #[must_use]
    pub fn files(&self) -> Vec<ManifestFile> {
        revision::union(self.flows.values().map(AsRef::as_ref))
    }
}

#[cfg(test)]
mod list_tests;
#[cfg(test)]
mod market_tests;
#[cfg(test)]
mod sub_flow_tests;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
