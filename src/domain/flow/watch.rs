//! Looking on while a flow decides: every expression that is evaluated, where it stands and what it gave. For
//! explanations and coverage; a verdict is the same to the tick whether somebody looks on or not.

use super::machine::{Machine, Outcome, Stop};
use crate::domain::expression::Expression;
use crate::domain::value::{Name, Value};

/// Looks on while a flow decides.
pub trait Watch {
    /// An expression was evaluated; what it is made of was shown before it.
    fn seen(&self, seen: Seen<'_>);
    /// Another flow is asked: what is shown until `leave` stands in that one.
    fn enter(&self, flow: &Name);
    fn leave(&self);
    /// Whether every model that answers is to explain itself in the trace, which costs what explaining costs.
    fn explains_models(&self) -> bool {
        false
    }
}

/// One expression and what it gave.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'s> {
    pub site: Site,
    pub expression: &'s Expression,
    pub gave: Gave<'s>,
}

/// What an expression gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gave<'s> {
    Value(&'s Value),
    /// The code of the failure, which stands among the verdict's failures.
    Failed(&'static str),
    /// `return`, `break`, `continue` or a question to the caller left it.
    Left,
}

/// Where an expression stands, by positions in the flow. Its span counts from the beginning of that text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// `flow.rhai`, outside of its functions.
    Script,
    /// A function that the script calls, compiled for the types of one call.
    Function(u16),
    Feature(u16),
    Rule {
        set: u16,
        rule: u16,
    },
}

impl<'a> Machine<'a> {
    /// Evaluates what stands in another place.
    pub(super) fn at_site<T>(&mut self, site: Site, inner: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.site, site);
        let result = inner(self);
        self.site = outer;
        result
    }

    pub(super) fn show(&self, expression: &Expression, result: &Outcome<Value>) {
        let Some(watch) = self.watch else { return };
        let gave = match result {
            Ok(value) => Gave::Value(value),
            Err(Stop::Fault(fault)) => Gave::Failed(fault.code),
            Err(_) => Gave::Left,
        };
        watch.seen(Seen { site: self.site, expression, gave });
    }

    /// Shows an operand that was read without evaluating it.
    pub(super) fn show_at_hand(&self, expression: &Expression, value: &Value) {
        if let Some(watch) = self.watch {
            watch.seen(Seen { site: self.site, expression, gave: Gave::Value(value) });
        }
    }
}
