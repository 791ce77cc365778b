//! Contributions: exact `TreeSHAP` of 100 full boosted trees of depths 4 and 6, and of the sample forest.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tollgate::documents::table;
use tollgate::domain::model::{
    Background, BaseComes, Boosted, BoostedParts, Branch, Encoding, Fallback, Feature, Link, Missing, Model,
    ModelParts, Predictor, Rule, Side, Width,
};
use tollgate::domain::value::{Kind, Value};
use tollgate::learn::artefact;

const COLUMNS: usize = 26;

fn full_trees(depth: u32) -> (Model, Vec<Vec<Value>>) {
    let mut state = u64::from(depth);
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let splits = (1_usize << depth) - 1;
    let mut trees: Vec<Vec<Branch>> = Vec::new();
    for _ in 0..100 {
        let mut tree = Vec::new();
        for at in 0..splits {
            let rule = Rule::AtMost { threshold: random(), missing: Missing::Goes(Side::Low) };
            let column = (random() * COLUMNS as f64) as usize;
            tree.push(Branch::Split { column, rule, low: 2 * at + 1, high: 2 * at + 2 });
        }
        tree.extend((0..=splits).map(|_| Branch::Leaf(f64::from(random() as f32) - 0.5)));
        trees.push(tree);
    }
    let parts = BoostedParts {
        trees,
        sets: Vec::new(),
        columns: COLUMNS,
        width: Width::Single,
        base: 0.0,
        base_comes: BaseComes::First,
        divide_by: 1,
        link: Link::LogisticSingle,
    };
    let features = (0..COLUMNS).map(|at| Feature {
        name: format!("c{at}").into(),
        kind: Kind::Number,
        encoding: Encoding::AsIs,
        missing: Fallback::Own,
        flags_missing: false,
        unseen: Fallback::Refuse,
        range: None,
    });
    let model = Model::new(ModelParts {
        name: "bench".into(),
        version: 1,
        digest: "".into(),
        decimals: 6,
        features: features.collect(),
        predictor: Predictor::Boosted(Boosted::new(&parts).unwrap()),
    })
    .unwrap();
    let rows: Vec<Vec<Value>> =
        (0..512).map(|_| (0..COLUMNS).map(|_| Value::Number(random())).collect()).collect();
    explained(model, rows)
}

/// With covers measured on the rows.
fn explained(model: Model, rows: Vec<Vec<Value>>) -> (Model, Vec<Vec<Value>>) {
    let background: Background = model.background(&rows).unwrap();
    (model.with_background(&background).unwrap(), rows)
}

/// The committed forest of the sample, explained over its own data.
fn forest() -> (Model, Vec<Vec<Value>>) {
    let bytes = std::fs::read("models/german_credit/2/model.json").unwrap();
    let model = artefact::load(&bytes, "german_credit".into(), 2).unwrap();
    let table =
        table::parse(&std::fs::read("models/german_credit/data/german_credit.csv").unwrap(), b',').unwrap();
    let place = |name: &str| table.columns.iter().position(|column| column == name).unwrap();
    let value = |kind: &Kind, text: &str| match kind {
        Kind::Integer => Value::Integer(text.parse().unwrap()),
        Kind::Decimal => Value::Decimal(text.parse().unwrap()),
        _ => Value::text(text),
    };
    let inputs: Vec<_> = model.inputs.iter().map(|input| (place(&input.name), &input.kind)).collect();
    let row = |cells: &[String]| inputs.iter().map(|(at, kind)| value(kind, &cells[*at])).collect();
    let rows = table.rows.iter().map(|r| row(&r.cells)).collect();
    explained(model, rows)
}

fn explain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("explain one row");
    let models = [
        ("100 boosted trees of depth 4", full_trees(4)),
        ("100 boosted trees of depth 6", full_trees(6)),
        ("the sample forest", forest()),
    ];
    for (name, (model, rows)) in &models {
        let mut at = 0;
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                at = (at + 1) % rows.len();
                black_box(model.explain(&rows[at]).unwrap())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, explain);
criterion_main!(benches);
