//! The report on a file of rows: one HTML page that needs nothing else, to be read in a committee, printed and filed.
//! Its figures are the summary's; no row's value is shown but where examples were asked for with their facts.

mod charts;
mod compared;
mod people;

use maud::{Markup, html};

use super::batch::{OutcomeSummary, Summary};
use crate::documents::html::chart::grouped;
use crate::documents::html::styled;

/// What this page alone has: figures that stay in one line, words that stay readable on lines, and room for charts and
/// tables on a narrow screen.
const STYLE: &str = "
td.n, th { white-space: nowrap; } section { overflow-x: auto; }
svg .strong { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
@media (max-width: 46rem) { figure.wide { overflow-x: auto; } figure.wide svg { min-width: 36rem; } }
";

/// The whole page.
#[must_use]
pub fn page(summary: &Summary) -> String {
    let body = html! {
        h1 { (summary.flow) " on " (number(summary.rows)) " rows" }
        p.quiet { (market(summary)) ", decided as of " (summary.at) ", revision " (summary.revision) }
        section { (overview(summary)) }
        section { (reasons(summary)) }
        section { (scores(summary)) }
        section { (markets(summary)) }
        section { (people::section(summary)) }
        section { (compared::section(summary)) }
        section { (refused(summary)) }
    };
    styled(&format!("{} on a file of rows", summary.flow), STYLE, &body)
}

fn market(summary: &Summary) -> String {
    match &summary.market {
        Some(name) => format!("market {name}"),
        None => "each row in its own market".to_owned(),
    }
}

fn overview(summary: &Summary) -> Markup {
    let has_label = summary.label.is_some();
    html! {
        h2 { "What came out" }
        p { (number(summary.decided)) " decided, " (number(summary.refused)) " refused, " (number(summary.degraded)) " degraded"
            @for (need, rows) in &summary.needs { ", " (number(*rows)) " stop to ask for " (need) } "." }
        (charts::outcomes(&summary.outcomes, has_label))
        (outcome_table(&summary.outcomes, has_label))
        @if let Some(label) = &summary.label {
            p { "Of " (number(label.counts.good + label.counts.bad)) " rows with a known " code { (label.column) } ", "
                (rate(label.bad_rate)) " turned out bad: " (rate(label.bad_rate_of_approved)) " of the approved ("
                (percent(label.approval_rate)) " of all decided), " (rate(label.bad_rate_of_others)) " of the others." }
        }
    }
}

fn outcome_table(outcomes: &[OutcomeSummary], has_label: bool) -> Markup {
    html! {
        table {
            tr { th { "outcome" } th.n { "rows" } th.n { "share" } @if has_label { th.n { "good" } th.n { "bad" } th.n { "bad rate" } } }
            @for of in outcomes {
                tr { td { (of.outcome) } td.n { (number(of.counts.rows)) } td.n { (percent(of.share)) }
                    @if has_label { td.n { (number(of.counts.good)) } td.n { (number(of.counts.bad)) } td.n { (rate(of.bad_rate)) } } }
            }
        }
    }
}

fn reasons(summary: &Summary) -> Markup {
    if summary.reasons.is_empty() {
        return html! {};
    }
    let has_label = summary.label.is_some();
    html! {
        h2 { "Why" }
        (charts::reasons(&summary.reasons, has_label))
        table {
            tr { th { "reason" } th.n { "rows" } th.n { "share" } @if has_label { th.n { "bad rate" } } th { "" } }
            @for reason in &summary.reasons {
                tr { td { (reason.code) } td.n { (number(reason.counts.rows)) } td.n { (percent(reason.share)) }
                    @if has_label { td.n { (rate(reason.bad_rate)) } } td { (reason.text) } }
            }
        }
    }
}

fn scores(summary: &Summary) -> Markup {
    let approved = summary.label.as_ref().map(|l| (l.approval_rate, l.bad_rate_of_approved));
    let measure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    html! {
        @if !summary.scores.is_empty() { h2 { "Scores" } }
        @for score in &summary.scores {
            h3 { (score.name) }
            p.quiet { "Mean " (charts::short(score.mean)) ", standard deviation " (charts::short(score.deviation)) " over "
                (number(score.rows)) " rows."
                @if score.auc.is_some() { " AUC " (measure(score.auc)) ", Gini " (measure(score.gini)) ", KS " (measure(score.ks)) "." }
                @if score.rounded_to > 0.0 { " Scores were rounded to " (score.rounded_to) " to be counted." } }
            div.charts { (charts::distribution(score)) (charts::frontier(score, approved)) }
            @if !score.thresholds.is_empty() {
                p.quiet { "By this score alone, up to each threshold that the script holds it against:" }
                table {
                    tr { th { "threshold" } th.n { "value" } th.n { "would approve" } th.n { "bad rate of those" } }
                    @for threshold in &score.thresholds {
                        tr { td { code { (threshold.name) } } td.n { (charts::short(threshold.point.cut_off)) }
                            td.n { (percent(threshold.point.approval_rate)) } td.n { (rate(threshold.point.bad_rate)) } }
                    }
                }
            }
        }
    }
}

fn markets(summary: &Summary) -> Markup {
    if summary.markets.len() < 2 {
        return html! {};
    }
    html! {
        h2 { "By market" }
        (charts::markets(summary))
        table {
            tr { th { "market" } th.n { "rows" } @for of in &summary.outcomes { th.n { (of.outcome) } }
                @if summary.label.is_some() { th.n { "bad rate of the approved" } } }
            @for market in &summary.markets {
                tr { td { (market.market) } td.n { (number(market.counts.rows)) }
                    @for of in &market.outcomes { td.n { (percent(of.share)) } }
                    @if summary.label.is_some() { td.n { (rate(market.outcomes.first().and_then(|of| of.bad_rate))) } } }
            }
        }
    }
}

fn refused(summary: &Summary) -> Markup {
    if summary.refused == 0 {
        return html! {};
    }
    html! {
        h2 { "Refused rows" }
        table {
            tr { th { "place" } th { "code" } th.n { "rows" } }
            @for refused in &summary.refusals {
                tr { td { code { (refused.pointer) } } td { (refused.code) } td.n { (number(refused.rows)) } }
            }
        }
        p.quiet { "The first of them:" }
        ul {
            @for row in &summary.refused_rows {
                li { @if let Some(line) = row.line { "line " (line) } @else { "row " (row.row) } ": "
                    @for error in &row.errors { (error.pointer) " " (error.detail) "; " } }
            }
        }
    }
}

fn number(count: u64) -> String {
    grouped(count as f64, 0)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn rate(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), percent)
}
