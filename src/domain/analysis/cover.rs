//! Who comes first at which point: items (rules, rows) in their order, each a box, over a space of atoms. One walk
//! splits the space axis by axis into stretches that the remaining items do not tell apart, never into points; equal
//! remainders are walked once. A budget bounds it: what it does not reach is not claimed.

use std::collections::BTreeSet;

use super::region::Area;
use super::space::Atoms;

/// Units of work (an item looked at in a stretch) that one walk may take.
pub const BUDGET: u64 = 4_000_000;

/// One box of a rule or row.
#[derive(Debug, Clone)]
pub struct Item {
    /// Which rule or row; a rule may have several items.
    pub owner: u32,
    /// Being first here means that the owner can be reached.
    pub reaches: bool,
    /// What comes later is not asked where this one is.
    pub blocks: bool,
    pub area: Area,
}

/// The walk ran out of budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

/// What a walk found.
#[derive(Debug, Default)]
pub struct Found {
    /// Owners that come first somewhere.
    pub reached: BTreeSet<u32>,
    /// A point (axis, atom) at which no item blocks, if there is one and it was looked for.
    pub gap: Option<Vec<(usize, u32)>>,
}

/// One walk over a space.
#[derive(Debug)]
pub struct Walk<'i> {
    items: &'i [Item],
    /// Depth below which an item takes any value: the number of axes up to its last one.
    depths: Vec<usize>,
    /// The axes in the order that they are split, each with what of it is walked.
    order: Vec<(usize, Atoms)>,
    wants_gap: bool,
    budget: u64,
    seen: BTreeSet<(usize, Vec<u32>)>,
    point: Vec<(usize, u32)>,
    found: Found,
}

impl<'i> Walk<'i> {
    /// `domain`: what of each axis is walked, by the axis's place.
    #[must_use]
    pub fn new(items: &'i [Item], domain: &[Atoms], wants_gap: bool, budget: u64) -> Self {
        let mut open = vec![items.len(); domain.len()];
        for (axis, _) in items.iter().flat_map(|item| &item.area.0) {
            if let Some(open) = open.get_mut(*axis) {
                *open = open.saturating_sub(1);
            }
        }
        let mut order: Vec<(usize, Atoms)> = domain.iter().cloned().enumerate().collect();
        // What most items ask about comes first: it leaves the fewest of them.
        order.sort_by_key(|(axis, _)| open.get(*axis).copied());
        let place = |axis: usize| order.iter().position(|(at, _)| *at == axis).map_or(0, |at| at + 1);
        let places: Vec<usize> = (0..domain.len()).map(place).collect();
        let depth = |item: &Item| {
            let ends = item.area.0.iter().map(|(axis, _)| places.get(*axis).copied().unwrap_or_default());
            ends.max().unwrap_or_default()
        };
        let depths = items.iter().map(depth).collect();
        Self {
            items,
            depths,
            order,
            wants_gap,
            budget,
            seen: BTreeSet::new(),
            point: Vec::new(),
            found: Found::default(),
        }
    }

    /// # Errors
    /// When the budget did not suffice; what was found so far is in the error.
    pub fn run(mut self) -> Result<Found, Found> {
        let all: Vec<u32> = (0..u32::try_from(self.items.len()).unwrap_or(u32::MAX)).collect();
        match self.order.iter().any(|(_, atoms)| atoms.is_empty()) {
            true => Ok(self.found),
            false => match self.walk(0, all) {
                Ok(()) => Ok(self.found),
                Err(Exhausted) => Err(self.found),
            },
        }
    }

    /// How much of the budget is left after a walk is not told: each walk has its own.
    fn spend(&mut self, units: usize) -> Result<(), Exhausted> {
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        self.budget = self.budget.checked_sub(units).ok_or(Exhausted)?;
        Ok(())
    }

    fn item(&self, at: u32) -> Option<(&'i Item, usize)> {
        let at = usize::try_from(at).ok()?;
        Some((self.items.get(at)?, *self.depths.get(at)?))
    }

    fn walk(&mut self, depth: usize, mut active: Vec<u32>) -> Result<(), Exhausted> {
        self.spend(active.len() + 1)?;
        let mut is_closed = false;
        let mut is_first = true;
        let mut keep = 0;
        let mut news = false;
        for (nth, at) in active.iter().enumerate() {
            let Some((item, last)) = self.item(*at) else { continue };
            let is_whole = last <= depth;
            if item.reaches && is_whole && is_first {
                self.found.reached.insert(item.owner);
            }
            news |= item.reaches && !self.found.reached.contains(&item.owner);
            keep = nth + 1;
            if item.blocks && is_whole {
                is_closed = true;
                break;
            }
            is_first &= !item.blocks;
        }
        active.truncate(keep);
        let gap_matters = self.wants_gap && self.found.gap.is_none() && !is_closed;
        if !news && !gap_matters {
            return Ok(());
        }
        let Some((axis, walked)) = self.order.get(depth).cloned() else {
            if gap_matters {
                self.found.gap = Some(self.point.clone());
            }
            return Ok(());
        };
        if active.is_empty() {
            let rest = self.order.iter().skip(depth).filter_map(|(axis, of)| Some((*axis, of.least()?)));
            let rest: Vec<(usize, u32)> = rest.collect();
            self.found.gap = Some(self.point.iter().copied().chain(rest).collect());
            return Ok(());
        }
        // A remainder that was walked before has told whom it reaches, and its gap or that it has none.
        if !self.seen.insert((depth, active.clone())) {
            return Ok(());
        }
        for (from, below) in self.stretches(axis, &walked, &active)? {
            self.point.push((axis, from));
            let result = self.walk(depth + 1, below);
            self.point.pop();
            result?;
        }
        Ok(())
    }

    /// The stretches of an axis, each by its first atom, with the items that lie over it.
    fn stretches(
        &mut self,
        axis: usize,
        walked: &Atoms,
        active: &[u32],
    ) -> Result<Vec<(u32, Vec<u32>)>, Exhausted> {
        let items = self.items;
        let on = |at: &u32| {
            usize::try_from(*at).ok().and_then(|at| items.get(at)).and_then(|item| item.area.on(axis))
        };
        let mut bounds: Vec<u32> = walked.0.iter().flat_map(|(from, to)| [*from, *to]).collect();
        for atoms in active.iter().filter_map(on) {
            bounds.extend(atoms.0.iter().flat_map(|(from, to)| [*from, *to]));
        }
        bounds.sort_unstable();
        bounds.dedup();
        let place = |bound: u32| bounds.partition_point(|b| *b < bound);
        let mut stretches: Vec<(u32, Vec<u32>)> = bounds.iter().map(|from| (*from, Vec::new())).collect();
        let mut work = bounds.len();
        for at in active {
            let open = [(0, u32::MAX)];
            let ranges = on(at).map_or(open.as_slice(), |atoms| atoms.0.as_slice());
            for (from, to) in ranges {
                let (from, to) = (place(*from), place(*to));
                work += to.saturating_sub(from);
                self.spend(to.saturating_sub(from))?;
                for (_, over) in stretches.get_mut(from..to).unwrap_or_default() {
                    over.push(*at);
                }
            }
        }
        self.spend(work)?;
        let is_walked = |from: u32| walked.0.iter().any(|(a, b)| (*a..*b).contains(&from));
        stretches.retain(|(from, _)| is_walked(*from));
        stretches.dedup_by(|next, kept| next.1 == kept.1);
        Ok(stretches)
    }
}
