//! Boosted trees: one row, and a thousand at a time. The models and rows are the fixtures of the import tests;
//! `TOLLGATE_BENCH_MODEL` and `TOLLGATE_BENCH_ROWS` name others (see `benches/models/compare.py`), and
//! `TOLLGATE_BENCH_ONCE` prints the figures as JSON instead.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench prints, and one that cannot be set up has nothing to measure"
)]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tollgate::documents::table;
use tollgate::domain::model::{
    BaseComes, Boosted, BoostedParts, Branch, Link, Missing, Model, Predictor, Rule, Side, Width,
};
use tollgate::domain::value::{Kind, Value};
use tollgate::learn::artefact;
use tollgate::learn::import::{ImportRequest, run};

/// A model as `tollgate models import` makes it, and rows for it.
fn imported() -> (Model, Vec<Vec<Value>>) {
    let or =
        |name: &str, usual: &str| PathBuf::from(std::env::var(name).unwrap_or_else(|_| usual.to_owned()));
    let models = tempfile::tempdir().unwrap();
    let rows = or("TOLLGATE_BENCH_ROWS", "tests/fixtures/models/credit_rows.csv");
    let request = ImportRequest {
        file: or("TOLLGATE_BENCH_MODEL", "tests/fixtures/models/xgb_credit.json"),
        name: "bench".to_owned(),
        rows: Some(rows.clone()),
        ..ImportRequest::default()
    };
    let imported = run(models.path(), &request).unwrap();
    let model = artefact::load(&imported.draft.artefact, "bench".into(), 1).unwrap();
    let table = table::parse(&std::fs::read(rows).unwrap(), b',').unwrap();
    let place = |name: &str| table.columns.iter().position(|column| column == name).unwrap();
    let places: Vec<_> = model.inputs.iter().map(|input| (place(&input.name), &input.kind)).collect();
    let value = |kind: &Kind, text: &str| match kind {
        _ if text.is_empty() => Value::Missing,
        Kind::Choice(_) => Value::text(text),
        _ => Value::Number(text.parse().unwrap()),
    };
    let row = |cells: &[String]| places.iter().map(|(at, kind)| value(kind, &cells[*at])).collect();
    let rows = table.rows.iter().map(|r| row(&r.cells)).collect();
    (model, rows)
}

/// 200 full trees of depth 6 over 26 columns, as the target is stated.
fn two_hundred() -> (Boosted, Vec<f64>) {
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut tree = || -> Vec<Branch> {
        let split = |at: usize, column: f64, threshold: f64| {
            let missing = Missing::Goes(if at.is_multiple_of(2) { Side::Low } else { Side::High });
            let rule = Rule::AtMost { threshold, missing };
            Branch::Split { column: (column * 26.0) as usize, rule, low: 2 * at + 1, high: 2 * at + 2 }
        };
        let splits: Vec<Branch> = (0..63).map(|at| split(at, random(), random())).collect();
        splits.into_iter().chain((0..64).map(|_| Branch::Leaf(f64::from(random() as f32) - 0.5))).collect()
    };
    let trees = (0..200).map(|_| tree()).collect();
    let boosted = Boosted::new(&BoostedParts {
        trees,
        sets: Vec::new(),
        columns: 26,
        width: Width::Single,
        base: 0.0,
        base_comes: BaseComes::First,
        divide_by: 1,
        link: Link::LogisticSingle,
    })
    .unwrap();
    let cells = (0..1024 * 26).map(|_| random()).map(|x| if x < 0.05 { f64::NAN } else { x }).collect();
    (boosted, cells)
}

fn boosted(criterion: &mut Criterion) {
    let (model, rows) = imported();
    let (full, cells) = two_hundred();
    let mut group = criterion.benchmark_group("one row");
    let mut at = 0;
    group.bench_function("200 trees of depth 6, from columns", |bencher| {
        bencher.iter(|| {
            at = (at + 26) % cells.len();
            black_box(full.answer(&cells[at..at + 26]))
        });
    });
    let mut at = 0;
    group.bench_function("imported, from values", |bencher| {
        bencher.iter(|| {
            at = (at + 1) % rows.len();
            black_box(model.predict(&rows[at]))
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("many rows");
    group.throughput(Throughput::Elements(1024));
    let mut answers = vec![0.0; 1024];
    group.bench_function("200 trees of depth 6, from columns", |bencher| {
        bencher.iter(|| full.answers(black_box(&cells), &mut answers));
    });
    group.throughput(Throughput::Elements(rows.len() as u64));
    group.bench_function("imported, from values", |bencher| {
        bencher.iter(|| black_box(model.predict_all(&rows)));
    });
    if let Predictor::Boosted(trees) = model.predictor() {
        let width = trees.columns();
        let cells: Vec<f64> = rows.iter().flatten().map(number).collect();
        let mut answers = vec![0.0; cells.len() / width];
        group.bench_function("imported, from columns", |bencher| {
            bencher.iter(|| trees.answers(black_box(&cells), &mut answers));
        });
    }
    group.finish();
}

fn number(value: &Value) -> f64 {
    if let Value::Number(number) = value { *number } else { f64::NAN }
}

/// What `benches/models/compare.py` asks for: the best of several rounds, in nanoseconds.
fn once() {
    let (model, rows) = imported();
    let best = |round: &dyn Fn()| {
        let time = |_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos() as f64
        };
        (0..30).map(time).fold(f64::INFINITY, f64::min) / rows.len() as f64
    };
    let one = best(&|| rows.iter().for_each(|row| drop(black_box(model.predict(row)))));
    let many = best(&|| drop(black_box(model.predict_all(&rows))));
    let explained = best(&|| rows.iter().for_each(|row| drop(black_box(model.explain(row)))));
    println!("{{\"one_ns\": {one:.1}, \"many_ns\": {many:.1}, \"explain_ns\": {explained:.1}}}");
}

fn all(criterion: &mut Criterion) {
    if std::env::var_os("TOLLGATE_BENCH_ONCE").is_some() {
        once();
    } else {
        boosted(criterion);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
