//! Looking things up in lists.

use super::machine::{Fault, Machine, Outcome};
use crate::domain::expression::Expression;
use crate::domain::place::Span;
use crate::domain::value::Value;

impl<'a> Machine<'a> {
    pub(super) fn in_list(&mut self, _item: &'a Expression, _list: u16, span: Span) -> Outcome<Value> {
        Err(Fault::new("not_supported", "this step is not supported", span).into())
    }
}
