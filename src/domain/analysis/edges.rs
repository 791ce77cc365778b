//! Where the answers of a flow may change: for each input, and each field of one, the values on both sides of what it
//! is compared with in conditions, columns and bins. For cases at the boundaries. Nothing is found wrong here.

use std::collections::BTreeMap;

use super::cells::{self, Asked};
use super::formula::Reader;
use super::space::{Axis, Base, Space};
use super::{Analysis, Coverage, FlowNames};
use crate::domain::declaration::FlowDeclaration;
use crate::domain::expression::scope::Threshold;
use crate::domain::flow::Flow;
use crate::domain::table::Test;
use crate::domain::value::{Name, Value};

/// The values at which answers may change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edges {
    /// By the place of the input, and the way into it. In the input's type; of decimals the constant itself.
    pub inputs: BTreeMap<(u16, Vec<Name>), Vec<Value>>,
    /// Of everything else: variables of the script and what calls hand over, and thresholds.
    pub others: Vec<Value>,
}

/// Finds them in everything that can be analysed.
#[must_use]
pub fn edges(flow: &Flow, declaration: &FlowDeclaration) -> Edges {
    let analysis = Analysis { flow, declaration, found: Vec::new(), coverage: Coverage::default() };
    let mut edges = Edges::default();
    for set in &flow.rule_sets {
        let names = FlowNames { flow, takes: &set.takes };
        let mut space = Space::default();
        for rule in &set.rules {
            Reader { space: &mut space, names: &names, source: &rule.when }.read(&rule.condition);
        }
        edges.take(space);
    }
    for table in &flow.tables {
        let mut space = Space::default();
        for (at, column) in table.columns.iter().enumerate() {
            let asked = Asked {
                name: &column.name,
                source: column.source,
                kind: &column.kind,
                may_be_missing: column.may_be_missing,
            };
            let tests = table.rows.iter().filter_map(|row| row.tests.get(at));
            analysis.cut(&mut space, &asked, tests);
        }
        edges.take(space);
    }
    for card in &flow.scorecards {
        let mut space = Space::default();
        for of in &card.characteristics {
            let asked = Asked {
                name: &of.name,
                source: of.source,
                kind: &of.kind,
                may_be_missing: of.may_be_missing,
            };
            analysis.cut(&mut space, &asked, of.bins.iter().filter_map(|bin| bin.test.as_ref()));
        }
        edges.take(space);
    }
    analysis.script_spaces().into_iter().for_each(|space| edges.take(space));
    for (_, threshold) in &flow.thresholds {
        edges.others.push(match threshold {
            Threshold::Value(value) => value.clone(),
            Threshold::Literal { decimal, .. } => Value::Decimal(*decimal),
        });
    }
    edges
}

impl Edges {
    fn take(&mut self, mut space: Space) {
        space.settle();
        for axis in &space.axes {
            let values = axis.edges();
            match &axis.key {
                (Base::Input(at), path) => {
                    self.inputs.entry((*at, path.clone())).or_default().extend(values);
                }
                _ => self.others.extend(values),
            }
        }
    }
}

impl Analysis<'_> {
    fn cut<'t>(&self, space: &mut Space, asked: &Asked<'_>, tests: impl Iterator<Item = &'t Test>) {
        let Some(at) = self.asked(space, asked) else { return };
        let Some(axis) = space.axes.get_mut(at) else { return };
        for test in tests {
            if let Some(spans) = cells::spans(test, axis) {
                axis.cut(&spans);
            }
        }
    }
}

impl Axis {
    /// The first and last value of each stretch; not the ends of the type itself.
    fn edges(&self) -> Vec<Value> {
        let (first, last) = self.line.domain();
        let mut all = Vec::new();
        for (from, to) in self.stretches() {
            all.extend(self.line.at_start(from, to).filter(|_| *from != first));
            all.extend(self.line.at_end(from, to).filter(|_| *to != last));
        }
        all
    }
}
