//! Trees that add up, as XGBoost, LightGBM and ONNX mean them: where a missing value goes, sets of categories, the
//! width of the sum and what is made of it. Absent: fitting; what a leaf is called; a branch for any of this while
//! walking. Each way in which a column is looked at becomes a column of its own (a *view*), in which a missing value is
//! an infinity and a category in a set is 0; after that all trees ask is `x <= threshold`.

use std::fmt;

use super::ModelError;
use super::key::Key;
use super::link::Link;
use super::trees::{BLOCK, Leaves, Node, Trees, rows_at_once};

/// Most views: their places are 16 bits wide, and one place is the leaves' own.
const MAX_VIEWS: usize = 65_534;
/// Most categories of a column that sets speak of.
pub const MAX_CATEGORIES: u32 = 1 << 16;
/// What LightGBM takes for zero.
const ZERO: f64 = 1e-35_f32 as f64;

/// One node of a tree as it was fitted. Children stand after their parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Branch {
    Split { column: usize, rule: Rule, low: usize, high: usize },
    Leaf(f64),
}

/// Which way a row goes at a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// To `low` when the column is at most the threshold.
    AtMost { threshold: f64, missing: Missing },
    /// To `low` when the column's category is in the set with this index; any other category, known or not, to `high`.
    In { set: usize, missing: Side },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Low,
    High,
}

/// What a split does with a value that was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    Goes(Side),
    /// It is compared as 0.
    AsZero,
    /// It goes there, and so does 0.
    WithZero(Side),
}

/// How wide the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Columns and sums are 32-bit floats, as in XGBoost and ONNX.
    Single,
    /// Columns and sums are 64-bit floats; columns nearer to 0 than 1e-35 are 0, as in LightGBM.
    Double,
}

/// When the base is added: sums of floats depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseComes {
    First,
    Last,
}

/// What boosted trees are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedParts {
    pub trees: Vec<Vec<Branch>>,
    /// Sets of categories, by their place in the column's own list.
    pub sets: Vec<Vec<u32>>,
    /// Columns that the trees are over.
    pub columns: usize,
    pub width: Width,
    pub base: f64,
    pub base_comes: BaseComes,
    /// The sum is divided by this, before the link; 1 for boosted trees, the number of trees for LightGBM's forests.
    pub divide_by: u32,
    pub link: Link,
}

/// Validated, flattened boosted trees.
#[derive(Clone, PartialEq)]
pub struct Boosted {
    trees: Trees,
    views: Box<[View]>,
    sets: Box<[Set]>,
    columns: usize,
    width: Width,
    base: f64,
    base_comes: BaseComes,
    divide_by: f64,
    link: Link,
}

/// A column as some splits look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct View {
    column: u16,
    looks: Looks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Looks {
    At(Missing),
    In { set: u32, missing: Side },
}

/// A set of categories as bits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set(Box<[u64]>);

impl Boosted {
    /// # Errors
    /// The first thing found wrong: as for a forest, or a set, base or divisor that is none.
    pub fn new(parts: &BoostedParts) -> Result<Self, ModelError> {
        let BoostedParts { columns, width, base, base_comes, divide_by, link, .. } = *parts;
        if columns > super::MAX_COLUMNS {
            return Err(ModelError::TooManyColumns { encoded: columns });
        }
        let wrong = |problem| Err(ModelError::Ensemble { problem });
        if !base.is_finite() || divide_by == 0 {
            return wrong("the base is not finite, or the sum is divided by 0");
        }
        if matches!(link, Link::Logistic { slope } if !slope.is_finite() || slope <= 0.0) {
            return wrong("the slope of the link is not above 0");
        }
        if parts.sets.iter().flatten().any(|category| *category >= MAX_CATEGORIES) {
            return wrong("a set has a category beyond the 65,536th");
        }
        let views = views(parts)?;
        if views.len() > MAX_VIEWS {
            return wrong("the splits look at columns and sets in more than 65,534 ways");
        }
        let nodes: Vec<Vec<Node>> = parts
            .trees
            .iter()
            .map(|tree| tree.iter().map(|branch| node(*branch, &views)).collect())
            .collect();
        let trees = Trees::new(&nodes, views.len(), MAX_VIEWS, Leaves::Numbers)?;
        let sets = parts.sets.iter().map(|set| Set::new(set)).collect();
        let divide_by = f64::from(divide_by);
        Ok(Self { trees, views: views.into(), sets, columns, width, base, base_comes, divide_by, link })
    }

    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    #[must_use]
    pub fn trees(&self) -> u32 {
        self.trees.count()
    }

