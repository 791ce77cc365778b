//! What a condition proves to be given: `is_given(x) && …` and an early return narrow what follows.

use std::collections::BTreeSet;

use crate::domain::script::syntax::{Node, Syntax};

/// `employer.since` for a name or a chain of properties; the key under which being given is known.
#[must_use]
pub fn path(syntax: &Syntax) -> Option<String> {
    match &syntax.node {
        Node::Name(name) => Some(name.clone()),
        Node::Property { of, name } => path(of).map(|of| format!("{of}.{}", name.text)),
        _ => None,
    }
}

/// The paths that are surely given where this condition turned out `truth`.
#[must_use]
pub fn proved(condition: &Syntax, truth: bool) -> BTreeSet<String> {
    let all = |parts: &[Syntax]| parts.iter().flat_map(|p| proved(p, truth)).collect();
    match &condition.node {
        Node::And(parts) if truth => all(parts),
        Node::Or(parts) if !truth => all(parts),
        Node::Not(of) => proved(of, !truth),
        Node::Call { name, arguments } => match (name.text.as_str(), arguments.as_slice()) {
            ("is_given", [of]) if truth => path(of).into_iter().collect(),
            ("is_missing", [of]) if !truth => path(of).into_iter().collect(),
            _ => BTreeSet::new(),
        },
        Node::Method { receiver, name, .. } => match name.text.as_str() {
            "is_given" if truth => path(receiver).into_iter().collect(),
            "is_missing" if !truth => path(receiver).into_iter().collect(),
            _ => BTreeSet::new(),
        },
        _ => BTreeSet::new(),
    }
}

/// Whether control never goes past this block.
#[must_use]
pub fn always_leaves(body: &[Syntax]) -> bool {
    body.iter().any(|syntax| match &syntax.node {
        Node::Return(_) | Node::Break | Node::Continue => true,
        Node::Block(inner) => always_leaves(inner),
        Node::If(branch) => always_leaves(&branch.then) && always_leaves(&branch.otherwise),
        _ => false,
    })
}
