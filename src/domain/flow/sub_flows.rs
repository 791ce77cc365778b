//! Other flows asked from a script: decided whole, on facts handed over or read by name.

use super::machine::{Fault, Machine, Outcome};
use crate::domain::expression::Expression;
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};

impl<'a> Machine<'a> {
    pub(super) fn sub_flow(
        &mut self,
        _index: u16,
        _takes: &'a [(u16, Expression)],
        span: Span,
    ) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }

    pub(super) fn sub_flow_property(&mut self, _result: u16, _name: &Name, span: Span) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }

    pub(super) fn apply_sub_flow(&mut self, _result: u16, span: Span) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }
}