    #[must_use]
    pub fn link(&self) -> Link {
        self.link
    }

    /// What it was made of, trees breadth first.
    #[must_use]
    pub fn parts(&self) -> BoostedParts {
        let branch = |node: &Node| match *node {
            Node::Leaf(value) => Branch::Leaf(value),
            Node::Split { column, threshold, low, high } => {
                let nowhere = View { column: u16::MAX, looks: Looks::At(Missing::AsZero) };
                let view = self.views.get(column).copied().unwrap_or(nowhere);
                let rule = match view.looks {
                    Looks::At(missing) => Rule::AtMost { threshold, missing },
                    Looks::In { set, missing } => Rule::In { set: set as usize, missing },
                };
                Branch::Split { column: usize::from(view.column), rule, low, high }
            }
        };
        BoostedParts {
            trees: self.nodes().iter().map(|tree| tree.iter().map(branch).collect()).collect(),
            sets: self.sets.iter().map(Set::categories).collect(),
            columns: self.columns,
            width: self.width,
            base: self.base,
            base_comes: self.base_comes,
            divide_by: self.divide_by as u32,
            link: self.link,
        }
    }

    #[must_use]
    pub fn width(&self) -> Width {
        self.width
    }

    /// What is added to the sum of the leaves.
    pub(super) fn base(&self) -> f64 {
        self.base
    }

    /// What the sum of the leaves is multiplied by.
    pub(super) fn scale(&self) -> f64 {
        1.0 / self.divide_by
    }

    /// The trees again, breadth first, over views.
    pub(super) fn nodes(&self) -> Vec<Vec<Node>> {
        self.trees.unflattened()
    }

    /// The column that each view is of.
    pub(super) fn players(&self) -> Vec<u16> {
        self.views.iter().map(|view| view.column).collect()
    }

    /// What each view sees of one row.
    pub(super) fn views(&self, columns: &[f64]) -> Vec<f64> {
        let given = |view: &View| columns.get(usize::from(view.column)).copied().unwrap_or(f64::NAN);
        self.views.iter().map(|view| self.seen(*view, given(view))).collect()
    }

    /// Counts one row at each node where it comes by.
    pub(super) fn visit(&self, columns: &[f64], covers: &mut Vec<Vec<f64>>) {
        self.trees.visit(&self.views(columns), covers);
    }

    /// What the leaves add up to, with the base, before the link.
    #[must_use]
    pub fn margin(&self, columns: &[f64]) -> f64 {
        // One more than the views: the leaves' own.
        match self.views.len() {
            0..=63 => self.margin_within(columns, &mut [Key::LEAST; 64]),
            64..=255 => self.margin_within(columns, &mut [Key::LEAST; 256]),
            256..=1023 => self.margin_within(columns, &mut [Key::LEAST; 1024]),
            1024..=4095 => self.margin_within(columns, &mut [Key::LEAST; 4096]),
            _ => {
                let mut views = vec![Key::LEAST; MAX_VIEWS + 2];
                let views = <&mut [Key; MAX_VIEWS + 2]>::try_from(views.as_mut_slice());
                views.map_or(f64::NAN, |views| self.margin_within(columns, views))
            }
        }
    }

    /// The answer: the link of the margin.
    #[must_use]
    pub fn answer(&self, columns: &[f64]) -> f64 {
        self.link.answer(self.margin(columns))
    }

