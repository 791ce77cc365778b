//! Rates by group of people: approvals and their ratios with what chance alone could make of them, scores that lie
//! elsewhere, and the inputs that tell the groups apart although the group itself was kept out. It measures and judges
//! nothing: what a ratio means is for people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::counts::Counts;
use super::spread::{Spread, apart};
use super::tally::{Sampled, counted, merged};
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;
use crate::learn::groups::{BANDS, FEW_ROWS, MOST_GROUPS, cramers_v, levels};

/// Different values of a score that are counted in each group.
const MOST_SCORES: usize = 1_000;
/// Standard deviations on each side that hold 95 % of what chance does.
const NINETY_FIVE: f64 = 1.959_963_984_540_054;
/// What is less likely than this is not put down to chance.
const CHANCE: f64 = 0.05;
const FOUR_FIFTHS: f64 = 0.8;

/// One column by which rows are grouped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribute {
    pub column: String,
    /// The group with the highest approval rate among those that are large enough: the others are held against it.
    pub reference: Option<String>,
    /// Empty when the column has too many values to be grouped.
    pub groups: Vec<Group>,
    /// How well each input tells the groups apart, strongest first.
    pub proxies: Vec<Proxy>,
    /// Rows that the proxies were measured on.
    pub sampled: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    pub group: String,
    #[serde(flatten)]
    pub counts: Counts,
    pub approved: u64,
    pub approval_rate: f64,
    /// 95 % of it (Wilson's).
    pub approval_interval: [f64; 2],
    /// Approval rate by that of the reference group.
    pub adverse_impact_ratio: Option<f64>,
    /// 95 % of it (Katz's, on logarithms).
    pub ratio_interval: Option<[f64; 2]>,
    /// How often chance alone would set the two rates this far apart (two proportions, normal approximation).
    pub p_value: Option<f64>,
    pub four_fifths: FourFifths,
    pub bad_rate: Option<f64>,
    pub bad_rate_of_approved: Option<f64>,
    pub outcomes: BTreeMap<Name, u64>,
    pub scores: Vec<ScoreShift>,
}

/// What the four-fifths rule says of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FourFifths {
    Reference,
    Meets,
    Below,
    /// Below, but chance alone could have done that.
    BelowMaybeByChance,
    /// Too few rows for the rates to say anything.
    FewRows,
}

impl FourFifths {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Meets => "",
            Self::Below => "below four fifths",
            Self::BelowMaybeByChance => "below four fifths, maybe by chance",
            Self::FewRows => "few rows",
        }
    }
}

/// Where a group's scores lie, beside those of everybody else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreShift {
    pub score: Name,
    pub mean: f64,
    /// Difference of the means by the standard deviation of both (Cohen's d): 0.2 is little, 0.8 much.
    pub shift: Option<f64>,
    /// Largest distance between the two distributions (Kolmogorov-Smirnov).
    pub ks: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proxy {
    pub input: Name,
    /// Cramér's V, corrected for chance: 0 tells nothing, 1 gives the group away.
    pub cramers_v: f64,
}

/// What is counted of the rows with one value.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupTally {
    counts: Counts,
    outcomes: BTreeMap<Name, Counts>,
    scores: BTreeMap<Name, Spread>,
}

