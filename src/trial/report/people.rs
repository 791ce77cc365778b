//! Groups of people in the report: approvals, ratios, scores and proxies, side by side and with what chance could do.

use maud::{Markup, html};

use super::{number, percent, rate};
use crate::documents::html::chart::{Part, Row, Tone, rows};
use crate::trial::batch::{Attribute, FourFifths, Group, Summary};

pub(super) fn section(summary: &Summary) -> Markup {
    if summary.groups.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Groups" }
        p.quiet { "A group is held against the one with the highest approval rate among those of at least 30 rows. Below four fifths \
            of its rate is marked; where chance alone would set two groups of these sizes as far apart more than once in twenty \
            times, it says so. The intervals hold 95 %." }
        @for attribute in &summary.groups { (one(attribute, summary)) }
    }
}

fn one(attribute: &Attribute, summary: &Summary) -> Markup {
    if attribute.groups.is_empty() {
        return html! { h3 { (attribute.column) } p { "It has too many values to be groups." } };
    }
    let tones = super::charts::tones(summary);
    let row = |group: &Group| Row {
        label: group.group.clone(),
        parts: tones.iter().map(|(name, tone)| part(group, name, *tone)).collect(),
        shown: format!("{} rows", number(group.counts.rows)),
    };
    let all: Vec<Row> = attribute.groups.iter().map(row).collect();
    html! {
        h3 { (attribute.column) }
        (rows("Outcomes by group", "share of each outcome in each group", &tones, &all))
        table {
            tr { th { "group" } th.n { "rows" } th.n { "approved" } th.n { "interval" } th.n { "ratio" } th.n { "interval" }
                th.n { "p" } th.n { "bad rate" } th.n { "of the approved" } th {} }
            @for group in &attribute.groups { (group_row(group)) }
        }
        (shifts(attribute))
        (proxies(attribute))
    }
}

fn part(group: &Group, outcome: &str, tone: Tone) -> Part {
    let count = group.outcomes.get(outcome).copied().unwrap_or(0);
    let share = if group.counts.rows == 0 { 0.0 } else { count as f64 / group.counts.rows as f64 };
    Part {
        tone,
        value: share,
        says: format!("{}: {} {outcome}, {}", group.group, number(count), percent(share)),
    }
}

fn group_row(group: &Group) -> Markup {
    let [low, high] = group.approval_interval;
    let is_marked = matches!(group.four_fifths, FourFifths::Below | FourFifths::BelowMaybeByChance);
    html! {
        tr { td { (group.group) } td.n { (number(group.counts.rows)) } td.n { (percent(group.approval_rate)) }
            td.n { (percent(low)) " to " (percent(high)) }
            td.n { @if let Some(ratio) = group.adverse_impact_ratio { (format!("{ratio:.2}")) } }
            td.n { @if let Some([low, high]) = group.ratio_interval { (format!("{low:.2} to {high:.2}")) } }
            td.n { @if let Some(p) = group.p_value { (if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }) } }
            td.n { (rate(group.bad_rate)) } td.n { (rate(group.bad_rate_of_approved)) }
            td class=(if is_marked { "warn" } else { "quiet" }) { (group.four_fifths.words()) } }
    }
}

fn shifts(attribute: &Attribute) -> Markup {
    let has_scores = attribute.groups.iter().any(|group| !group.scores.is_empty());
    html! {
        @if has_scores {
            p.quiet { "Where each group's scores lie beside those of everybody else: the difference of the means in standard \
                deviations (0.2 is little, 0.8 much), and the largest distance of the distributions (KS)." }
            table {
                tr { th { "group" } th { "score" } th.n { "mean" } th.n { "shift" } th.n { "KS" } }
                @for group in &attribute.groups {
                    @for score in &group.scores {
                        tr { td { (group.group) } td { (score.score) } td.n { (super::charts::short(score.mean)) }
                            td.n { @if let Some(shift) = score.shift { (format!("{shift:+.2}")) } }
                            td.n { @if let Some(ks) = score.ks { (format!("{ks:.2}")) } } }
                    }
                }
            }
        }
    }
}

fn proxies(attribute: &Attribute) -> Markup {
    let told: Vec<Row> = attribute
        .proxies
        .iter()
        .take(8)
        .filter(|proxy| proxy.cramers_v > 0.0)
        .map(|proxy| Row {
            label: proxy.input.to_string(),
            parts: vec![Part { tone: Tone::Plain, value: proxy.cramers_v, says: String::new() }],
            shown: format!("{:.2}", proxy.cramers_v),
        })
        .collect();
    html! {
        @if !told.is_empty() {
            (rows("Inputs that tell the groups apart", "Cramér's V of each input with the group", &[], &told))
            p.quiet { "Cramér's V, corrected for chance, on " (number(attribute.sampled as u64)) " rows: 0 tells nothing, 1 gives the \
                group away. An input with a high value may stand in for the group although that was kept out." }
        }
    }
}
