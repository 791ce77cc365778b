//! One decision for this room's tests. Absent: any meaning.

use std::sync::Arc;

use jiff::Timestamp;

use super::record::{Provenance, ProvenanceKey, stamp};
use crate::domain::declaration::Personal;
use crate::domain::facts::{Facts, Given};
use crate::domain::flow::remote::{Answered, ModelAsked, RemoteAnswer, RemoteFailure, RemoteFault};
use crate::domain::model::{InputNote, InputProblem, ReasonCode, Space, Taken};
use crate::domain::value::{Name, Value};
use crate::domain::verdict::{
    Explanation, Failure, FeatureState, RecordedBy, RuleLabel, RuleResult, Score, Step, Verdict,
};
use crate::learn::library::ModelLibrary;
use crate::store::Durability;

fn name(text: &str) -> Name {
    Arc::from(text)
}

pub(super) fn given() -> Given {
    Given::Map(vec![
        ("applicant_id".to_owned(), Given::Text("person-7".to_owned())),
        ("amount".to_owned(), Given::Number("2500.00".to_owned())),
        ("age".to_owned(), Given::Number("41".to_owned())),
    ])
}

pub(super) fn facts() -> Facts {
    let values = [Value::text("person-7"), Value::Decimal("2500.00".parse().unwrap()), Value::Integer(41)];
    Facts { values: values.into(), unread: Vec::new(), needs: Box::default(), invalid: Vec::new() }
}

#[expect(clippy::too_many_lines, reason = "one of each step there is")]
pub(super) fn verdict() -> Verdict {
    let rule =
        |id: &str, result| (RuleLabel { id: name(id), reads: [name("burden"), name("age")].into() }, result);
    let score = Score { rounded: 0.61, raw: 0.610_000_012_3 };
    let failure = Failure {
        code: "division_by_zero",
        step: "feature ratio".to_owned(),
        line: 4,
        detail: "b is 0".to_owned(),
    };
    Verdict {
        needs: Vec::new(),
        outcome: name("decline"),
        reasons: vec![name("R201"), name("R104")],
        output: vec![(name("limit"), Value::Decimal("0.00".parse().unwrap()))],
        scores: vec![(name("default_risk"), score)],
        features: vec![
            (name("burden"), FeatureState::Value(Value::Number(0.35))),
            (name("from_amount"), FeatureState::Value(Value::Number(2.5))),
            (name("ratio"), FeatureState::Failed),
            (name("unused"), FeatureState::Unread),
        ],
        degraded: true,
        failures: vec![failure.clone()],
        models: vec![(name("default_risk"), name("sha256:aa"))],
        trace: vec![
            Step::Feature {
                name: name("from_amount"),
                value: Some(Value::Number(2.5)),
                reads: [name("amount")].into(),
            },
            Step::Feature {
                name: name("burden"),
                value: Some(Value::Number(0.35)),
                reads: [name("age")].into(),
            },
            Step::Rules {
                name: name("knockout"),
                rules: [rule("heavy", RuleResult::Hit), rule("young", RuleResult::Miss)]
                    .into_iter()
                    .collect(),
                points: 0,
            },
            Step::Model {
                name: name("default_risk"),
                model: name("german_credit"),
                version: 2,
                score: Some(score),
                fallback: false,
                notes: [InputNote {
                    input: name("amount"),
                    problem: InputProblem::OutOfRange,
                    taken: Taken::As(Value::Number(2.0)),
                }]
                .into(),
                explanation: Some(Arc::new(Explanation {
                    space: Space::LogOdds,
                    base: -1.25,
                    contributions: vec![(name("burden"), 0.5), (name("amount"), 0.25)],
                    reasons: vec![ReasonCode { code: name("R201"), weight: 0.5 }],
                })),
            },
            Step::Record {
                outcome: name("decline"),
                reasons: vec![name("R201")],
                output: Vec::new(),
                by: RecordedBy::Verb,
                line: 12,
            },
            Step::Failed(failure),
        ],
        answered: Vec::new(),
        ticks: 77,
        stopped_at: None,
    }
}

pub(super) fn provenance() -> Provenance {
    let (decision_id, decided_at) = stamp(Timestamp::now());
    Provenance {
        decision_id,
        decided_at,
        elapsed_us: 84,
        caller: name("shop"),
        flow: name("personal_loan"),
        market: name("base"),
        reference: Some(name("application-8841")),
        revision: name("sha256:rr"),
        flow_revision: name("sha256:ff"),
        engine: name("tollgate 0.1.0"),
        language: 1,
        subject: Some(name("person-7")),
        durable: Durability::Local,
        key: None,
        personal: vec![
            (name("applicant_id"), Personal::Key),
            (name("amount"), Personal::Mask),
            (name("age"), Personal::No),
        ],
        parts: Vec::new(),
        gathered: Vec::new(),
        reason_texts: vec![(name("R201"), name("Estimated risk of default is too high"))],
    }
}

/// A model elsewhere that answered about one row, and did not about another.
pub(super) fn gathered() -> Vec<Answered> {
    let file = "protocol: oip\nservers: [http://a:1]\nmodel: m\nversion: 3\ninputs: { amount: decimal, age: integer }\n";
    let library = ModelLibrary::from_files(&[("m/remote.yaml", file.as_bytes())]);
    let model = library.resolve("m").unwrap();
    let asked = |age| ModelAsked {
        model: Arc::clone(&model),
        row: [Value::Decimal("2500.00".parse().unwrap()), Value::Integer(age)].into(),
    };
    let answer = |result| RemoteAnswer {
        result,
        endpoint: Some(name("a:1")),
        version: Some(name("3")),
        attempts: 2,
        latency_us: 1234,
    };
    let late = RemoteFailure { code: RemoteFault::Late, detail: name("no answer before the deadline") };
    vec![
        Answered { asked: asked(41), answer: answer(Ok(0.25)) },
        Answered { asked: asked(42), answer: answer(Err(late)) },
    ]
}

pub(super) fn keyed(key: &str, request: u8) -> Provenance {
    let key = ProvenanceKey { key: name(key), request_digest: [request; 32] };
    Provenance { key: Some(key), ..provenance() }
}
