//! The evaluator's control flow: branches, loops, functions, and words over lists.

use std::sync::Arc;

use super::machine::{Fault, Machine, Outcome, Stop, wrong_type};
use super::watch::Site;
use crate::domain::expression::operators;
use crate::domain::expression::words;
use crate::domain::expression::{Code, CompiledArm, Expression, ListWord};
use crate::domain::place::Span;
use crate::domain::script::limits;
use crate::domain::script::syntax::Operator;
use crate::domain::value::{Name, Value};

pub(super) const STACK: usize = 4 * 1024 * 1024;
pub(super) const STACK_LEFT: usize = 256 * 1024;
/// Values of a list or map that are walked in one tick.
const VALUES_A_TICK: usize = 256;

impl<'a> Machine<'a> {
    /// A list or map as a script built it. What is nested is shared, so a few lines can build what nobody could
    /// compare, record or drop: depth and size are bounded where it is built.
    pub(super) fn bounded(&mut self, built: Value, span: Span) -> Outcome<Value> {
        if !self.walked(&built, span)? {
            let detail = "a list or map is nested more than 48 levels deep or holds more than 100,000 values";
            return Err(Fault::new("out_of_budget", detail, span).into());
        }
        Ok(built)
    }

    /// Charges for going through all of a value; whether it is within the bounds.
    pub(super) fn walked(&mut self, value: &Value, span: Span) -> Outcome<bool> {
        if !matches!(value, Value::List(_) | Value::Map(_)) {
            return Ok(true);
        }
        let mut left = limits::NESTED_VALUES;
        let within = is_within(value, limits::NESTING, &mut left);
        for _ in 0..(limits::NESTED_VALUES - left) / VALUES_A_TICK {
            self.tick(span)?;
        }
        Ok(within)
    }

    pub(super) fn interpolated(&mut self, parts: &'a [Expression], span: Span) -> Outcome<Value> {
        let mut text = String::new();
        for part in parts {
            let value = self.value(part)?;
            match words::text_of(&value) {
                Ok(Value::Text(piece)) => text.push_str(&piece),
                Ok(_) => {}
                Err(i) => return Err(Fault::new(i.code, i.detail, span).into()),
            }
            if text.len() > limits::TEXT_BYTES {
                return Err(Fault::new("out_of_budget", "a text is longer than 16 KiB", span).into());
            }
        }
        Ok(Value::Text(Arc::from(text)))
    }

    pub(super) fn range(
        &mut self,
        from: &'a Expression,
        to: &'a Expression,
        inclusive: bool,
    ) -> Outcome<Value> {
        let (start, end) = (self.whole(from)?, self.whole(to)?);
        let end = if inclusive { end.saturating_add(1) } else { end };
        if end.saturating_sub(start) > i64::try_from(limits::LIST_ITEMS).unwrap_or(i64::MAX) {
            return Err(Fault::new("out_of_budget", "a range is longer than 1,000 items", from.span).into());
        }
        Ok(Value::List((start..end).map(Value::Integer).collect()))
    }

    pub(super) fn whole(&mut self, expression: &'a Expression) -> Outcome<i64> {
        match self.value(expression)? {
            Value::Integer(number) => Ok(number),
            other => Err(wrong_type(expression, "an integer", &other)),
        }
    }

    pub(super) fn over_list(
        &mut self,
        (word, nothing): (ListWord, &Value),
        list: &'a Expression,
        row: u16,
        of: Option<&'a Expression>,
        span: Span,
    ) -> Outcome<Value> {
        let items = match self.value(list)? {
            Value::List(items) => items,
            other => return Err(wrong_type(list, "a list", &other)),
        };
        let mut results = Vec::with_capacity(items.len());
        for item in &*items {
            self.tick(span)?;
            let result = match of {
                None => item.clone(),
                Some(of) => {
                    self.set(row, item.clone());
                    self.row_value(of)?
                }
            };
            match (word, &result) {
                (ListWord::Any, Value::Boolean(true)) | (ListWord::All, Value::Boolean(false)) => {
                    return Ok(Value::Boolean(word == ListWord::Any));
                }
                _ => results.push(result),
            }
        }
        super::steps::summarise((word, nothing), &items, &results, of.is_some())
            .map_err(|i| Fault::new(i.code, i.detail, span).into())
    }

    /// What `|row| …` gives; a `return` in it ends the row, not the script.
    fn row_value(&mut self, of: &'a Expression) -> Outcome<Value> {
        match self.value(of) {
            Err(Stop::Return(Value::Missing)) => {
                Err(Fault::new("missing_value", "`return` gives no value here", of.span).into())
            }
            Err(Stop::Return(value)) => Ok(value),
            other => other,
        }
    }

