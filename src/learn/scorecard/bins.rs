//! Which values of a characteristic belong together: bins that are large enough, have both outcomes, and whose bad
//! rates rise or fall. Merging only: nothing here splits what the data kept apart.

use crate::domain::model::as_number;
use crate::domain::value::{Kind, Value};
use crate::learn::recipe::{Missing, RecipeFeature, ScorecardRecipe, Trend};

/// Intervals to begin with, at most: enough to see a trend, few enough to be quick.
const FINE_BINS: usize = 50;

/// Rows of a bin.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Count {
    pub good: f64,
    pub bad: f64,
}

impl Count {
    pub fn rows(self) -> f64 {
        self.good + self.bad
    }

    fn rate(self) -> f64 {
        self.bad / self.rows()
    }

    fn plus(self, other: Self) -> Self {
        Self { good: self.good + other.good, bad: self.bad + other.bad }
    }

    fn add(&mut self, is_bad: bool) {
        if is_bad { self.bad += 1.0 } else { self.good += 1.0 }
    }

    fn is_pure(self) -> bool {
        self.good < 0.5 || self.bad < 0.5
    }
}

/// The bins of one characteristic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Binning {
    /// Of a number: where a bin ends and the next begins.
    pub cuts: Vec<f64>,
    /// Of a choice or a boolean: the bin of each category; `None` for those that no training row has.
    pub group_of: Vec<Option<usize>>,
    pub bins: Vec<Count>,
    /// The bin of missing values, if they have one.
    pub missing: Option<Count>,
    total: Count,
}

/// Finds the bins over training rows. Cells that the feature refuses are passed over: encoding says which, later.
pub(super) fn find<'v>(
    feature: &RecipeFeature,
    imputed: Option<&Value>,
    card: &ScorecardRecipe,
    cells: impl Iterator<Item = (&'v Value, bool)>,
) -> Binning {
    let mut missing = Count::default();
    let mut given = Vec::new();
    for (cell, is_bad) in cells {
        match (cell, imputed) {
            (Value::Missing, None) => missing.add(is_bad),
            (Value::Missing, Some(imputed)) => given.push((imputed, is_bad)),
            _ => given.push((cell, is_bad)),
        }
    }
    let has_own = matches!(feature.missing, Missing::Own | Missing::Zero);
    // No evidence is what no rows give.
    let missing = has_own.then(|| if feature.missing == Missing::Own { missing } else { Count::default() });
    let least = (card.min_bin_share * given.len() as f64).max(1.0);
    let limits = Limits { least, most: card.max_bins as usize };
    let mut binning = match &feature.kind {
        Kind::Choice(categories) => {
            let place = |value: &Value| match value {
                Value::Text(text) => categories.iter().position(|category| category == text),
                _ => None,
            };
            grouped(categories.len(), &given, place, limits)
        }
        Kind::Boolean => {
            let place = |value: &Value| match value {
                Value::Boolean(yes) => Some(usize::from(*yes)),
                _ => None,
            };
            grouped(2, &given, place, Limits { least: 1.0, most: 2 })
        }
        _ => numeric(feature, &given, limits),
    };
    binning.missing = missing;
    let bins = binning.bins.iter().copied().chain(missing);
    binning.total = bins.fold(Count::default(), Count::plus);
    binning
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Rows.
    least: f64,
    /// Bins.
    most: usize,
}

impl Binning {
    /// `ln(share of the bad / share of the good)`: above 0 is riskier than the average. A bin without rows tells
    /// nothing; one that lacks an outcome is counted as if it had half a row of it.
    pub fn evidence(&self, count: Count) -> f64 {
        if count.rows() < 0.5 || self.total.is_pure() {
            return 0.0;
        }
        let half = if count.is_pure() { 0.5 } else { 0.0 };
        let bad = (count.bad + half) / self.total.bad;
        let good = (count.good + half) / self.total.good;
        libm::log(bad / good)
    }

    pub fn information_value(&self) -> f64 {
        if self.total.is_pure() {
            return 0.0;
        }
        let tells =
            |count: Count| (count.bad / self.total.bad - count.good / self.total.good) * self.evidence(count);
        self.bins.iter().copied().chain(self.missing).map(tells).sum()
    }

    pub fn has_rowless(&self) -> bool {
        self.group_of.iter().any(Option::is_none)
    }

    /// The bin that a value falls into; `None` when it has none.
    pub fn bin_of(&self, feature: &RecipeFeature, value: &Value) -> Option<usize> {
        let of = |category: usize| self.group_of.get(category).copied().flatten();
        match (&feature.kind, value) {
            (Kind::Choice(categories), Value::Text(text)) => {
                categories.iter().position(|category| category == text).and_then(of)
            }
            (Kind::Boolean, Value::Boolean(yes)) => of(usize::from(*yes)),
            (_, value) => {
                let number = as_number(value)?;
                Some(self.cuts.partition_point(|cut| *cut <= number))
            }
        }
    }

