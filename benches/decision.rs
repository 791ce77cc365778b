//! What one decision costs in this process: the body parsed, facts admitted, rules alone, the whole flow on either
//! model, and the verdict's canonical form. Absent: HTTP and disk (`load.sh`).

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use tollgate::audit::canonical_verdict;
use tollgate::bundle::{Documents, build, read_folder};
use tollgate::documents::json::{self, JsonLimits};
use tollgate::domain::facts::Given;
use tollgate::domain::flow::{Budget, Flow};
use tollgate::drift::Drift;
use tollgate::learn::library::read_models;

const APPLICANT: &str = r#"{
  "checking_status": "below_0", "duration_months": 24, "credit_history": "existing_paid", "purpose": "furniture",
  "amount": "4870.00", "savings": "below_100", "employed_since": "below_4_years", "instalment_rate_pct": 3,
  "other_parties": "none", "residence_since": 4, "property": "unknown", "age": 53, "other_plans": "none",
  "housing": "free", "existing_credits": 2
}"#;

/// The sample's folder, with the model that the flow names and, if wanted, another script.
fn flow(model: &str, script: Option<&str>) -> Arc<Flow> {
    let documents = read_folder(Path::new("rules"), Path::new("models"));
    let files = documents.files.iter().map(|(path, bytes)| {
        let text = |text: String| Arc::<[u8]>::from(text.into_bytes());
        let bytes = match (path.as_str(), script) {
            ("rules/personal_loan/flow.yaml", _) => {
                let yaml = String::from_utf8(bytes.to_vec()).unwrap();
                text(yaml.replace("german_credit@champion", model))
            }
            ("rules/personal_loan/flow.rhai", Some(script)) => text(script.to_owned()),
            _ => Arc::clone(bytes),
        };
        (path.clone(), bytes)
    });
    let built = build(&Documents::from_files(files.collect::<Vec<_>>()));
    Arc::clone(&built.bundle.flow("personal_loan").unwrap().flow)
}

fn given() -> Given {
    json::parse(APPLICANT.as_bytes(), JsonLimits::default()).unwrap()
}

fn decision(criterion: &mut Criterion) {
    let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let given = given();
    let mut group = criterion.benchmark_group("decision");
    group.bench_function("json", |b| {
        b.iter(|| json::parse(black_box(APPLICANT.as_bytes()), JsonLimits::default()));
    });
    let rules =
        r#"rules("knockout").apply(); rules("affordability").apply(); approve(#{ apr: low_apr, limit: 1 });"#;
    let cases = [
        ("14_rules_alone", flow("german_credit@2", Some(rules))),
        ("flow_with_logistic_regression", flow("german_credit@1", None)),
        ("flow_with_forest_of_100", flow("german_credit@2", None)),
    ];
    group.bench_function("admit", |b| b.iter(|| cases[0].1.admit(black_box(&given))));
    for (name, flow) in &cases {
        let facts = flow.admit(&given).unwrap();
        let verdict = flow.decide(&facts, now, &Budget::default());
        assert!(!verdict.degraded, "{name}: {:?}", verdict.failures);
        group.bench_function(*name, |b| b.iter(|| flow.decide(black_box(&facts), now, &Budget::default())));
    }
    let facts = cases[2].1.admit(&given).unwrap();
    let verdict = cases[2].1.decide(&facts, now, &Budget::default());
    group.bench_function("canonical_verdict", |b| b.iter(|| canonical_verdict(black_box(&verdict))));
    // What is counted of a recorded decision: a model of 14 inputs, one question.
    let watched = flow("german_credit@3", None);
    let verdict = watched.decide(&watched.admit(&given).unwrap(), now, &Budget::default());
    assert_eq!(verdict.answered.len(), 1);
    let drift = Drift::default();
    drift.follow(&read_models(Path::new("models")));
    group.bench_function("drift_counted", |b| b.iter(|| drift.decided(black_box(&verdict.answered), now)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(60);
    targets = decision
}
criterion_main!(benches);
