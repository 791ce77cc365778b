//! What a cell or bin asks, as atoms of an axis.

use super::Analysis;
use super::line::{Line, Spans};
use super::space::{Atoms, Axis, Base, Space};
use crate::domain::script::syntax::Operator;
use crate::domain::table::{Source, Test};
use crate::domain::value::{Kind, Name};

/// Who is asked.
pub(super) struct Asked<'a> {
    pub name: &'a Name,
    pub source: Source,
    pub kind: &'a Kind,
    pub may_be_missing: bool,
}

impl Analysis<'_> {
    /// The axis of a column or characteristic; `None` for a type that has no order.
    pub(super) fn asked(&self, space: &mut Space, asked: &Asked<'_>) -> Option<usize> {
        let base = match asked.source {
            Source::Input(at) => Base::Input(at),
            Source::Feature(at) => Base::Feature(at),
            Source::Taken(at) => Base::Local(at),
        };
        let line = Line::of(asked.kind)?;
        let key = (base, Vec::new());
        space.axis(&key, || {
            let axis = Axis::new(key.clone(), asked.name.to_string(), line, asked.may_be_missing);
            match base {
                Base::Input(at) => {
                    let input = self.flow.inputs.get(usize::from(at))?;
                    Some(axis.bounded(input.min.as_ref(), input.max.as_ref()))
                }
                _ => Some(axis),
            }
        })
    }
}

/// The given values that a test takes; `None` where it compares what does not compare.
pub(super) fn spans(test: &Test, axis: &Axis) -> Option<Spans> {
    let (start, end) = axis.domain.clone();
    let found = match test {
        Test::Any => Spans::between(start, end),
        Test::Missing => Spans::default(),
        Test::OneOf(values) => values.iter().try_fold(Spans::default(), |found, value| {
            Some(found.union(&axis.line.satisfying(Operator::Equal, value)?))
        })?,
        Test::Range { low, high } => {
            let (mut from, mut to) = (start, end);
            if let Some(low) = low {
                let (before, after) = axis.line.locate(&low.value)?;
                from = from.max(if low.is_inclusive { before } else { after });
            }
            if let Some(high) = high {
                let (before, after) = axis.line.locate(&high.value)?;
                to = to.min(if high.is_inclusive { after } else { before });
            }
            Spans::between(from, to)
        }
    };
    Some(found.within(&axis.domain))
}

/// The atoms that a test takes, missing included; the axis has been settled.
pub(super) fn atoms(test: &Test, axis: &Axis) -> Option<Atoms> {
    match test {
        Test::Missing => Some(axis.missing()),
        Test::Any => Some(axis.any()),
        _ => Some(axis.atoms_of(&spans(test, axis)?)),
    }
}
