//! Other flows asked from a script: decided whole, at the same moment, on facts handed over or read by name, and under
//! the same budget. Asking records nothing; `.apply()` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::blocks::{STACK, STACK_LEFT};
use super::compile::Build;
use super::machine::{Fault, Machine, Outcome, Stop};
use super::steps::{coerced, within};
use super::tables::check_results;
use super::{Flow, Pins, SubFlow};
use crate::domain::declaration::{FlowDeclaration, SubFlowFound};
use crate::domain::expression::Expression;
use crate::domain::expression::operators::Impossible;
use crate::domain::expression::scope::{ScopedAnswers, ScopedFlow, ScopedSubFlow};
use crate::domain::expression::words::Moment;
use crate::domain::facts::{FactProblem, Facts, NeedAnswer};
use crate::domain::place::Span;
use crate::domain::value::{Field, Kind, Name, StepHandle, Value};
use crate::domain::verdict::{Failure, RecordedBy, Step, Verdict};

/// What asking a flow is charged: its own ticks come on top.
const TICKS_PER_FLOW: u32 = 32;

/// What a sub-flow decided.
#[derive(Debug)]
pub(super) struct SubFlowResult {
    /// Which flow it was.
    flow: usize,
    /// The same call is remembered, another one is not.
    values: Box<[Value]>,
    /// Its trace is taken out: it stands in the trace of the flow that asked.
    verdict: Verdict,
    /// It ended in `on_error`, and nothing that it found was as strict as can be.
    failed: bool,
    /// The script asked `.failed`, so it may read what there is.
    asked_failed: bool,
}

/// The flows as scripts can name them.
pub(super) fn scoped(declaration: &FlowDeclaration) -> Vec<ScopedFlow> {
    let is_never_asked = declaration.is_market_required && declaration.market.is_none();
    let answers = |name: &str, found: &SubFlowFound| match found {
        SubFlowFound::Broken => ScopedAnswers::Broken,
        SubFlowFound::Cycle(way) => ScopedAnswers::Cycle(way.clone()),
        SubFlowFound::Uncalled => ScopedAnswers::Uncalled,
        SubFlowFound::Flow(flow) if !flow.needs.is_empty() => ScopedAnswers::Refused {
            message: format!("the flow `{name}` asks the caller with `need`, so no other flow can ask it"),
            help: "ask for what it needs in this flow, and hand it over as an input",
        },
        SubFlowFound::Flow(flow) if flow.is_market_required && flow.market.is_none() && !is_never_asked => {
            let here = declaration.market.as_ref().map_or("base", |market| market.value.as_str());
            ScopedAnswers::Refused {
                message: format!("the flow `{name}` decides only for a market, and has no `{here}`"),
                help: "add the market to that flow, or take `market: required` out of it",
            }
        }
        SubFlowFound::Flow(flow) => ScopedAnswers::Flow(Box::new(asked_of(flow))),
    };
    let flows = declaration.sub_flows.iter();
    flows
        .map(|sub| ScopedFlow {
            name: Name::from(sub.name.as_str()),
            answers: answers(&sub.name, &sub.found),
        })
        .collect()
}

fn asked_of(flow: &Flow) -> ScopedSubFlow {
    let field = |kind: &Kind, optional: bool| Field { kind: kind.clone(), optional };
    let takes = flow.inputs.iter().map(|input| (input.name.clone(), field(&input.kind, input.optional)));
    // An outcome that is not an approval may carry none of them.
    let outputs = flow.outputs.iter().map(|output| (output.name.clone(), field(&output.kind, true)));
    let scores =
        flow.models.iter().map(|model| &model.name).chain(flow.scorecards.iter().map(|card| &card.name));
    ScopedSubFlow {
        takes: takes.collect(),
        outputs: Arc::new(outputs.collect()),
        scores: Arc::new(scores.map(|name| (name.clone(), field(&Kind::Number, true))).collect()),
        outcomes: flow.outcomes.clone().into(),
    }
}

