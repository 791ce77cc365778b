//! XGBoost's own format, as JSON or UBJSON: trees that compare 32-bit floats by `<`, and sum them as such.
//! Read since 1.0; models of several outputs, rankings and survival are refused by name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{self, Visitor};

use super::tree::{self, Grown};
use super::{Algorithm, ImportError, Known, Read, refuse, ubj};
use crate::domain::model::{
    BaseComes, BoostedParts, Branch, Link, MAX_CATEGORIES, MAX_COLUMNS, Missing, Rule, Side, Width,
};

#[derive(Debug, Deserialize)]
struct File {
    learner: Learner,
    #[serde(default)]
    version: Vec<u32>,
}

#[derive(Debug, Deserialize)]
struct Learner {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    feature_names: Vec<String>,
    #[serde(default)]
    feature_types: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: LearnerParam,
    objective: Objective,
}

#[derive(Debug, Deserialize)]
struct LearnerParam {
    base_score: String,
    #[serde(default)]
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: String,
}

#[derive(Debug, Deserialize)]
struct Objective {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Booster {
    name: String,
    model: Option<TreesOrWeights>,
    /// Of a DART booster.
    gbtree: Option<Inner>,
    #[serde(default)]
    weight_drop: Vec<f32>,
}

#[derive(Debug, Deserialize)]
struct Inner {
    model: TreesOrWeights,
}

#[derive(Debug, Deserialize)]
struct TreesOrWeights {
    #[serde(default)]
    trees: Vec<Tree>,
    #[serde(default)]
    iteration_indptr: Vec<usize>,
    #[serde(default)]
    gbtree_model_param: TreesParam,
    cats: Option<Categories>,
    /// Of a linear booster: one a feature, then the bias.
    weights: Option<Vec<f32>>,
}

#[derive(Debug, Default, Deserialize)]
struct TreesParam {
    #[serde(default)]
    num_parallel_tree: String,
}

#[derive(Debug, Deserialize)]
struct Categories {
    #[serde(default)]
    enc: Vec<Encoded>,
}

/// The categories of a column: text one after the other, each from an offset to the next; or numbers.
#[derive(Debug, Deserialize)]
struct Encoded {
    #[serde(default)]
    offsets: Vec<usize>,
    #[serde(default)]
    values: Vec<i64>,
}

#[derive(Debug, Deserialize)]
struct Tree {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<usize>,
    split_conditions: Vec<f32>,
    default_left: Vec<Flag>,
    #[serde(default)]
    sum_hessian: Vec<f64>,
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories: Vec<u32>,
    #[serde(default)]
    categories_nodes: Vec<usize>,
    #[serde(default)]
    categories_segments: Vec<usize>,
    #[serde(default)]
    categories_sizes: Vec<usize>,
    #[serde(default)]
    tree_param: TreeParam,
}

#[derive(Debug, Default, Deserialize)]
struct TreeParam {
    #[serde(default)]
    size_leaf_vector: String,
}

/// `true` and `false` in old files, 1 and 0 in new ones.
#[derive(Debug, Clone, Copy)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false, 1 or 0")
            }
            fn visit_bool<E>(self, is: bool) -> Result<Flag, E> {
                Ok(Flag(is))
            }
            fn visit_u64<E>(self, is: u64) -> Result<Flag, E> {
                Ok(Flag(is != 0))
            }
            fn visit_i64<E>(self, is: i64) -> Result<Flag, E> {
                Ok(Flag(is != 0))
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

pub(super) fn read_json(bytes: &[u8]) -> Result<Read, ImportError> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            ImportError::Malformed(format!("it ends too early, at line {line}, column {column}"))
        } else {
            ImportError::Malformed(format!("line {line}, column {column}: {error}"))
        }
    })?;
    read(file)
}

pub(super) fn read_ubj(bytes: &[u8]) -> Result<Read, ImportError> {
    read(ubj::read(bytes).map_err(|error| ImportError::Malformed(error.to_string()))?)
}

fn read(file: File) -> Result<Read, ImportError> {
    let Learner {
        attributes,
        feature_names,
        feature_types,
        gradient_booster,
        learner_model_param,
        objective,
    } = file.learner;
    let param = &learner_model_param;
    let columns = count(&param.num_feature, "num_feature")?;
    if columns == 0 || columns > MAX_COLUMNS {
        return refuse(format!("it has {columns} features; a model has 1 to {MAX_COLUMNS}"));
    }
    if !matches!(param.num_class.as_str(), "" | "0" | "1") || !matches!(param.num_target.as_str(), "" | "1") {
        return refuse("it has several classes or targets; only models of one answer are read");
    }
    let link = link(&objective.name)?;
    let base = base_score(&param.base_score, link)?;
    let library_version = file.version.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    let Booster { name: booster, model, gbtree, weight_drop } = gradient_booster;
    let Some(model) = gbtree.map(|inner| inner.model).or(model) else {
        return refuse(format!("its booster `{booster}` has no model"));
    };
    let parameters = serde_json::json!({
        "objective": objective.name, "booster": booster, "trees": model.trees.len(),
    });
    let algorithm = Algorithm { library: "xgboost", library_version, name: booster.clone(), parameters };
    let known = known(&feature_names, &feature_types, model.cats.as_ref(), columns)?;
    let mut notes = Vec::new();
    let weights = match booster.as_str() {
        "gblinear" => return linear(&model, known, columns, base, link, algorithm),
        "gbtree" | "dart" => grow(&model, &weight_drop, &attributes, columns, &mut notes)?,
        other => {
            return refuse(format!("its booster is `{other}`; `gbtree`, `dart` and `gblinear` are read"));
        }
    };
    let Grown { trees, covers, sets } = weights;
    let parts = BoostedParts {
        trees,
        sets,
        columns,
        width: Width::Single,
        base,
        base_comes: BaseComes::First,
        divide_by: 1,
        link,
    };
    Ok(Read::trees(parts, covers, known, algorithm, notes))
}

