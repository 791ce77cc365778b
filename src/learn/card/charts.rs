//! The card's charts as inline SVG: no script, no font, nothing from elsewhere. Each has a title for those who listen.

use maud::{Markup, html};

use crate::learn::curves::{Bar, Curves};
use crate::learn::importance::Importance;
use crate::learn::metrics::CalibrationBin;

const SIZE: f64 = 260.0;
const MARGIN: f64 = 34.0;
const INSIDE: f64 = SIZE - 2.0 * MARGIN;

/// From 0 to 1 to the place in the picture; y grows upwards.
fn x(share: f64) -> f64 {
    MARGIN + share * INSIDE
}

fn y(share: f64) -> f64 {
    SIZE - MARGIN - share * INSIDE
}

fn points(points: impl Iterator<Item = (f64, f64)>) -> String {
    points.map(|(a, b)| format!("{:.1},{:.1}", x(a), y(b))).collect::<Vec<_>>().join(" ")
}

fn frame(title: &str, across: &str, up: &str, inside: &Markup) -> Markup {
    html! {
        svg viewBox=(format!("0 0 {SIZE} {SIZE}")) role="img" {
            title { (title) }
            rect x=(MARGIN) y=(MARGIN) width=(INSIDE) height=(INSIDE) class="frame" {}
            @for tick in [0.0, 0.5, 1.0] {
                text x=(x(tick)) y=(SIZE - MARGIN + 14.0) text-anchor="middle" { (tick) }
                text x=(MARGIN - 5.0) y=(y(tick) + 4.0) text-anchor="end" { (tick) }
            }
            text x=(SIZE / 2.0) y=(SIZE - 4.0) text-anchor="middle" { (across) }
            text x="10" y=(SIZE / 2.0) text-anchor="middle" transform=(format!("rotate(-90 10 {})", SIZE / 2.0)) { (up) }
            (inside)
        }
    }
}

pub(super) fn roc(curves: &Curves) -> Markup {
    let curve = points([(0.0, 0.0)].into_iter().chain(curves.roc.iter().map(|p| (p.good, p.bad))));
    let inside = html! {
        line x1=(x(0.0)) y1=(y(0.0)) x2=(x(1.0)) y2=(y(1.0)) class="guide" {}
        polyline points=(curve) class="line" {}
    };
    frame("ROC curve", "share of the good caught", "share of the bad caught", &inside)
}

/// Shares of good and bad rows at or above a probability; the bar is where they are furthest apart.
pub(super) fn ks(curves: &Curves) -> Markup {
    let of = |share: fn(&crate::learn::curves::CurvePoint) -> f64| {
        points(curves.roc.iter().map(move |point| (point.probability, share(point))))
    };
    let at = x(curves.ks_at.probability);
    let inside = html! {
        line x1=(at) y1=(y(0.0)) x2=(at) y2=(y(1.0)) class="guide" {}
        polyline points=(of(|p| p.bad)) class="line bad" {}
        polyline points=(of(|p| p.good)) class="line good" {}
    };
    frame("Kolmogorov-Smirnov", "at or above this probability", "share of rows", &inside)
}

pub(super) fn calibration(bins: &[CalibrationBin]) -> Markup {
    let inside = html! {
        line x1=(x(0.0)) y1=(y(0.0)) x2=(x(1.0)) y2=(y(1.0)) class="guide" {}
        polyline points=(points(bins.iter().map(|bin| (bin.mean_probability, bin.bad_rate)))) class="line" {}
        @for bin in bins {
            circle cx=(format!("{:.1}", x(bin.mean_probability))) cy=(format!("{:.1}", y(bin.bad_rate))) r="3" class="dot" {}
        }
    };
    frame("Calibration by tenths of the rows", "mean probability", "bad rate", &inside)
}

pub(super) fn distribution(bars: &[Bar]) -> Markup {
    let highest = bars.iter().map(|bar| bar.good.max(bar.bad)).max().unwrap_or(0).max(1) as f64;
    let width = INSIDE / bars.len().max(1) as f64;
    let inside = html! {
        @for bar in bars {
            @for (class, count, offset) in [("good", bar.good, 0.0), ("bad", bar.bad, width / 2.0)] {
                @let share = count as f64 / highest;
                rect x=(format!("{:.1}", x(bar.from) + offset)) y=(format!("{:.1}", y(share))) width=(format!("{:.1}", width / 2.0))
                    height=(format!("{:.1}", share * INSIDE)) class=(class) {}
            }
        }
    };
    frame("Distribution of the probabilities", "probability", "rows, by the longest bar", &inside)
}

pub(super) fn importance(rows: &[Importance]) -> Markup {
    let highest = rows.iter().map(|row| row.auc_fall).fold(1e-9, f64::max);
    let height = 20.0 * rows.len() as f64 + 6.0;
    html! {
        svg viewBox=(format!("0 0 560 {height}")) class="wide" role="img" {
            title { "Importance of the inputs" }
            @for (at, row) in rows.iter().enumerate() {
                @let top = 20.0 * at as f64 + 4.0;
                @let length = (row.auc_fall / highest).max(0.0) * 280.0;
                text x="200" y=(top + 11.0) text-anchor="end" { (row.input) }
                rect x="206" y=(top) width=(format!("{length:.1}")) height="14" class="plain" {}
                text x=(format!("{:.1}", 212.0 + length)) y=(top + 11.0) { (format!("{:.4}", row.auc_fall)) }
            }
        }
    }
}
