//! The part of a record that a replay must give again to the byte: outcome, reasons, outputs, scores, features,
//! failures, model digests. The trace is apart, with its own version, and is not compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Read;

use super::json::Json;
use super::record::optional;
use super::show::MASK;
use crate::domain::model::{InputNote, Taken};
use crate::domain::verdict::{
    BinTrace, Explanation, Failure, FeatureState, GatheredTrace, RecordedBy, RuleResult, Step, Verdict,
};

/// One place where a replayed verdict is not the recorded one.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// JSON pointer within the verdict: `/outcome`, `/features/burden`.
    pub pointer: String,
    /// `None` where the recorded verdict has nothing.
    pub recorded: Option<Read>,
    /// `None` where the replayed verdict has nothing.
    pub replayed: Option<Read>,
}

impl Difference {
    /// The same, without values of features of these names.
    #[must_use]
    pub fn masked(mut self, names: &BTreeSet<String>) -> Self {
        let feature = self.pointer.strip_prefix("/features/").and_then(|rest| rest.split('/').next());
        if feature.is_some_and(|feature| names.contains(feature)) {
            for side in [&mut self.recorded, &mut self.replayed] {
                *side = side.take().map(|_| Read::from(MASK));
            }
        }
        self
    }
}

/// The verdict as canonical JSON (RFC 8785): the bytes that a replay compares.
#[must_use]
pub fn canonical_verdict(verdict: &Verdict) -> Vec<u8> {
    let mut json = Json::with_capacity(1024);
    json.raw("{").key("failures");
    failures(&mut json, &verdict.failures);
    json.raw(",").key("features");
    features(&mut json, verdict);
    json.raw(",").key("models");
    models(&mut json, verdict);
    json.raw(",").key("outcome").string(&verdict.outcome).raw(",").key("output");
    output(&mut json, &verdict.output);
    json.raw(",").key("reasons").array(&verdict.reasons, |json, code| {
        json.string(code);
    });
    json.raw(",").key("scores");
    scores(&mut json, verdict);
    json.raw("}");
    json.into_text().into_bytes()
}

/// Where two canonical verdicts differ, in order of their pointers; empty when they agree to the byte.
#[must_use]
pub fn compare_verdicts(recorded: &[u8], replayed: &[u8]) -> Vec<Difference> {
    if recorded == replayed {
        return Vec::new();
    }
    let mut differences = Vec::new();
    let (before, after) = (serde_json::from_slice(recorded).ok(), serde_json::from_slice(replayed).ok());
    compare(String::new(), before.as_ref(), after.as_ref(), &mut differences);
    if differences.is_empty() {
        // Other bytes of the same JSON: cannot come from `canonical_verdict`, but must not pass for agreement.
        differences.push(Difference { pointer: String::new(), recorded: before, replayed: after });
    }
    differences
}

fn compare(pointer: String, before: Option<&Read>, after: Option<&Read>, found: &mut Vec<Difference>) {
    match (before, after) {
        (Some(Read::Object(a)), Some(Read::Object(b))) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                compare(format!("{pointer}/{escaped}"), a.get(name), b.get(name), found);
            }
        }
        (Some(Read::Array(a)), Some(Read::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(format!("{pointer}/{index}"), a.get(index), b.get(index), found);
            }
        }
        (before, after) if before == after => {}
        (before, after) => {
            found.push(Difference { pointer, recorded: before.cloned(), replayed: after.cloned() });
        }
    }
}

pub(super) fn failures(json: &mut Json, failures: &[Failure]) {
    json.array(failures, failure);
}

fn failure(json: &mut Json, failure: &Failure) {
    json.raw("{").key("code").string(failure.code).raw(",").key("detail").string(&failure.detail);
    json.raw(",").key("line").count(failure.line.into());
    json.raw(",").key("step").string(&failure.step).raw("}");
}

/// Read features by name; unread and failed ones tagged.
pub(super) fn features(json: &mut Json, verdict: &Verdict) {
    json.object(verdict.features.iter().map(|(name, state)| (&**name, state)), |json, state| {
        match state {
            FeatureState::Unread => json.raw("{\"$unread\":true}"),
            FeatureState::Failed => json.raw("{\"$failed\":true}"),
            FeatureState::Value(value) => json.value(value),
        };
    });
}

pub(super) fn models(json: &mut Json, verdict: &Verdict) {
    json.object(verdict.models.iter().map(|(name, digest)| (&**name, digest)), |json, digest| {
        json.string(digest);
    });
}

