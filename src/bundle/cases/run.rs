//! Runs cases on a flow: admits the facts, decides with the pinned answers, compares. The clock is the caller's.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::compare::differences;
use super::markets::facts_for;
use super::{Case, CaseResult, Difference, Expectation};
use crate::bundle::{BASE, FlowRevision};
use crate::domain::facts::Given;
use crate::domain::flow::{Budget, Pins};
use crate::domain::value::Name;
use crate::domain::verdict::{Step, Verdict};

/// Which rules the cases of a flow hit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Rule set and rule, each that is declared.
    pub rules: BTreeSet<(Name, Name)>,
    pub hit: BTreeSet<(Name, Name)>,
}

impl Coverage {
    /// Rules that no case hits.
    #[must_use]
    pub fn never_hit(&self) -> Vec<&(Name, Name)> {
        self.rules.difference(&self.hit).collect()
    }

    /// Nothing covered yet, of the rules of this flow in all its markets.
    #[must_use]
    pub fn of(revision: &FlowRevision) -> Self {
        let mut rules = BTreeSet::new();
        for variant in std::iter::once(revision).chain(revision.markets.values().map(AsRef::as_ref)) {
            for set in &variant.flow.rule_sets {
                rules.extend(set.rules.iter().map(|rule| (Name::clone(&set.name), Name::clone(&rule.id))));
            }
        }
        Self { rules, hit: BTreeSet::new() }
    }

    fn add(&mut self, verdict: &Verdict) {
        for step in &verdict.trace {
            let Step::Rules { name, rules, .. } = step else { continue };
            self.hit.extend(rules.hits().map(|rule| (Name::clone(name), Name::clone(&rule.id))));
        }
    }
}

/// Runs every case in each of its markets; one without `at:` is decided at `now`.
#[must_use]
pub fn run(
    flow_name: &Name,
    revision: &FlowRevision,
    cases: &[Case],
    now: Timestamp,
) -> (Vec<CaseResult>, Coverage) {
    let mut coverage = Coverage::of(revision);
    let mut results = Vec::with_capacity(cases.len());
    for case in cases {
        for market in &case.markets {
            let here = if **market == *BASE {
                Some(revision)
            } else {
                revision.markets.get(market).map(AsRef::as_ref)
            };
            // A case of a market that is not there was not read.
            let Some(here) = here else { continue };
            let facts = facts_for(&case.facts, here, revision);
            let expect = case.expect.overlaid(case.differing.get(market));
            results.push(CaseResult {
                flow: Name::clone(flow_name),
                market: Name::clone(market),
                case: case.name.clone(),
                file: case.path.clone(),
                line: case.line,
                differences: run_one(here, case, (&facts, &expect), now, &mut coverage),
            });
        }
    }
    (results, coverage)
}

fn run_one(
    revision: &FlowRevision,
    case: &Case,
    (facts, expect): (&Given, &Expectation),
    now: Timestamp,
    coverage: &mut Coverage,
) -> Vec<Difference> {
    let flow = &revision.flow;
    let facts = match flow.admit(facts) {
        Ok(facts) => facts,
        Err(problems) => {
            let got: Vec<String> = problems
                .iter()
                .map(|problem| format!("{} {}: {}", problem.pointer, problem.code, problem.detail))
                .collect();
            let expected = "facts that the flow admits".to_owned();
            return vec![Difference { part: "facts".to_owned(), expected, got: got.join("\n") }];
        }
    };
    let pins = Pins { models: case.models.clone(), lists: case.lists.clone() };
    let verdict = flow.decide_with(&facts, case.at.unwrap_or(now), &Budget::default(), &pins);
    coverage.add(&verdict);
    differences(expect, &verdict)
}
