//! What a file of rows came to, in a terminal. Absent on purpose: figures of its own.

use crate::documents::html::chart::grouped;
use crate::trial::batch::{Attribute, Comparison, Counts, Flip, OutcomeSummary, Summary};

pub(super) fn summary(summary: &Summary) -> String {
    let mut out = vec![head(summary)];
    let has_label = summary.label.is_some();
    out.push(outcomes(&summary.outcomes, has_label));
    if !summary.reasons.is_empty() {
        out.push(reasons(summary, has_label));
    }
    if let Some(label) = &summary.label {
        out.push(format!(
            "by {}: {} good, {} bad; approval rate {}, bad rate of the approved {}, of the others {}, of all {}\n",
            label.column,
            number(label.counts.good),
            number(label.counts.bad),
            percent(label.approval_rate),
            rate(label.bad_rate_of_approved),
            rate(label.bad_rate_of_others),
            rate(label.bad_rate),
        ));
    }
    if !summary.scores.is_empty() {
        out.push(scores(summary));
    }
    if summary.markets.len() > 1 {
        out.push(markets(summary));
    }
    out.extend(summary.groups.iter().map(attribute));
    out.extend(summary.comparison.iter().map(comparison));
    if summary.refused > 0 {
        out.push(refused(summary));
    }
    out.join("\n")
}

fn head(summary: &Summary) -> String {
    let mut said = vec![format!("{} decided", number(summary.decided))];
    for (count, word) in [(summary.refused, "refused"), (summary.degraded, "degraded")] {
        if count > 0 {
            said.push(format!("{} {word}", number(count)));
        }
    }
    said.extend(summary.needs.iter().map(|(need, rows)| format!("{} stop to ask for {need}", number(*rows))));
    let market = summary.market.as_deref().filter(|market| *market != "base");
    let market = market.map_or_else(String::new, |market| format!(" in {market}"));
    format!("{}{market}, {} rows: {}\n", summary.flow, number(summary.rows), said.join(", "))
}

fn outcomes(outcomes: &[OutcomeSummary], has_label: bool) -> String {
    let mut rows = vec![line(["outcome", "rows", "share"], has_label.then(|| "bad rate".to_owned()))];
    rows.extend(outcomes.iter().map(|of| {
        let cells = [&*of.outcome, &number(of.counts.rows), &percent(of.share)].map(str::to_owned);
        line(cells, has_label.then(|| rate(of.bad_rate)))
    }));
    columns(&rows, 1)
}

fn reasons(summary: &Summary, has_label: bool) -> String {
    let mut rows = vec![line(["reason", "rows", "share"], has_label.then(|| "bad rate".to_owned()))];
    for reason in &summary.reasons {
        let cells = [&*reason.code, &number(reason.counts.rows), &percent(reason.share)].map(str::to_owned);
        let mut row = line(cells, has_label.then(|| rate(reason.bad_rate)));
        row.push(reason.text.clone());
        rows.push(row);
    }
    columns(&rows, 1)
}

