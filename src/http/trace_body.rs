//! How values and traces look in an answer: decimals, dates and times as texts, one object a step, named as the
//! record shows them later. Absent on purpose: the durable form of a trace (the audit's) and the facts themselves.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::domain::model::{InputNote, ReasonCode, Taken};
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{
    BinTrace, Explanation, Failure, GatheredTrace, RecordedBy, RuleLabel, RuleResult, Step,
};

/// A value in an answer.
pub(super) struct Shown<'a>(pub &'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Missing | Value::Step(_) => serializer.serialize_unit(),
            Value::Boolean(b) => serializer.serialize_bool(*b),
            Value::Integer(i) => serializer.serialize_i64(*i),
            Value::Decimal(d) => serializer.collect_str(d),
            Value::Number(n) => serializer.serialize_f64(*n),
            Value::Text(t) => serializer.serialize_str(t),
            Value::Date(d) => serializer.collect_str(d),
            Value::Time(t) => serializer.collect_str(t),
            Value::List(items) => serializer.collect_seq(items.iter().map(Shown)),
            Value::Map(entries) => serializer.collect_map(entries.iter().map(|(k, v)| (&**k, Shown(v)))),
        }
    }
}

/// Named values, in their order, as one object.
pub(super) struct Named<'a>(pub &'a [(Name, Value)]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, Shown(value))))
    }
}

/// Which steps are shown, and how much of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What led to the outcome: hits, failures, models, recorded outcomes.
    Summary,
    Full,
}

/// A trace as an answer shows it: a list of steps, in order.
pub(super) struct Steps<'a> {
    pub steps: &'a [Step],
    pub detail: Detail,
}

impl Serialize for Steps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for step in self.steps {
            if self.detail == Detail::Full || !matches!(step, Step::Feature { .. }) {
                list.serialize_element(&OneStep { step, detail: self.detail })?;
            }
        }
        list.end()
    }
}

struct OneStep<'a> {
    step: &'a Step,
    detail: Detail,
}

impl Serialize for OneStep<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.step {
            Step::Feature { name, value, reads } => {
                map.serialize_entry("feature", &**name)?;
                map.serialize_entry("reads", &texts(reads))?;
                map.serialize_entry("value", &value.as_ref().map(Shown))?;
            }
            Step::Rules { name, rules, points } => {
                map.serialize_entry("points", points)?;
                map.serialize_entry("rule_set", &**name)?;
                let shown = |(_, result): &(&RuleLabel, RuleResult)| {
                    self.detail == Detail::Full || *result != RuleResult::Miss
                };
                let one = |(rule, result)| OneRule { rule, result, detail: self.detail };
                let rules: Vec<OneRule<'_>> = rules.iter().filter(shown).map(one).collect();
                map.serialize_entry("rules", &rules)?;
            }
            Step::Model { name, model, version, score, fallback, notes, explanation } => {
                if let Some(explanation) = explanation {
                    map.serialize_entry("explanation", &Explained(explanation))?;
                }
                map.serialize_entry("fallback", fallback)?;
                if !notes.is_empty() {
                    map.serialize_entry("inputs", &notes.iter().map(OneNote).collect::<Vec<_>>())?;
                }
                map.serialize_entry("model", &**model)?;
                map.serialize_entry("name", &**name)?;
                map.serialize_entry("score", &score.map(|s| s.rounded))?;
                map.serialize_entry("version", version)?;
            }
            Step::Record { outcome, reasons, output, by, line } => {
                map.serialize_entry("by", &By(by))?;
                map.serialize_entry("line", line)?;
                map.serialize_entry("outcome", &**outcome)?;
                map.serialize_entry("output", &Named(output))?;
                map.serialize_entry("reasons", &texts(reasons))?;
            }
            Step::Failed(failure) => map.serialize_entry("failed", &Failed(failure))?,
            Step::Scorecard { name, points, bins } => {
                map.serialize_entry("bins", &bins.iter().map(OneBin).collect::<Vec<_>>())?;
                map.serialize_entry("points", points)?;
                map.serialize_entry("scorecard", &**name)?;
            }
            Step::Table { name, rows, output, reads } => {
                map.serialize_entry("output", &Named(output))?;
                map.serialize_entry("reads", &texts(reads))?;
                map.serialize_entry("rows", rows)?;
                map.serialize_entry("table", &**name)?;
            }
            Step::List { name, digest, is_listed } => {
                map.serialize_entry("digest", &**digest)?;
                map.serialize_entry("list", &**name)?;
                map.serialize_entry("listed", is_listed)?;
            }
            Step::SubFlow { name, outcome, reasons, degraded, trace } => {
                map.serialize_entry("degraded", degraded)?;
                map.serialize_entry("flow", &**name)?;
                map.serialize_entry("outcome", &**outcome)?;
                map.serialize_entry("reasons", &texts(reasons))?;
                map.serialize_entry("trace", &Steps { steps: trace, detail: self.detail })?;
            }
            Step::Need { asked, answer } => {
                map.serialize_entry("answer", &answer.as_ref().map(Shown))?;
                map.serialize_entry("need", &*asked.name)?;
                map.serialize_entry("with", &Shown(&asked.with))?;
            }
            Step::Gathered(gathered) => gathered_entries(&mut map, gathered)?,
        }
        map.end()
    }
}

