//! rhai's door. rhai is the grammar here: its parser reads conditions, formulas and flow scripts, under the
//! sandbox's limits, into our own tree. No rhai code ever runs: meaning is `expression`'s alone.

mod children;
mod convert;
mod habits;
mod lambda;
pub mod named;
mod switch;
pub mod syntax;
mod text;
mod written;

pub use written::{Digits, arm_head, by_value, written, written_program};

use rhai::{Engine, LexError, OptimizationLevel, ParseErrorType};

use self::convert::Converter;
pub use self::habits::plain_number;
use self::syntax::{Program, Syntax};
use self::text::SourceText;
use super::diagnostic::Diagnostic;
use super::place::{Located, Place, Span};

/// Limits that the parser and the evaluator both hold (the evaluator's are in `expression::limits`).
pub mod limits {
    pub const OPERATIONS: u64 = 100_000;
    pub const CALL_LEVELS: usize = 16;
    pub const EXPRESSION_DEPTH: usize = 48;
    pub const FUNCTION_EXPRESSION_DEPTH: usize = 24;
    pub const TEXT_BYTES: usize = 16 * 1024;
    pub const LIST_ITEMS: usize = 1_000;
    pub const MAP_ENTRIES: usize = 500;
    /// Levels and values of the lists and maps that a script builds, what is nested in them counted each time.
    pub const NESTING: usize = 48;
    pub const NESTED_VALUES: usize = 100_000;
    /// Evaluations of rule sets with values handed over.
    pub const RULE_SET_RESULTS: usize = 1_000;
    pub const VARIABLES: usize = 128;
    pub const FUNCTIONS: usize = 64;
}

/// rhai's parser with the sandbox's limits set and every way to run, print or load switched off.
pub struct Grammar {
    engine: Engine,
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Grammar")
    }
}

impl Default for Grammar {
    fn default() -> Self {
        Self::new()
    }
}

impl Grammar {
    #[must_use]
    pub fn new() -> Self {
        let mut engine = Engine::new_raw();
        engine.set_optimization_level(OptimizationLevel::None);
        engine.set_max_operations(limits::OPERATIONS);
        engine.set_max_call_levels(limits::CALL_LEVELS);
        engine.set_max_expr_depths(limits::EXPRESSION_DEPTH, limits::FUNCTION_EXPRESSION_DEPTH);
        engine.set_max_string_size(limits::TEXT_BYTES);
        engine.set_max_array_size(limits::LIST_ITEMS);
        engine.set_max_map_size(limits::MAP_ENTRIES);
        engine.set_max_variables(limits::VARIABLES);
        engine.set_max_functions(limits::FUNCTIONS);
        engine.set_fail_on_invalid_map_property(true);
        engine.set_allow_shadowing(false);
        engine.set_fast_operators(false);
        engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
        for word in
            ["eval", "Fn", "call", "curry", "is_shared", "print", "debug", "type_of", "sleep", "timestamp"]
        {
            engine.disable_symbol(word);
        }
        Self { engine }
    }

    /// Parses one expression: a `when:`, a feature's formula.
    pub fn condition(&self, source: &Located<String>) -> Result<Syntax, Vec<Diagnostic>> {
        refuse_unfit(source)?;
        let text = SourceText::new(&source.value);
        let ast = self.engine.compile_expression(&source.value).map_err(|e| {
            let tried = |new: &str| self.engine.compile_expression(new).is_ok();
            vec![explain(&text, source.place, &e, habits::Kind::Condition, &tried)]
        })?;
        let mut converter = Converter::new(&self.engine, &text, source.place);
        let body = converter.program(&ast).body;
        converter.finish()?;
        body.into_iter().next().ok_or_else(|| {
            vec![
                Diagnostic::error("S001", source.place, "there is no expression here")
                    .help("write a condition, such as `age < min_age`"),
            ]
        })
    }

    /// Parses a whole flow script.
    pub fn program(&self, source: &Located<String>) -> Result<Program, Vec<Diagnostic>> {
        refuse_unfit(source)?;
        let text = SourceText::new(&source.value);
        let ast = self
            .engine
            .compile(&source.value)
            .map_err(|e| vec![explain(&text, source.place, &e, habits::Kind::Script, &|_| true)])?;
        let mut converter = Converter::new(&self.engine, &text, source.place);
        let program = converter.program(&ast);
        converter.finish()?;
        Ok(program)
    }
}

const RESERVED: &[&str] = &[
    "let",
    "const",
    "if",
    "else",
    "switch",
    "do",
    "while",
    "until",
    "loop",
    "for",
    "in",
    "continue",
    "break",
    "return",
    "throw",
    "try",
    "catch",
    "import",
    "export",
    "as",
    "private",
    "fn",
    "global",
    "this",
    "true",
    "false",
    "var",
    "static",
    "shared",
    "is",
    "goto",
    "match",
    "case",
    "default",
    "public",
    "protected",
    "new",
    "use",
    "with",
    "module",
    "package",
    "super",
    "thread",
    "spawn",
    "go",
    "await",
    "async",
    "sync",
    "yield",
    "void",
    "null",
    "nil",
    "exit",
    "Fn",
    "call",
    "curry",
    "eval",
    "print",
    "debug",
    "type_of",
    "is_shared",
    "is_def_var",
    "is_def_fn",
    "sleep",
    "timestamp",
    "and",
    "or",
    "not",
    "xor",
];

