//! Tables: combinations that no row answers, rows that never do, rows that meet where only one may match. Exact, by
//! splitting the space where cells split it, within a budget.

use std::cmp::Reverse;

use super::cells::{self, Asked};
use super::cover::{BUDGET, Found, Item, Walk};
use super::order::{self, Reach};
use super::region::Area;
use super::space::{Atoms, Space};
use super::{Analysis, OUT_OF_BUDGET, UNORDERED};
use crate::domain::declaration::{Collected, TableHitPolicy};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::table::{Row, Table, Test};

/// Pairs of rows that are compared in one table.
const MOST_PAIRS: u64 = 20_000_000;

impl Analysis<'_> {
    pub(super) fn tables(&mut self) {
        for table in &self.flow.tables {
            let is_whole = self.table(table);
            self.coverage.tables.count(is_whole.is_ok());
            if let Err(why) = is_whole {
                self.coverage.leave(format!("table {}", table.name), why);
            }
        }
    }

    fn table(&mut self, table: &Table) -> Result<(), &'static str> {
        let mut space = Space::default();
        let mut axes = Vec::new();
        for column in &table.columns {
            let asked = Asked {
                name: &column.name,
                source: column.source,
                kind: &column.kind,
                may_be_missing: column.may_be_missing,
            };
            axes.push(self.asked(&mut space, &asked).ok_or(UNORDERED)?);
        }
        for row in &table.rows {
            for (test, axis) in row.tests.iter().zip(&axes) {
                let axis = space.axes.get_mut(*axis).ok_or(UNORDERED)?;
                let spans = cells::spans(test, axis).ok_or(UNORDERED)?;
                axis.cut(&spans);
            }
        }
        space.settle();
        let areas: Vec<Option<Area>> =
            table.rows.iter().map(|row| area(row, &axes, &space)).collect::<Result<_, _>>()?;
        let mut rows = Rows { table, axes, space, areas, found: &mut self.found };
        rows.empty();
        let gaps = match table.hit_policy {
            // These answer with nothing where nothing matches.
            TableHitPolicy::Collect(Collected::All | Collected::Sum | Collected::Count) => Ok(()),
            _ => rows.gaps(),
        };
        let order = match table.hit_policy {
            TableHitPolicy::First | TableHitPolicy::Priority => rows.hidden(),
            TableHitPolicy::Unique => rows.overlaps(),
            TableHitPolicy::Collect(_) => Ok(()),
        };
        gaps.and(order)
    }
}

/// The box of a row; `None` where a cell leaves nothing.
fn area(row: &Row, axes: &[usize], space: &Space) -> Result<Option<Area>, &'static str> {
    let mut whole = Area::default();
    for (test, at) in row.tests.iter().zip(axes) {
        let axis = space.axes.get(*at).ok_or(UNORDERED)?;
        let atoms = cells::atoms(test, axis).ok_or(UNORDERED)?;
        if atoms.is_empty() {
            return Ok(None);
        }
        if !atoms.is_all(axis.size()) {
            match whole.intersection(&Area(vec![(*at, atoms)])) {
                Some(both) => whole = both,
                None => return Ok(None),
            }
        }
    }
    Ok(Some(whole))
}

struct Rows<'r> {
    table: &'r Table,
    /// The axis of each column.
    axes: Vec<usize>,
    space: Space,
    areas: Vec<Option<Area>>,
    found: &'r mut Vec<Diagnostic>,
}

