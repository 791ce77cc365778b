//! What a file of rows came to, for a merge request: tables that code hosts show. Absent on purpose: figures of its own.

use super::text::{number, p_value, percent, rate};
use crate::trial::batch::{Attribute, Comparison, Summary};

pub(super) fn summary(summary: &Summary) -> String {
    let mut out = format!(
        "### {}: {} rows, {} decided, {} refused, {} degraded\n\n",
        word(&summary.flow),
        number(summary.rows),
        number(summary.decided),
        number(summary.refused),
        number(summary.degraded)
    );
    let rows = summary
        .outcomes
        .iter()
        .map(|of| vec![of.outcome.to_string(), number(of.counts.rows), percent(of.share), rate(of.bad_rate)]);
    out.push_str(&table(&["outcome", "rows", "share", "bad rate"], rows));
    if let Some(comparison) = &summary.comparison {
        out.push_str(&compared(comparison));
    }
    for attribute in &summary.groups {
        out.push_str(&groups(attribute));
    }
    out
}

fn compared(comparison: &Comparison) -> String {
    let changed = comparison.rows - comparison.same_outcome;
    let mut out = format!(
        "\n**Compared with {}:** {} of {} rows have another outcome.\n\n",
        word(&comparison.with),
        number(changed),
        number(comparison.rows)
    );
    let heads: Vec<&str> =
        ["there ↓ here →"].into_iter().chain(comparison.outcomes.iter().map(String::as_str)).collect();
    let rows = comparison.outcomes.iter().map(|there| {
        let cell = |here: &String| {
            let found = comparison.cells.iter().find(|cell| cell.there == *there && cell.here == *here);
            match found {
                None => "-".to_owned(),
                Some(cell) if there == here => number(cell.counts.rows),
                Some(cell) => format!("**{}**", number(cell.counts.rows)),
            }
        };
        [there.clone()].into_iter().chain(comparison.outcomes.iter().map(cell)).collect()
    });
    out.push_str(&table(&heads, rows));
    let flips = comparison.cells.iter().filter(|cell| cell.there != cell.here);
    let rows = flips.map(|flip| {
        let examples: Vec<String> = flip.examples.iter().map(|example| example.row.to_string()).collect();
        let parted =
            flip.parted.first().map_or_else(String::new, |(place, rows)| format!("{place} ({rows})"));
        vec![
            format!("{} → {}", flip.there, flip.here),
            number(flip.counts.rows),
            rate(flip.bad_rate),
            parted,
            examples.join(", "),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&table(&["change", "rows", "bad rate", "mostly parts at", "rows such as"], rows));
    }
    out
}

fn groups(attribute: &Attribute) -> String {
    let mut out = format!("\n**By {}**\n\n", word(&attribute.column));
    let rows = attribute.groups.iter().map(|group| {
        let ratio = group.adverse_impact_ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        vec![
            group.group.clone(),
            number(group.counts.rows),
            percent(group.approval_rate),
            ratio,
            group.p_value.map_or_else(String::new, p_value),
            group.four_fifths.words().to_owned(),
        ]
    });
    out.push_str(&table(&["group", "rows", "approved", "ratio", "p", ""], rows));
    out
}

fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| word(cell)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// Nothing of a file can end a cell or begin markup.
fn word(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '`' | '[' | '_' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
