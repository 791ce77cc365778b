//! Two sides in the report: the matrix of outcomes, where they part, and what the change is worth.

use maud::{Markup, html};

use super::{number, percent, rate};
use crate::trial::batch::{Comparison, Counts, Flip, Summary};

pub(super) fn section(summary: &Summary) -> Markup {
    let Some(comparison) = &summary.comparison else { return html! {} };
    let changed = comparison.rows - comparison.same_outcome;
    let share = if comparison.rows == 0 { 0.0 } else { changed as f64 / comparison.rows as f64 };
    html! {
        h2 { "Compared with " (comparison.with) }
        p.quiet { "revision " (comparison.with_revision) }
        p { (number(changed)) " of " (number(comparison.rows)) " rows (" (percent(share)) ") have another outcome. Of the same \
            outcome, " (number(comparison.same_outcome_other_reasons)) " have other reasons and "
            (number(comparison.same_outcome_other_output)) " another output." }
        (matrix(comparison))
        p { "No longer approved: " (swapped(comparison.only_there_approves)) ". Newly approved: "
            (swapped(comparison.only_here_approves)) "." }
        @if !comparison.reasons.is_empty() {
            h3 { "Reasons that came and went" }
            table {
                tr { th { "reason" } th.n { "both" } th.n { "gained" } th.n { "lost" } }
                @for reason in &comparison.reasons {
                    tr { td { (reason.code) } td.n { (number(reason.both)) } td.n { (number(reason.gained)) } td.n { (number(reason.lost)) } }
                }
            }
        }
        @for flip in comparison.cells.iter().filter(|cell| cell.there != cell.here) { (shown(flip)) }
    }
}

fn swapped(counts: Counts) -> String {
    match counts.bad_rate() {
        Some(bad) => format!("{} rows, {} of them bad", number(counts.rows), percent(bad)),
        None => format!("{} rows", number(counts.rows)),
    }
}

fn matrix(comparison: &Comparison) -> Markup {
    let find = |there: &str, here: &str| {
        comparison.cells.iter().find(|cell| cell.there == there && cell.here == here)
    };
    html! {
        table {
            tr { th { "there ↓ here →" } @for here in &comparison.outcomes { th.n { (here) } } }
            @for there in &comparison.outcomes {
                tr { th { (there) }
                    @for here in &comparison.outcomes {
                        @match find(there, here) {
                            Some(cell) => td class=(if there == here { "n quiet" } else { "n warn" }) {
                                (number(cell.counts.rows)) @if let Some(bad) = cell.bad_rate { " (" (percent(bad)) " bad)" } },
                            None => td.n.quiet { "-" },
                        }
                    }
                }
            }
        }
    }
}

fn shown(flip: &Flip) -> Markup {
    let has_references = flip.examples.iter().any(|example| example.reference.is_some());
    html! {
        h3 { (flip.there) " → " (flip.here) }
        p { (number(flip.counts.rows)) " rows; bad rate " (rate(flip.bad_rate)) "." }
        ul { @for (place, rows) in flip.parted.iter().take(8) { li { (number(*rows)) " part at " (place) } } }
        table {
            tr { th.n { "row" } @if has_references { th { "reference" } } th { "reasons there" } th { "reasons here" } th { "parts at" } }
            @for example in &flip.examples {
                tr { td.n { (example.row) }
                    @if has_references { td { (example.reference.as_deref().unwrap_or("")) } }
                    td { (example.reasons_there.join(", ")) } td { (example.reasons_here.join(", ")) }
                    td { (example.parted.as_deref().unwrap_or("")) } }
                @if let Some(facts) = &example.facts { tr { td {} td colspan="4" class="quiet" { (facts) } } }
            }
        }
    }
}
