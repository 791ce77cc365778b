//! A flow's features for rows that nobody asks a decision about: what a model is fitted on is computed by the very code
//! that serves it. Absent: rules, models and the script, and any check of the row's values against the contract's bounds.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::machine::{Machine, Stop};
use super::{Budget, Flow, Pins};
use crate::domain::expression::words::Moment;
use crate::domain::expression::{Code, Expression};
use crate::domain::facts::{Facts, NeedAnswer};
use crate::domain::place::Span;
use crate::domain::value::Value;

/// What a feature is computed from, by way of other features and of functions too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// Positions of inputs.
    pub inputs: BTreeSet<usize>,
    /// It depends on the time of the decision.
    pub is_timed: bool,
}

impl Flow {
    /// What the feature at this position is computed from.
    #[must_use]
    pub fn origins(&self, feature: usize) -> Origins {
        let mut origins = Origins::default();
        let (mut features, mut functions) = (BTreeSet::from([feature]), BTreeSet::new());
        let mut bodies: Vec<&Expression> =
            self.features.get(feature).map(|f| &f.formula).into_iter().collect();
        // Each feature and each function once.
        while let Some(body) = bodies.pop() {
            body.each(&mut |expression| match &expression.code {
                Code::Input(at) => drop(origins.inputs.insert(usize::from(*at))),
                Code::Today | Code::DecidedAt => origins.is_timed = true,
                Code::Feature(at) if features.insert(usize::from(*at)) => {
                    bodies.extend(self.features.get(usize::from(*at)).map(|feature| &feature.formula));
                }
                Code::Call { function, .. } if functions.insert(usize::from(*function)) => {
                    bodies
                        .extend(self.script.functions.get(usize::from(*function)).map(|called| &called.body));
                }
                _ => {}
            });
        }
        origins
    }

    /// The values of these features for a row of inputs, one for each that is declared.
    ///
    /// # Errors
    /// The position of the first feature that cannot be computed, and why; never a value.
    pub fn derived(
        &self,
        inputs: Vec<Value>,
        decided_at: Timestamp,
        features: &[u16],
    ) -> Result<Vec<Value>, (u16, String)> {
        let facts = Facts {
            values: inputs.into(),
            unread: Vec::new(),
            needs: vec![NeedAnswer::Awaited; self.needs.len()].into(),
            invalid: Vec::new(),
        };
        let moment = Moment { decided_at, time_zone: self.time_zone.clone() };
        let (budget, pins) = (Budget::default(), Pins::default());
        let mut machine = Machine::new(self, &facts, moment, &budget, &pins);
        let mut values = Vec::with_capacity(features.len());
        for at in features {
            match machine.feature(*at, Span::default()) {
                Ok(value) => values.push(value),
                Err(stop) => {
                    // What went wrong stands among the failures; the stop itself only says that it did.
                    let why = machine.failures.first().map(|failure| failure.detail.clone());
                    let said = || match stop {
                        Stop::Fault(fault) => fault.detail,
                        _ => "it could not be computed".to_owned(),
                    };
                    return Err((*at, why.unwrap_or_else(said)));
                }
            }
        }
        Ok(values)
    }

    /// When it is decided that is dated without a time: noon, where the flow is at home.
    #[must_use]
    pub fn noon(&self, date: jiff::civil::Date) -> Option<Timestamp> {
        Some(date.at(12, 0, 0, 0).to_zoned(self.time_zone.clone()).ok()?.timestamp())
    }
}
