//! What one answer costs: the served forest and logistic regression of the sample, against smartcore's own forest of
//! the same size, in one run. Absent: fitting time, and any limit that a slow machine would fail.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on should stop"
)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;
use tollgate::documents::table;
use tollgate::domain::model::{Encoding, Fallback, Feature, Matrix, Model, encode_rows};
use tollgate::domain::value::{Kind, Value};
use tollgate::learn::library::{ModelLibrary, read_models};

fn forest(criterion: &mut Criterion) {
    let library = read_models(Path::new("models"));
    let model = resolve(&library, "german_credit@2");
    let (rows, outcome) = rows(&model);
    let mut group = criterion.benchmark_group("one_answer");
    let mut next = 0;
    let mut row = || {
        next = (next + 1) % rows.len();
        &rows[next]
    };
    group.bench_function("served_forest", |bencher| bencher.iter(|| model.predict(black_box(row()))));
    let logistic = resolve(&library, "german_credit@1");
    group.bench_function("served_logistic", |bencher| bencher.iter(|| logistic.predict(black_box(row()))));

    let matrix = matrix(&model, &rows);
    let width = matrix.width;
    let fitted_on = DenseMatrix::new(rows.len(), width, matrix.cells.clone(), false).unwrap();
    let parameters = RandomForestRegressorParameters::default()
        .with_n_trees(100)
        .with_max_depth(9)
        .with_min_samples_leaf(4)
        .with_seed(7);
    let smartcore = RandomForestRegressor::fit(&fitted_on, &outcome, parameters).unwrap();
    let mut at = 0;
    group.bench_function("smartcore_forest", |bencher| {
        bencher.iter(|| {
            at = (at + 1) % rows.len();
            let cells = matrix.cells[at * width..(at + 1) * width].to_vec();
            let one: Vec<f64> =
                smartcore.predict(&DenseMatrix::new(1, width, cells, false).unwrap()).unwrap();
            one
        });
    });
    group.finish();
}

fn resolve(library: &ModelLibrary, reference: &str) -> Arc<Model> {
    library.resolve(reference).unwrap()
}

/// The rows of the data in the model's inputs, and how they turned out.
fn rows(model: &Model) -> (Vec<Vec<Value>>, Vec<f64>) {
    let bytes = std::fs::read("models/german_credit/data/german_credit.csv").unwrap();
    let table = table::parse(&bytes, b',').unwrap();
    let place = |name: &str| table.columns.iter().position(|column| column == name).unwrap();
    let value = |kind: &Kind, text: &str| match kind {
        Kind::Integer => Value::Integer(text.parse().unwrap()),
        Kind::Decimal => Value::Decimal(text.parse().unwrap()),
        _ => Value::text(text),
    };
    let inputs: Vec<_> = model.inputs.iter().map(|input| (place(&input.name), &input.kind)).collect();
    let target = place("outcome");
    let outcome = table.rows.iter().map(|row| f64::from(u8::from(row.cells[target] == "bad"))).collect();
    let values = |cells: &[String]| inputs.iter().map(|(at, kind)| value(kind, &cells[*at])).collect();
    (table.rows.iter().map(|row| values(&row.cells)).collect(), outcome)
}

/// The columns that smartcore is given.
fn matrix(model: &Model, rows: &[Vec<Value>]) -> Matrix {
    let features: Vec<Feature> = model
        .inputs
        .iter()
        .map(|input| Feature {
            name: input.name.clone(),
            kind: input.kind.clone(),
            encoding: if matches!(input.kind, Kind::Choice(_)) { Encoding::OneHot } else { Encoding::AsIs },
            missing: Fallback::Refuse,
            flags_missing: false,
            unseen: Fallback::Refuse,
            range: None,
        })
        .collect();
    encode_rows(&features, rows).unwrap()
}

criterion_group!(benches, forest);
criterion_main!(benches);