pub(super) fn output(json: &mut Json, output: &[(Arc<str>, crate::domain::value::Value)]) {
    json.object(output.iter().map(|(name, value)| (&**name, value)), |json, value| {
        json.value(value);
    });
}

/// Each score as its bits (hexadecimal, IEEE 754) and rounded.
pub(super) fn scores(json: &mut Json, verdict: &Verdict) {
    json.object(verdict.scores.iter().map(|(name, score)| (&**name, score)), |json, score| {
        json.raw("{").key("bits").hex(&score.raw.to_bits().to_be_bytes());
        json.raw(",").key("rounded").number(score.rounded).raw("}");
    });
}

/// The trace, in order. A feature's value stands once, under `features`.
pub(super) fn trace(json: &mut Json, steps: &[Step]) {
    json.array(steps, step);
}

fn step(json: &mut Json, step: &Step) {
    match step {
        Step::Feature { name, reads, .. } => {
            json.raw("{").key("feature").string(name).raw(",").key("reads");
            names(json, reads);
            json.raw("}");
        }
        Step::Rules { name, rules, points } => {
            json.raw("{").key("points").integer(*points).raw(",").key("rule_set").string(name);
            json.raw(",").key("rules").array(rules.iter(), |json, (rule, result)| {
                // Most rules miss, and what a rule reads stands in the revision: its id says enough.
                if result == RuleResult::Miss {
                    json.string(&rule.id);
                    return;
                }
                json.raw("{").key("id").string(&rule.id).raw(",").key("reads");
                names(json, &rule.reads);
                json.raw(",").key("result").string(result.word()).raw("}");
            });
            json.raw("}");
        }
        Step::Model { name, model, version, score, fallback, notes, explanation: why } => {
            json.raw("{");
            if let Some(why) = why {
                explanation(json.key("explanation"), why);
                json.raw(",");
            }
            json.key("fallback").boolean(*fallback);
            if !notes.is_empty() {
                json.raw(",").key("inputs").array(notes, note);
            }
            json.raw(",").key("model").string(model);
            json.raw(",").key("name").string(name).raw(",").key("score");
            match score {
                Some(score) => json.number(score.rounded),
                None => json.null(),
            };
            json.raw(",").key("version").count((*version).into()).raw("}");
        }
        Step::Record { outcome, reasons, output: given, by, line } => {
            json.raw("{").key("by");
            recorded_by(json, by);
            json.raw(",").key("line").count((*line).into()).raw(",").key("outcome").string(outcome);
            json.raw(",").key("output");
            output(json, given);
            json.raw(",").key("reasons");
            names(json, reasons);
            json.raw("}");
        }
        Step::Failed(item) => {
            json.raw("{").key("failed");
            failure(json, item);
            json.raw("}");
        }
        other => later_step(json, other),
    }
}

/// Scorecards, tables, lists, other flows and what the caller was asked for.
fn later_step(json: &mut Json, step: &Step) {
    match step {
        Step::Scorecard { name, points, bins } => {
            json.raw("{").key("bins").array(bins, bin);
            json.raw(",").key("points").integer(*points).raw(",").key("scorecard").string(name).raw("}");
        }
        Step::Table { name, rows, output: given, reads } => {
            json.raw("{").key("output");
            output(json, given);
            json.raw(",").key("reads");
            names(json, reads);
            json.raw(",").key("rows").array(rows, |json, row| {
                json.count((*row).into());
            });
            json.raw(",").key("table").string(name).raw("}");
        }
        Step::List { name, digest, is_listed } => {
            json.raw("{").key("digest").string(digest).raw(",").key("list").string(name);
            json.raw(",").key("listed").boolean(*is_listed).raw("}");
        }
        Step::SubFlow { name, outcome, reasons, degraded, trace: inner } => {
            json.raw("{").key("degraded").boolean(*degraded).raw(",").key("flow").string(name);
            json.raw(",").key("outcome").string(outcome).raw(",").key("reasons");
            names(json, reasons);
            json.raw(",").key("trace");
            trace(json, inner);
            json.raw("}");
        }
        Step::Need { asked, answer } => {
            json.raw("{").key("answer");
            match answer {
                Some(answer) => json.value(answer),
                None => json.null(),
            };
            json.raw(",").key("need").string(&asked.name).raw(",").key("with").value(&asked.with).raw("}");
        }
        Step::Gathered(gathered) => gathered_step(json, gathered),
        _ => {}
    }
}

