//! An expectation held against a verdict, part by part. Values are compared as what they are, not as they are
//! written: `0.40` is `0.4`.

use rust_decimal::Decimal;

use super::asked_for::asks_otherwise;
use super::{Difference, Expectation, ExpectedScore};
use crate::domain::facts::Given;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::Verdict;

pub(super) fn differences(expect: &Expectation, verdict: &Verdict) -> Vec<Difference> {
    if let Some(difference) = asks_otherwise(expect.needs.as_deref(), verdict) {
        return vec![difference];
    }
    let mut all = Vec::new();
    let mut differ = |part: &str, expected: String, got: String| {
        all.push(Difference { part: part.to_owned(), expected, got });
    };
    if let Some(outcome) = &expect.outcome
        && *outcome != *verdict.outcome
    {
        differ("outcome", outcome.clone(), verdict.outcome.to_string());
    }
    let got: Vec<&str> = verdict.reasons.iter().map(AsRef::as_ref).collect();
    if let Some(reasons) = &expect.reasons
        && *reasons != got
    {
        differ("reasons", list(reasons), list(&got));
    }
    for reason in expect.reasons_include.iter().flatten() {
        if !got.contains(&reason.as_str()) {
            differ("reasons_include", reason.clone(), list(&got));
        }
    }
    for (name, expected) in &expect.output {
        let found = verdict.output.iter().find(|(output, _)| **output == **name).map(|(_, value)| value);
        if !found.is_some_and(|value| is_same(expected, value)) {
            let got = found.map_or_else(|| "nothing".to_owned(), shown);
            differ(&format!("output {name}"), given_shown(expected), got);
        }
    }
    for (name, expected) in &expect.scores {
        if let Some(got) = score_differs(name, *expected, verdict) {
            let expected = match expected.within > 0.0 {
                true => format!("{} within {}", expected.is, expected.within),
                false => expected.is.to_string(),
            };
            differ(&format!("score {name}"), expected, got);
        }
    }
    if let Some(degraded) = expect.degraded
        && degraded != verdict.degraded
    {
        differ("degraded", degraded.to_string(), verdict.degraded.to_string());
    }
    if let Some(failed) = &expect.failed {
        let (expected, got) = (in_order(failed.iter().map(String::as_str)), failed_steps(verdict));
        if expected != got {
            let words = |steps: &[&str]| if steps.is_empty() { "nothing".to_owned() } else { list(steps) };
            all.push(Difference { part: "failed".to_owned(), expected: words(&expected), got: words(&got) });
        }
    }
    explain_failures(verdict, &mut all);
    all
}

fn in_order<'a>(steps: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let steps: std::collections::BTreeSet<&str> = steps.collect();
    steps.into_iter().collect()
}

fn failed_steps(verdict: &Verdict) -> Vec<&str> {
    in_order(verdict.failures.iter().map(|failure| failure.step.as_str()))
}

/// A case that does not hold because a step failed says which.
fn explain_failures(verdict: &Verdict, all: &mut Vec<Difference>) {
    if all.is_empty() {
        return;
    }
    for failure in &verdict.failures {
        let got = format!("{} ({}): {}", failure.step, failure.code, failure.detail);
        all.push(Difference { part: "failed step".to_owned(), expected: "none".to_owned(), got });
    }
}

fn score_differs(name: &str, expected: ExpectedScore, verdict: &Verdict) -> Option<String> {
    let score = verdict.scores.iter().find(|(scored, _)| **scored == *name);
    match score {
        None => Some("the model was not asked".to_owned()),
        // The tolerance is inclusive; a rounding error of the subtraction must not break that.
        Some((_, score)) if (score.rounded - expected.is).abs() <= expected.within + 1e-12 => None,
        Some((_, score)) => Some(score.rounded.to_string()),
    }
}

/// Whether a value is what a case gives for it.
pub(super) fn is_same(given: &Given, value: &Value) -> bool {
    match (given, value) {
        (Given::Null, Value::Missing) => true,
        (Given::Boolean(a), Value::Boolean(b)) => a == b,
        (Given::Number(text), Value::Integer(b)) => decimal(text) == Some(Decimal::from(*b)),
        (Given::Number(text) | Given::Text(text), Value::Decimal(b)) => decimal(text) == Some(*b),
        // A number prints as the shortest text that is it, so one text is one number; `-0` is `0`.
        (Given::Number(text), Value::Number(b)) => {
            text.parse::<f64>().is_ok_and(|a| (a + 0.0).total_cmp(&(b + 0.0)).is_eq())
        }
        (Given::Text(a), Value::Text(b)) => **a == **b,
        (Given::Text(a), Value::Date(b)) => a.parse().is_ok_and(|a: jiff::civil::Date| a == *b),
        (Given::Text(a), Value::Time(b)) => a.parse().is_ok_and(|a: jiff::Timestamp| a == *b),
        (Given::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| is_same(a, b))
        }
        (Given::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, a)| b.get(name.as_str()).is_some_and(|b| is_same(a, b)))
        }
        _ => false,
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

