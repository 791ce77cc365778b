//! `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: lists over nodes, gathered into trees. Each split's own comparison
//! is kept; those with `==` are refused. Two classes at each leaf become two ensembles, of which one is then left out.

use std::collections::BTreeMap;

use super::lower::{Lowering, Row, Value};
use super::ml::{attribute, floats, ints, text, transformed, with_its_rest};
use super::operators::input;
use super::proto::NodeProto;
use crate::domain::model::{
    BaseComes, Boosted, BoostedParts, Branch, Link, Missing, Rule, Side, Step, Width,
};
use crate::learn::import::tree::{Grown, just_below};
use crate::learn::import::{ImportError, refuse};

/// Nodes of an ensemble, each in its tree by its own number.
struct Nodes<'a> {
    trees: &'a [i64],
    ids: &'a [i64],
    features: &'a [i64],
    values: &'a [f32],
    modes: &'a [Vec<u8>],
    when_true: &'a [i64],
    when_false: &'a [i64],
    missing_true: &'a [i64],
}

/// What leaves add: by tree and node.
type Weights = BTreeMap<(i64, i64), f32>;

impl<'a> Nodes<'a> {
    fn read(node: &'a NodeProto) -> Result<Self, ImportError> {
        if attribute(node, "nodes_values_as_tensor").is_some() {
            return refuse("it compares 64-bit floats; export it with float inputs");
        }
        let modes =
            attribute(node, "nodes_modes").map_or(&[] as &[Vec<u8>], |modes| modes.strings.as_slice());
        let nodes = Self {
            trees: ints(node, "nodes_treeids"),
            ids: ints(node, "nodes_nodeids"),
            features: ints(node, "nodes_featureids"),
            values: floats(node, "nodes_values"),
            modes,
            when_true: ints(node, "nodes_truenodeids"),
            when_false: ints(node, "nodes_falsenodeids"),
            missing_true: ints(node, "nodes_missing_value_tracks_true"),
        };
        let count = nodes.trees.len();
        let lists = [
            nodes.ids.len(),
            nodes.features.len(),
            nodes.values.len(),
            nodes.modes.len(),
            nodes.when_true.len(),
            nodes.when_false.len(),
        ];
        let missing_fits = nodes.missing_true.is_empty() || nodes.missing_true.len() == count;
        if count == 0 || lists.iter().any(|list| *list != count) || !missing_fits {
            return Err(ImportError::Malformed("its lists of nodes are not of one length".to_owned()));
        }
        Ok(nodes)
    }

    /// The trees, with `weights` as their leaves.
    fn grow(&self, weights: &Weights, columns: usize) -> Result<Grown, ImportError> {
        let mut trees: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (at, tree) in self.trees.iter().enumerate() {
            trees.entry(*tree).or_default().push(at);
        }
        let mut grown = Grown::default();
        for (tree, nodes) in trees {
            let wrong = |problem: &str| ImportError::Malformed(format!("tree {tree}: {problem}"));
            let places: BTreeMap<i64, usize> = nodes
                .iter()
                .enumerate()
                .filter_map(|(place, at)| Some((*self.ids.get(*at)?, place)))
                .collect();
            if places.len() != nodes.len() {
                return Err(wrong("a node stands twice"));
            }
            let branch = |at: &usize| self.branch(tree, *at, &places, weights, columns).map_err(wrong);
            let branches = nodes.iter().map(branch).collect::<Result<Vec<_>, _>>()?;
            grown.push(&branches, &[]).map_err(wrong)?;
        }
        Ok(grown)
    }

    fn branch(
        &self,
        tree: i64,
        at: usize,
        places: &BTreeMap<i64, usize>,
        weights: &Weights,
        columns: usize,
    ) -> Result<Branch, &'static str> {
        let cut = "its lists of nodes are not of one length";
        let id = *self.ids.get(at).ok_or(cut)?;
        let mode = self.modes.get(at).ok_or(cut)?.as_slice();
        if mode == b"LEAF" {
            return Ok(Branch::Leaf(f64::from(weights.get(&(tree, id)).copied().unwrap_or(0.0))));
        }
        let child = |ids: &[i64]| places.get(ids.get(at)?).copied();
        let when_true = child(self.when_true).ok_or("a child does not exist")?;
        let when_false = child(self.when_false).ok_or("a child does not exist")?;
        let column = self.features.get(at).and_then(|feature| usize::try_from(*feature).ok());
        let column =
            column.filter(|column| *column < columns).ok_or("it splits on a column that does not exist")?;
        let value = *self.values.get(at).ok_or(cut)?;
        if value.is_nan() {
            return Err("a threshold is not a number");
        }
        // scikit-learn parts missing values from all others by an infinite threshold. No column is infinite: what is
        // finite is below the largest number, or above the lowest.
        let at_most = f64::from(value).clamp(f64::MIN, f64::MAX);
        let below = just_below(value).unwrap_or(at_most);
        // `x > t` is `x <= t` with its sides exchanged.
        let (threshold, true_is_low) = match mode {
            b"BRANCH_LEQ" => (at_most, true),
            b"BRANCH_LT" => (below, true),
            b"BRANCH_GT" => (at_most, false),
            b"BRANCH_GTE" => (below, false),
            _ => {
                return Err(
                    "a split asks for more than `<`, `<=`, `>` or `>=`; import the library's own format",
                );
            }
        };
        let to_true = self.missing_true.get(at).is_some_and(|to_true| *to_true != 0);
        let side = if to_true == true_is_low { Side::Low } else { Side::High };
        let rule = Rule::AtMost { threshold, missing: Missing::Goes(side) };
        let (low, high) = if true_is_low { (when_true, when_false) } else { (when_false, when_true) };
        Ok(Branch::Split { column, rule, low, high })
    }
}

