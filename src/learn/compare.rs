//! Two versions on the same rows: how good each is, how far they agree, and who would be approved by one and not by the
//! other. It counts and decides nothing; no row is shown.

mod page;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

pub use page::page;

use super::metrics::{self, Metrics, Scored};
use super::sample::{self, SampleError, place};
use crate::documents::table::Reader;
use crate::domain::model::Model;

/// What is compared.
#[derive(Debug)]
pub struct Asked<'a> {
    /// As people name them, and the models.
    pub models: [(String, Arc<Model>); 2],
    /// Of each, whether the data is the file that it was fitted on, as its card says.
    pub fitted_on: [bool; 2],
    pub data: &'a [u8],
    pub separator: u8,
    /// The column with the outcome, and its bad value.
    pub label: Option<(String, String)>,
    /// A row is approved up to this probability.
    pub cut_off: f64,
}

/// Why nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error("`{model}` gives points and no probability, so it cannot be compared")]
    NoProbability { model: String },
    #[error(transparent)]
    Data(#[from] SampleError),
    #[error("the data has no row that both models answer")]
    NoRows,
    #[error("the data has {rows} rows, more than memory is asked for ({most})")]
    TooManyRows { rows: usize, most: usize },
}

/// Rows that are compared, at most.
const MOST_ROWS: usize = 20_000_000;

