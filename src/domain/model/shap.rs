//! Exact contributions of columns to the sum of trees: path-dependent `TreeSHAP`, by quadrature. A column's Shapley
//! value in one leaf is an integral of a polynomial of the leaf's path, which a few Gauss-Legendre points give without
//! error; the points of a whole subtree are added up on the way back. Absent: where covers come from, and which input
//! a column belongs to.

use super::ModelError;
use super::trees::{MAX_DEPTH, Node};

/// Trees with the share of the training rows that went each way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shap {
    nodes: Box<[Explained]>,
    roots: Box<[u32]>,
    /// What all trees give on average.
    base: f64,
    players: usize,
    rule: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Explained {
    threshold: f64,
    /// Of the rows that came here, how many went low, and high.
    shares: [f64; 2],
    /// Of the rows that met this column first on the path, how many came here; 1 when it was not met before.
    before: f64,
    /// Of `low`; `high` is the one after it. 0 in a leaf, whose value is `threshold`.
    low: u32,
    column: u16,
    player: u16,
    repeats: bool,
}

/// Gauss-Legendre points on 0 to 1 and their weights, as many as the deepest path asks for.
#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Two(Points<2>),
    Four(Points<4>),
    Eight(Points<8>),
    Sixteen(Points<16>),
    ThirtyTwo(Box<Points<32>>),
}

#[derive(Debug, Clone, PartialEq)]
struct Points<const N: usize> {
    at: [f64; N],
    weights: [f64; N],
}

/// What a walk carries with it.
struct Walk<'a, const N: usize> {
    shap: &'a Shap,
    points: &'a Points<N>,
    columns: &'a [f64],
    /// Whether the row went the way of the path at the last split on each player.
    hot: Vec<bool>,
    into: &'a mut [f64],
}

impl Shap {
    /// `covers` is, for each node of each tree, how many rows (or what weight of them) came there; `players` says for
    /// each column whose contribution it is counted to, from 0 to below `count`.
    ///
    /// # Errors
    /// When covers are not for these trees, or are not finite and at least 0.
    pub fn new(
        trees: &[Vec<Node>],
        covers: &[Vec<f64>],
        players: &[u16],
        count: usize,
    ) -> Result<Self, ModelError> {
        let wrong = |problem| ModelError::Covers { problem };
        if trees.len() != covers.len() || players.iter().any(|player| usize::from(*player) >= count) {
            return Err(wrong("they are for another number of trees or columns"));
        }
        let mut build = Build { nodes: Vec::new(), players, base: 0.0, deepest: 0 };
        let mut roots = Vec::with_capacity(trees.len());
        for (tree, covers) in trees.iter().zip(covers) {
            if tree.len() != covers.len() {
                return Err(wrong("they are for another number of nodes"));
            }
            if !covers.iter().all(|cover| cover.is_finite() && *cover >= 0.0) {
                return Err(wrong("one is not a finite number from 0"));
            }
            roots.push(u32::try_from(build.nodes.len()).unwrap_or(u32::MAX));
            build.tree(tree, covers).ok_or_else(|| wrong("they are for trees that are none"))?;
        }
        let rule = match build.deepest {
            0..=4 => Rule::Two(Points::new()),
            5..=8 => Rule::Four(Points::new()),
            9..=16 => Rule::Eight(Points::new()),
            17..=32 => Rule::Sixteen(Points::new()),
            _ => Rule::ThirtyTwo(Box::new(Points::new())),
        };
        let Build { nodes, base, .. } = build;
        Ok(Self { nodes: nodes.into(), roots: roots.into(), base, players: count, rule })
    }

    /// What the trees give on average over the rows that the covers count.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// Adds each player's contribution for a row of `columns` to `into`, which has a place for each.
    pub fn add(&self, columns: &[f64], into: &mut [f64]) {
        match &self.rule {
            Rule::Two(points) => self.add_by(points, columns, into),
            Rule::Four(points) => self.add_by(points, columns, into),
            Rule::Eight(points) => self.add_by(points, columns, into),
            Rule::Sixteen(points) => self.add_by(points, columns, into),
            Rule::ThirtyTwo(points) => self.add_by(points, columns, into),
        }
    }

    fn add_by<const N: usize>(&self, points: &Points<N>, columns: &[f64], into: &mut [f64]) {
        let hot = vec![false; self.players];
        let mut walk = Walk { shap: self, points, columns, hot, into };
        for root in &self.roots {
            walk.below(*root, &points.weights, &[1.0; N]);
        }
    }
}

