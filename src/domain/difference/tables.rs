//! Tables: columns by name, rows by what they ask. A row put in the middle is one row added, not a change of all
//! that follow; the order of the rows is told of only where it decides.

use std::collections::BTreeMap;

use super::cells::meaning;
use super::contract::kind;
use super::{About, Change, ChangeKind, Found, Part, Said, order};
use crate::domain::declaration::{
    Collected, ColumnDeclaration, RowDeclaration, TableDeclaration, TableHitPolicy,
};
use crate::domain::outline::details::table_policy;

pub(super) fn tables(found: &mut Found, before: &[TableDeclaration], after: &[TableDeclaration]) {
    found.named(
        (before, after),
        |table| About::new(Part::Table, &table.name.value),
        |table| format!("{} rows", table.rows.len()),
        |found, was, is| {
            let about = About::new(Part::Table, &is.name.value);
            let policy = |table: &TableDeclaration| Some(Said::plain(table_policy(table.hit_policy)));
            found.field(&about, "hit_policy", policy(was), policy(is));
            columns(found, was, is);
            rows(found, was, is);
        },
    );
}

fn column_name(column: &ColumnDeclaration) -> String {
    format!("{}{}", if column.is_output { "-> " } else { "" }, column.name.value)
}

fn columns(found: &mut Found, before: &TableDeclaration, after: &TableDeclaration) {
    let about =
        |column: &ColumnDeclaration| About::new(Part::Column, &column_name(column)).within(&after.name.value);
    let declared = |column: &ColumnDeclaration| column.kind.as_ref().map(|of| Said::plain(kind(&of.value)));
    found.named(
        (&before.columns, &after.columns),
        about,
        |column| declared(column).map_or("type of what it meets".to_owned(), |said| said.text),
        |found, was, is| found.field(&about(is), "type", declared(was), declared(is)),
    );
}

/// One row, ready to be compared.
struct Row {
    number: u32,
    /// What it asks, column by column in order of their names; and which of the rows that ask the same it is.
    asks: (Vec<(String, String)>, usize),
    /// Column → (meaning, as written), inputs and outputs.
    cells: BTreeMap<String, (String, String)>,
}

impl Row {
    fn shown(&self) -> String {
        let side = |outputs: bool| {
            let cells = self.cells.iter().filter(|(name, _)| name.starts_with("-> ") == outputs);
            let cells: Vec<String> =
                cells.map(|(name, (_, text))| format!("{} {text}", name.trim_start_matches("-> "))).collect();
            cells.join(", ")
        };
        format!("{} → {}", side(false), side(true))
    }

    fn name(&self) -> String {
        format!("row {}", self.number)
    }
}

/// The rows, as far as both tables have their columns: a column that came or went is told of once.
fn read(table: &TableDeclaration, shared: &[String]) -> Vec<Row> {
    let names: Vec<String> = table.columns.iter().map(column_name).collect();
    let mut seen: BTreeMap<Vec<(String, String)>, usize> = BTreeMap::new();
    let row = |row: &RowDeclaration| {
        let cells: BTreeMap<String, (String, String)> = names
            .iter()
            .zip(&row.cells)
            .filter(|(name, _)| shared.contains(name))
            .map(|(name, cell)| {
                let same = meaning(&cell.value, table.is_decimal_comma);
                (name.clone(), (same, cell.value.trim().to_owned()))
            })
            .collect();
        let asks: Vec<(String, String)> = cells
            .iter()
            .filter(|(name, _)| !name.starts_with("-> "))
            .map(|(name, (same, _))| (name.clone(), same.clone()))
            .collect();
        let count = seen.entry(asks.clone()).or_default();
        *count += 1;
        Row { number: row.number, asks: (asks, *count), cells }
    };
    table.rows.iter().map(row).collect()
}

fn order_decides(policy: TableHitPolicy) -> bool {
    match policy {
        TableHitPolicy::First | TableHitPolicy::Priority | TableHitPolicy::Collect(Collected::All) => true,
        TableHitPolicy::Unique | TableHitPolicy::Collect(_) => false,
    }
}

fn rows(found: &mut Found, before: &TableDeclaration, after: &TableDeclaration) {
    let of_before: Vec<String> = before.columns.iter().map(column_name).collect();
    let shared: Vec<String> =
        after.columns.iter().map(column_name).filter(|name| of_before.contains(name)).collect();
    let (was, is) = (read(before, &shared), read(after, &shared));
    let old: BTreeMap<&(Vec<_>, usize), usize> =
        was.iter().enumerate().map(|(index, row)| (&row.asks, index)).collect();
    let new: BTreeMap<&(Vec<_>, usize), usize> =
        is.iter().enumerate().map(|(index, row)| (&row.asks, index)).collect();
    let table = &after.name.value;
    // Rows that only one side has, by the row above them that both have: those may be one row that was edited.
    let mut gaps: BTreeMap<Option<usize>, (Vec<&Row>, Vec<&Row>)> = BTreeMap::new();
    let mut above = None;
    for row in &was {
        match new.get(&row.asks) {
            Some(index) => above = Some(*index),
            None => gaps.entry(above).or_default().0.push(row),
        }
    }
    above = None;
    for (index, row) in is.iter().enumerate() {
        match old.get(&row.asks).and_then(|at| was.get(*at)) {
            Some(earlier) => {
                above = Some(index);
                cells(found, table, earlier, row);
            }
            None => gaps.entry(above).or_default().1.push(row),
        }
    }
    for (gone, come) in gaps.into_values() {
        edited(found, table, gone, come);
    }
    if order_decides(after.hit_policy) {
        let asks = |rows: &[Row]| rows.iter().map(|row| row.asks.clone()).collect::<Vec<_>>();
        for index in order::moved(&asks(&was), &asks(&is)) {
            let Some(row) = is.get(index) else { continue };
            let earlier = old.get(&row.asks).and_then(|at| was.get(*at));
            let about = About::new(Part::Row, &row.name()).within(table);
            let place = |row: &Row| format!("row {}: {}", row.number, row.shown());
            found.add(&about, ChangeKind::Moved, earlier.map(place), Some(place(row)));
        }
    }
}

/// Between the same two rows: one gone and one come that are mostly alike are one row that was edited.
fn edited(found: &mut Found, table: &str, gone: Vec<&Row>, mut come: Vec<&Row>) {
    for row in gone {
        let alike = |other: &&Row| {
            let same = row.cells.iter().filter(|(name, (same, _))| {
                other.cells.get(*name).is_some_and(|(meaning, _)| meaning == same)
            });
            2 * same.count() >= row.cells.len()
        };
        match come.iter().position(alike).map(|at| come.remove(at)) {
            Some(is) => cells(found, table, row, is),
            None => {
                let about = About::new(Part::Row, &row.name()).within(table);
                found.add(&about, ChangeKind::Removed, Some(row.shown()), None);
            }
        }
    }
    for row in come {
        let about = About::new(Part::Row, &row.name()).within(table);
        found.add(&about, ChangeKind::Added, None, Some(row.shown()));
    }
}

fn cells(found: &mut Found, table: &str, was: &Row, is: &Row) {
    for (column, (meaning, text)) in &is.cells {
        let Some((before, shown)) = was.cells.get(column) else { continue };
        if before != meaning {
            found.changes.push(Change {
                part: Part::Row,
                within: Some(table.to_owned()),
                name: is.name(),
                field: Some(column.clone()),
                kind: ChangeKind::Changed,
                before: Some(shown.clone()),
                after: Some(text.clone()),
            });
        }
    }
}
