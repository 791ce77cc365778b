//! A sweep as a table and a small chart for the terminal, and as JSON.

use std::fmt::Write as _;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Map, Value as Json, json};

use super::sweep::{Flip, Point, Said, Swept};
use crate::documents::findings::Colour;
use crate::domain::explanation::shown;
use crate::trial::explain::{Shades, value_json};

/// Columns of the chart.
const WIDE: usize = 60;
/// Lines of figures below the axis.
const FIGURE_LINES: usize = 3;

/// The chart, where the outcome changes, and the table: equal steps are put together.
#[must_use]
pub fn sweep_text(swept: &Swept, colour: Colour) -> String {
    let shades = Shades { colour, outcomes: &swept.outcomes };
    let mut out = format!("{} from {} to {}\n\n", swept.sweep.name, swept.sweep.from, swept.sweep.to);
    out.push_str(&chart(swept, shades));
    out.push('\n');
    for flip in &swept.flips {
        out.push_str(&told(flip, shades));
    }
    if swept.flips.is_empty() {
        out.push_str("the outcome is the same all the way\n");
    }
    if let Some((now, said)) = &swept.now {
        let _ = writeln!(out, "now {now}: {}", painted(said, shades));
    }
    out.push('\n');
    out.push_str(&table(swept));
    out
}

fn painted(said: &Said, shades: Shades<'_>) -> String {
    match said {
        Said::Outcome(outcome) => shades.outcome(outcome, outcome),
        other => shades.aside(&other.text()),
    }
}

fn told(flip: &Flip, shades: Shades<'_>) -> String {
    let (before, after) = (painted(&flip.before, shades), painted(&flip.after, shades));
    format!("{before} up to {}, {after} from {}\n", flip.last, flip.first)
}

/// Where a number stands on the axis, from 0 to 1.
pub(super) fn share(swept: &Swept, at: Decimal) -> f64 {
    let whole = swept.sweep.to - swept.sweep.from;
    ((at - swept.sweep.from) / whole).to_f64().unwrap_or_default().clamp(0.0, 1.0)
}

/// Which column a number stands in.
fn column(swept: &Swept, at: Decimal) -> usize {
    let last = Decimal::from(WIDE.saturating_sub(1));
    let whole = swept.sweep.to - swept.sweep.from;
    ((at - swept.sweep.from) * last / whole).round().to_usize().unwrap_or_default().min(WIDE - 1)
}

/// Every answer that comes up, the strictest first, what is none last.
pub(super) fn answers(swept: &Swept) -> Vec<Said> {
    let mut all: Vec<Said> = swept.outcomes.iter().rev().cloned().map(Said::Outcome).collect();
    let said = swept.points.iter().map(|point| &point.said);
    let others: Vec<Said> = said.chain(swept.flips.iter().map(|flip| &flip.after)).cloned().collect();
    for other in others.iter().filter(|said| !matches!(said, Said::Outcome(_))) {
        if !all.contains(other) {
            all.push(other.clone());
        }
    }
    all.retain(|said| others.contains(said));
    all
}

/// What is said in each column: that of the last change at or before it.
fn said_in(swept: &Swept) -> Vec<&Said> {
    let first = swept.points.first().map(|point| &point.said);
    let columns = (0..WIDE).filter_map(|at| {
        let mut changes = swept.flips.iter().filter(|flip| column(swept, flip.first) <= at);
        changes.next_back().map(|flip| &flip.after).or(first)
    });
    columns.collect()
}

fn chart(swept: &Swept, shades: Shades<'_>) -> String {
    let answers = answers(swept);
    let widest = answers.iter().map(|said| said.text().chars().count()).max().unwrap_or_default();
    let columns = said_in(swept);
    let mut out = String::new();
    for answer in &answers {
        let line: String = columns.iter().map(|said| if *said == answer { '━' } else { ' ' }).collect();
        let name = format!("{:<widest$}", answer.text());
        let line = match answer {
            Said::Outcome(outcome) => shades.outcome(outcome, line.trim_end()),
            _ => line.trim_end().to_owned(),
        };
        let _ = writeln!(out, "{name} ┤{line}");
    }
    let mut marks: Vec<(usize, String)> = vec![(0, swept.sweep.from.to_string())];
    marks.extend(swept.flips.iter().map(|flip| (column(swept, flip.first), flip.first.to_string())));
    marks.push((WIDE - 1, swept.sweep.to.to_string()));
    let axis: String =
        (0..WIDE).map(|at| if marks.iter().any(|(mark, _)| *mark == at) { '┬' } else { '─' }).collect();
    let _ = writeln!(out, "{:widest$} └{axis}", "");
    for line in figures(marks) {
        let _ = writeln!(out, "{:widest$}  {line}", "");
    }
    out
}

