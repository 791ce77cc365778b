//! What of a table's rows can be seen: what the script reads of its results, and what `.apply()` records. Two rows that
//! give the same of that are the same to whoever asks. Absent on purpose: which row answers (`same`).

use super::held::{Outcomes, Read, Use};
use crate::domain::declaration::TableHitPolicy;
use crate::domain::flow::Flow;
use crate::domain::table::{Given, Row, Table};
use crate::domain::value::Name;

/// What a row gives, as far as it can be seen.
pub(super) type RowLabel = (Vec<Option<String>>, Option<u16>, Vec<Name>, Option<u32>);

/// What can be seen of the rows of one table.
pub(super) struct Labels {
    /// For each of the table's outputs: under which outcomes it is read.
    outputs: Vec<Seen>,
    has_outcome: bool,
    has_reasons: bool,
    is_numbered: bool,
    outcomes: Vec<Name>,
}

enum Seen {
    Always,
    Under(Vec<Outcomes>),
}

impl Labels {
    pub fn of(flow: &Flow, used: &Use, table: &Table) -> Self {
        let is_followed = !used.escapes;
        let read =
            |name: &str| -> Vec<&Read> { used.reads.iter().filter(|read| *read.name == *name).collect() };
        let is_read = |names: &[&str]| !is_followed || names.iter().any(|name| !read(name).is_empty());
        // Several rows answer together: none of them alone has the outcome of the result.
        let is_single = !matches!(table.hit_policy, TableHitPolicy::Collect(_));
        let seen = |output: &Given| {
            let is_applied = used.is_applied && output.output.is_some();
            let under: Option<Vec<Outcomes>> =
                read(&output.name).into_iter().map(|read| read.when.clone()).collect();
            match under {
                Some(under) if is_followed && is_single && !is_applied => Seen::Under(under),
                _ => Seen::Always,
            }
        };
        Self {
            outputs: table.outputs.iter().map(seen).collect(),
            has_outcome: used.is_applied
                || table.hit_policy == TableHitPolicy::Priority
                || is_read(&["outcome", "reason", "reasons"]),
            has_reasons: used.is_applied || is_read(&["reason", "reasons"]),
            is_numbered: flow.reads_rows(),
            outcomes: flow.outcomes.clone(),
        }
    }

    pub fn label(&self, row: &Row) -> RowLabel {
        let outcome = row.outcome.and_then(|at| self.outcomes.get(usize::from(at)));
        let output = |(seen, value): (&Seen, &_)| {
            let is_seen = match seen {
                Seen::Always => true,
                Seen::Under(known) => known.iter().any(|known| known.admits(outcome)),
            };
            is_seen.then(|| format!("{value:?}"))
        };
        (
            self.outputs.iter().zip(&row.outputs).map(output).collect(),
            row.outcome.filter(|_| self.has_outcome),
            if self.has_reasons { row.reasons.to_vec() } else { Vec::new() },
            self.is_numbered.then_some(row.number),
        )
    }
}