pub(super) fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("[{}]", names.join(", "))
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Missing => "missing".to_owned(),
        Value::Step(_) => "the result of a step".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Text(value) => value.to_string(),
        Value::Date(value) => value.to_string(),
        Value::Time(value) => value.to_string(),
        Value::List(items) => list(&items.iter().map(shown).collect::<Vec<_>>()),
        Value::Map(members) => {
            let member = |(name, value): (&Name, &Value)| format!("{name}: {}", shown(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
    }
}

pub(super) fn given_shown(given: &Given) -> String {
    match given {
        Given::Null => "missing".to_owned(),
        Given::Boolean(value) => value.to_string(),
        Given::Number(text) | Given::Text(text) => text.clone(),
        Given::List(items) => list(&items.iter().map(given_shown).collect::<Vec<_>>()),
        Given::Map(members) => {
            let member = |(name, value): &(String, Given)| format!("{name}: {}", given_shown(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::verdict::{Failure, Score};

    fn verdict() -> Verdict {
        Verdict {
            needs: Vec::new(),
            outcome: Name::from("review"),
            reasons: vec![Name::from("R1"), Name::from("R2")],
            output: vec![
                (Name::from("apr"), Value::Decimal(Decimal::new(400, 3))),
                (Name::from("tags"), Value::List(Arc::from([Value::text("NO"), Value::Integer(3)]))),
            ],
            scores: vec![(Name::from("risk"), Score { rounded: 0.61, raw: 0.6100001 })],
            features: Vec::new(),
            failures: vec![Failure {
                code: "division_by_zero",
                step: "feature burden".to_owned(),
                line: 3,
                detail: "divided by zero".to_owned(),
            }],
            degraded: true,
            models: Vec::new(),
            trace: Vec::new(),
            answered: Vec::new(),
            ticks: 1,
            stopped_at: None,
        }
    }

    #[test]
    fn an_expectation_that_holds_has_no_difference() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let expect = Expectation {
            needs: None,
            outcome: Some("review".to_owned()),
            reasons: Some(texts(&["R1", "R2"])),
            reasons_include: Some(texts(&["R2"])),
            output: vec![
                ("apr".to_owned(), Given::Number("0.4".to_owned())),
                (
                    "tags".to_owned(),
                    Given::List(vec![Given::Text("NO".to_owned()), Given::Number("3".to_owned())]),
                ),
            ],
            scores: vec![
                ("risk".to_owned(), ExpectedScore { is: 0.61, within: 0.0 }),
                ("risk".to_owned(), ExpectedScore { is: 0.60, within: 0.01 }),
            ],
            degraded: Some(true),
            failed: Some(texts(&["feature burden"])),
        };
        assert_eq!(differences(&expect, &verdict()), []);
    }

    #[test]
    fn every_part_that_differs_is_told_and_so_is_the_step_that_failed() {
        let expect = Expectation {
            needs: None,
            outcome: Some("decline".to_owned()),
            reasons: Some(vec!["R2".to_owned(), "R1".to_owned()]),
            reasons_include: Some(vec!["R9".to_owned()]),
            output: vec![
                ("apr".to_owned(), Given::Number("0.41".to_owned())),
                ("limit".to_owned(), Given::Number("1".to_owned())),
            ],
            scores: vec![
                ("risk".to_owned(), ExpectedScore { is: 0.5, within: 0.1 }),
                ("other".to_owned(), ExpectedScore { is: 0.5, within: 0.0 }),
            ],
            degraded: Some(false),
            failed: Some(Vec::new()),
        };
        let told: Vec<String> = differences(&expect, &verdict())
            .iter()
            .map(|difference| format!("{}: {} | {}", difference.part, difference.expected, difference.got))
            .collect();
        assert_eq!(
            told,
            [
                "outcome: decline | review",
                "reasons: [R2, R1] | [R1, R2]",
                "reasons_include: R9 | [R1, R2]",
                "output apr: 0.41 | 0.400",
                "output limit: 1 | nothing",
                "score risk: 0.5 within 0.1 | 0.61",
                "score other: 0.5 | the model was not asked",
                "degraded: false | true",
                "failed: nothing | [feature burden]",
                "failed step: none | feature burden (division_by_zero): divided by zero",
            ]
        );
    }
}
