//! Whether every way through a script records an outcome.

use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Place, Span};
use crate::domain::script::syntax::{Function, Node, Program, Syntax};
use crate::domain::value::Name;

/// Warns where a script can end without having recorded anything. One without a single statement is no decision but a
/// file that was emptied, perhaps a moment before it is written again: it never comes into force.
pub(super) fn check(program: &Program, outcomes: &[Name], place: Place, found: &mut Vec<Diagnostic>) {
    let body = &program.body;
    if body.is_empty() {
        let milder = outcomes.first().map_or("approve", |o| &**o);
        let help = format!("record an outcome, such as `{milder}(…)`");
        found.push(Diagnostic::error("T021", place, "the script decides nothing: it is empty").help(help));
        return;
    }
    let recorders = recorders(&program.functions, outcomes);
    let mut walk = Walk { outcomes, recorders: &recorders, ends: Vec::new() };
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
}

/// The functions that record an outcome on every way through them, whatever they are called with.
fn recorders<'p>(functions: &'p [Function], outcomes: &[Name]) -> Vec<&'p str> {
    let mut known: Vec<&str> = Vec::new();
    loop {
        let more: Vec<&str> = functions
            .iter()
            .filter(|function| !known.contains(&function.name.as_str()))
            .filter(|function| {
                let mut walk = Walk { outcomes, recorders: &known, ends: Vec::new() };
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
    /// Where a `return` ends the script with nothing recorded.
    ends: Vec<Span>,
}

impl Walk<'_> {
    fn block(&mut self, body: &[Syntax], mut state: State) -> State {
        for syntax in body {
            state = self.statement(syntax, state);
        }
        state
    }

    fn statement(&mut self, syntax: &Syntax, state: State) -> State {
        let State::Open { recorded } = state else { return state };
        match &syntax.node {
            Node::Call { name, .. }
                if self.outcomes.iter().any(|o| **o == *name.text)
                    || self.recorders.contains(&name.text.as_str()) =>
            {
                State::Open { recorded: true }
            }
            // What another flow decided is always an outcome.
            Node::Method { receiver, name, .. }
                if name.text == "apply"
                    && matches!(&receiver.node, Node::Call { name, .. } if name.text == "flow") =>
            {
                State::Open { recorded: true }
            }
            Node::Block(body) => self.block(body, state),
            Node::If(branch) => {
                let then = self.block(&branch.then, state);
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
                self.block(body, state);
                state
            }
            Node::While { condition: None, body } => match self.block(body, state) {
                State::Closed => State::Open { recorded },
                open => open,
            },
            Node::Return(value) => {
                let records = value
                    .as_ref()
                    .is_some_and(|v| self.statement(v, state) == State::Open { recorded: true });
                if !recorded && !records {
                    self.ends.push(syntax.span);
                }
                State::Closed
            }
            Node::Break | Node::Continue => State::Closed,
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
