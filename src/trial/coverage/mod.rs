//! What of a flow its cases reach, in all its markets together: rules, parts of conditions, rows, bins, look-ups,
//! branches, features, outcomes, reasons, fallbacks. Counted by goals: each thing that can be seen to happen once.
//! Absent on purpose: what a sub-flow does when it is asked (its own cases cover it).

mod goals;
mod lcov;
mod page;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use lcov::lcov;
pub use page::page;
use serde::Serialize;
pub use text::text;

use self::goals::Item;
pub(super) use self::goals::Texts;
use super::evidence::Evidence;
use crate::bundle::cases::Prepared;
use crate::bundle::{BASE, FlowRevision};
use crate::documents::Source;
use crate::domain::place::Place;
use crate::domain::value::Name;

/// What kind of thing is reached, the worst to leave untried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Outcome,
    Rule,
    Row,
    Bin,
    Branch,
    Arm,
    Loop,
    Record,
    Return,
    Fallback,
    Condition,
    List,
    Reason,
    Feature,
    Statement,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Self; 15] = [
        Self::Outcome,
        Self::Rule,
        Self::Row,
        Self::Bin,
        Self::Branch,
        Self::Arm,
        Self::Loop,
        Self::Record,
        Self::Return,
        Self::Fallback,
        Self::Condition,
        Self::List,
        Self::Reason,
        Self::Feature,
        Self::Statement,
    ];

    /// The word for several of it.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Outcome => "outcomes",
            Self::Rule => "rules",
            Self::Row => "table rows",
            Self::Bin => "scorecard bins",
            Self::Branch => "branches",
            Self::Arm => "switch arms",
            Self::Loop => "loops",
            Self::Record => "recorded outcomes",
            Self::Return => "returns",
            Self::Fallback => "fallbacks",
            Self::Condition => "parts of conditions",
            Self::List => "list look-ups",
            Self::Reason => "reasons",
            Self::Feature => "features",
            Self::Statement => "statements",
        }
    }
}

/// One thing that can be seen to happen, and which runs saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// `hit`, `missed`, `true`, `found`, …
    pub word: &'static str,
    /// Positions among the runs of the coverage.
    pub runs: Vec<u32>,
}

/// One thing of a flow with its goals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    pub kind: Kind,
    /// `under_age in knockout`, `row 3 of pricing`
    pub what: String,
    pub place: Place,
    pub goals: Vec<Goal>,
    /// Where it is in force.
    pub markets: Vec<Name>,
    /// Runs in which a rule failed.
    pub failed: u32,
}

impl Covered {
    /// How many of its goals were reached.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.goals.iter().filter(|goal| !goal.runs.is_empty()).count()
    }

    #[must_use]
    pub fn state(&self) -> State {
        match self.reached() {
            0 => State::Never,
            some if some == self.goals.len() => State::Full,
            _ => State::Partly,
        }
    }

    /// Runs that reached any of its goals, each once.
    #[must_use]
    pub fn runs(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.goals.iter().flat_map(|goal| goal.runs.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Never,
    Partly,
    Full,
}

/// One case in one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub case: String,
    pub path: String,
    pub line: u32,
    pub market: Name,
}

/// What the cases of one flow reach.
#[derive(Debug, Clone)]
pub struct FlowCoverage {
    pub flow: Name,
    pub runs: Vec<Run>,
    /// In the order of kind and place.
    pub items: Vec<Covered>,
    pub markets: Vec<Name>,
}

/// Goals, and how many of them were reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    pub all: usize,
    pub reached: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.reached += other.reached;
    }

    /// 100 where there is nothing to reach.
    #[must_use]
    pub fn percent(self) -> f64 {
        if self.all == 0 {
            return 100.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of goals are far below 2^53")]
        let (reached, all) = (self.reached as f64, self.all as f64);
        100.0 * reached / all
    }
}

impl FlowCoverage {
    /// Runs the cases, looking on.
    #[must_use]
    pub fn of(flow: &Name, revision: &FlowRevision, cases: &[Prepared]) -> Self {
        let evidence: Vec<Option<Evidence>> = cases
            .iter()
            .map(|case| Some(Evidence::of(&revision.variant(&case.market)?.flow, case).1))
            .collect();
        Self::from_evidence(flow, revision, cases, &evidence)
    }

    fn from_evidence(
        flow: &Name,
        revision: &FlowRevision,
        cases: &[Prepared],
        evidence: &[Option<Evidence>],
    ) -> Self {
        let markets: Vec<Name> = revision.market_names().into_iter().map(Name::from).collect();
        let mut items: BTreeMap<(Kind, Place, String), Covered> = BTreeMap::new();
        for market in &markets {
            let Some(variant) = revision.variant(market) else { continue };
            let here: Vec<(u32, &Evidence)> = (0..)
                .zip(cases)
                .zip(evidence)
                .filter(|((_, case), _)| case.market == *market)
                .filter_map(|((at, _), evidence)| Some((at, evidence.as_ref()?)))
                .collect();
            for item in goals::of(variant) {
                let key = (item.kind, item.place, item.what.clone());
                let covered = items.entry(key).or_insert_with(|| item.nothing_reached());
                add(covered, &item, market, &here);
            }
        }
        let run = |case: &Prepared| Run {
            case: case.name.clone(),
            path: case.path.clone(),
            line: case.line,
            market: Name::clone(&case.market),
        };
        let runs = cases.iter().map(run).collect();
        Self { flow: Name::clone(flow), runs, items: items.into_values().collect(), markets }
    }

    /// All goals together.
    #[must_use]
    pub fn count(&self) -> Count {
        self.count_of(|_| true)
    }

