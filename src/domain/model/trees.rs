//! Trees flattened for the one thing they do: `x <= threshold`, many times. Absent: what a leaf means, what a missing
//! value does (the columns that are given say both), and any node that could send an evaluation in a circle.

use super::ModelError;
use super::key::Key;

/// Most trees of one predictor.
const MAX_TREES: usize = 10_000;
/// Most nodes of one tree.
const MAX_NODES: usize = 1 << 20;
/// Most nodes of all trees together.
const MAX_ALL_NODES: usize = 1 << 23;
/// Most levels of splits.
pub(super) const MAX_DEPTH: u8 = 64;
/// Trees (of a row) or rows (of a tree) that are walked at once, so that one's wait for memory hides behind the others'
/// (four: 1.9 µs a forest of the sample, eight: 1.05; sixteen are no quicker, as there are no registers for them).
const AT_ONCE: usize = 8;
/// Most rows that go through all trees together.
pub(super) const BLOCK: usize = 64;

/// One node of a tree as it was fitted. Children stand after their parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// Goes to `low` when `x[column] <= threshold`, else to `high`.
    Split { column: usize, threshold: f64, low: usize, high: usize },
    /// Probability, 0 to 1, in a forest; any finite number in boosted trees.
    Leaf(f64),
}

/// Validated, flattened trees over columns.
#[derive(Clone, PartialEq)]
pub(super) struct Trees {
    nodes: Box<[Flat]>,
    groups: Box<[Group]>,
    count: u32,
    columns: usize,
}

/// A node in 16 bytes, without a branch: the next node is `low`, or the one after it when the column is above the
/// threshold. A leaf reads the column after the last, whose key is the least, and so goes to itself; it holds its value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Flat {
    threshold: Key,
    low: u32,
    column: u16,
}

/// Up to eight trees that are walked together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Group {
    roots: [u32; AT_ONCE],
    /// Levels of each.
    depths: [u8; AT_ONCE],
    /// Trees in use; the rest repeat the first one and are not counted.
    used: u8,
    /// Levels of the deepest.
    depth: u8,
}

/// What the leaves may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    Probabilities,
    Numbers,
}