    /// The weight of evidence of a cell; 0 where there is none.
    pub fn weight(&self, imputed: Option<&Value>, feature: &RecipeFeature, cell: &Value) -> f64 {
        let count = match (cell, imputed) {
            (Value::Missing, None) => self.missing,
            (Value::Missing, Some(value)) | (value, _) => {
                self.bin_of(feature, value).and_then(|bin| self.bins.get(bin)).copied()
            }
        };
        count.map_or(0.0, |count| self.evidence(count))
    }

    /// A bin in words: `below 12`, `12 to 36`, `none, below_0`.
    pub fn says(&self, feature: &RecipeFeature, bin: usize) -> String {
        let in_bin = |(_, group): &(String, &Option<usize>)| **group == Some(bin);
        let listed = |names: Vec<String>| {
            let named = names.into_iter().zip(&self.group_of).filter(in_bin);
            named.map(|(name, _)| name).collect::<Vec<_>>().join(", ")
        };
        match &feature.kind {
            Kind::Choice(categories) => listed(categories.iter().map(ToString::to_string).collect()),
            Kind::Boolean => listed(vec!["false".to_owned(), "true".to_owned()]),
            _ => match (bin.checked_sub(1).and_then(|below| self.cuts.get(below)), self.cuts.get(bin)) {
                (None, Some(below)) => format!("below {below}"),
                (Some(from), Some(below)) => format!("{from} to below {below}"),
                (Some(from), None) => format!("from {from}"),
                (None, None) => "any".to_owned(),
            },
        }
    }
}

/// A run of neighbouring values.
#[derive(Debug, Clone, PartialEq)]
struct Run<T> {
    values: T,
    count: Count,
}

/// How the values of two neighbouring runs become those of one.
trait Join {
    fn join(&mut self, next: Self);
}

/// Lowest and highest number of a run.
impl Join for (f64, f64) {
    fn join(&mut self, next: Self) {
        self.1 = next.1;
    }
}

/// The categories of a group.
impl Join for Vec<usize> {
    fn join(&mut self, next: Self) {
        self.extend(next);
    }
}

fn merge<T: Join>(runs: &mut Vec<Run<T>>, at: usize) {
    if at + 1 < runs.len() {
        let next = runs.remove(at + 1);
        if let Some(run) = runs.get_mut(at) {
            run.count = run.count.plus(next.count);
            run.values.join(next.values);
        }
    }
}

/// Merges what is too small or lacks an outcome with the neighbour that is more like it, then, while there are too
/// many, the neighbours that lose least information. Neighbours of rising rates stay rising.
fn coarsen<T: Join>(runs: &mut Vec<Run<T>>, limits: Limits) {
    let unfit = |run: &Run<T>| run.count.rows() < limits.least || run.count.is_pure();
    while runs.len() > 1
        && let Some(at) = runs.iter().position(unfit)
    {
        let rate = |at: usize| runs.get(at).map_or(f64::INFINITY, |run| run.count.rate());
        let (own, after) = (rate(at), (rate(at + 1) - rate(at)).abs());
        let before = at.checked_sub(1).map_or(f64::INFINITY, |before| (own - rate(before)).abs());
        merge(runs, if before < after { at - 1 } else { at.min(runs.len() - 2) });
    }
    let total = runs.iter().fold(Count::default(), |sum, run| sum.plus(run.count));
    let tells = |count: Count| {
        let (bad, good) = (count.bad / total.bad, count.good / total.good);
        (bad - good) * libm::log(bad / good)
    };
    while runs.len() > limits.most {
        let losses = runs
            .iter()
            .zip(runs.iter().skip(1))
            .map(|(one, next)| tells(one.count) + tells(next.count) - tells(one.count.plus(next.count)));
        let least = losses.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        merge(runs, least.map_or(0, |(at, _)| at));
    }
}

