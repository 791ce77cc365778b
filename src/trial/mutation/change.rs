//! One small change to a declaration, and how it is made. Absent on purpose: which changes there are.

use std::sync::Arc;

use crate::domain::declaration::{
    BinTest, FlowDeclaration, IfItFails, OnInvalid, RuleDeclaration, ThresholdLiteral,
};
use crate::domain::model::Model;
use crate::domain::place::Located;

/// A change to one variant of a flow. Positions are those in the declaration.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Threshold { at: usize, literal: ThresholdLiteral },
    Feature { at: usize, formula: String },
    Rule { set: usize, rule: usize, change: RuleChange },
    Cell { table: usize, row: usize, column: usize, text: String },
    DropRow { table: usize, row: usize },
    Bin { card: usize, characteristic: usize, bin: usize, change: BinChange },
    BasePoints { card: usize, points: i64 },
    Model { at: usize, reference: String, model: Arc<Model> },
    IfItFails { at: usize, becomes: IfItFails },
    OnError(Recorded),
    OnInvalid(Recorded),
    Script(String),
    Shared { at: usize, text: String },
}

#[derive(Debug, Clone)]
pub(super) enum RuleChange {
    Drop,
    When(String),
    Outcome(String),
    Reason(String),
    Points(i64),
}

#[derive(Debug, Clone)]
pub(super) enum BinChange {
    Drop,
    From(String),
    Below(String),
    Points(i64),
    Reason(String),
}

#[derive(Debug, Clone)]
pub(super) enum Recorded {
    Outcome(String),
    Reason(String),
}

fn set<T>(located: &mut Located<T>, value: T) {
    located.value = value;
}

impl Change {
    /// The declaration with this change; `None` where there is no such place.
    pub fn made(&self, declaration: &FlowDeclaration) -> Option<FlowDeclaration> {
        let mut changed = declaration.clone();
        self.make(&mut changed)?;
        Some(changed)
    }

    fn make(&self, to: &mut FlowDeclaration) -> Option<()> {
        match self {
            Self::Threshold { at, literal } => set(&mut to.thresholds.get_mut(*at)?.literal, literal.clone()),
            Self::Feature { at, formula } => set(&mut to.features.get_mut(*at)?.formula, formula.clone()),
            Self::Rule { set, rule, change } => {
                let rules = &mut to.rule_sets.get_mut(*set)?.rules;
                if matches!(change, RuleChange::Drop) {
                    (*rule < rules.len()).then(|| rules.remove(*rule))?;
                } else {
                    change.make(rules.get_mut(*rule)?)?;
                }
            }
            Self::Cell { table, row, column, text } => {
                let row = to.tables.get_mut(*table)?.rows.get_mut(*row)?;
                set(row.cells.get_mut(*column)?, text.clone());
            }
            Self::DropRow { table, row } => {
                let rows = &mut to.tables.get_mut(*table)?.rows;
                // A table has at least one row.
                (rows.len() > 1 && *row < rows.len()).then(|| rows.remove(*row))?;
            }
            Self::Bin { card, characteristic, bin, change } => {
                let card = to.scorecards.get_mut(*card)?;
                let bins = &mut card.characteristics.get_mut(*characteristic)?.bins;
                match change {
                    BinChange::Drop => {
                        (bins.len() > 1 && *bin < bins.len()).then(|| bins.remove(*bin))?;
                    }
                    _ => change.make(bins.get_mut(*bin)?)?,
                }
            }
            Self::BasePoints { card, points } => to.scorecards.get_mut(*card)?.base_points = *points,
            Self::Model { at, reference, model } => {
                let used = to.models.get_mut(*at)?;
                set(&mut used.reference, reference.clone());
                used.model = Some(Arc::clone(model));
            }
            Self::IfItFails { at, becomes } => {
                *to.models.get_mut(*at)?.if_it_fails.as_mut()? = becomes.clone();
            }
            Self::OnError(recorded) => {
                recorded.make(&mut to.on_error.outcome, &mut to.on_error.reason);
            }
            Self::OnInvalid(recorded) => match &mut to.on_invalid {
                OnInvalid::Record { outcome, reason } => recorded.make(outcome, reason),
                OnInvalid::Refuse => return None,
            },
            Self::Script(text) => set(&mut to.script, text.clone()),
            Self::Shared { at, text } => set(to.shared_functions.get_mut(*at)?, text.clone()),
        }
        Some(())
    }
}

impl RuleChange {
    fn make(&self, rule: &mut RuleDeclaration) -> Option<()> {
        match self {
            Self::Drop => return None,
            Self::When(text) => set(&mut rule.when, text.clone()),
            Self::Outcome(outcome) => set(rule.outcome.as_mut()?, outcome.clone()),
            Self::Reason(reason) => set(rule.reason.as_mut()?, reason.clone()),
            Self::Points(points) => set(rule.points.as_mut()?, *points),
        }
        Some(())
    }
}

impl BinChange {
    fn make(&self, bin: &mut crate::domain::declaration::BinDeclaration) -> Option<()> {
        match (self, &mut bin.test) {
            (Self::From(text), BinTest::Range { from: Some(from), .. }) => set(from, text.clone()),
            (Self::Below(text), BinTest::Range { below: Some(below), .. }) => set(below, text.clone()),
            (Self::Points(points), _) => set(&mut bin.points, *points),
            (Self::Reason(reason), _) => set(bin.reason.as_mut()?, reason.clone()),
            _ => return None,
        }
        Some(())
    }
}

impl Recorded {
    fn make(&self, outcome: &mut Located<String>, reason: &mut Located<String>) {
        match self {
            Self::Outcome(text) => set(outcome, text.clone()),
            Self::Reason(text) => set(reason, text.clone()),
        }
    }
}
