//! An explanation as one JSON document. Its shape stands in docs/api.md.

use serde_json::{Map, Value as Json, json};

use crate::domain::explanation::{
    CharacteristicTold, Condition, Explanation, ModelTold, Obstacle, Read, RecordTold, RuleTold, Shown, Told,
    Truth, WhyNot,
};
use crate::domain::value::Value;
use crate::domain::verdict::RecordedBy;

/// What stands for a value that may not be seen.
const MASK: &str = "***";

/// `{"flow", "market", "outcome", "steps", "why_not", "path", "left_out"}`.
#[must_use]
pub fn json(explanation: &Explanation) -> Json {
    let is_decided = explanation.verdict.needs.is_empty();
    json!({
        "flow": &*explanation.flow,
        "market": explanation.market.as_deref().unwrap_or("base"),
        "outcome": is_decided.then_some(&*explanation.verdict.outcome),
        "steps": explanation.steps.iter().map(told).collect::<Vec<_>>(),
        "left_out": explanation.left_out,
        "why_not": explanation.why_not.iter().map(why_not).collect::<Vec<_>>(),
        "path": explanation.path,
    })
}

/// A value as answers show it: decimals, dates and times as texts.
#[must_use]
pub fn value(value: &Value) -> Json {
    match value {
        Value::Missing | Value::Step(_) => Json::Null,
        Value::Boolean(truth) => json!(truth),
        Value::Integer(number) => json!(number),
        Value::Decimal(number) => json!(number.to_string()),
        Value::Number(number) => json!(number),
        Value::Text(text) => json!(&**text),
        Value::Date(date) => json!(date.to_string()),
        Value::Time(time) => json!(time.to_string()),
        Value::List(items) => items.iter().map(self::value).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(name, v)| (name.to_string(), self::value(v))).collect())
        }
    }
}

fn shown(shown: &Shown) -> Json {
    match shown {
        Shown::Value(seen) => value(seen),
        Shown::Hidden => json!(MASK),
    }
}

fn reads(reads: &[Read]) -> Json {
    Json::Object(reads.iter().map(|read| (read.name.to_string(), shown(&read.value))).collect::<Map<_, _>>())
}

fn names<'n>(names: impl IntoIterator<Item = &'n std::sync::Arc<str>>) -> Json {
    names.into_iter().map(|name| json!(&**name)).collect()
}

fn told(step: &Told) -> Json {
    match step {
        Told::Feature { name, formula, reads: read, value } => json!({
            "step": "feature", "name": &**name, "formula": formula, "reads": reads(read),
            "value": value.as_ref().map(shown), "failed": value.is_none(),
        }),
        Told::Rules { name, rules, not_asked, points } => json!({
            "step": "rules", "name": &**name, "points": points, "not_asked": not_asked,
            "rules": rules.iter().map(rule).collect::<Vec<_>>(),
        }),
        Told::Model(asked) => model(asked),
        Told::Scorecard { name, base_points, points, characteristics } => json!({
            "step": "scorecard", "name": &**name, "base_points": base_points, "points": points,
            "characteristics": characteristics.iter().map(characteristic).collect::<Vec<_>>(),
        }),
        Told::Table { name, columns, rows, output, missed } => json!({
            "step": "table", "name": &**name, "reads": reads(columns), "rows": rows, "output": reads(output),
            "rows_before": missed.iter().map(|row| json!({
                "row": row.row, "column": &*row.column, "cell": row.cell,
            })).collect::<Vec<_>>(),
        }),
        Told::List { name, value, is_listed } => json!({
            "step": "list", "name": &**name, "value": shown(value), "listed": is_listed,
        }),
        Told::SubFlow { name, outcome, reasons, degraded, steps } => json!({
            "step": "flow", "name": &**name, "outcome": &**outcome, "reasons": names(reasons),
            "degraded": degraded, "steps": steps.iter().map(told).collect::<Vec<_>>(),
        }),
        Told::Need { name, with, answer } => json!({
            "step": "need", "name": &**name, "with": shown(with), "answer": answer.as_ref().map(shown),
        }),
        Told::Branch { line, condition: asked } => json!({
            "step": "condition", "line": line, "condition": condition(asked),
        }),
        Told::Switch { line, on, arm } => json!({
            "step": "switch", "line": line, "on": &*on.name, "value": shown(&on.value), "arm": arm,
        }),
        Told::Computed { line, text, value } => json!({
            "step": "computed", "line": line, "text": text, "value": shown(value),
        }),
        Told::Record(told) => record(told),
        Told::Failed(failure) => json!({
            "step": "failed", "name": failure.step, "code": failure.code, "line": failure.line,
            "detail": failure.detail,
        }),
    }
}