fn numeric(feature: &RecipeFeature, given: &[(&Value, bool)], limits: Limits) -> Binning {
    let mut values: Vec<(f64, bool)> =
        given.iter().filter_map(|(value, is_bad)| Some((as_number(value)?, *is_bad))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    if !feature.cuts.is_empty() {
        let mut bins = vec![Count::default(); feature.cuts.len() + 1];
        for (value, is_bad) in values {
            let bin = feature.cuts.partition_point(|cut| *cut <= value);
            if let Some(count) = bins.get_mut(bin) {
                count.add(is_bad);
            }
        }
        return plain(feature.cuts.clone(), bins);
    }
    let fine = fine(&values);
    let information = |runs: &Vec<Run<(f64, f64)>>| {
        plain(Vec::new(), runs.iter().map(|run| run.count).collect()).information_value()
    };
    let tried = |rising: Option<bool>| {
        let mut runs = match rising {
            Some(rising) => monotone(&fine, rising),
            None => fine.clone(),
        };
        coarsen(&mut runs, limits);
        runs
    };
    let runs = match feature.trend {
        Trend::Any => tried(None),
        Trend::Rising => tried(Some(true)),
        Trend::Falling => tried(Some(false)),
        Trend::Auto => {
            let (rising, falling) = (tried(Some(true)), tried(Some(false)));
            if information(&falling) > information(&rising) { falling } else { rising }
        }
    };
    let cuts = runs.iter().zip(runs.iter().skip(1));
    let cuts = cuts.map(|(low, high)| shortest_between(low.values.1, high.values.0)).collect();
    plain(cuts, runs.iter().map(|run| run.count).collect())
}

fn plain(cuts: Vec<f64>, bins: Vec<Count>) -> Binning {
    let total = bins.iter().copied().fold(Count::default(), Count::plus);
    Binning { cuts, group_of: Vec::new(), bins, missing: None, total }
}

/// Equal values stay together; a run is closed when it holds its share of the rows.
fn fine(sorted: &[(f64, bool)]) -> Vec<Run<(f64, f64)>> {
    let share = sorted.len().div_ceil(FINE_BINS) as f64;
    let mut runs: Vec<Run<(f64, f64)>> = Vec::new();
    for equal in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let Some((value, _)) = equal.first() else { continue };
        let mut count = Count::default();
        equal.iter().for_each(|(_, is_bad)| count.add(*is_bad));
        match runs.last_mut() {
            Some(run) if run.count.rows() < share => {
                run.values.1 = *value;
                run.count = run.count.plus(count);
            }
            _ => runs.push(Run { values: (*value, *value), count }),
        }
    }
    runs
}

/// Pools adjacent violators: what is left has strictly rising (or falling) bad rates.
fn monotone(fine: &[Run<(f64, f64)>], rising: bool) -> Vec<Run<(f64, f64)>> {
    let mut runs: Vec<Run<(f64, f64)>> = Vec::with_capacity(fine.len());
    for run in fine {
        runs.push(run.clone());
        while let [.., before, last] = runs.as_slice() {
            let (before, last) = (before.count.rate(), last.count.rate());
            let violates = if rising { last <= before } else { last >= before };
            if !violates {
                break;
            }
            let at = runs.len() - 2;
            merge(&mut runs, at);
        }
    }
    runs
}

/// Categories in order of their bad rate, neighbours merged.
fn grouped(
    categories: usize,
    given: &[(&Value, bool)],
    place: impl Fn(&Value) -> Option<usize>,
    limits: Limits,
) -> Binning {
    let mut counts = vec![Count::default(); categories];
    for (value, is_bad) in given {
        if let Some(count) = place(value).and_then(|at| counts.get_mut(at)) {
            count.add(*is_bad);
        }
    }
    let with_rows = counts.iter().enumerate().filter(|(_, count)| count.rows() > 0.0);
    let mut runs: Vec<_> = with_rows.map(|(at, count)| Run { values: vec![at], count: *count }).collect();
    runs.sort_by(|a, b| a.count.rate().total_cmp(&b.count.rate()));
    coarsen(&mut runs, limits);
    let mut binning = plain(Vec::new(), runs.iter().map(|run| run.count).collect());
    binning.group_of = vec![None; categories];
    for (group, run) in runs.iter().enumerate() {
        for at in &run.values {
            if let Some(of) = binning.group_of.get_mut(*at) {
                *of = Some(group);
            }
        }
    }
    binning
}

/// The number above `low` and up to `high` with the fewest digits: a cut that people can read.
fn shortest_between(low: f64, high: f64) -> f64 {
    for places in -12_i32..=12 {
        // Through text, so that 0.3 is 0.3 and not three times a rounded 0.1.
        let scaled = (high * libm::exp10(f64::from(places))).floor();
        let Ok(cut) = format!("{scaled}e{}", -places).parse::<f64>() else { continue };
        if cut.is_finite() && cut > low && cut <= high {
            return cut;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_the_shortest_number_between_two_values() {
        for (low, high, cut) in [
            (11.0, 12.0, 12.0),
            (1_234.0, 5_678.0, 5_000.0),
            (0.27, 0.34, 0.3),
            (-3.7, -1.2, -2.0),
            (0.123_45, 0.123_46, 0.123_46),
            (1e300, 1e308, 1e308),
            (-0.5, 0.5, 0.0),
        ] {
            assert!((shortest_between(low, high) - cut).abs() < 1e-300, "{low} to {high}");
        }
    }
}
