//! A list of changes as people and programs read it. Absent on purpose: finding them (the domain's).

use serde_json::{Value as Json, json};

use super::findings::Colour;
use crate::domain::difference::{Change, ChangeKind, Part};

/// Columns that an old and a new text may take together on one line.
const ONE_LINE: usize = 76;
/// Changes that are shown of one part of one thing (the rows of a table); the others are counted. JSON has all.
const MOST_SHOWN: usize = 40;

/// The changes as JSON objects: `{"part", "in", "name", "field", "change", "before", "after"}`.
#[must_use]
pub fn json(changes: &[Change]) -> Json {
    let shown = |change: &Change| {
        json!({
            "part": change.part.word(),
            "in": change.within,
            "name": change.name,
            "field": change.field,
            "change": change.kind.word(),
            "before": change.before,
            "after": change.after,
        })
    };
    changes.iter().map(shown).collect()
}

/// One line a change, or three where the texts are long; each line begins with `indent`.
#[must_use]
pub fn text(changes: &[Change], indent: &str, colour: Colour) -> String {
    let mut out = String::new();
    let mut shown = 0;
    let mut last: Option<(Part, Option<&str>)> = None;
    let mut hidden = 0;
    let tell_hidden = |out: &mut String, hidden: usize| {
        if hidden > 0 {
            out.push_str(&format!("{indent}  … and {hidden} more\n"));
        }
    };
    for change in changes {
        let of = (change.part, change.within.as_deref());
        if last != Some(of) {
            tell_hidden(&mut out, hidden);
            (last, shown, hidden) = (Some(of), 0, 0);
        }
        shown += 1;
        if shown > MOST_SHOWN {
            hidden += 1;
        } else {
            line(&mut out, change, indent, colour);
        }
    }
    tell_hidden(&mut out, hidden);
    out
}

/// What it is about: `rule knockout/under_age, when`.
fn about(change: &Change) -> String {
    let word = change.part.word().replace('_', " ");
    let name = match (change.part, &change.within) {
        (Part::Script | Part::Function, Some(within)) => format!("{} ({within})", change.name),
        (Part::Row | Part::Bin, Some(within)) => format!("{within}, {}", change.name),
        (_, Some(within)) => format!("{within}/{}", change.name),
        (_, None) => change.name.clone(),
    };
    let name = match change.part {
        // Its name begins with the word.
        Part::Row => name,
        Part::SubFlow => format!("asks {name}"),
        _ => format!("{word} {name}"),
    };
    match &change.field {
        Some(field) => format!("{name}, {}", field.replace('_', " ")),
        None => name,
    }
}

fn line(out: &mut String, change: &Change, indent: &str, colour: Colour) {
    let paint = |code: &str, text: &str| match colour {
        Colour::Never => text.to_owned(),
        Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
    };
    let sign = match change.kind {
        ChangeKind::Added => paint("32", "+"),
        ChangeKind::Removed => paint("31", "-"),
        ChangeKind::Changed | ChangeKind::Renamed => paint("33", "~"),
        ChangeKind::Moved => paint("33", "↕"),
    };
    let about = about(change);
    let verb = match change.kind {
        ChangeKind::Moved => " moved",
        ChangeKind::Renamed => " renamed",
        _ => "",
    };
    match (&change.before, &change.after) {
        _ if change.part == Part::SubFlow && change.kind == ChangeKind::Changed => {
            let what = "which changed: its own difference says how";
            out.push_str(&format!("{indent}{sign} {about}, {what}\n"));
        }
        (Some(before), Some(after)) => {
            let length = about.chars().count() + before.chars().count() + after.chars().count();
            if length <= ONE_LINE {
                let (before, after) = (paint("31", before), paint("32", after));
                out.push_str(&format!("{indent}{sign} {about}{verb}: {before} → {after}\n"));
            } else {
                let (before, after) = (paint("31", before), paint("32", after));
                out.push_str(&format!("{indent}{sign} {about}{verb}\n"));
                out.push_str(&format!("{indent}    - {before}\n{indent}    + {after}\n"));
            }
        }
        (Some(only), None) | (None, Some(only)) => {
            out.push_str(&format!("{indent}{sign} {about}{verb}: {only}\n"));
        }
        (None, None) => out.push_str(&format!("{indent}{sign} {about}{verb}\n")),
    }
}
