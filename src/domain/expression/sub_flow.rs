//! `flow("fraud_check", #{ … })`: another flow asked whole. Every input that it needs is found when this is compiled:
//! handed over, or an input or feature of the same name. Running it is the evaluator's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calls::listed;
use super::compile::{Compiler, Typing, article};
use super::scope::{ScopedAnswers, ScopedSubFlow};
use super::typed::{Static, Typed};
use super::{Code, Expression, literals};
use crate::domain::nearest::nearest;
use crate::domain::place::Span;
use crate::domain::script::syntax::{self, Node, Syntax};
use crate::domain::value::{Field, Kind, Name};

/// What the result of a sub-flow has.
const PROPERTIES: &[&str] = &["outcome", "reasons", "failed", "degraded", "output", "scores"];

impl Compiler<'_> {
    pub(super) fn sub_flow(&mut self, arguments: &[Syntax], span: Span) -> Typing {
        let Some(Syntax { node: Node::Text(wanted), span: at }) = arguments.first() else {
            self.error("T002", span, "`flow` takes the name of a flow in quotes").help =
                Some("write `flow(\"…\")`".to_owned());
            return Self::broken(span);
        };
        let scope = self.scope;
        let Some(index) = scope.flows.iter().position(|flow| *flow.name == **wanted) else {
            let names: Vec<Name> = scope.flows.iter().map(|flow| flow.name.clone()).collect();
            let help = nearest(wanted, names.iter().map(|n| &**n)).map_or_else(
                || format!("other flows here: {}", listed(&names)),
                |near| format!("did you mean `\"{near}\"`?"),
            );
            self.error("T080", *at, format!("there is no flow `{wanted}`")).help = Some(help);
            return Self::broken(span);
        };
        let Some(flow) = scope.flows.get(index).and_then(|flow| self.askable(&flow.name, &flow.answers, *at))
        else {
            return Self::broken(span);
        };
        self.usage.flows.insert(Name::from(wanted.as_str()));
        let handed = self.handed_map(arguments.get(1..).unwrap_or_default());
        let takes = self.sub_flow_inputs(wanted, flow, handed, span);
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        (Expression { span, code: Code::SubFlow { index, takes } }, Static::given(Typed::SubFlow(index)))
    }

    /// The flow, or what keeps it from being asked, reported.
    fn askable<'s>(&mut self, name: &str, answers: &'s ScopedAnswers, at: Span) -> Option<&'s ScopedSubFlow> {
        match answers {
            ScopedAnswers::Flow(flow) => return Some(flow),
            ScopedAnswers::Broken => {
                self.error("T081", at, format!("the flow `{name}` does not check, so it cannot be asked"))
                    .help = Some(format!("put right first what is found in `rules/{name}/`"));
            }
            ScopedAnswers::Cycle(way) => {
                let way: Vec<String> = way.iter().map(|flow| format!("`{flow}`")).collect();
                self.error("T082", at, format!("flows ask each other in a circle: {}", way.join(" → ")))
                    .help =
                    Some("move what they share into a flow of its own that asks none of them".to_owned());
            }
            ScopedAnswers::Refused { message, help } => {
                self.error("T084", at, message.clone()).help = Some((*help).to_owned());
            }
            ScopedAnswers::Uncalled => {}
        }
        None
    }

    fn handed_map<'s>(&mut self, arguments: &'s [Syntax]) -> &'s [(syntax::Word, Syntax)] {
        match arguments {
            [] => &[],
            [Syntax { node: Node::Map(entries), .. }] => entries,
            [other, ..] => {
                self.error("T002", other.span, "`flow` takes a name and a map of what is handed over").help =
                    Some("write `flow(\"name\", #{ amount: amount })`".to_owned());
                &[]
            }
        }
    }

    fn sub_flow_inputs(
        &mut self,
        flow: &str,
        asked: &ScopedSubFlow,
        handed: &[(syntax::Word, Syntax)],
        span: Span,
    ) -> Box<[(u16, Expression)]> {
        for (name, value) in
            handed.iter().filter(|(name, _)| !asked.takes.iter().any(|(n, _)| **n == *name.text))
        {
            self.maybe(value);
            let help = nearest(&name.text, asked.takes.iter().map(|(n, _)| &**n))
                .map(|near| format!("did you mean `{near}`?"));
            self.error("T083", name.span, format!("the flow `{flow}` has no input `{}`", name.text)).help =
                help;
        }
        let mut compiled = Vec::new();
        for (at, (name, field)) in asked.takes.iter().enumerate() {
            let handed = handed.iter().find(|(word, _)| *word.text == **name);
            let code = match handed {
                Some((_, value)) => Some(self.handed_input(flow, name, field, value)),
                None => self.input_by_name(flow, name, field, span),
            };
            if let Some(code) = code {
                compiled.push((u16::try_from(at).unwrap_or(u16::MAX), code));
            }
        }
        compiled.into()
    }

    fn handed_input(&mut self, flow: &str, name: &str, field: &Field, value: &Syntax) -> Expression {
        let (mut code, known) = if field.optional { self.maybe(value) } else { self.given(value) };
        literals::exact_for(&mut code, &known.typed, Some(&field.kind));
        if let (Kind::Choice(of), Node::Text(text)) = (&field.kind, &value.node) {
            self.check_choice(of, text, value.span);
        } else if let Some(why) = misfit(&known.typed, &field.kind) {
            self.error("T083", value.span, format!("the input `{name}` of the flow `{flow}` is {why}"));
        }
        code
    }

    /// What the caller has under the name of an input that is not handed over.
    fn input_by_name(&mut self, flow: &str, name: &str, field: &Field, span: Span) -> Option<Expression> {
        let scope = self.scope;
        let found = scope.inputs.iter().chain(&scope.features).find(|(known, _)| **known == *name);
        let Some((_, known)) = found else {
            if !field.optional {
                let message = format!("the flow `{flow}` needs `{name}` ({})", field.kind.word());
                self.error("T083", span, message).help = Some(format!(
                    "write `flow(\"{flow}\", #{{ {name}: … }})`, or declare an input or feature of that name"
                ));
            }
            return None;
        };
        if let Some(why) = misfit(&known.typed, &field.kind) {
            let message = format!("the input `{name}` of the flow `{flow}` is {why}");
            self.error("T083", span, message).help = Some(format!(
                "it is read by name: write `flow(\"{flow}\", #{{ {name}: … }})` to hand over another value"
            ));
        }
        let read = Syntax { span, node: Node::Name(name.to_owned()) };
        Some(if field.optional { self.maybe(&read).0 } else { self.given(&read).0 })
    }

    /// What applying a sub-flow may record must be an outcome here too, in the same order.
    pub(super) fn applied_sub_flow(&mut self, at: u16, span: Span) {
        let scope = self.scope;
        let Some(flow) = scope.flows.get(usize::from(at)) else { return };
        let ScopedAnswers::Flow(asked) = &flow.answers else { return };
        let mut strictest = None;
        for outcome in &*asked.outcomes {
            let here = scope.outcomes.iter().position(|known| known == outcome);
            match here {
                None => {
                    let message = format!(
                        "the flow `{}` can end in `{outcome}`, which is no outcome of this flow",
                        flow.name
                    );
                    self.error("T076", span, message).help = Some(format!(
                        "declare `{outcome}` under `outcomes:`, or read `.outcome` and record one of your own"
                    ));
                }
                Some(here) if strictest.is_some_and(|before| before > here) => {
                    let message = format!(
                        "`{outcome}` is stricter in the flow `{}` than it is in this flow",
                        flow.name
                    );
                    self.error("T076", span, message).help = Some(
                        "give both flows their outcomes in the same order, the mildest first".to_owned(),
                    );
                }
                Some(here) => strictest = Some(here),
            }
            self.usage.outcomes.insert(outcome.clone());
        }
    }

    pub(super) fn sub_flow_property(&self, at: u16, name: &str) -> Result<Static, Vec<String>> {
        let asked = self.scope.flows.get(usize::from(at)).map(|flow| &flow.answers);
        let Some(ScopedAnswers::Flow(asked)) = asked else { return Ok(Static::given(Typed::Any)) };
        let map = |fields: &Arc<BTreeMap<Name, Field>>| Typed::Map(Some(Arc::clone(fields)));
        let typed = match name {
            "outcome" => Typed::Choice(Arc::clone(&asked.outcomes)),
            "reasons" => Typed::List(Box::new(Typed::Text)),
            "failed" | "degraded" => Typed::Boolean,
            "output" => map(&asked.outputs),
            "scores" => map(&asked.scores),
            _ => return Err(PROPERTIES.iter().map(|known| (*known).to_owned()).collect()),
        };
        Ok(Static::given(typed))
    }
}

/// Why a value of this type cannot stand for an input of that kind: `a decimal, not a text`.
fn misfit(typed: &Typed, kind: &Kind) -> Option<String> {
    match (typed, kind) {
        (Typed::Choice(of), Kind::Choice(wanted)) => of
            .iter()
            .find(|choice| !wanted.contains(choice))
            .map(|choice| format!("a choice that cannot be `{choice}`")),
        (typed, kind) if !typed.fits(kind) => {
            Some(format!("{}, not {}", article(kind.word()), article(typed.word())))
        }
        (Typed::List(of), Kind::List(field)) => misfit(of, &field.kind).map(|why| format!("a list of {why}")),
        (Typed::Map(Some(fields)), Kind::Map(wanted)) => {
            wanted.iter().find_map(|(name, field)| match fields.get(name) {
                None if field.optional => None,
                None => Some(format!("a map with `{name}`")),
                Some(has) => misfit(&Typed::of(&has.kind), &field.kind)
                    .map(|why| format!("a map whose `{name}` is {why}")),
            })
        }
        _ => None,
    }
}
