//! Statements: blocks, branches, loops, variables, and the verbs that record an outcome.

use super::compile::{Compiler, Typing, article};
use super::scope::Role;
use super::typed::{Static, Typed};
use super::{Code, CompiledArm, Expression, literals, narrowing};
use crate::domain::nearest::nearest;
use crate::domain::place::Span;
use crate::domain::script::limits;
use crate::domain::script::syntax::{self, Arm, Branch, Node, Operator, Syntax};
use crate::domain::value::{Name, Value};

impl Compiler<'_> {
    /// A sequence of statements; its value is that of the last one.
    pub fn block(&mut self, body: &[Syntax], span: Span) -> Typing {
        self.scoped(|c| {
            let mut compiled = Vec::new();
            let mut known = Static::given(Typed::Nothing);
            for (at, syntax) in body.iter().enumerate() {
                let last = at + 1 == body.len();
                let (expression, typing) = c.maybe(syntax);
                if !last {
                    c.warn_of_dropped_step(syntax, &typing.typed);
                    if narrowing::always_leaves(std::slice::from_ref(syntax))
                        && let Some(next) = body.get(at + 1)
                    {
                        c.warning("T023", next.span, "this is never reached").help =
                            Some("remove it, or the `return` before it".to_owned());
                    }
                }
                if let Node::If(branch) = &syntax.node {
                    for (body, truth) in [(&branch.then, false), (&branch.otherwise, true)] {
                        if narrowing::always_leaves(body) {
                            c.given.extend(narrowing::proved(&branch.condition, truth));
                        }
                    }
                }
                known = typing;
                compiled.push(expression);
            }
            if let (Some(last), Role::Script) = (body.last(), c.role) {
                c.warn_of_dropped_step(last, &known.typed);
            }
            let code = match compiled.pop() {
                Some(only) if compiled.is_empty() => return (only, known),
                Some(last) => {
                    compiled.push(last);
                    Code::Block(compiled.into())
                }
                None => Code::Nothing,
            };
            (Expression { span, code }, known)
        })
    }

    /// `rules("x");` alone evaluates and forgets.
    fn warn_of_dropped_step(&mut self, syntax: &Syntax, typed: &Typed) {
        let applicable = match typed {
            Typed::RuleSet | Typed::SubFlow(_) => true,
            Typed::Table(at) => {
                self.scope.tables.get(usize::from(*at)).is_some_and(|table| table.has_outcome)
            }
            Typed::Scorecard(_) => false,
            _ => return,
        };
        if !matches!(syntax.node, Node::Call { .. }) {
            return;
        }
        let (verbs, help) = if applicable {
            ("neither applied nor read", "write `.apply()` behind it to record what it found")
        } else {
            ("not read", "give it a name (`let x = …`) and read what it gives, or remove it")
        };
        let message = format!("the result of this {} is {verbs}", typed.word());
        self.warning("T020", syntax.span, message).help = Some(help.to_owned());
    }

    pub(super) fn statement(&mut self, syntax: &Syntax) -> Typing {
        let span = syntax.span;
        let nothing = |code: Code| (Expression { span, code }, Static::given(Typed::Nothing));
        match &syntax.node {
            Node::Block(body) => self.block(body, span),
            Node::If(branch) => self.branch(branch, span),
            Node::Switch { on, arms } => self.switch(on, arms, span),
            Node::Let { name, value, constant } => self.declaration(name, value, *constant, span),
            Node::Assign { target, operator, value } => self.assignment(target, *operator, value, span),
            Node::While { condition, body } => {
                let condition = condition.as_ref().map(|c| Box::new(self.truth(c)));
                let body = Box::new(self.loop_body(body, span));
                nothing(Code::While { condition, body })
            }
            Node::For { item, counter, over, body } => {
                self.for_loop(item, counter.as_ref(), over, body, span)
            }
            Node::Break | Node::Continue if !self.in_loop => {
                self.error("S003", span, "this stands outside of any loop");
                Self::broken(span)
            }
            Node::Break => nothing(Code::Break),
            Node::Continue => nothing(Code::Continue),
            Node::Return(value) => {
                let value = value.as_ref().map(|value| {
                    let (value, known) = self.given(value);
                    self.returns.push(known);
                    Box::new(value)
                });
                if value.is_none() {
                    self.returns.push(Static::given(Typed::Nothing));
                }
                nothing(Code::Return(value))
            }
            Node::Unit => nothing(Code::Nothing),
            // Everything else is an expression, which `maybe` has matched before it came here.
            _ => Self::broken(span),
        }
    }

    fn branch(&mut self, branch: &Branch, span: Span) -> Typing {
        let condition = Box::new(self.truth(&branch.condition));
        let (mut then, then_known) = self.scoped(|c| {
            c.given.extend(narrowing::proved(&branch.condition, true));
            c.block(&branch.then, span)
        });
        let (mut otherwise, otherwise_known) = self.scoped(|c| {
            c.given.extend(narrowing::proved(&branch.condition, false));
            c.block(&branch.otherwise, span)
        });
        let leaves = |body: &[Syntax]| narrowing::always_leaves(body);
        let typed = match (&then_known.typed, &otherwise_known.typed) {
            // Control never comes out of a branch that leaves, so the other one gives the value.
            (Typed::Nothing, other) if leaves(&branch.then) => other.clone(),
            (other, Typed::Nothing) if leaves(&branch.otherwise) => other.clone(),
            (Typed::Nothing, _) | (_, Typed::Nothing) => Typed::Nothing,
            (a, b) => a.clone().either(b.clone()),
        };
        let may_be_missing = then_known.may_be_missing || otherwise_known.may_be_missing;
        let known = Static { may_be_missing, typed };
        literals::part(&mut then, &then_known.typed, &known.typed);
        literals::part(&mut otherwise, &otherwise_known.typed, &known.typed);
        let code = Code::If { condition, then: Box::new(then), otherwise: Box::new(otherwise) };
        (Expression { span, code }, known)
    }

    fn switch(&mut self, on: &Syntax, arms: &[Arm], span: Span) -> Typing {
        let (on_code, on_known) = self.given(on);
        let mut typed: Option<Typed> = None;
        let mut may_be_missing = !takes_all(arms, &on_known.typed);
        let mut compiled = Vec::new();
        for arm in arms {
            let labels = arm.labels.iter().filter_map(|label| self.label(label, &on_known.typed)).collect();
            let condition = arm.condition.as_ref().map(|c| self.truth(c));
            let (value, known) = self.scoped(|c| {
                if let Some(condition) = &arm.condition {
                    c.given.extend(narrowing::proved(condition, true));
                }
                c.maybe(&arm.value)
            });
            may_be_missing |= known.may_be_missing;
            typed = Some(match typed {
                None => known.typed.clone(),
                Some(before) if narrowing::always_leaves(std::slice::from_ref(&arm.value)) => before,
                Some(Typed::Nothing) => Typed::Nothing,
                Some(before) => before.either(known.typed.clone()),
            });
            compiled.push((CompiledArm { labels, condition, value }, known.typed));
        }
        let whole = typed.unwrap_or(Typed::Nothing);
        let arms = compiled.into_iter().map(|(mut arm, typed)| {
            literals::part(&mut arm.value, &typed, &whole);
            arm
        });
        let code = Code::Switch { on: Box::new(on_code), arms: arms.collect() };
        let may_be_missing = may_be_missing && whole != Typed::Nothing;
        (Expression { span, code }, Static { typed: whole, may_be_missing })
    }

    fn label(&mut self, label: &Syntax, on: &Typed) -> Option<Value> {
        let (code, known) = self.maybe(label);
        if !on.compares(Operator::Equal, &known.typed) {
            let message = format!("{} is compared with {}", article(on.word()), article(known.typed.word()));
            self.error("T005", label.span, message);
        }
        self.check_choice(on, label);
        match code.code {
            Code::Constant(value) => Some(value),
            Code::Literal { decimal, .. } if *on == Typed::Decimal => Some(Value::Decimal(decimal)),
            Code::Literal { number, .. } => Some(Value::Number(number)),
            _ => None,
        }
    }

    /// A local may not have the name of something that the flow declares: a reader could not tell them apart.
    pub(super) fn refuse_declared_name(&mut self, name: &str, span: Span) {
        // The author of a shared function does not know what all flows declare: there its own names come first.
        if self.scope.declares(name) && self.role != Role::Function {
            self.error(
                "T027",
                span,
                format!("`{name}` is already the name of an input, feature or threshold"),
            )
            .help = Some("choose another name".to_owned());
        }
    }

    fn declaration(&mut self, name: &syntax::Word, value: &Syntax, constant: bool, span: Span) -> Typing {
        let is_branch = matches!(value.node, Node::If(_));
        let at = value.span;
        let (value, mut known) = if Self::is_need(value) { self.maybe(value) } else { self.given(value) };
        if is_branch && known.typed == Typed::Nothing {
            let message = format!("`{}` has no value where a branch of this `if` gives none", name.text);
            self.error("T029", at, message).help =
                Some("let each branch end with a value, also one behind `else`".to_owned());
            known.typed = Typed::Any;
        }
        let is_fixed = known.typed == Typed::Literal && !self.assigned.contains(&name.text);
        let exact = if is_fixed { literals::folded(&value) } else { None };
        if exact.is_none() {
            known.typed = known.typed.settled();
        }
        self.refuse_declared_name(&name.text, name.span);
        if self.locals.len() >= limits::VARIABLES {
            self.error("S002", name.span, "more than 128 variables");
        }
        if let Some(before) = self.locals.iter().find(|l| l.name == name.text) {
            let before = before.name.clone();
            self.error("T025", name.span, format!("`{before}` is declared twice"));
        }
        let local = self.declare(&name.text, known, constant);
        self.stands_for(exact);
        (
            Expression { span, code: Code::Set { local, value: Box::new(value) } },
            Static::given(Typed::Nothing),
        )
    }

    fn assignment(
        &mut self,
        target: &Syntax,
        operator: Option<Operator>,
        value: &Syntax,
        span: Span,
    ) -> Typing {
        let Node::Name(name) = &target.node else {
            self.error("S003", target.span, "only variables can be assigned").help =
                Some("build a new value: `let changed = …;`".to_owned());
            return Self::broken(span);
        };
        let Some(local) = self.locals.iter().rev().find(|l| l.name == *name).cloned() else {
            if self.scope.declares(name) {
                self.error(
                    "T013",
                    target.span,
                    format!("`{name}` cannot be assigned: inputs, features and thresholds are only read"),
                )
                .help = Some("put the value into a variable of your own: `let x = …;`".to_owned());
            } else {
                self.error("T004", target.span, format!("there is no variable `{name}`")).help =
                    Some(format!("declare it first: `let {name} = …;`"));
            }
            return Self::broken(span);
        };
        if local.constant {
            self.error("T013", target.span, format!("`{name}` is a constant and cannot be assigned"));
        }
        let value = match operator {
            None => value.clone(),
            Some(operator) => {
                Syntax { span, node: Node::Binary(operator, Box::new((target.clone(), value.clone()))) }
            }
        };
        let (mut value, known) = self.given(&value);
        literals::part(&mut value, &known.typed, &local.known.typed);
        if let Some(kept) = self.locals.iter_mut().rev().find(|l| l.name == *name) {
            let literal = known.typed == Typed::Literal && kept.known.typed == Typed::Decimal;
            let typed = if literal { Typed::Decimal } else { known.typed.settled() };
            // A branch or a loop may or may not have run, so both types stay possible.
            kept.known.typed = kept.known.typed.clone().either(typed);
        }
        let code = Code::Set { local: local.slot, value: Box::new(value) };
        (Expression { span, code }, Static::given(Typed::Nothing))
    }

    /// What a loop assigns is of an unknown type from its second round on.
    fn loop_body(&mut self, body: &[Syntax], span: Span) -> Expression {
        let mut assigned = Vec::new();
        for syntax in body {
            assigned_names(syntax, &mut assigned);
        }
        for local in self.locals.iter_mut().filter(|l| assigned.contains(&l.name)) {
            local.known = Static::given(Typed::Any);
        }
        let outer = std::mem::replace(&mut self.in_loop, true);
        let (body, _) = self.block(body, span);
        self.in_loop = outer;
        body
    }

    fn for_loop(
        &mut self,
        item: &syntax::Word,
        counter: Option<&syntax::Word>,
        over: &Syntax,
        body: &[Syntax],
        span: Span,
    ) -> Typing {
        let (over_code, known) = self.given(over);
        let of = match known.typed {
            Typed::List(of) => of.settled(),
            Typed::Any => Typed::Any,
            other => {
                self.error(
                    "T003",
                    over.span,
                    format!("`for` goes over a list or a range, not {}", article(other.word())),
                );
                Typed::Any
            }
        };
        let code = self.scoped(|c| {
            c.refuse_declared_name(&item.text, item.span);
            let item = c.declare(&item.text, Static::given(of), true);
            let counter = counter.map(|name| {
                c.refuse_declared_name(&name.text, name.span);
                c.declare(&name.text, Static::given(Typed::Integer), true)
            });
            let body = Box::new(c.loop_body(body, span));
            Code::For { item, counter, over: Box::new(over_code), body }
        });
        (Expression { span, code }, Static::given(Typed::Nothing))
    }

    /// `decline(reasons…, #{ outputs })`, in either order.
    pub(super) fn verb(&mut self, outcome: usize, arguments: &[Syntax], span: Span) -> Typing {
        let scope = self.scope;
        let Some(name) = scope.outcomes.get(outcome) else { return Self::broken(span) };
        self.usage.outcomes.insert(name.clone());
        let mut reasons = Vec::new();
        let mut output: Option<&[(syntax::Word, Syntax)]> = None;
        let mut codes = Vec::new();
        for argument in arguments {
            match &argument.node {
                Node::Map(entries) if output.is_none() => output = Some(entries),
                Node::Map(_) => {
                    self.error("T002", argument.span, "an outcome carries one map of outputs");
                }
                _ => reasons.push(self.reasons(argument, &mut codes)),
            }
        }
        let output = self.outputs(outcome, output.unwrap_or_default(), span);
        if outcome > 0 && reasons.is_empty() {
            self.error("T017", span, format!("`{name}` needs a reason")).help =
                Some(format!("write `{name}(\"{}\")`", scope.reasons.first().map_or("R100", |r| &*r.code)));
        }
        let only_scores = !codes.is_empty()
            && codes.len() == reasons.iter().map(sources).sum::<usize>()
            && codes.iter().all(|code| scope.reasons.iter().any(|r| r.code == *code && r.is_score));
        if outcome + 1 == scope.outcomes.len() && outcome > 0 && only_scores {
            self.warning("T022", span, "the only reason given is that a score was too high or too low")
                .help =
                Some("add what made the score: the `.reasons` of a rule set, or another reason".to_owned());
        }
        let code = Code::Verb {
            outcome: u16::try_from(outcome).unwrap_or(u16::MAX),
            reasons: reasons.into(),
            output,
        };
        (Expression { span, code }, Static::given(Typed::Nothing))
    }

    /// A code, a list of codes, or the `.reasons` of a step.
    fn reasons(&mut self, syntax: &Syntax, codes: &mut Vec<Name>) -> Expression {
        match &syntax.node {
            Node::Text(code) => {
                let scope = self.scope;
                match scope.reasons.iter().find(|r| *r.code == **code) {
                    Some(reason) => {
                        self.usage.reasons.insert(reason.code.clone());
                        codes.push(reason.code.clone());
                    }
                    None => {
                        let near = nearest(code, scope.reasons.iter().map(|r| &*r.code));
                        let help = near.map_or_else(
                            || "declare it under `reasons:` in flow.yaml".to_owned(),
                            |n| format!("did you mean `\"{n}\"`?"),
                        );
                        self.error("T015", syntax.span, format!("this flow has no reason `{code}`")).help =
                            Some(help);
                    }
                }
            }
            Node::List(items) => {
                let items = items.iter().map(|i| self.reasons(i, codes)).collect();
                return Expression { span: syntax.span, code: Code::List(items) };
            }
            Node::Property { name, .. } if name.text == "hits" => {
                self.error("T015", syntax.span, "`.hits` are ids of rules, not reasons").help =
                    Some("write `.reasons`".to_owned());
            }
            _ => {}
        }
        let (expression, known) = self.given(syntax);
        let is_reasons = match &known.typed {
            Typed::List(of) => of.is_text() || matches!(**of, Typed::Any | Typed::List(_)),
            Typed::Any => true,
            typed => typed.is_text(),
        };
        if !is_reasons {
            let message = format!(
                "a reason is a code, a list of codes or the `.reasons` of a step, not {}",
                article(known.typed.word())
            );
            self.error("T015", syntax.span, message);
        }
        expression
    }

    fn outputs(
        &mut self,
        outcome: usize,
        entries: &[(syntax::Word, Syntax)],
        span: Span,
    ) -> Box<[(u16, Expression)]> {
        let scope = self.scope;
        let mut compiled = Vec::new();
        for (name, value) in entries {
            let (mut code, known) = self.given(value);
            let kind = scope.outputs.iter().find(|o| *o.name == *name.text).map(|o| &o.kind);
            literals::exact_for(&mut code, &known.typed, kind);
            let Some(at) = scope.outputs.iter().position(|o| *o.name == *name.text) else {
                let near = nearest(&name.text, scope.outputs.iter().map(|o| &*o.name));
                let help = near.map_or_else(
                    || "declare it under `outputs:` in flow.yaml".to_owned(),
                    |n| format!("did you mean `{n}`?"),
                );
                self.error("T018", name.span, format!("this flow has no output `{}`", name.text)).help =
                    Some(help);
                continue;
            };
            if let Some(output) = scope.outputs.get(at).filter(|o| !known.typed.fits(&o.kind)) {
                let message = format!(
                    "the output `{}` is {}, not {}",
                    output.name,
                    article(output.kind.word()),
                    article(known.typed.word())
                );
                let help = matches!((&known.typed, output.kind.word()), (Typed::Number, "decimal"))
                    .then(|| "write `money(x, 2)`".to_owned());
                self.error("T018", value.span, message).help = help;
            }
            compiled.push((u16::try_from(at).unwrap_or(u16::MAX), code));
        }
        if outcome == 0 {
            for output in scope.outputs.iter().filter(|o| !o.optional) {
                if !entries.iter().any(|(name, _)| *name.text == *output.name) {
                    self.error("T018", span, format!("this leaves out the output `{}`", output.name)).help =
                        Some(format!("add it: `#{{ {}: … }}`, or declare it `optional: true`", output.name));
                }
            }
        }
        compiled.into()
    }
}