    /// The answers for rows of [`Boosted::columns`] cells each, several rows at a time. As many as `into` holds.
    pub fn answers(&self, cells: &[f64], into: &mut [f64]) {
        match self.views.len() {
            0..=31 => self.answers_within::<32>(cells, into),
            32..=63 => self.answers_within::<64>(cells, into),
            64..=255 => self.answers_within::<256>(cells, into),
            256..=1023 => self.answers_within::<1024>(cells, into),
            _ => {
                for (columns, answer) in cells.chunks_exact(self.columns.max(1)).zip(into) {
                    *answer = self.answer(columns);
                }
            }
        }
    }

    fn answers_within<const WIDTH: usize>(&self, cells: &[f64], into: &mut [f64]) {
        let block = rows_at_once(WIDTH);
        let mut rows = vec![[Key::LEAST; WIDTH]; block.min(into.len())];
        for (cells, answers) in cells.chunks(self.columns.max(1) * block).zip(into.chunks_mut(block)) {
            let rows = rows.get_mut(..answers.len()).unwrap_or_default();
            self.look_at_all(cells, rows);
            match self.width {
                Width::Single => {
                    let mut sums = [self.start() as f32; BLOCK];
                    let sums = sums.get_mut(..answers.len()).unwrap_or_default();
                    self.trees.fold_block(rows, sums, |sum, leaf| sum + leaf as f32);
                    for (answer, sum) in answers.iter_mut().zip(sums) {
                        *answer = self.link.answer(self.finish(f64::from(*sum)));
                    }
                }
                Width::Double => {
                    answers.fill(self.start());
                    self.trees.fold_block(rows, answers, |sum, leaf| sum + leaf);
                    for answer in answers {
                        *answer = self.link.answer(self.finish(*answer));
                    }
                }
            }
        }
    }

    fn margin_within<const WIDTH: usize>(&self, columns: &[f64], views: &mut [Key; WIDTH]) -> f64 {
        for (view, into) in self.views.iter().zip(views.iter_mut()) {
            let given = columns.get(usize::from(view.column)).copied().unwrap_or(f64::NAN);
            *into = Key::of(self.seen(*view, given));
        }
        self.finish(match self.width {
            // The leaves of such a model are 32-bit floats already: nothing is lost.
            Width::Single => {
                f64::from(self.trees.fold(views, self.start() as f32, |sum, leaf| sum + leaf as f32))
            }
            Width::Double => self.trees.fold(views, self.start(), |sum, leaf| sum + leaf),
        })
    }

    /// What each view sees of each row, view by view: which way it looks is asked once for all rows.
    fn look_at_all<const WIDTH: usize>(&self, cells: &[f64], rows: &mut [[Key; WIDTH]]) {
        for (at, view) in self.views.iter().enumerate() {
            let given = cells.iter().skip(usize::from(view.column)).step_by(self.columns.max(1));
            let places = rows.iter_mut().filter_map(|row| row.get_mut(at & (WIDTH - 1)));
            let places = given.zip(places);
            match (view.looks, self.width) {
                (Looks::At(Missing::Goes(side)), Width::Single) => {
                    let missing = Key::of(infinity(side));
                    for (given, place) in places {
                        let x = f64::from(*given as f32);
                        *place = if x.is_nan() { missing } else { Key::of(x) };
                    }
                }
                _ => {
                    for (given, place) in places {
                        *place = Key::of(self.seen(*view, *given));
                    }
                }
            }
        }
    }

    fn start(&self) -> f64 {
        if self.base_comes == BaseComes::First { self.base } else { 0.0 }
    }

    fn finish(&self, sum: f64) -> f64 {
        let single = self.width == Width::Single;
        let mut sum = sum;
        // Divided by 1 nothing changes, so only LightGBM's forests pay for it.
        if self.divide_by > 1.0 {
            sum /= self.divide_by;
        }
        if self.base_comes == BaseComes::Last {
            sum += self.base;
        }
        if single { f64::from(sum as f32) } else { sum }
    }

