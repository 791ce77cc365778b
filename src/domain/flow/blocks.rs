//! The evaluator's control flow: branches, loops, functions, and words over lists.

use std::sync::Arc;

use super::machine::{Fault, Machine, Outcome, Stop, wrong_type};
use crate::domain::expression::operators;
use crate::domain::expression::words;
use crate::domain::expression::{CompiledArm, Expression, ListWord};
use crate::domain::place::Span;
use crate::domain::script::limits;
use crate::domain::value::{Name, Value};

const STACK: usize = 4 * 1024 * 1024;
const STACK_LEFT: usize = 256 * 1024;

impl<'a> Machine<'a> {
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
        word: ListWord,
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
                    self.value(of)?
                }
            };
            match (word, &result) {
                (ListWord::Any, Value::Boolean(true)) | (ListWord::All, Value::Boolean(false)) => {
                    return Ok(Value::Boolean(word == ListWord::Any));
                }
                _ => results.push(result),
            }
        }
        super::steps::summarise(word, &items, &results, of.is_some())
            .map_err(|i| Fault::new(i.code, i.detail, span).into())
    }

    pub(super) fn call(&mut self, function: u16, arguments: &'a [Expression], span: Span) -> Outcome<Value> {
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
            self.framed(values, function.frame, |m| m.evaluate(&function.body))
        });
        self.depth -= 1;
        match result {
            Err(Stop::Return(value)) => Ok(value),
            other => other,
        }
    }

    pub(super) fn switch(&mut self, on: &'a Expression, arms: &'a [CompiledArm]) -> Outcome<Value> {
        let on = self.value(on)?;
        for arm in arms {
            let matches = arm.labels.is_empty() || arm.labels.iter().any(|label| operators::same(&on, label));
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