impl Rows<'_> {
    /// Rows with a cell that no value fits.
    fn empty(&mut self) {
        for (row, area) in self.table.rows.iter().zip(&self.areas) {
            if area.is_some() {
                continue;
            }
            let nothing = |(test, axis): (&Test, &usize)| {
                let axis = self.space.axes.get(*axis)?;
                cells::atoms(test, axis)?.is_empty().then(|| axis.name.clone())
            };
            let name = row.tests.iter().zip(&self.axes).find_map(nothing).unwrap_or_default();
            let message = format!("row {} can never match: no value of `{name}` fits its cell", row.number);
            let help = "correct the cell, or remove the row";
            self.found.push(Diagnostic::warning("T095", row.place, message).help(help));
        }
    }

    fn items(&self, order: &[usize]) -> Vec<Item> {
        let mut items = Vec::new();
        for (owner, at) in order.iter().enumerate() {
            let owner = u32::try_from(owner).unwrap_or(u32::MAX);
            if let Some(Some(area)) = self.areas.get(*at) {
                items.push(Item { owner, reaches: true, blocks: true, area: area.clone() });
            }
        }
        items
    }

    fn whole(&self) -> Vec<Atoms> {
        self.space.axes.iter().map(|axis| Atoms::first(axis.size())).collect()
    }

    /// Combinations that no row answers: of what is given, and with each optional column missing.
    fn gaps(&mut self) -> Result<(), &'static str> {
        let order: Vec<usize> = (0..self.table.rows.len()).collect();
        let mut items = self.items(&order);
        items.iter_mut().for_each(|item| item.reaches = false);
        let given: Vec<Atoms> = self.space.axes.iter().map(super::space::Axis::any).collect();
        let mut domains = vec![given.clone()];
        let optional = |(_, axis): &(usize, &super::space::Axis)| axis.may_be_missing;
        for (at, axis) in self.space.axes.iter().enumerate().filter(optional) {
            let mut domain = given.clone();
            if let Some(own) = domain.get_mut(at) {
                *own = axis.missing();
            }
            domains.push(domain);
        }
        if domains.len() > 2 {
            domains.push(self.whole());
        }
        let (last, mut any) = (domains.len() - 1, false);
        for (at, domain) in domains.iter().enumerate() {
            // Several columns missing together say something new only where each alone is answered.
            if at == last && at > 1 && any {
                break;
            }
            let Found { gap, .. } =
                Walk::new(&items, domain, true, BUDGET).run().map_err(|_| OUT_OF_BUDGET)?;
            if let Some(gap) = gap {
                any = true;
                self.gap(&gap, at > 0);
            }
        }
        Ok(())
    }

    fn gap(&mut self, gap: &[(usize, u32)], is_missing: bool) {
        let asked = |axis: usize| {
            let columns = || self.axes.iter().enumerate().filter(|(_, at)| **at == axis);
            let mut rows = self.table.rows.iter();
            columns().any(|(at, _)| rows.any(|row| row.tests.get(at).is_some_and(|test| *test != Test::Any)))
        };
        let missing = |axis: usize, atom: u32| {
            self.space.axes.get(axis).is_some_and(|axis| axis.missing().least() == Some(atom))
        };
        let shown: Vec<(usize, u32)> =
            gap.iter().copied().filter(|(axis, atom)| asked(*axis) || missing(*axis, *atom)).collect();
        let example = self.space.shown(if shown.is_empty() { gap } else { &shown });
        let message = format!("no row of `{}` matches `{example}`", self.table.name);
        let dashes = vec!["-"; self.axes.len()].join(",");
        let help = if is_missing {
            "`-` takes only what is given: add a row with `missing` in that column".to_owned()
        } else {
            format!("add a row for it, or a last row `{dashes},…` for everything else")
        };
        self.found.push(Diagnostic::warning("T094", self.table.place, message).help(help));
    }

    /// Rows behind others that answer wherever they would.
    fn hidden(&mut self) -> Result<(), &'static str> {
        let rows = &self.table.rows;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        if self.table.hit_policy == TableHitPolicy::Priority {
            order.sort_by_key(|at| Reverse(rows.get(*at).and_then(|row| row.outcome)));
        }
        let own = |at: &usize| self.areas.get(*at).cloned().flatten().into_iter().collect();
        let areas: Vec<Vec<Area>> = order.iter().map(own).collect();
        let mut result = Ok(());
        for (at, reach) in order.iter().zip(order::reaches(&self.items(&order), &areas, &self.whole())) {
            let before = match reach {
                Reach::Reached => continue,
                Reach::Unknown => {
                    result = Err(OUT_OF_BUDGET);
                    continue;
                }
                Reach::Hidden(before) => before,
            };
            let Some(row) = rows.get(*at) else { continue };
            let number = |owner: u32| rows.get(*order.get(usize::try_from(owner).ok()?)?);
            let mut numbers: Vec<u32> = before.into_iter().filter_map(number).map(|row| row.number).collect();
            numbers.sort_unstable();
            let names: Vec<String> = numbers.iter().map(u32::to_string).collect();
            let message =
                format!("row {} can never match: {}", row.number, order::stand_before(&names, "row"));
            let help = match self.table.hit_policy {
                TableHitPolicy::Priority => {
                    "a stricter outcome comes first: narrow those rows, or remove this one"
                }
                _ => "move it before them, narrow them, or remove it",
            };
            self.found.push(Diagnostic::warning("T095", row.place, message).help(help));
        }
        result
    }

    /// Under `unique`: for each row the first before it that matches something that it does too.
    fn overlaps(&mut self) -> Result<(), &'static str> {
        let mut budget = MOST_PAIRS;
        let mut first: Vec<Option<usize>> = vec![None; self.areas.len()];
        let mut result = Ok(());
        // Swept along the axis that most rows are narrow on: only rows that lie over the same place are compared.
        let narrow = |axis: usize| self.areas.iter().flatten().filter(|area| area.on(axis).is_some()).count();
        let axis = (0..self.space.axes.len()).max_by_key(|axis| narrow(*axis)).unwrap_or_default();
        let open = Atoms::first(u32::MAX);
        let mut starts: Vec<(u32, u32, usize)> = Vec::new();
        for (at, area) in self.areas.iter().enumerate() {
            let Some(area) = area else { continue };
            let ranges = &area.on(axis).unwrap_or(&open).0;
            starts.extend(ranges.iter().map(|(from, to)| (*from, *to, at)));
        }
        starts.sort_unstable();
        let mut active: Vec<(u32, usize)> = Vec::new();
        for (from, to, at) in starts {
            active.retain(|(end, _)| *end > from);
            let Some(left) = budget.checked_sub(u64::try_from(active.len()).unwrap_or(u64::MAX)) else {
                result = Err(OUT_OF_BUDGET);
                break;
            };
            budget = left;
            for (_, other) in &active {
                let (early, late) = (at.min(*other), at.max(*other));
                let known = first.get(late).copied().flatten();
                if early < late && known.is_none_or(|known| early < known) && self.meet(early, late).is_some()
                {
                    first.get_mut(late).map(|found| found.replace(early));
                }
            }
            active.push((to, at));
        }
        for (late, early) in first.into_iter().enumerate().filter_map(|(at, early)| Some((at, early?))) {
            let (Some(row), Some(before)) = (self.table.rows.get(late), self.table.rows.get(early)) else {
                continue;
            };
            let example = self.meet(early, late).map(|both| self.example(&both)).unwrap_or_default();
            let message = format!("rows {} and {} both match `{example}`", before.number, row.number);
            let help =
                "under `hit_policy: unique` the step then fails: narrow one of them, or choose `first`";
            self.found.push(Diagnostic::warning("T096", row.place, message).help(help));
        }
        result
    }

    fn meet(&self, a: usize, b: usize) -> Option<Area> {
        let (a, b) = (self.areas.get(a)?.as_ref()?, self.areas.get(b)?.as_ref()?);
        let apart = |(axis, atoms): &(usize, Atoms)| {
            b.on(*axis).is_some_and(|others| atoms.intersection(others).is_empty())
        };
        if a.0.iter().any(apart) { None } else { a.intersection(b) }
    }

    fn example(&self, area: &Area) -> String {
        let mut point: Vec<(usize, u32)> =
            area.0.iter().filter_map(|(axis, atoms)| Some((*axis, atoms.least()?))).collect();
        if point.is_empty() {
            point = (0..self.space.axes.len()).map(|axis| (axis, 0)).collect();
        }
        self.space.shown(&point)
    }
}
