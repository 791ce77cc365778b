//! What can never happen, and what nobody thought of: conditions, rows, bins and branches that cannot be reached,
//! combinations that no row answers. Decided exactly over intervals and choices where conditions compare one name
//! with constants; everything else is counted as not analysed, and nothing is claimed of it. Features and values
//! handed over count as values of their own, whatever their formulas could give. Findings are warnings.

mod branches;
mod cells;
mod claims;
mod cover;
mod edges;
mod formula;
mod frames;
mod held;
mod line;
mod order;
mod points;
mod region;
mod row_labels;
mod rule_sets;
pub mod same;
mod scorecards;
mod space;
mod tables;

#[cfg(test)]
mod tests;

pub use claims::rule_that_decides;
pub use edges::{Edges, edges};

use super::declaration::FlowDeclaration;
use super::diagnostic::Diagnostic;
use super::expression::typed::Typed;
use super::flow::Flow;
use super::value::{Kind, Name};
use formula::{Met, Names, field};
use line::Line;
use space::{Axis, Base, Key};

/// How much of a flow could be decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    pub conditions: Share,
    pub tables: Share,
    pub scorecards: Share,
    pub branches: Share,
    /// What was not analysed, as `rule blocked_phone in knockout`, with why.
    pub left: Vec<Unanalysed>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    pub all: u32,
    pub analysed: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanalysed {
    pub what: String,
    pub why: &'static str,
}

const NOT_COMPARISONS: &str = "more than comparisons of one name with constants";
const UNORDERED: &str = "a column of a type without an order";
const OUT_OF_BUDGET: &str = "too many combinations to go through";

impl Share {
    fn count(&mut self, analysed: bool) {
        self.all = self.all.saturating_add(1);
        self.analysed = self.analysed.saturating_add(u32::from(analysed));
    }

    fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.analysed = self.analysed.saturating_add(other.analysed);
    }
}

impl Coverage {
    pub fn add(&mut self, other: &Self) {
        self.conditions.add(other.conditions);
        self.tables.add(other.tables);
        self.scorecards.add(other.scorecards);
        self.branches.add(other.branches);
        self.left.extend(other.left.iter().cloned());
    }

    fn leave(&mut self, what: String, why: &'static str) {
        self.left.push(Unanalysed { what, why });
    }
}

/// Looks through a flow that checks; `declaration` is what it was compiled from.
#[must_use]
pub fn check(flow: &Flow, declaration: &FlowDeclaration) -> (Vec<Diagnostic>, Coverage) {
    let mut analysis = Analysis { flow, declaration, found: Vec::new(), coverage: Coverage::default() };
    analysis.rule_sets();
    analysis.tables();
    analysis.scorecards();
    analysis.branches();
    (analysis.found, analysis.coverage)
}

struct Analysis<'a> {
    flow: &'a Flow,
    declaration: &'a FlowDeclaration,
    found: Vec<Diagnostic>,
    coverage: Coverage,
}

/// The inputs and features of a flow, and what a call hands over as its first locals.
struct FlowNames<'a> {
    flow: &'a Flow,
    takes: &'a [(Name, Kind)],
}

impl Names for FlowNames<'_> {
    fn axis(&self, key: &Key, _: &Met) -> Option<Axis> {
        let (base, path) = key;
        let (name, kind, may_be_missing) = match base {
            Base::Input(at) => {
                let input = self.flow.inputs.get(usize::from(*at))?;
                if path.is_empty() {
                    let axis = Axis::new(
                        key.clone(),
                        input.name.to_string(),
                        Line::of(&input.kind)?,
                        input.optional,
                    );
                    return Some(axis.bounded(input.min.as_ref(), input.max.as_ref()));
                }
                (&input.name, input.kind.clone(), input.optional)
            }
            Base::Feature(at) => {
                let feature = self.flow.features.get(usize::from(*at))?;
                (&feature.name, kind_of(&feature.typed)?, false)
            }
            Base::Local(at) => {
                let (name, kind) = self.takes.get(usize::from(*at))?;
                (name, kind.clone(), false)
            }
        };
        let (kind, may_be_missing) = field(&kind, path, may_be_missing)?;
        let written: Vec<&str> = std::iter::once(&**name).chain(path.iter().map(|part| &**part)).collect();
        Some(Axis::new(key.clone(), written.join("."), Line::of(&kind)?, may_be_missing))
    }
}

/// The declared type that a feature's type is like; `None` for what has no line.
fn kind_of(typed: &Typed) -> Option<Kind> {
    Some(match typed {
        Typed::Boolean => Kind::Boolean,
        Typed::Integer => Kind::Integer,
        Typed::Decimal => Kind::Decimal,
        Typed::Number => Kind::Number,
        Typed::Text => Kind::Text,
        Typed::Choice(of) => Kind::Choice(of.clone()),
        Typed::Date => Kind::Date,
        Typed::Time => Kind::Time,
        Typed::Map(Some(fields)) => Kind::Map(fields.clone()),
        _ => return None,
    })
}