/// An input that a model did not take as it came.
fn note(json: &mut Json, note: &InputNote) {
    json.raw("{").key("input").string(&note.input).raw(",").key("is").string(note.problem.word());
    json.raw(",").key("taken").string(note.taken.word());
    if let Taken::As(value) = &note.taken {
        json.raw(",").key("value").value(value);
    }
    json.raw("}");
}

/// Why a model answered so.
fn explanation(json: &mut Json, why: &Explanation) {
    json.raw("{").key("base").number(why.base).raw(",").key("contributions");
    json.object(why.contributions.iter().map(|(input, adds)| (&**input, adds)), |json, adds| {
        json.number(*adds);
    });
    json.raw(",").key("reasons").array(&why.reasons, |json, reason| {
        json.raw("{").key("code").string(&reason.code).raw(",").key("weight").number(reason.weight).raw("}");
    });
    json.raw(",").key("score").number(why.score()).raw(",").key("space").string(why.space.word()).raw("}");
}

fn gathered_step(json: &mut Json, gathered: &GatheredTrace) {
    json.raw("{").key("answer");
    match gathered.answer {
        Some(answer) => json.number(answer),
        None => json.null(),
    };
    json.raw(",").key("attempts").count(gathered.attempts.into()).raw(",").key("endpoint");
    optional(json, gathered.endpoint.as_deref());
    json.raw(",").key("failed");
    optional(json, gathered.failed.as_deref());
    json.raw(",").key("gathered").string(&gathered.name);
    json.raw(",").key("latency_us").count(gathered.latency_us);
    json.raw(",").key("over").string(gathered.over).raw(",").key("protocol").string(gathered.protocol);
    json.raw(",").key("version");
    optional(json, gathered.version.as_deref());
    json.raw("}");
}

fn bin(json: &mut Json, bin: &BinTrace) {
    json.raw("{").key("bin").count(bin.bin.into());
    json.raw(",").key("characteristic").string(&bin.characteristic);
    json.raw(",").key("lost").integer(bin.lost).raw(",").key("points").integer(bin.points);
    if let Some(reason) = &bin.reason {
        json.raw(",").key("reason").string(reason);
    }
    json.raw("}");
}

fn names(json: &mut Json, names: &[Arc<str>]) {
    json.array(names, |json, name| {
        json.string(name);
    });
}

fn recorded_by(json: &mut Json, by: &RecordedBy) {
    match by {
        RecordedBy::Verb => json.raw("{\"verb\":true}"),
        RecordedBy::Rule { rule_set, rule } => {
            json.raw("{").key("rule").string(rule).raw(",").key("rule_set").string(rule_set).raw("}")
        }
        RecordedBy::Row { table, row } => {
            json.raw("{").key("row").count((*row).into()).raw(",").key("table").string(table).raw("}")
        }
        RecordedBy::IfItFails(model) => json.raw("{").key("if_it_fails").string(model).raw("}"),
        RecordedBy::SubFlow(flow) => json.raw("{").key("flow").string(flow).raw("}"),
        RecordedBy::OnError => json.raw("{\"on_error\":true}"),
        RecordedBy::OnInvalid => json.raw("{\"on_invalid\":true}"),
    };
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_bytes_are_canonical_json() {
        let bytes = canonical_verdict(&sample::verdict());
        let parsed: Read = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&parsed).unwrap(), bytes);
    }

    #[test]
    fn a_difference_is_named_by_its_place_and_the_trace_is_not_compared() {
        let recorded = sample::verdict();
        let mut replayed = recorded.clone();
        replayed.trace.clear();
        replayed.ticks += 1;
        assert_eq!(compare_verdicts(&canonical_verdict(&recorded), &canonical_verdict(&replayed)), []);

        replayed.outcome = Arc::from("approve");
        replayed.scores[0].1.raw = f64::from_bits(replayed.scores[0].1.raw.to_bits() + 1);
        replayed.reasons.clear();
        let found = compare_verdicts(&canonical_verdict(&recorded), &canonical_verdict(&replayed));
        let pointers: Vec<_> = found.iter().map(|difference| difference.pointer.as_str()).collect();
        assert_eq!(pointers, ["/outcome", "/reasons/0", "/reasons/1", "/scores/default_risk/bits"]);
        assert_eq!(found[0].recorded, Some(Read::from("decline")));
        assert_eq!(found[0].replayed, Some(Read::from("approve")));
        assert_eq!(found[1].replayed, None);
    }
}
