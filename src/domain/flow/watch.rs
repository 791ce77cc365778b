//! Looking on while a flow decides: every expression that is evaluated, where it stands and what it gave. For
//! explanations and coverage; a verdict is the same to the tick whether somebody looks on or not, unless whoever looks
//! on asks what would be decided if some things were otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::machine::{Machine, Outcome, Stop};
use crate::domain::expression::{Expression, ExpressionId};
use crate::domain::table::Table;
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
    /// What the flow takes that is entered next, a value for each of its inputs.
    fn takes(&self, _values: &[Value]) {}
    /// What is taken to be otherwise; `None`: nothing.
    fn assumed(&self) -> Option<&Assumed> {
        None
    }
}

/// Looks on only so that models explain themselves.
#[derive(Debug, Clone, Copy)]
pub struct Explaining;

impl Watch for Explaining {
    fn seen(&self, _seen: Seen<'_>) {}
    fn enter(&self, _flow: &Name) {}
    fn leave(&self) {}
    fn explains_models(&self) -> bool {
        true
    }
}

/// What is taken to be otherwise than it is, so that one can see what would be decided then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumed {
    /// What these conditions give instead, where they give anything.
    pub conditions: BTreeMap<ExpressionId, bool>,
    /// Rows that are not there: table and row number.
    pub rows: BTreeSet<(TableId, u32)>,
    /// Verbs and `.apply()` that record nothing.
    pub silent: BTreeSet<ExpressionId>,
}

/// Tells a table from every other one for as long as its flow lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId(usize);

impl TableId {
    #[must_use]
    pub fn of(table: &Table) -> Self {
        Self(std::ptr::from_ref(table).addr())
    }
}

/// One expression and what it gave.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'s> {
    pub site: Site,
    pub expression: &'s Expression,
    pub gave: Gave<'s>,
    /// How many calls of functions stand around it.
    pub calls: usize,
    /// How many steps the trace had by then.
    pub steps: usize,
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

    /// Shows what came of an expression, which is what it is taken to give where somebody asks what would be then.
    pub(super) fn show(&self, expression: &Expression, result: Outcome<Value>) -> Outcome<Value> {
        let Some(watch) = self.watch else { return result };
        let assumed = || watch.assumed()?.conditions.get(&expression.id()).copied();
        let result = match result {
            Ok(Value::Boolean(truth)) => Ok(Value::Boolean(assumed().unwrap_or(truth))),
            other => other,
        };
        let gave = match &result {
            Ok(value) => Gave::Value(value),
            Err(Stop::Fault(fault)) => Gave::Failed(fault.code),
            Err(_) => Gave::Left,
        };
        self.tell(watch, expression, gave);
        result
    }

    /// Shows an operand that was read without evaluating it.
    pub(super) fn show_at_hand(&self, expression: &Expression, value: &Value) {
        if let Some(watch) = self.watch {
            self.tell(watch, expression, Gave::Value(value));
        }
    }

    fn tell(&self, watch: &dyn Watch, expression: &Expression, gave: Gave<'_>) {
        let (calls, steps) = (self.depth, self.trace.len());
        watch.seen(Seen { site: self.site, expression, gave, calls, steps });
    }

    /// Whether a verb or `.apply()` is taken to record nothing.
    pub(super) fn is_silent(&self, expression: &Expression) -> bool {
        let assumed = self.watch.and_then(Watch::assumed);
        assumed.is_some_and(|assumed| assumed.silent.contains(&expression.id()))
    }
}