    pub(super) fn call(&mut self, function: u16, arguments: &'a [Expression], span: Span) -> Outcome<Value> {
        let site = Site::Function(function);
        let Some(function) = self.flow.script.functions.get(usize::from(function)) else {
            return Ok(Value::Missing);
        };
        let values = self.values(arguments)?;
        if self.depth >= limits::CALL_LEVELS {
            return Err(Fault::new(
                "out_of_budget",
                "functions call each other more than 16 levels deep",
                span,
            )
            .into());
        }
        self.depth += 1;
        // Sixteen levels of deep expressions may need more than what is left of this thread's stack.
        let result = stacker::maybe_grow(STACK_LEFT, STACK, || {
            self.at_site(site, |m| m.framed(values, function.frame, |m| m.evaluate(&function.body)))
        });
        self.depth -= 1;
        match result {
            Err(Stop::Return(value)) => Ok(value),
            // What failed stands in another file: the place that can be shown is that of the call.
            Err(Stop::Fault(mut fault)) if function.is_shared => {
                fault.span = span;
                if !fault.detail.starts_with("in `") {
                    fault.detail = format!("in `{}`: {}", function.name, fault.detail);
                }
                Err(Stop::Fault(fault))
            }
            other => other,
        }
    }

    pub(super) fn assign(&mut self, local: u16, value: &'a Expression) -> Outcome<Value> {
        // What the caller cannot give is missing, and a variable may hold that: the script asks it.
        let is_need = matches!(value.code, Code::Need { .. });
        let value = if is_need { self.evaluate(value)? } else { self.value(value)? };
        self.set(local, value);
        Ok(Value::Missing)
    }

    /// `return`, which everything up to the function or script lets through.
    pub(super) fn leave(&mut self, value: Option<&'a Expression>) -> Outcome<Value> {
        Err(Stop::Return(value.map_or(Ok(Value::Missing), |value| self.value(value))?))
    }

    pub(super) fn switch(&mut self, on: &'a Expression, arms: &'a [CompiledArm]) -> Outcome<Value> {
        let on = self.value(on)?;
        for arm in arms {
            let mut matches = arm.labels.is_empty();
            for label in &arm.labels {
                matches = matches
                    || operators::comparison(Operator::Equal, &on, label)
                        .map_err(|i| Fault::new(i.code, i.detail, arm.value.span))?;
            }
            if !matches {
                continue;
            }
            let holds = match &arm.condition {
                None => true,
                Some(condition) => self.truth(condition)?,
            };
            if holds {
                return self.evaluate(&arm.value);
            }
        }
        Ok(Value::Missing)
    }

    pub(super) fn repeat(
        &mut self,
        condition: Option<&'a Expression>,
        body: &'a Expression,
    ) -> Outcome<Value> {
        loop {
            self.tick(body.span)?;
            if let Some(condition) = condition
                && !self.truth(condition)?
            {
                return Ok(Value::Missing);
            }
            match self.evaluate(body) {
                Ok(_) | Err(Stop::Continue) => {}
                Err(Stop::Break) => return Ok(Value::Missing),
                Err(stop) => return Err(stop),
            }
        }
    }

    pub(super) fn each(
        &mut self,
        item: u16,
        counter: Option<u16>,
        over: &'a Expression,
        body: &'a Expression,
    ) -> Outcome<Value> {
        let items = match self.value(over)? {
            Value::List(items) => items,
            other => return Err(wrong_type(over, "a list", &other)),
        };
        for (index, value) in items.iter().enumerate() {
            self.tick(body.span)?;
            self.set(item, value.clone());
            if let Some(counter) = counter {
                self.set(counter, Value::Integer(i64::try_from(index).unwrap_or(i64::MAX)));
            }
            match self.evaluate(body) {
                Ok(_) | Err(Stop::Continue) => {}
                Err(Stop::Break) => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(Value::Missing)
    }

    pub(super) fn index(&mut self, of: &Value, index: &Value, span: Span) -> Outcome<Value> {
        match (of, index) {
            (Value::List(items), Value::Integer(at)) => {
                let found = usize::try_from(*at).ok().and_then(|at| items.get(at)).cloned();
                found.ok_or_else(|| Fault::new("missing_value", "the list has no such item", span).into())
            }
            (Value::Map(_), Value::Text(name)) => self.property(of, &Name::clone(name), span),
            (of, index) => {
                let detail = format!("{} read by {}", of.type_word(), index.type_word());
                Err(Fault::new("wrong_type", detail, span).into())
            }
        }
    }
}

/// Whether a value stays within this many levels and values.
fn is_within(value: &Value, levels: usize, left: &mut usize) -> bool {
    let each = |item: &Value, left: &mut usize| {
        *left = left.saturating_sub(1);
        *left > 0 && is_within(item, levels.saturating_sub(1), left)
    };
    match value {
        Value::List(items) => levels > 0 && items.iter().all(|item| each(item, left)),
        Value::Map(entries) => levels > 0 && entries.values().all(|item| each(item, left)),
        _ => true,
    }
}
