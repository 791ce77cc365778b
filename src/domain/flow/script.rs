//! `flow.rhai` and the shared functions: parsed before everything else, so that all may call them, and compiled when
//! everything that they name is known.

use super::Script;
use super::compile::Build;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::compile::Compiler;
use crate::domain::expression::functions::{Declared, Functions};
use crate::domain::expression::scope::Role;
use crate::domain::place::Span;
use crate::domain::script::syntax::Program;

impl Build<'_> {
    /// Parses the script and the shared functions, so that everything may call what they declare.
    pub(super) fn program(&mut self) -> Option<Program> {
        let declaration = self.declaration;
        let mut declared: Vec<Declared> = Vec::new();
        for shared in &declaration.shared_functions {
            // What cannot be read is reported with the file itself; here only whoever calls it is wrong.
            let Ok(program) = self.grammar.program(shared) else { continue };
            declared.extend(program.functions.into_iter().map(|function| Declared {
                function,
                place: shared.place,
                is_shared: true,
            }));
        }
        let source = &declaration.script;
        let program = match self.grammar.program(source) {
            Ok(program) => program,
            Err(problems) => {
                self.diagnostics.extend(problems);
                self.functions = Functions::new(declared);
                return None;
            }
        };
        for function in &program.functions {
            let place = source.place.part(function.span);
            self.function_name(&function.name, place);
            if declared.iter().any(|shared| shared.function.name == function.name) {
                let message = format!("`rules/_shared/` has a function `{}` too", function.name);
                let diagnostic = Diagnostic::error("T025", place, message);
                self.diagnostics.push(diagnostic.help("remove it here, or choose another name"));
            }
        }
        declared.extend(program.functions.iter().map(|function| Declared {
            function: function.clone(),
            place: source.place,
            is_shared: false,
        }));
        self.functions = Functions::new(declared);
        Some(program)
    }

    pub(super) fn script(&mut self, program: Option<Program>) -> Option<Script> {
        let source = &self.declaration.script;
        let program = program?;
        let own = self.functions.compile_own(&self.scope);
        self.usage.add(&own);
        let mut compiler = Compiler::new(&self.scope, Role::Script, source.place, &self.functions);
        let (body, _) = compiler.whole(&program.body, Span::new(0, source.value.len()));
        let Compiler { frame, mut diagnostics, usage, .. } = compiler;
        self.usage.add(&usage);
        self.diagnostics.append(&mut diagnostics);
        let (functions, mut found) = std::mem::take(&mut self.functions).finish();
        self.diagnostics.append(&mut found);
        super::paths::check(&program, &self.scope, source.place, &mut self.diagnostics);
        let mut lines = vec![0];
        lines.extend(
            source.value.match_indices('\n').map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX)),
        );
        Some(Script { body, frame, functions, lines, text: source.value.as_str().into() })
    }
}
