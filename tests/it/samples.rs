//! Decisions of about the size of real ones, for tests and benches of the log. Absent: any flow that made them.

use std::sync::Arc;

use jiff::Timestamp;
use tollgate::audit::{Audit, DecisionRecord, Durability, Provenance, ProvenanceKey, stamp};
use tollgate::domain::declaration::Personal;
use tollgate::domain::facts::{Facts, Given};
use tollgate::domain::value::{Name, Value};
use tollgate::domain::verdict::{FeatureState, RecordedBy, RuleLabel, RuleResult, Score, Step, Verdict};

pub fn name(text: &str) -> Name {
    Arc::from(text)
}

/// Twenty facts, with the names and codes of the German credit data.
pub fn given(applicant: &str) -> Given {
    let text = |name: &str, value: &str| (name.to_owned(), Given::Text(value.to_owned()));
    let number = |name: &str, value: &str| (name.to_owned(), Given::Number(value.to_owned()));
    Given::Map(vec![
        text("applicant_id", applicant),
        text("checking_status", "A11"),
        number("duration_months", "24"),
        text("credit_history", "A34"),
        text("purpose", "A43"),
        number("amount", "2500.00"),
        text("savings", "A61"),
        text("employment", "A73"),
        number("installment_rate", "4"),
        text("other_debtors", "A101"),
        number("residence_since", "2"),
        text("property", "A121"),
        number("age", "41"),
        text("other_installments", "A143"),
        text("housing", "A152"),
        number("existing_credits", "1"),
        text("job", "A173"),
        number("people_liable", "1"),
        text("telephone", "A192"),
        text("foreign_worker", "A201"),
    ])
}

pub fn verdict() -> Verdict {
    let reads: Arc<[Name]> = [name("amount"), name("duration_months")].into();
    let score = Score { rounded: 0.612_345, raw: 0.612_345_123_456_7 };
    let feature =
        |n: usize| (Name::from(format!("feature_{n}")), FeatureState::Value(Value::Number(n as f64 / 7.0)));
    let set = |set: &str| Step::Rules {
        name: name(set),
        rules: (0..7)
            .map(|n| {
                let label =
                    RuleLabel { id: Name::from(format!("{set}_rule_{n}")), reads: Arc::clone(&reads) };
                (label, if n == 3 { RuleResult::Hit } else { RuleResult::Miss })
            })
            .collect(),
        points: 12,
    };
    Verdict {
        needs: Vec::new(),
        outcome: name("decline"),
        reasons: vec![name("R201"), name("R104")],
        output: vec![(name("limit"), Value::Decimal(rust_decimal::Decimal::new(250_000, 2)))],
        scores: vec![(name("default_risk"), score)],
        features: (0..8).map(feature).collect(),
        degraded: false,
        failures: Vec::new(),
        models: vec![(name("default_risk"), name(&format!("sha256:{}", "ab".repeat(32))))],
        trace: vec![
            set("knockout"),
            set("policy"),
            Step::Model {
                name: name("default_risk"),
                model: name("german_credit"),
                version: 2,
                score: Some(score),
                fallback: false,
                notes: [].into(),
                explanation: None,
            },
            Step::Record {
                outcome: name("decline"),
                reasons: vec![name("R201")],
                output: Vec::new(),
                by: RecordedBy::Verb,
                line: 21,
            },
        ],
        answered: Vec::new(),
        ticks: 345,
        stopped_at: None,
    }
}

pub fn facts() -> Facts {
    Facts { values: Box::new([]), unread: Vec::new(), needs: Box::default(), invalid: Vec::new() }
}

pub fn provenance(applicant: &str, durable: Durability) -> Provenance {
    let (decision_id, decided_at) = stamp(Timestamp::now());
    Provenance {
        decision_id,
        decided_at,
        elapsed_us: 84,
        caller: name("shop"),
        flow: name("personal_loan"),
        market: name("base"),
        reference: Some(name(&format!("application-{applicant}"))),
        revision: name(&format!("sha256:{}", "12".repeat(32))),
        flow_revision: name(&format!("sha256:{}", "34".repeat(32))),
        engine: name("tollgate 0.1.0"),
        language: 1,
        subject: Some(name(applicant)),
        durable,
        key: None,
        personal: vec![(name("applicant_id"), Personal::Key), (name("amount"), Personal::Mask)],
        gathered: Vec::new(),
        parts: Vec::new(),
        reason_texts: vec![
            (name("R201"), name("Estimated risk of default is too high")),
            (name("R104"), name("The instalment is too large for the income")),
        ],
    }
}

/// A whole decision about one applicant.
pub fn record(audit: &Audit, applicant: &str, durable: Durability) -> DecisionRecord {
    audit.record(&provenance(applicant, durable), &given(applicant), &facts(), &verdict())
}

/// A decision under an idempotency key.
pub fn keyed(audit: &Audit, applicant: &str, key: &str, durable: Durability) -> DecisionRecord {
    let key = ProvenanceKey { key: name(key), request_digest: [7; 32] };
    let provenance = Provenance { key: Some(key), ..provenance(applicant, durable) };
    audit.record(&provenance, &given(applicant), &facts(), &verdict())
}
