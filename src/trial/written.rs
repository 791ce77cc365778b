//! Cases as a person would write them: from the set of facts that is nearest, with what differs, and today's answer.
//! Absent on purpose: files, and reading.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::applicant::Applicant;
use crate::bundle::BASE;
use crate::domain::facts::Given;
use crate::domain::flow::{GivenAnswer, ModelPin};
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
        let mut lines = vec![format!("  - case: {}", scalar(&self.name))];
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
        lines.extend(like.map(|like| format!("like: {}", scalar(like))));
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
            lines.push(format!("models: {}", pins(&self.applicant.pins.models)));
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
    let flat = format!("{key}: {}", flow_map(entries));
    if flat.chars().count() + 4 <= WIDTH {
        return vec![flat];
    }
    let lines = entries.iter().map(|(name, value)| format!("  {}: {}", scalar(name), flow(value)));
    std::iter::once(format!("{key}:")).chain(lines).collect()
}

/// What an answer is, to be expected again.
fn expectation(verdict: &Verdict, cards: &[Name]) -> String {
    if !verdict.needs.is_empty() {
        let needs: Vec<&str> = verdict.needs.iter().map(|asked| &*asked.name).collect();
        return format!("{{ needs: [{}] }}", needs.join(", "));
    }
    let mut parts = vec![format!("outcome: {}", scalar(&verdict.outcome))];
    let reasons: Vec<String> = verdict.reasons.iter().map(|reason| scalar(reason)).collect();
    parts.push(format!("reasons: [{}]", reasons.join(", ")));
    if !verdict.output.is_empty() {
        let output = verdict.output.iter().map(|(name, value)| (name.to_string(), given(value)));
        parts.push(format!("output: {}", flow_map(&output.collect::<Vec<_>>())));
    }
    let points = verdict.scores.iter().filter(|(name, _)| cards.contains(name));
    let points: Vec<String> = points.map(|(name, score)| format!("{name}: {}", score.rounded)).collect();
    if !points.is_empty() {
        parts.push(format!("scores: {{ {} }}", points.join(", ")));
    }
    if !verdict.failures.is_empty() {
        let mut steps: Vec<String> = verdict.failures.iter().map(|failure| scalar(&failure.step)).collect();
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
        Given::Text(value) => scalar(value),
        Given::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Given::Map(entries) => flow_map(entries),
    }
}

pub(super) fn flow_map(entries: &[(String, Given)]) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let entries: Vec<String> =
        entries.iter().map(|(name, value)| format!("{}: {}", scalar(name), flow(value))).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// What a case pins instead of asking models: `{ risk: 0.7, other: fails }`.
pub(super) fn pins(models: &BTreeMap<Name, ModelPin>) -> String {
    let all = models.iter().map(|(name, pin)| match pin {
        ModelPin::Probability(probability) => format!("{}: {probability}", scalar(name)),
        ModelPin::Answer(answer) => format!("{}: {}", scalar(name), pinned_answer(answer)),
        ModelPin::Fails => format!("{}: fails", scalar(name)),
    });
    format!("{{ {} }}", all.collect::<Vec<_>>().join(", "))
}

/// `{ probability: 0.7, reasons: [R205] }`
fn pinned_answer(answer: &GivenAnswer) -> String {
    let mut parts = Vec::new();
    parts.extend(answer.probability.map(|probability| format!("probability: {probability}")));
    parts.extend(answer.score.map(|score| format!("score: {score}")));
    if !answer.reasons.is_empty() {
        let codes: Vec<String> = answer.reasons.iter().map(|code| scalar(code)).collect();
        parts.push(format!("reasons: [{}]", codes.join(", ")));
    }
    if !answer.contributions.is_empty() {
        let all = answer.contributions.iter().map(|(input, adds)| format!("{}: {adds}", scalar(input)));
        parts.push(format!("contributions: {{ {} }}", all.collect::<Vec<_>>().join(", ")));
    }
    format!("{{ {} }}", parts.join(", "))
}

/// A text: plain where every YAML reader takes it as that text, else in double quotes.
pub(super) fn scalar(value: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Source;
    use crate::documents::yaml::read;
    use crate::documents::yaml::shape::Shape;

    #[test]
    fn a_whole_answer_is_pinned_as_a_whole() {
        let answer = GivenAnswer {
            probability: Some(0.7),
            reasons: vec!["R205".into()],
            contributions: [("amount".into(), 0.4)].into(),
            ..GivenAnswer::default()
        };
        let all = [
            ("other".into(), ModelPin::Fails),
            ("plain".into(), ModelPin::Probability(0.25)),
            ("risk".into(), ModelPin::Answer(answer.into())),
        ];
        assert_eq!(
            pins(&all.into()),
            "{ other: fails, plain: 0.25, risk: { probability: 0.7, reasons: [R205], contributions: { amount: 0.4 } } }"
        );
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let texts = [
            "plain words",
            "true",
            "No",
            "null",
            "~",
            "",
            " lead",
            "trail ",
            "0900",
            "+49 1",
            "1e3",
            "1_000",
            "2026-01-31",
            "2026-13-01",
            "a: b",
            "a #b",
            "[a]",
            "{a}",
            "a, b",
            "it's",
            "say \"x\"",
            "line\nbreak",
            "-",
            "- a",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a`",
            "ä ö",
            "a/b.c@d",
            "12:30",
            ".5",
            "0x1F",
            "ends:",
        ];
        let facts = Given::Map(vec![
            ("texts".to_owned(), Given::List(texts.iter().map(|t| Given::Text((*t).to_owned())).collect())),
            ("number".to_owned(), Given::Number("1.50".to_owned())),
            ("nothing".to_owned(), Given::Null),
            ("truth".to_owned(), Given::Boolean(true)),
            ("map".to_owned(), Given::Map(vec![("a b".to_owned(), Given::Map(Vec::new()))])),
        ]);
        let source = Source::new("a.yaml", format!("facts: {}\n", flow(&facts)));
        let node = read(0, &source).unwrap_or_else(|finding| panic!("{finding:?}\n{}", source.text));
        let mut shape = Shape::new(&source);
        let given = shape.given(&node);
        assert_eq!((shape.findings.len(), given), (0, Some(Given::Map(vec![("facts".to_owned(), facts)]))));
    }
}
