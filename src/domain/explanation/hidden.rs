//! Which values whoever asks may not see: personal inputs, and what is made of them. The same as a record masks.

use std::collections::BTreeSet;

use crate::domain::expression::{Code, Expression};
use crate::domain::flow::Flow;
use crate::domain::value::Name;

/// The names and variables of one flow that are hidden.
#[derive(Debug, Clone, Default)]
pub(super) struct Hidden {
    /// Inputs, needs and features.
    names: BTreeSet<Name>,
    /// Variables of the script: one that held something hidden stays hidden.
    pub locals: BTreeSet<u16>,
}

impl Hidden {
    /// In a flow some of whose names are hidden: what its features make of them is too.
    pub fn of(flow: &Flow, names: impl IntoIterator<Item = Name>) -> Self {
        let mut hidden = Self { names: names.into_iter().collect(), locals: BTreeSet::new() };
        if hidden.names.is_empty() {
            return hidden;
        }
        for feature in &flow.features {
            if feature.reads.iter().any(|name| hidden.names.contains(name)) {
                hidden.names.insert(feature.name.clone());
            }
        }
        hidden
    }

    pub fn holds(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.names.iter()
    }

    /// Whether what an expression gives tells something hidden. `locals` are the hidden variables where it stands.
    pub fn hides(&self, flow: &Flow, expression: &Expression, locals: &BTreeSet<u16>) -> bool {
        if self.names.is_empty() && locals.is_empty() {
            return false;
        }
        let input = |at: u16| flow.inputs.get(usize::from(at)).map(|input| &input.name);
        let feature = |at: u16| flow.features.get(usize::from(at)).map(|feature| &feature.name);
        let holds = |name: Option<&Name>| name.is_some_and(|name| self.names.contains(name));
        let below = || expression.children().into_iter().any(|child| self.hides(flow, child, locals));
        match &expression.code {
            Code::Input(at) => holds(input(*at)),
            Code::Feature(at) => holds(feature(*at)),
            Code::Local(at) | Code::Named { local: at, .. } => locals.contains(at),
            Code::Need { index, .. } => holds(flow.needs.get(usize::from(*index)).map(|need| &need.name)),
            Code::Table { index, .. } => {
                let table = flow.tables.get(usize::from(*index));
                table.is_some_and(|table| table.reads.iter().any(|name| self.names.contains(name))) || below()
            }
            // Scores, points and outcomes are told to whoever may see the decision.
            Code::RuleSet { .. } | Code::Model(_) | Code::Scorecard { .. } | Code::SubFlow { .. } => false,
            _ => below(),
        }
    }
}
