//! Cases made ready once, to be decided any number of times and on other flows than their own: each in each of its
//! markets, its facts admitted, its expectation complete. Deciding is the caller's.

use jiff::Timestamp;

use super::compare::differences;
use super::markets::facts_for;
use super::{Case, Difference, Expectation};
use crate::bundle::{BASE, FlowRevision};
use crate::domain::facts::{Facts, Given};
use crate::domain::flow::{Budget, Flow, Pins};
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;

/// One case in one of its markets.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub name: String,
    pub path: String,
    /// 1-based line of its name.
    pub line: u32,
    /// The market, or `base`.
    pub market: Name,
    pub given: Given,
    pub facts: Facts,
    /// As the case pins it.
    pub at: Option<Timestamp>,
    pub decided_at: Timestamp,
    pub pins: Pins,
    pub expect: Expectation,
}

impl Prepared {
    /// What the flow says to it.
    #[must_use]
    pub fn verdict(&self, flow: &Flow) -> Verdict {
        flow.decide_with(&self.facts, self.decided_at, &Budget::default(), &self.pins)
    }

    /// Empty: the case holds.
    #[must_use]
    pub fn differences(&self, verdict: &Verdict) -> Vec<Difference> {
        differences(&self.expect, verdict)
    }
}

impl Expectation {
    /// Whether a verdict is as expected.
    #[must_use]
    pub fn is_met(&self, verdict: &Verdict) -> bool {
        differences(self, verdict).is_empty()
    }
}

impl FlowRevision {
    /// The flow in a market, or in `base`, also where callers have to name one.
    #[must_use]
    pub fn variant(&self, market: &str) -> Option<&Self> {
        if market == BASE { Some(self) } else { self.markets.get(market).map(AsRef::as_ref) }
    }
}

/// Every case in each of its markets; one without `at:` is decided at `now`. Left out: cases whose facts the flow does
/// not admit, which no flow like it admits either.
#[must_use]
pub fn prepared<'c>(
    revision: &FlowRevision,
    cases: impl IntoIterator<Item = &'c Case>,
    now: Timestamp,
) -> Vec<Prepared> {
    let mut all = Vec::new();
    for case in cases {
        for market in &case.markets {
            let Some(here) = revision.variant(market) else { continue };
            let given = facts_for(&case.facts, here, revision);
            let Ok(facts) = here.flow.admit(&given) else { continue };
            all.push(Prepared {
                name: case.name.clone(),
                path: case.path.clone(),
                line: case.line,
                market: Name::clone(market),
                given,
                facts,
                at: case.at,
                decided_at: case.at.unwrap_or(now),
                pins: Pins { models: case.models.clone(), lists: case.lists.clone() },
                expect: case.expect.overlaid(case.differing.get(market)),
            });
        }
    }
    all
}
