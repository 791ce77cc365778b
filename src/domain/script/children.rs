//! Going through a tree: to look at it, and to change one node of it.

use super::syntax::{Branch, Node, Syntax};

/// The nodes directly below one, to be looked at or to be changed: one list of what there is for both.
macro_rules! below {
    ($node:expr, $iter:ident, $($borrow:tt)+) => {
        match $node {
            Node::Unit
            | Node::Boolean(_)
            | Node::Integer(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::Name(_)
            | Node::Break
            | Node::Continue
            | Node::Return(None) => Vec::new(),
            Node::List(items)
            | Node::Interpolated(items)
            | Node::And(items)
            | Node::Or(items)
            | Node::Coalesce(items)
            | Node::Block(items)
            | Node::Lambda { body: items, .. }
            | Node::Call { arguments: items, .. } => items.$iter().collect(),
            Node::Map(entries) => entries.$iter().map(|(_, value)| value).collect(),
            Node::Not(of) | Node::Negate(of) | Node::Property { of, .. } | Node::Return(Some(of)) => vec![of],
            Node::Let { value, .. } => vec![value],
            Node::Binary(_, sides) | Node::In(sides) | Node::Index(sides) => vec![$($borrow)+ sides.0, $($borrow)+ sides.1],
            Node::Method { receiver, arguments, .. } => {
                std::iter::once($($borrow)+ **receiver).chain(arguments).collect()
            }
            Node::If(branch) => {
                let Branch { condition, then, otherwise } = $($borrow)+ **branch;
                std::iter::once(condition).chain(then).chain(otherwise).collect()
            }
            Node::Switch { on, arms } => {
                let of_arms = arms.$iter().flat_map(|arm| {
                    arm.labels.$iter().chain($($borrow)+ arm.condition).chain(std::iter::once($($borrow)+ arm.value))
                });
                std::iter::once($($borrow)+ **on).chain(of_arms).collect()
            }
            Node::Assign { target, value, .. } => vec![target, value],
            Node::While { condition, body } => condition.$iter().map(|c| $($borrow)+ **c).chain(body).collect(),
            Node::For { over, body, .. } => std::iter::once($($borrow)+ **over).chain(body).collect(),
        }
    };
}

impl Syntax {
    /// Every node directly below this one, in source order.
    #[must_use]
    pub fn children(&self) -> Vec<&Syntax> {
        below!(&self.node, iter, &)
    }

    /// As `children`, to be changed.
    pub fn children_mut(&mut self) -> Vec<&mut Syntax> {
        below!(&mut self.node, iter_mut, &mut)
    }

    /// The node with the widest of the spans in it: parsers say of a branch only where it begins.
    #[must_use]
    pub fn whole_span(&self) -> crate::domain::place::Span {
        self.children().into_iter().map(Syntax::whole_span).fold(self.span, |all, below| {
            crate::domain::place::Span { start: all.start.min(below.start), end: all.end.max(below.end) }
        })
    }
}
