//! Features: computed on their first read and remembered. Absent on purpose: their formulas' evaluation (the machine's).

use super::blocks::{STACK, STACK_LEFT};
use super::machine::{Fault, FeatureSlot, Machine, Outcome};
use super::watch::Site;
use crate::domain::place::Span;
use crate::domain::value::Value;
use crate::domain::verdict::Step;

impl<'a> Machine<'a> {
    /// A feature, computed on its first read.
    pub fn feature(&mut self, at: u16, span: Span) -> Outcome<Value> {
        let index = usize::from(at);
        let flow = self.flow;
        let (Some(slot), Some(feature)) = (self.features.get(index), flow.features.get(index)) else {
            return Ok(Value::Missing);
        };
        let failed = || Fault::new("failed_feature", format!("reads `{}`, which failed", feature.name), span);
        match slot {
            FeatureSlot::Value(value) => return Ok(value.clone()),
            FeatureSlot::Failed => return Err(failed().into()),
            FeatureSlot::Unread => {}
        }
        // A chain of features, each reading the one before, may be as long as the file.
        let result = stacker::maybe_grow(STACK_LEFT, STACK, || {
            self.at_site(Site::Feature(at), |m| {
                m.framed(Vec::new(), feature.frame, |m| m.value(&feature.formula))
            })
        });
        let (slot, value) = match result {
            Ok(value) => (FeatureSlot::Value(value.clone()), Some(value)),
            Err(stop) => {
                self.fail(format!("feature {}", feature.name), stop, 0);
                (FeatureSlot::Failed, None)
            }
        };
        if let Some(kept) = self.features.get_mut(index) {
            *kept = slot;
        }
        let (name, reads) = (feature.name.clone(), feature.reads.clone());
        self.trace.push(Step::Feature { name, value: value.clone(), reads });
        value.ok_or_else(|| failed().into())
    }
}