fn count(text: &str, what: &str) -> Result<usize, ImportError> {
    text.parse().map_err(|_| ImportError::Malformed(format!("`{what}` is no count")))
}

fn link(objective: &str) -> Result<Link, ImportError> {
    Ok(match objective {
        "binary:logistic" | "reg:logistic" => Link::LogisticSingle,
        "binary:hinge" => Link::Step,
        "binary:logitraw"
        | "reg:squarederror"
        | "reg:linear"
        | "reg:squaredlogerror"
        | "reg:pseudohubererror"
        | "reg:absoluteerror"
        | "reg:quantileerror" => Link::Identity,
        "count:poisson" | "reg:gamma" | "reg:tweedie" => Link::ExponentialSingle,
        other => {
            return refuse(format!(
                "its objective is `{other}`; fit it with `binary:logistic` for a probability of one outcome"
            ));
        }
    })
}

/// The base is written as an answer (`[2.8E-1]` since 3.0) and summed as what stands before the link.
fn base_score(text: &str, link: Link) -> Result<f64, ImportError> {
    let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
    let wrong = || ImportError::Malformed("`base_score` is no number, or several".to_owned());
    let answer: f32 = bare.parse().map_err(|_| wrong())?;
    let base = match link {
        Link::LogisticSingle => -(libm::log(f64::from(1.0_f32 / answer - 1.0)) as f32),
        Link::ExponentialSingle => libm::log(f64::from(answer)) as f32,
        _ => answer,
    };
    if base.is_finite() { Ok(f64::from(base)) } else { Err(wrong()) }
}

fn known(
    names: &[String],
    kinds: &[String],
    categories: Option<&Categories>,
    columns: usize,
) -> Result<Vec<Known>, ImportError> {
    if !names.is_empty() && names.len() != columns {
        return Err(ImportError::Malformed("`feature_names` are not as many as `num_feature`".to_owned()));
    }
    (0..columns)
        .map(|at| {
            let encoded = categories.and_then(|categories| categories.enc.get(at));
            Ok(Known {
                name: names.get(at).cloned(),
                is_category: kinds.get(at).is_some_and(|kind| kind == "c"),
                categories: match encoded {
                    Some(encoded) => encoded.names()?,
                    None => Vec::new(),
                },
            })
        })
        .collect()
}

impl Encoded {
    fn names(&self) -> Result<Vec<String>, ImportError> {
        let wrong =
            || ImportError::Malformed("the names of categories are not where they should be".to_owned());
        if self.offsets.is_empty() {
            return Ok(self.values.iter().map(ToString::to_string).collect());
        }
        let bytes: Option<Vec<u8>> = self.values.iter().map(|value| u8::try_from(*value).ok()).collect();
        // Signed bytes: what is not ASCII is below 0.
        let signed =
            || self.values.iter().map(|value| i8::try_from(*value).ok().map(i8::cast_unsigned)).collect();
        let bytes = bytes.or_else(signed).ok_or_else(wrong)?;
        let ends = self.offsets.iter().skip(1);
        self.offsets
            .iter()
            .zip(ends)
            .map(|(start, end)| {
                let text = bytes.get(*start..*end).ok_or_else(wrong)?;
                String::from_utf8(text.to_vec()).map_err(|_| wrong())
            })
            .collect()
    }
}

fn grow(
    model: &TreesOrWeights,
    weight_drop: &[f32],
    attributes: &BTreeMap<String, String>,
    columns: usize,
    notes: &mut Vec<String>,
) -> Result<Grown, ImportError> {
    let trees = used(model, attributes, notes);
    if !weight_drop.is_empty() && weight_drop.len() < trees.len() {
        return Err(ImportError::Malformed(
            "`weight_drop` has fewer weights than there are trees".to_owned(),
        ));
    }
    let mut grown = Grown::default();
    for (at, tree) in trees.iter().enumerate() {
        let wrong = |problem: &str| ImportError::Malformed(format!("tree {at}: {problem}"));
        if !matches!(tree.tree_param.size_leaf_vector.as_str(), "" | "0" | "1") {
            return refuse("its leaves hold several numbers; only models of one answer are read");
        }
        let weight = weight_drop.get(at).copied().unwrap_or(1.0);
        let branches = tree.branches(columns, weight, &mut grown.sets).map_err(wrong)?;
        let covers = if tree.sum_hessian.len() == branches.len() { tree.sum_hessian.as_slice() } else { &[] };
        grown.push(&branches, covers).map_err(wrong)?;
    }
    Ok(grown)
}

