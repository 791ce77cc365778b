//! What was evaluated, as a tree: an evaluation that is looked on at shows each expression after those that it is made
//! of, and here each finds its own again. Absent on purpose: what any of it means.

use std::cell::RefCell;

use crate::domain::expression::{Code, Expression, ExpressionId};
use crate::domain::flow::watch::{Assumed, Gave, Seen, Site, Watch};
use crate::domain::place::Span;
use crate::domain::value::{Name, Value};

/// One expression that was evaluated, with all that was evaluated for it.
#[derive(Debug, Clone)]
pub(super) struct Evaluated {
    pub id: ExpressionId,
    pub span: Span,
    pub site: Site,
    /// Calls of functions around it.
    pub calls: usize,
    pub gave: Given,
    /// How many steps the trace had when it was done.
    pub steps: usize,
    /// In the order evaluated; what stands elsewhere (a feature's formula, a rule's condition, a function's body) is
    /// below whatever asked for it.
    pub below: Vec<Evaluated>,
    /// The flow that was decided for it.
    pub asked: Vec<Level>,
}

/// What an expression gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Value(Value),
    Failed(&'static str),
    Left,
}

impl Evaluated {
    /// What was evaluated directly below for this expression, the last time.
    pub fn of(&self, expression: &Expression) -> Option<&Self> {
        let id = expression.id();
        self.below.iter().rev().find(|node| node.id == id)
    }

    pub fn value(&self) -> Option<&Value> {
        match &self.gave {
            Given::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// One flow's evaluation.
#[derive(Debug, Clone, Default)]
pub(super) struct Level {
    /// Of a flow that another one asked: a value for each of its inputs.
    pub values: Vec<Value>,
    /// What is done, and belongs to something that is not.
    pub pending: Vec<Evaluated>,
    asked: Vec<Level>,
}

/// Looks on and keeps everything.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    assumed: Assumed,
    levels: RefCell<Vec<Level>>,
    takes: RefCell<Vec<Value>>,
}

impl Recorder {
    pub fn new(assumed: Assumed) -> Self {
        Self { assumed, levels: RefCell::new(vec![Level::default()]), takes: RefCell::default() }
    }

    /// The flow's evaluation, once it is over.
    pub fn finish(self) -> Level {
        self.levels.into_inner().into_iter().next().unwrap_or_default()
    }
}

impl Watch for Recorder {
    fn seen(&self, seen: Seen<'_>) {
        if let Some(level) = self.levels.borrow_mut().last_mut() {
            level.add(seen);
        }
    }

    fn takes(&self, values: &[Value]) {
        *self.takes.borrow_mut() = values.to_vec();
    }

    fn enter(&self, _flow: &Name) {
        let values = std::mem::take(&mut *self.takes.borrow_mut());
        self.levels.borrow_mut().push(Level { values, ..Level::default() });
    }

    fn leave(&self) {
        let mut levels = self.levels.borrow_mut();
        if let Some(inner) = levels.pop()
            && let Some(outer) = levels.last_mut()
        {
            outer.asked.push(inner);
        }
    }

    fn assumed(&self) -> Option<&Assumed> {
        Some(&self.assumed)
    }
}

impl Level {
    fn add(&mut self, seen: Seen<'_>) {
        let Seen { site, expression, gave, calls, steps } = seen;
        let children: Vec<ExpressionId> = expression.children().into_iter().map(Expression::id).collect();
        let is_below = |node: &Evaluated| {
            (node.site == site && node.calls == calls && children.contains(&node.id))
                || leads_to(&expression.code, node.site, node.calls == calls + 1)
        };
        let first = self.pending.iter().rposition(|node| !is_below(node)).map_or(0, |at| at + 1);
        let below = self.pending.split_off(first);
        let asked = match expression.code {
            Code::SubFlow { .. } => std::mem::take(&mut self.asked),
            _ => Vec::new(),
        };
        let gave = match gave {
            Gave::Value(value) => Given::Value(value.clone()),
            Gave::Failed(code) => Given::Failed(code),
            Gave::Left => Given::Left,
        };
        self.pending.push(Evaluated {
            id: expression.id(),
            span: expression.span,
            site,
            calls,
            gave,
            steps,
            below,
            asked,
        });
    }
}

/// Whether what stands at this site can have been evaluated for such an expression.
fn leads_to(code: &Code, site: Site, is_called: bool) -> bool {
    match (code, site) {
        (Code::Feature(at), Site::Feature(feature)) => *at == feature,
        (Code::RuleSet { index, .. }, Site::Rule { set, .. }) => *index == set,
        (Code::Call { function, .. }, Site::Function(called)) => *function == called && is_called,
        (Code::Model(_) | Code::Table { .. } | Code::Scorecard { .. }, Site::Feature(_)) => true,
        _ => false,
    }
}
