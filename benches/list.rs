//! What a list of a million entries costs: reading the file, one look-up that hits and one that misses, and the bytes
//! that it holds. Absent: a limit that a slow machine would fail.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use tollgate::bundle::{ListFile, read_list};
use tollgate::domain::expression::words::Moment;
use tollgate::domain::list::{Folding, ListMatch, ListOptions};
use tollgate::domain::value::Value;

const ENTRIES: u64 = 1_000_000;

/// A phone number of twelve digits; every number has another.
fn phone(number: u64) -> String {
    format!("49{:010}", number.wrapping_mul(7_368_787) % 10_000_000_000)
}

fn million(criterion: &mut Criterion) {
    let plain: String = (0..ENTRIES).map(|n| phone(n) + "\n").collect();
    let noted: String =
        (0..ENTRIES).map(|n| format!("{},chargeback of {n},2027-01-31\n", phone(n))).collect();
    let noted = format!("entry,note,expires\n{noted}");
    let folding = ListOptions { folding: Folding { case: true, unicode: true }, ..ListOptions::default() };
    let prefix = ListOptions { match_by: ListMatch::Prefix, ..ListOptions::default() };
    let moment = Moment { decided_at: "2026-11-22T12:00:00Z".parse().unwrap(), time_zone: TimeZone::UTC };
    let items: Vec<Value> = (0..4_096).map(|n| Value::text(&phone(n * 241))).collect();
    let misses: Vec<Value> = (0..4_096).map(|n| Value::text(&format!("48{n:010}"))).collect();
    for (name, text, options) in [
        ("plain", &plain, ListOptions::default()),
        ("folded", &plain, folding),
        ("prefix", &plain, prefix),
        ("noted_and_expiring", &noted, ListOptions::default()),
    ] {
        let file = ListFile { options, ..ListFile::default() };
        let mut group = criterion.benchmark_group(format!("list_of_a_million/{name}"));
        group.sample_size(10);
        group.bench_function("load", |bencher| {
            bencher.iter_batched(|| (), |()| read_list(0, black_box(text), &file), BatchSize::PerIteration);
        });
        let (list, findings) = read_list(0, text, &file);
        assert!(findings.is_empty(), "{findings:?}");
        let megabytes = list.bytes() / 1_000_000;
        println!(
            "list_of_a_million/{name}: {megabytes} MB in memory, of a file of {} MB",
            text.len() / 1_000_000
        );
        group.sample_size(100);
        for (which, items) in [("hit", &items), ("miss", &misses)] {
            let mut next = 0;
            group.bench_function(which, |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % items.len();
                    items.get(next).map(|item| list.holds(black_box(item), &moment))
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, million);
criterion_main!(benches);
