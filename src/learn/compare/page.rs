//! The comparison as one page that needs nothing else: who would be approved by only one, how good each is, whether its
//! probabilities can be believed, and how far the two agree. No row is shown.

use maud::{Markup, html};

use super::{Cell, Comparison, Side};
use crate::documents::html::chart::{Axis, Chart, Mark, Part, Point, Row, Size, Tone, Unit, rows};
use crate::documents::html::whole;
use crate::learn::metrics::{self, CalibrationBin};

/// The page, for people; `data` is how they name the rows.
#[must_use]
pub fn page(comparison: &Comparison, data: &str) -> String {
    let [first, second] = &comparison.models;
    let title = format!("{} and {}", first.model, second.model);
    let body = html! {
        h1 { (title) }
        p.quiet { (comparison.compared) " of " (comparison.rows) " rows of " code { (data) } " are answered by both; all "
            "figures are about these. A row is approved up to a probability of " (comparison.cut_off) "." }
        @for note in &comparison.notes { p { "Note: " (note) "." } }
        (swap_set(comparison))
        (quality(first, second))
        (calibration(first, second))
        (agreement(comparison))
        (origin(comparison))
    };
    whole(&title, &body)
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn swap_set(comparison: &Comparison) -> Markup {
    let [first, second] = &comparison.models;
    let swap = &comparison.swap_set;
    let cells = [
        ("both".to_owned(), Tone::Good, &swap.both_approve),
        (format!("only {}", first.model), Tone::Plain, &swap.only_first_approves),
        (format!("only {}", second.model), Tone::Second, &swap.only_second_approves),
        ("neither".to_owned(), Tone::Bad, &swap.neither_approves),
    ];
    let bad_rate = |cell: &Cell| cell.bad_rate.map_or_else(|| "–".to_owned(), percent);
    let row = |(name, tone, cell): &(String, Tone, &Cell)| Row {
        label: name.clone(),
        parts: vec![Part {
            tone: *tone,
            value: cell.share,
            says: format!("{} rows, {}, bad rate {}", cell.rows, percent(cell.share), bad_rate(cell)),
        }],
        shown: percent(cell.share),
    };
    let drawn: Vec<Row> = cells.iter().map(row).collect();
    html! {
        h2 { "Who would be approved" }
        table {
            tr { th { "approved by" } th.n { "rows" } th.n { "share" } th.n { "bad rate" } }
            @for (name, _, cell) in &cells {
                tr { td { (name) } td.n { (cell.rows) } td.n { (percent(cell.share)) } td.n { (bad_rate(cell)) } }
            }
        }
        p { "The swap set, those whom only one approves, is " (percent(swapped(comparison))) " of the rows: what the second "
            "would change." }
        (rows("Approved by", "the share of the rows that both, only one or neither would approve", &[], &drawn))
    }
}

fn swapped(comparison: &Comparison) -> f64 {
    comparison.swap_set.only_first_approves.share + comparison.swap_set.only_second_approves.share
}

fn quality(first: &Side, second: &Side) -> Markup {
    html! {
        h2 { "How good each is" }
        table {
            tr { th {} th.n { (first.model) } th.n { (second.model) } }
            tr { td { "approved" } td.n { (percent(first.approval_rate)) } td.n { (percent(second.approval_rate)) } }
            tr { td { "mean probability" } td.n { (number(first.mean_probability)) }
                td.n { (number(second.mean_probability)) } }
            @if let (Some(one), Some(other)) = (&first.metrics, &second.metrics) {
                @for (name, measure) in metrics::SHOWN {
                    tr { td { (name) } td.n { (number(measure(one))) } td.n { (number(measure(other))) } }
                }
            }
        }
        @if first.metrics.is_none() { p.quiet { "How the rows turned out is not known, or all turned out alike." } }
    }
}

fn calibration(first: &Side, second: &Side) -> Markup {
    let (Some(one), Some(other)) = (&first.metrics, &second.metrics) else { return html! {} };
    let points = |bins: &[CalibrationBin]| -> Vec<Point> {
        let point = |bin: &CalibrationBin| Point {
            at: (bin.mean_probability, bin.bad_rate),
            says: format!(
                "{} rows: said {}, came {}",
                bin.rows,
                number(bin.mean_probability),
                number(bin.bad_rate)
            ),
            label: None,
        };
        bins.iter().map(point).collect()
    };
    let bins = || one.calibration.iter().chain(&other.calibration);
    let most = bins().flat_map(|bin| [bin.mean_probability, bin.bad_rate]).fold(0.0, f64::max);
    let chart = Chart {
        title: "Calibration",
        says: "for each tenth of the rows the mean probability and the share that turned out bad, of both models".into(),
        across: Axis::over("mean probability", [0.0, most], Unit::Share),
        up: Axis::over("bad rate", [0.0, most], Unit::Share),
        size: Size::Wide,
        marks: vec![
            Mark::Guide { from: (0.0, 0.0), to: (most, most) },
            Mark::Points { name: Some(&first.model), tone: Tone::Plain, points: points(&one.calibration) },
            Mark::Points { name: Some(&second.model), tone: Tone::Second, points: points(&other.calibration) },
        ],
    };
    html! {
        h2 { "Whether the probabilities can be believed" }
        p.quiet { "On the dashed line as many turn out bad as the model says." }
        (chart.draw())
        table {
            tr { th.n { "tenth" } th.n { (first.model) " says" } th.n { "came" } th.n { (second.model) " says" } th.n { "came" } }
            @for (at, (one, other)) in one.calibration.iter().zip(&other.calibration).enumerate() {
                tr { td.n { (at + 1) } td.n { (number(one.mean_probability)) } td.n { (number(one.bad_rate)) }
                    td.n { (number(other.mean_probability)) } td.n { (number(other.bad_rate)) } }
            }
        }
    }
}

fn agreement(comparison: &Comparison) -> Markup {
    let agreement = &comparison.agreement;
    html! {
        h2 { "How far they agree" }
        table {
            tr { td { "same side of the cut-off" } td.n { (percent(agreement.same_side)) } }
            tr { td { "rank correlation (Spearman)" }
                td.n { (agreement.rank_correlation.map_or_else(|| "–".to_owned(), number)) } }
            tr { td { "mean difference, second less first" } td.n { (number(agreement.mean_difference)) } }
            tr { td { "mean absolute difference" } td.n { (number(agreement.mean_absolute_difference)) } }
            tr { td { "largest absolute difference" } td.n { (number(agreement.largest_absolute_difference)) } }
        }
    }
}

fn origin(comparison: &Comparison) -> Markup {
    html! {
        h2 { "What was compared" }
        table {
            tr { th { "model" } th { "artefact" } th { "rows without an answer" } }
            @for side in &comparison.models {
                tr { td { (side.model) } td { code { (side.digest) } }
                    td { @if side.refused.is_empty() { "none" } @else {
                        @for (code, count) in &side.refused { (count) " " code { (code) } " " } } } }
            }
        }
    }
}