/// Words that rhai's grammar keeps for itself: they cannot name an input, feature, threshold or reason.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// A name that can be read in scripts and conditions: `snake_case` letters, digits and underscores.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn refuse_unfit(source: &Located<String>) -> Result<(), Vec<Diagnostic>> {
    match text::unfit(&source.value) {
        None => Ok(()),
        Some((span, what)) => Err(vec![
            Diagnostic::error("S002", source.place.part(span), format!("this text {what}"))
                .help("write it in plain, visible characters"),
        ]),
    }
}

/// Turns rhai's first syntax error into a diagnostic, with the rewrite where the mistake is a habit from elsewhere.
fn explain(
    text: &SourceText<'_>,
    place: Place,
    error: &rhai::ParseError,
    kind: habits::Kind,
    tried: &dyn Fn(&str) -> bool,
) -> Diagnostic {
    let start = text.offset(error.position());
    let span = text.token(start.min(text.text.len()));
    if let Some(found) = habit(text, place, start, kind, tried) {
        return found;
    }
    if let ParseErrorType::MissingToken(token, _) = error.err_type()
        && token == ";"
        && let Some((end, line)) = line_before(text.text, start)
    {
        let at = place.part(Span::new(end.saturating_sub(1), end));
        let help = format!("write `{line};`");
        return Diagnostic::error("S001", at, "this line ends without `;`").help(help);
    }
    let (message, help) = plain_words(error.err_type(), text.slice(span));
    let diagnostic = Diagnostic::error("S001", place.part(span), message);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// Longest line that is shown as it would be written here.
const LONGEST_REWRITE: usize = 200;

/// What people type from SQL, Python and spreadsheets, in the line of the error or the one before it.
fn habit(
    text: &SourceText<'_>,
    place: Place,
    at: usize,
    kind: habits::Kind,
    tried: &dyn Fn(&str) -> bool,
) -> Option<Diagnostic> {
    let (from, part) = match kind {
        habits::Kind::Condition => (0, text.text),
        habits::Kind::Script => {
            let found = |(from, line): &(usize, &str)| {
                let (from, line) = (*from, *line);
                from <= at && habits::rewritten(line, kind).is_some()
            };
            let near = text.lines_to(at);
            *near.iter().rev().take(2).find(|line| found(line))?
        }
    };
    let new = habits::rewritten(part, kind)?;
    let first = new.habits.first()?;
    let whole = new.text.len() <= LONGEST_REWRITE && !new.text.contains('\n') && tried(&new.text);
    let help = if whole { format!("write `{}`", new.text) } else { first.advice.clone() };
    let span = Span::new(from + first.span.start as usize, from + first.span.end as usize);
    Some(Diagnostic::error("S005", place.part(span), first.message.clone()).help(help))
}

/// The last line with something in it before the line of `at`: where it ends, and what it says.
fn line_before(text: &str, at: usize) -> Option<(usize, &str)> {
    let before = text.get(..at)?;
    let before = before.get(..before.rfind('\n')?)?;
    let end = before.trim_end().len();
    let line = before.get(..end)?.rsplit('\n').next()?.trim();
    (!line.is_empty() && line.len() <= LONGEST_REWRITE && !line.contains("//")).then_some((end, line))
}

fn plain_words(error: &ParseErrorType, word: &str) -> (String, Option<String>) {
    let here = if word.is_empty() { "at the end".to_owned() } else { format!("at `{word}`") };
    match error {
        ParseErrorType::UnexpectedEOF => ("the text ends in the middle of an expression".to_owned(), None),
        ParseErrorType::ExprTooDeep => {
            ("this is nested too deeply".to_owned(), Some("split it into features or `let` lines".to_owned()))
        }
        ParseErrorType::TooManyFunctions => ("more than 64 functions".to_owned(), None),
        ParseErrorType::MissingToken(token, _) if token == ";" => (
            format!("the line before ends without `;`, or an operator is missing {here}"),
            Some("end each statement with `;`".to_owned()),
        ),
        ParseErrorType::MissingToken(token, what) => (format!("a `{token}` is missing {here} {what}"), None),
        ParseErrorType::Reserved(name) => {
            (format!("`{name}` is reserved or has no meaning here"), Some("choose another name".to_owned()))
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            ("this text is not closed".to_owned(), None)
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) if !symbol.is_empty() => {
            (format!("`{symbol}` has no meaning here"), None)
        }
        ParseErrorType::FnDuplicatedDefinition(name, _) => {
            (format!("the function `{name}` is declared twice"), None)
        }
        ParseErrorType::VariableExists(name) => {
            (format!("`{name}` is declared twice"), Some("choose another name".to_owned()))
        }
        other => (format!("{} {here}", lower_first(&other.to_string())), None),
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
