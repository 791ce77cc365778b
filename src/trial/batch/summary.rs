//! What a file of rows came to, as it is told in text, JSON and the report: rates, never a row's value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::columns::Layout;
use super::comparison::Comparison;
use super::counts::Counts;
use super::frontier::{FrontierPoint, ThresholdPoint, frontier, thresholds};
use super::groups::{Attribute, Question, attribute};
use super::spread::{Band, Direction, Spread};
use super::tally::{Refused, RefusedRow, Tally};
use super::{Asked, Market};
use crate::bundle::FlowRevision;
use crate::documents::html::chart::{Axis, Unit};
use crate::domain::flow::Flow;
use crate::domain::outline::cut_offs::{CutOff, cut_offs};
use crate::domain::value::Name;

/// Bands of a score's distribution.
const BANDS: usize = 20;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub flow: String,
    /// `None`: each row named its own.
    pub market: Option<String>,
    pub revision: String,
    /// The time of every decision.
    pub at: String,
    pub rows: u64,
    pub decided: u64,
    pub refused: u64,
    /// Rows that stop until their caller gives more, by what they ask for.
    pub needs: BTreeMap<Name, u64>,
    /// Decided rows in which something could not be evaluated.
    pub degraded: u64,
    /// Mildest first. Shares are of the decided rows.
    pub outcomes: Vec<OutcomeSummary>,
    /// Most rows first.
    pub reasons: Vec<ReasonSummary>,
    pub scores: Vec<ScoreSummary>,
    pub label: Option<Labelled>,
    /// In each market that rows named.
    pub markets: Vec<MarketSummary>,
    pub groups: Vec<Attribute>,
    pub comparison: Option<Comparison>,
    /// Why rows were refused, most rows first.
    pub refusals: Vec<Refused>,
    /// The first of them.
    pub refused_rows: Vec<RefusedRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomeSummary {
    pub outcome: Name,
    #[serde(flatten)]
    pub counts: Counts,
    pub share: f64,
    pub bad_rate: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReasonSummary {
    pub code: Name,
    pub text: String,
    #[serde(flatten)]
    pub counts: Counts,
    pub share: f64,
    pub bad_rate: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreSummary {
    pub name: Name,
    pub direction: Direction,
    pub rows: u64,
    pub mean: f64,
    pub deviation: f64,
    /// Lowest, the nine between tenths of the rows, highest.
    pub deciles: Vec<f64>,
    /// With a label of two classes. 1: all bad rows score worse than all good ones.
    pub auc: Option<f64>,
    pub gini: Option<f64>,
    pub ks: Option<f64>,
    /// Scores were rounded to this to be counted; 0: they were not.
    pub rounded_to: f64,
    pub distribution: Vec<Band>,
    /// Approving by this score alone, from the best to the worst.
    pub frontier: Vec<FrontierPoint>,
    /// Where the flow's thresholds stand on it.
    pub thresholds: Vec<ThresholdPoint>,
}

/// How it turned out, by a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Labelled {
    pub column: String,
    /// The value that means bad; `None`: `bad`, `1` or `true`.
    pub bad: Option<String>,
    /// Decided rows, and those whose label is known.
    #[serde(flatten)]
    pub counts: Counts,
    pub bad_rate: Option<f64>,
    pub approval_rate: f64,
    pub bad_rate_of_approved: Option<f64>,
    pub bad_rate_of_others: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarketSummary {
    pub market: String,
    #[serde(flatten)]
    pub counts: Counts,
    pub outcomes: Vec<OutcomeSummary>,
}

impl Tally {
    pub(super) fn summary(self, asked: &Asked, layout: &Layout) -> Summary {
        let first = layout.first().unwrap_or(&asked.here.flow);
        let flow = &first.flow;
        let approve = flow.outcomes.first().cloned().unwrap_or_else(|| Name::from(""));
        let mut sample = self.sample.into_vec();
        sample.sort_by_key(|row| row.row);
        let inputs: Vec<Name> = flow.inputs.iter().map(|input| input.name.clone()).collect();
        let groups = asked.named.groups.iter().zip(self.groups).enumerate().map(|(at, (column, values))| {
            let (sample, inputs) = (sample.as_slice(), inputs.as_slice());
            attribute(Question { column, at, values, sample, inputs, approve: &approve })
        });
        let groups = groups.collect();
        let label = asked.named.label.as_ref().map(|column| {
            let approved = self.outcomes.get(&approve).copied().unwrap_or_default();
            let mut others = Counts::default();
            self.outcomes.iter().filter(|(name, _)| **name != approve).for_each(|(_, c)| others.merge(*c));
            Labelled {
                column: column.clone(),
                bad: asked.named.bad.clone(),
                counts: self.decided,
                bad_rate: self.decided.bad_rate(),
                approval_rate: approved.share(self.decided.rows),
                bad_rate_of_approved: approved.bad_rate(),
                bad_rate_of_others: others.bad_rate(),
            }
        });
        let cut_offs = cut_offs(&first.declaration);
        let mut refusals: Vec<Refused> = self
            .refusals
            .into_iter()
            .map(|((pointer, code), rows)| Refused { pointer, code, rows })
            .collect();
        refusals.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.pointer.cmp(&b.pointer)));
        let mut markets: Vec<MarketSummary> = self
            .markets
            .iter()
            .map(|(market, outcomes)| {
                let mut counts = Counts::default();
                outcomes.values().for_each(|of| counts.merge(*of));
                let outcomes = outcome_rows(flow, outcomes, counts.rows);
                MarketSummary { market: market.clone(), counts, outcomes }
            })
            .collect();
        markets.sort_by_key(|market| (market.market != crate::bundle::BASE, market.market.clone()));
        Summary {
            flow: flow.name.to_string(),
            market: match &asked.market {
                Market::Fixed(name) => Some(name.clone()),
                Market::Column(_) => None,
            },
            revision: asked.here.flow.whole_revision().to_string(),
            at: asked.at.to_string(),
            rows: self.rows,
            decided: self.decided.rows,
            refused: self.refused,
            needs: self.needs,
            degraded: self.degraded,
            outcomes: outcome_rows(flow, &self.outcomes, self.decided.rows),
            reasons: reason_rows(layout, &self.reasons, self.decided.rows),
            scores: self.scores.iter().map(|(name, spread)| score(name, spread, flow, &cut_offs)).collect(),
            label,
            markets,
            groups,
            comparison: self.flips.zip(asked.there.as_ref()).map(|(flips, there)| {
                let with = (there.from.clone(), there.flow.whole_revision().to_string());
                flips.comparison(with, both_outcomes(&there.flow, first))
            }),
            refusals,
            refused_rows: self.first_refused,
        }
    }
}

