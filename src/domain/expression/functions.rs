//! Functions of a flow, its own and the shared ones. A parameter has no declared type, so a function is checked and
//! compiled once for each tuple of types that it is called with: a call that cannot work is found before it runs. A
//! function that calls itself is then compiled for whatever it is given, and checked when it runs.

use std::cell::RefCell;

use rust_decimal::Decimal;

use super::compile::{Compiler, article};
use super::scope::{Role, Scope, Usage};
use super::typed::{Static, Typed};
use super::{CompiledFunction, Expression};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Place;
use crate::domain::script::syntax;
use crate::domain::value::Name;

/// Tuples of types that all functions of a flow together are compiled for; further calls are checked when they run.
const MOST_INSTANCES: usize = 512;
const STACK: usize = 8 * 1024 * 1024;
const STACK_LEFT: usize = 1024 * 1024;

/// A function as written.
#[derive(Debug, Clone)]
pub struct Declared {
    pub function: syntax::Function,
    /// The whole file that it stands in.
    pub place: Place,
    /// Of `rules/_shared/`: it is pure, so that conditions and features may call it too.
    pub is_shared: bool,
}

/// What is known of one argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    pub typed: Typed,
    /// The decimal that was written, where the argument is a literal or a threshold.
    pub exact: Option<Decimal>,
}

impl Argument {
    fn any() -> Self {
        Self { typed: Typed::Any, exact: None }
    }
}

#[derive(Debug)]
struct Instance {
    function: usize,
    arguments: Vec<Argument>,
    /// `None` while its body is being compiled.
    made: Option<(CompiledFunction, Static, Usage)>,
}

/// All functions that expressions of one flow may call.
#[derive(Debug, Default)]
pub struct Functions {
    declared: Vec<Declared>,
    instances: RefCell<Vec<Instance>>,
    found: RefCell<Vec<Diagnostic>>,
}

impl Functions {
    #[must_use]
    pub fn new(declared: Vec<Declared>) -> Self {
        Self { declared, ..Self::default() }
    }

    /// Whether an expression in this role may call functions that are not shared.
    fn is_open(declared: &Declared, role: Role<'_>) -> bool {
        declared.is_shared || matches!(role, Role::Script)
    }

    pub(super) fn position(&self, name: &str, role: Role<'_>) -> Option<usize> {
        self.declared.iter().position(|d| d.function.name == name && Self::is_open(d, role))
    }

    /// Whether there is a function of this name that cannot be called here.
    pub(super) fn is_elsewhere(&self, name: &str) -> bool {
        self.declared.iter().any(|d| d.function.name == name)
    }

    pub(super) fn names(&self, role: Role<'_>) -> impl Iterator<Item = &str> {
        self.declared.iter().filter(move |d| Self::is_open(d, role)).map(|d| d.function.name.as_str())
    }

    pub(super) fn get(&self, at: usize) -> Option<&Declared> {
        self.declared.get(at)
    }

    /// Compiles the flow's own functions for whatever they are given, called or not.
    #[must_use]
    pub fn compile_own(&self, scope: &Scope) -> Usage {
        let mut usage = Usage::default();
        for (at, declared) in self.declared.iter().enumerate().filter(|(_, d)| !d.is_shared) {
            let any = vec![Argument::any(); declared.function.parameters.len()];
            self.instance(at, any, scope, &mut usage);
        }
        usage
    }

