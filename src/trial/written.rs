//! Cases as a person would write them: from the set of facts that is nearest, with what differs, and today's answer.
//! Absent on purpose: files, and reading.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::applicant::Applicant;
use crate::bundle::BASE;
use crate::domain::facts::Given;
use crate::domain::flow::ModelPin;
use crate::domain::value::{Name, Value};
use crate::domain::verdict::Verdict;

/// Longest line that facts stay on.
const WIDTH: usize = 118;

/// One case to be written.
#[derive(Debug, Clone)]
pub struct NewCase<'a> {
    pub name: String,
    pub applicant: &'a Applicant,
    pub verdict: &'a Verdict,
    pub market: &'a str,
    /// It asks for a person's confirmation.
    pub is_generated: bool,
    /// When all cases of the file are decided; a case of another time says so itself.
    pub at: Option<Timestamp>,
    /// Scorecards whose points are expected too.
    pub cards: &'a [Name],
    /// What is expected instead of today's answer.
    pub expected: Option<&'a Verdict>,
}

/// Sets of facts that a case may start from, by name.
pub type Sets = BTreeMap<String, Given>;

impl NewCase<'_> {
    /// Its lines, as an entry of `cases:`.
    #[must_use]
    pub fn yaml(&self, sets: &Sets) -> String {
        let mut lines = vec![format!("  - case: {}", text(&self.name))];
        if self.is_generated {
            lines.push("generated: true".to_owned());
        }
        let given = entries(&self.applicant.given);
        let nearest = sets
            .iter()
            .map(|(name, set)| (difference(entries(set), given), name))
            .min_by_key(|((changed, without), name)| (changed.len() + without.len(), (*name).clone()))
            .filter(|((changed, _), _)| changed.len() < given.len());
        let ((changed, without), like) = match nearest {
            Some((difference, like)) => (difference, Some(like)),
            None => ((given.iter().collect(), Vec::new()), None),
        };
        lines.extend(like.map(|like| format!("like: {}", text(like))));
        if self.at != Some(self.applicant.at) {
            lines.push(format!("at: {}", self.applicant.at));
        }
        if !changed.is_empty() {
            let changed: Vec<(String, Given)> = changed.into_iter().cloned().collect();
            lines.extend(block("given", &changed));
        }
        if !without.is_empty() {
            lines.push(format!("without: [{}]", without.join(", ")));
        }
        if !self.applicant.pins.models.is_empty() {
            let pins = self.applicant.pins.models.iter().map(|(name, pin)| match pin {
                ModelPin::Probability(number) => format!("{name}: {number}"),
                _ => format!("{name}: fails"),
            });
            lines.push(format!("models: {{ {} }}", pins.collect::<Vec<_>>().join(", ")));
        }
        if self.market != BASE {
            lines.push(format!("market: {}", self.market));
        }
        lines.push(format!("expect: {}", expectation(self.expected.unwrap_or(self.verdict), self.cards)));
        lines.join("\n    ") + "\n"
    }
}

/// What must be changed and left out to come from one set of facts to another.
fn difference<'g>(
    from: &'g [(String, Given)],
    to: &'g [(String, Given)],
) -> (Vec<&'g (String, Given)>, Vec<&'g str>) {
    let changed = to.iter().filter(|entry| !from.contains(entry)).collect();
    let is_there = |name: &str| to.iter().any(|(known, _)| known == name);
    let without = from.iter().map(|(name, _)| name.as_str()).filter(|name| !is_there(name)).collect();
    (changed, without)
}

fn entries(given: &Given) -> &[(String, Given)] {
    match given {
        Given::Map(entries) => entries,
        _ => &[],
    }
}

/// On one line where it fits, else one line for each.
fn block(key: &str, entries: &[(String, Given)]) -> Vec<String> {
    let flat = format!("{key}: {}", flow(&Given::Map(entries.to_vec())));
    if flat.chars().count() + 4 <= WIDTH {
        return vec![flat];
    }
    let lines = entries.iter().map(|(name, value)| format!("  {}: {}", text(name), flow(value)));
    std::iter::once(format!("{key}:")).chain(lines).collect()
}

