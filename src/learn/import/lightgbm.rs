//! LightGBM's text format: trees that compare 64-bit floats by `<=`, with its three ways to miss a value and its sets of
//! categories. Models of several outputs, rankings and linear trees are refused by name.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::tree::Grown;
use super::{Algorithm, ImportError, Known, Read, refuse};
use crate::domain::model::{
    BaseComes, BoostedParts, Branch, Link, MAX_CATEGORIES, MAX_COLUMNS, Missing, Rule, Side, Width,
};

/// Bits of `decision_type`.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;

/// `key=value` lines; a line without `=` is a key alone.
type Lines<'a> = BTreeMap<&'a str, &'a str>;

pub(super) fn read(text: &str) -> Result<Read, ImportError> {
    if !text.contains("end of trees") {
        return Err(ImportError::Malformed("it ends before `end of trees`: was it copied whole?".to_owned()));
    }
    let (body, rest) = text.split_once("end of trees").unwrap_or((text, ""));
    let mut sections = body.split("\nTree=");
    let header = lines(sections.next().unwrap_or_default());
    let columns = header_count(&header, "max_feature_idx")?.saturating_add(1);
    if columns > MAX_COLUMNS {
        return refuse(format!("it has {columns} features; a model has 1 to {MAX_COLUMNS}"));
    }
    if header_count(&header, "num_class")? != 1 || header_count(&header, "num_tree_per_iteration")? != 1 {
        return refuse(
            "it has several classes; fit it with `objective=binary` for a probability of one outcome",
        );
    }
    let objective = header.get("objective").copied().unwrap_or_default();
    let link = link(objective)?;
    let mut grown = Grown::default();
    for (at, section) in sections.enumerate() {
        let wrong = |problem: String| ImportError::Malformed(format!("tree {at}: {problem}"));
        // The number of the tree is the rest of its first line.
        let tree = Tree::read(&lines(section)).map_err(wrong)?;
        let (branches, covers) = tree.branches(columns, &mut grown.sets).map_err(|p| wrong(p.to_owned()))?;
        grown.push(&branches, &covers).map_err(|p| wrong(p.to_owned()))?;
    }
    let Grown { trees, covers, sets } = grown;
    let is_mean = header.contains_key("average_output");
    let parameters = serde_json::json!({ "objective": objective, "trees": trees.len() });
    let algorithm = Algorithm {
        library: "lightgbm",
        library_version: header.get("version").copied().unwrap_or_default().to_owned(),
        name: if is_mean { "rf" } else { "gbdt" }.to_owned(),
        parameters,
    };
    let parts = BoostedParts {
        divide_by: if is_mean { u32::try_from(trees.len()).unwrap_or(u32::MAX) } else { 1 },
        trees,
        sets,
        columns,
        width: Width::Double,
        base: 0.0,
        base_comes: BaseComes::First,
        link,
    };
    Ok(Read::trees(parts, covers, known(&header, columns, rest)?, algorithm, Vec::new()))
}

fn lines(text: &str) -> Lines<'_> {
    text.lines().map(|line| line.trim().split_once('=').unwrap_or((line.trim(), ""))).collect()
}

fn header_count(header: &Lines<'_>, key: &str) -> Result<usize, ImportError> {
    let wrong = || ImportError::Malformed(format!("`{key}` is missing, or no count"));
    header.get(key).and_then(|text| text.parse().ok()).ok_or_else(wrong)
}

fn link(objective: &str) -> Result<Link, ImportError> {
    let mut words = objective.split_whitespace();
    let name = words.next().unwrap_or_default();
    let option = |key: &str| words.clone().find_map(|word| word.strip_prefix(key)?.strip_prefix(':'));
    Ok(match name {
        "binary" => {
            let slope = option("sigmoid").map_or(Some(1.0), |text| text.parse().ok());
            let slope = slope.filter(|slope: &f64| slope.is_finite() && *slope > 0.0);
            let wrong = || ImportError::Malformed("`sigmoid` is not a number above 0".to_owned());
            Link::Logistic { slope: slope.ok_or_else(wrong)? }
        }
        "cross_entropy" => Link::Logistic { slope: 1.0 },
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape"
            if !words.clone().any(|word| word == "sqrt") =>
        {
            Link::Identity
        }
        "poisson" | "gamma" | "tweedie" => Link::Exponential,
        "" => {
            return refuse(
                "it names no objective, so what its sum means is not known; fit it with `objective=binary`",
            );
        }
        other => {
            return refuse(format!(
                "its objective is `{other}`; fit it with `objective=binary` for a probability of one outcome"
            ));
        }
    })
}

/// Names, and for each column of categories their names: pandas' own lists stand at the end of the file, one a column of
/// categories, in their order.
fn known(header: &Lines<'_>, columns: usize, rest: &str) -> Result<Vec<Known>, ImportError> {
    let names: Vec<&str> = header.get("feature_names").copied().unwrap_or_default().split(' ').collect();
    let infos: Vec<&str> = header.get("feature_infos").copied().unwrap_or_default().split(' ').collect();
    if names.len() != columns {
        return Err(ImportError::Malformed("`feature_names` are not one a feature".to_owned()));
    }
    let listed = rest.lines().find_map(|line| line.strip_prefix("pandas_categorical:")).unwrap_or("null");
    let listed: Option<Vec<Vec<serde_json::Value>>> = serde_json::from_str(listed)
        .map_err(|_| ImportError::Malformed("`pandas_categorical` is no list of lists".to_owned()))?;
    // A range is `[0:48]`, categories are `-1:2:5`, a column that says nothing is `none`.
    let is_category = |info: &&str| !info.starts_with('[') && *info != "none" && info.contains(':');
    let mut listed = listed.unwrap_or_default().into_iter();
    let found = infos.iter().filter(|info| is_category(info)).count();
    if listed.len() != 0 && listed.len() != found {
        return refuse(
            "some of its columns of categories say nothing, so which list belongs to which is not known; fit it \
             without them",
        );
    }
    let known = names.iter().enumerate().map(|(at, name)| {
        let is_category = infos.get(at).is_some_and(is_category);
        let categories = if is_category { listed.next() } else { None };
        Known {
            name: Some((*name).to_owned()),
            is_category,
            categories: categories.unwrap_or_default().iter().map(text_of).collect(),
        }
    });
    Ok(known.collect())
}

