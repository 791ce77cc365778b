//! The names that a script's calls give in quotes, found without compiling it: which flow another one asks decides
//! the order in which flows are compiled. Whether a call means anything is the compiler's.

use super::Grammar;
use super::syntax::{Node, Syntax};
use crate::domain::place::Located;

/// The parser goes a long way down for the levels that an expression may have.
const STACK: usize = 32 * 1024 * 1024;
const STACK_LEFT: usize = 16 * 1024 * 1024;

/// `rules("knockout")`: the word that is called, and the text that is its first argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCall {
    pub word: String,
    pub name: Located<String>,
}

/// Every call whose first argument is a text, in source order; none of a script that cannot be read.
#[must_use]
pub fn named_calls(script: &Located<String>) -> Vec<NamedCall> {
    stacker::maybe_grow(STACK_LEFT, STACK, || {
        let Ok(program) = Grammar::new().program(script) else { return Vec::new() };
        let mut found = Vec::new();
        let functions = program.functions.iter().flat_map(|function| &function.body);
        for syntax in functions.chain(&program.body) {
            walk(syntax, script, &mut found);
        }
        found.sort_by_key(|call: &NamedCall| call.name.place);
        found
    })
}

fn walk(syntax: &Syntax, script: &Located<String>, found: &mut Vec<NamedCall>) {
    if let Node::Call { name, arguments } = &syntax.node
        && let Some(Syntax { node: Node::Text(text), span }) = arguments.first()
    {
        let name_given = Located::new(text.clone(), script.place.part(*span));
        found.push(NamedCall { word: name.text.clone(), name: name_given });
    }
    for child in syntax.children() {
        walk(child, script, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::Place;

    #[test]
    fn calls_are_found_wherever_they_stand() {
        let script = "fn f(x) { flow(\"a\") }\nif flow(\"b\", #{ x: 1 }).failed { rules(\"k\").apply(); }\nlet y = [flow(\"c\").outcome]; f(flow);";
        let calls = named_calls(&Located::new(script.to_owned(), Place::default()));
        let told: Vec<String> = calls.iter().map(|c| format!("{} {}", c.word, c.name.value)).collect();
        assert_eq!(told, ["flow a", "flow b", "rules k", "flow c"]);
        assert_eq!(named_calls(&Located::new("flow(\"a".to_owned(), Place::default())), []);
    }
}
