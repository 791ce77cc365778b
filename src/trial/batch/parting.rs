//! Where two evaluations of the same facts part: the first step that came out otherwise, in an analyst's words. Never
//! with a fact's value. Lines, digests and version numbers alone make no difference: only what came of them does.

use crate::domain::value::Name;
use crate::domain::verdict::{RecordedBy, RuleResult, Step, Verdict};

/// The first step that differs; `None` where none does.
pub(super) fn parting(there: &Verdict, here: &Verdict) -> Option<String> {
    steps(&there.trace, &here.trace)
}

fn steps(there: &[Step], here: &[Step]) -> Option<String> {
    for at in 0..there.len().max(here.len()) {
        let found = match (there.get(at), here.get(at)) {
            (Some(there), Some(here)) => step(there, here),
            (Some(there), None) => Some(format!("there {}; nothing more here", name(there))),
            (None, Some(here)) => Some(format!("here {}; nothing more there", name(here))),
            (None, None) => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn step(there: &Step, here: &Step) -> Option<String> {
    let about = name(here);
    if name(there) != about {
        return Some(format!("there {}; here {about}", name(there)));
    }
    match (there, here) {
        (Step::Feature { value: there, .. }, Step::Feature { value: here, .. }) => {
            (there != here).then(|| format!("{about}: another value"))
        }
        (Step::Rules { rules: there, points: was, .. }, Step::Rules { rules: here, points: is, .. }) => {
            let word = |rule: Option<RuleResult>| rule.map_or("is not asked", word);
            let find = |rules: &crate::domain::verdict::RulesTrace, id: &Name| {
                rules.iter().find(|(label, _)| label.id == *id).map(|(_, result)| result)
            };
            let ids = here.iter().chain(there.iter()).map(|(label, _)| &label.id);
            let mut changed = ids.map(|id| (id, find(there, id), find(here, id)));
            let first = changed.find(|(_, there, here)| there != here);
            first
                .map(|(id, there, here)| format!("{about}: {id} {} there, {} here", word(there), word(here)))
                .or_else(|| (was != is).then(|| format!("{about}: other points")))
        }
        (Step::Model { score: there, .. }, Step::Model { score: here, .. }) => {
            let rounded =
                |score: &Option<crate::domain::verdict::Score>| score.map(|score| score.rounded.to_bits());
            (rounded(there) != rounded(here)).then(|| format!("{about}: another score"))
        }
        (
            Step::Scorecard { points: was, bins: there, .. },
            Step::Scorecard { points: is, bins: here, .. },
        ) => {
            let other = here.iter().find(|bin| {
                !there.iter().any(|b| b.characteristic == bin.characteristic && b.points == bin.points)
            });
            match other {
                Some(bin) => Some(format!("{about}: other points for {}", bin.characteristic)),
                None => (was != is).then(|| format!("{about}: other points")),
            }
        }
        (Step::Table { output: there, .. }, Step::Table { output: here, .. }) => {
            (there != here).then(|| format!("{about}: another answer"))
        }
        (Step::List { is_listed: there, .. }, Step::List { is_listed: here, .. }) => {
            (there != here).then(|| format!("{about}: listed {}", if *here { "here" } else { "there" }))
        }
        (Step::SubFlow { trace: there, .. }, Step::SubFlow { trace: here, .. }) => {
            steps(there, here).map(|inner| format!("{about}, {inner}"))
        }
        (Step::Need { answer: there, .. }, Step::Need { answer: here, .. }) => {
            (there != here).then(|| format!("{about}: another answer"))
        }
        (Step::Record { reasons: there, .. }, Step::Record { reasons: here, .. }) if there != here => {
            Some(format!("{about}: other reasons"))
        }
        (Step::Record { output: there, .. }, Step::Record { output: here, .. }) => {
            (there != here).then(|| format!("{about}: another output"))
        }
        _ => None,
    }
}

fn word(result: RuleResult) -> &'static str {
    match result {
        RuleResult::Hit => "hits",
        RuleResult::Miss => "misses",
        RuleResult::Failed => "fails",
    }
}

/// What a step is, and for what is recorded, by what.
fn name(step: &Step) -> String {
    match step {
        Step::Feature { name, .. } => format!("feature {name}"),
        Step::Rules { name, .. } => format!("rules {name}"),
        Step::Model { name, .. } => format!("model {name}"),
        Step::Scorecard { name, .. } => format!("scorecard {name}"),
        Step::Table { name, .. } => format!("table {name}"),
        Step::List { name, .. } => format!("list {name}"),
        Step::SubFlow { name, .. } => format!("flow {name}"),
        Step::Need { asked, .. } => format!("need {}", asked.name),
        Step::Gathered(gathered) => format!("answer of {}", gathered.name),
        Step::Record { outcome, by, .. } => match by {
            RecordedBy::Verb => format!("{outcome} in the script"),
            RecordedBy::Rule { rule_set, rule } => format!("{outcome} by rule {rule_set}/{rule}"),
            RecordedBy::Row { table, .. } => format!("{outcome} by table {table}"),
            RecordedBy::SubFlow(flow) => format!("{outcome} by flow {flow}"),
            RecordedBy::IfItFails(model) => format!("{outcome} for want of model {model}"),
            RecordedBy::OnError => format!("{outcome} on an error"),
            RecordedBy::OnInvalid => format!("{outcome} for facts out of range"),
        },
        Step::Failed(failure) => format!("{} failed ({})", failure.step, failure.code),
    }
}