impl Build<'_> {
    /// The flows that the script names: they come first in the declaration.
    pub(super) fn sub_flows(&self) -> Vec<SubFlow> {
        let named = self.declaration.sub_flows.iter().map_while(|sub| match &sub.found {
            SubFlowFound::Flow(flow) => {
                Some(SubFlow { name: Name::from(sub.name.as_str()), flow: Arc::clone(flow) })
            }
            _ => None,
        });
        named.collect()
    }
}

impl<'a> Machine<'a> {
    /// Asks a flow, once a request for the same facts; gives the place of its result.
    pub(super) fn sub_flow(
        &mut self,
        index: u16,
        takes: &'a [(u16, Expression)],
        span: Span,
    ) -> Outcome<Value> {
        let asked = self.flow;
        let at = usize::from(index);
        let Some(sub) = asked.sub_flows.get(at) else { return Ok(Value::Missing) };
        for _ in 0..TICKS_PER_FLOW {
            self.tick(span)?;
        }
        let facts = self.sub_facts(&sub.flow, takes, span)?;
        let known =
            self.sub_flows.iter().position(|result| result.flow == at && result.values == facts.values);
        let place = match known {
            Some(place) => place,
            None => {
                check_results("flows are asked", self.sub_flows.len(), span)?;
                let result = stacker::maybe_grow(STACK_LEFT, STACK, || self.decided(at, sub, facts))?;
                self.sub_flows.push(result);
                self.sub_flows.len().saturating_sub(1)
            }
        };
        Ok(Value::Step(StepHandle::SubFlow(u16::try_from(place).unwrap_or(u16::MAX))))
    }

    fn decided(&mut self, at: usize, sub: &SubFlow, facts: Facts) -> Outcome<SubFlowResult> {
        let Moment { decided_at, .. } = self.moment;
        let pins = self.pins.of_sub_flow(&sub.name);
        if let Some(watch) = self.watch {
            watch.takes(&facts.values);
            watch.enter(&sub.name);
        }
        let verdict = self.decide_below(&sub.flow, &facts, decided_at, &pins);
        if let Some(watch) = self.watch {
            watch.leave();
        }
        let mut verdict = verdict?;
        let strictest = sub.flow.outcomes.last();
        // What its `on_error` recorded was not found, however strict it is.
        let found = verdict.trace.iter().any(|step| {
            let Step::Record { outcome, by, .. } = step else { return false };
            Some(outcome) == strictest && *by != RecordedBy::OnError
        });
        // What merely had something stand in for an answer has not failed.
        let is_on_error = |step: &Step| matches!(step, Step::Record { by: RecordedBy::OnError, .. });
        let failed = verdict.trace.iter().any(is_on_error) && !found;
        for failure in &verdict.failures {
            let step = format!("{}: {}", sub.name, failure.step);
            self.failures.push(Failure { step, ..failure.clone() });
        }
        self.trace.push(Step::SubFlow {
            name: sub.name.clone(),
            outcome: verdict.outcome.clone(),
            reasons: verdict.reasons.clone(),
            degraded: verdict.degraded,
            trace: std::mem::take(&mut verdict.trace),
        });
        Ok(SubFlowResult { flow: at, values: facts.values, verdict, failed, asked_failed: false })
    }

    /// One budget for all: the ticks go on counting, and what stops the one stops the other.
    fn decide_below(
        &mut self,
        flow: &Flow,
        facts: &Facts,
        decided_at: Timestamp,
        pins: &Pins,
    ) -> Outcome<Verdict> {
        let moment = Moment { decided_at, time_zone: flow.time_zone.clone() };
        let mut machine = Machine::new(flow, facts, moment, self.budget, pins);
        machine.ticks = self.ticks;
        machine.stopped_at = self.stopped_at;
        machine.watch = self.watch;
        machine.known = self.known;
        machine.explains = self.explains;
        machine.decide();
        self.ticks = machine.ticks;
        self.stopped_at = machine.stopped_at;
        self.fell_back |= machine.fell_back;
        if machine.wanted.is_empty() {
            return Ok(machine.verdict());
        }
        for asked in machine.wanted {
            self.want(asked);
        }
        Err(Stop::Gathers)
    }

