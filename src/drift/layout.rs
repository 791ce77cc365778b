//! Into which bin a score or an input falls, by the reference of a version, and where it is counted.
//! Absent on purpose: the counts.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::domain::model::{Model, Range, as_number};
use crate::domain::value::{Kind, Name, Value};
use crate::learn::library::LibraryVersion;

/// Most bins of one input, so that one with thousands of categories fills neither memory nor metrics: the rarest ones
/// share a bin.
const MOST_BINS: usize = 64;
/// Characters up to which an edge is named as it is; a longer one is rounded, as far as that tells edges apart.
const SHORT: usize = 8;
/// Digits behind the first one that it has then, at least.
const FEW_DIGITS: usize = 3;

pub const MISSING: &str = "(missing)";
pub const UNSEEN: &str = "(unseen)";
pub const OTHER: &str = "(other)";

/// Where everything that is counted of one version stands, in one row of cells.
#[derive(Debug, PartialEq)]
pub(super) struct Layout {
    pub score: Variable,
    /// In the order of the model's inputs.
    pub inputs: Box<[Variable]>,
    /// All cells of all variables.
    pub cells: usize,
}

/// The score or one input.
#[derive(Debug, PartialEq)]
pub(super) struct Variable {
    pub name: Name,
    split: Split,
    /// A cell each, in order; those of missing and unseen values last, where there are any.
    pub bins: Box<[Bin]>,
    /// The first bin's cell.
    pub first: usize,
    /// The numbers that the model was fitted on. What is beyond is in its bin, and counted apart behind the bins.
    range: Option<Range>,
}

/// One bin, and what the reference has in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bin {
    pub label: Arc<str>,
    /// Of a number: from this one on, up to that one without it.
    pub from: Option<f64>,
    pub to: Option<f64>,
    pub expected: u64,
}

#[derive(Debug, PartialEq)]
enum Split {
    /// A value is in the first bin whose edge is above it, or in the last one.
    Numbers(Box<[f64]>),
    /// In order of name, with the bin of each.
    Choices(Box<[(Name, usize)]>),
    Booleans,
}

/// `reference` of a `card.json`, or of what was given later.
#[derive(Debug, Deserialize)]
struct Stored {
    score: Histogram,
    inputs: Vec<InputHistogram>,
}

#[derive(Debug, Deserialize)]
struct InputHistogram {
    input: String,
    #[serde(flatten)]
    histogram: Histogram,
}

#[derive(Debug, Deserialize)]
struct Histogram {
    #[serde(default)]
    edges: Vec<f64>,
    #[serde(default)]
    categories: Vec<String>,
    counts: Vec<u64>,
    #[serde(default)]
    missing: u64,
    #[serde(default)]
    unseen: u64,
}

/// Why a version is not compared with anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReference {
    #[error("the version has no card, so nothing is known of the rows that it was fitted on")]
    NoCard,
    #[error(
        "its card has no `reference`: it was imported without rows or with too few, or fitted before cards had one; \
         `tollgate models reference {model}@{version} --rows FILE` gives it one"
    )]
    NotInCard { model: Name, version: u32 },
    #[error(
        "its `reference` cannot be read: {why}; `tollgate models reference {model}@{version} --rows FILE` gives it \
         another"
    )]
    Broken { model: Name, version: u32, why: String },
}

impl Layout {
    /// Of a version: the reference that was given later, else its card's.
    ///
    /// # Errors
    /// When there is none, or none for this model.
    pub(super) fn of(model: &Model, version: &LibraryVersion) -> Result<Self, NoReference> {
        match version.reference() {
            Some(reference) => Self::read(model, reference),
            None if version.card.is_null() => Err(NoReference::NoCard),
            None => Err(NoReference::NotInCard { model: Name::clone(&model.name), version: model.version }),
        }
    }

    pub(super) fn read(model: &Model, reference: &Json) -> Result<Self, NoReference> {
        let broken = |why: String| NoReference::Broken {
            model: Name::clone(&model.name),
            version: model.version,
            why,
        };
        let stored = Stored::deserialize(reference).map_err(|error| broken(error.to_string()))?;
        let mut cells = 0;
        let mut place = |mut variable: Variable| {
            variable.first = cells;
            cells += variable.bins.len() + usize::from(variable.range.is_some());
            variable
        };
        let score = Variable::numbers(Name::from("score"), &stored.score).map_err(broken)?;
        let score = place(score);
        let mut inputs = Vec::with_capacity(model.inputs.len());
        for (at, input) in model.inputs.iter().enumerate() {
            let found = stored.inputs.iter().find(|found| found.input == *input.name);
            let found = found.ok_or_else(|| broken(format!("it has nothing for `{}`", input.name)))?;
            let of = Variable::input(&input.name, &input.kind, &found.histogram).map_err(broken)?;
            inputs.push(place(Variable { range: model.range(at), ..of }));
        }
        Ok(Self { score, inputs: inputs.into(), cells })
    }
}

impl Variable {
    fn input(name: &Name, kind: &Kind, histogram: &Histogram) -> Result<Self, String> {
        let mut variable = match kind {
            Kind::Choice(_) => Self::choices(name.clone(), histogram)?,
            Kind::Boolean => {
                let [no, yes] = histogram.counts.as_slice() else {
                    return Err(format!("`{name}` is true or false and has not two counts"));
                };
                let bins = [Bin::named("false", *no), Bin::named("true", *yes)].into();
                Self { name: name.clone(), split: Split::Booleans, bins, first: 0, range: None }
            }
            _ => Self::numbers(name.clone(), histogram)?,
        };
        let apart = [Bin::named(MISSING, histogram.missing), Bin::named(UNSEEN, histogram.unseen)];
        variable.bins = variable.bins.into_iter().chain(apart).collect();
        if variable.expected() == 0 {
            return Err(format!("`{name}` has no row"));
        }
        Ok(variable)
    }

