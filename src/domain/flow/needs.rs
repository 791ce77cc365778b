//! What a script asks the caller for in the middle of a decision: the evaluation stops there, and begins again with the answer.

use super::machine::{Fault, Machine, Outcome};
use crate::domain::expression::Expression;
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};

impl<'a> Machine<'a> {
    pub(super) fn need(
        &mut self,
        _index: u16,
        _with: &'a [(Name, Expression)],
        span: Span,
    ) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }
}