    /// The facts of a sub-flow: each in its declared type and range, as if a caller had sent them.
    fn sub_facts(&mut self, flow: &Flow, takes: &'a [(u16, Expression)], span: Span) -> Outcome<Facts> {
        let mut values = vec![Value::Missing; flow.inputs.len()];
        let mut invalid = Vec::new();
        for (at, expression) in takes {
            let Some(input) = flow.inputs.get(usize::from(*at)) else { continue };
            let value = if input.optional { self.evaluate(expression)? } else { self.value(expression)? };
            if matches!(value, Value::Missing) {
                continue;
            }
            let wrong = |i: Impossible| {
                Fault::new(i.code, format!("input `{}` of `{}`: {}", input.name, flow.name, i.detail), span)
            };
            let value =
                coerced(declared_part(&value, &input.kind), &expression.code, &input.kind).map_err(wrong)?;
            if let Err(beyond) = within(&value, input.min.as_ref(), input.max.as_ref()) {
                if flow.on_invalid.is_none() {
                    return Err(wrong(beyond).into());
                }
                let pointer = format!("/{}", input.name);
                invalid.push(FactProblem { pointer, code: beyond.code, detail: beyond.detail });
            }
            if let Some(slot) = values.get_mut(usize::from(*at)) {
                *slot = value;
            }
        }
        let needs = vec![NeedAnswer::Awaited; flow.needs.len()].into();
        Ok(Facts { values: values.into(), unread: Vec::new(), needs, invalid })
    }

    /// `.outcome`, `.reasons`, … of a sub-flow. What failed can be read only after `.failed` was asked.
    pub(super) fn sub_flow_property(&mut self, result: u16, name: &Name, span: Span) -> Outcome<Value> {
        let flow = self.flow;
        let Some(found) = self.sub_flows.get_mut(usize::from(result)) else { return Ok(Value::Missing) };
        match &**name {
            "failed" => {
                found.asked_failed = true;
                return Ok(Value::Boolean(found.failed));
            }
            "degraded" => return Ok(Value::Boolean(found.verdict.degraded)),
            _ => {}
        }
        let Some(sub) = flow.sub_flows.get(found.flow) else { return Ok(Value::Missing) };
        if found.failed && !found.asked_failed {
            let detail = format!("reads the result of the flow `{}`, which failed", sub.name);
            return Err(Fault::new("failed_step", detail, span).into());
        }
        let verdict = &found.verdict;
        let map = |entries: BTreeMap<Name, Value>| Value::Map(Arc::new(entries));
        Ok(match &**name {
            "outcome" => Value::Text(verdict.outcome.clone()),
            "reasons" => Value::List(verdict.reasons.iter().cloned().map(Value::Text).collect()),
            // What was not carried stands here as missing, so that it can be asked for.
            "output" => {
                let carried = |name: &Name| {
                    let found = verdict.output.iter().find(|(output, _)| output == name);
                    found.map_or(Value::Missing, |(_, value)| value.clone())
                };
                map(sub.flow.outputs.iter().map(|o| (o.name.clone(), carried(&o.name))).collect())
            }
            "scores" => {
                let models = sub.flow.models.iter().map(|model| &model.name);
                let all = models.chain(sub.flow.scorecards.iter().map(|card| &card.name));
                let scored = |name: &Name| {
                    let found = verdict.scores.iter().find(|(scored, _)| scored == name);
                    found.map_or(Value::Missing, |(_, score)| Value::Number(score.rounded))
                };
                map(all.map(|name| (name.clone(), scored(name))).collect())
            }
            _ => Value::Missing,
        })
    }