fn text_of(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

struct Tree {
    leaf_value: Vec<f64>,
    leaf_count: Vec<f64>,
    internal_count: Vec<f64>,
    split_feature: Vec<usize>,
    threshold: Vec<f64>,
    decision_type: Vec<u8>,
    left_child: Vec<i64>,
    right_child: Vec<i64>,
    cat_boundaries: Vec<usize>,
    cat_threshold: Vec<u32>,
}

fn list<T: FromStr>(lines: &Lines<'_>, key: &str) -> Result<Vec<T>, String> {
    let text = lines.get(key).copied().unwrap_or_default();
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<_, _>>();
    numbers.map_err(|_| format!("`{key}` has something that is no number of its kind"))
}

impl Tree {
    fn read(lines: &Lines<'_>) -> Result<Self, String> {
        if lines.get("is_linear").is_some_and(|linear| *linear != "0") {
            return Err("its leaves are linear models; fit it without `linear_tree`".to_owned());
        }
        Ok(Self {
            leaf_value: list(lines, "leaf_value")?,
            leaf_count: list(lines, "leaf_count")?,
            internal_count: list(lines, "internal_count")?,
            split_feature: list(lines, "split_feature")?,
            threshold: list(lines, "threshold")?,
            decision_type: list(lines, "decision_type")?,
            left_child: list(lines, "left_child")?,
            right_child: list(lines, "right_child")?,
            cat_boundaries: list(lines, "cat_boundaries")?,
            cat_threshold: list(lines, "cat_threshold")?,
        })
    }

    /// Splits first, then leaves, as their numbers are: a child below 0 is a leaf. With their covers, if it has them.
    fn branches(
        &self,
        columns: usize,
        sets: &mut Vec<Vec<u32>>,
    ) -> Result<(Vec<Branch>, Vec<f64>), &'static str> {
        let splits = self.split_feature.len();
        let lengths =
            [self.threshold.len(), self.decision_type.len(), self.left_child.len(), self.right_child.len()];
        if lengths.iter().any(|length| *length != splits) || self.leaf_value.len() != splits + 1 {
            return Err("its lists are not of one length");
        }
        let place = |child: i64| {
            let none = "a child does not exist";
            if child >= 0 {
                return usize::try_from(child).map_err(|_| none);
            }
            usize::try_from(!child).ok().and_then(|leaf| leaf.checked_add(splits)).ok_or(none)
        };
        let mut branches = Vec::with_capacity(2 * splits + 1);
        let lists = self.split_feature.iter().zip(&self.threshold).zip(&self.decision_type);
        let lists = lists.zip(&self.left_child).zip(&self.right_child);
        for ((((column, threshold), decision), left), right) in lists {
            if *column >= columns {
                return Err("it splits on a feature that does not exist");
            }
            let rule = if decision & CATEGORICAL != 0 {
                sets.push(self.set(*threshold)?);
                Rule::In { set: sets.len() - 1, missing: Side::High }
            } else {
                let side = if decision & DEFAULT_LEFT != 0 { Side::Low } else { Side::High };
                let missing = match decision >> 2 & 3 {
                    0 => Missing::AsZero,
                    1 => Missing::WithZero(side),
                    2 => Missing::Goes(side),
                    _ => return Err("a `decision_type` has a way to miss values that is not known"),
                };
                if !threshold.is_finite() {
                    return Err("a threshold is not a finite number");
                }
                Rule::AtMost { threshold: *threshold, missing }
            };
            branches.push(Branch::Split { column: *column, rule, low: place(*left)?, high: place(*right)? });
        }
        branches.extend(self.leaf_value.iter().copied().map(Branch::Leaf));
        let counted = self.internal_count.len() == splits && self.leaf_count.len() == splits + 1;
        let covers = if counted || splits == 0 {
            let leaves = self.leaf_count.iter().copied();
            let covers: Vec<f64> = self.internal_count.iter().copied().chain(leaves).collect();
            // A tree of one leaf need not say how many rows it saw.
            if covers.is_empty() { vec![1.0] } else { covers }
        } else {
            Vec::new()
        };
        Ok((branches, covers))
    }

    /// The set with this index: words of 32 bits between two boundaries.
    fn set(&self, index: f64) -> Result<Vec<u32>, &'static str> {
        let nowhere = "its categories are not where they should be";
        // A cast of a float saturates: what is no index is beyond the boundaries.
        let at = index as usize;
        let start = *self.cat_boundaries.get(at).ok_or(nowhere)?;
        let end = *self.cat_boundaries.get(at.saturating_add(1)).ok_or(nowhere)?;
        let words = self.cat_threshold.get(start..end).ok_or(nowhere)?;
        if words.len() > MAX_CATEGORIES as usize / 32 {
            return Err("a category is beyond the 65,536th");
        }
        let bit = |(word, bits): (u32, &u32)| {
            let bits = *bits;
            (0..32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 32 + bit)
        };
        Ok((0..).zip(words).flat_map(bit).collect())
    }
}
