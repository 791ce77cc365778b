//! Branches of the script that are never taken, given the branches around them and the returns before them. Names are
//! followed as values that stay what they are until they are assigned; what a loop assigns is forgotten.

use std::collections::BTreeMap;

use super::formula::{Formula, Met, Names, Reader};
use super::line::Line;
use super::region::Union;
use super::rule_sets::useless_tests;
use super::space::{Axis, Base, Key, Space};
use super::{Analysis, FlowNames, NOT_COMPARISONS};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::{Code, Expression};
use crate::domain::place::{Place, Span};

/// Inputs and features, and the script's variables: of these only what they are compared with tells the type.
struct ScriptNames<'a>(FlowNames<'a>);

impl Names for ScriptNames<'_> {
    fn axis(&self, key: &Key, met: &Met) -> Option<Axis> {
        let (Base::Local(_), path) = key else { return self.0.axis(key, met) };
        let line = match met {
            Met::Boolean => Line::Boolean,
            Met::Number => Line::AnyNumber,
            Met::Text => Line::Text,
            Met::Nothing => return None,
        };
        let name = path.last().map_or("it", |last| last);
        Some(Axis::new(key.clone(), name.to_owned(), line, true))
    }
}

impl<'a> Analysis<'a> {
    pub(super) fn branches(&mut self) {
        let place = self.declaration.script.place;
        for body in self.bodies() {
            let (mut space, formulas) = self.read_conditions(body);
            space.settle();
            let sizes = space.sizes();
            if sizes.contains(&0) {
                continue;
            }
            let mut walk = Walk { analysis: self, space, sizes, formulas, place, seen: Vec::new() };
            walk.statement(body, Union::all());
        }
    }

    /// The innermost statements and the conditions of the script, each with the points at which it is evaluated, at
    /// most; and the space that these are of.
    pub(super) fn reached(&mut self) -> (Space, Vec<(&'a Expression, Union)>) {
        let body = &self.flow.script.body;
        let place = self.declaration.script.place;
        let (mut space, formulas) = self.read_conditions(body);
        space.settle();
        let sizes = space.sizes();
        let mut walk = Walk { analysis: self, space, sizes, formulas, place, seen: Vec::new() };
        walk.statement(body, Union::all());
        (walk.space, walk.seen)
    }

    /// What the conditions of the script ask, one space a body; not yet settled.
    pub(super) fn script_spaces(&self) -> Vec<Space> {
        self.bodies().into_iter().map(|body| self.read_conditions(body).0).collect()
    }

    fn bodies(&self) -> Vec<&'a Expression> {
        let script = &self.flow.script;
        let mut bodies = vec![&script.body];
        // Functions that come from another file have their places there.
        if self.declaration.shared_functions.is_empty() {
            bodies.extend(script.functions.iter().map(|function| &function.body));
        }
        bodies
    }

    fn read_conditions(&self, body: &Expression) -> (Space, BTreeMap<Span, Formula>) {
        let names = ScriptNames(FlowNames { flow: self.flow, takes: &[] });
        let (mut space, mut formulas) = (Space::default(), BTreeMap::new());
        let mut conditions = Vec::new();
        conditions_in(body, &mut conditions);
        for condition in conditions {
            let source = &self.declaration.script.value;
            let mut reader = Reader { space: &mut space, names: &names, source };
            formulas.insert(condition.span, reader.read(condition));
        }
        (space, formulas)
    }
}