/// The figures below their marks, in as many lines as they need to stand apart; what still does not is left out.
fn figures(mut marks: Vec<(usize, String)>) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..FIGURE_LINES {
        let (mut line, mut width, mut left) = (String::new(), 0, Vec::new());
        for (at, text) in std::mem::take(&mut marks) {
            let is_free = at > width || width == 0 && at == 0;
            if is_free {
                line.push_str(&" ".repeat(at - width));
                line.push_str(&text);
                width = at + text.chars().count();
            } else {
                left.push((at, text));
            }
        }
        if line.is_empty() {
            break;
        }
        lines.push(line);
        marks = left;
    }
    lines
}

/// What a point says besides its number: equal ones are one line.
fn row(point: &Point) -> [String; 4] {
    let reasons: Vec<&str> = point.reasons.iter().map(|code| &**code).collect();
    let output: Vec<String> =
        point.output.iter().map(|(name, value)| format!("{name} {}", shown(value))).collect();
    let scores: Vec<String> = point.scores.iter().map(|(name, score)| format!("{name} {score}")).collect();
    [point.said.text(), reasons.join(", "), output.join(", "), scores.join(", ")]
}

pub(super) fn rows(swept: &Swept) -> Vec<[String; 5]> {
    let mut rows: Vec<(Decimal, Decimal, [String; 4])> = Vec::new();
    for point in &swept.points {
        let said = row(point);
        match rows.last_mut() {
            Some((_, to, before)) if *before == said => *to = point.at,
            _ => rows.push((point.at, point.at, said)),
        }
    }
    let range =
        |from: Decimal, to: Decimal| if from == to { from.to_string() } else { format!("{from} … {to}") };
    let row = |(from, to, said): (Decimal, Decimal, [String; 4])| {
        let [said, reasons, output, scores] = said;
        [range(from, to), said, reasons, output, scores]
    };
    rows.into_iter().map(row).collect()
}

/// The headings of what `rows` gives.
pub(super) const HEADINGS: [&str; 4] = ["outcome", "reasons", "output", "scores"];

fn table(swept: &Swept) -> String {
    let mut all = vec![[
        swept.sweep.name.clone(),
        "outcome".to_owned(),
        "reasons".to_owned(),
        "output".to_owned(),
        "scores".to_owned(),
    ]];
    all.extend(rows(swept));
    let mut widths = [0_usize; 5];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 5]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    all.iter().map(line).collect()
}

/// `{"flow", "sweep", "from", "to", "step", "now", "flips", "points"}`.
#[must_use]
pub fn sweep_json(swept: &Swept) -> Json {
    let number = |number: &Decimal| json!(number.to_string());
    let said = |said: &Said| match said {
        Said::Outcome(outcome) => json!({ "outcome": &**outcome }),
        Said::Asks(need) => json!({ "asks": &**need }),
        Said::Refused(code) => json!({ "refused": code }),
    };
    let flips = swept.flips.iter().map(|flip| {
        json!({
            "before": said(&flip.before), "after": said(&flip.after), "last": number(&flip.last),
            "first": number(&flip.first),
        })
    });
    let points = swept.points.iter().map(|point| {
        let output = point.output.iter().map(|(name, value)| (name.to_string(), value_json(value)));
        let scores = point.scores.iter().map(|(name, score)| (name.to_string(), json!(score)));
        json!({
            "at": number(&point.at), "said": said(&point.said),
            "reasons": point.reasons.iter().map(|code| &**code).collect::<Vec<_>>(),
            "output": output.collect::<Map<_, _>>(), "scores": scores.collect::<Map<_, _>>(),
        })
    });
    json!({
        "flow": &*swept.flow, "sweep": swept.sweep.name, "from": number(&swept.sweep.from),
        "to": number(&swept.sweep.to), "step": number(&swept.sweep.step),
        "now": swept.now.as_ref().map(|(at, now)| json!({ "at": number(at), "said": said(now) })),
        "flips": flips.collect::<Vec<_>>(), "points": points.collect::<Vec<_>>(),
    })
}