fn scores(summary: &Summary) -> String {
    let heads = ["score", "rows", "mean", "lowest", "median", "highest", "AUC", "KS"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for score in &summary.scores {
        let decile = |at: usize| score.deciles.get(at).map_or_else(String::new, |value| short(*value));
        let measure = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
        rows.push(vec![
            score.name.to_string(),
            number(score.rows),
            short(score.mean),
            decile(0),
            decile(5),
            decile(10),
            measure(score.auc),
            measure(score.ks),
        ]);
    }
    let mut text = columns(&rows, 1);
    for score in &summary.scores {
        for threshold in &score.thresholds {
            let point = threshold.point;
            let bad = point.bad_rate.map_or_else(String::new, |bad| format!(", {} bad", percent(bad)));
            text.push_str(&format!(
                "  up to {} ({}), {} alone would approve {}{bad}\n",
                threshold.name,
                short(point.cut_off),
                score.name,
                percent(point.approval_rate)
            ));
        }
    }
    text
}

fn markets(summary: &Summary) -> String {
    let names = summary.outcomes.iter().map(|outcome| outcome.outcome.to_string());
    let mut rows =
        vec![["market".to_owned(), "rows".to_owned()].into_iter().chain(names).collect::<Vec<_>>()];
    for market in &summary.markets {
        let shares = market.outcomes.iter().map(|outcome| percent(outcome.share));
        let first = [market.market.clone(), number(market.counts.rows)];
        rows.push(first.into_iter().chain(shares).collect());
    }
    columns(&rows, 1)
}

fn attribute(attribute: &Attribute) -> String {
    if attribute.groups.is_empty() {
        return format!("by {}: too many values to be groups\n", attribute.column);
    }
    let heads =
        [attribute.column.as_str(), "rows", "approved", "95 %", "ratio", "95 %", "p", "bad of approved", ""];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for group in &attribute.groups {
        let two = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
        let [low, high] = group.approval_interval;
        rows.push(vec![
            group.group.clone(),
            number(group.counts.rows),
            percent(group.approval_rate),
            format!("{:.0}-{:.0}", low * 100.0, high * 100.0),
            two(group.adverse_impact_ratio),
            group.ratio_interval.map_or_else(String::new, |[low, high]| format!("{low:.2}-{high:.2}")),
            group.p_value.map_or_else(String::new, p_value),
            rate(group.bad_rate_of_approved),
            group.four_fifths.words().to_owned(),
        ]);
    }
    let mut text = columns(&rows, 1);
    let scores = attribute.groups.first().into_iter().flat_map(|group| &group.scores);
    for score in scores {
        let shifts: Vec<String> = attribute
            .groups
            .iter()
            .filter_map(|group| {
                let of = group.scores.iter().find(|of| of.score == score.score)?;
                Some(format!("{} {} ({:+.2})", group.group, short(of.mean), of.shift?))
            })
            .collect();
        text.push_str(&format!("  mean {} (shift in deviations): {}\n", score.score, shifts.join(", ")));
    }
    let proxies: Vec<String> = attribute
        .proxies
        .iter()
        .filter(|proxy| proxy.cramers_v >= 0.05)
        .take(5)
        .map(|proxy| format!("{} {:.2}", proxy.input, proxy.cramers_v))
        .collect();
    if !proxies.is_empty() {
        text.push_str(&format!("  inputs that tell the groups apart (Cramér's V): {}\n", proxies.join(", ")));
    }
    text
}

fn comparison(comparison: &Comparison) -> String {
    let mut text = format!(
        "compared with {}: {} of {} rows have another outcome; of the same outcome {} have other reasons, {} another \
         output\n",
        comparison.with,
        number(comparison.rows - comparison.same_outcome),
        number(comparison.rows),
        number(comparison.same_outcome_other_reasons),
        number(comparison.same_outcome_other_output),
    );
    let heads = ["there \\ here".to_owned()].into_iter().chain(comparison.outcomes.iter().cloned());
    let mut rows = vec![heads.collect::<Vec<_>>()];
    for there in &comparison.outcomes {
        let cell = |here: &String| {
            let found = comparison.cells.iter().find(|cell| cell.there == *there && cell.here == *here);
            found.map_or_else(|| "-".to_owned(), |cell| number(cell.counts.rows))
        };
        let cells = comparison.outcomes.iter().map(cell);
        rows.push([there.clone()].into_iter().chain(cells).collect());
    }
    text.push_str(&columns(&rows, 1));
    let labelled =
        |counts: Counts| counts.bad_rate().map_or_else(String::new, |r| format!(", {} bad", percent(r)));
    let (gone, come) = (comparison.only_there_approves, comparison.only_here_approves);
    text.push_str(&format!(
        "no longer approved: {}{}; newly approved: {}{}\n",
        number(gone.rows),
        labelled(gone),
        number(come.rows),
        labelled(come)
    ));
    for reason in &comparison.reasons {
        text.push_str(&format!("reason {}: {} gained, {} lost\n", reason.code, reason.gained, reason.lost));
    }
    for flip in comparison.cells.iter().filter(|cell| cell.there != cell.here) {
        text.push_str(&shown_flip(flip));
    }
    text
}

fn shown_flip(flip: &Flip) -> String {
    let bad = flip.bad_rate.map_or_else(String::new, |bad| format!(", {} bad", percent(bad)));
    let mut text = format!("{} → {}: {} rows{bad}\n", flip.there, flip.here, number(flip.counts.rows));
    for (place, rows) in flip.parted.iter().take(5) {
        text.push_str(&format!("  {} part at {place}\n", number(*rows)));
    }
    let name = |row: u64, reference: &Option<String>| match reference {
        Some(reference) => format!("{row} ({reference})"),
        None => row.to_string(),
    };
    let rows: Vec<String> =
        flip.examples.iter().map(|example| name(example.row, &example.reference)).collect();
    text.push_str(&format!("  rows {}\n", rows.join(", ")));
    for example in &flip.examples {
        if let Some(facts) = &example.facts {
            text.push_str(&format!("  {}: {facts}\n", example.row));
        }
    }
    text
}

fn refused(summary: &Summary) -> String {
    let mut text = String::new();
    for refused in summary.refusals.iter().take(10) {
        text.push_str(&format!(
            "refused: {} {}, {} rows\n",
            refused.pointer,
            refused.code,
            number(refused.rows)
        ));
    }
    for row in &summary.refused_rows {
        let place = row.line.map_or_else(|| format!("row {}", row.row), |line| format!("line {line}"));
        for error in &row.errors {
            text.push_str(&format!("  {place}: {} {}: {}\n", error.pointer, error.code, error.detail));
        }
    }
    let more = summary.refused.saturating_sub(summary.refused_rows.len() as u64);
    if more > 0 {
        text.push_str(&format!("  and {} rows more; `--rejects FILE` keeps all of them\n", number(more)));
    }
    text
}

pub(super) fn number(count: u64) -> String {
    grouped(count as f64, 0)
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub(super) fn rate(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), percent)
}

pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

/// A score with as many digits as say something.
fn short(value: f64) -> String {
    if value.abs() >= 100.0 { grouped(value, 0) } else { format!("{value:.4}") }
}

fn line<S: Into<String>, const N: usize>(cells: [S; N], more: Option<String>) -> Vec<String> {
    cells.into_iter().map(Into::into).chain(more).collect()
}

/// Columns two spaces apart; figures stand to the right, the first `words` columns and the last one to the left.
fn columns(rows: &[Vec<String>], words: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|c| c.chars().count()).max().unwrap_or(0);
    let is_figure = |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || "-<".contains(c));
    let mut text = String::new();
    for row in rows {
        let mut cells = Vec::with_capacity(count);
        for (at, cell) in row.iter().enumerate() {
            let width = width(at);
            let is_right = at >= words
                && rows.iter().skip(1).filter_map(|row| row.get(at)).all(|c| c.is_empty() || is_figure(c));
            cells.push(if is_right { format!("{cell:>width$}") } else { format!("{cell:<width$}") });
        }
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
