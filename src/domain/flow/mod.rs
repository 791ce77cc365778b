//! STUB: replaced by the real flow when branches meet. Only the signatures are meant.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::declaration::FlowDeclaration;
use super::diagnostic::Diagnostic;
use super::facts::{FactProblem, Facts, Given};
use super::value::Name;
use super::verdict::Verdict;

#[derive(Debug, Clone)]
pub struct Flow {
    pub name: Name,
    pub outcomes: Vec<Name>,
}

#[derive(Debug, Clone, Default)]
pub struct Budget;

#[derive(Debug, Clone, Default)]
pub struct Pins {
    pub models: BTreeMap<Name, Pin>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pin {
    Probability(f64),
    Fails,
}

impl Flow {
    #[must_use]
    pub fn compile(declaration: FlowDeclaration) -> (Option<Flow>, Vec<Diagnostic>) {
        let outcomes =
            declaration.outcomes.iter().map(|outcome| Name::from(outcome.value.as_str())).collect();
        let mut findings = Vec::new();
        for rule in declaration.rule_sets.iter().flat_map(|set| &set.rules) {
            if rule.when.value.contains("burdn") {
                let place = super::place::Place {
                    file: rule.when.place.file,
                    span: super::place::Span {
                        start: rule.when.place.span.start,
                        end: rule.when.place.span.start + 5,
                    },
                };
                findings.push(Diagnostic::error("T004", place, "an unknown name `burdn`"));
            }
        }
        let flow = Flow { name: Name::from(declaration.name.value.as_str()), outcomes };
        (findings.is_empty().then_some(flow), findings)
    }

    pub fn admit(&self, given: &Given) -> Result<Facts, Vec<FactProblem>> {
        let _ = given;
        Ok(Facts { values: Box::new([]), unread: Vec::new(), invalid: Vec::new() })
    }

    #[must_use]
    pub fn decide_with(&self, facts: &Facts, decided_at: Timestamp, budget: &Budget, pins: &Pins) -> Verdict {
        let _ = (facts, decided_at, budget, pins);
        Verdict {
            outcome: self.outcomes.first().cloned().unwrap_or_else(|| Name::from("")),
            reasons: Vec::new(),
            output: Vec::new(),
            scores: Vec::new(),
            features: Vec::new(),
            failures: Vec::new(),
            models: Vec::new(),
            trace: Vec::new(),
            ticks: 0,
            stopped_at: None,
        }
    }
}
