//! A sweep as a page that needs nothing else: the chart, where the outcome changes, and the table.

use maud::{Markup, html};
use rust_decimal::prelude::ToPrimitive as _;

use super::sweep::{Said, Swept};
use super::sweep_text::{HEADINGS, answers, rows, share};
use crate::documents::html::whole;

/// The drawing's measures, in units of the picture.
const WIDE: f64 = 680.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 24.0;
const ROW: f64 = 30.0;
const BELOW: f64 = 58.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#44515d}.axis{stroke:#5b6775}\
.flip{stroke:#9aa7b3;stroke-dasharray:4 3}.now{stroke:#1f5fa8;stroke-width:2}\
.mildest{fill:#2b8a5b}.between{fill:#d9a21b}.strictest{fill:#c0502a}.none{fill:#9aa7b3}\
@media (prefers-color-scheme:dark){text{fill:#c6d0d9}}";

/// The whole page.
#[must_use]
pub fn page(swept: &Swept) -> String {
    let sweep = &swept.sweep;
    let title = format!("{}: {} from {} to {}", swept.flow, sweep.name, sweep.from, sweep.to);
    let body = html! {
        h1 { (swept.flow) }
        p class="quiet" { "What is decided as " code { (sweep.name) } " moves from " (sweep.from) " to " (sweep.to) ", everything else as it is." }
        (drawing(swept, true))
        h2 { "Where the outcome changes" }
        @if swept.flips.is_empty() { p { "It is the same all the way." } }
        @else {
            table {
                tr { th { "up to" } th { "" } th { "from" } th { "" } }
                @for flip in &swept.flips {
                    tr { td class="n" { (flip.last) } td { (flip.before.text()) } td class="n" { (flip.first) } td { (flip.after.text()) } }
                }
            }
        }
        h2 { "Step by step" }
        table {
            tr { th { (sweep.name) } @for heading in HEADINGS { th { (heading) } } }
            @for row in rows(swept) { tr { @for cell in row { td { (cell) } } } }
        }
    };
    whole(&title, &body)
}

/// The chart alone, as a file of its own.
#[must_use]
pub fn svg(swept: &Swept) -> String {
    drawing(swept, false).into_string() + "\n"
}

fn drawing(swept: &Swept, is_inline: bool) -> Markup {
    let answers = answers(swept);
    let rows = answers.len().to_f64().unwrap_or(1.0);
    let (base, height) = (rows * ROW + 8.0, rows * ROW + BELOW);
    let x = |share: f64| LEFT + share * (WIDE - LEFT - RIGHT);
    let size = format!("0 0 {WIDE} {height}");
    let style = if is_inline { None } else { Some("http://www.w3.org/2000/svg") };
    html! {
        svg xmlns=[style] class="wide" viewBox=(size) width=(WIDE) height=(height) role="img" aria-label="the outcome at each number" {
            style { (maud::PreEscaped(STYLE)) }
            @for (at, answer) in answers.iter().enumerate() {
                @let y = at.to_f64().unwrap_or_default() * ROW + 8.0;
                text x=(LEFT - 10.0) y=(y + 18.0) text-anchor="end" { (answer.text()) }
                @for (from, to) in stretches(swept, answer) {
                    rect class=(class(swept, answer)) x=(x(from)) y=(y + 4.0) width=((x(to) - x(from)).max(1.0)) height=(ROW - 8.0) rx="2" {
                        title { (answer.text()) }
                    }
                }
            }
            line class="axis" x1=(LEFT) x2=(WIDE - RIGHT) y1=(base) y2=(base) {}
            text x=(LEFT) y=(base + 16.0) { (swept.sweep.from) }
            text x=(WIDE - RIGHT) y=(base + 16.0) text-anchor="end" { (swept.sweep.to) }
            @for (at, flip) in swept.flips.iter().enumerate() {
                @let across = x(share(swept, flip.first));
                line class="flip" x1=(across) x2=(across) y1="4" y2=(base + 6.0) {}
                text x=(across) y=(base + if at % 2 == 0 { 32.0 } else { 46.0 }) text-anchor="middle" { (flip.first) }
            }
            @if let Some((now, _)) = swept.now.as_ref().filter(|(now, _)| (swept.sweep.from..=swept.sweep.to).contains(now)) {
                @let across = x(share(swept, *now));
                line class="now" x1=(across) x2=(across) y1="2" y2=(base) { title { "now " (now) } }
            }
        }
    }
}

/// From where to where an answer is given, as shares of the whole.
fn stretches(swept: &Swept, answer: &Said) -> Vec<(f64, f64)> {
    let mut edges = vec![(0.0, swept.points.first().map(|point| &point.said))];
    edges.extend(swept.flips.iter().map(|flip| (share(swept, flip.first), Some(&flip.after))));
    let ends = edges.iter().skip(1).map(|(at, _)| *at).chain([1.0]);
    let found = edges.iter().zip(ends).filter(|((_, said), _)| *said == Some(answer));
    found.map(|((from, _), to)| (*from, to)).collect()
}

fn class(swept: &Swept, answer: &Said) -> &'static str {
    let Said::Outcome(outcome) = answer else { return "none" };
    if swept.outcomes.first() == Some(outcome) {
        "mildest"
    } else if swept.outcomes.last() == Some(outcome) {
        "strictest"
    } else {
        "between"
    }
}