    /// The function for these arguments: its number among the compiled ones, and what it gives.
    pub(super) fn instance(
        &self,
        function: usize,
        arguments: Vec<Argument>,
        scope: &Scope,
        usage: &mut Usage,
    ) -> (u16, Static) {
        let any = vec![Argument::any(); arguments.len()];
        let arguments = {
            let all = self.instances.borrow();
            let is_running = all.iter().any(|one| one.function == function && one.made.is_none());
            let is_known = all.iter().any(|one| one.function == function && one.arguments == arguments);
            if !is_known && (is_running || all.len() >= MOST_INSTANCES) { any } else { arguments }
        };
        let known = self
            .instances
            .borrow()
            .iter()
            .position(|one| one.function == function && one.arguments == arguments);
        let at = known.unwrap_or_else(|| self.make(function, arguments, scope));
        let all = self.instances.borrow();
        let made = all.get(at).and_then(|one| one.made.as_ref());
        if let Some((_, _, used)) = made {
            usage.add(used);
        }
        if let Some(declared) = self.declared.get(function) {
            usage.functions.insert(Name::from(declared.function.name.as_str()));
        }
        let known = made.map_or(Static::given(Typed::Any), |(_, known, _)| known.clone());
        (u16::try_from(at).unwrap_or(u16::MAX), known)
    }

    fn make(&self, function: usize, arguments: Vec<Argument>, scope: &Scope) -> usize {
        let at = self.instances.borrow().len();
        let Some(declared) = self.declared.get(function) else { return at };
        self.instances.borrow_mut().push(Instance { function, arguments: arguments.clone(), made: None });
        let role = if declared.is_shared { Role::Function } else { Role::Script };
        let written = &declared.function;
        let mut compiler = Compiler::new(scope, role, declared.place, self);
        let (body, known) = stacker::maybe_grow(STACK_LEFT, STACK, || {
            for (name, argument) in written.parameters.iter().zip(&arguments) {
                compiler.parameter(name, written.span, argument);
            }
            compiler.whole(&written.body, written.span)
        });
        let known = result(known, &compiler.returns);
        let Compiler { diagnostics, usage, frame, .. } = compiler;
        self.take(diagnostics, written, &arguments);
        let made = compiled(declared, frame, body);
        if let Some(one) = self.instances.borrow_mut().get_mut(at) {
            one.made = Some((made, known, usage));
        }
        at
    }

    /// Keeps what was found in one instance; what every instance has is said once.
    fn take(&self, diagnostics: Vec<Diagnostic>, function: &syntax::Function, arguments: &[Argument]) {
        let mut found = self.found.borrow_mut();
        let types: Vec<String> = arguments.iter().map(|argument| article(argument.typed.word())).collect();
        let is_typed = arguments.iter().any(|argument| argument.typed != Typed::Any);
        for mut diagnostic in diagnostics {
            if found.iter().any(|known| known.code == diagnostic.code && known.place == diagnostic.place) {
                continue;
            }
            if is_typed {
                let called = format!("`{}` is called with {}", function.name, types.join(", "));
                diagnostic.help = Some(match diagnostic.help {
                    Some(help) => format!("{help} ({called})"),
                    None => called,
                });
            }
            found.push(diagnostic);
        }
    }

    /// Everything compiled, in the order of the numbers that calls have; and what was found.
    #[must_use]
    pub fn finish(self) -> (Vec<CompiledFunction>, Vec<Diagnostic>) {
        let compiled = self.instances.into_inner().into_iter();
        (compiled.filter_map(|one| one.made.map(|(made, ..)| made)).collect(), self.found.into_inner())
    }
}

fn compiled(declared: &Declared, frame: u16, body: Expression) -> CompiledFunction {
    CompiledFunction {
        name: Name::from(declared.function.name.as_str()),
        parameters: u16::try_from(declared.function.parameters.len()).unwrap_or(u16::MAX),
        frame,
        body,
        is_shared: declared.is_shared,
    }
}

/// What a call gives: what the last line gives, and every `return`.
fn result(last: Static, returns: &[Static]) -> Static {
    let settled = |known: &Static| Static { typed: known.typed.clone().settled(), ..*known };
    let last = settled(&last);
    returns.iter().map(settled).fold(last, |all, one| {
        let may_be_missing = all.may_be_missing || one.may_be_missing;
        let typed = match (all.typed, one.typed) {
            (a, b) if a == b => a,
            (a, b) if a.is_text() && b.is_text() => Typed::Text,
            // A last line without a value may never be reached: nothing is certain.
            _ => Typed::Any,
        };
        Static { typed, may_be_missing }
    })
}
