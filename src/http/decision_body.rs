//! The answer of `POST /v1/decisions`: serde straight to bytes, for this is the hot path. Absent on purpose: any
//! tree of JSON values on the way, and anything that is not in the decision.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use utoipa::ToSchema;

use super::trace_body::{Detail, Named, Steps, summary_of_recorded};
use crate::audit::Durability;
use crate::domain::value::Name;
use crate::engine::{Decision, DecisionOutput, DecisionTrace, Origin, TraceLevel};
use crate::trial::explain;

/// What a request for a decision is answered: `state` says which.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Answer)]
#[serde(untagged)]
pub(super) enum AnswerBody<'a> {
    Decided(DecisionBody<'a>),
    Needs(NeedsBody<'a>),
}

/// A decision that its caller has to give more for before it is made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenDecision)]
pub(super) struct NeedsBody<'a> {
    #[schema(value_type = String, format = "uuid")]
    decision_id: uuid::Uuid,
    /// `needs`.
    state: &'static str,
    /// What to send to `POST /v1/decisions/{id}/continue`.
    needs: Vec<NeedBody<'a>>,
    flow: &'a str,
    market: &'a str,
    /// The caller's own id, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    /// Digest of all that decides, now and when it goes on.
    #[schema(example = "sha256:…")]
    revision: &'a str,
    /// Digest of what decides in this flow.
    flow_revision: &'a str,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    decided_at: jiff::Timestamp,
    elapsed_us: u64,
    /// What the answer waited for: `central` or `local`; `none` for a dry run.
    durable: &'static str,
    /// Not recorded, so it cannot be continued: send all facts at once. Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// As `trace` of the request asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    trace: Option<TraceBody<'a>>,
    /// With `trace: full`: why, step by step, and what stood in the way of a milder outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    explanation: Option<serde_json::Value>,
}

/// Facts that a decision waits for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Need)]
pub(super) struct NeedBody<'a> {
    /// The name that they have among `facts`.
    #[schema(example = "bureau")]
    input: &'a str,
    /// What the flow says with the question.
    #[serde(serialize_with = "output")]
    #[schema(value_type = Object)]
    with: &'a DecisionOutput,
}

/// A decision, as its caller gets it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct DecisionBody<'a> {
    #[schema(value_type = String, format = "uuid")]
    decision_id: uuid::Uuid,
    flow: &'a str,
    market: &'a str,
    /// The caller's own id, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    /// Digest of all that decides.
    #[schema(example = "sha256:…")]
    revision: &'a str,
    outcome: &'a str,
    /// Strictest first.
    #[schema(value_type = Vec<Reason>)]
    reasons: Reasons<'a>,
    /// What the flow declares as outputs. Decimals are texts.
    #[serde(serialize_with = "output")]
    #[schema(value_type = Object)]
    output: &'a DecisionOutput,
    /// Rounded as the model's recipe says: what thresholds met.
    #[serde(serialize_with = "scores")]
    #[schema(value_type = std::collections::BTreeMap<String, f64>)]
    scores: &'a [(Name, f64)],
    /// Digest of what decides in this flow.
    flow_revision: &'a str,
    /// `decided`.
    state: &'static str,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    decided_at: jiff::Timestamp,
    elapsed_us: u64,
    /// Something could not be evaluated; `on_error` took part.
    degraded: bool,
    /// What the answer waited for: `central`, `local`, `memory`; `none` for a dry run.
    durable: &'static str,
    /// Decided, but not recorded. Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// As `trace` of the request asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    trace: Option<TraceBody<'a>>,
    /// With `trace: full`: why, step by step, and what stood in the way of a milder outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    explanation: Option<serde_json::Value>,
}

/// Why, in the caller's language.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reason<'a> {
    code: &'a str,
    text: &'a str,
    /// 1 is the strongest.
    rank: usize,
}

#[derive(Debug)]
pub(super) struct Reasons<'a>(&'a [(Name, Option<Arc<str>>)]);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (index, (code, text)) in self.0.iter().enumerate() {
            let text = text.as_deref().unwrap_or(code);
            list.serialize_element(&Reason { code, text, rank: index + 1 })?;
        }
        list.end()
    }
}