/// Two versions side by side. Rates are shares of the rows that both answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub rows: usize,
    /// Rows that both answer: all that follows is about these.
    pub compared: usize,
    pub cut_off: f64,
    pub models: [Side; 2],
    pub agreement: Agreement,
    pub swap_set: SwapSet,
    /// What speaks against reading the figures as they stand.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    pub model: String,
    pub digest: String,
    /// Rows without an answer, by the reason.
    pub refused: BTreeMap<&'static str, usize>,
    pub mean_probability: f64,
    pub approval_rate: f64,
    /// With a label of two classes.
    pub metrics: Option<Metrics>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Share of the rows that both approve, or neither does.
    pub same_side: f64,
    /// Spearman's: 1 when both put the rows in the same order; `None` when one gives the same everywhere.
    pub rank_correlation: Option<f64>,
    /// The second's probability less the first's.
    pub mean_difference: f64,
    pub mean_absolute_difference: f64,
    pub largest_absolute_difference: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SwapSet {
    pub both_approve: Cell,
    pub only_first_approves: Cell,
    pub only_second_approves: Cell,
    pub neither_approves: Cell,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cell {
    pub rows: usize,
    pub share: f64,
    /// With a label, of a cell that has rows.
    pub bad_rate: Option<f64>,
}

/// What both gave for a row.
struct Pair {
    first: f64,
    second: f64,
    is_bad: Option<bool>,
}

/// Compares; the columns of the data are found by the names of the models' inputs.
///
/// # Errors
/// When a model gives no probabilities, or the data lacks a column or has a value of another type.
pub fn compare(asked: &Asked<'_>) -> Result<Comparison, CompareError> {
    for (name, model) in &asked.models {
        if !model.gives_probability() {
            return Err(CompareError::NoProbability { model: name.clone() });
        }
    }
    let mut table = Reader::new(asked.data, asked.separator).map_err(SampleError::from)?;
    let mut places = Vec::with_capacity(2);
    for (_, model) in &asked.models {
        places.push(sample::places(model, &table.columns)?);
    }
    let label = match &asked.label {
        Some((column, bad)) => Some((place(&table.columns, column)?, bad)),
        None => None,
    };
    let mut refused: [BTreeMap<&'static str, usize>; 2] = Default::default();
    let mut pairs = Vec::new();
    let mut rows = 0;
    while let Some((line, cells)) = table.next_row().map_err(SampleError::from)? {
        rows += 1;
        if rows > MOST_ROWS {
            return Err(CompareError::TooManyRows { rows, most: MOST_ROWS });
        }
        let mut answers = [None; 2];
        let sides = asked.models.iter().zip(&places).zip(&mut refused).zip(&mut answers);
        for ((((_, model), places), refused), answer) in sides {
            match model.predict(&sample::row(model, places, line, &cells)?) {
                Ok(probability) => *answer = Some(probability),
                Err(failure) => *refused.entry(failure.code).or_default() += 1,
            }
        }
        if let [Some(first), Some(second)] = answers {
            // An empty label is an outcome that is not known yet.
            let outcome =
                label.map(|(at, bad)| (cells.trimmed(at), bad)).filter(|(cell, _)| !cell.is_empty());
            pairs.push(Pair { first, second, is_bad: outcome.map(|(cell, bad)| cell == bad) });
        }
    }
    if pairs.is_empty() {
        return Err(CompareError::NoRows);
    }
    let [first_refused, second_refused] = refused;
    let [(first_name, first), (second_name, second)] = &asked.models;
    Ok(Comparison {
        rows,
        compared: pairs.len(),
        cut_off: asked.cut_off,
        models: [
            side(first_name, first, first_refused, &pairs, asked.cut_off, |pair| pair.first),
            side(second_name, second, second_refused, &pairs, asked.cut_off, |pair| pair.second),
        ],
        agreement: agreement(&pairs, asked.cut_off),
        swap_set: swap_set(&pairs, asked.cut_off),
        notes: asked
            .models
            .iter()
            .zip(asked.fitted_on)
            .filter(|(_, is_own)| *is_own)
            .map(|((name, _), _)| flatters(name))
            .collect(),
    })
}

fn flatters(name: &str) -> String {
    format!(
        "{name} was fitted on this very file, most of it: its figures here flatter it, and its card has those of rows held out"
    )
}

/// Whether the header of a table names a column.
#[must_use]
pub fn has_column(data: &[u8], separator: u8, column: &str) -> bool {
    Reader::new(data, separator).is_ok_and(|table| table.columns.iter().any(|name| name == column))
}

fn side(
    name: &str,
    model: &Model,
    refused: BTreeMap<&'static str, usize>,
    pairs: &[Pair],
    cut_off: f64,
    of: impl Fn(&Pair) -> f64,
) -> Side {
    let count = pairs.len() as f64;
    let scored = |pair: &Pair| Some(Scored { probability: of(pair), is_bad: pair.is_bad? });
    Side {
        model: name.to_owned(),
        digest: model.digest.to_string(),
        refused,
        mean_probability: pairs.iter().map(&of).sum::<f64>() / count,
        approval_rate: pairs.iter().filter(|pair| of(pair) <= cut_off).count() as f64 / count,
        metrics: metrics::measure(&pairs.iter().filter_map(scored).collect::<Vec<_>>()),
    }
}

fn agreement(pairs: &[Pair], cut_off: f64) -> Agreement {
    let count = pairs.len() as f64;
    let difference = |pair: &Pair| pair.second - pair.first;
    let same = |pair: &&Pair| (pair.first <= cut_off) == (pair.second <= cut_off);
    let ranks = |of: fn(&Pair) -> f64| ranks(&pairs.iter().map(of).collect::<Vec<_>>());
    Agreement {
        same_side: pairs.iter().filter(same).count() as f64 / count,
        rank_correlation: correlation(&ranks(|pair| pair.first), &ranks(|pair| pair.second)),
        mean_difference: pairs.iter().map(difference).sum::<f64>() / count,
        mean_absolute_difference: pairs.iter().map(|pair| difference(pair).abs()).sum::<f64>() / count,
        largest_absolute_difference: pairs.iter().map(|pair| difference(pair).abs()).fold(0.0, f64::max),
    }
}

fn swap_set(pairs: &[Pair], cut_off: f64) -> SwapSet {
    let cell = |first: bool, second: bool| {
        let inside = |pair: &&Pair| (pair.first <= cut_off) == first && (pair.second <= cut_off) == second;
        let (mut rows, mut known, mut bad) = (0, 0, 0);
        for pair in pairs.iter().filter(inside) {
            rows += 1;
            known += usize::from(pair.is_bad.is_some());
            bad += usize::from(pair.is_bad == Some(true));
        }
        let bad_rate = (known > 0).then(|| bad as f64 / known as f64);
        Cell { rows, share: rows as f64 / pairs.len() as f64, bad_rate }
    };
    SwapSet {
        both_approve: cell(true, true),
        only_first_approves: cell(true, false),
        only_second_approves: cell(false, true),
        neither_approves: cell(false, false),
    }
}

/// Equal values share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0.0;
    for tied in order.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()) {
        let mean = first + (tied.len() as f64 - 1.0) / 2.0;
        for (at, _) in tied {
            if let Some(rank) = ranks.get_mut(*at) {
                *rank = mean;
            }
        }
        first += tied.len() as f64;
    }
    ranks
}

fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let count = one.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut both, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        both += (a - mean_one) * (b - mean_other);
        of_one += (a - mean_one) * (a - mean_one);
        of_other += (b - mean_other) * (b - mean_other);
    }
    let scale = (of_one * of_other).sqrt();
    (scale > 0.0).then(|| both / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::library::read_models;

    fn compared(one: &str, other: &str, data: &str) -> Result<Comparison, CompareError> {
        let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let library = read_models(&models);
        let named = |name: &str| (name.to_owned(), library.resolve(name).unwrap());
        compare(&Asked {
            models: [named(one), named(other)],
            fitted_on: [true, false],
            data: data.as_bytes(),
            separator: b',',
            label: Some(("outcome".to_owned(), "bad".to_owned())),
            cut_off: 0.45,
        })
    }

    fn sample() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/german_credit/data/german_credit.csv");
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_model_agrees_with_itself_and_swaps_nobody() {
        let same = compared("german_credit@1", "german_credit@1", &sample()).unwrap();
        assert_eq!((same.rows, same.compared), (1000, 1000));
        assert_eq!(same.notes.len(), 1, "{:?}", same.notes);
        assert!((same.agreement.same_side - 1.0).abs() < 1e-15);
        assert!((same.agreement.rank_correlation.unwrap() - 1.0).abs() < 1e-12);
        assert!(same.agreement.largest_absolute_difference < 1e-300);
        assert_eq!(same.swap_set.only_first_approves.rows + same.swap_set.only_second_approves.rows, 0);
    }

    #[test]
    fn every_compared_row_is_in_one_cell_of_the_swap_set() {
        let found = compared("german_credit@champion", "german_credit@challenger", &sample()).unwrap();
        let SwapSet { both_approve, only_first_approves, only_second_approves, neither_approves } =
            found.swap_set;
        let cells = [both_approve, only_first_approves, only_second_approves, neither_approves];
        assert_eq!(cells.iter().map(|cell| cell.rows).sum::<usize>(), 1000);
        let bad: f64 = cells.iter().filter_map(|cell| Some(cell.bad_rate? * cell.rows as f64)).sum();
        assert!((bad - 300.0).abs() < 1e-6, "{bad}");
        let approved = (both_approve.rows + only_first_approves.rows) as f64 / 1000.0;
        assert!((found.models[0].approval_rate - approved).abs() < 1e-12);
        assert!(only_first_approves.rows > 0 && only_second_approves.rows > 0);
        assert!(found.models.iter().all(|side| side.metrics.as_ref().unwrap().auc > 0.75));
    }

    #[test]
    fn rows_that_one_does_not_answer_are_counted_and_left_out() {
        let gap =
            sample().replacen("\nbelow_0,6,", "\nbelow_0,,", 1).replacen("\nbelow_200,48,", "\nother,48,", 1);
        let found = compared("german_credit@1", "german_credit@2", &gap).unwrap();
        assert_eq!((found.rows, found.compared), (1000, 998));
        let wanted = BTreeMap::from([("missing_value", 1), ("unknown_category", 1)]);
        assert_eq!(found.models[0].refused, wanted);
    }

    #[test]
    fn data_that_does_not_fit_is_refused_without_its_values() {
        let says = |data: &str| compared("german_credit@1", "german_credit@2", data).unwrap_err().to_string();
        let without = sample().replacen("duration_months", "duration", 1);
        assert!(says(&without).starts_with("the data has no column `duration_months`"));
        let wrong = sample().replacen("\nbelow_0,6,", "\nbelow_0,secret,", 1);
        assert_eq!(says(&wrong), "line 2: `duration_months` is not of type `integer`");
        let header = sample().lines().next().unwrap().to_owned();
        assert_eq!(says(&header), "the data has no row that both models answer");
    }

    #[test]
    fn tied_ranks_are_shared() {
        assert_eq!(ranks(&[0.5, 0.1, 0.5, 0.9]), [1.5, 0.0, 1.5, 3.0]);
        assert_eq!(correlation(&ranks(&[1.0, 1.0]), &ranks(&[1.0, 2.0])), None);
    }
}