/// The weights of leaves for each class or target, by its number.
fn weights(node: &NodeProto, kind: &str) -> Result<BTreeMap<i64, Weights>, ImportError> {
    let list = |what: &str| ints(node, &format!("{kind}_{what}"));
    let (trees, nodes, numbers) = (list("treeids"), list("nodeids"), list("ids"));
    let values = floats(node, &format!("{kind}_weights"));
    if values.is_empty() || [trees.len(), nodes.len(), numbers.len()].iter().any(|n| *n != values.len()) {
        return Err(ImportError::Malformed("its lists of leaves are not of one length".to_owned()));
    }
    let mut weights: BTreeMap<i64, Weights> = BTreeMap::new();
    for (((tree, node), number), value) in trees.iter().zip(nodes).zip(numbers).zip(values) {
        *weights.entry(*number).or_default().entry((*tree, *node)).or_insert(0.0) += value;
    }
    Ok(weights)
}

/// A step that sums trees over a row; gives its one number.
fn step(
    lowering: &mut Lowering,
    row: &Row,
    nodes: &Nodes<'_>,
    weights: &Weights,
    base: f32,
    divide_by: u32,
    link: Link,
) -> Result<Row, ImportError> {
    let columns = row.slots.len();
    let Grown { trees, sets, .. } = nodes.grow(weights, columns)?;
    let parts = BoostedParts {
        trees,
        sets,
        columns,
        width: Width::Single,
        base: f64::from(base),
        base_comes: BaseComes::Last,
        divide_by,
        link,
    };
    let trees = Boosted::new(&parts).map_err(|error| ImportError::Malformed(error.to_string()))?;
    let slots = lowering.push(Step::Trees { of: row.slots.clone(), trees: Box::new(trees) })?;
    Ok(Row { slots, width: Width::Single, is_probability: link.gives_probability() })
}

pub(super) fn regressor(lowering: &mut Lowering, node: &NodeProto) -> Result<Vec<Value>, ImportError> {
    let row = lowering.row(input(node, 0)?)?;
    let nodes = Nodes::read(node)?;
    let weights = weights(node, "target")?;
    let (Some((0, weights)), 1) = (weights.first_key_value(), weights.len()) else {
        return refuse("it has several targets");
    };
    let trees = nodes.trees.iter().collect::<std::collections::BTreeSet<_>>().len();
    let divide_by = match text(node, "aggregate_function").as_str() {
        "" | "SUM" => 1,
        "AVERAGE" => u32::try_from(trees).unwrap_or(u32::MAX),
        other => return refuse(format!("it aggregates by `{other}`; by sum or average is read")),
    };
    let base = floats(node, "base_values").first().copied().unwrap_or(0.0);
    let link = link(node)?;
    Ok(vec![Value::Row(step(lowering, &row, &nodes, weights, base, divide_by, link)?)])
}

fn link(node: &NodeProto) -> Result<Link, ImportError> {
    match text(node, "post_transform").as_str() {
        "" | "NONE" => Ok(Link::Identity),
        "LOGISTIC" => Ok(Link::LogisticTurned),
        other => refuse(format!("the transform `{other}` is not read here")),
    }
}

pub(super) fn classifier(lowering: &mut Lowering, node: &NodeProto) -> Result<Vec<Value>, ImportError> {
    let labels = ints(node, "classlabels_int64s").len();
    let texts = attribute(node, "classlabels_strings").map_or(0, |labels| labels.strings.len());
    if labels.max(texts) != 2 {
        return refuse("it has other than two classes; only models of one outcome are read");
    }
    let row = lowering.row(input(node, 0)?)?;
    let nodes = Nodes::read(node)?;
    let classes = weights(node, "class")?;
    let bases = floats(node, "base_values");
    let scores = match (classes.get(&0), classes.get(&1)) {
        (Some(first), Some(second)) => {
            let base = |at: usize| bases.get(at).copied().unwrap_or(0.0);
            let mut slots = Vec::new();
            for (weights, base) in [(first, base(0)), (second, base(1))] {
                slots.extend(step(lowering, &row, &nodes, weights, base, 1, Link::Identity)?.slots);
            }
            let positive = classes.values().flat_map(BTreeMap::values).all(|weight| *weight >= 0.0);
            transformed(lowering, node, Row { slots, width: Width::Single, is_probability: positive })?
        }
        (Some(only), None) | (None, Some(only)) => {
            let positive = only.values().all(|weight| *weight >= 0.0);
            let base = bases.last().copied().unwrap_or(0.0);
            // ONNX Runtime takes positive weights for probabilities, whatever the transform says, unless there are two
            // bases.
            let link = match link(node)? {
                Link::LogisticTurned if positive && bases.len() < 2 => Link::Identity,
                link => link,
            };
            let mut one = step(lowering, &row, &nodes, only, base, 1, link)?;
            one.is_probability |= positive;
            with_its_rest(lowering, one)?
        }
        (None, None) => return Err(ImportError::Malformed("its leaves are of no class".to_owned())),
    };
    Ok(vec![Value::Unread, Value::Row(scores)])
}