struct Walk<'w, 'a> {
    analysis: &'w mut Analysis<'a>,
    space: Space,
    sizes: Vec<u32>,
    formulas: BTreeMap<Span, Formula>,
    place: Place,
    /// What was come to, and at which points.
    seen: Vec<(&'a Expression, Union)>,
}

impl<'a> Walk<'_, 'a> {
    /// The points at which control goes on behind this statement, at most; `None` where it does not.
    fn statement(&mut self, statement: &'a Expression, state: Union) -> Option<Union> {
        match &statement.code {
            Code::Block(body) => {
                body.iter().try_fold(state, |state, statement| self.statement(statement, state))
            }
            Code::If { condition, then, otherwise } => self.branch(condition, then, otherwise, state),
            Code::Set { local, value } => {
                let state = self.statement(value, state)?;
                Some(self.forgetting(state, &[*local]))
            }
            Code::Switch { on, arms } => {
                let mut assigned = Vec::new();
                self.seen.push((on, state.clone()));
                for arm in arms {
                    self.seen.extend(arm.condition.iter().map(|condition| (condition, state.clone())));
                    self.statement(&arm.value, state.clone());
                    assigned_in(&arm.value, &mut assigned);
                }
                Some(self.forgetting(state, &assigned))
            }
            Code::While { condition, body } => {
                let mut assigned = Vec::new();
                assigned_in(body, &mut assigned);
                let state = self.forgetting(state, &assigned);
                self.seen.extend(condition.iter().map(|condition| (&**condition, state.clone())));
                self.statement(body, state.clone());
                Some(state)
            }
            Code::For { item, counter, over, body } => {
                self.seen.push((over, state.clone()));
                let mut assigned: Vec<u16> = std::iter::once(*item).chain(*counter).collect();
                assigned_in(body, &mut assigned);
                let state = self.forgetting(state, &assigned);
                self.statement(body, state.clone());
                Some(state)
            }
            Code::Return(value) => {
                if let Some(value) = value {
                    self.statement(value, state);
                }
                None
            }
            Code::Break | Code::Continue => None,
            _ => {
                self.seen.push((statement, state.clone()));
                Some(state)
            }
        }
    }

    fn branch(
        &mut self,
        condition: &'a Expression,
        then: &'a Expression,
        otherwise: &'a Expression,
        state: Union,
    ) -> Option<Union> {
        self.seen.push((condition, state.clone()));
        let formula = self.formulas.get(&condition.span).cloned().unwrap_or(Formula::Unknown);
        let region = formula.region(&self.space, &self.sizes);
        self.analysis.coverage.branches.count(region.is_exact);
        if !region.is_exact {
            let line = self.analysis.flow.script.line(condition.span);
            self.analysis.coverage.leave(format!("condition in line {line} of flow.rhai"), NOT_COMPARISONS);
        }
        let here = |part: &Union| state.intersection(part, &self.sizes).unwrap_or_else(|_| part.clone());
        let (holds, misses) = (here(&region.holds), here(&region.misses));
        let place = self.place.part(condition.span);
        let said = self.analysis.found.len();
        useless_tests("this script", &formula, &self.space, self.place, &mut self.analysis.found);
        if self.analysis.found.len() == said {
            let message = if holds.is_empty() {
                Some(("this branch is never reached: its condition cannot hold here", "correct or remove it"))
            } else if misses.is_empty() {
                Some(("this condition always holds here", "correct it, or remove the `if` around its lines"))
            } else {
                None
            };
            if let Some((message, help)) = message {
                self.analysis.found.push(Diagnostic::warning("T099", place, message).help(help));
            }
        }
        let then = if holds.is_empty() { None } else { self.statement(then, holds) };
        let otherwise = if misses.is_empty() { None } else { self.statement(otherwise, misses) };
        match (then, otherwise) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one),
            (Some(a), Some(b)) => Some(a.union(&b, &self.sizes).unwrap_or_else(|_| Union::all())),
        }
    }

    fn forgetting(&self, state: Union, locals: &[u16]) -> Union {
        state.forgetting(|axis| {
            let base = self.space.axes.get(axis).map(|axis| axis.key.0);
            matches!(base, Some(Base::Local(at)) if locals.contains(&at))
        })
    }
}

fn inner(statement: &Expression) -> Vec<&Expression> {
    match &statement.code {
        Code::Block(body) => body.iter().collect(),
        Code::If { then, otherwise, .. } => vec![then, otherwise],
        Code::Switch { arms, .. } => arms.iter().map(|arm| &arm.value).collect(),
        Code::Set { value, .. } => vec![value],
        Code::While { body, .. } | Code::For { body, .. } => vec![body],
        Code::Return(Some(value)) => vec![value],
        _ => Vec::new(),
    }
}

fn conditions_in<'e>(statement: &'e Expression, found: &mut Vec<&'e Expression>) {
    if let Code::If { condition, .. } = &statement.code {
        found.push(condition);
    }
    inner(statement).into_iter().for_each(|part| conditions_in(part, found));
}

fn assigned_in(statement: &Expression, found: &mut Vec<u16>) {
    match &statement.code {
        Code::Set { local, .. } => found.push(*local),
        Code::For { item, counter, .. } => found.extend(std::iter::once(*item).chain(*counter)),
        _ => {}
    }
    inner(statement).into_iter().for_each(|part| assigned_in(part, found));
}
