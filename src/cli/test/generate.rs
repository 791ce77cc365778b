//! `tollgate test --generate`: cases at the boundaries that nobody has written, printed or added to a file, with
//! today's answers for a person to confirm. Absent on purpose: finding them (`trial`'s).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use super::chosen::{Chosen, ChosenFlow};
use crate::cli::say::{Say, Trouble};
use crate::config::Settings;
use crate::documents::Source;
use crate::trial::boundaries::{Boundary, lacking};

/// The file in a flow's `cases/` that they go to.
const FILE: &str = "generated.yaml";

/// `{"generated": n, "flows": [{"flow", "cases", "file"}]}`
#[derive(Serialize)]
struct Body {
    generated: usize,
    flows: Vec<FlowBody>,
}

#[derive(Serialize)]
struct FlowBody {
    flow: String,
    /// How many cases were added.
    cases: usize,
    /// The file that they were written to, if they were.
    file: Option<String>,
    /// Its text; where there is a file, what was added to it.
    yaml: String,
}

/// Where the cases go.
pub(super) enum To {
    Stdout,
    /// `cases/generated.yaml` of each flow.
    EachFlow,
    File(PathBuf),
}

pub(super) fn run(
    chosen: &Chosen<'_>,
    settings: &Settings,
    to: &To,
    now: Timestamp,
    say: &Say,
) -> Result<ExitCode, Trouble> {
    if !chosen.broken.is_empty() {
        let what = format!(
            "cases are generated for flows that check, and `{}` does not",
            chosen.broken.join("`, `")
        );
        return Err(Trouble::new(what).help("`tollgate check` says what is wrong"));
    }
    if let (To::File(_), [_, _, ..]) = (to, chosen.flows.as_slice()) {
        let help = "name one flow: `tollgate test FLOW --generate --write FILE`, or leave FILE out";
        return Err(Trouble::new("one file holds the cases of one flow").help(help));
    }
    let bar = say.progress(u64::try_from(chosen.flows.len()).ok());
    let mut flows = Vec::new();
    for flow in &chosen.flows {
        bar.set_message(flow.name.to_string());
        let path = match to {
            To::Stdout => None,
            To::EachFlow => Some(settings.rules.join(&**flow.name).join("cases").join(FILE)),
            To::File(path) => Some(path.clone()),
        };
        flows.push(of_flow(chosen, flow, path.as_deref(), now)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let generated = flows.iter().map(|flow| flow.cases).sum();
    let text = shown(&flows);
    say.result(&Body { generated, flows }, || text)?;
    Ok(ExitCode::SUCCESS)
}

fn of_flow(
    chosen: &Chosen<'_>,
    flow: &ChosenFlow<'_>,
    path: Option<&Path>,
    now: Timestamp,
) -> Result<FlowBody, Trouble> {
    if flow.files.cases.is_empty() && flow.files.sets.is_empty() {
        let what = format!("the flow `{}` has no case to begin with", flow.name);
        let help = "write one in `cases/`, or a set of facts in `cases/_facts.yaml`";
        return Err(Trouble::new(what).help(help));
    }
    let before = path.filter(|path| path.exists()).map(std::fs::read_to_string).transpose();
    let unread = |error| Trouble::because("the file of cases cannot be read", &error);
    let before = before.map_err(unread)?;
    let at = before.as_deref().and_then(decided_at).unwrap_or_else(|| usual(flow, now));
    let found = lacking(flow.revision, flow.files, at);
    let entries: String =
        found.iter().map(|one: &Boundary| one.new_case(at).yaml(&flow.files.sets)).collect();
    let yaml = match &before {
        _ if found.is_empty() => String::new(),
        Some(_) => entries,
        None => format!("{}{entries}", head(chosen, flow, at)),
    };
    if let (Some(path), false) = (path, found.is_empty()) {
        let mut text = before.unwrap_or_default();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&yaml);
        write(path, &text)?;
    }
    Ok(FlowBody {
        flow: flow.name.to_string(),
        cases: found.len(),
        file: path.map(|path| path.display().to_string()),
        yaml,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    let unwritten = |error| Trouble::because(&format!("`{}` cannot be written", path.display()), &error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritten)?;
    }
    std::fs::write(path, text).map_err(unwritten)
}

/// When the cases of a file are decided, where it says so once for all.
fn decided_at(text: &str) -> Option<Timestamp> {
    text.lines().find_map(|line| line.strip_prefix("at: ")?.trim().parse().ok())
}

/// When most cases of the flow are decided; else at noon of today, so that nothing hangs on the hour.
fn usual(flow: &ChosenFlow<'_>, now: Timestamp) -> Timestamp {
    let mut times: Vec<Timestamp> = flow.files.cases.iter().filter_map(|case| case.at).collect();
    times.sort_unstable();
    let most = times.chunk_by(|a, b| a == b).max_by_key(|same| same.len());
    most.and_then(|same| same.first().copied()).unwrap_or_else(|| {
        let day = now.as_second().div_euclid(86_400);
        Timestamp::from_second(day.saturating_mul(86_400).saturating_add(43_200)).unwrap_or(now)
    })
}

fn head(chosen: &Chosen<'_>, flow: &ChosenFlow<'_>, at: Timestamp) -> String {
    let folder = format!("rules/{}/cases/", flow.name);
    let schema = chosen
        .built
        .sources
        .iter()
        .filter(|source: &&Source| source.path.starts_with(&folder) && !source.path.ends_with("_facts.yaml"))
        .find_map(|source| {
            source.text.lines().next().filter(|line| line.starts_with("# yaml-language-server"))
        })
        .map(|line| format!("{line}\n"))
        .unwrap_or_default();
    format!(
        "{schema}# Cases at the boundaries of tables, scorecards and rules, written by `tollgate test --generate` with the answers of\n\
         # that day. Hold each against the policy, then remove its `generated: true`; correct or remove what is not meant.\n\
         at: {at}\ncases:\n"
    )
}

fn shown(flows: &[FlowBody]) -> String {
    let mut text = String::new();
    for flow in flows {
        match (&flow.file, flow.cases) {
            (_, 0) => {
                text.push_str(&format!("# {}: its cases show every boundary that was found\n", flow.flow))
            }
            (Some(file), cases) => {
                text.push_str(&format!("{}: {cases} cases to confirm in {file}\n", flow.flow))
            }
            (None, _) => text.push_str(&flow.yaml),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_file_is_that_of_all_its_cases() {
        let text = "# at: 2020-01-01T00:00:00Z\nat: 2026-11-22T10:00:00+01:00\ncases:\n  - at: 2021-01-01T00:00:00Z\n";
        assert_eq!(decided_at(text).unwrap().to_string(), "2026-11-22T09:00:00Z");
        assert_eq!(decided_at("cases: []\n"), None);
    }
}
