"""Times the libraries that fitted a model beside Tollgate on the same model and rows, and prints a table.

    python3 -m venv /tmp/fixtures && /tmp/fixtures/bin/pip install \
        xgboost-cpu==3.2.0 lightgbm==4.7.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0 \
        skl2onnx==1.20.0 pandas==3.1.1 numpy==2.4.6
    /tmp/fixtures/bin/python benches/models/compare.py

Each on one thread; the best of 30 rounds. One row: a call for each row, as a service makes it. Many: 1,000 rows a call.
Explained: the contributions of one row. Tollgate's figures begin at facts, the libraries' at a matrix (of the pipeline, at
columns). `TOLLGATE_BENCH` names a built bench (`target/release/deps/boosted-…`); without it cargo builds and runs it.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import time

import lightgbm as lgb
import numpy as np
import onnxruntime as ort
import pandas as pd
import xgboost as xgb
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROOT = pathlib.Path(__file__).parents[2]
CHOICES = ["home", "records", "job"]
COLUMNS = ["seniority", "time", "expenses", "income", "assets", "debt", "amount", "price"]


def best(call, each):
    times = []
    for _ in range(30):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return min(times) / each


def library(one, many, rows, explained=None):
    few = range(50)
    contributions = best(lambda: [explained(at) for at in few], 50) if explained else None
    return best(lambda: [one(at) for at in few], 50), best(many, len(rows)), contributions


def ours(file, rows, folder):
    path = folder / "rows.csv"
    rows = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=COLUMNS)
    rows.to_csv(path, index=False)
    built = os.environ.get("TOLLGATE_BENCH")
    command = [built, "--bench"] if built else ["cargo", "bench", "--quiet", "--bench", "boosted"]
    told = {"TOLLGATE_BENCH_ONCE": "1", "TOLLGATE_BENCH_MODEL": str(file), "TOLLGATE_BENCH_ROWS": str(path)}
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, **told}, stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("{")))
    return figures["one_ns"], figures["many_ns"], figures["explain_ns"]


def session_of(made):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(made, options, providers=["CPUExecutionProvider"])


def main():
    data = pd.read_csv(ROOT / "tests/fixtures/models/credit_data.csv")
    bad = (data["status"] == "bad").astype(int).to_numpy()
    table = data[COLUMNS].astype("float32").to_numpy()
    rows = table[:1000]
    folder = pathlib.Path(tempfile.mkdtemp())
    print("| model | who | one row | rows/s, 1,000 at a time | one row explained |\n|---|---|---|---|---|")

    def line(model, who, figures):
        one, many, explained = (*figures, None)[:3]
        explained = f"{explained / 1000:.1f} µs" if explained else "–"
        print(f"| {model} | {who} | {one / 1000:.2f} µs | {1e9 / many:,.0f} | {explained} |", flush=True)

    for trees, depth in [(100, 4), (200, 6)]:
        what = f"XGBoost, {trees} trees of depth {depth}"
        matrix = xgb.DMatrix(table, bad, feature_names=COLUMNS)
        booster = xgb.train({"max_depth": depth, "objective": "binary:logistic", "nthread": 1}, matrix, trees)
        booster.save_model(folder / "x.json")
        line(what, "Tollgate", ours(folder / "x.json", rows, folder))
        line(what, "XGBoost `inplace_predict`", library(
            lambda at: booster.inplace_predict(rows[at:at + 1], validate_features=False),
            lambda: booster.inplace_predict(rows, validate_features=False), rows,
            lambda at: booster.predict(xgb.DMatrix(rows[at:at + 1], feature_names=COLUMNS, nthread=1), pred_contribs=True)))

    what = "LightGBM, 100 trees of 31 leaves"
    settings = {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 1}
    model = lgb.train(settings, lgb.Dataset(table.astype(float), bad, feature_name=COLUMNS), 100)
    model.save_model(folder / "l.txt")
    wide = rows.astype(float)
    line(what, "Tollgate", ours(folder / "l.txt", rows, folder))
    line(what, "LightGBM `predict`", library(
        lambda at: model.predict(wide[at:at + 1], num_threads=1), lambda: model.predict(wide, num_threads=1), rows,
        lambda at: model.predict(wide[at:at + 1], num_threads=1, pred_contrib=True)))

    what = "scikit-learn forest, 100 trees of depth 8, as ONNX"
    filled = pd.DataFrame(np.nan_to_num(table), columns=COLUMNS)
    forest = RandomForestClassifier(100, max_depth=8, random_state=7, n_jobs=1)
    pipeline = make_pipeline(ColumnTransformer([("all", "passthrough", COLUMNS)]), forest).fit(filled, bad)
    kinds = [(column, FloatTensorType([None, 1])) for column in COLUMNS]
    made = to_onnx(pipeline, initial_types=kinds, options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
    made = made.SerializeToString()
    (folder / "f.onnx").write_bytes(made)
    session = session_of(made)
    given = np.nan_to_num(rows)
    feed = lambda some: {column: some[:, [at]] for at, column in enumerate(COLUMNS)}
    line(what, "Tollgate", ours(folder / "f.onnx", given, folder))
    line(what, "ONNX Runtime", library(
        lambda at: session.run(None, feed(given[at:at + 1])), lambda: session.run(None, feed(given)), rows))
    line(what, "scikit-learn `predict_proba`", library(
        lambda at: forest.predict_proba(given[at:at + 1]), lambda: forest.predict_proba(given), rows))

    frame = data[COLUMNS + CHOICES].copy()
    frame[COLUMNS] = frame[COLUMNS].astype("float32")
    frame[CHOICES] = frame[CHOICES].fillna("")
    kinds = [(c, FloatTensorType([None, 1])) for c in COLUMNS] + [(c, StringTensorType([None, 1])) for c in CHOICES]
    few = frame[:1000]
    columns = {c: few[[c]].to_numpy() if c in COLUMNS else few[[c]].to_numpy().astype(object) for c in frame.columns}
    feed = lambda some: {name: cells[some] for name, cells in columns.items()}
    for what, numbers, model in [
        ("scikit-learn pipeline: medians, one-hot, that forest, as ONNX", SimpleImputer(strategy="median"),
         RandomForestClassifier(100, max_depth=8, random_state=7, n_jobs=1)),
        ("scikit-learn pipeline: medians, scaler, one-hot, logistic regression, as ONNX",
         make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), LogisticRegression(max_iter=2000)),
    ]:
        encoder = ColumnTransformer([("n", numbers, COLUMNS), ("c", OneHotEncoder(handle_unknown="ignore"), CHOICES)])
        pipeline = make_pipeline(encoder, model).fit(frame, bad)
        made = to_onnx(pipeline, initial_types=kinds, options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
        made = made.SerializeToString()
        (folder / "p.onnx").write_bytes(made)
        session = session_of(made)
        line(what, "Tollgate", ours(folder / "p.onnx", few, folder))
        line(what, "ONNX Runtime", library(
            lambda at: session.run(None, feed(slice(at, at + 1))), lambda: session.run(None, feed(slice(None))), few))
        line(what, "scikit-learn `predict_proba`", library(
            lambda at: pipeline.predict_proba(few[at:at + 1]), lambda: pipeline.predict_proba(few), few))


main()
