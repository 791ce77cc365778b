//! How a model treats groups of people that the law protects: approvals and their ratios at a cut-off, and which
//! inputs stand in for the attribute that was left out. It measures and judges nothing: what a ratio means is for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::sample::{Protected, Sample};
use crate::domain::model::{Model, as_number};
use crate::domain::value::Value;

/// Groups of one attribute; an attribute of more values that are no numbers is not split.
pub const MOST_GROUPS: usize = 12;
/// Bands of a numeric attribute or input.
pub const BANDS: usize = 5;
/// Below so many rows a group's rates are chance.
pub const FEW_ROWS: usize = 30;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct AttributeCard {
    pub attribute: String,
    /// Of the held-out rows; empty when the attribute has too many values to be split.
    pub groups: Vec<GroupCard>,
    /// Strongest first, over all rows.
    pub proxies: Vec<Proxy>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct GroupCard {
    pub group: String,
    pub rows: usize,
    pub bad_rate: f64,
    pub mean_probability: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_rate: Option<f64>,
    /// Approval rate by the highest approval rate of a group that is large enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adverse_impact_ratio: Option<f64>,
    /// Too few rows for the rates to say much.
    pub few_rows: bool,
}

/// How well an input tells the groups apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Proxy {
    pub input: String,
    /// Cramér's V, corrected for chance: 0 tells nothing, 1 gives the group away.
    pub cramers_v: f64,
}

/// What is asked about each protected attribute.
pub(super) struct Asked<'a> {
    pub model: &'a Model,
    /// Where the model's inputs stand in the sample's rows.
    pub uses: &'a [usize],
    pub sample: &'a Sample,
    pub held_out: &'a [usize],
    pub probabilities: &'a [f64],
    pub cut_off: Option<f64>,
}

pub(super) fn measure(asked: &Asked<'_>) -> Vec<AttributeCard> {
    asked.sample.protected.iter().map(|protected| attribute(asked, protected)).collect()
}

fn attribute(asked: &Asked<'_>, protected: &Protected) -> AttributeCard {
    let Some(groups) = split(protected) else {
        return AttributeCard {
            attribute: protected.column.clone(),
            groups: Vec::new(),
            proxies: Vec::new(),
        };
    };
    let mut proxies: Vec<Proxy> = asked
        .model
        .inputs
        .iter()
        .zip(asked.uses)
        .map(|(input, at)| {
            let levels = levels(&asked.sample.rows, *at);
            Proxy { input: input.name.to_string(), cramers_v: cramers_v(&levels, &groups.of) }
        })
        .collect();
    proxies.sort_by(|a, b| b.cramers_v.total_cmp(&a.cramers_v));
    AttributeCard { attribute: protected.column.clone(), groups: rates(asked, &groups), proxies }
}

struct Groups {
    names: Vec<String>,
    /// Of each row.
    of: Vec<usize>,
}

/// The attribute's values, or bands of its numbers.
fn split(protected: &Protected) -> Option<Groups> {
    let names = |text: &str| if text.is_empty() { "not given".to_owned() } else { text.to_owned() };
    let mut known: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for cell in &protected.cells {
        let next = known.len();
        known.entry(cell).or_insert(next);
    }
    if known.len() <= MOST_GROUPS {
        let order: BTreeMap<&str, usize> =
            known.keys().enumerate().map(|(at, text)| (&***text, at)).collect();
        let of = protected.cells.iter().filter_map(|cell| order.get(&**cell).copied()).collect();
        return Some(Groups { names: order.keys().map(|text| names(text)).collect(), of });
    }
    let numbers: Vec<Option<f64>> =
        protected.cells.iter().map(|cell| cell.parse().ok().filter(|x: &f64| x.is_finite())).collect();
    if protected.cells.iter().zip(&numbers).any(|(cell, number)| number.is_none() && !cell.is_empty()) {
        return None;
    }
    let mut sorted: Vec<f64> = numbers.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> =
        (1..BANDS).filter_map(|at| sorted.get(sorted.len() * at / BANDS)).copied().collect();
    edges.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let bands = edges.len() + 1;
    let band =
        |number: &Option<f64>| number.map_or(bands, |number| edges.partition_point(|edge| *edge <= number));
    let name = |at: usize| match (at.checked_sub(1).and_then(|below| edges.get(below)), edges.get(at)) {
        (None, Some(below)) => format!("below {below}"),
        (Some(from), Some(below)) => format!("{from} to below {below}"),
        (Some(from), None) if at < bands => format!("from {from}"),
        _ => "not given".to_owned(),
    };
    Some(Groups { names: (0..=bands).map(name).collect(), of: numbers.iter().map(band).collect() })
}