impl GroupTally {
    pub(super) fn add(&mut self, verdict: &Verdict, is_bad: Option<bool>) {
        self.counts.add(is_bad);
        counted(&mut self.outcomes, &verdict.outcome, is_bad);
        for (name, score) in &verdict.scores {
            if !self.scores.contains_key(name) {
                self.scores.insert(name.clone(), Spread::new(MOST_SCORES));
            }
            if let Some(spread) = self.scores.get_mut(name) {
                spread.add(score.rounded, is_bad);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.counts.merge(other.counts);
        merged(&mut self.outcomes, other.outcomes.clone());
        for (name, spread) in &other.scores {
            self.scores.entry(name.clone()).or_insert_with(|| Spread::new(MOST_SCORES)).merge(spread);
        }
    }
}

/// What is asked about one group column.
pub(super) struct Question<'a> {
    pub column: &'a str,
    /// Its place among the group columns.
    pub at: usize,
    pub values: Option<BTreeMap<String, GroupTally>>,
    pub sample: &'a [Sampled],
    pub inputs: &'a [Name],
    /// The mildest outcome: what counts as approved.
    pub approve: &'a str,
}

pub(super) fn attribute(question: Question<'_>) -> Attribute {
    let column = question.column.to_owned();
    let split = question.values.and_then(split);
    let Some((name_of, tallies)) = split else {
        return Attribute { column, reference: None, groups: Vec::new(), proxies: Vec::new(), sampled: 0 };
    };
    let groups: Vec<Group> =
        tallies.iter().map(|(name, tally)| group(name, tally, &tallies, question.approve)).collect();
    let large = groups.iter().filter(|group| group.counts.rows >= FEW_ROWS as u64);
    let reference = large.max_by(|a, b| a.approval_rate.total_cmp(&b.approval_rate)).cloned();
    let groups = match &reference {
        Some(reference) => groups.into_iter().map(|group| against(group, reference)).collect(),
        None => groups,
    };
    let of: Vec<usize> = question
        .sample
        .iter()
        .map(|row| {
            let value = row.groups.get(question.at).map(String::as_str).unwrap_or_default();
            let name = name_of(value);
            tallies.iter().position(|(known, _)| *known == name).unwrap_or(tallies.len())
        })
        .collect();
    let rows: Vec<&[crate::domain::value::Value]> = question.sample.iter().map(|row| &*row.values).collect();
    let mut proxies: Vec<Proxy> = question
        .inputs
        .iter()
        .enumerate()
        .map(|(at, input)| Proxy { input: input.clone(), cramers_v: cramers_v(&levels(&rows, at), &of) })
        .collect();
    proxies.sort_by(|a, b| b.cramers_v.total_cmp(&a.cramers_v));
    let reference = reference.map(|group| group.group);
    Attribute { column, reference, groups, proxies, sampled: rows.len() }
}

type NameOf = Box<dyn Fn(&str) -> String>;

/// The groups: the values, or bands of numbers where there are many. `None`: too many values that are no numbers.
fn split(values: BTreeMap<String, GroupTally>) -> Option<(NameOf, Vec<(String, GroupTally)>)> {
    let plain = |value: &str| if value.is_empty() { "not given".to_owned() } else { value.to_owned() };
    if values.len() <= MOST_GROUPS {
        let groups = values.into_iter().map(|(value, tally)| (plain(&value), tally)).collect();
        return Some((Box::new(plain), groups));
    }
    let number = |value: &str| value.parse::<f64>().ok().filter(|number| number.is_finite());
    let mut numbers: Vec<(f64, u64)> = Vec::new();
    for (value, tally) in values.iter().filter(|(value, _)| !value.is_empty()) {
        numbers.push((number(value)?, tally.counts.rows));
    }
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: u64 = numbers.iter().map(|(_, rows)| rows).sum();
    let mut edges = Vec::new();
    for band in 1..BANDS as u64 {
        let mut seen = 0;
        let edge = numbers.iter().find(|(_, rows)| {
            seen += rows;
            seen > all * band / BANDS as u64
        });
        edges.extend(edge.map(|(value, _)| *value));
    }
    edges.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let place = {
        let edges = edges.clone();
        move |value: &str| match number(value) {
            Some(number) => edges.partition_point(|edge| *edge <= number),
            None => edges.len() + 1,
        }
    };
    let name = move |at: usize| match (at.checked_sub(1).and_then(|below| edges.get(below)), edges.get(at)) {
        (None, Some(below)) => format!("below {below}"),
        (Some(from), Some(below)) => format!("{from} to below {below}"),
        (Some(from), None) if at <= edges.len() => format!("from {from}"),
        _ => "not given".to_owned(),
    };
    let mut bands: BTreeMap<usize, GroupTally> = BTreeMap::new();
    for (value, tally) in &values {
        bands.entry(place(value)).or_default().merge(tally);
    }
    let groups = bands.into_iter().map(|(at, tally)| (name(at), tally)).collect();
    Some((Box::new(move |value| name(place(value))), groups))
}

fn group(name: &str, tally: &GroupTally, all: &[(String, GroupTally)], approve: &str) -> Group {
    let approved = tally.outcomes.get(approve).copied().unwrap_or_default();
    let counts = tally.counts;
    let rest: Vec<&GroupTally> = all.iter().filter(|(known, _)| known != name).map(|(_, t)| t).collect();
    let shift = |(score, spread): (&Name, &Spread)| {
        let others: Vec<&Spread> = rest.iter().filter_map(|tally| tally.scores.get(score)).collect();
        shift(score, spread, &others)
    };
    Group {
        group: name.to_owned(),
        counts,
        approved: approved.rows,
        approval_rate: approved.share(counts.rows),
        approval_interval: wilson(approved.rows, counts.rows),
        adverse_impact_ratio: None,
        ratio_interval: None,
        p_value: None,
        four_fifths: FourFifths::FewRows,
        bad_rate: counts.bad_rate(),
        bad_rate_of_approved: approved.bad_rate(),
        outcomes: tally.outcomes.iter().map(|(name, counts)| (name.clone(), counts.rows)).collect(),
        scores: tally.scores.iter().map(shift).collect(),
    }
}

fn shift(score: &Name, spread: &Spread, others: &[&Spread]) -> ScoreShift {
    let mut rest = Spread::new(MOST_SCORES);
    others.iter().for_each(|other| rest.merge(other));
    let (own_rows, rest_rows) = (spread.rows() as f64, rest.rows() as f64);
    let pooled = ((own_rows - 1.0) * spread.variance() + (rest_rows - 1.0) * rest.variance())
        / (own_rows + rest_rows - 2.0);
    let difference = spread.mean() - rest.mean();
    let cohens = (own_rows >= 2.0 && rest_rows >= 2.0 && pooled > 0.0).then(|| difference / pooled.sqrt());
    ScoreShift {
        score: score.clone(),
        mean: spread.mean(),
        shift: cohens,
        ks: apart(spread, others).map(|found| found.1),
    }
}

/// Holds a group against the reference.
fn against(mut group: Group, reference: &Group) -> Group {
    if group.group == reference.group {
        group.four_fifths = FourFifths::Reference;
        group.adverse_impact_ratio = (reference.approval_rate > 0.0).then_some(1.0);
        return group;
    }
    if reference.approved == 0 {
        return group;
    }
    let (approved, rows) = (group.approved as f64, group.counts.rows as f64);
    let (of_reference, reference_rows) = (reference.approved as f64, reference.counts.rows as f64);
    let ratio = group.approval_rate / reference.approval_rate;
    group.adverse_impact_ratio = Some(ratio);
    group.ratio_interval = Some(ratio_interval((approved, rows), (of_reference, reference_rows)));
    let p_value = two_proportions((approved, rows), (of_reference, reference_rows));
    group.p_value = Some(p_value);
    group.four_fifths = if group.counts.rows < FEW_ROWS as u64 {
        FourFifths::FewRows
    } else if ratio >= FOUR_FIFTHS {
        FourFifths::Meets
    } else if p_value < CHANCE {
        FourFifths::Below
    } else {
        FourFifths::BelowMaybeByChance
    };
    group
}

/// Wilson's interval of a share.
fn wilson(hits: u64, rows: u64) -> [f64; 2] {
    if rows == 0 {
        return [0.0, 1.0];
    }
    let (share, rows, z) = (hits as f64 / rows as f64, rows as f64, NINETY_FIVE);
    let middle = (share + z * z / (2.0 * rows)) / (1.0 + z * z / rows);
    let half = z / (1.0 + z * z / rows) * (share * (1.0 - share) / rows + z * z / (4.0 * rows * rows)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// Katz's interval of a ratio of shares; half a row is added on both sides where one has no approval.
fn ratio_interval((hits, rows): (f64, f64), (other_hits, other_rows): (f64, f64)) -> [f64; 2] {
    let more = if hits > 0.0 { 0.0 } else { 0.5 };
    let (hits, rows) = (hits + more, rows + more);
    let (other_hits, other_rows) = (other_hits + more, other_rows + more);
    let ratio = (hits / rows) / (other_hits / other_rows);
    let error = ((1.0 - hits / rows) / hits + (1.0 - other_hits / other_rows) / other_hits).max(0.0).sqrt();
    [ratio * libm::exp(-NINETY_FIVE * error), ratio * libm::exp(NINETY_FIVE * error)]
}

fn two_proportions((hits, rows): (f64, f64), (other_hits, other_rows): (f64, f64)) -> f64 {
    let pooled = (hits + other_hits) / (rows + other_rows);
    let error = (pooled * (1.0 - pooled) * (1.0 / rows + 1.0 / other_rows)).sqrt();
    if error > 0.0 {
        let z = (hits / rows - other_hits / other_rows) / error;
        libm::erfc(z.abs() / std::f64::consts::SQRT_2)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() < within, "{found} is not {wanted}");
    }

    #[test]
    fn figures_worked_out_by_hand_come_out() {
        // 30 of 100 against 60 of 100: ratio 0.5, error of its logarithm √0.03, z = -0.3 / √(0.45·0.55·0.02).
        let [low, high] = ratio_interval((30.0, 100.0), (60.0, 100.0));
        near(low, 0.356_07, 1e-4);
        near(high, 0.702_11, 1e-4);
        near(two_proportions((30.0, 100.0), (60.0, 100.0)), 2.006e-5, 1e-7);
        // Wilson of 8 of 10 (Agresti and Coull): 0.490 to 0.943.
        let [low, high] = wilson(8, 10);
        near(low, 0.4902, 1e-4);
        near(high, 0.9433, 1e-4);
        let [low, high] = ratio_interval((0.0, 20.0), (10.0, 20.0));
        assert!(low > 0.0 && high < 1.0 && high.is_finite(), "{low} {high}");
    }

    fn tally(approved: u64, rows: u64, score: f64) -> GroupTally {
        let mut tally = GroupTally::default();
        for row in 0..rows {
            let outcome = Name::from(if row < approved { "approve" } else { "decline" });
            tally.counts.add(None);
            counted(&mut tally.outcomes, &outcome, None);
            let spread = tally.scores.entry(Name::from("risk")).or_insert_with(|| Spread::new(100));
            spread.add(score + row as f64 % 2.0, None);
        }
        tally
    }

    fn groups(values: &[(&str, GroupTally)]) -> Attribute {
        attribute(Question {
            column: "sex",
            at: 0,
            values: Some(values.iter().map(|(name, tally)| ((*name).to_owned(), tally.clone())).collect()),
            sample: &[],
            inputs: &[],
            approve: "approve",
        })
    }

    #[test]
    fn small_groups_are_neither_reference_nor_accused() {
        let found = groups(&[
            ("a", tally(60, 100, 0.0)),
            ("b", tally(30, 100, 2.0)),
            ("c", tally(5, 5, 0.0)),
            ("d", tally(15, 35, 0.0)),
        ]);
        assert_eq!(found.reference.as_deref(), Some("a"));
        let said: Vec<_> = found.groups.iter().map(|group| group.four_fifths).collect();
        // d: 0.43 by 0.6 is 0.71, and p is 0.08.
        let wanted =
            [FourFifths::Reference, FourFifths::Below, FourFifths::FewRows, FourFifths::BelowMaybeByChance];
        assert_eq!(said, wanted);
        near(found.groups[1].adverse_impact_ratio.unwrap(), 0.5, 1e-12);
        // b's scores are 2 and 3, the others' 0 and 1: nothing overlaps.
        near(found.groups[1].scores[0].ks.unwrap(), 1.0, 1e-12);
        assert!(found.groups[1].scores[0].shift.unwrap() > 3.0);
        near(found.groups[1].scores[0].mean, 2.5, 1e-12);
    }

    #[test]
    fn many_numbers_become_bands_and_many_words_nothing() {
        let numbers: Vec<(String, GroupTally)> =
            (0..40).map(|age: u64| (age.to_string(), tally(5, 10, 0.0))).collect();
        let values: BTreeMap<String, GroupTally> = numbers.into_iter().collect();
        let (name, bands) = split(values).unwrap();
        let shown: Vec<_> = bands.iter().map(|(name, tally)| (name.as_str(), tally.counts.rows)).collect();
        assert_eq!(
            shown,
            [
                ("below 8", 80),
                ("8 to below 16", 80),
                ("16 to below 24", 80),
                ("24 to below 32", 80),
                ("from 32", 80)
            ]
        );
        assert_eq!(
            (name("15"), name("32"), name("")),
            ("8 to below 16".into(), "from 32".into(), "not given".into())
        );
        let words: BTreeMap<String, GroupTally> =
            (0..40).map(|at| (format!("w{at}"), tally(1, 2, 0.0))).collect();
        assert!(split(words).is_none());
    }
}
