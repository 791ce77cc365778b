//! The card's charts: which figures are drawn how. Absent on purpose: drawing, which is `documents::html::chart`'s.

use maud::Markup;

use crate::documents::html::chart::{self, Axis, Chart, Mark, Part, Point, Row, Size, Tone, Unit};
use crate::learn::curves::{Bar, CurvePoint, Curves};
use crate::learn::importance::Importance;
use crate::learn::metrics::CalibrationBin;

const DIAGONAL: Mark<'static> = Mark::Guide { from: (0.0, 0.0), to: (1.0, 1.0) };

pub(super) fn roc(curves: &Curves) -> Markup {
    let points = [(0.0, 0.0)].into_iter().chain(curves.roc.iter().map(|p| (p.good, p.bad))).collect();
    let chart = Chart {
        title: "ROC curve",
        says: "share of the bad caught against share of the good caught, as the cut-off moves".to_owned(),
        across: Axis::whole("share of the good caught", Unit::Number),
        up: Axis::whole("share of the bad caught", Unit::Number),
        size: Size::Small,
        marks: vec![DIAGONAL, Mark::Line { name: None, tone: Tone::Plain, points }],
    };
    chart.draw()
}

/// Shares of good and bad rows at or above a probability; the bar is where they are furthest apart.
pub(super) fn ks(curves: &Curves) -> Markup {
    let line = |name, tone, share: fn(&CurvePoint) -> f64| Mark::Line {
        name: Some(name),
        tone,
        points: curves.roc.iter().map(|point| (point.probability, share(point))).collect(),
    };
    let at = curves.ks_at.probability;
    let chart = Chart {
        title: "Kolmogorov-Smirnov",
        says: format!("good and bad are furthest apart, by {:.4}, at {at:.4}", curves.ks_at.distance),
        across: Axis::whole("at or above this probability", Unit::Number),
        up: Axis::whole("share of rows", Unit::Number),
        size: Size::Small,
        marks: vec![
            Mark::Guide { from: (at, 0.0), to: (at, 1.0) },
            line("bad", Tone::Bad, |p| p.bad),
            line("good", Tone::Good, |p| p.good),
        ],
    };
    chart.draw()
}

pub(super) fn calibration(bins: &[CalibrationBin]) -> Markup {
    let at = |bin: &CalibrationBin| (bin.mean_probability, bin.bad_rate);
    let says =
        |bin: &CalibrationBin| format!("{} rows: {:.4}, and {:.4} bad", bin.rows, at(bin).0, at(bin).1);
    let points = bins.iter().map(|bin| Point { at: at(bin), says: says(bin), label: None }).collect();
    let chart = Chart {
        title: "Calibration by tenths of the rows",
        says: "bad rate of each tenth of the rows against its mean probability".to_owned(),
        across: Axis::whole("mean probability", Unit::Number),
        up: Axis::whole("bad rate", Unit::Number),
        size: Size::Small,
        marks: vec![
            DIAGONAL,
            Mark::Line { name: None, tone: Tone::Plain, points: bins.iter().map(at).collect() },
            Mark::Points { name: None, tone: Tone::Plain, points },
        ],
    };
    chart.draw()
}

pub(super) fn distribution(bars: &[Bar]) -> Markup {
    let highest = bars.iter().map(|bar| bar.good.max(bar.bad)).max().unwrap_or(0) as f64;
    let half = 0.5 / bars.len().max(1) as f64;
    let marks = |name, tone, offset: f64, count: fn(&Bar) -> usize| {
        let bar = |bar: &Bar| chart::Bar {
            from: bar.from + offset,
            to: bar.from + offset + half,
            low: 0.0,
            high: count(bar) as f64,
            says: format!("{} {name}, from {:.2}", count(bar), bar.from),
        };
        Mark::Bars { name: Some(name), tone, bars: bars.iter().map(bar).collect() }
    };
    let chart = Chart {
        title: "Distribution of the probabilities",
        says: "how many good and bad rows have which probability".to_owned(),
        across: Axis::whole("probability", Unit::Number),
        up: Axis::over("rows", [0.0, highest], Unit::Number),
        size: Size::Small,
        marks: vec![
            marks("good", Tone::Good, 0.0, |bar| bar.good),
            marks("bad", Tone::Bad, half, |bar| bar.bad),
        ],
    };
    chart.draw()
}

pub(super) fn importance(rows: &[Importance]) -> Markup {
    let row = |row: &Importance| Row {
        label: row.input.clone(),
        parts: vec![Part { tone: Tone::Plain, value: row.auc_fall, says: String::new() }],
        shown: format!("{:.4}", row.auc_fall),
    };
    let rows: Vec<Row> = rows.iter().map(row).collect();
    chart::rows("Importance of the inputs", "by how far the AUC falls without each", &[], &rows)
}
