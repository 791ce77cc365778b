//! How values and traces look in an answer: decimals, dates and times as texts, one object a step. Absent on
//! purpose: the durable form of a trace (the audit's) and the facts themselves.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::domain::value::{Name, Value};
use crate::domain::verdict::{Failure, RecordedBy, RuleResult, RuleTrace, Step};

/// A value in an answer.
pub(super) struct Shown<'a>(pub &'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Missing => serializer.serialize_unit(),
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
                map.serialize_entry("step", "feature")?;
                map.serialize_entry("name", &**name)?;
                map.serialize_entry("value", &value.as_ref().map(Shown))?;
                map.serialize_entry("reads", &texts(reads))?;
            }
            Step::Rules { name, rules, points } => {
                map.serialize_entry("step", "rules")?;
                map.serialize_entry("name", &**name)?;
                let shown = |r: &&RuleTrace| self.detail == Detail::Full || r.result != RuleResult::Miss;
                let rules: Vec<OneRule<'_>> =
                    rules.iter().filter(shown).map(|rule| OneRule { rule, detail: self.detail }).collect();
                map.serialize_entry("rules", &rules)?;
                map.serialize_entry("points", points)?;
            }
            Step::Model { name, model, version, score, fallback } => {
                map.serialize_entry("step", "model")?;
                map.serialize_entry("name", &**name)?;
                map.serialize_entry("model", &**model)?;
                map.serialize_entry("version", version)?;
                map.serialize_entry("probability", &score.map(|s| s.rounded))?;
                map.serialize_entry("fallback", fallback)?;
            }
            Step::Record { outcome, reasons, output, by, line } => {
                map.serialize_entry("step", "record")?;
                map.serialize_entry("outcome", &**outcome)?;
                map.serialize_entry("reasons", &texts(reasons))?;
                map.serialize_entry("output", &Named(output))?;
                map.serialize_entry("by", &By(by))?;
                map.serialize_entry("line", line)?;
            }
            Step::Failed(Failure { code, step, line, detail }) => {
                map.serialize_entry("step", "failed")?;
                map.serialize_entry("code", code)?;
                map.serialize_entry("at", step)?;
                map.serialize_entry("line", line)?;
                map.serialize_entry("detail", detail)?;
            }
        }
        map.end()
    }
}

fn texts(names: &[Name]) -> Vec<&str> {
    names.iter().map(|n| &**n).collect()
}

struct OneRule<'a> {
    rule: &'a RuleTrace,
    detail: Detail,
}

impl Serialize for OneRule<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*self.rule.id)?;
        let result = match self.rule.result {
            RuleResult::Hit => "hit",
            RuleResult::Miss => "miss",
            RuleResult::Failed => "failed",
        };
        map.serialize_entry("result", result)?;
        if self.detail == Detail::Full {
            map.serialize_entry("reads", &texts(&self.rule.reads))?;
        }
        map.end()
    }
}

struct By<'a>(&'a RecordedBy);

impl Serialize for By<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            RecordedBy::Verb => serializer.serialize_str("verb"),
            RecordedBy::OnError => serializer.serialize_str("on_error"),
            RecordedBy::OnInvalid => serializer.serialize_str("on_invalid"),
            RecordedBy::Rule { rule_set, rule } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("rule_set", &**rule_set)?;
                map.serialize_entry("rule", &**rule)?;
                map.end()
            }
        }
    }
}

/// A recorded trace, in the form above, cut to its summary.
pub(super) fn summary_of_recorded(trace: &serde_json::Value) -> serde_json::Value {
    let Some(steps) = trace.as_array() else {
        return trace.clone();
    };
    let is = |step: &serde_json::Value, kind: &str| step.get("step").and_then(|s| s.as_str()) == Some(kind);
    let mut kept: Vec<serde_json::Value> = steps.iter().filter(|s| !is(s, "feature")).cloned().collect();
    for rules in kept.iter_mut().filter_map(|s| s.get_mut("rules")?.as_array_mut()) {
        rules.retain(|rule| rule.get("result").and_then(|r| r.as_str()) != Some("miss"));
        for rule in rules.iter_mut().filter_map(|r| r.as_object_mut()) {
            rule.remove("reads");
        }
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
            |id: &str, result| RuleTrace { id: id.into(), result, reads: Arc::from([Name::from("age")]) };
        vec![
            Step::Feature {
                name: "burden".into(),
                value: Some(Value::Decimal("0.40".parse().unwrap())),
                reads: vec!["amount".into()],
            },
            Step::Rules {
                name: "knockout".into(),
                rules: vec![rule("young", RuleResult::Miss), rule("old", RuleResult::Hit)],
                points: 3,
            },
            Step::Model {
                name: "risk".into(),
                model: "german_credit".into(),
                version: 1,
                score: Some(Score { rounded: 0.61, raw: 0.610_000_1 }),
                fallback: false,
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
        insta::assert_snapshot!(json.replace("},{\"step", "},\n{\"step"), @r#"
        [{"step":"feature","name":"burden","value":"0.40","reads":["amount"]},
        {"step":"rules","name":"knockout","rules":[{"id":"young","result":"miss","reads":["age"]},{"id":"old","result":"hit","reads":["age"]}],"points":3},
        {"step":"model","name":"risk","model":"german_credit","version":1,"probability":0.61,"fallback":false},
        {"step":"record","outcome":"decline","reasons":["R1"],"output":{"limit":null},"by":{"rule_set":"knockout","rule":"old"},"line":7}]
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