/// What an answer is, to be expected again.
fn expectation(verdict: &Verdict, cards: &[Name]) -> String {
    if !verdict.needs.is_empty() {
        let needs: Vec<&str> = verdict.needs.iter().map(|asked| &*asked.name).collect();
        return format!("{{ needs: [{}] }}", needs.join(", "));
    }
    let mut parts = vec![format!("outcome: {}", text(&verdict.outcome))];
    let reasons: Vec<String> = verdict.reasons.iter().map(|reason| text(reason)).collect();
    parts.push(format!("reasons: [{}]", reasons.join(", ")));
    if !verdict.output.is_empty() {
        let output = verdict.output.iter().map(|(name, value)| (name.to_string(), given(value)));
        parts.push(format!("output: {}", flow(&Given::Map(output.collect()))));
    }
    let points = verdict.scores.iter().filter(|(name, _)| cards.contains(name));
    let points: Vec<String> = points.map(|(name, score)| format!("{name}: {}", score.rounded)).collect();
    if !points.is_empty() {
        parts.push(format!("scores: {{ {} }}", points.join(", ")));
    }
    if !verdict.failures.is_empty() {
        let mut steps: Vec<String> = verdict.failures.iter().map(|failure| text(&failure.step)).collect();
        steps.sort();
        steps.dedup();
        parts.push(format!("failed: [{}]", steps.join(", ")));
    }
    format!("{{ {} }}", parts.join(", "))
}

/// A value as a caller or a case gives it.
#[must_use]
pub fn given(value: &Value) -> Given {
    match value {
        Value::Missing | Value::Step(_) => Given::Null,
        Value::Boolean(value) => Given::Boolean(*value),
        Value::Integer(value) => Given::Number(value.to_string()),
        Value::Decimal(value) => Given::Number(value.to_string()),
        Value::Number(value) => Given::Number(value.to_string()),
        Value::Text(value) => Given::Text(value.to_string()),
        Value::Date(value) => Given::Text(value.to_string()),
        Value::Time(value) => Given::Text(value.to_string()),
        Value::List(items) => Given::List(items.iter().map(given).collect()),
        Value::Map(entries) => {
            Given::Map(entries.iter().map(|(name, value)| (name.to_string(), given(value))).collect())
        }
    }
}

/// In YAML's flow style.
fn flow(given: &Given) -> String {
    match given {
        Given::Null => "null".to_owned(),
        Given::Boolean(value) => value.to_string(),
        Given::Number(number) => number.clone(),
        Given::Text(value) => text(value),
        Given::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Given::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Given::Map(entries) => {
            let mut line = "{ ".to_owned();
            for (at, (name, value)) in entries.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                // Writing to a string cannot fail.
                let _ = write!(line, "{comma}{}: {}", text(name), flow(value));
            }
            line + " }"
        }
    }
}

/// A text: plain where every YAML reader takes it as that text, else in double quotes.
fn text(value: &str) -> String {
    let is_word = value.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && value.chars().all(|c| c.is_alphanumeric() || "_-./@+= ".contains(c))
        && !value.ends_with(' ');
    let is_date = crate::domain::value::date(value).is_some();
    let is_other = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word));
    if (is_word || is_date) && !is_other {
        return value.to_owned();
    }
    serde_json::Value::from(value).to_string()
}

/// Names of models that an applicant does not pin, with what they answered: so that a case stays what it is when
/// another version is promoted.
#[must_use]
pub fn pinned(applicant: &Applicant, verdict: &Verdict, models: &[Name]) -> Applicant {
    let mut pinned = applicant.clone();
    for (name, score) in &verdict.scores {
        if models.contains(name) && !pinned.pins.models.contains_key(name) {
            pinned.pins.models.insert(name.clone(), ModelPin::Probability(score.rounded));
        }
    }
    pinned
}
