//! Where two evaluations of one flow part: step beside step, the first that came out otherwise and what it read
//! otherwise.

use crate::domain::explanation::{Condition, Read, RuleTold, Shown, Told, Truth};
use crate::domain::verdict::RuleResult;

/// Where two evaluations differ.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parted {
    /// The first step that gave something else; `None`: all gave the same.
    pub first: Option<Difference>,
    /// The first at which the way went on otherwise: a condition, a rule, a row, an outcome.
    pub way: Option<Difference>,
}

/// One step in both evaluations.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The flows that were asked on the way here.
    pub flows: Vec<String>,
    /// What step it is: `rule under_age in knockout`, `line 25`.
    pub step: String,
    /// What it said; `None`: it was not come to.
    pub before: Option<String>,
    pub after: Option<String>,
    /// What it read that was something else: name, before, after.
    pub reads: Vec<(String, Option<String>, Option<String>)>,
}

/// Compares two accounts, step by step.
#[must_use]
pub fn parted(before: &[Told], after: &[Told]) -> Parted {
    Parted { first: first(before, after, &|_| true), way: first(before, after, &leads) }
}

/// Whether a step decides what is done next, or is done.
fn leads(step: &Told) -> bool {
    !matches!(
        step,
        Told::Feature { .. }
            | Told::Model(_)
            | Told::Scorecard { .. }
            | Told::Computed { .. }
            | Told::Gathered(_)
    )
}

fn first(before: &[Told], after: &[Told], counts: &dyn Fn(&Told) -> bool) -> Option<Difference> {
    let before: Vec<&Told> = before.iter().filter(|step| counts(step)).collect();
    let after: Vec<&Told> = after.iter().filter(|step| counts(step)).collect();
    for at in 0..before.len().max(after.len()) {
        let (was, is) = (before.get(at).copied(), after.get(at).copied());
        if let (
            Some(Told::SubFlow { name, steps, .. }),
            Some(Told::SubFlow { name: other, steps: others, .. }),
        ) = (was, is)
            && name == other
        {
            if let Some(mut inner) = first(steps, others, counts) {
                inner.flows.insert(0, name.to_string());
                return Some(inner);
            }
            continue;
        }
        if let (Some(was), Some(is)) = (was, is)
            && named(was) == named(is)
        {
            if let Some(difference) = differs(was, is) {
                return Some(difference);
            }
            continue;
        }
        // From here on other steps are done.
        let step = was.or(is).map(named).unwrap_or_default();
        let said = |step: Option<&Told>| step.map(|step| format!("{}: {}", named(step), said(step)));
        return Some(Difference {
            flows: Vec::new(),
            step,
            before: said(was),
            after: said(is),
            reads: Vec::new(),
        });
    }
    None
}

/// What is the same step in both.
fn named(step: &Told) -> String {
    match step {
        Told::Feature { name, .. } => format!("feature {name}"),
        Told::Rules { name, .. } => format!("rule set {name}"),
        Told::Model(model) => format!("model {}", model.name),
        Told::Scorecard { name, .. } => format!("scorecard {name}"),
        Told::Table { name, .. } => format!("table {name}"),
        Told::List { name, .. } => format!("list {name}"),
        Told::SubFlow { name, .. } => format!("flow {name}"),
        Told::Need { name, .. } => format!("need {name}"),
        Told::Branch { line, condition } => format!("line {line}, {}", condition.text),
        Told::Switch { line, on, .. } => format!("line {line}, switch {}", on.name),
        Told::Computed { line, .. } => format!("line {line}"),
        Told::Record(record) => format!("record {} in line {}", record.outcome, record.line),
        Told::Gathered(gathered) => format!("model {} elsewhere", gathered.name),
        Told::Failed(failure) => format!("failure of {}", failure.step),
    }
}

fn truth(truth: Truth) -> &'static str {
    truth.word()
}

