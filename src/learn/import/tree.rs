//! Trees as their files write them, made ready: every child visited once from the root, so that a circle is found
//! before anything follows it, and nodes breadth first with their covers.

use crate::domain::model::Branch;

/// Most levels of splits, as the domain has it.
const MAX_DEPTH: usize = 64;

/// Trees, the covers of their nodes (or none), and the sets of categories that they speak of.
#[derive(Debug, Default)]
pub(super) struct Grown {
    pub trees: Vec<Vec<Branch>>,
    pub covers: Vec<Vec<f64>>,
    pub sets: Vec<Vec<u32>>,
}

impl Grown {
    /// Takes a tree with its nodes in any order, the root first. `covers` is as long as the tree, or empty.
    pub(super) fn push(&mut self, tree: &[Branch], covers: &[f64]) -> Result<(), &'static str> {
        let order = breadth_first(tree)?;
        let mut placed = 1;
        let mut ordered = Vec::with_capacity(order.len());
        for at in &order {
            ordered.push(match tree.get(*at).copied() {
                Some(Branch::Split { column, rule, .. }) => {
                    placed += 2;
                    Branch::Split { column, rule, low: placed - 2, high: placed - 1 }
                }
                Some(leaf) => leaf,
                None => return Err("a child does not exist"),
            });
        }
        if !covers.is_empty() {
            let usable = |cover: &&f64| cover.is_finite() && **cover >= 0.0;
            let covers: Vec<f64> =
                order.iter().filter_map(|at| covers.get(*at)).filter(usable).copied().collect();
            if covers.len() != order.len() {
                return Err("a cover is not a finite number from 0");
            }
            self.covers.push(covers);
        }
        self.trees.push(ordered);
        Ok(())
    }
}

/// The nodes that can be reached, breadth first; none may be met twice.
fn breadth_first(tree: &[Branch]) -> Result<Vec<usize>, &'static str> {
    let mut met = vec![false; tree.len()];
    let mut order = vec![0];
    let mut levels = vec![0_usize];
    let mut next = 0;
    while let (Some(&at), Some(&level)) = (order.get(next), levels.get(next)) {
        let seen = met.get_mut(at).ok_or("a child does not exist")?;
        if std::mem::replace(seen, true) {
            return Err("a node has two parents, or the nodes go in a circle");
        }
        if let Some(Branch::Split { low, high, .. }) = tree.get(at) {
            if level >= MAX_DEPTH {
                return Err("it is deeper than 64 levels");
            }
            order.extend([*low, *high]);
            levels.extend([level + 1; 2]);
        }
        next += 1;
    }
    Ok(order)
}

/// The largest f32 below a threshold: `x < threshold` of 32-bit floats is `x <= just_below(threshold)`.
pub(super) fn just_below(threshold: f32) -> Option<f64> {
    // The one below the lowest f32 would be an infinity: nothing finite is below that f32.
    let below = f64::from(threshold.next_down());
    if below.is_finite() {
        Some(below)
    } else if threshold.is_finite() {
        Some(f64::MIN)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::{Missing, Rule, Side};

    fn split(low: usize, high: usize) -> Branch {
        let rule = Rule::AtMost { threshold: 0.0, missing: Missing::Goes(Side::Low) };
        Branch::Split { column: 0, rule, low, high }
    }

    #[test]
    fn nodes_in_any_order_come_out_breadth_first_with_their_covers() {
        let tree = [split(3, 1), split(2, 4), Branch::Leaf(2.0), Branch::Leaf(3.0), Branch::Leaf(4.0)];
        let mut grown = Grown::default();
        grown.push(&tree, &[10.0, 6.0, 2.0, 4.0, 4.0]).unwrap();
        let leaf = Branch::Leaf;
        assert_eq!(grown.trees, [[split(1, 2), leaf(3.0), split(3, 4), leaf(2.0), leaf(4.0)]]);
        assert_eq!(grown.covers, [[10.0, 4.0, 6.0, 2.0, 4.0]]);
    }

    #[test]
    fn circles_and_children_that_do_not_exist_are_found() {
        let check = |tree: &[Branch], says: &str| {
            assert_eq!(Grown::default().push(tree, &[]).unwrap_err(), says);
        };
        check(&[split(0, 1), Branch::Leaf(0.0)], "a node has two parents, or the nodes go in a circle");
        check(&[split(1, 1), Branch::Leaf(0.0)], "a node has two parents, or the nodes go in a circle");
        check(&[split(1, 9), Branch::Leaf(0.0)], "a child does not exist");
        let chain: Vec<Branch> = (0..70)
            .flat_map(|level| [split(2 * level + 1, 2 * level + 2), Branch::Leaf(0.0)])
            .chain([Branch::Leaf(0.0)])
            .collect();
        // Each split's high child is the next split.
        check(&chain, "it is deeper than 64 levels");
    }

    #[test]
    fn below_a_threshold_is_at_most_the_number_before_it() {
        for threshold in [0.0_f32, -0.0, 1.5, -3.25, f32::MIN_POSITIVE, f32::MAX] {
            let below = just_below(threshold).unwrap();
            for x in [threshold.next_down(), threshold, threshold.next_up(), 0.0, -0.0] {
                assert_eq!(f64::from(x) <= below, x < threshold, "{x} {threshold}");
            }
        }
        assert_eq!(just_below(f32::NAN), None);
    }
}
