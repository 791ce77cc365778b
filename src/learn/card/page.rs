//! `card.html`: the card as one page that needs nothing else, to be read, printed and filed. Everything that came from
//! a recipe or data is escaped by the template.

use maud::{Markup, html};

use super::{Card, charts};
use crate::documents::html::whole;
use crate::learn::metrics;

pub(in crate::learn) fn page(card: &Card) -> String {
    let body = html! {
        h1 { (card.title.as_deref().unwrap_or(&card.model)) }
        p.quiet { (card.model) ", " (card.algorithm) ", " (card.artefact) }
        (quality(card))
        (inputs(card))
        (points(card))
        (people(card))
        (origin(card))
    };
    whole(&format!("Model card: {}", card.model), &body)
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn quality(card: &Card) -> Markup {
    html! {
        h2 { "How good it is" }
        table {
            tr { th {} th.n { "held out" } th.n { "fitted on" } }
            tr { td { "rows" } td.n { (card.held_out.rows) } td.n { (card.training.rows) } }
            tr { td { "bad" } td.n { (card.held_out.bad) } td.n { (card.training.bad) } }
            @for (name, measure) in metrics::SHOWN {
                tr { td { (name) } td.n { (number(measure(&card.held_out))) } td.n { (number(measure(&card.training))) } }
            }
        }
        p.quiet { "Charts are of the held-out rows, green the good and red the bad." }
        div.charts {
            (charts::roc(&card.curves)) (charts::ks(&card.curves))
            (charts::calibration(&card.held_out.calibration)) (charts::distribution(&card.curves.distribution))
        }
        p { "Good and bad are furthest apart, by " (number(card.curves.ks_at.distance)) ", at a probability of "
            (number(card.curves.ks_at.probability)) "." }
        @if let Some(cut_off) = &card.cut_off {
            p { "Approving up to " (cut_off.probability) " would have approved " (percent(cut_off.approval_rate))
                " of the held-out rows; " (percent(cut_off.bad_rate_of_approved)) " of them turned out bad, and "
                (percent(cut_off.bad_rate_of_others)) " of the others." }
        }
        @if !card.cross_validation.is_empty() {
            h3 { "Cross-validation" }
            table {
                tr { th { "parameters" } th.n { "mean AUC" } th.n { "deviation" } th {} }
                @for tried in &card.cross_validation {
                    tr { td { code { (tried.parameters) } } td.n { (number(tried.mean_auc)) }
                        td.n { (number(tried.standard_deviation)) } td { @if tried.chosen { "chosen" } } }
                }
            }
        }
    }
}

fn inputs(card: &Card) -> Markup {
    html! {
        h2 { "What it reads" }
        p.quiet { "By how far the AUC falls on the held-out rows when an input's values are dealt out anew among them." }
        (charts::importance(&card.importance))
        table {
            tr { th { "input" } th { "type" } th { "when missing" } th { "when unseen" } th { "reason" } }
            @for feature in &card.features {
                tr { td { (feature.name) } td { (feature.kind) } td { (feature.missing) }
                    td { (feature.unseen.as_deref().unwrap_or("")) } td { (feature.reason.as_deref().unwrap_or("")) } }
            }
        }
        @if !card.left_out.is_empty() {
            h3 { "Left out" }
            ul { @for left_out in &card.left_out { li { (left_out.columns.join(", ")) ": " (left_out.because) } } }
        }
    }
}

fn points(card: &Card) -> Markup {
    let Some(scorecard) = &card.scorecard else { return html! {} };
    html! {
        h2 { "Points" }
        p { "Everybody starts from " (scorecard.base_points) ". " (scorecard.scale.points) " points are odds of "
            (scorecard.scale.base_odds) " good to 1 bad; " (scorecard.scale.points_to_double) " more double them." }
        @for characteristic in &scorecard.characteristics {
            h3 { (characteristic.name) }
            p.quiet { "information value " (number(characteristic.information_value)) }
            table {
                tr { th { "bin" } th.n { "rows" } th.n { "bad rate" } th.n { "weight of evidence" } th.n { "points" } }
                @for bin in &characteristic.bins {
                    tr { td { (bin.says) } td.n { (bin.rows) } td.n { (percent(bin.bad_rate)) }
                        td.n { (number(bin.weight_of_evidence)) } td.n { (bin.points) } }
                }
            }
        }
        @if !scorecard.dropped.is_empty() {
            h3 { "Not in the scorecard" }
            ul { @for dropped in &scorecard.dropped { li { (dropped.name) ": " (dropped.because) } } }
        }
    }
}

fn people(card: &Card) -> Markup {
    html! {
        h2 { "How it treats groups" }
        @if card.protected.is_empty() {
            p { "The recipe names no protected attribute that the data has (" code { "protected: true" } " under "
                code { "left_out" } "), so nothing was measured." }
        }
        @for attribute in &card.protected {
            h3 { (attribute.attribute) }
            @if attribute.groups.is_empty() { p { "It has too many values to be split into groups." } }
            @else {
                table {
                    tr { th { "group" } th.n { "rows" } th.n { "bad rate" } th.n { "mean probability" }
                        th.n { "approved" } th.n { "adverse-impact ratio" } th {} }
                    @for group in &attribute.groups {
                        tr { td { (group.group) } td.n { (group.rows) } td.n { (percent(group.bad_rate)) }
                            td.n { (number(group.mean_probability)) }
                            td.n { (group.approval_rate.map_or_else(String::new, percent)) }
                            td.n { (group.adverse_impact_ratio.map_or_else(String::new, |r| format!("{r:.2}"))) }
                            td.warn {
                                @if group.few_rows { "few rows" }
                                @else if group.adverse_impact_ratio.is_some_and(|ratio| ratio < 0.8) { "below four fifths" }
                            } }
                    }
                }
                p.quiet { "Inputs that tell the groups apart (Cramér's V, 0 to 1): "
                    (attribute.proxies.iter().take(5).map(|p| format!("{} {:.2}", p.input, p.cramers_v))
                        .collect::<Vec<_>>().join(", ")) }
            }
        }
    }
}

fn origin(card: &Card) -> Markup {
    html! {
        h2 { "Known limits" }
        @if card.known_limits.is_empty() { p { "The recipe names none." } }
        ul { @for limit in &card.known_limits { li { (limit) } } }
        h2 { "Where it comes from" }
        table {
            tr { td { "data" } td { (card.data.file) ", " (card.data.rows) " rows, " (percent(card.data.bad_rate)) " bad ("
                (card.data.target) ")" } }
            tr { td { "its digest" } td.quiet { (card.data.digest) } }
            tr { td { "held out" } td { (card.split.held_out_rows) " rows, by seed " (card.split.seed) } }
            tr { td { "fitted with" } td { (card.fitted_with) } }
            tr { td { "parameters" } td { code { (card.parameters) } } }
            tr { td { "verified" } td { (card.verified) } }
        }
        p.quiet { "Reference histograms of the score and of each input, to see drift by, are in card.json." }
    }
}
