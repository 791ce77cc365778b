//! Steps of a script besides rule sets and models: verbs, properties of what a step gave, and words over lists.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::machine::{Fault, FeatureSlot, Machine, Stop};
use crate::domain::expression::operators::{self, Impossible};
use crate::domain::expression::words;
use crate::domain::expression::{Code, Expression, ListWord};
use crate::domain::place::Span;
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Field, Kind, Name, StepHandle, Value};
use crate::domain::verdict::{RecordedBy, Step};

/// What a verb is charged: no loop can make a trace of more than a few thousand records.
const TICKS_PER_RECORD: u32 = 16;

/// What gave a score.
#[derive(Debug, Clone, Copy)]
pub(super) enum AskedScore {
    Model(u16),
    /// By its place among the results of this run.
    Scorecard(usize),
}

/// One recorded outcome.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub outcome: u16,
    pub reasons: Vec<Name>,
    pub output: Vec<(u16, Value)>,
    pub by_on_error: bool,
    /// Points of the rule that recorded it: by these reasons of one strictness are ranked.
    pub contribution: i64,
}

impl<'a> Machine<'a> {
    pub fn property(&mut self, of: &Value, name: &Name, span: Span) -> Result<Value, Stop> {
        match of {
            Value::Step(StepHandle::RuleSet(index)) => self.set_property(*index, name, span),
            Value::Step(StepHandle::Model(index)) => self.model_property(*index, name, span),
            Value::Step(StepHandle::Scorecard(index)) => self.scorecard_property(*index, name, span),
            Value::Step(StepHandle::Table(index)) => self.table_property(*index, name, span),
            Value::Step(StepHandle::SubFlow(index)) => self.sub_flow_property(*index, name, span),
            Value::Map(entries) => entries
                .get(name)
                .cloned()
                .ok_or_else(|| Fault::new("missing_value", format!("the map has no `{name}`"), span).into()),
            other => {
                let detail = format!("{} has no `{name}`", other.type_word());
                Err(Fault::new("wrong_type", detail, span).into())
            }
        }
    }

    pub fn apply(&mut self, of: &Value, span: Span) -> Result<Value, Stop> {
        match of {
            Value::Step(StepHandle::RuleSet(index)) => {
                self.apply_set(*index, self.flow.script.line(span));
                Ok(Value::Missing)
            }
            Value::Step(StepHandle::Table(index)) => self.apply_table(*index, span),
            Value::Step(StepHandle::SubFlow(index)) => self.apply_sub_flow(*index, span),
            other => {
                let detail = format!("{} cannot be applied", other.type_word());
                Err(Fault::new("wrong_type", detail, span).into())
            }
        }
    }

    /// Records an outcome with the reasons and outputs given.
    pub fn verb(
        &mut self,
        outcome: u16,
        reasons: &'a [Expression],
        output: &'a [(u16, Expression)],
        span: Span,
    ) -> Result<Value, Stop> {
        let flow = self.flow;
        // A record is kept whole in the trace, so it costs more than a step of the evaluation.
        for _ in 0..TICKS_PER_RECORD {
            self.tick(span)?;
        }
        let mut codes = Vec::new();
        for reason in reasons {
            let value = self.value(reason)?;
            self.collect_reasons(&value, &mut codes, reason.span)?;
        }
        if outcome > 0 && codes.is_empty() {
            // A list that turned out empty: the record still needs a reason, so the step has failed.
            return Err(Fault::new("no_reason", "records an outcome without any reason", span).into());
        }
        let mut carried = Vec::with_capacity(output.len());
        for (at, expression) in output {
            let value = self.value(expression)?;
            let Some(declared) = flow.outputs.get(usize::from(*at)) else { continue };
            let impossible = |i: Impossible| {
                Fault::new(
                    "invalid_output",
                    format!("output `{}`: {}", declared.name, i.detail),
                    expression.span,
                )
            };
            let value = coerced(value, &expression.code, &declared.kind).map_err(impossible)?;
            within(&value, declared.min.as_ref(), declared.max.as_ref()).map_err(impossible)?;
            carried.push((*at, value));
        }
        let line = flow.script.line(span);
        self.record(outcome, codes, carried, RecordedBy::Verb, line);
        Ok(Value::Missing)
    }

    fn collect_reasons(&self, value: &Value, codes: &mut Vec<Name>, span: Span) -> Result<(), Stop> {
        match value {
            Value::Text(code) => {
                let Some(known) = self.flow.reasons.iter().find(|r| r.code == *code) else {
                    return Err(
                        Fault::new("unknown_reason", "names a reason that is not declared", span).into()
                    );
                };
                if !codes.contains(&known.code) {
                    codes.push(known.code.clone());
                }
                Ok(())
            }
            Value::List(items) => items.iter().try_for_each(|item| self.collect_reasons(item, codes, span)),
            other => {
                let detail = format!("a reason cannot be {}", other.type_word());
                Err(Fault::new("wrong_type", detail, span).into())
            }
        }
    }

    pub fn record(
        &mut self,
        outcome: u16,
        reasons: Vec<Name>,
        output: Vec<(u16, Value)>,
        by: RecordedBy,
        line: u32,
    ) {
        let flow = self.flow;
        let Some(name) = flow.outcomes.get(usize::from(outcome)) else { return };
        let by_on_error = by == RecordedBy::OnError;
        let named = output
            .iter()
            .filter_map(|(at, value)| Some((flow.outputs.get(usize::from(*at))?.name.clone(), value.clone())))
            .collect();
        self.trace.push(Step::Record {
            outcome: name.clone(),
            reasons: reasons.clone(),
            output: named,
            by,
            line,
        });
        self.records.push(Recorded { outcome, reasons, output, by_on_error, contribution: 0 });
    }

