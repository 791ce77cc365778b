//! Runs cases on a flow: admits the facts, decides with the pinned answers, compares. The clock is the caller's.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::compare::differences;
use super::{Case, CaseResult, Difference};
use crate::domain::declaration::FlowDeclaration;
use crate::domain::flow::{Budget, Flow, Pins};
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

    /// Nothing covered yet, of these rules.
    #[must_use]
    pub fn of(declaration: &FlowDeclaration) -> Self {
        let mut rules = BTreeSet::new();
        for set in &declaration.rule_sets {
            for rule in &set.rules {
                rules.insert((Name::from(set.name.value.as_str()), Name::from(rule.id.value.as_str())));
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

/// Runs every case; one without `at:` is decided at `now`.
#[must_use]
pub fn run(
    flow_name: &Name,
    flow: &Flow,
    declaration: &FlowDeclaration,
    cases: &[Case],
    now: Timestamp,
) -> (Vec<CaseResult>, Coverage) {
    let mut coverage = Coverage::of(declaration);
    let results = cases
        .iter()
        .map(|case| CaseResult {
            flow: Name::clone(flow_name),
            case: case.name.clone(),
            file: case.path.clone(),
            line: case.line,
            differences: run_one(flow, case, now, &mut coverage),
        })
        .collect();
    (results, coverage)
}

fn run_one(flow: &Flow, case: &Case, now: Timestamp, coverage: &mut Coverage) -> Vec<Difference> {
    let facts = match flow.admit(&case.facts) {
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
    differences(&case.expect, &verdict)
}
