//! From a run to its verdict: the strictest recorded outcome wins, with the reasons of all records of that
//! strictness. A run that fails, is stopped or records nothing ends in `on_error` as well.

use jiff::Timestamp;

use super::machine::{Fault, Machine, Stop};
use super::scorecards::CardResult;
use super::steps::{AskedScore, Recorded};
use super::{Budget, Flow, Pins};
use crate::domain::expression::words::Moment;
use crate::domain::facts::Facts;
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{Failure, RecordedBy, Score, Step, Verdict};

impl Flow {
    /// The verdict of an evaluation that could not even be finished: `on_error`, and why. The last resort, for a
    /// defect of this program itself.
    #[must_use]
    pub fn given_up(&self, facts: &Facts, decided_at: Timestamp, detail: &str) -> Verdict {
        let moment = Moment { decided_at, time_zone: self.time_zone.clone() };
        let (budget, pins) = (Budget::default(), Pins::default());
        let mut machine = Machine::new(self, facts, moment, &budget, &pins);
        let fault = Fault::new("defect", detail, Span::default());
        machine.fail("flow.rhai".to_owned(), Stop::from(fault), 0);
        machine.record_on_error(0);
        machine.verdict()
    }
}

impl Machine<'_> {
    pub fn run(mut self) -> Verdict {
        self.decide();
        self.verdict()
    }

    /// Runs the script to its end, or to where it has to stop.
    pub fn decide(&mut self) {
        let flow = self.flow;
        match (&flow.on_invalid, self.facts.invalid.is_empty()) {
            (Some(fallback), false) => {
                let reason = flow.reasons.get(usize::from(fallback.reason)).map(|r| r.code.clone());
                let reasons = reason.into_iter().collect();
                self.record(fallback.outcome, reasons, Vec::new(), RecordedBy::OnInvalid, 0);
            }
            _ => self.run_script(),
        }
    }

    fn run_script(&mut self) {
        let flow = self.flow;
        let result = self.framed(Vec::new(), flow.script.frame, |m| m.statement(&flow.script.body));
        match result {
            Ok(()) | Err(Stop::Return(_) | Stop::Break | Stop::Continue | Stop::Referred) => {
                if self.records.is_empty() {
                    let failure = Failure {
                        code: "no_outcome",
                        step: "flow.rhai".to_owned(),
                        line: 0,
                        detail: "ended without recording an outcome".to_owned(),
                    };
                    self.trace.push(Step::Failed(failure.clone()));
                    self.failures.push(failure);
                    self.record_on_error(0);
                }
                self.check_outputs();
            }
            // Not decided yet: nothing of this run is the verdict's.
            Err(Stop::Needs(asked)) => {
                self.open.push(*asked);
                return;
            }
            Err(Stop::Gathers) => return,
            Err(Stop::Fault(fault)) => {
                let line = flow.script.line(fault.span);
                self.fail("flow.rhai".to_owned(), Stop::Fault(fault), line);
                self.record_on_error(line);
            }
        }
        // A stop by the guard inside of a rule or feature must not pass for a rule that merely failed.
        if self.stopped_at.is_some() && !self.records.iter().any(|r| r.by_on_error) {
            self.record_on_error(0);
        }
    }

    /// A verb of the mildest outcome was checked to carry every output; a rule's record carries none.
    fn check_outputs(&mut self) {
        if self.records.iter().any(|record| record.outcome > 0) {
            return;
        }
        let flow = self.flow;
        let is_carried = |at: usize| {
            self.records.iter().any(|record| record.output.iter().any(|(index, _)| usize::from(*index) == at))
        };
        let lacking =
            flow.outputs.iter().enumerate().find(|(at, output)| !output.optional && !is_carried(*at));
        if let Some((_, output)) = lacking {
            let detail = format!("the mildest outcome was recorded without the output `{}`", output.name);
            let fault = Fault::new("missing_output", detail, Span::default());
            self.fail("flow.rhai".to_owned(), Stop::from(fault), 0);
            self.record_on_error(0);
        }
    }

    pub fn verdict(mut self) -> Verdict {
        let flow = self.flow;
        let asked = std::mem::take(&mut self.sub_flows);
        let strictest = self.records.iter().map(|r| r.outcome).max().unwrap_or(flow.on_error.outcome);
        if self.open.is_empty() {
            self.explain_models(strictest > 0);
        }
        let mut output: Vec<(Name, Value)> = Vec::new();
        let mut strict: Vec<&Recorded> = self.records.iter().filter(|r| r.outcome == strictest).collect();
        for record in &strict {
            if !record.output.is_empty() {
                let mut carried = record.output.clone();
                carried.sort_by_key(|(at, _)| *at);
                output = carried
                    .into_iter()
                    .filter_map(|(at, value)| Some((flow.outputs.get(usize::from(at))?.name.clone(), value)))
                    .collect();
            }
        }
        strict.sort_by_key(|record| std::cmp::Reverse(record.contribution));
        let mut reasons: Vec<Name> = Vec::new();
        for code in strict.iter().flat_map(|record| &record.reasons) {
            if !reasons.contains(code) {
                reasons.push(code.clone());
            }
        }
        let scores = self.scores();
        let answered = self.models_answered();
        let mut verdict = Verdict {
            needs: self.open,
            outcome: flow.outcomes.get(usize::from(strictest)).cloned().unwrap_or_else(|| Name::from("")),
            reasons,
            output,
            scores,
            features: flow
                .features
                .iter()
                .zip(&self.features)
                .map(|(feature, slot)| (feature.name.clone(), Self::feature_state(slot)))
                .collect(),
            degraded: self.fell_back || self.records.iter().any(|r| r.by_on_error),
            failures: self.failures,
            models: flow.models.iter().map(|m| (m.name.clone(), m.model.digest.clone())).collect(),
            trace: self.trace,
            answered,
            ticks: self.ticks,
            stopped_at: self.stopped_at,
        };
        super::sub_flows::add_to(&mut verdict, flow, asked);
        verdict
    }

    /// Scores in the order asked. A scorecard that was asked again with other values gives its last points.
    fn scores(&self) -> Vec<(Name, Score)> {
        let flow = self.flow;
        let mut scores: Vec<(Name, Score)> = Vec::with_capacity(self.asked.len());
        for asked in &self.asked {
            let found = match asked {
                AskedScore::Model(at) => {
                    let score = self.models.get(usize::from(*at)).and_then(|result| result.as_ref()?.score);
                    flow.models.get(usize::from(*at)).map(|used| &used.name).zip(score)
                }
                AskedScore::Scorecard(at) => self
                    .cards
                    .get(*at)
                    .and_then(CardResult::score)
                    .and_then(|(card, score)| Some((&flow.scorecards.get(card)?.name, score))),
            };
            let Some((name, score)) = found else { continue };
            match scores.iter_mut().find(|(known, _)| known == name) {
                Some((_, before)) => *before = score,
                None => scores.push((name.clone(), score)),
            }
        }
        scores
    }
}
