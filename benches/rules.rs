//! What one threshold rule costs: 1,000 rules of one kind in one set, evaluated and told in the trace, none of them
//! hitting. Absent: facts, models and the record.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use tollgate::bundle::{Documents, build};
use tollgate::documents::json::{self, JsonLimits};
use tollgate::domain::flow::{Budget, Flow};

const RULES: u64 = 1_000;

const FLOW: &str = "\
flow: many
inputs:
  age: { type: integer }
  amount: { type: decimal }
  share: { type: number }
  purpose: { type: choice, of: [car, house, other] }
  phone: { type: text, optional: true }
thresholds: { top_age: 70, top_amount: 100000.00, top_share: 0.9 }
outcomes: [approve, decline]
reasons: { R1: { en: Too high } }
on_error: { outcome: decline, reason: R1 }
";

const FACTS: &str = r#"{"age": 41, "amount": "2500.00", "share": 0.25, "purpose": "car", "phone": "555"}"#;

fn flow(condition: &str) -> Arc<Flow> {
    let mut rules = String::from("rule_set: all\nrules:\n");
    for number in 0..RULES {
        writeln!(rules, "  - {{ id: r{number}, when: '{condition}', outcome: decline, reason: R1 }}")
            .unwrap();
    }
    let files = [
        ("rules/many/flow.yaml", FLOW.to_owned()),
        ("rules/many/flow.rhai", r#"rules("all").apply(); approve()"#.to_owned()),
        ("rules/many/all.rules.yaml", rules),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), Arc::<[u8]>::from(text.into_bytes())));
    let built = build(&Documents::from_files(files));
    assert!(!built.has_errors(), "{:?}", built.diagnostics.first());
    Arc::clone(&built.bundle.flow("many").unwrap().flow)
}

fn rules(criterion: &mut Criterion) {
    let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let given = json::parse(FACTS.as_bytes(), JsonLimits::default()).unwrap();
    let mut group = criterion.benchmark_group("rule");
    group.throughput(Throughput::Elements(RULES));
    let kinds = [
        ("integer", "age > top_age"),
        ("decimal", "amount > top_amount"),
        ("number", "share > top_share"),
        ("choice", "purpose == \"house\""),
        ("choice_of_two", "purpose in [\"house\", \"other\"]"),
        ("given_and_integer", "is_given(phone) && age > top_age"),
        ("three_together", "age > top_age || amount > top_amount || share > top_share"),
        ("arithmetic", "age + 1 > top_age"),
    ];
    for (name, condition) in kinds {
        let flow = flow(condition);
        let facts = flow.admit(&given).unwrap();
        let verdict = flow.decide(&facts, now, &Budget::default());
        assert!(&*verdict.outcome == "approve" && !verdict.degraded, "{name}: {:?}", verdict.failures);
        group.bench_function(name, |b| b.iter(|| flow.decide(black_box(&facts), now, &Budget::default())));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(40);
    targets = rules
}
criterion_main!(benches);
