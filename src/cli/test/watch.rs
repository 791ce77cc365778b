//! `tollgate test --watch`: the cases again after each change, and what the change did to them. Absent on purpose:
//! finding changes (the release's).

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::Test;
use super::found::Found;
use crate::bundle::BASE;
use crate::bundle::cases::CaseResult;
use crate::cli::say::{Say, Trouble};
use crate::cli::{Format, check};
use crate::config::Settings;
use crate::documents::Source;
use crate::release::Changes;
use crate::trial::properties::PropertyResult;

/// Clears the screen and what was scrolled out of it.
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

/// Runs until somebody stops it, or nobody reads any more.
pub(super) fn run(test: &Test, settings: &Settings, say: &Say) -> Result<ExitCode, Trouble> {
    if say.format() != Format::Text {
        let help = "leave out `--format`, or `--watch`";
        return Err(Trouble::new("`--watch` shows text, for somebody who looks on").help(help));
    }
    let mut changes = Changes::of(settings.rules.clone(), settings.models.clone());
    let mut before: Option<BTreeSet<Failing>> = None;
    loop {
        if std::io::stdout().is_terminal() {
            say.line(CLEAR)?;
        }
        let looked = check::read(settings).and_then(|built| Ok((test.look(&built, say)?, built)));
        match looked {
            Ok((found, built)) => {
                let failing = Failing::all(&found);
                say.line(&shown(&found, &built.sources, &failing, before.as_ref()))?;
                before = Some(failing);
            }
            // A folder may be gone for a moment, or a flow: what was asked for may come back.
            Err(Trouble::StdoutGone) => return Err(Trouble::StdoutGone),
            Err(trouble) => say.trouble(&trouble),
        }
        say.talk("waiting for a change in rules or models; Ctrl-C ends it");
        while !changes.wait(None) {}
    }
}

/// A case that does not hold, by what it is called.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Failing {
    file: String,
    case: String,
    market: String,
}

impl Failing {
    fn all(found: &Found) -> BTreeSet<Self> {
        let cases = found.results.iter().filter(|result| !result.holds()).map(Self::of);
        let properties = found.properties.iter().filter(|result| !result.holds());
        cases.chain(properties.map(Self::of_property)).collect()
    }

    fn of_property(result: &PropertyResult) -> Self {
        let file = format!("rules/{}/flow.yaml", result.flow);
        Self { file, case: result.property.clone(), market: result.market.to_string() }
    }

    fn of(result: &CaseResult) -> Self {
        Self { file: result.file.clone(), case: result.case.clone(), market: result.market.to_string() }
    }

    fn line(&self, sign: &str) -> String {
        let market = if self.market == BASE { String::new() } else { format!(" [{}]", self.market) };
        format!("{sign} {}{market}  ({})\n", self.case, self.file)
    }
}

/// The cases that do not hold, the totals, and what the change did.
fn shown(
    found: &Found,
    sources: &[Source],
    failing: &BTreeSet<Failing>,
    before: Option<&BTreeSet<Failing>>,
) -> String {
    let mut text = found.text(sources);
    let Some(before) = before else { return text };
    let is_there = |case: &&Failing| {
        found.results.iter().any(|result| Failing::of(result) == **case)
            || found.properties.iter().any(|result| Failing::of_property(result) == **case)
    };
    let mut told = String::new();
    for case in failing.difference(before) {
        told.push_str(&case.line("- fails now:"));
    }
    for case in before.difference(failing) {
        told.push_str(&case.line(if is_there(&case) { "+ holds again:" } else { "  is gone:" }));
    }
    let still = failing.intersection(before).count();
    if still > 0 {
        told.push_str(&format!("  fails as before: {still}\n"));
    }
    if told.is_empty() {
        told.push_str("  the change made no case fail, and none hold\n");
    }
    text.push_str("\n\nsince the last run:\n");
    text.push_str(told.trim_end());
    text
}
