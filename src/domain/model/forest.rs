//! The mean of the leaves of regression trees, flattened for the one thing it does: `x <= threshold`, many times.
//! Absent: fitting, classification by vote, and any node that could send an evaluation in a circle.

use std::fmt;

use super::ModelError;

/// Most trees of a forest.
const MAX_TREES: usize = 10_000;
/// Most nodes of one tree.
const MAX_NODES: usize = 1 << 20;
/// Most nodes of a forest.
const MAX_FOREST_NODES: usize = 1 << 23;
/// Most levels of splits.
const MAX_DEPTH: u8 = 64;
/// Trees that are walked at once, so that one's memory latency hides behind the others'.
const AT_ONCE: usize = 4;

/// One node of a tree as it was fitted. Children stand after their parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// Goes to `low` when `x[column] <= threshold`, else to `high`.
    Split { column: usize, threshold: f64, low: usize, high: usize },
    /// Probability, 0 to 1.
    Leaf(f64),
}

/// A validated, flattened forest.
#[derive(Clone, PartialEq)]
pub struct Forest {
    nodes: Box<[Flat]>,
    groups: Box<[Group]>,
    trees: u32,
    columns: usize,
}

/// A node in 16 bytes, without a branch: the next node is `low`, or the one after it. A leaf reads the column after
/// the last, which holds minus infinity, and so goes to itself; its `threshold` is its value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Flat {
    threshold: f64,
    low: u32,
    column: u16,
}

/// Up to four trees that are walked together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Group {
    roots: [u32; AT_ONCE],
    /// Trees in use; the rest repeat the first one and are not counted.
    used: u8,
    /// Levels of the deepest.
    depth: u8,
}

impl Forest {
    /// Checks each tree (children forward and each with one parent, columns that exist, finite thresholds, leaves
    /// from 0 to 1, sizes) and flattens it breadth first.
    ///
    /// # Errors
    /// The first thing found wrong, with its tree and node.
    pub fn new(trees: &[Vec<Node>], columns: usize) -> Result<Self, ModelError> {
        if trees.is_empty() || trees.len() > MAX_TREES {
            return Err(ModelError::TreeCount { found: trees.len(), most: MAX_TREES });
        }
        let sentinel = u16::try_from(columns)
            .ok()
            .filter(|_| columns <= super::MAX_COLUMNS)
            .ok_or(ModelError::TooManyColumns { encoded: columns })?;
        let mut nodes = Vec::new();
        let mut roots = Vec::with_capacity(trees.len());
        for (index, tree) in trees.iter().enumerate() {
            let root = nodes.len();
            let most = MAX_NODES.min(MAX_FOREST_NODES - root);
            if tree.is_empty() || tree.len() > most {
                return Err(ModelError::NodeCount { tree: index, found: tree.len(), most });
            }
            let wrong = |(node, problem)| ModelError::Node { tree: index, node, problem };
            check(tree, columns).map_err(wrong)?;
            let depth = flatten(tree, sentinel, &mut nodes).map_err(wrong)?;
            roots.push((u32::try_from(root).unwrap_or(u32::MAX), depth));
        }
        let groups = roots.chunks(AT_ONCE).map(group).collect();
        let trees = u32::try_from(trees.len()).unwrap_or(u32::MAX);
        Ok(Self { nodes: nodes.into(), groups, trees, columns })
    }

    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    #[must_use]
    pub fn trees(&self) -> u32 {
        self.trees
    }

    /// Sums the leaves in the order of the trees and divides once, as the library that fitted them does.
    /// `columns` is longer than the columns in use: the one after them becomes the leaves' own.
    pub(super) fn probability<const WIDTH: usize>(&self, columns: &mut [f64; WIDTH]) -> f64 {
        if let Some(own) = columns.get_mut(self.columns) {
            *own = f64::NEG_INFINITY;
        }
        let mut sum = 0.0;
        for group in &self.groups {
            let mut at = group.roots;
            for _ in 0..group.depth {
                for node in &mut at {
                    *node = self.next(*node, columns);
                }
            }
            for leaf in at.iter().take(usize::from(group.used)) {
                sum += self.flat(*leaf).threshold;
            }
        }
        sum / f64::from(self.trees)
    }