struct Explained<'a>(&'a Explanation);

impl Serialize for Explained<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Explanation { space, base, contributions, reasons } = self.0;
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("base", base)?;
        // By name, as the record has them.
        let contributions: BTreeMap<&str, f64> =
            contributions.iter().map(|(input, adds)| (&**input, *adds)).collect();
        map.serialize_entry("contributions", &contributions)?;
        map.serialize_entry("reasons", &reasons.iter().map(OneReason).collect::<Vec<_>>())?;
        map.serialize_entry("score", &self.0.score())?;
        map.serialize_entry("space", space.word())?;
        map.end()
    }
}

struct OneReason<'a>(&'a ReasonCode);

impl Serialize for OneReason<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("code", &*self.0.code)?;
        map.serialize_entry("weight", &self.0.weight)?;
        map.end()
    }
}

struct OneNote<'a>(&'a InputNote);

impl Serialize for OneNote<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let InputNote { input, problem, taken } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("input", &**input)?;
        map.serialize_entry("is", problem.word())?;
        map.serialize_entry("taken", taken.word())?;
        if let Taken::As(value) = taken {
            map.serialize_entry("value", &Shown(value))?;
        }
        map.end()
    }
}

fn gathered_entries<M: SerializeMap>(map: &mut M, gathered: &GatheredTrace) -> Result<(), M::Error> {
    let GatheredTrace { name, protocol, over, endpoint, version, attempts, latency_us, answer, failed } =
        gathered;
    map.serialize_entry("answer", answer)?;
    map.serialize_entry("attempts", attempts)?;
    map.serialize_entry("endpoint", &endpoint.as_deref())?;
    map.serialize_entry("failed", &failed.as_deref())?;
    map.serialize_entry("gathered", &**name)?;
    map.serialize_entry("latency_us", latency_us)?;
    map.serialize_entry("over", over)?;
    map.serialize_entry("protocol", protocol)?;
    map.serialize_entry("version", &version.as_deref())
}

struct OneBin<'a>(&'a BinTrace);

impl Serialize for OneBin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let BinTrace { characteristic, bin, points, lost, reason } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bin", bin)?;
        map.serialize_entry("characteristic", &**characteristic)?;
        map.serialize_entry("lost", lost)?;
        map.serialize_entry("points", points)?;
        if let Some(reason) = reason {
            map.serialize_entry("reason", &**reason)?;
        }
        map.end()
    }
}

struct Failed<'a>(&'a Failure);

impl Serialize for Failed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Failure { code, step, line, detail } = self.0;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("code", code)?;
        map.serialize_entry("detail", detail)?;
        map.serialize_entry("line", line)?;
        map.serialize_entry("step", step)?;
        map.end()
    }
}

fn texts(names: &[Name]) -> Vec<&str> {
    names.iter().map(|n| &**n).collect()
}

struct OneRule<'a> {
    rule: &'a RuleLabel,
    result: RuleResult,
    detail: Detail,
}

