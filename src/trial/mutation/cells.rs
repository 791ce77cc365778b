//! The small changes to tables: rows left out, bounds moved, ends opened and closed, other answers.

use super::change::Change;
use super::literal::{moved, moved_with_comma};
use super::mutants::{Finder, Operator, Reach};
use super::trees::{another, beside};
use crate::domain::declaration::{ColumnDeclaration, TableDeclaration};
use crate::domain::place::Located;
use crate::domain::table::cell::{Cell, End, Word};
use crate::domain::value::Name;

impl Finder<'_> {
    pub(super) fn tables(&mut self) {
        let declaration = self.declaration;
        for (at, table) in declaration.tables.iter().enumerate() {
            let name = Name::from(table.name.value.as_str());
            let first = self.found.len();
            for (row_at, row) in table.rows.iter().enumerate() {
                let answered = || vec![Reach::Row(Name::clone(&name), row.number)];
                let what = format!("row {} of {name}", row.number);
                for (column, (cell, head)) in row.cells.iter().zip(&table.columns).enumerate() {
                    let changes = match head.is_output {
                        false => asked(cell, table),
                        true => self.given(cell, head, table, column),
                    };
                    let reach =
                        if head.is_output { answered() } else { vec![Reach::Table(Name::clone(&name))] };
                    for (operator, text) in changes {
                        let shown = format!("{what}: {} {} → {text}", head.name.value, cell.value.trim());
                        let change = Change::Cell { table: at, row: row_at, column, text };
                        self.add(operator, cell.place, shown, change, reach.clone());
                    }
                }
                if let Some(cell) = row.cells.first() {
                    let change = Change::DropRow { table: at, row: row_at };
                    self.add(Operator::Dropped, cell.place, format!("drop {what}"), change, answered());
                }
            }
            let columns = table.columns.iter().filter(|column| !column.is_output);
            let reads: Vec<String> = columns.map(|column| column.name.value.clone()).collect();
            for mutant in self.found.iter_mut().skip(first) {
                mutant.reads.clone_from(&reads);
            }
        }
    }

    /// What else a cell of a row's answer might say.
    fn given(
        &self,
        cell: &Located<String>,
        head: &ColumnDeclaration,
        table: &TableDeclaration,
        column: usize,
    ) -> Vec<(Operator, String)> {
        let text = cell.value.trim();
        if head.name.value == "outcome" {
            let others = beside(&self.words.outcomes, text).into_iter();
            return others.map(|other| (Operator::Outcome, other)).collect();
        }
        if head.name.value == "reason" {
            let other = another(&self.words.reasons, text);
            return other.into_iter().map(|other| (Operator::Reason, other)).collect();
        }
        let numbers = if table.is_decimal_comma { moved_with_comma(text) } else { moved(text) };
        if !numbers.is_empty() {
            return numbers.into_iter().map(|number| (Operator::Bound, number)).collect();
        }
        // A value of the same column, in the spelling of the table.
        let mut values: Vec<String> = Vec::new();
        for cell in table.rows.iter().filter_map(|row| row.cells.get(column)) {
            let value = cell.value.trim().to_owned();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        another(&values, text).into_iter().map(|value| (Operator::Output, value)).collect()
    }
}

/// What else a cell might ask.
fn asked(cell: &Located<String>, table: &TableDeclaration) -> Vec<(Operator, String)> {
    let Ok(Cell::Range { low, high }) = Cell::read(&cell.value) else { return Vec::new() };
    let mut found = Vec::new();
    for (is_low, end) in [(true, &low), (false, &high)] {
        let Some(end) = end else { continue };
        let with = |end: End| match is_low {
            true => range(Some(&end), high.as_ref()),
            false => range(low.as_ref(), Some(&end)),
        };
        found.push((Operator::Comparison, with(End { is_inclusive: !end.is_inclusive, ..end.clone() })));
        if end.word.is_quoted {
            continue;
        }
        let text = &end.word.text;
        for text in if table.is_decimal_comma { moved_with_comma(text) } else { moved(text) } {
            let word = Word { text, ..end.word.clone() };
            found.push((Operator::Bound, with(End { word, is_inclusive: end.is_inclusive })));
        }
    }
    found
}

/// A range as a cell says it.
fn range(low: Option<&End>, high: Option<&End>) -> String {
    let word = |end: &End| match end.word.is_quoted {
        true => format!("'{}'", end.word.text.replace('\'', "''")),
        false => end.word.text.clone(),
    };
    match (low, high) {
        (Some(low), Some(high)) => {
            let (open, close) =
                (if low.is_inclusive { '[' } else { '(' }, if high.is_inclusive { ']' } else { ')' });
            format!("{open}{}..{}{close}", word(low), word(high))
        }
        (Some(low), None) => format!("{} {}", if low.is_inclusive { ">=" } else { ">" }, word(low)),
        (None, Some(high)) => format!("{} {}", if high.is_inclusive { "<=" } else { "<" }, word(high)),
        (None, None) => "-".to_owned(),
    }
}
