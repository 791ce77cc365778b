//! Whether every way through a script records an outcome, and whether what a verb records can ever count.

use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::scope::{Scope, ScopedTable};
use crate::domain::place::{Place, Span};
use crate::domain::script::syntax::{Function, Node, Program, Syntax};
use crate::domain::value::Name;

/// Warns where a script can end without having recorded anything. One without a single statement is no decision but a
/// file that was emptied, perhaps a moment before it is written again: it never comes into force.
pub(super) fn check(program: &Program, scope: &Scope, place: Place, found: &mut Vec<Diagnostic>) {
    let (body, outcomes) = (&program.body, scope.outcomes.as_slice());
    if body.is_empty() {
        let milder = outcomes.first().map_or("approve", |o| &**o);
        let help = format!("record an outcome, such as `{milder}(…)`");
        found.push(Diagnostic::error("T021", place, "the script decides nothing: it is empty").help(help));
        return;
    }
    let deciders = deciders(scope);
    let recorders = recorders(&program.functions, outcomes, &deciders);
    let mut walk = Walk::new(outcomes, &recorders, &deciders);
    let state = walk.block(body, State::Open { recorded: false });
    if let State::Open { recorded: false } = state {
        let end = body.last().map_or(Span::default(), |last| last.span);
        walk.ends.push(end);
    }
    if let Some(end) = walk.ends.first() {
        let milder = outcomes.first().map_or("approve", |o| &**o);
        let message = "the flow can end here without an outcome; `on_error` is then recorded";
        let help = format!("record one on every path, such as a last line `{milder}(…)`");
        found.push(Diagnostic::warning("T021", place.part(*end), message).help(help));
    }
    let mut later = Later { outcomes, place, found };
    later.block(body, None, None);
    for function in &program.functions {
        later.block(&function.body, None, None);
    }
}

/// Goes through a script from its end: which outcome is surely recorded after each line.
struct Later<'a> {
    outcomes: &'a [Name],
    place: Place,
    found: &'a mut Vec<Diagnostic>,
}

/// Index of the strictest outcome that every way from here records.
type Sure = Option<usize>;

impl Later<'_> {
    /// What is sure before these lines, when `after` is behind them and `broken` behind the loop around them.
    fn block(&mut self, body: &[Syntax], after: Sure, broken: Sure) -> Sure {
        body.iter().rev().fold(after, |after, syntax| self.statement(syntax, after, broken))
    }

    fn statement(&mut self, syntax: &Syntax, after: Sure, broken: Sure) -> Sure {
        match &syntax.node {
            Node::Call { name, .. } => match self.outcomes.iter().position(|o| **o == *name.text) {
                Some(outcome) => self.verb(&name.text, outcome, name.span, after),
                None => after,
            },
            Node::Block(body) => self.block(body, after, broken),
            Node::If(branch) => {
                let then = self.block(&branch.then, after, broken);
                then.min(self.block(&branch.otherwise, after, broken))
            }
            Node::Switch { arms, .. } => {
                let whole = arms.iter().map(|arm| self.statement(&arm.value, after, broken)).min().flatten();
                let has_default = arms.iter().any(|arm| arm.labels.is_empty() && arm.condition.is_none());
                if has_default { whole } else { whole.min(after) }
            }
            // A loop may run no round, or another one.
            Node::While { body, .. } | Node::For { body, .. } => {
                self.block(body, after, after);
                after
            }
            Node::Return(Some(value)) => self.statement(value, None, None),
            Node::Return(None) => None,
            Node::Break | Node::Continue => broken,
            _ => after,
        }
    }

    fn verb(&mut self, name: &str, outcome: usize, span: Span, after: Sure) -> Sure {
        let stricter = after.filter(|after| *after > outcome).and_then(|after| self.outcomes.get(after));
        if let Some(stricter) = stricter {
            let message =
                format!("what `{name}` records here never counts: `{stricter}` follows on every path");
            self.found.push(
                Diagnostic::warning("T033", self.place.part(span), message).help(
                    "the strictest outcome wins whatever the order: remove it, or make one conditional",
                ),
            );
        }
        after.max(Some(outcome))
    }
}

/// The tables of which any row records an outcome when it is applied; one that fails records `on_error`.
fn deciders(scope: &Scope) -> Vec<&str> {
    let always = |table: &&ScopedTable| {
        table.outputs.iter().any(|(name, known)| &**name == "outcome" && !known.may_be_missing)
    };
    scope.tables.iter().filter(always).map(|table| &*table.name).collect()
}

/// The functions that record an outcome on every way through them, whatever they are called with.
fn recorders<'p>(functions: &'p [Function], outcomes: &[Name], deciders: &[&str]) -> Vec<&'p str> {
    let mut known: Vec<&str> = Vec::new();
    loop {
        let more: Vec<&str> = functions
            .iter()
            .filter(|function| !known.contains(&function.name.as_str()))
            .filter(|function| {
                let mut walk = Walk::new(outcomes, &known, deciders);
                let state = walk.block(&function.body, State::Open { recorded: false });
                state != State::Open { recorded: false } && walk.ends.is_empty()
            })
            .map(|function| function.name.as_str())
            .collect();
        if more.is_empty() {
            return known;
        }
        known.extend(more);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Control goes on; on all ways here an outcome was recorded, or not on all.
    Open { recorded: bool },
    /// No way comes here.
    Closed,
}

