//! Syntax → compiled tree: names resolved, types checked, everything wrong collected. What is compiled
//! without an error can fail at run time only for what facts bring (missing, zero, overflow, a failed model).

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::functions::{Argument, Functions};
use super::scope::{Role, Scope, Threshold, Usage, position};
use super::statements::assigned_names;
use super::typed::{Static, Typed};
use super::{Code, Expression, meant, narrowing};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::nearest::nearest;
use crate::domain::place::{Place, Span};
use crate::domain::script::syntax::{Node, Syntax};
use crate::domain::value::{Name, Value};

#[derive(Debug, Clone)]
pub(super) struct Local {
    pub name: String,
    pub slot: u16,
    pub known: Static,
    pub constant: bool,
    /// The decimal that was written, where it stands for a literal and is never assigned.
    pub exact: Option<Decimal>,
}

/// Compiles one expression or script body. Problems are collected, never thrown.
#[derive(Debug)]
pub struct Compiler<'a> {
    pub(super) scope: &'a Scope,
    pub(super) role: Role<'a>,
    pub(super) place: Place,
    pub(super) functions: &'a Functions,
    pub(super) locals: Vec<Local>,
    next: u16,
    pub frame: u16,
    /// Paths known to be given here.
    pub(super) given: Vec<String>,
    pub diagnostics: Vec<Diagnostic>,
    pub usage: Usage,
    pub(super) in_loop: bool,
    /// Variables that something assigns, by name.
    pub(super) assigned: BTreeSet<String>,
    /// What each `return` gives.
    pub(super) returns: Vec<Static>,
    /// In a `|row| …`.
    pub(super) in_row: bool,
}

/// A compiled node and what is known of it.
pub type Typing = (Expression, Static);

impl<'a> Compiler<'a> {
    #[must_use]
    pub fn new(scope: &'a Scope, role: Role<'a>, place: Place, functions: &'a Functions) -> Self {
        let mut compiler = Self {
            scope,
            role,
            place,
            functions,
            locals: Vec::new(),
            next: 0,
            frame: 0,
            given: Vec::new(),
            diagnostics: Vec::new(),
            usage: Usage::default(),
            in_loop: false,
            assigned: BTreeSet::new(),
            returns: Vec::new(),
            in_row: false,
        };
        if let Role::Condition { takes, .. } = role {
            for (name, kind) in takes {
                compiler.declare(name, Static::given(Typed::of(kind)), true);
            }
        }
        compiler
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(code, self.place.part(span), message);
        self.push(diagnostic)
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let diagnostic = Diagnostic::warning(code, self.place.part(span), message);
        self.push(diagnostic)
    }

    fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.diagnostics.push_mut(diagnostic)
    }

    /// What stands for a node that was reported: nothing further is said about it.
    pub(super) fn broken(span: Span) -> Typing {
        (Expression { span, code: Code::Nothing }, Static::given(Typed::Any))
    }

    /// A new local; its slot is freed when its block ends.
    pub(super) fn declare(&mut self, name: &str, known: Static, constant: bool) -> u16 {
        let slot = self.next;
        self.next = self.next.saturating_add(1);
        self.frame = self.frame.max(self.next);
        self.locals.push(Local { name: name.to_owned(), slot, known, constant, exact: None });
        slot
    }

    /// A parameter of a function, as one call gives it.
    pub(super) fn parameter(&mut self, name: &str, span: Span, argument: &Argument) {
        self.refuse_declared_name(name, span);
        self.declare(name, Static::given(argument.typed.clone()), true);
        self.stands_for(argument.exact);
    }

    /// Says of the last local which literal it stands for.
    pub(super) fn stands_for(&mut self, exact: Option<Decimal>) {
        if let Some(last) = self.locals.last_mut() {
            last.exact = exact;
        }
    }

    /// A whole script or function body.
    pub fn whole(&mut self, body: &[Syntax], span: Span) -> Typing {
        let mut assigned = Vec::new();
        for syntax in body {
            assigned_names(syntax, &mut assigned);
        }
        self.assigned = assigned.into_iter().collect();
        self.block(body, span)
    }

    /// Compiles what `inner` compiles, with its locals and what it proves forgotten afterwards.
    pub(super) fn scoped<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let (locals, next, given) = (self.locals.len(), self.next, self.given.len());
        let result = inner(self);
        self.locals.truncate(locals);
        self.next = next;
        self.given.truncate(given);
        result
    }

    /// One value that has to be there: whatever may be missing is reported.
    pub fn given(&mut self, syntax: &Syntax) -> Typing {
        let (expression, known) = self.maybe(syntax);
        if known.may_be_missing {
            self.warn_of_missing(syntax);
        }
        (expression, Static::given(known.typed))
    }

    pub(super) fn warn_of_missing(&mut self, syntax: &Syntax) {
        let (message, help) = match (narrowing::path(syntax), &syntax.node) {
            (Some(what), _) => (
                format!("`{what}` may be missing here; the step then fails"),
                format!("ask first: `is_given({what}) && …`, or say what stands for it: `{what} ?? …`"),
            ),
            (None, Node::Switch { .. }) => (
                "this `switch` may give nothing; the step then fails".to_owned(),
                "say what it gives otherwise: a last `_ => …`, and `?? …` behind what may be missing"
                    .to_owned(),
            ),
            (None, _) => (
                "this may be missing here; the step then fails".to_owned(),
                "say what stands for it then: `?? …` behind it".to_owned(),
            ),
        };
        self.warning("T009", syntax.span, message).help = Some(help);
    }

    /// One value that may be missing: for `is_given`, `is_missing` and `??`.
    pub(super) fn maybe(&mut self, syntax: &Syntax) -> Typing {
        let span = syntax.span;
        let constant = |value: Value, typed: Typed| {
            (Expression { span, code: Code::Constant(value) }, Static::given(typed))
        };
        match &syntax.node {
            Node::Boolean(value) => constant(Value::Boolean(*value), Typed::Boolean),
            Node::Integer(value) => constant(Value::Integer(*value), Typed::Integer),
            Node::Text(text) => constant(Value::text(text), Typed::Text),
            Node::Number(text) => self.literal(text, span),
            Node::Name(name) => self.name(name, span),
            Node::Not(of) => {
                let of = self.truth(of);
                (Expression { span, code: Code::Not(Box::new(of)) }, Static::given(Typed::Boolean))
            }
            Node::Negate(of) => self.negation(of, span),
            Node::Binary(operator, sides) => self.binary(*operator, &sides.0, &sides.1, span),
            Node::And(parts) => self.logic(parts, true, span),
            Node::Or(parts) => self.logic(parts, false, span),
            Node::Coalesce(parts) => self.coalesce(parts, span),
            Node::In(sides) => self.membership(&sides.0, &sides.1, span),
            Node::List(items) => self.list(items, span),
            Node::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, value)| (Name::from(name.text.as_str()), self.given(value).0))
                    .collect();
                (Expression { span, code: Code::Map(entries) }, Static::given(Typed::Map(None)))
            }
            Node::Interpolated(parts) => {
                let parts = parts.iter().map(|p| self.given(p).0).collect();
                (Expression { span, code: Code::Interpolated(parts) }, Static::given(Typed::Text))
            }
            Node::Property { of, name } => self.property(syntax, of, name),
            Node::Index(sides) => self.index(&sides.0, &sides.1, span),
            Node::Call { name, arguments } => self.call(name, arguments, span),
            Node::Method { receiver, name, arguments } => self.method(receiver, name, arguments, span),
            Node::Lambda { .. } => {
                self.error("S003", span, "a `|row| …` stands only in a word over a list").help =
                    Some("such as `count(accounts, |row| row.balance < 0)`".to_owned());
                Self::broken(span)
            }
            _ => self.statement(syntax),
        }
    }

    /// A condition: a boolean that is there.
    pub fn truth(&mut self, syntax: &Syntax) -> Expression {
        let (expression, known) = self.given(syntax);
        if !matches!(known.typed, Typed::Boolean | Typed::Any) {
            self.error(
                "T008",
                syntax.span,
                format!("this is {}, not a condition", article(known.typed.word())),
            )
            .help = Some("compare it: `x > 0`, `x == \"…\"`, `is_given(x)`".to_owned());
        }
        expression
    }

    fn literal(&mut self, text: &str, span: Span) -> Typing {
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
        let decimal = text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text)).ok();
        match (number, decimal) {
            (Some(number), Some(decimal)) => {
                (Expression { span, code: Code::Literal { number, decimal } }, Static::given(Typed::Literal))
            }
            (Some(number), None) => (
                Expression { span, code: Code::Constant(Value::Number(number)) },
                Static::given(Typed::Number),
            ),
            (None, _) => {
                self.error("S001", span, "this number is out of range");
                Self::broken(span)
            }
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Typing {
        let made = |code: Code, known: Static| (Expression { span, code }, known);
        if let Some(local) = self.locals.iter().rev().find(|l| l.name == name) {
            let code = match local.exact {
                Some(decimal) => Code::Named { local: local.slot, decimal },
                None => Code::Local(local.slot),
            };
            return made(code, self.narrowed(name, local.known.clone()));
        }
        let scope = self.scope;
        if let Some(at) = position(&scope.inputs, name) {
            self.read(name, span);
            let known =
                scope.inputs.get(usize::from(at)).map_or(Static::given(Typed::Any), |(_, k)| k.clone());
            return made(Code::Input(at), self.narrowed(name, known));
        }
        if let Some(at) = position(&scope.features, name) {
            self.read(name, span);
            let known =
                scope.features.get(usize::from(at)).map_or(Static::given(Typed::Any), |(_, k)| k.clone());
            return made(Code::Feature(at), self.narrowed(name, known));
        }
        if let Some((found, threshold)) = scope.thresholds.iter().find(|(n, _)| &**n == name) {
            self.usage.reads.insert(found.clone());
            return match threshold {
                Threshold::Value(value) => {
                    let typed = typed_of_constant(value);
                    made(Code::Constant(value.clone()), Static::given(typed))
                }
                Threshold::Literal { number, decimal } => {
                    made(Code::Literal { number: *number, decimal: *decimal }, Static::given(Typed::Literal))
                }
            };
        }
        match name {
            "today" => made(Code::Today, Static::given(Typed::Date)),
            "decided_at" => made(Code::DecidedAt, Static::given(Typed::Time)),
            _ => self.unknown_name(name, span),
        }
    }

    fn narrowed(&self, path: &str, known: Static) -> Static {
        if known.may_be_missing && self.given.iter().any(|g| g == path) {
            return Static::given(known.typed);
        }
        known
    }

    fn read(&mut self, name: &str, span: Span) {
        self.usage.reads.insert(Name::from(name));
        let Some((_, allowed)) = self.scope.protected.iter().find(|(n, _)| &**n == name) else { return };
        let here = match self.role {
            Role::Condition { rule_set, .. } if allowed.iter().any(|a| a == rule_set) => return,
            Role::Condition { rule_set, .. } => format!("the rule set `{rule_set}`"),
            Role::Feature => "a feature".to_owned(),
            Role::Script => "the flow's script".to_owned(),
            Role::Function => "a shared function".to_owned(),
        };
        let allowed = allowed.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ");
        self.error("T024", span, format!("`{name}` is protected and may not be read in {here}")).help =
            Some(format!("it may be read only in {allowed}"));
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> Typing {
        let scope = self.scope;
        if scope.lists.iter().any(|list| &*list.name == name) {
            let message = format!("the list `{name}` can only be asked whether it holds something");
            self.error("T060", span, message).help = Some(format!("write `x in {name}`"));
            return Self::broken(span);
        }
        let kinds: [(&str, Vec<&str>); 5] = [
            ("an input", scope.inputs.iter().map(|(n, _)| &**n).collect()),
            ("a feature", scope.features.iter().map(|(n, _)| &**n).collect()),
            ("a threshold", scope.thresholds.iter().map(|(n, _)| &**n).collect()),
            ("a list", scope.lists.iter().map(|list| &*list.name).collect()),
            ("a variable", self.locals.iter().map(|l| l.name.as_str()).collect()),
        ];
        let all = kinds.iter().flat_map(|(_, names)| names.iter().copied());
        let help = nearest(name, all).map(|near| {
            let kind = kinds.iter().find(|(_, names)| names.contains(&near)).map_or("a name", |(k, _)| k);
            if kind == "a variable" {
                format!("there is a variable `{near}`")
            } else {
                format!("this flow has {kind} `{near}`")
            }
        });
        let here = match self.role {
            Role::Script => "this script",
            Role::Feature => "this feature",
            Role::Function => "this function",
            Role::Condition { .. } => "this condition",
        };
        let help = self.need_unasked(name).or_else(|| meant::name(name, scope, self.role)).or(help);
        self.error("T004", span, format!("{here} reads an unknown name `{name}`")).help = help;
        Self::broken(span)
    }

    fn negation(&mut self, of: &Syntax, span: Span) -> Typing {
        let (of, known) = self.given(of);
        if !known.typed.is_numeric() && known.typed != Typed::Any {
            self.error("T014", span, format!("`-` has no meaning before {}", article(known.typed.word())));
        }
        (Expression { span, code: Code::Negate(Box::new(of)) }, known)
    }
}

fn typed_of_constant(value: &Value) -> Typed {
    match value {
        Value::Boolean(_) => Typed::Boolean,
        Value::Integer(_) => Typed::Integer,
        Value::Decimal(_) => Typed::Decimal,
        Value::Number(_) => Typed::Number,
        Value::Text(_) => Typed::Text,
        _ => Typed::Any,
    }
}

/// `a decimal`, `an integer`.
#[must_use]
pub fn article(word: &str) -> String {
    match word {
        "anything" | "nothing" => word.to_owned(),
        _ if word.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {word}"),
        _ => format!("a {word}"),
    }
}