fn rates(asked: &Asked<'_>, groups: &Groups) -> Vec<GroupCard> {
    let mut cards: Vec<GroupCard> = Vec::new();
    for (at, name) in groups.names.iter().enumerate() {
        let in_group = |row: &&usize| groups.of.get(**row) == Some(&at);
        let rows: Vec<usize> = asked.held_out.iter().filter(in_group).copied().collect();
        if rows.is_empty() {
            continue;
        }
        let count = rows.len() as f64;
        let probability = |row: &usize| asked.probabilities.get(*row).copied().unwrap_or(0.0);
        let share = |of: usize| of as f64 / count;
        let is_bad = |row: &&usize| asked.sample.is_bad.get(**row).copied().unwrap_or(false);
        let approved =
            asked.cut_off.map(|cut_off| rows.iter().filter(|row| probability(row) <= cut_off).count());
        cards.push(GroupCard {
            group: name.clone(),
            rows: rows.len(),
            bad_rate: share(rows.iter().filter(is_bad).count()),
            mean_probability: rows.iter().map(probability).sum::<f64>() / count,
            approval_rate: approved.map(share),
            adverse_impact_ratio: None,
            few_rows: rows.len() < FEW_ROWS,
        });
    }
    let large = cards.iter().filter(|card| !card.few_rows).filter_map(|card| card.approval_rate);
    let highest = large.fold(0.0, f64::max);
    if highest > 0.0 {
        for card in &mut cards {
            card.adverse_impact_ratio = card.approval_rate.map(|rate| rate / highest);
        }
    }
    cards
}

/// A small number for each row's value of an input: its category, or the fifth that its number lies in.
#[must_use]
pub fn levels<R: AsRef<[Value]>>(rows: &[R], at: usize) -> Vec<usize> {
    let value = |row: &R| row.as_ref().get(at).cloned().unwrap_or(Value::Missing);
    let mut numbers: Vec<f64> = rows.iter().filter_map(|row| as_number(&value(row))).collect();
    numbers.sort_by(f64::total_cmp);
    let edges: Vec<f64> =
        (1..BANDS).filter_map(|band| numbers.get(numbers.len() * band / BANDS)).copied().collect();
    let mut texts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    let level = |row: &R| match value(row) {
        Value::Missing => 0,
        Value::Boolean(yes) => 1 + usize::from(yes),
        Value::Text(text) => {
            let next = texts.len() + 1;
            *texts.entry(text).or_insert(next)
        }
        number => as_number(&number).map_or(0, |number| 1 + edges.partition_point(|edge| *edge <= number)),
    };
    rows.iter().map(level).collect()
}

/// Cramér's V with Bergsma's correction, so that many categories on few rows do not look like a link.
#[must_use]
pub fn cramers_v(one: &[usize], other: &[usize]) -> f64 {
    let mut cells: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let (mut rows, mut columns): (BTreeMap<usize, f64>, BTreeMap<usize, f64>) = Default::default();
    for (a, b) in one.iter().zip(other) {
        *cells.entry((*a, *b)).or_default() += 1.0;
        *rows.entry(*a).or_default() += 1.0;
        *columns.entry(*b).or_default() += 1.0;
    }
    let count: f64 = rows.values().sum();
    if count < 2.0 || rows.len() < 2 || columns.len() < 2 {
        return 0.0;
    }
    let mut chi_squared = 0.0;
    for (a, of_a) in &rows {
        for (b, of_b) in &columns {
            let expected = of_a * of_b / count;
            let found = cells.get(&(*a, *b)).copied().unwrap_or(0.0);
            chi_squared += (found - expected) * (found - expected) / expected;
        }
    }
    let (r, k) = (rows.len() as f64, columns.len() as f64);
    let phi = (chi_squared / count - (k - 1.0) * (r - 1.0) / (count - 1.0)).max(0.0);
    let corrected = |levels: f64| levels - (levels - 1.0) * (levels - 1.0) / (count - 1.0);
    let least = (corrected(r) - 1.0).min(corrected(k) - 1.0);
    if least > 0.0 { (phi / least).sqrt().min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_is_the_attribute_gives_it_away_and_one_that_is_not_tells_nothing() {
        let attribute: Vec<usize> = (0..400).map(|row| row % 2).collect();
        assert!(cramers_v(&attribute, &attribute) > 0.99);
        let other: Vec<usize> = (0..400).map(|row| row / 2 % 4).collect();
        assert!(cramers_v(&other, &attribute) < 1e-9);
        assert!(cramers_v(&[1; 400], &attribute).abs() < 1e-300);
    }
}