struct Walk<'a> {
    outcomes: &'a [Name],
    recorders: &'a [&'a str],
    deciders: &'a [&'a str],
    /// Variables that hold the result of a table that decides.
    decided: Vec<&'a str>,
    /// Variables whose rule set, table or flow was applied on every way here.
    applied: Vec<&'a str>,
    /// Where a `return` ends the script with nothing recorded.
    ends: Vec<Span>,
    /// What was recorded where `break` leaves each loop around.
    breaks: Vec<State>,
}

impl<'a> Walk<'a> {
    fn new(outcomes: &'a [Name], recorders: &'a [&'a str], deciders: &'a [&'a str]) -> Self {
        let (decided, applied) = (Vec::new(), Vec::new());
        Self { outcomes, recorders, deciders, decided, applied, ends: Vec::new(), breaks: Vec::new() }
    }

    fn block(&mut self, body: &'a [Syntax], mut state: State) -> State {
        let applied = self.applied.len();
        for syntax in body {
            state = self.statement(syntax, state);
            if let Node::Method { receiver, name, .. } = &syntax.node
                && let ("apply", Node::Name(variable)) = (name.text.as_str(), &receiver.node)
            {
                self.applied.push(variable);
            }
        }
        // Another block may not have gone this way.
        self.applied.truncate(applied);
        state
    }

    /// `x.is_hit` of rules that were applied: where it holds, an outcome was recorded.
    fn tells_of_a_record(&self, condition: &Syntax) -> bool {
        match &condition.node {
            Node::Property { of, name } => {
                name.text == "is_hit"
                    && matches!(&of.node, Node::Name(variable) if self.applied.contains(&variable.as_str()))
            }
            Node::And(parts) => parts.iter().any(|part| self.tells_of_a_record(part)),
            _ => false,
        }
    }

    /// `table("x")` of a table that decides, another flow, or a variable that holds its result.
    fn is_decided(&self, syntax: &Syntax) -> bool {
        match &syntax.node {
            Node::Name(name) => self.decided.contains(&name.as_str()),
            Node::Call { name, arguments } if name.text == "table" => arguments.first().is_some_and(
                |first| matches!(&first.node, Node::Text(table) if self.deciders.contains(&table.as_str())),
            ),
            // What another flow decided is always an outcome.
            Node::Call { name, .. } => name.text == "flow",
            _ => false,
        }
    }

    fn statement(&mut self, syntax: &'a Syntax, state: State) -> State {
        let State::Open { recorded } = state else { return state };
        match &syntax.node {
            Node::Call { name, .. }
                if self.outcomes.iter().any(|o| **o == *name.text)
                    || self.recorders.contains(&name.text.as_str()) =>
            {
                State::Open { recorded: true }
            }
            Node::Method { receiver, name, .. } if name.text == "apply" && self.is_decided(receiver) => {
                State::Open { recorded: true }
            }
            Node::Let { name, value, .. } => {
                if self.is_decided(value) {
                    self.decided.push(&name.text);
                }
                state
            }
            Node::Block(body) => self.block(body, state),
            Node::If(branch) => {
                let told = recorded || self.tells_of_a_record(&branch.condition);
                let then = self.block(&branch.then, State::Open { recorded: told });
                let otherwise = self.block(&branch.otherwise, state);
                meet(then, otherwise)
            }
            Node::Switch { arms, .. } => {
                let has_default = arms.iter().any(|arm| arm.labels.is_empty() && arm.condition.is_none());
                let start = if has_default { State::Closed } else { state };
                arms.iter().fold(start, |met, arm| meet(met, self.statement(&arm.value, state)))
            }
            // A loop may run no round at all.
            Node::While { condition: Some(_), body } | Node::For { body, .. } => {
                self.breaks.push(State::Closed);
                self.block(body, state);
                self.breaks.pop();
                state
            }
            // Only `break` leads out of it.
            Node::While { condition: None, body } => {
                self.breaks.push(State::Closed);
                self.block(body, state);
                self.breaks.pop().unwrap_or(state)
            }
            Node::Return(value) => {
                let records = value
                    .as_ref()
                    .is_some_and(|v| self.statement(v, state) == State::Open { recorded: true });
                if !recorded && !records {
                    self.ends.push(syntax.span);
                }
                State::Closed
            }
            Node::Break => {
                if let Some(left) = self.breaks.last_mut() {
                    *left = meet(*left, state);
                }
                State::Closed
            }
            Node::Continue => State::Closed,
            _ => state,
        }
    }
}

fn meet(a: State, b: State) -> State {
    match (a, b) {
        (State::Closed, other) | (other, State::Closed) => other,
        (State::Open { recorded: a }, State::Open { recorded: b }) => State::Open { recorded: a && b },
    }
}
