//! Looking through a compiled tree without evaluating it. Absent on purpose: what a node means.

use super::{Code, Expression};
use crate::domain::place::Span;

/// The nodes directly below one, to be looked at or to be changed: one list of what there is for both.
macro_rules! below {
    ($code:expr, $iter:ident, $as_deref:ident, $($borrow:tt)+) => {
        match $code {
            Code::List(items)
            | Code::Interpolated(items)
            | Code::And(items)
            | Code::Or(items)
            | Code::Coalesce(items)
            | Code::Word(_, items)
            | Code::Block(items)
            | Code::Call { arguments: items, .. } => items.$iter().collect(),
            Code::Map(entries) | Code::Need { with: entries, .. } => {
                entries.$iter().map(|(_, value)| value).collect()
            }
            Code::RuleSet { takes, .. }
            | Code::Scorecard { takes, .. }
            | Code::Table { takes, .. }
            | Code::SubFlow { takes, .. } => takes.$iter().map(|(_, value)| value).collect(),
            Code::Exact(of)
            | Code::Not(of)
            | Code::Negate(of)
            | Code::IsGiven(of)
            | Code::Property { of, .. }
            | Code::InList { item: of, .. }
            | Code::Apply(of)
            | Code::Set { value: of, .. }
            | Code::Return(Some(of)) => vec![of],
            Code::Arithmetic(_, sides) | Code::Compare(_, sides) | Code::In(sides) | Code::Index(sides) => {
                sides.$iter().collect()
            }
            Code::Range { from, to, .. } => vec![from, to],
            Code::OverList { list, of, .. } => {
                std::iter::once($($borrow)+ **list).chain(of.$as_deref()).collect()
            }
            Code::Verb { reasons, output, .. } => {
                reasons.$iter().chain(output.$iter().map(|(_, value)| value)).collect()
            }
            Code::If { condition, then, otherwise } => vec![condition, then, otherwise],
            Code::Switch { on, arms } => {
                let of_arms =
                    arms.$iter().flat_map(|arm| arm.condition.$iter().chain([$($borrow)+ arm.value]));
                std::iter::once($($borrow)+ **on).chain(of_arms).collect()
            }
            Code::While { condition, body } => {
                condition.$as_deref().into_iter().chain([$($borrow)+ **body]).collect()
            }
            Code::For { over, body, .. } => vec![over, body],
            _ => Vec::new(),
        }
    };
}

impl Expression {
    /// Every node directly below this one, in the order in which they may be evaluated.
    #[must_use]
    pub fn children(&self) -> Vec<&Expression> {
        below!(&self.code, iter, as_deref, &)
    }

    fn children_mut(&mut self) -> Vec<&mut Expression> {
        below!(&mut self.code, iter_mut, as_deref_mut, &mut)
    }

    /// The same tree without its places: what it means, however it was laid out.
    #[must_use]
    pub fn without_places(&self) -> Expression {
        let mut bare = self.clone();
        bare.forget_places();
        bare
    }

    fn forget_places(&mut self) {
        self.span = Span::default();
        self.children_mut().into_iter().for_each(Expression::forget_places);
    }

    /// Leaves of every node directly below only that there is one.
    pub(in crate::domain) fn empty_children(&mut self) {
        for below in self.children_mut() {
            *below = Expression { span: Span::default(), code: Code::Nothing };
        }
    }

    /// This node and all below it, from the top.
    pub fn each<'e>(&'e self, seen: &mut dyn FnMut(&'e Expression)) {
        seen(self);
        self.children().into_iter().for_each(|below| below.each(seen));
    }
}
