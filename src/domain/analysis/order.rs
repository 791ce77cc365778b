//! Who is hidden behind whom, when the first that matches answers: for rules under `first` and for rows.

use super::cover::{BUDGET, Item, Walk};
use super::region::Area;
use super::space::Atoms;

/// Work for one owner alone.
const OWN_BUDGET: u64 = 50_000;
/// Work for all owners that have to be looked at alone.
const ALONE_BUDGET: u64 = 4_000_000;
/// Names in a message.
const MOST_NAMED: usize = 3;

/// What is known of one rule or row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It comes first somewhere.
    Reached,
    /// Nowhere; these stand before it, none if they are too many to be named.
    Hidden(Vec<u32>),
    /// The budget did not suffice.
    Unknown,
}

/// What is known of each owner (0 up to the number of `areas`), which stand in the items in their order. Owners
/// without an area are taken as reached: there is nothing to hide.
#[must_use]
pub fn reaches(items: &[Item], areas: &[Vec<Area>], domain: &[Atoms]) -> Vec<Reach> {
    if domain.iter().any(Atoms::is_empty) {
        return vec![Reach::Unknown; areas.len()];
    }
    let (found, is_whole) = match Walk::new(items, domain, false, BUDGET).run() {
        Ok(found) => (found, true),
        Err(found) => (found, false),
    };
    let mut budget = ALONE_BUDGET;
    let mut all = Vec::with_capacity(areas.len());
    for (at, own) in areas.iter().enumerate() {
        let owner = u32::try_from(at).unwrap_or(u32::MAX);
        if own.is_empty() || found.reached.contains(&owner) {
            all.push(Reach::Reached);
            continue;
        }
        let cost = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let alone = match budget.checked_sub(cost) {
            None => None,
            Some(left) => {
                budget = left;
                first_within(items, owner, own, domain, if is_whole { BUDGET } else { OWN_BUDGET })
            }
        };
        all.push(match alone {
            Some(first) if first.contains(&owner) => Reach::Reached,
            Some(first) => Reach::Hidden(first),
            None if is_whole => Reach::Hidden(Vec::new()),
            None => Reach::Unknown,
        });
    }
    all
}

/// Which owners up to this one come first somewhere in these areas; `None` when the budget did not suffice.
fn first_within(
    items: &[Item],
    owner: u32,
    areas: &[Area],
    domain: &[Atoms],
    budget: u64,
) -> Option<Vec<u32>> {
    let mut all: Vec<u32> = Vec::new();
    for area in areas {
        let mut within: Vec<Item> = Vec::new();
        for item in items.iter().take_while(|item| item.owner <= owner) {
            let Some(common) = item.area.intersection(area) else { continue };
            let rest = common.0.into_iter().filter(|(axis, atoms)| area.on(*axis) != Some(atoms)).collect();
            // Whoever stands in the way is named, also where it fails.
            let reaches = item.blocks || item.owner == owner;
            within.push(Item { reaches, area: Area(rest), ..item.clone() });
        }
        let of = |(axis, whole): (usize, &Atoms)| match area.on(axis) {
            Some(own) => own.intersection(whole),
            None => whole.clone(),
        };
        let narrowed: Vec<Atoms> = domain.iter().enumerate().map(of).collect();
        let found = Walk::new(&within, &narrowed, false, budget).run().ok()?;
        all.extend(found.reached);
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// `rule `a` comes first wherever it would match`, with at most three names.
#[must_use]
pub fn stand_before(names: &[String], kind: &str) -> String {
    match names {
        [only] => format!("{kind} {only} comes first wherever it would match"),
        [] => format!("earlier {kind}s come first wherever it would match"),
        many => {
            let shown = many.get(..MOST_NAMED.min(many.len())).unwrap_or_default().join(", ");
            let more = many.len().saturating_sub(MOST_NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("{kind}s {shown}{more} together come first wherever it would match")
        }
    }
}