impl Serialize for OneRule<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*self.rule.id)?;
        if self.detail == Detail::Full && self.result != RuleResult::Miss {
            map.serialize_entry("reads", &texts(&self.rule.reads))?;
        }
        map.serialize_entry("result", self.result.word())?;
        map.end()
    }
}

struct By<'a>(&'a RecordedBy);

impl Serialize for By<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            RecordedBy::Verb => map.serialize_entry("verb", &true)?,
            RecordedBy::OnError => map.serialize_entry("on_error", &true)?,
            RecordedBy::OnInvalid => map.serialize_entry("on_invalid", &true)?,
            RecordedBy::Rule { rule_set, rule } => {
                map.serialize_entry("rule", &**rule)?;
                map.serialize_entry("rule_set", &**rule_set)?;
            }
            RecordedBy::Row { table, row } => {
                map.serialize_entry("row", row)?;
                map.serialize_entry("table", &**table)?;
            }
            RecordedBy::SubFlow(flow) => map.serialize_entry("flow", &**flow)?,
            RecordedBy::IfItFails(model) => map.serialize_entry("if_it_fails", &**model)?,
        }
        map.end()
    }
}

/// A recorded trace, in the form above, cut to its summary.
pub(super) fn summary_of_recorded(trace: &serde_json::Value) -> serde_json::Value {
    let Some(steps) = trace.as_array() else {
        return trace.clone();
    };
    let mut kept: Vec<serde_json::Value> =
        steps.iter().filter(|step| step.get("feature").is_none()).cloned().collect();
    for rules in kept.iter_mut().filter_map(|s| s.get_mut("rules")?.as_array_mut()) {
        rules.retain(|rule| rule.get("result").and_then(|r| r.as_str()) != Some("miss"));
        for rule in rules.iter_mut().filter_map(|r| r.as_object_mut()) {
            rule.remove("reads");
        }
    }
    for inner in kept.iter_mut().filter_map(|step| step.get_mut("trace")) {
        *inner = summary_of_recorded(inner);
    }
    serde_json::Value::Array(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::Score;
    use std::sync::Arc;

    fn steps() -> Vec<Step> {
        let rule =
            |id: &str, result| (RuleLabel { id: id.into(), reads: Arc::from([Name::from("age")]) }, result);
        vec![
            Step::Feature {
                name: "burden".into(),
                value: Some(Value::Decimal("0.40".parse().unwrap())),
                reads: ["amount".into()].into(),
            },
            Step::Rules {
                name: "knockout".into(),
                rules: [rule("young", RuleResult::Miss), rule("old", RuleResult::Hit)].into_iter().collect(),
                points: 3,
            },
            Step::Model {
                name: "risk".into(),
                model: "german_credit".into(),
                version: 1,
                score: Some(Score { rounded: 0.61, raw: 0.610_000_1 }),
                fallback: false,
                notes: [].into(),
                explanation: None,
            },
            Step::Record {
                outcome: "decline".into(),
                reasons: vec!["R1".into()],
                output: vec![("limit".into(), Value::Missing)],
                by: RecordedBy::Rule { rule_set: "knockout".into(), rule: "old".into() },
                line: 7,
            },
        ]
    }

    #[test]
    fn a_full_trace_shows_every_step() {
        let json = serde_json::to_string(&Steps { steps: &steps(), detail: Detail::Full }).unwrap();
        insta::assert_snapshot!(json, @r#"
        [{"feature":"burden","reads":["amount"],"value":"0.40"},{"points":3,"rule_set":"knockout","rules":[{"id":"young","result":"miss"},{"id":"old","reads":["age"],"result":"hit"}]},{"fallback":false,"model":"german_credit","name":"risk","score":0.61,"version":1},{"by":{"rule":"old","rule_set":"knockout"},"line":7,"outcome":"decline","output":{"limit":null},"reasons":["R1"]}]
        "#);
    }

    #[test]
    fn a_recorded_trace_has_the_same_summary_as_a_new_one() {
        let steps = steps();
        let full = serde_json::to_value(Steps { steps: &steps, detail: Detail::Full }).unwrap();
        let summary = serde_json::to_value(Steps { steps: &steps, detail: Detail::Summary }).unwrap();
        assert_eq!(summary_of_recorded(&full), summary);
        assert!(!summary.to_string().contains("miss"));
    }
}