/// The outcomes here, mildest first, and those that only the other side has behind the milder ones that both have.
fn both_outcomes(there: &Arc<FlowRevision>, here: &Arc<FlowRevision>) -> Vec<String> {
    let mut all: Vec<String> = here.flow.outcomes.iter().map(ToString::to_string).collect();
    let mut behind = 0;
    for outcome in &there.flow.outcomes {
        match all.iter().position(|known| **known == **outcome) {
            Some(at) => behind = at + 1,
            None => {
                all.insert(behind, outcome.to_string());
                behind += 1;
            }
        }
    }
    all
}

/// Every declared outcome, also those that no row got.
fn outcome_rows(flow: &Flow, found: &BTreeMap<Name, Counts>, of: u64) -> Vec<OutcomeSummary> {
    let declared = flow.outcomes.iter().cloned();
    let others = found.keys().filter(|name| !flow.outcomes.contains(name)).cloned();
    let row = |outcome: Name| {
        let counts = found.get(&outcome).copied().unwrap_or_default();
        OutcomeSummary { outcome, counts, share: counts.share(of), bad_rate: counts.bad_rate() }
    };
    declared.chain(others).map(row).collect()
}

fn reason_rows(layout: &Layout, found: &BTreeMap<Name, Counts>, of: u64) -> Vec<ReasonSummary> {
    let text = |code: &str| {
        let mut flows = layout.flows.iter();
        flows.find_map(|revision| revision.flow.reason_text(code, &[])).unwrap_or_default().to_owned()
    };
    let row = |(code, counts): (&Name, &Counts)| ReasonSummary {
        code: code.clone(),
        text: text(code),
        counts: *counts,
        share: counts.share(of),
        bad_rate: counts.bad_rate(),
    };
    let mut rows: Vec<ReasonSummary> = found.iter().map(row).collect();
    rows.sort_by(|a, b| b.counts.rows.cmp(&a.counts.rows).then_with(|| a.code.cmp(&b.code)));
    rows
}

fn score(name: &Name, spread: &Spread, flow: &Flow, cut_offs: &[CutOff]) -> ScoreSummary {
    let direction = direction(flow, name);
    let separation = spread.separation(direction);
    let deciles = spread.deciles();
    let (low, high) = (deciles.first().copied(), deciles.last().copied());
    let ends = low.zip(high).map_or([0.0, 1.0], |(low, high)| [low, high]);
    // A probability is seen among all that it could be.
    let axis = if ends.iter().all(|end| (0.0..=1.0).contains(end)) && is_probability(flow, name) {
        Axis::whole("", Unit::Number)
    } else {
        Axis::over("", ends, Unit::Number)
    };
    let edge = |at: usize| axis.from + (axis.to - axis.from) * at as f64 / BANDS as f64;
    let edges: Vec<f64> = (0..=BANDS).map(edge).collect();
    ScoreSummary {
        name: name.clone(),
        direction,
        rows: spread.rows(),
        mean: spread.mean(),
        deviation: spread.variance().sqrt(),
        deciles,
        auc: separation.map(|found| found.0),
        gini: separation.map(|found| 2.0 * found.0 - 1.0),
        ks: separation.map(|found| found.1),
        rounded_to: if spread.is_exact() { 0.0 } else { spread.quantum() },
        distribution: spread.bands(&edges),
        frontier: frontier(spread, direction),
        thresholds: thresholds(spread, direction, name, cut_offs),
    }
}

/// The flow and the name there of a score, which may be of a flow that is asked (`fraud_check.risk`).
fn owner<'f, 'n>(flow: &'f Flow, name: &'n str) -> (&'f Flow, &'n str) {
    if let Some((sub, rest)) = name.split_once('.') {
        let sub = sub.split('#').next().unwrap_or(sub);
        if let Some(found) = flow.sub_flows.iter().find(|known| *known.name == *sub) {
            return owner(&found.flow, rest);
        }
    }
    (flow, name)
}

/// Points are good to have, probabilities of default are not.
fn direction(flow: &Flow, name: &str) -> Direction {
    let (flow, name) = owner(flow, name);
    let is_card = flow.scorecards.iter().any(|card| *card.name == *name);
    let gives_points = flow.models.iter().any(|used| *used.name == *name && !used.model.gives_probability());
    if is_card || gives_points { Direction::HigherIsSafer } else { Direction::HigherIsRiskier }
}

fn is_probability(flow: &Flow, name: &str) -> bool {
    let (flow, name) = owner(flow, name);
    flow.models.iter().any(|used| *used.name == *name && used.model.gives_probability())
}
