//! Which names an analyst may give, checked where they are declared. What a name then refers to is the flow's.

use crate::documents::yaml::shape::Shape;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Located;

/// Words that rhai keeps for itself; a script could not read a name that is one of them.
const RESERVED: &[&str] = &[
    "Fn",
    "as",
    "async",
    "await",
    "break",
    "call",
    "case",
    "catch",
    "const",
    "continue",
    "curry",
    "debug",
    "default",
    "do",
    "else",
    "eval",
    "exit",
    "export",
    "false",
    "fn",
    "for",
    "global",
    "go",
    "goto",
    "if",
    "import",
    "in",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "let",
    "loop",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "private",
    "protected",
    "public",
    "return",
    "shared",
    "spawn",
    "static",
    "super",
    "switch",
    "sync",
    "this",
    "thread",
    "throw",
    "true",
    "try",
    "type_of",
    "until",
    "use",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// Reports a name that expressions and scripts could not read.
pub(super) fn check_readable(shape: &mut Shape<'_>, name: &Located<String>) {
    if RESERVED.contains(&name.value.as_str()) {
        let message = format!("`{}` is a word of the script language and cannot be a name", name.value);
        shape.report(
            Diagnostic::error("B005", name.place, message)
                .help(format!("take another name, such as `{}_`", name.value)),
        );
    } else if !is_identifier(&name.value) {
        let message = format!("`{}` cannot be a name", name.value.escape_debug());
        shape.report(
            Diagnostic::error("B005", name.place, message)
                .help("a name has letters a-z, digits and `_`, and starts with a letter"),
        );
    }
}

/// Reports an id that is only ever shown and compared: of a rule, of a reason.
pub(super) fn check_id(shape: &mut Shape<'_>, id: &Located<String>) {
    let fine = !id.value.is_empty()
        && id.value.len() <= 64
        && id.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !fine {
        let message = format!("`{}` cannot be an id", id.value.escape_debug());
        shape.report(
            Diagnostic::error("B005", id.place, message)
                .help("an id has letters, digits, `_`, `-` and `.`, at most 64"),
        );
    }
}

pub(super) fn is_identifier(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reports the second of two equal names.
pub(super) fn check_unique<'a>(
    shape: &mut Shape<'_>,
    what: &str,
    names: impl IntoIterator<Item = &'a Located<String>>,
) {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name.value.as_str()) {
            let message = format!("{what} `{}` is declared twice", name.value);
            shape.report(Diagnostic::error("B008", name.place, message).help("remove or rename one of them"));
        }
    }
}
