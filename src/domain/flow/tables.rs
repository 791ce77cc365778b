//! Decision tables: which rows answer, and what they give. Evaluating records nothing; `.apply()` does.

use super::machine::{Fault, Machine, Outcome};
use crate::domain::expression::Expression;
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};

impl<'a> Machine<'a> {
    pub(super) fn table(
        &mut self,
        _index: u16,
        _takes: &'a [(u16, Expression)],
        span: Span,
    ) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }

    pub(super) fn table_property(&mut self, _result: u16, _name: &Name, span: Span) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }

    pub(super) fn apply_table(&mut self, _result: u16, span: Span) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }
}
