//! A decision as `tollgate.v1` tells it. Absent on purpose: anything that is not in the decision.

use prost_types::{Struct, Timestamp};

use super::values::{json_list, json_struct, wire_struct};
use crate::audit::Durability;
use crate::engine::{Decision, DecisionOutput, Origin, TraceLevel};
use crate::http::trace_json;
use crate::wire::tollgate::v1;

/// The message for a decision, with as much of its trace as was asked for.
///
/// # Errors
/// None that a decision can cause.
pub fn message(decision: &Decision, level: TraceLevel) -> Result<v1::Decision, serde_json::Error> {
    let is_open = !decision.needs.is_empty();
    let needs = decision.needs.iter();
    Ok(v1::Decision {
        decision_id: decision.decision_id.to_string(),
        flow: decision.flow.to_string(),
        market: decision.market.to_string(),
        reference: decision.reference.clone(),
        revision: decision.revision.to_string(),
        flow_revision: decision.flow_revision.to_string(),
        state: if is_open { v1::State::Needs } else { v1::State::Decided }.into(),
        outcome: decision.outcome.to_string(),
        reasons: reasons(decision),
        output: (!is_open).then(|| output_struct(&decision.output)),
        scores: decision.scores.iter().map(|(name, score)| (name.to_string(), *score)).collect(),
        decided_at: Some(timestamp(decision.decided_at)),
        elapsed_us: decision.elapsed_us,
        degraded: decision.degraded,
        durable: durable(decision.durable).into(),
        dry_run: decision.origin == Origin::DryRun,
        needs: needs
            .map(|need| v1::Need { input: need.input.to_string(), with: Some(output_struct(&need.with)) })
            .collect(),
        trace: trace_json(decision, level)?.map(json_list),
    })
}

fn reasons(decision: &Decision) -> Vec<v1::Reason> {
    let ranked = decision.reasons.iter().zip(1..);
    ranked
        .map(|((code, text), rank)| v1::Reason {
            code: code.to_string(),
            text: text.as_deref().unwrap_or(code).to_owned(),
            rank,
        })
        .collect()
}

fn output_struct(output: &DecisionOutput) -> Struct {
    match output {
        DecisionOutput::Values(values) => wire_struct(values),
        DecisionOutput::Recorded(json) => json_struct(json.clone()),
    }
}

fn durable(durable: Option<Durability>) -> v1::Durable {
    match durable {
        None => v1::Durable::None,
        Some(Durability::Memory) => v1::Durable::Memory,
        Some(Durability::Local) => v1::Durable::Local,
        Some(Durability::Central) => v1::Durable::Central,
    }
}

pub fn timestamp(at: jiff::Timestamp) -> Timestamp {
    // The nanoseconds of a protobuf time count forward even before 1970.
    let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
    if nanos < 0 {
        return Timestamp { seconds: seconds - 1, nanos: nanos + 1_000_000_000 };
    }
    Timestamp { seconds, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_count_forward_too() {
        for (text, seconds, nanos) in [
            ("2026-11-22T09:00:00.25Z", 1_795_338_000, 250_000_000),
            ("1969-12-31T23:59:59.75Z", -1, 750_000_000),
            ("1970-01-01T00:00:00Z", 0, 0),
        ] {
            assert_eq!(timestamp(text.parse().unwrap()), Timestamp { seconds, nanos }, "{text}");
        }
    }
}
