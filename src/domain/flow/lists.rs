//! Looking things up in lists. Each look-up stands in the trace with the digest of what it was looked up in.

use super::machine::{Fault, Machine, Outcome};
use crate::domain::expression::Expression;
use crate::domain::place::Span;
use crate::domain::value::Value;
use crate::domain::verdict::Step;

/// What a look-up is charged: it stands in the trace, so it costs more than a step of the evaluation.
const TICKS_PER_LOOK_UP: u32 = 16;

impl<'a> Machine<'a> {
    pub(super) fn in_list(&mut self, item: &'a Expression, list: u16, span: Span) -> Outcome<Value> {
        let flow = self.flow;
        let value = self.value(item)?;
        for _ in 0..TICKS_PER_LOOK_UP {
            self.tick(span)?;
        }
        let Some((name, list)) = flow.lists.get(usize::from(list)) else { return Ok(Value::Missing) };
        let list = self.pins.lists.get(name).unwrap_or(list);
        let is_listed = list
            .holds(&value, &self.moment)
            .map_err(|i| Fault::new(i.code, format!("`{name}`: {}", i.detail), span))?;
        self.trace.push(Step::List { name: name.clone(), digest: list.digest.clone(), is_listed });
        Ok(Value::Boolean(is_listed))
    }
}