impl<const N: usize> Walk<'_, N> {
    /// What the leaves below `at` are worth at each point, relative to the path so far, whose product is `path`.
    /// `factor` is what the path to it is multiplied by.
    #[inline]
    fn below(&mut self, at: u32, path: &[f64; N], factor: &[f64; N]) -> [f64; N] {
        let shap = self.shap;
        match shap.nodes.get(at as usize) {
            // Most nodes are leaves: they cost no call.
            Some(node) if node.low == 0 => [node.threshold; N],
            Some(node) => self.split(node, &times(path, factor)),
            None => [0.0; N],
        }
    }

    fn split(&mut self, node: &Explained, path: &[f64; N]) -> [f64; N] {
        let x = self.columns.get(usize::from(node.column)).copied().unwrap_or(f64::NAN);
        // Which way a row goes cannot be foreseen: nothing here branches on it.
        let goes_low = x <= node.threshold;
        let hot = node.low.wrapping_add(u32::from(!goes_low));
        let cold = node.low.wrapping_add(u32::from(goes_low));
        let share = node.shares.get(usize::from(!goes_low)).copied().unwrap_or_default();
        if !node.repeats {
            self.first(node, hot, cold, share, path)
        } else if self.is_hot(node.player) {
            self.again(node, hot, cold, share, path)
        } else {
            // The row has left this path at an earlier split on the same column: nothing here tells it from others.
            let (to_hot, to_cold) = ([share; N], [1.0 - share; N]);
            let hot = self.below(hot, path, &to_hot);
            let cold = self.below(cold, path, &to_cold);
            plus(&times(&to_hot, &hot), &times(&to_cold, &cold))
        }
    }

    /// The first split on its column. `share` of the rows go the row's own way.
    #[inline]
    fn first(&mut self, node: &Explained, hot: u32, cold: u32, share: f64, path: &[f64; N]) -> [f64; N] {
        let to_hot = self.points.at.map(|t| share + t * (1.0 - share));
        let to_cold = self.points.at.map(|t| (1.0 - t) * (1.0 - share));
        self.set_hot(node.player, true);
        let hot = self.below(hot, path, &to_hot);
        self.set_hot(node.player, false);
        let cold = self.below(cold, path, &to_cold);
        let mut sum = 0.0;
        for ((p, h), c) in path.iter().zip(&hot).zip(&cold) {
            sum += p * (h - c);
        }
        self.count(node.player, (1.0 - share) * sum);
        plus(&times(&to_hot, &hot), &times(&to_cold, &cold))
    }

    /// A later split on a column that the row has gone along with so far: its factor on the path is exchanged, and
    /// what the earlier split was given for the leaves below is taken back.
    fn again(&mut self, node: &Explained, hot: u32, cold: u32, share: f64, path: &[f64; N]) -> [f64; N] {
        let before = node.before;
        let (after_hot, after_cold) = (before * share, before * (1.0 - share));
        let (mut to_hot, mut to_cold, mut own) = ([0.0; N], [0.0; N], *path);
        let slots = to_hot.iter_mut().zip(&mut to_cold).zip(&mut own).zip(&self.points.at);
        for (((to_hot, to_cold), own), t) in slots {
            let factor = before + t * (1.0 - before);
            *to_hot = (after_hot + t * (1.0 - after_hot)) / factor;
            *to_cold = (1.0 - t) * after_cold / factor;
            *own /= factor;
        }
        let hot = self.below(hot, path, &to_hot);
        self.set_hot(node.player, false);
        let cold = self.below(cold, path, &to_cold);
        self.set_hot(node.player, true);
        let mut sum = 0.0;
        for ((((own, h), c), to_hot), to_cold) in own.iter().zip(&hot).zip(&cold).zip(&to_hot).zip(&to_cold) {
            let hot_gains = (1.0 - after_hot) - (1.0 - before) * to_hot;
            let cold_gains = -after_cold - (1.0 - before) * to_cold;
            sum += own * (hot_gains * h + cold_gains * c);
        }
        self.count(node.player, sum);
        plus(&times(&to_hot, &hot), &times(&to_cold, &cold))
    }

    fn is_hot(&self, player: u16) -> bool {
        self.hot.get(usize::from(player)).copied().unwrap_or(false)
    }

    fn set_hot(&mut self, player: u16, hot: bool) {
        if let Some(place) = self.hot.get_mut(usize::from(player)) {
            *place = hot;
        }
    }

    fn count(&mut self, player: u16, contribution: f64) {
        if let Some(place) = self.into.get_mut(usize::from(player)) {
            *place += contribution;
        }
    }
}

