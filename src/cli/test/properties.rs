//! The properties of flows in `tollgate test`: held on all processors, and shown. Absent on purpose: holding them
//! (`trial`'s).

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde::Serialize;

use super::chosen::Chosen;
use crate::bundle::BASE;
use crate::cli::say::Trouble;
use crate::documents::Source;
use crate::documents::json::{self, JsonLimits};
use crate::documents::table::Reader;
use crate::domain::facts::Given;
use crate::domain::flow::{Flow, Input, Pins};
use crate::domain::value::Kind;
use crate::trial::applicant::Applicant;
use crate::trial::properties::{Held, PropertyResult, Task, Trying, tasks};

/// Every property of the chosen flows in every market, in the order that they are written.
pub(super) fn run(chosen: &Chosen<'_>, trying: &Trying<'_>, threads: NonZeroUsize) -> Vec<PropertyResult> {
    let all: Vec<Task<'_>> =
        chosen.flows.iter().flat_map(|flow| tasks(flow.name, flow.revision, flow.files)).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(all.len())));
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(all.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = all.get(at) else { return };
                    let result = task.run(trying);
                    if let Ok(mut done) = done.lock() {
                        done.extend(result.map(|result| (at, result)));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Real facts for one flow: a JSON object a line, or CSV with the names of inputs in its header. Other columns, and
/// blank cells, are left out.
pub(super) fn facts(path: &Path, flow: &Flow, now: Timestamp) -> Result<Vec<Applicant>, Trouble> {
    let shown = path.display();
    let unread = |error: std::io::Error| Trouble::because(&format!("`{shown}` cannot be read"), &error);
    let bytes = std::fs::read(path).map_err(unread)?;
    let is_csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let all = if is_csv { of_csv(path, &bytes, flow)? } else { of_lines(path, &bytes)? };
    let applicant = |(line, given): (u64, Given)| Applicant {
        given,
        pins: Pins::default(),
        at: now,
        origin: format!("line {line} of {shown}"),
    };
    Ok(all.into_iter().map(applicant).collect())
}

fn of_lines(path: &Path, bytes: &[u8]) -> Result<Vec<(u64, Given)>, Trouble> {
    let mut all = Vec::new();
    for (line, text) in (1_u64..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let what = format!("line {line} of `{}` is not a JSON object with facts", path.display());
        let help = "write one object a line, or name the file `.csv`";
        let given = json::parse(text, JsonLimits::default())
            .map_err(|error| Trouble::because(&what, &error).help(help))?;
        if !matches!(given, Given::Map(_)) {
            return Err(Trouble::new(what).help(help));
        }
        all.push((line, given));
    }
    Ok(all)
}

fn of_csv(path: &Path, bytes: &[u8], flow: &Flow) -> Result<Vec<(u64, Given)>, Trouble> {
    let unread = |error| Trouble::because(&format!("`{}` cannot be read", path.display()), &error);
    let mut reader = Reader::new(bytes, b',').map_err(unread)?;
    let inputs: Vec<Option<&Input>> = reader
        .columns
        .iter()
        .map(|column| flow.inputs.iter().find(|input| *input.name == **column))
        .collect();
    if inputs.iter().all(Option::is_none) {
        let what = format!("no column of `{}` is an input of `{}`", path.display(), flow.name);
        return Err(Trouble::new(what).help("the header names inputs, separated by commas"));
    }
    let mut all = Vec::new();
    while let Some((line, cells)) = reader.next_row().map_err(unread)? {
        let mut facts = Vec::new();
        for (at, input) in inputs.iter().enumerate() {
            let (Some(input), cell) = (input, cells.trimmed(at)) else { continue };
            if !cell.is_empty() {
                facts.push((input.name.to_string(), of_cell(cell, &input.kind)));
            }
        }
        all.push((line, Given::Map(facts)));
    }
    Ok(all)
}

/// A cell in the form that a caller would send it in.
fn of_cell(cell: &str, kind: &Kind) -> Given {
    match kind {
        Kind::Integer | Kind::Decimal | Kind::Number => Given::Number(cell.to_owned()),
        Kind::Boolean => match cell {
            "true" => Given::Boolean(true),
            "false" => Given::Boolean(false),
            _ => Given::Text(cell.to_owned()),
        },
        _ => Given::Text(cell.to_owned()),
    }
}

/// One property for programs.
#[derive(Serialize)]
pub(super) struct PropertyBody<'a> {
    flow: &'a str,
    market: &'a str,
    property: &'a str,
    file: String,
    line: u32,
    holds: bool,
    /// It cannot be otherwise: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    proved: Option<&'a str>,
    /// Answers, or pairs of them, that it was held against.
    tried: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<&'a str>,
    /// Entries for a file of cases, of which the last fails today.
    #[serde(skip_serializing_if = "Option::is_none")]
    cases: Option<&'a str>,
}

pub(super) fn body<'a>(result: &'a PropertyResult, sources: &[Source]) -> PropertyBody<'a> {
    let (file, line) = place(result, sources);
    let (proved, broken, cases) = match &result.held {
        Held::Proved(why) => (Some(why.as_str()), None, None),
        Held::NotBroken => (None, None, None),
        Held::Broken(counterexample) => {
            (None, Some(counterexample.what.as_str()), Some(counterexample.cases.as_str()))
        }
        Held::Failed(why) => (None, Some(why.as_str()), None),
    };
    PropertyBody {
        flow: &result.flow,
        market: &result.market,
        property: &result.property,
        file,
        line,
        holds: result.holds(),
        proved,
        tried: result.tried,
        broken,
        cases,
    }
}

pub(super) fn place(result: &PropertyResult, sources: &[Source]) -> (String, u32) {
    let source = usize::try_from(result.place.file).ok().and_then(|at| sources.get(at));
    source.map_or_else(
        || (format!("rules/{}/flow.yaml", result.flow), 0),
        |source| (source.path.clone(), source.position(result.place.span.start).line),
    )
}

/// A property that does not hold, with the smallest facts for which it does not.
pub(super) fn rendered(result: &PropertyResult, sources: &[Source]) -> String {
    let (file, line) = place(result, sources);
    let market = match &*result.market {
        BASE => String::new(),
        market => format!(" (in the market `{market}`)"),
    };
    let mut text = format!("property broken: {}{market}\n  --> {file}:{line}\n", result.property);
    if let Some(why) = &result.why {
        text.push_str(&format!("   = why it must hold: {why}\n"));
    }
    match &result.held {
        Held::Broken(counterexample) => {
            let crate::trial::properties::Counterexample { what, cases, origin } = &**counterexample;
            text.push_str(&format!("   | {what}\n   | made from {origin}; as cases:\n"));
            for line in cases.lines() {
                text.push_str(&format!("   | {line}\n"));
            }
        }
        Held::Failed(why) => text.push_str(&format!("   | it cannot be evaluated: {why}\n")),
        Held::Proved(_) | Held::NotBroken => {}
    }
    text
}
