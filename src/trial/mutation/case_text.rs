//! A case as it stands in a file of cases: written from facts and from what the flow answers today. Absent on purpose:
//! finding it, and touching files.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::bundle::BASE;
use crate::bundle::cases::{Expectation, ExpectedNeed, ExpectedScore, Prepared};
use crate::domain::facts::Given;
use crate::domain::flow::{Flow, ModelPin};
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{NeedAsked, Score, Verdict};
use crate::trial::written::{flow_map, given, pins, scalar};

/// What is written at the head of a new file.
const HEAD: &str = "\
# Cases that `tollgate test --mutate --write` made: each tells this flow from one with a small mistake in it. The
# answers are those that the flow gave; change what should be otherwise, and keep what is right.
cases:
";

/// A case that tells a flow from a mutant of it.
#[derive(Debug, Clone)]
pub(super) struct NewCase {
    /// Ready to be decided.
    pub run: Prepared,
    /// A list item, indented by two, with a line break at its end.
    pub text: String,
}

impl NewCase {
    pub fn catches(&self, mutant: &Flow) -> bool {
        !self.run.expect.is_met(&self.run.verdict(mutant))
    }
}

/// Where the cases of a flow are written to.
#[must_use]
pub fn file_of(flow: &str) -> String {
    format!("rules/{flow}/cases/from_mutants.yaml")
}

/// The file with these cases behind those that it has; a case whose text it has already is not written again.
#[must_use]
pub fn append(file: Option<&str>, cases: &[String]) -> String {
    let mut text = file.filter(|text| !text.trim().is_empty()).unwrap_or(HEAD).to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    for case in cases {
        if !text.contains(case.as_str()) {
            text.push_str(case);
        }
    }
    text
}

/// Whether two verdicts are the same to whoever asked.
pub(super) fn is_alike(a: &Verdict, b: &Verdict) -> bool {
    a.outcome == b.outcome
        && a.reasons == b.reasons
        && a.output == b.output
        && is_scored_alike(a, b)
        && a.degraded == b.degraded
        && a.needs == b.needs
}

fn is_scored_alike(a: &Verdict, b: &Verdict) -> bool {
    let bits = |(name, score): &(Name, Score)| (Name::clone(name), score.rounded.to_bits());
    a.scores.iter().map(bits).eq(b.scores.iter().map(bits))
}

/// What a case would have to expect so that it tells the one from the other: `reasons: [R101]`. Nothing if they are
/// alike.
pub(super) fn missing_expectation(original: &Verdict, mutant: &Verdict) -> Option<String> {
    if is_alike(original, mutant) {
        return None;
    }
    let expect = expectation(original, mutant);
    let mut parts: Vec<String> = Vec::new();
    for (name, shown) in parts_of(&expect) {
        let differs = match name {
            "outcome" => original.outcome != mutant.outcome,
            "reasons" => original.reasons != mutant.reasons,
            "output" => original.output != mutant.output,
            "needs" => original.needs != mutant.needs,
            "degraded" => original.degraded != mutant.degraded,
            _ => true,
        };
        if differs {
            parts.push(format!("{name}: {shown}"));
        }
    }
    Some(parts.join(", "))
}

/// Everything about a verdict that a case would be right to expect: scores only where they tell the difference.
pub(super) fn expectation(original: &Verdict, mutant: &Verdict) -> Expectation {
    if !original.needs.is_empty() {
        let needs = original.needs.iter().map(need).collect();
        return Expectation { needs: Some(needs), ..Expectation::default() };
    }
    let is_exact = |(_, value): &&(Name, Value)| !matches!(value, Value::Step(_));
    let scores = match is_scored_alike(original, mutant) {
        true => Vec::new(),
        false => original
            .scores
            .iter()
            .map(|(name, score)| (name.to_string(), ExpectedScore { is: score.rounded, within: 0.0 }))
            .collect(),
    };
    Expectation {
        needs: None,
        outcome: Some(original.outcome.to_string()),
        reasons: Some(original.reasons.iter().map(ToString::to_string).collect()),
        reasons_include: None,
        output: original
            .output
            .iter()
            .filter(is_exact)
            .map(|(name, value)| (name.to_string(), given(value)))
            .collect(),
        scores,
        degraded: (original.degraded || mutant.degraded).then_some(original.degraded),
        failed: None,
    }
}

/// A need that is asked, with all that it is asked with.
fn need(asked: &NeedAsked) -> ExpectedNeed {
    let with = match &asked.with {
        Value::Map(members) => members.iter().map(|(name, value)| (name.to_string(), given(value))).collect(),
        _ => Vec::new(),
    };
    ExpectedNeed { name: asked.name.to_string(), with }
}

/// How the facts are written: on a named set, or from nothing.
pub(super) struct Written<'f> {
    pub name: &'f str,
    pub like: Option<&'f str>,
    /// Over the set's facts.
    pub given: Vec<(String, Given)>,
    /// Facts of the set that this case does not have.
    pub without: Vec<String>,
    pub at: Timestamp,
    pub models: &'f BTreeMap<Name, ModelPin>,
    pub market: &'f str,
}

/// One item of `cases:`.
pub(super) fn text(case: &Written<'_>, expect: &Expectation) -> String {
    let mut lines = vec![format!("  - case: {}", scalar(case.name))];
    let mut line = |key: &str, value: String| lines.push(format!("    {key}: {value}"));
    if let Some(like) = case.like {
        line("like", scalar(like));
    }
    if !case.given.is_empty() {
        line("given", flow_map(&case.given));
    }
    if !case.without.is_empty() {
        let names: Vec<String> = case.without.iter().map(|name| scalar(name)).collect();
        line("without", format!("[{}]", names.join(", ")));
    }
    line("at", case.at.to_string());
    if !case.models.is_empty() {
        line("models", pins(case.models));
    }
    if case.market != BASE {
        line("market", scalar(case.market));
    }
    let parts: Vec<String> =
        parts_of(expect).into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
    line("expect", format!("{{ {} }}", parts.join(", ")));
    lines.push(String::new());
    lines.join("\n")
}

/// The parts of an expectation, as `expect:` writes them.
fn parts_of(expect: &Expectation) -> Vec<(&'static str, String)> {
    let codes = |all: &[String]| {
        let all: Vec<String> = all.iter().map(|code| scalar(code)).collect();
        format!("[{}]", all.join(", "))
    };
    let mut parts = Vec::new();
    if let Some(needs) = &expect.needs {
        let shown = |need: &ExpectedNeed| match need.with.is_empty() {
            true => scalar(&need.name),
            false => format!("{{ {}: {} }}", scalar(&need.name), flow_map(&need.with)),
        };
        parts.push(("needs", format!("[{}]", needs.iter().map(shown).collect::<Vec<_>>().join(", "))));
    }
    if let Some(outcome) = &expect.outcome {
        parts.push(("outcome", scalar(outcome)));
    }
    if let Some(reasons) = &expect.reasons {
        parts.push(("reasons", codes(reasons)));
    }
    if !expect.output.is_empty() {
        parts.push(("output", flow_map(&expect.output)));
    }
    if !expect.scores.is_empty() {
        let score = |(name, score): &(String, ExpectedScore)| format!("{}: {}", scalar(name), score.is);
        let all: Vec<String> = expect.scores.iter().map(score).collect();
        parts.push(("scores", format!("{{ {} }}", all.join(", "))));
    }
    if let Some(degraded) = expect.degraded {
        parts.push(("degraded", degraded.to_string()));
    }
    parts
}
