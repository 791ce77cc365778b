//! `tollgate test --mutate`: what the cases would miss if a flow were a little wrong, and cases that would not. Absent
//! on purpose: making mutants and looking for cases (the trial room's).

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::Path;

use clap::Args;
use jiff::Timestamp;

use super::chosen::Chosen;
use super::coverage::percent;
use crate::cli::say::{Say, Trouble};
use crate::trial::mutation::{self, Cases, Found, MutantsBody, Progress, SurvivorBody};

/// What is asked about mutants.
#[derive(Debug, Args)]
pub(super) struct MutationArgs {
    /// Change the flows one small step at a time, and list the changes that no case notices
    #[arg(long, conflicts_with = "watch", group = "finds_cases")]
    mutate: bool,
    /// Exit with 1 where the cases notice less than this share of the changes
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "watch")]
    mutate_min: Option<f64>,
}

/// What the cases would miss, and whether that is little enough.
pub(super) struct Mutants {
    pub body: MutantsBody,
    pub text: String,
    pub is_enough: bool,
}

impl MutationArgs {
    pub(super) fn is_asked(&self) -> bool {
        self.mutate || self.mutate_min.is_some()
    }

    /// Tries the mutants of every chosen flow, and writes the cases below `rules` if that is there.
    pub(super) fn look(
        &self,
        chosen: &Chosen<'_>,
        (now, threads): (Timestamp, NonZeroUsize),
        rules: Option<&Path>,
        say: &Say,
    ) -> Result<Mutants, Trouble> {
        let bar = say.progress(None);
        let mut flows: Vec<Found> = Vec::new();
        for flow in &chosen.flows {
            let cases = Cases { cases: &flow.cases, sets: &flow.files.sets, now, threads };
            let progress = |now: Progress| {
                let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
                say.steps(&bar, count(now.done), count(now.of));
                bar.set_message(format!("{}: {} noticed, {} not", flow.name, now.caught, now.surviving));
            };
            let found =
                mutation::mutate(flow.name, flow.revision, cases, &chosen.built.bundle.models, &progress);
            flows.push(found.map_err(|failing| {
                Trouble::new(failing.to_string()).help("run `tollgate test` and make the cases hold first")
            })?);
        }
        bar.finish_and_clear();
        if let Some(rules) = rules {
            for found in flows.iter().filter(|found| !found.cases.is_empty()) {
                write(rules, found, say)?;
            }
        }
        let body = mutation::body(&flows, &chosen.built.sources);
        let reached = mutation::percent(&flows);
        let is_enough = self.mutate_min.is_none_or(|least| reached >= least);
        let mut text = text(&body, rules.is_some());
        if let Some(least) = self.mutate_min.filter(|_| !is_enough) {
            let _ = write!(text, "\nthat is below the {least}% that `--mutate-min` asks for");
        }
        Ok(Mutants { body, text, is_enough })
    }
}

/// Adds the cases of one flow to its file.
fn write(rules: &Path, found: &Found, say: &Say) -> Result<(), Trouble> {
    let path = mutation::file_of(&found.flow);
    let file = rules.join(path.strip_prefix("rules/").unwrap_or(&path));
    let there = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Trouble::because(&format!("`{}` cannot be read", file.display()), &error));
        }
    };
    let text = mutation::append(there.as_deref(), &found.cases);
    let write = || {
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&file, &text)
    };
    write().map_err(|error| Trouble::because(&format!("`{}` cannot be written", file.display()), &error))?;
    let cases = found.cases.len();
    let word = if cases == 1 { "case" } else { "cases" };
    say.talk(&format!("{cases} {word} added to {}: confirm their answers", file.display()));
    Ok(())
}

fn text(body: &MutantsBody, is_written: bool) -> String {
    let MutantsBody { total, caught, equivalent, percent, survivors } = body;
    let mut out = format!(
        "mutants: {caught} of {total} are noticed by a case ({percent}%); {equivalent} more can never matter"
    );
    if survivors.is_empty() {
        return out;
    }
    out.push_str("\nnot noticed:");
    let mut shown: Vec<&str> = Vec::new();
    for survivor in survivors {
        survivor_text(&mut out, survivor);
        match &survivor.case {
            // Writing to a string cannot fail.
            None => out.push_str("\n    no case was found that would notice; it may not matter"),
            Some(case) if shown.contains(&case.as_str()) => {
                let _ = write!(out, "\n    the case {} would notice it too", case_name(case));
            }
            Some(_) if is_written => out.push_str("\n    a case that notices it was added"),
            Some(case) => {
                out.push_str("\n    a case that would:\n");
                out.push_str(case.trim_end());
                shown.push(case);
            }
        }
    }
    let can_be_added = survivors.iter().any(|survivor| survivor.case.is_some());
    if can_be_added && !is_written {
        out.push_str("\n`--write` adds these cases");
    }
    out
}

fn survivor_text(out: &mut String, survivor: &SurvivorBody) {
    let SurvivorBody { change, file, line, column, is_reached, unexpected, .. } = survivor;
    let _ = write!(out, "\n  {file}:{line}:{column} {change}");
    if !is_reached {
        out.push_str("\n    no case comes to this place");
    }
    for weak in unexpected {
        let _ = write!(
            out,
            "\n    {}:{} would notice it if it expected {{ {} }}: {}",
            weak.file, weak.line, weak.expect, weak.case
        );
    }
}

/// What stands behind `case:`.
fn case_name(case: &str) -> &str {
    case.lines().next().unwrap_or_default().trim_start_matches("  - case: ")
}