fn said(step: &Told) -> String {
    let listed = |reads: &[Read]| reads.iter().map(Read::shown).collect::<Vec<_>>().join(", ");
    match step {
        Told::Feature { value, .. } => value.as_ref().map_or("failed".to_owned(), Shown::text),
        Told::Rules { rules, points, .. } => {
            let hits = rules.iter().filter(|rule| rule.result == RuleResult::Hit);
            let hits: Vec<&str> = hits.map(|rule| &*rule.id).collect();
            let hits = if hits.is_empty() { "no rule hits".to_owned() } else { hits.join(", ") };
            if *points == 0 { hits } else { format!("{hits}, {points} points") }
        }
        Told::Model(model) => model.score.map_or("no score".to_owned(), |score| score.to_string()),
        Told::Scorecard { points, .. } => format!("{points} points"),
        Told::Table { rows, output, .. } => {
            let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
            format!("row {} → {}", rows.join(", "), listed(output))
        }
        Told::List { value, is_listed, .. } => {
            format!("{} {}", value.text(), if *is_listed { "is in it" } else { "is not in it" })
        }
        Told::SubFlow { outcome, .. } => outcome.to_string(),
        Told::Need { answer, .. } => answer.as_ref().map_or("no answer".to_owned(), Shown::text),
        Told::Branch { condition, .. } => format!("{}: {}", condition.shown, truth(condition.truth)),
        Told::Switch { on, arm, .. } => {
            format!(
                "{}: {}",
                on.shown(),
                arm.map_or("none of its ways".to_owned(), |arm| format!("way {arm}"))
            )
        }
        Told::Computed { text, value, .. } => format!("{text}: {}", value.text()),
        Told::Record(record) => {
            let reasons: Vec<&str> = record.reasons.iter().map(|code| &**code).collect();
            let parts = [record.outcome.to_string(), reasons.join(", "), listed(&record.output)];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        }
        Told::Gathered(gathered) => {
            gathered.answer.map_or("no answer".to_owned(), |answer| answer.to_string())
        }
        Told::Failed(failure) => failure.detail.clone(),
    }
}

fn differs(was: &Told, is: &Told) -> Option<Difference> {
    if let (Told::Rules { name, rules, .. }, Told::Rules { rules: others, .. }) = (was, is) {
        return rules.iter().zip(others).find_map(|(was, is)| rule(name, was, is));
    }
    let is_same = match (was, is) {
        (Told::Branch { condition: a, .. }, Told::Branch { condition: b, .. }) => a.truth == b.truth,
        (Told::Switch { arm: a, .. }, Told::Switch { arm: b, .. }) => a == b,
        (Told::Feature { value: a, .. }, Told::Feature { value: b, .. }) => a == b,
        (Told::Computed { value: a, .. }, Told::Computed { value: b, .. }) => a == b,
        (Told::Model(a), Told::Model(b)) => a.score.map(f64::to_bits) == b.score.map(f64::to_bits),
        (Told::Scorecard { points: a, .. }, Told::Scorecard { points: b, .. }) => a == b,
        (Told::List { is_listed: a, .. }, Told::List { is_listed: b, .. }) => a == b,
        (was, is) => said(was) == said(is),
    };
    if is_same {
        return None;
    }
    let (before, after) = (reads(was), reads(is));
    Some(Difference {
        flows: Vec::new(),
        step: named(was),
        before: Some(said(was)),
        after: Some(said(is)),
        reads: changed(&before, &after),
    })
}

fn rule(set: &str, was: &RuleTold, is: &RuleTold) -> Option<Difference> {
    let said = |rule: &RuleTold| format!("{}: {}", rule.condition.shown, truth(rule.condition.truth));
    (was.result != is.result).then(|| Difference {
        flows: Vec::new(),
        step: format!("rule {} in {set}", was.id),
        before: Some(said(was)),
        after: Some(said(is)),
        reads: changed(&was.condition.reads, &is.condition.reads),
    })
}

fn reads(step: &Told) -> Vec<Read> {
    let of = |condition: &Condition| condition.reads.clone();
    match step {
        Told::Feature { reads, .. } | Told::Table { columns: reads, .. } => reads.clone(),
        Told::Model(model) => model.reads.clone(),
        Told::Branch { condition, .. } => of(condition),
        Told::Switch { on, .. } => vec![on.clone()],
        Told::Scorecard { characteristics, .. } => {
            let read = characteristics.iter();
            read.map(|told| Read { name: told.name.clone(), value: told.value.clone() }).collect()
        }
        _ => Vec::new(),
    }
}

fn changed(before: &[Read], after: &[Read]) -> Vec<(String, Option<String>, Option<String>)> {
    let text = |reads: &[Read], name: &str| {
        reads.iter().find(|read| *read.name == *name).map(|read| read.value.text())
    };
    let mut names: Vec<&str> = Vec::new();
    for read in before.iter().chain(after) {
        if !names.contains(&&*read.name) {
            names.push(&read.name);
        }
    }
    let both = names.into_iter().map(|name| (name.to_owned(), text(before, name), text(after, name)));
    both.filter(|(_, was, is)| was != is).collect()
}