    fn count_of(&self, wanted: impl Fn(&Covered) -> bool) -> Count {
        let mut count = Count::default();
        for item in self.items.iter().filter(|item| wanted(item)) {
            count.add(Count { all: item.goals.len(), reached: item.reached() });
        }
        count
    }

    /// What the cases of one market alone reach of what is in force there.
    #[must_use]
    pub fn count_in(&self, market: &Name) -> Count {
        let is_here = |run: &u32| self.runs.get(index(*run)).is_some_and(|run| run.market == *market);
        let mut count = Count::default();
        for item in self.items.iter().filter(|item| item.markets.contains(market)) {
            let reached = item.goals.iter().filter(|goal| goal.runs.iter().any(is_here)).count();
            count.add(Count { all: item.goals.len(), reached });
        }
        count
    }

    /// Things with a goal that no case reaches: what was never reached at all first, then by kind and place.
    #[must_use]
    pub fn lacking(&self) -> Vec<&Covered> {
        let mut all: Vec<&Covered> = self.items.iter().filter(|item| item.state() != State::Full).collect();
        all.sort_by_key(|item| (item.state(), item.kind, item.place));
        all
    }
}

fn index(run: u32) -> usize {
    usize::try_from(run).unwrap_or(usize::MAX)
}

fn add(covered: &mut Covered, item: &Item, market: &Name, here: &[(u32, &Evidence)]) {
    covered.markets.push(Name::clone(market));
    for (goal, aim) in covered.goals.iter_mut().zip(&item.goals) {
        let reached = here.iter().filter(|(_, evidence)| aim.is_reached(evidence)).map(|(at, _)| *at);
        goal.runs.extend(reached);
        goal.runs.sort_unstable();
        goal.runs.dedup();
    }
    let failed = here.iter().filter(|(_, evidence)| item.failed(evidence)).count();
    covered.failed = covered.failed.saturating_add(u32::try_from(failed).unwrap_or(u32::MAX));
}

/// Coverage for programs: joins the `coverage` object of `tollgate test --format json`.
#[derive(Debug, Clone, Serialize)]
pub struct CoverageBody {
    /// Of all goals of all flows, two decimals.
    pub percent: f64,
    pub goals: Count,
    /// By kind.
    pub kinds: BTreeMap<&'static str, Count>,
    pub flows: Vec<FlowBody>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FlowBody {
    pub flow: String,
    pub percent: f64,
    pub goals: Count,
    /// What the cases of each market alone reach there.
    pub markets: BTreeMap<String, Count>,
    pub items: Vec<ItemBody>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ItemBody {
    pub kind: Kind,
    pub what: String,
    pub file: String,
    pub line: u32,
    pub column: u32,
    /// Only where it is not in every market.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub markets: Vec<String>,
    /// Goal → how many runs reached it.
    pub reached: BTreeMap<&'static str, u32>,
}

/// The same for all flows that were tested.
#[must_use]
pub fn body(flows: &[FlowCoverage], sources: &[Source]) -> CoverageBody {
    let (mut goals, mut kinds) = (Count::default(), BTreeMap::new());
    for flow in flows {
        goals.add(flow.count());
        for kind in Kind::ALL {
            let count = flow.count_of(|item| item.kind == kind);
            if count.all > 0 {
                kinds.entry(kind.plural()).or_insert_with(Count::default).add(count);
            }
        }
    }
    let flows = flows.iter().map(|flow| flow_body(flow, sources)).collect();
    CoverageBody { percent: two_decimals(goals.percent()), goals, kinds, flows }
}

fn flow_body(flow: &FlowCoverage, sources: &[Source]) -> FlowBody {
    let item = |item: &Covered| {
        let (file, line, column) = written_place(sources, item.place);
        let count = |runs: usize| u32::try_from(runs).unwrap_or(u32::MAX);
        let mut reached: BTreeMap<&'static str, u32> =
            item.goals.iter().map(|goal| (goal.word, count(goal.runs.len()))).collect();
        if item.kind == Kind::Rule {
            reached.insert("failed", item.failed);
        }
        let everywhere = item.markets.len() == flow.markets.len();
        let markets = if everywhere { &[][..] } else { &item.markets };
        ItemBody {
            kind: item.kind,
            what: item.what.clone(),
            file,
            line,
            column,
            markets: markets.iter().map(ToString::to_string).collect(),
            reached,
        }
    };
    let markets = flow.markets.iter().map(|market| (market.to_string(), flow.count_in(market)));
    FlowBody {
        flow: flow.flow.to_string(),
        percent: two_decimals(flow.count().percent()),
        goals: flow.count(),
        markets: markets.collect(),
        items: flow.items.iter().map(item).collect(),
    }
}

/// Rounded down, so that 100 means all.
fn two_decimals(percent: f64) -> f64 {
    (percent * 100.0).floor() / 100.0
}

/// All goals of all flows.
#[must_use]
pub fn total(flows: &[FlowCoverage]) -> Count {
    let mut count = Count::default();
    flows.iter().for_each(|flow| count.add(flow.count()));
    count
}

/// Path, line and column of a place.
pub(super) fn written_place(sources: &[Source], place: Place) -> (String, u32, u32) {
    let source = usize::try_from(place.file).ok().and_then(|at| sources.get(at));
    source.map_or_else(
        || (String::new(), 0, 0),
        |source| {
            let position = source.position(place.span.start);
            (source.path.clone(), position.line, position.column)
        },
    )
}

/// `base` needs no name where a flow has no markets.
fn in_markets(item: &Covered, flow: &FlowCoverage) -> String {
    if item.markets.len() == flow.markets.len() {
        return String::new();
    }
    let names: Vec<String> = item
        .markets
        .iter()
        .map(|market| if **market == *BASE { "base".to_owned() } else { market.to_string() })
        .collect();
    format!(" (only in {})", names.join(", "))
}