    #[inline]
    fn next<const WIDTH: usize>(&self, at: u32, columns: &[f64; WIDTH]) -> u32 {
        let node = self.flat(at);
        // The mask changes nothing (a column is always below WIDTH, a power of two): it spares the check.
        let x = columns.get(usize::from(node.column) & (WIDTH - 1)).copied().unwrap_or(f64::NEG_INFINITY);
        let goes_low = x <= node.threshold;
        node.low + u32::from(!goes_low)
    }

    #[inline]
    fn flat(&self, at: u32) -> Flat {
        const NOWHERE: Flat = Flat { threshold: 0.0, low: 0, column: 0 };
        self.nodes.get(at as usize).copied().unwrap_or(NOWHERE)
    }
}

impl fmt::Debug for Forest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forest({} trees, {} nodes, {} columns)", self.trees, self.nodes.len(), self.columns)
    }
}

fn group(trees: &[(u32, u8)]) -> Group {
    let first = trees.first().map_or(0, |(root, _)| *root);
    let mut roots = [first; AT_ONCE];
    for (slot, (root, _)) in roots.iter_mut().zip(trees) {
        *slot = *root;
    }
    let depth = trees.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    Group { roots, used: u8::try_from(trees.len()).unwrap_or(0), depth }
}

/// Every node but the root has one parent, which stands before it: so it is a tree, and every walk ends.
fn check(tree: &[Node], columns: usize) -> Result<(), (usize, &'static str)> {
    let mut has_parent = vec![false; tree.len()];
    for (index, node) in tree.iter().enumerate() {
        match *node {
            Node::Leaf(value) if (0.0..=1.0).contains(&value) => {}
            Node::Leaf(_) => return Err((index, "a leaf's value is not a probability")),
            Node::Split { column, .. } if column >= columns => {
                return Err((index, "it splits on a column that does not exist"));
            }
            Node::Split { threshold, .. } if !threshold.is_finite() => {
                return Err((index, "its threshold is not a finite number"));
            }
            Node::Split { low, high, .. } => {
                for child in [low, high] {
                    if child <= index {
                        return Err((index, "a child stands before its parent"));
                    }
                    let known = has_parent.get_mut(child).ok_or((index, "a child does not exist"))?;
                    if std::mem::replace(known, true) {
                        return Err((index, "a child has two parents"));
                    }
                }
            }
        }
    }
    match has_parent.iter().skip(1).position(|has| !has) {
        Some(orphan) => Err((orphan + 1, "no split leads to it")),
        None => Ok(()),
    }
}

/// Appends a checked tree breadth first, siblings side by side; gives its levels of splits.
fn flatten(tree: &[Node], sentinel: u16, into: &mut Vec<Flat>) -> Result<u8, (usize, &'static str)> {
    let base = into.len();
    let mut order = vec![(0_usize, 0_u8)];
    let mut next = 0;
    let mut depth = 0;
    while let Some(&(index, level)) = order.get(next) {
        let place = |offset: usize| u32::try_from(base + offset).map_err(|_| (index, "it is too far along"));
        depth = depth.max(level);
        match tree.get(index) {
            Some(Node::Split { column, threshold, low, high }) => {
                if level >= MAX_DEPTH {
                    return Err((index, "it lies deeper than 64 levels"));
                }
                let column = u16::try_from(*column).map_err(|_| (index, "its column is too large"))?;
                into.push(Flat { threshold: *threshold, low: place(order.len())?, column });
                order.extend([(*low, level + 1), (*high, level + 1)]);
            }
            Some(Node::Leaf(value)) => {
                into.push(Flat { threshold: *value, low: place(next)?, column: sentinel });
            }
            None => return Err((index, "a child does not exist")),
        }
        next += 1;
    }
    Ok(depth)
}