#[inline]
fn times<const N: usize>(a: &[f64; N], b: &[f64; N]) -> [f64; N] {
    let mut product = *a;
    for (x, y) in product.iter_mut().zip(b) {
        *x *= y;
    }
    product
}

#[inline]
fn plus<const N: usize>(a: &[f64; N], b: &[f64; N]) -> [f64; N] {
    let mut sum = *a;
    for (x, y) in sum.iter_mut().zip(b) {
        *x += y;
    }
    sum
}

impl<const N: usize> Points<N> {
    /// The zeros of the Legendre polynomial of degree `N` by Newton's method, brought from -1..1 to 0..1.
    fn new() -> Self {
        let (mut at, mut weights) = ([0.0; N], [0.0; N]);
        let count = N as f64;
        for (index, (at, weight)) in at.iter_mut().zip(&mut weights).enumerate() {
            let mut x = libm::cos(std::f64::consts::PI * (index as f64 + 0.75) / (count + 0.5));
            let mut slope = 1.0;
            for _ in 0..32 {
                let (mut last, mut value) = (1.0, x);
                for degree in 1..N {
                    let k = degree as f64;
                    let next = ((2.0 * k + 1.0) * x * value - k * last) / (k + 1.0);
                    (last, value) = (value, next);
                }
                slope = count * (x * value - last) / (x * x - 1.0);
                x -= value / slope;
            }
            *at = 0.5 * (1.0 - x);
            *weight = 1.0 / ((1.0 - x * x) * slope * slope);
        }
        Self { at, weights }
    }
}

struct Build<'a> {
    nodes: Vec<Explained>,
    players: &'a [u16],
    base: f64,
    /// Most different players on a path.
    deepest: usize,
}

/// A node that waits for its turn, and what led to it.
struct Waiting {
    index: usize,
    level: u8,
    /// Of all rows, how many came here.
    weight: f64,
    /// Each player on the path, and of the rows that met it first how many came here.
    met: Vec<(u16, f64)>,
}

impl Build<'_> {
    /// Appends a checked tree breadth first, siblings side by side.
    fn tree(&mut self, tree: &[Node], covers: &[f64]) -> Option<()> {
        let start = self.nodes.len();
        let mut order =
            std::collections::VecDeque::from([Waiting { index: 0, level: 0, weight: 1.0, met: Vec::new() }]);
        let mut placed = 1;
        while let Some(Waiting { index, level, weight, met }) = order.pop_front() {
            let explained = match *tree.get(index)? {
                Node::Leaf(value) => {
                    self.base += weight * value;
                    self.deepest = self.deepest.max(met.len());
                    Explained::leaf(value)
                }
                Node::Split { column, threshold, low, high } => {
                    if level >= MAX_DEPTH {
                        return None;
                    }
                    let share_low = share(*covers.get(low)?, *covers.get(high)?);
                    let player = *self.players.get(column)?;
                    let earlier = met.iter().find(|(known, _)| *known == player).map(|(_, share)| *share);
                    for (child, share) in [(low, share_low), (high, 1.0 - share_low)] {
                        let mut met = met.clone();
                        met.retain(|(known, _)| *known != player);
                        met.push((player, earlier.unwrap_or(1.0) * share));
                        order.push_back(Waiting {
                            index: child,
                            level: level + 1,
                            weight: weight * share,
                            met,
                        });
                    }
                    let low = u32::try_from(start + placed).ok()?;
                    placed += 2;
                    let before = earlier.unwrap_or(1.0);
                    let column = u16::try_from(column).ok()?;
                    Explained {
                        threshold,
                        shares: [share_low, 1.0 - share_low],
                        before,
                        low,
                        column,
                        player,
                        repeats: earlier.is_some(),
                    }
                }
            };
            self.nodes.push(explained);
        }
        Some(())
    }
}

impl Explained {
    fn leaf(value: f64) -> Self {
        Self { threshold: value, shares: [0.0; 2], before: 1.0, low: 0, column: 0, player: 0, repeats: false }
    }
}

/// Where nobody came, one side is as likely as the other.
fn share(low: f64, high: f64) -> f64 {
    let both = low + high;
    if both > 0.0 && both.is_finite() { low / both } else { 0.5 }
}

#[cfg(test)]
mod tests;
