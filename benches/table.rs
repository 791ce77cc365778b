//! What a decision table costs: the index beside a scan over the same rows, at 100 and 8,000 rows; the whole flow
//! around it; and how long 8,000 rows take to be read, checked and indexed. Absent: other engines (`zen/`).

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use tollgate::bundle::{Documents, build};
use tollgate::domain::facts::Given;
use tollgate::domain::flow::{Budget, Flow};
use tollgate::domain::value::Value;

const FLOW: &str = "
flow: price
inputs:
  country: { type: text }
  product: { type: choice, of: [p0, p1, p2, p3, p4] }
  score: { type: number }
  amount: { type: decimal }
outputs: { apr: { type: decimal } }
outcomes: [approve, decline]
reasons: { R900: { en: Look } }
on_error: { outcome: decline, reason: R900 }
";

const SCRIPT: &str = r#"approve(#{ apr: table("pricing").apr });"#;

/// Countries × 5 products × bands of the score × 5 bands of the amount.
fn documents(countries: usize, bands: u32) -> Documents {
    let mut csv = "country,product,score,amount,-> apr,-> limit\n".to_owned();
    for country in 0..countries {
        for product in 0..5 {
            for score in 0..bands {
                for amount in 0..5 {
                    let (low, high) =
                        (f64::from(score) / f64::from(bands), f64::from(score + 1) / f64::from(bands));
                    let apr = 50 + (country * 7 + product * 3 + score as usize * 11 + amount) % 200;
                    let (from, to) = (amount * 2_000, (amount + 1) * 2_000);
                    writeln!(csv, "c{country},p{product},{low}..{high},{from}..{to},0.{apr:03},{to}")
                        .unwrap();
                }
            }
        }
    }
    let file = |path: &str, text: &str| (path.to_owned(), Arc::<[u8]>::from(text.as_bytes()));
    Documents::from_files(vec![
        file("rules/price/flow.yaml", FLOW),
        file("rules/price/flow.rhai", SCRIPT),
        file("rules/price/pricing.table.csv", &csv),
    ])
}

fn flow(countries: usize, bands: u32) -> Arc<Flow> {
    let built = build(&documents(countries, bands));
    Arc::clone(&built.bundle.flow("price").unwrap().flow)
}

/// What callers send, each a little different from the one before.
fn sent(countries: usize) -> Vec<Given> {
    (0..997_usize)
        .map(|n| {
            let text = |text: String| Given::Text(text);
            Given::Map(vec![
                ("country".to_owned(), text(format!("c{}", n * 7919 % countries))),
                ("product".to_owned(), text(format!("p{}", n % 5))),
                ("score".to_owned(), Given::Number(format!("0.{:03}", n * 31 % 1000))),
                ("amount".to_owned(), text(format!("{}.50", n * 6151 % 10_000))),
            ])
        })
        .collect()
}

fn tables(criterion: &mut Criterion) {
    let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
    let mut group = criterion.benchmark_group("table");
    for (rows, countries, bands) in [("100", 1, 4), ("8000", 40, 8)] {
        let flow = flow(countries, bands);
        let table = &flow.tables[0];
        assert_eq!(table.rows.len().to_string(), rows);
        let facts: Vec<_> = sent(countries).iter().map(|given| flow.admit(given).unwrap()).collect();
        let values: Vec<&[Value]> = facts.iter().map(|facts| &*facts.values).collect();
        println!("{rows} rows: an index of {} KiB", table.index_bytes() / 1024);
        let found = |values: &[Value], by_index: bool| {
            let mut first = None;
            let mut keep = |at: usize, _: &_| {
                first = Some(at);
                false
            };
            if by_index {
                table.find(values, &mut keep)
            } else {
                table.scan(values, &mut keep)
            }
            first
        };
        for values in &values {
            let row = found(values, true);
            assert!(row.is_some() && row == found(values, false));
        }
        for (name, by_index) in [("index", true), ("scan", false)] {
            let mut each = values.iter().cycle();
            group.bench_function(format!("{rows}_rows_{name}"), |b| {
                b.iter(|| found(black_box(each.next().unwrap()), by_index));
            });
        }
        let mut each = facts.iter().cycle();
        group.bench_function(format!("{rows}_rows_whole_flow"), |b| {
            b.iter(|| flow.decide(black_box(each.next().unwrap()), now, &Budget::default()));
        });
    }
    let documents = documents(40, 8);
    group.sample_size(10);
    group.bench_function("8000_rows_read_checked_and_indexed", |b| b.iter(|| build(black_box(&documents))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(60);
    targets = tables
}
criterion_main!(benches);