#[derive(Debug)]
struct TraceBody<'a> {
    trace: &'a DecisionTrace,
    detail: Detail,
}

impl Serialize for TraceBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.trace, self.detail) {
            (DecisionTrace::Steps(steps), detail) => Steps { steps, detail }.serialize(serializer),
            (DecisionTrace::Recorded(trace), Detail::Full) => trace.serialize(serializer),
            (DecisionTrace::Recorded(trace), Detail::Summary) => {
                summary_of_recorded(trace).serialize(serializer)
            }
        }
    }
}

fn output<S: Serializer>(output: &DecisionOutput, serializer: S) -> Result<S::Ok, S::Error> {
    match output {
        DecisionOutput::Values(values) => Named(values).serialize(serializer),
        DecisionOutput::Recorded(recorded) => recorded.serialize(serializer),
    }
}

/// A number as people write it: points of a scorecard are `455`, not `455.0`.
struct Shortest(f64);

impl Serialize for Shortest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within what both hold without loss")]
        let whole = (self.0.abs() <= EXACT).then_some(self.0 as i64);
        #[expect(clippy::cast_precision_loss, reason = "no larger than floats hold without loss")]
        match whole.filter(|whole| (*whole as f64 - self.0).abs() <= 0.0) {
            Some(whole) => serializer.serialize_i64(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}

fn scores<S: Serializer>(scores: &[(Name, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(scores.iter().map(|(name, score)| (&**name, Shortest(*score))))
}

/// Always six digits of the second, so that times of one log have one width.
fn shown<S: Serializer>(time: &jiff::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}

/// The answer's bytes.
///
/// # Errors
/// None that a decision can cause: its numbers are finite.
pub fn render(decision: &Decision, level: TraceLevel) -> Result<Vec<u8>, serde_json::Error> {
    let trace = trace_body(decision, level);
    let body = if decision.needs.is_empty() {
        AnswerBody::Decided(decided(decision, trace))
    } else {
        AnswerBody::Needs(needs(decision, trace))
    };
    let mut bytes = Vec::with_capacity(768);
    serde_json::to_writer(&mut bytes, &body)?;
    Ok(bytes)
}

/// The trace alone, as a list of steps; `None` where none was asked for.
///
/// # Errors
/// None that a decision can cause.
pub fn trace_json(
    decision: &Decision,
    level: TraceLevel,
) -> Result<Option<serde_json::Value>, serde_json::Error> {
    trace_body(decision, level).map(serde_json::to_value).transpose()
}

/// What an answer carries, as its JSON has it.
///
/// # Errors
/// None that a decision can cause.
pub fn output_json(carried: &DecisionOutput) -> Result<serde_json::Value, serde_json::Error> {
    output(carried, serde_json::value::Serializer)
}

fn trace_body(decision: &Decision, level: TraceLevel) -> Option<TraceBody<'_>> {
    let detail = match level {
        TraceLevel::None => return None,
        TraceLevel::Summary => Detail::Summary,
        TraceLevel::Full => Detail::Full,
    };
    Some(TraceBody { trace: &decision.trace, detail })
}

fn needs<'a>(decision: &'a Decision, trace: Option<TraceBody<'a>>) -> NeedsBody<'a> {
    let needs = decision.needs.iter();
    NeedsBody {
        decision_id: decision.decision_id,
        state: "needs",
        needs: needs.map(|need| NeedBody { input: &need.input, with: &need.with }).collect(),
        flow: &decision.flow,
        market: &decision.market,
        reference: decision.reference.as_deref(),
        revision: &decision.revision,
        flow_revision: &decision.flow_revision,
        decided_at: decision.decided_at,
        elapsed_us: decision.elapsed_us,
        durable: decision.durable.map_or("none", Durability::word),
        dry_run: decision.origin == Origin::DryRun,
        trace,
        explanation: decision.explanation.as_deref().map(explain::json),
    }
}

fn decided<'a>(decision: &'a Decision, trace: Option<TraceBody<'a>>) -> DecisionBody<'a> {
    DecisionBody {
        decision_id: decision.decision_id,
        flow: &decision.flow,
        market: &decision.market,
        reference: decision.reference.as_deref(),
        revision: &decision.revision,
        outcome: &decision.outcome,
        reasons: Reasons(&decision.reasons),
        output: &decision.output,
        scores: &decision.scores,
        flow_revision: &decision.flow_revision,
        state: "decided",
        decided_at: decision.decided_at,
        elapsed_us: decision.elapsed_us,
        degraded: decision.degraded,
        durable: decision.durable.map_or("none", Durability::word),
        dry_run: decision.origin == Origin::DryRun,
        trace,
        explanation: decision.explanation.as_deref().map(explain::json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::Value;

    fn decision() -> Decision {
        Decision {
            decision_id: uuid::Uuid::from_u128(0x019a),
            flow: "personal_loan".into(),
            market: "base".into(),
            reference: Some("a-1".into()),
            revision: "sha256:aa".into(),
            flow_revision: "sha256:bb".into(),
            needs: Vec::new(),
            outcome: "decline".into(),
            reasons: vec![("R201".into(), Some("Estimated risk of default is too high".into()))],
            output: DecisionOutput::Values(vec![(
                "limit".into(),
                Value::Decimal("2500.00".parse().unwrap()),
            )]),
            scores: vec![("default_risk".into(), 0.61)],
            decided_at: "2026-11-22T09:00:00.1Z".parse().unwrap(),
            elapsed_us: 84,
            degraded: false,
            durable: Some(Durability::Local),
            trace: DecisionTrace::Steps(vec![]),
            explanation: None,
            origin: Origin::Decided,
        }
    }

    fn shown(decision: &Decision, level: TraceLevel) -> serde_json::Value {
        serde_json::from_slice(&render(decision, level).unwrap()).unwrap()
    }

    #[test]
    fn a_decision_looks_as_the_contract_says() {
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&shown(&decision(), TraceLevel::None)).unwrap(),
            @r#"
        {
          "decision_id": "00000000-0000-0000-0000-00000000019a",
          "flow": "personal_loan",
          "market": "base",
          "reference": "a-1",
          "revision": "sha256:aa",
          "outcome": "decline",
          "reasons": [
            {
              "code": "R201",
              "text": "Estimated risk of default is too high",
              "rank": 1
            }
          ],
          "output": {
            "limit": "2500.00"
          },
          "scores": {
            "default_risk": 0.61
          },
          "flow_revision": "sha256:bb",
          "state": "decided",
          "decided_at": "2026-11-22T09:00:00.100000Z",
          "elapsed_us": 84,
          "degraded": false,
          "durable": "local"
        }
        "#
        );
    }

    #[test]
    fn a_repeated_answer_reads_as_the_first() {
        let recorded = serde_json::json!({"limit": "2500.00"});
        let again = Decision {
            output: DecisionOutput::Recorded(recorded),
            trace: DecisionTrace::Recorded(serde_json::json!([])),
            origin: Origin::Repeated,
            ..decision()
        };
        assert_eq!(shown(&again, TraceLevel::Full), shown(&decision(), TraceLevel::Full));
    }

    #[test]
    fn a_decision_that_asks_has_no_outcome() {
        let with = DecisionOutput::Values(vec![("depth".into(), Value::text("full"))]);
        let needs = vec![crate::engine::OpenNeed { input: "bureau".into(), with }];
        let body = shown(&Decision { needs, ..decision() }, TraceLevel::None);
        assert_eq!(
            body,
            serde_json::json!({
                "decision_id": "00000000-0000-0000-0000-00000000019a", "state": "needs",
                "needs": [{ "input": "bureau", "with": { "depth": "full" } }], "flow": "personal_loan",
                "market": "base", "reference": "a-1", "revision": "sha256:aa", "flow_revision": "sha256:bb",
                "decided_at": "2026-11-22T09:00:00.100000Z", "elapsed_us": 84, "durable": "local",
            })
        );
    }

    #[test]
    fn a_dry_run_says_so() {
        let dry = Decision { origin: Origin::DryRun, durable: None, ..decision() };
        let body = shown(&dry, TraceLevel::Summary);
        assert_eq!((&body["dry_run"], &body["durable"]), (&true.into(), &"none".into()));
        assert_eq!(body["trace"], serde_json::json!([]));
    }
}