    #[inline]
    fn seen(&self, view: View, given: f64) -> f64 {
        let x = match self.width {
            Width::Single => f64::from(given as f32),
            Width::Double if given.abs() <= ZERO => 0.0,
            Width::Double => given,
        };
        match view.looks {
            Looks::At(Missing::Goes(side)) if x.is_nan() => infinity(side),
            Looks::At(Missing::AsZero) if x.is_nan() => 0.0,
            Looks::At(Missing::WithZero(side)) if x.is_nan() || x.abs() <= ZERO => infinity(side),
            Looks::At(_) => x,
            Looks::In { missing, .. } if x.is_nan() => infinity(missing),
            Looks::In { set, .. } => {
                let inside = self.sets.get(set as usize).is_some_and(|set| set.holds(x));
                infinity(if inside { Side::Low } else { Side::High })
            }
        }
    }
}

/// What is below, or above, every threshold.
fn infinity(side: Side) -> f64 {
    match side {
        Side::Low => f64::NEG_INFINITY,
        Side::High => f64::INFINITY,
    }
}

/// The ways in which the splits look at columns, each once, in order.
fn views(parts: &BoostedParts) -> Result<Vec<View>, ModelError> {
    let mut views = Vec::new();
    for (tree, branches) in parts.trees.iter().enumerate() {
        for (node, branch) in branches.iter().enumerate() {
            let Branch::Split { column, rule, .. } = *branch else { continue };
            let wrong = |problem| ModelError::Node { tree, node, problem };
            if column >= parts.columns {
                return Err(wrong("it splits on a column that does not exist"));
            }
            if matches!(rule, Rule::In { set, .. } if set >= parts.sets.len()) {
                return Err(wrong("its set of categories does not exist"));
            }
            views.push(view(column, rule));
        }
    }
    views.sort_unstable();
    views.dedup();
    Ok(views)
}

fn view(column: usize, rule: Rule) -> View {
    // Columns are at most MAX_COLUMNS and sets at most as many as nodes: both fit, or were refused.
    let column = u16::try_from(column).unwrap_or(u16::MAX);
    let looks = match rule {
        Rule::AtMost { missing, .. } => Looks::At(missing),
        Rule::In { set, missing } => Looks::In { set: u32::try_from(set).unwrap_or(u32::MAX), missing },
    };
    View { column, looks }
}

fn node(branch: Branch, views: &[View]) -> Node {
    match branch {
        Branch::Leaf(value) => Node::Leaf(value),
        Branch::Split { column, rule, low, high } => {
            let column = views.binary_search(&view(column, rule)).unwrap_or(usize::MAX);
            let threshold = match rule {
                Rule::AtMost { threshold, .. } => threshold,
                Rule::In { .. } => 0.0,
            };
            Node::Split { column, threshold, low, high }
        }
    }
}

impl Set {
    fn new(categories: &[u32]) -> Self {
        let most = categories.iter().max().map_or(0, |most| *most as usize + 1);
        let mut words = vec![0_u64; most.div_ceil(64)];
        for category in categories {
            if let Some(word) = words.get_mut(*category as usize / 64) {
                *word |= 1 << (category % 64);
            }
        }
        Self(words.into())
    }

    fn categories(&self) -> Vec<u32> {
        (0..MAX_CATEGORIES)
            .take(self.0.len() * 64)
            .filter(|category| self.holds(f64::from(*category)))
            .collect()
    }

    /// A code below 0 is no category; what is behind the point does not count.
    fn holds(&self, x: f64) -> bool {
        if x <= -1.0 {
            return false;
        }
        // A cast of a float saturates, so what is huge is in no set.
        let category = x as usize;
        self.0.get(category / 64).is_some_and(|word| word >> (category % 64) & 1 == 1)
    }
}

impl fmt::Debug for Boosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trees, nodes) = (self.trees.count(), self.trees.nodes());
        write!(f, "Boosted({trees} trees, {nodes} nodes, {} columns, {:?})", self.columns, self.link)
    }
}
