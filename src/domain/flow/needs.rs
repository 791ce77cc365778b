//! What a script asks the caller for in the middle of a decision. The evaluation stops there; with the answer known it
//! begins again and, being deterministic, comes to the same place. Absent: waiting, and any memory between the two.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::Build;
use super::machine::{Fault, Machine, Outcome, Stop};
use super::{Flow, Input, Need};
use crate::domain::declaration::{InputDeclaration, NeedDeclaration, Personal};
use crate::domain::expression::Expression;
use crate::domain::expression::scope::ScopedNeed;
use crate::domain::facts::NeedAnswer;
use crate::domain::place::Span;
use crate::domain::value::{Field, Name, Value};
use crate::domain::verdict::{NeedAsked, Step};

impl Build<'_> {
    pub(super) fn needs(&mut self) -> Vec<Need> {
        let declaration = self.declaration;
        declaration.needs.iter().map(|declared| self.declared_need(declared)).collect()
    }

    fn declared_need(&mut self, declared: &NeedDeclaration) -> Need {
        let name = Name::from(declared.name.value.as_str());
        let named = |field: &InputDeclaration| Name::from(field.name.value.as_str());
        let of: Vec<Input> = declared.of.iter().map(|field| self.input(named(field), field)).collect();
        let fields = of
            .iter()
            .map(|input| (input.name.clone(), Field { kind: input.kind.clone(), optional: input.optional }));
        self.scope.needs.push(ScopedNeed {
            name: name.clone(),
            of: Arc::new(fields.collect()),
            with: declared.with.clone(),
            optional: declared.optional,
        });
        Need { name, of, with: declared.with.clone(), optional: declared.optional }
    }
}

impl Flow {
    /// Which needs hold anything personal: what answers them is masked as a whole.
    pub fn personal_needs(&self) -> impl Iterator<Item = &Name> {
        let is_personal = |need: &&Need| need.of.iter().any(|field| field.personal != Personal::No);
        self.needs.iter().filter(is_personal).map(|need| &need.name)
    }
}

impl<'a> Machine<'a> {
    pub(super) fn need(&mut self, index: u16, with: &'a [(Name, Expression)], span: Span) -> Outcome<Value> {
        let (flow, facts) = (self.flow, self.facts);
        let at = usize::from(index);
        let Some(need) = flow.needs.get(at) else { return Ok(Value::Missing) };
        let with = self.told(need, with, span)?;
        let asked = NeedAsked { name: need.name.clone(), with };
        let is_new = match self.needs.iter().find(|before| before.name == asked.name) {
            Some(before) if before.with != asked.with => {
                let detail = format!("asks for `{}` again, and says something else with it", need.name);
                return Err(Fault::new("asked_otherwise", detail, span).into());
            }
            before => before.is_none(),
        };
        let answer = facts.needs.get(at).unwrap_or(&NeedAnswer::Awaited);
        if is_new {
            let given = match answer {
                NeedAnswer::Given(value) => Some(value.clone()),
                NeedAnswer::Awaited | NeedAnswer::Unavailable => None,
            };
            self.trace.push(Step::Need { asked: asked.clone(), answer: given });
            self.needs.push(asked.clone());
        }
        match answer {
            NeedAnswer::Awaited => Err(Stop::Needs(Box::new(asked))),
            NeedAnswer::Given(value) => Ok(value.clone()),
            NeedAnswer::Unavailable if need.optional => Ok(Value::Missing),
            NeedAnswer::Unavailable => {
                let detail = format!("the caller cannot give `{}`", need.name);
                Err(Fault::new("need_unavailable", detail, span).into())
            }
        }
    }

    fn told(&mut self, need: &Need, with: &'a [(Name, Expression)], span: Span) -> Outcome<Value> {
        let mut told = BTreeMap::new();
        for (name, expression) in with {
            let Some(field) = need.with.get(name) else { continue };
            let value = if field.optional { self.evaluate(expression)? } else { self.value(expression)? };
            if matches!(value, Value::Missing) {
                continue;
            }
            let value = super::steps::coerced(value, &expression.code, &field.kind)
                .map_err(|i| Fault::new(i.code, format!("`{name}`: {}", i.detail), expression.span))?;
            told.insert(name.clone(), value);
        }
        self.bounded(Value::Map(Arc::new(told)), span)
    }
}