    fn numbers(name: Name, histogram: &Histogram) -> Result<Self, String> {
        let Histogram { edges, counts, .. } = histogram;
        let rises = edges.windows(2).all(|pair| matches!(pair, [low, high] if low < high));
        if !rises || edges.iter().any(|edge| !edge.is_finite()) || counts.len() != edges.len() + 1 {
            return Err(format!("`{name}` has not one count more than it has edges, each above the last"));
        }
        let labels = labels(edges);
        let from = std::iter::once(None).chain(edges.iter().copied().map(Some));
        let to = edges.iter().copied().map(Some).chain([None]);
        let bins = labels.into_iter().zip(from.zip(to)).zip(counts);
        let bins =
            bins.map(|((label, (from, to)), expected)| Bin { from, to, ..Bin::named(&label, *expected) });
        let split = Split::Numbers(edges.clone().into());
        Ok(Self { name, split, bins: bins.collect(), first: 0, range: None })
    }

    fn choices(name: Name, histogram: &Histogram) -> Result<Self, String> {
        let Histogram { categories, counts, .. } = histogram;
        if categories.is_empty() || categories.len() != counts.len() {
            return Err(format!("`{name}` has not a count for each of its categories"));
        }
        let mut order: Vec<(&String, u64)> = categories.iter().zip(counts.iter().copied()).collect();
        let kept = if order.len() > MOST_BINS {
            order.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            MOST_BINS - 1
        } else {
            order.len()
        };
        let mut bins: Vec<Bin> =
            order.iter().take(kept).map(|(category, count)| Bin::named(category, *count)).collect();
        let rest: u64 = order.iter().skip(kept).map(|(_, count)| count).sum();
        if order.len() > kept {
            bins.push(Bin::named(OTHER, rest));
        }
        let place =
            |(at, (category, _)): (usize, &(&String, u64))| (Name::from(category.as_str()), at.min(kept));
        let mut places: Vec<(Name, usize)> = order.iter().enumerate().map(place).collect();
        places.sort();
        Ok(Self { name, split: Split::Choices(places.into()), bins: bins.into(), first: 0, range: None })
    }

    /// The cell of a score.
    pub(super) fn cell_of_number(&self, number: f64) -> usize {
        match &self.split {
            Split::Numbers(edges) => self.first + edges.partition_point(|edge| *edge <= number),
            _ => self.unseen(),
        }
    }

    /// The cell of an input's value, and the one of those beyond the range that the model was fitted on, if it is.
    pub(super) fn cells(&self, value: &Value) -> (usize, Option<usize>) {
        let cell = match (&self.split, value) {
            (_, Value::Missing) => self.missing(),
            (Split::Numbers(_), value) => match as_number(value) {
                Some(number) => {
                    let beyond = self.range.filter(|range| !range.holds(number));
                    return (self.cell_of_number(number), beyond.map(|_| self.first + self.bins.len()));
                }
                None => self.missing(),
            },
            (Split::Choices(places), Value::Text(text)) => {
                let found = places.binary_search_by(|(name, _)| name.cmp(text)).ok();
                found.and_then(|at| places.get(at)).map_or(self.unseen(), |(_, bin)| self.first + bin)
            }
            (Split::Booleans, Value::Boolean(yes)) => self.first + usize::from(*yes),
            _ => self.unseen(),
        };
        (cell, None)
    }

    /// The cell of those beyond the range that the model was fitted on, if it has one.
    pub(super) fn beyond(&self) -> Option<usize> {
        self.range.map(|_| self.first + self.bins.len())
    }

    fn missing(&self) -> usize {
        self.first + self.bins.len().saturating_sub(2)
    }

    fn unseen(&self) -> usize {
        self.first + self.bins.len().saturating_sub(1)
    }

    /// Rows of the reference.
    pub(super) fn expected(&self) -> u64 {
        self.bins.iter().map(|bin| bin.expected).sum()
    }
}

impl Bin {
    fn named(label: &str, expected: u64) -> Self {
        Self { label: Arc::from(label), from: None, to: None, expected }
    }
}

/// `<936`, `936 to <1275`, `>=1275`, with as many digits as it takes to tell them apart.
fn labels(edges: &[f64]) -> Vec<String> {
    let short = |digits: usize| -> Vec<String> {
        let round = |edge: &f64| format!("{edge:.digits$e}").parse::<f64>().unwrap_or(*edge).to_string();
        let name = |edge: &f64| Some(edge.to_string()).filter(|name| name.len() <= SHORT);
        edges.iter().map(|edge| name(edge).unwrap_or_else(|| round(edge))).collect()
    };
    let is_apart =
        |names: &[String]| names.windows(2).all(|pair| matches!(pair, [one, other] if one != other));
    let names = (FEW_DIGITS..17).map(short).find(|names| is_apart(names));
    let names = names.unwrap_or_else(|| edges.iter().map(ToString::to_string).collect());
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return vec!["any".to_owned()] };
    let between = names.iter().zip(names.iter().skip(1)).map(|(low, high)| format!("{low} to <{high}"));
    std::iter::once(format!("<{first}")).chain(between).chain([format!(">={last}")]).collect()
}

#[cfg(test)]
mod tests;