fn rule(rule: &RuleTold) -> Json {
    json!({
        "rule": &*rule.id, "result": rule.result.word(), "outcome": rule.outcome.as_deref(),
        "reason": rule.reason.as_deref(), "points": rule.points, "condition": condition(&rule.condition),
    })
}

fn model(asked: &ModelTold) -> Json {
    let contributions = asked.contributions.as_ref().map(|found| {
        let inputs = found.inputs.iter().map(|(name, by)| json!({ "input": &**name, "contribution": by }));
        json!({ "space": found.space.word(), "base": found.base, "inputs": inputs.collect::<Vec<_>>() })
    });
    json!({
        "step": "model", "name": &*asked.name, "model": &*asked.model, "version": asked.version,
        "score": asked.score, "fallback": asked.fallback, "pinned": asked.is_pinned,
        "reads": reads(&asked.reads), "contributions": contributions,
    })
}

fn characteristic(told: &CharacteristicTold) -> Json {
    json!({
        "characteristic": &*told.name, "value": shown(&told.value), "bin": told.bin, "points": told.points,
        "best": told.best, "lost": told.best.saturating_sub(told.points), "reason": told.reason.as_deref(),
    })
}

fn record(told: &RecordTold) -> Json {
    json!({
        "step": "record", "outcome": &*told.outcome, "reasons": names(&told.reasons),
        "output": reads(&told.output), "by": by(&told.by), "line": told.line, "counts": told.counts,
    })
}

/// Who recorded: as in a trace.
fn by(by: &RecordedBy) -> Json {
    match by {
        RecordedBy::Verb => json!({ "verb": true }),
        RecordedBy::IfItFails(model) => json!({ "if_it_fails": &**model }),
        RecordedBy::OnError => json!({ "on_error": true }),
        RecordedBy::OnInvalid => json!({ "on_invalid": true }),
        RecordedBy::Rule { rule_set, rule } => json!({ "rule_set": &**rule_set, "rule": &**rule }),
        RecordedBy::Row { table, row } => json!({ "table": &**table, "row": row }),
        RecordedBy::SubFlow(flow) => json!({ "flow": &**flow }),
    }
}

fn condition(asked: &Condition) -> Json {
    let truth = match asked.truth {
        Truth::True => json!(true),
        Truth::False => json!(false),
        Truth::Failed(_) | Truth::NotAsked => Json::Null,
    };
    let mut all = json!({
        "text": asked.text, "shown": asked.shown, "truth": truth, "reads": reads(&asked.reads),
    });
    if let Json::Object(all) = &mut all {
        match asked.truth {
            Truth::Failed(code) => drop(all.insert("failed".to_owned(), json!(code))),
            Truth::NotAsked => drop(all.insert("asked".to_owned(), json!(false))),
            _ => {}
        }
        if !asked.parts.is_empty() {
            let parts = asked.parts.iter().map(|part| {
                let mut shown = condition(part);
                shown.as_object_mut().map(|shown| shown.insert("decided".to_owned(), json!(part.decided)));
                shown
            });
            all.insert("parts".to_owned(), parts.collect());
        }
    }
    all
}

fn why_not(milder: &WhyNot) -> Json {
    json!({
        "outcome": &*milder.outcome,
        "in_the_way": milder.in_the_way.iter().map(obstacle).collect::<Vec<_>>(),
        "then": milder.then.iter().map(obstacle).collect::<Vec<_>>(),
        "ends_in": &*milder.ends_in,
    })
}

fn obstacle(found: &Obstacle) -> Json {
    json!({
        "outcome": &*found.outcome, "reasons": names(&found.reasons), "by": by(&found.by), "line": found.line,
        "conditions": found.conditions.iter().map(condition).collect::<Vec<_>>(),
        "within": found.within.iter().map(obstacle).collect::<Vec<_>>(),
        "without_it": found.alone.as_deref(), "still": found.is_still,
    })
}