    /// What the rule behind the last record weighs.
    pub fn contributed(&mut self, points: i64) {
        if let Some(last) = self.records.last_mut() {
            last.contribution = points;
        }
    }

    pub fn record_on_error(&mut self, line: u32) {
        let fallback = self.flow.on_error;
        let reason = self.flow.reasons.get(usize::from(fallback.reason)).map(|r| r.code.clone());
        self.record(fallback.outcome, reason.into_iter().collect(), Vec::new(), RecordedBy::OnError, line);
    }

    /// The value of a feature that was read, or whether it failed.
    pub fn feature_state(slot: &FeatureSlot) -> crate::domain::verdict::FeatureState {
        use crate::domain::verdict::FeatureState;
        match slot {
            FeatureSlot::Unread => FeatureState::Unread,
            FeatureSlot::Value(value) => FeatureState::Value(value.clone()),
            FeatureSlot::Failed => FeatureState::Failed,
        }
    }
}

/// A value in the declared type: whole numbers become decimals or numbers, literals are read exactly.
pub(super) fn coerced(value: Value, code: &Code, kind: &Kind) -> Result<Value, Impossible> {
    match (value, kind) {
        (Value::Integer(n), Kind::Decimal) => Ok(Value::Decimal(Decimal::from(n))),
        #[expect(clippy::cast_precision_loss, reason = "declared as a number: the nearest float")]
        (Value::Integer(n), Kind::Number) => Ok(Value::Number(n as f64)),
        (Value::Number(_), Kind::Decimal) => match code.as_written() {
            Some(decimal) => Ok(Value::Decimal(decimal)),
            None => Err(Impossible::new("wrong_type", "a decimal was expected, not number")),
        },
        (Value::Text(text), Kind::Choice(of)) if !of.contains(&text) => {
            Err(Impossible::new("wrong_type", "not one of its choices"))
        }
        (Value::List(items), Kind::List(field)) => {
            let items: Result<Vec<Value>, Impossible> = items.iter().map(|item| held(item, field)).collect();
            Ok(Value::List(items?.into()))
        }
        (Value::Map(entries), Kind::Map(fields)) => {
            if entries.keys().any(|name| !fields.contains_key(name)) {
                return Err(Impossible::new("wrong_type", "holds a name that is not declared"));
            }
            let made: Result<BTreeMap<Name, Value>, Impossible> = fields
                .iter()
                .map(|(name, field)| {
                    Ok((name.clone(), held(entries.get(name).unwrap_or(&Value::Missing), field)?))
                })
                .collect();
            Ok(Value::Map(Arc::new(made?)))
        }
        (value, kind) if value.type_word() == kind.word() => Ok(value),
        (value @ Value::Text(_), Kind::Choice(_)) => Ok(value),
        (value, kind) => Err(Impossible::new(
            "wrong_type",
            format!("{} was expected, not {}", kind.word(), value.type_word()),
        )),
    }
}

/// What a list or map holds, in its declared type.
fn held(value: &Value, field: &Field) -> Result<Value, Impossible> {
    match value {
        Value::Missing if field.optional => Ok(Value::Missing),
        Value::Missing => Err(Impossible::new("missing_value", "holds something that was not given")),
        value => coerced(value.clone(), &Code::Nothing, &field.kind),
    }
}

pub(super) fn within(value: &Value, min: Option<&Value>, max: Option<&Value>) -> Result<(), Impossible> {
    let beyond = |bound: Option<&Value>, wrong: Ordering| {
        bound.is_some_and(|bound| operators::ordering(value, bound) == Some(wrong))
    };
    if beyond(min, Ordering::Less) || beyond(max, Ordering::Greater) {
        return Err(Impossible::new("out_of_range", "out of its declared range"));
    }
    Ok(())
}

/// The result of a word over a list: `results` holds one value a row.
pub(super) fn summarise(
    (word, nothing): (ListWord, &Value),
    items: &[Value],
    results: &[Value],
    has_of: bool,
) -> Result<Value, Impossible> {
    let is_true = |value: &&Value| matches!(value, Value::Boolean(true));
    Ok(match word {
        ListWord::Count if has_of => length(results.iter().filter(is_true).count()),
        ListWord::Count => length(results.len()),
        ListWord::Any => Value::Boolean(false),
        ListWord::All => Value::Boolean(true),
        ListWord::Filter => {
            let kept =
                items.iter().zip(results).filter(|(_, kept)| is_true(kept)).map(|(item, _)| item.clone());
            Value::List(kept.collect())
        }
        ListWord::Sum if results.is_empty() => nothing.clone(),
        ListWord::Sum => sum(results)?,
        ListWord::Min => words::extreme(results, Ordering::Less)?,
        ListWord::Max => words::extreme(results, Ordering::Greater)?,
        ListWord::Average => {
            if results.is_empty() {
                return Err(Impossible::new("division_by_zero", "the average of no rows"));
            }
            operators::arithmetic(Operator::Divide, &sum(results)?, &length(results.len()))?
        }
        ListWord::Latest => {
            let mut latest: Option<(&Value, &Value)> = None;
            for (item, key) in items.iter().zip(results) {
                let newer = match latest {
                    None => true,
                    Some((_, best)) => operators::comparison(Operator::Greater, key, best)?,
                };
                if newer {
                    latest = Some((item, key));
                }
            }
            latest.map_or(Value::Missing, |(item, _)| item.clone())
        }
    })
}

fn length(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn sum(values: &[Value]) -> Result<Value, Impossible> {
    let mut values = values.iter();
    let Some(first) = values.next() else { return Ok(Value::Integer(0)) };
    values.try_fold(operators::arithmetic(Operator::Add, first, &Value::Integer(0))?, |total, value| {
        operators::arithmetic(Operator::Add, &total, value)
    })
}
