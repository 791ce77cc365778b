//! `need("bureau", #{ depth: "full" })`: asking the caller for facts, checked before anything runs. Absent: asking.

use std::collections::BTreeMap;

use super::compile::{Compiler, Typing, article};
use super::scope::ScopedNeed;
use super::typed::{Static, Typed};
use super::{Code, Expression, literals};
use crate::domain::nearest::nearest;
use crate::domain::place::Span;
use crate::domain::script::syntax::{self, Node, Syntax};
use crate::domain::value::{Field, Name};

/// The word itself.
pub const NEED: &str = "need";

impl Compiler<'_> {
    pub(super) fn need(&mut self, arguments: &[Syntax], span: Span) -> Typing {
        let scope = self.scope;
        let names: Vec<Name> = scope.needs.iter().map(|need| need.name.clone()).collect();
        let Some(index) = self.step_name(NEED, NEED, "T085", arguments, span, &names) else {
            return Self::broken(span);
        };
        let Some(need) = scope.needs.get(usize::from(index)) else { return Self::broken(span) };
        self.usage.needs.insert(need.name.clone());
        if self.in_loop || self.in_row {
            let message = format!("`{}` is asked for in a loop", need.name);
            self.error("T087", span, message).help =
                Some(format!("a decision asks once: write `let x = need(\"{}\", …);` before it", need.name));
        }
        let said: &[(syntax::Word, Syntax)] = match arguments.get(1..).unwrap_or_default() {
            [] => &[],
            [Syntax { node: Node::Map(entries), .. }] => entries,
            [other, ..] => {
                self.error("T002", other.span, "`need` takes a name and a map of what the caller is told")
                    .help = Some("write `need(\"name\", #{ depth: \"full\" })`".to_owned());
                &[]
            }
        };
        let with = self.told(need, said, span);
        let known = Static { typed: Typed::Map(Some(need.of.clone())), may_be_missing: need.optional };
        (Expression { span, code: Code::Need { index, with } }, known)
    }

    /// What the caller is told with the question: what `with:` declares, no more and no less.
    fn told(
        &mut self,
        need: &ScopedNeed,
        said: &[(syntax::Word, Syntax)],
        span: Span,
    ) -> Box<[(Name, Expression)]> {
        let mut compiled = Vec::new();
        for (word, value) in said {
            let field = need.with.get(word.text.as_str());
            let optional = field.is_some_and(|field| field.optional);
            let (mut code, known) = if optional { self.maybe(value) } else { self.given(value) };
            let Some((name, field)) = need.with.get_key_value(word.text.as_str()) else {
                let help = nearest(&word.text, need.with.keys().map(|name| &**name)).map_or_else(
                    || format!("declare it under `with:` of `{}` in flow.yaml", need.name),
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("the need `{}` says nothing of `{}`", need.name, word.text);
                self.error("T086", word.span, message).help = Some(help);
                continue;
            };
            literals::exact_for(&mut code, &known.typed, Some(&field.kind));
            self.check_told(name, field, value, &known.typed);
            compiled.push((name.clone(), code));
        }
        for name in left_out(&need.with, said) {
            self.error("T086", span, format!("the need `{}` is asked for without `{name}`", need.name))
                .help = Some(format!("write `need(\"{}\", #{{ {name}: … }})`", need.name));
        }
        compiled.into()
    }

    fn check_told(&mut self, name: &Name, field: &Field, value: &Syntax, typed: &Typed) {
        if !typed.fits(&field.kind) {
            let message =
                format!("`{name}` is {}, not {}", article(field.kind.word()), article(typed.word()));
            self.error("T003", value.span, message);
        }
        if let (crate::domain::value::Kind::Choice(of), Node::Text(text)) = (&field.kind, &value.node) {
            self.check_choice(of, text, value.span);
        }
    }

    /// What is missing when the caller cannot give it may stand in a variable, so that the script can ask.
    pub(super) fn is_need(syntax: &Syntax) -> bool {
        matches!(&syntax.node, Node::Call { name, .. } if name.text == NEED)
    }

    /// `need(…)` where no script runs.
    pub(super) fn need_outside(&mut self, name: &syntax::Word) -> Typing {
        self.error("T087", name.span, "`need` can be called only in `flow.rhai`").help =
            Some("ask there, and hand over what came: `rules(\"…\", #{ score: bureau.score })`".to_owned());
        Self::broken(name.span)
    }

    /// A need read by its bare name.
    pub(super) fn need_unasked(&self, name: &str) -> Option<String> {
        let need = self.scope.needs.iter().find(|need| *need.name == *name)?;
        Some(format!("the caller is asked for it: write `need(\"{}\")`", need.name))
    }
}

fn left_out<'n>(with: &'n BTreeMap<Name, Field>, said: &[(syntax::Word, Syntax)]) -> Vec<&'n Name> {
    let is_said = |name: &Name| said.iter().any(|(word, _)| *word.text == **name);
    with.iter().filter(|(name, field)| !field.optional && !is_said(name)).map(|(name, _)| name).collect()
}
