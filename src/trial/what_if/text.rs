//! Two decisions side by side, for people and for programs.

use serde_json::{Map, Value as Json, json};

use super::{Change, Difference, WhatIf};
use crate::documents::findings::Colour;
use crate::domain::explanation::{Explanation, shown};
use crate::trial::explain::{Shades, value_json};

/// What stands where there is nothing.
const NOTHING: &str = "–";

/// Both verdicts in columns, what was changed, and where the two part.
#[must_use]
pub fn text(found: &WhatIf, colour: Colour) -> String {
    let shades = Shades { colour, outcomes: &found.before.outcomes };
    let (rows, mut out) = (rows(found), String::new());
    let width =
        |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or_default();
    let (first, second) = (width(|row| &row.name), width(|row| &row.before).max("as it is".len()));
    out.push_str(&format!("{:<first$}  {:<second$}  what if\n", "", "as it is"));
    for row in &rows {
        let line = format!("{:<first$}  {:<second$}  {}", row.name, row.before, row.after);
        let line = line.trim_end();
        let is_same = row.before == row.after;
        out.push_str(&if is_same { line.to_owned() } else { shades.bold(line) });
        out.push('\n');
    }
    out.push('\n');
    for change in &found.changes {
        out.push_str(&format!("changed: {}\n", changed(change)));
    }
    let parted = &found.parted;
    match (&parted.way, &parted.first) {
        (None, None) => out.push_str("every step gives the same\n"),
        (Some(way), Some(first)) if way == first => out.push_str(&difference("they part at", way)),
        (way, first) => {
            out.extend(first.as_ref().map(|first| difference("the first difference is", first)));
            match way {
                Some(way) => out.push_str(&difference("they part at", way)),
                None => out.push_str("\nthey go the same way to the end\n"),
            }
        }
    }
    out
}

struct Row {
    name: String,
    before: String,
    after: String,
}

fn rows(found: &WhatIf) -> Vec<Row> {
    let (before, after) = (facts(&found.before), facts(&found.after));
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in before.iter().chain(&after) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let of = |all: &[(String, String)], name: &str| {
        let found = all.iter().find(|(known, _)| known == name);
        found.map_or_else(|| NOTHING.to_owned(), |(_, value)| value.clone())
    };
    names
        .into_iter()
        .map(|name| Row { name: name.to_owned(), before: of(&before, name), after: of(&after, name) })
        .collect()
}

/// What a verdict says, by name.
fn facts(explanation: &Explanation) -> Vec<(String, String)> {
    let verdict = &explanation.verdict;
    let mut all = Vec::new();
    if let Some(need) = verdict.needs.first() {
        all.push(("outcome".to_owned(), format!("asks for {}", need.name)));
    } else {
        let reasons: Vec<&str> = verdict.reasons.iter().map(|code| &**code).collect();
        all.push(("outcome".to_owned(), verdict.outcome.to_string()));
        let reasons = if reasons.is_empty() { NOTHING.to_owned() } else { reasons.join(", ") };
        all.push(("reasons".to_owned(), reasons));
        all.extend(verdict.output.iter().map(|(name, value)| (name.to_string(), shown(value))));
    }
    all.extend(verdict.scores.iter().map(|(name, score)| (name.to_string(), score.rounded.to_string())));
    if verdict.degraded {
        all.push(("degraded".to_owned(), "yes".to_owned()));
    }
    all
}

fn changed(change: &Change) -> String {
    let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "not given".to_owned());
    let (before, after) = (or(&change.before), or(&change.after));
    match change.what {
        "market" => format!("market {before} → {after}"),
        what => format!("{what} {} {before} → {after}", change.name),
    }
}

fn difference(head: &str, found: &Difference) -> String {
    let flows: String = found.flows.iter().map(|flow| format!("flow {flow}, ")).collect();
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "not come to".to_owned());
    let mut out = format!(
        "\n{head} {flows}{}\n  as it is: {}\n  what if:  {}\n",
        found.step,
        or(&found.before),
        or(&found.after)
    );
    for (name, before, after) in &found.reads {
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "not read".to_owned());
        out.push_str(&format!("  read: {name} {} → {}\n", or(before), or(after)));
    }
    out
}

/// `{"flow", "changes", "before", "after", "same", "first_difference", "parts_at", "notes"}`.
#[must_use]
pub fn json(found: &WhatIf) -> Json {
    let changes = found.changes.iter().map(change_json);
    let (before, after) = (verdict_json(&found.before), verdict_json(&found.after));
    json!({
        "flow": &*found.before.flow,
        "changes": changes.collect::<Vec<_>>(),
        "same": before == after,
        "before": before,
        "after": after,
        "first_difference": found.parted.first.as_ref().map(difference_json),
        "parts_at": found.parted.way.as_ref().map(difference_json),
        "notes": found.notes.iter().map(|note| json!({ "code": note.code, "message": note.message })).collect::<Vec<_>>(),
    })
}

fn change_json(change: &Change) -> Json {
    json!({ "what": change.what, "name": change.name, "before": change.before, "after": change.after })
}

/// What a verdict says, named as in an answer.
pub(super) fn verdict_json(explanation: &Explanation) -> Json {
    let verdict = &explanation.verdict;
    let is_decided = verdict.needs.is_empty();
    let scores = verdict.scores.iter().map(|(name, score)| (name.to_string(), json!(score.rounded)));
    let output = verdict.output.iter().map(|(name, value)| (name.to_string(), value_json(value)));
    json!({
        "market": explanation.market.as_deref().unwrap_or("base"),
        "outcome": is_decided.then_some(&*verdict.outcome),
        "reasons": verdict.reasons.iter().filter(|_| is_decided).map(|code| &**code).collect::<Vec<_>>(),
        "output": output.collect::<Map<_, _>>(),
        "scores": scores.collect::<Map<_, _>>(),
        "degraded": verdict.degraded,
        "needs": verdict.needs.iter().map(|need| &*need.name).collect::<Vec<_>>(),
    })
}

fn difference_json(found: &Difference) -> Json {
    let reads = found
        .reads
        .iter()
        .map(|(name, before, after)| json!({ "name": name, "before": before, "after": after }));
    json!({
        "flows": found.flows, "step": found.step, "before": found.before, "after": found.after,
        "reads": reads.collect::<Vec<_>>(),
    })
}
