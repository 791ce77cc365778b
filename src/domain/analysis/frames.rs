//! The names of one frame (the script, a rule set, a feature) as axes, each with what can be met under it: variables
//! that hold points, values that calls hand over. Absent on purpose: where they come from (`held`).

use super::FlowNames;
use super::formula::{Met, Names};
use super::held::{Held, Step};
use super::line::Line;
use super::space::{Axis, Base, Key};
use crate::domain::flow::Flow;
use crate::domain::value::{Kind, Name};

/// Whose variables an expression reads.
pub(super) enum Frame<'a> {
    Script,
    /// Of a rule set: what it takes.
    Rules(u16, &'a [(Name, Kind)]),
    /// Of a feature or function: nothing is known of them.
    Other,
}

/// The names of one frame, each with what can be met under it.
pub(super) struct Framed<'a> {
    pub flow: &'a Flow,
    pub frame: &'a Frame<'a>,
    pub known: &'a Held,
}

impl Names for Framed<'_> {
    fn axis(&self, key: &Key, met: &Met) -> Option<Axis> {
        let declared = |takes| FlowNames { flow: self.flow, takes }.axis(key, met);
        match (key, self.frame) {
            ((Base::Local(at), path), Frame::Script) if matches!(path.as_slice(), [name] if &**name == "points") =>
            {
                let mut axis = Axis::new(key.clone(), "points".to_owned(), Line::Integer, false);
                axis.restrict(self.known.of_local(*at)?);
                Some(axis)
            }
            ((Base::Local(at), path), Frame::Rules(set, takes)) => {
                let mut axis = declared(takes)?;
                let known = self.known.taken(Step::RuleSet(*set), *at).filter(|_| path.is_empty());
                if let Some(known) = known {
                    axis.restrict(known);
                }
                Some(axis)
            }
            _ => declared(&[]),
        }
    }
}
