//! Scorecards: points for what each characteristic is, and the reasons ranked by points lost.

use super::machine::{Fault, Machine, Outcome};
use crate::domain::expression::Expression;
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};

impl<'a> Machine<'a> {
    pub(super) fn scorecard(
        &mut self,
        _index: u16,
        _takes: &'a [(u16, Expression)],
        span: Span,
    ) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }

    pub(super) fn scorecard_property(&mut self, _result: u16, _name: &Name, span: Span) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }
}