    /// Records what a sub-flow decided; what failed there records `on_error` here too.
    pub(super) fn apply_sub_flow(&mut self, result: u16, span: Span) -> Outcome<Value> {
        let flow = self.flow;
        let Some(found) = self.sub_flows.get(usize::from(result)) else { return Ok(Value::Missing) };
        let Some(sub) = flow.sub_flows.get(found.flow) else { return Ok(Value::Missing) };
        let (outcome, reasons, failed) =
            (found.verdict.outcome.clone(), found.verdict.reasons.clone(), found.failed);
        let here = flow.outcomes.iter().position(|known| *known == outcome);
        let Some(here) = here.and_then(|at| u16::try_from(at).ok()) else {
            let detail = format!("the flow `{}` ended in an outcome that this flow does not have", sub.name);
            return Err(Stop::from(Fault::new("unknown_outcome", detail, span)));
        };
        let line = flow.script.line(span);
        self.record(here, reasons, Vec::new(), RecordedBy::SubFlow(sub.name.clone()), line);
        if failed {
            self.record_on_error(line);
        }
        Ok(Value::Missing)
    }
}

impl Pins {
    /// What is pinned below this name: `fraud_check.risk` is `risk` in the flow `fraud_check`.
    pub(in crate::domain) fn of_sub_flow(&self, flow: &str) -> Self {
        fn below<T: Clone>(all: &BTreeMap<Name, T>, flow: &str) -> BTreeMap<Name, T> {
            let inner = |name: &Name| name.strip_prefix(flow)?.strip_prefix('.').map(Name::from);
            all.iter().filter_map(|(name, pin)| Some((inner(name)?, pin.clone()))).collect()
        }
        Self { models: below(&self.models, flow), lists: below(&self.lists, flow) }
    }
}

/// A value without the names that are not declared for it: an asked flow takes what it knows of a map.
fn declared_part(value: &Value, kind: &Kind) -> Value {
    match (value, kind) {
        (Value::List(items), Kind::List(field)) => {
            Value::List(items.iter().map(|item| declared_part(item, &field.kind)).collect())
        }
        (Value::Map(entries), Kind::Map(fields)) => {
            let known = fields.iter().filter_map(|(name, field)| {
                Some((name.clone(), declared_part(entries.get(name)?, &field.kind)))
            });
            Value::Map(Arc::new(known.collect()))
        }
        (value, _) => value.clone(),
    }
}

/// Scores, features and model digests of the flows that were asked stand in the verdict under `flow.name`; those of a
/// second call with other facts under `flow#2.name`. So a replay compares them too.
pub(super) fn add_to(verdict: &mut Verdict, flow: &Flow, asked: Vec<SubFlowResult>) {
    for sub in &flow.sub_flows {
        let digests = digests_of(&sub.flow);
        let named =
            digests.into_iter().map(|(name, digest)| (Name::from(format!("{}.{name}", sub.name)), digest));
        verdict.models.extend(named);
    }
    let mut calls = vec![0_usize; flow.sub_flows.len()];
    for result in asked {
        let (Some(sub), Some(calls)) = (flow.sub_flows.get(result.flow), calls.get_mut(result.flow)) else {
            continue;
        };
        *calls += 1;
        let prefix = if *calls == 1 { sub.name.to_string() } else { format!("{}#{calls}", sub.name) };
        let under = |name: &Name| Name::from(format!("{prefix}.{name}"));
        verdict.scores.extend(result.verdict.scores.iter().map(|(name, score)| (under(name), *score)));
        verdict.answered.extend(result.verdict.answered);
        let features = result.verdict.features.into_iter();
        verdict.features.extend(features.map(|(name, state)| (under(&name), state)));
    }
}

fn digests_of(flow: &Flow) -> Vec<(Name, Arc<str>)> {
    let own = flow.models.iter().map(|used| (used.name.clone(), Arc::clone(&used.model.digest)));
    let below = flow.sub_flows.iter().flat_map(|sub| {
        let digests = digests_of(&sub.flow).into_iter();
        digests.map(|(name, digest)| (Name::from(format!("{}.{name}", sub.name)), digest))
    });
    own.chain(below).collect()
}
