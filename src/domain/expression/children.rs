//! Looking through a compiled tree without changing it. What a call leads to (a function's body, a feature's formula,
//! a rule's condition) is not below the call: it stands once in the flow.

use super::{Code, Expression};

impl Expression {
    /// Every node directly below this one, in the order in which they are evaluated if they are.
    #[must_use]
    pub fn children(&self) -> Vec<&Expression> {
        match &self.code {
            Code::Constant(_)
            | Code::Literal { .. }
            | Code::Input(_)
            | Code::Feature(_)
            | Code::Local(_)
            | Code::Named { .. }
            | Code::Today
            | Code::DecidedAt
            | Code::Model(_)
            | Code::Break
            | Code::Continue
            | Code::Return(None)
            | Code::Nothing => Vec::new(),
            Code::List(items)
            | Code::Interpolated(items)
            | Code::And(items)
            | Code::Or(items)
            | Code::Coalesce(items)
            | Code::Word(_, items)
            | Code::Block(items)
            | Code::Call { arguments: items, .. } => items.iter().collect(),
            Code::Map(entries) | Code::Need { with: entries, .. } => {
                entries.iter().map(|(_, value)| value).collect()
            }
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
                sides.iter().collect()
            }
            Code::Range { from, to, .. } => vec![from, to],
            Code::OverList { list, of, .. } => std::iter::once(&**list).chain(of.as_deref()).collect(),
            Code::RuleSet { takes, .. }
            | Code::Scorecard { takes, .. }
            | Code::Table { takes, .. }
            | Code::SubFlow { takes, .. } => takes.iter().map(|(_, value)| value).collect(),
            Code::Verb { reasons, output, .. } => {
                reasons.iter().chain(output.iter().map(|(_, value)| value)).collect()
            }
            Code::If { condition, then, otherwise } => vec![condition, then, otherwise],
            Code::Switch { on, arms } => {
                let of_arms =
                    arms.iter().flat_map(|arm| arm.condition.iter().chain(std::iter::once(&arm.value)));
                std::iter::once(&**on).chain(of_arms).collect()
            }
            Code::While { condition, body } => condition.iter().map(|c| &**c).chain([&**body]).collect(),
            Code::For { over, body, .. } => vec![over, body],
        }
    }
}