impl Trees {
    /// Checks each tree (children forward and each with one parent, columns that exist, finite thresholds, leaves,
    /// sizes) and flattens it breadth first. The columns must be fewer than `most_columns`, at most 65,535.
    pub fn new(
        trees: &[Vec<Node>],
        columns: usize,
        most_columns: usize,
        leaves: Leaves,
    ) -> Result<Self, ModelError> {
        if trees.is_empty() || trees.len() > MAX_TREES {
            return Err(ModelError::TreeCount { found: trees.len(), most: MAX_TREES });
        }
        let sentinel = u16::try_from(columns)
            .ok()
            .filter(|_| columns <= most_columns)
            .ok_or(ModelError::TooManyColumns { encoded: columns })?;
        let mut nodes = Vec::new();
        let mut roots = Vec::with_capacity(trees.len());
        for (index, tree) in trees.iter().enumerate() {
            let root = nodes.len();
            let most = MAX_NODES.min(MAX_ALL_NODES - root);
            if tree.is_empty() || tree.len() > most {
                return Err(ModelError::NodeCount { tree: index, found: tree.len(), most });
            }
            let wrong = |(node, problem)| ModelError::Node { tree: index, node, problem };
            check(tree, columns, leaves).map_err(wrong)?;
            let depth = flatten(tree, sentinel, &mut nodes).map_err(wrong)?;
            roots.push((u32::try_from(root).unwrap_or(u32::MAX), depth));
        }
        let groups = roots.chunks(AT_ONCE).map(group).collect();
        let count = u32::try_from(trees.len()).unwrap_or(u32::MAX);
        Ok(Self { nodes: nodes.into(), groups, count, columns })
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The trees again, breadth first.
    pub fn unflattened(&self) -> Vec<Vec<Node>> {
        self.spans().map(|(root, nodes)| nodes.iter().map(|node| self.node(*node, root)).collect()).collect()
    }

    fn node(&self, flat: Flat, root: u32) -> Node {
        if usize::from(flat.column) == self.columns {
            return Node::Leaf(flat.threshold.held());
        }
        let low = (flat.low - root) as usize;
        let threshold = flat.threshold.number();
        Node::Split { column: usize::from(flat.column), threshold, low, high: low + 1 }
    }

    /// Each tree's first node and all its nodes.
    fn spans(&self) -> impl Iterator<Item = (u32, &[Flat])> {
        let used = |group: &Group| group.roots.into_iter().take(usize::from(group.used));
        let roots: Vec<u32> = self.groups.iter().flat_map(used).collect();
        let ends: Vec<usize> =
            roots.iter().skip(1).map(|root| *root as usize).chain([self.nodes.len()]).collect();
        roots
            .into_iter()
            .zip(ends)
            .map(|(root, end)| (root, self.nodes.get(root as usize..end).unwrap_or_default()))
    }

    /// Counts one row at each node where it comes by; `covers` is empty before the first row.
    pub fn visit(&self, columns: &[f64], covers: &mut Vec<Vec<f64>>) {
        if covers.is_empty() {
            *covers = self.spans().map(|(_, nodes)| vec![0.0; nodes.len()]).collect();
        }
        for ((root, nodes), covers) in self.spans().zip(covers) {
            let mut at = 0;
            while let (Some(node), Some(cover)) = (nodes.get(at), covers.get_mut(at)) {
                *cover += 1.0;
                if usize::from(node.column) == self.columns {
                    break;
                }
                let x = columns.get(usize::from(node.column));
                let goes_low = x.is_some_and(|x| Key::of(*x) <= node.threshold);
                at = (node.low - root) as usize + usize::from(!goes_low);
            }
        }
    }

    /// The leaves of one row, added up by `add` in the order of the trees. `columns` is longer than the columns in
    /// use: the one after them becomes the leaves' own.
    #[inline]
    pub fn fold<const WIDTH: usize, S>(
        &self,
        columns: &mut [Key; WIDTH],
        start: S,
        add: impl Fn(S, f64) -> S,
    ) -> S {
        self.close(columns);
        let mut sum = start;
        for group in &self.groups {
            let leaves = self.leaves_of(group, columns).unwrap_or_default();
            for leaf in leaves.iter().take(usize::from(group.used)) {
                sum = add(sum, self.leaf(*leaf));
            }
        }
        sum
    }

    /// As `fold`, for a few rows: each tree goes over all of them before the next one does, so that its nodes are
    /// fetched once. `rows` and `sums` are of one length.
    pub fn fold_block<const WIDTH: usize, S: Copy>(
        &self,
        rows: &mut [[Key; WIDTH]],
        sums: &mut [S],
        add: impl Fn(S, f64) -> S,
    ) {
        if rows.len() < AT_ONCE {
            // Too few to hide one row's wait behind another's: each goes through several trees at once instead.
            for (row, sum) in rows.iter_mut().zip(sums) {
                *sum = self.fold(row, *sum, &add);
            }
            return;
        }
        for row in rows.iter_mut() {
            self.close(row);
        }
        for group in &self.groups {
            for (root, depth) in group.roots.iter().zip(group.depths).take(usize::from(group.used)) {
                for (rows, sums) in rows.chunks(AT_ONCE).zip(sums.chunks_mut(AT_ONCE)) {
                    let leaves = self.leaves(rows, *root, depth).unwrap_or_default();
                    for (sum, leaf) in sums.iter_mut().zip(leaves) {
                        *sum = add(*sum, self.leaf(leaf));
                    }
                }
            }
        }
    }

    /// Gives the leaves their column.
    fn close<const WIDTH: usize>(&self, columns: &mut [Key; WIDTH]) {
        if let Some(own) = columns.get_mut(self.columns) {
            *own = Key::LEAST;
        }
    }

    /// Where one row ends in each tree of a group. There is always an answer: `None` is what spares each step the
    /// question what to do otherwise.
    #[inline]
    fn leaves_of<const WIDTH: usize>(&self, group: &Group, columns: &[Key; WIDTH]) -> Option<[u32; AT_ONCE]> {
        let mut at = group.roots;
        for _ in 0..group.depth {
            for node in &mut at {
                *node = self.next(*node, columns)?;
            }
        }
        Some(at)
    }

    /// Where each of up to eight rows ends in one tree.
    #[inline]
    fn leaves<const WIDTH: usize>(
        &self,
        rows: &[[Key; WIDTH]],
        root: u32,
        depth: u8,
    ) -> Option<[u32; AT_ONCE]> {
        let mut at = [root; AT_ONCE];
        if let Ok(rows) = <&[[Key; WIDTH]; AT_ONCE]>::try_from(rows) {
            for _ in 0..depth {
                for (node, row) in at.iter_mut().zip(rows) {
                    *node = self.next(*node, row)?;
                }
            }
        } else {
            for (node, row) in at.iter_mut().zip(rows) {
                for _ in 0..depth {
                    *node = self.next(*node, row)?;
                }
            }
        }
        Some(at)
    }

    #[inline]
    fn next<const WIDTH: usize>(&self, at: u32, columns: &[Key; WIDTH]) -> Option<u32> {
        let node = self.nodes.get(at as usize)?;
        // The mask changes nothing (a column is always below WIDTH, a power of two): it spares the check.
        let x = columns.get(usize::from(node.column) & (WIDTH - 1))?;
        // Never near the end of the numbers: there are fewer nodes than 2^23.
        Some(node.low.wrapping_add(u32::from(node.threshold < *x)))
    }

    #[inline]
    fn leaf(&self, at: u32) -> f64 {
        self.nodes.get(at as usize).map_or(0.0, |node| node.threshold.held())
    }
}

/// How many rows of so many columns go through all trees together: no more than stay in the nearest memory.
pub(super) const fn rows_at_once(width: usize) -> usize {
    const NEAREST: usize = 32 << 10;
    let rows = NEAREST / (width * size_of::<Key>());
    if rows > BLOCK {
        BLOCK
    } else if rows < AT_ONCE {
        AT_ONCE
    } else {
        rows
    }
}

fn group(trees: &[(u32, u8)]) -> Group {
    let first = trees.first().map_or(0, |(root, _)| *root);
    let (mut roots, mut depths) = ([first; AT_ONCE], [0; AT_ONCE]);
    for ((slot, level), (root, depth)) in roots.iter_mut().zip(&mut depths).zip(trees) {
        (*slot, *level) = (*root, *depth);
    }
    let depth = trees.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    Group { roots, depths, used: u8::try_from(trees.len()).unwrap_or(0), depth }
}

/// Every node but the root has one parent, which stands before it: so it is a tree, and every walk ends.
fn check(tree: &[Node], columns: usize, leaves: Leaves) -> Result<(), (usize, &'static str)> {
    let mut has_parent = vec![false; tree.len()];
    for (index, node) in tree.iter().enumerate() {
        match *node {
            Node::Leaf(value) if (0.0..=1.0).contains(&value) => {}
            Node::Leaf(value) if leaves == Leaves::Numbers && value.is_finite() => {}
            Node::Leaf(_) if leaves == Leaves::Numbers => {
                return Err((index, "a leaf's value is not a finite number"));
            }
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
                let threshold = Key::of(*threshold);
                into.push(Flat { threshold, low: place(order.len())?, column });
                order.extend([(*low, level + 1), (*high, level + 1)]);
            }
            Some(Node::Leaf(value)) => {
                let threshold = Key::holding(*value);
                into.push(Flat { threshold, low: place(next)?, column: sentinel });
            }
            None => return Err((index, "a child does not exist")),
        }
        next += 1;
    }
    Ok(depth)
}