/// Whether some arm of a `switch` takes each value that there can be.
fn takes_all(arms: &[Arm], on: &Typed) -> bool {
    let open = || arms.iter().filter(|arm| arm.condition.is_none());
    let labels = || open().flat_map(|arm| &arm.labels);
    let has = |wanted: &Node| labels().any(|label| label.node == *wanted);
    open().any(|arm| arm.labels.is_empty())
        || match on {
            Typed::Boolean => has(&Node::Boolean(true)) && has(&Node::Boolean(false)),
            Typed::Choice(of) => of.iter().all(|choice| has(&Node::Text(choice.to_string()))),
            _ => false,
        }
}

/// How many codes or lists of codes an argument brings: those of a literal list count one by one.
fn sources(argument: &Expression) -> usize {
    match &argument.code {
        Code::List(items) => items.iter().map(sources).sum(),
        _ => 1,
    }
}

pub(super) fn assigned_names(syntax: &Syntax, found: &mut Vec<String>) {
    if let Node::Assign { target, .. } = &syntax.node
        && let Node::Name(name) = &target.node
    {
        found.push(name.clone());
    }
    if let Node::Method { receiver, name, .. } = &syntax.node
        && let (Node::Name(variable), "push") = (&receiver.node, name.text.as_str())
    {
        found.push(variable.clone());
    }
    for child in syntax.children() {
        assigned_names(child, found);
    }
}
