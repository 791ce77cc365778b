//! What it costs to bring one applicant's facts to the flow: as JSON, as `google.protobuf.Struct` and as the flow's own
//! message. Absent: HTTP and gRPC around them (`load.sh`).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on should stop, and its sizes are part of what it tells"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use prost::Message as _;
use tollgate::bundle::{build, read_folder};
use tollgate::documents::json::{self, JsonLimits};
use tollgate::grpc::flows::Contracts;
use tollgate::grpc::{facts_of_struct, struct_of_json};

const APPLICANT: &str = r#"{"checking_status":"below_0","duration_months":24,"credit_history":"existing_paid",
"purpose":"furniture","amount":"4870.00","savings":"below_100","employed_since":"below_4_years",
"instalment_rate_pct":3,"other_parties":"none","residence_since":4,"property":"unknown","age":53,
"other_plans":"none","housing":"free","existing_credits":2}"#;

fn wire(criterion: &mut Criterion) {
    let built = build(&read_folder(Path::new("rules"), Path::new("models")));
    let revision = built.bundle.flow("personal_loan").unwrap();
    let contract = Contracts::default().of(revision).unwrap();
    let value: serde_json::Value = serde_json::from_str(APPLICANT).unwrap();
    let json = value.to_string();
    let typed = contract.encode_facts(&value);
    let untyped = struct_of_json(value).encode_to_vec();
    println!("bytes: json {}, Struct {}, own message {}", json.len(), untyped.len(), typed.len());
    let mut group = criterion.benchmark_group("wire");
    group.bench_function("json", |b| {
        b.iter(|| json::parse(black_box(json.as_bytes()), JsonLimits::default()).unwrap());
    });
    group.bench_function("struct", |b| {
        b.iter(|| facts_of_struct(prost_types::Struct::decode(black_box(untyped.as_slice())).unwrap()));
    });
    group.bench_function("own_message", |b| {
        b.iter(|| contract.decode_facts(black_box(&typed)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