/// The trees that answer: with early stopping those up to the best, as XGBoost's scikit-learn interface uses them.
fn used<'a>(
    model: &'a TreesOrWeights,
    attributes: &BTreeMap<String, String>,
    notes: &mut Vec<String>,
) -> &'a [Tree] {
    let all = model.trees.as_slice();
    let Some(best) = attributes.get("best_iteration").and_then(|best| best.parse::<usize>().ok()) else {
        return all;
    };
    let parallel = model.gbtree_model_param.num_parallel_tree.parse::<usize>().unwrap_or(1).max(1);
    let by_index = model.iteration_indptr.get(best.saturating_add(1)).copied();
    let end = by_index.unwrap_or(best.saturating_add(1).saturating_mul(parallel));
    match all.get(..end) {
        Some(some) if end < all.len() && end > 0 => {
            notes.push(format!(
                "it stopped early: the {end} trees up to its best iteration answer, of {}",
                all.len()
            ));
            some
        }
        _ => all,
    }
}

impl Tree {
    fn branches(
        &self,
        columns: usize,
        weight: f32,
        sets: &mut Vec<Vec<u32>>,
    ) -> Result<Vec<Branch>, &'static str> {
        let nodes = self.left_children.len();
        let lengths = [
            self.right_children.len(),
            self.split_indices.len(),
            self.split_conditions.len(),
            self.default_left.len(),
        ];
        if nodes == 0 || lengths.iter().any(|length| *length != nodes) {
            return Err("its lists are not of one length");
        }
        let mut branches = Vec::with_capacity(nodes);
        let lists = self.left_children.iter().zip(&self.right_children).zip(&self.split_indices);
        let lists = lists.zip(&self.split_conditions).zip(&self.default_left);
        for (node, ((((left, right), column), condition), default)) in lists.enumerate() {
            if *left == -1 {
                branches.push(Branch::Leaf(f64::from(weight * condition)));
                continue;
            }
            let child = |child: i64| usize::try_from(child).map_err(|_| "a child does not exist");
            let (left, right) = (child(*left)?, child(*right)?);
            if *column >= columns {
                return Err("it splits on a feature that does not exist");
            }
            let is_category = self.split_type.get(node).is_some_and(|kind| *kind == 1);
            branches.push(if is_category {
                // XGBoost sends the set to the right and what it does not know to the left; here a set goes low.
                sets.push(self.set(node)?);
                let missing = if default.0 { Side::High } else { Side::Low };
                let rule = Rule::In { set: sets.len() - 1, missing };
                Branch::Split { column: *column, rule, low: right, high: left }
            } else {
                let missing = Missing::Goes(if default.0 { Side::Low } else { Side::High });
                let threshold = tree::just_below(*condition).ok_or("a threshold is not a finite number")?;
                let rule = Rule::AtMost { threshold, missing };
                Branch::Split { column: *column, rule, low: left, high: right }
            });
        }
        Ok(branches)
    }

    fn set(&self, node: usize) -> Result<Vec<u32>, &'static str> {
        let nowhere = "its categories are not where they should be";
        let at = self.categories_nodes.iter().position(|known| *known == node).ok_or(nowhere)?;
        let start = *self.categories_segments.get(at).ok_or(nowhere)?;
        let size = *self.categories_sizes.get(at).ok_or(nowhere)?;
        let end = start.checked_add(size).ok_or(nowhere)?;
        let set = self.categories.get(start..end).ok_or(nowhere)?;
        if set.iter().any(|category| *category >= MAX_CATEGORIES) {
            return Err("a category is beyond the 65,536th");
        }
        Ok(set.to_vec())
    }
}

/// A linear booster: base, weights and bias, summed in 32 bits in the order of the features, as XGBoost does.
fn linear(
    model: &TreesOrWeights,
    known: Vec<Known>,
    columns: usize,
    base: f64,
    link: Link,
    algorithm: Algorithm,
) -> Result<Read, ImportError> {
    let weights = model.weights.as_deref().unwrap_or_default();
    let Some((bias, coefficients)) = weights.split_last().filter(|(_, rest)| rest.len() == columns) else {
        return Err(ImportError::Malformed("`weights` are not one a feature and a bias".to_owned()));
    };
    if link != Link::LogisticSingle && link != Link::Identity {
        return refuse("its objective is none that a linear booster is read with: `binary:logistic` is");
    }
    let coefficients = coefficients.iter().map(|weight| f64::from(*weight)).collect();
    Ok(Read::linear(coefficients, base + f64::from(*bias), link == Link::LogisticSingle, known, algorithm))
}
