"""Fits the model that all of them serve, writes it in each one's form, and the request that each of them is sent.

    python fit.py FOLDER

One pipeline of scikit-learn on the loans of credit_data: numbers imputed by the median, words one-hot, a forest of 100
trees of depth 8. `old.joblib` is what a Python service loads, `race.onnx` what ONNX Runtime and Tollgate read, `rows.csv`
holds 1,000 rows with scikit-learn's own answers, so that the import is held to them.
"""

import json
import pathlib
import sys

import joblib
import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

ROOT = pathlib.Path(__file__).parents[2]
NUMBERS = ["seniority", "time", "expenses", "income", "assets", "debt", "amount", "price"]
WORDS = ["home", "records", "job"]


def main():
    folder = pathlib.Path(sys.argv[1])
    data = pd.read_csv(ROOT / "tests/fixtures/models/credit_data.csv").dropna(subset=WORDS)
    bad = (data["status"] == "bad").astype(int)
    table = data[NUMBERS + WORDS].astype({name: "float32" for name in NUMBERS})
    prepare = ColumnTransformer([
        ("numbers", SimpleImputer(strategy="median"), NUMBERS),
        ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS),
    ])
    forest = RandomForestClassifier(n_estimators=100, max_depth=8, random_state=7, n_jobs=1)
    pipeline = Pipeline([("prepare", prepare), ("forest", forest)]).fit(table, bad)
    joblib.dump(pipeline, folder / "old.joblib")
    types = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    types += [(name, StringTensorType([None, 1])) for name in WORDS]
    onnx = to_onnx(pipeline, initial_types=types, options={"zipmap": False})
    (folder / "race.onnx").write_bytes(onnx.SerializeToString())
    rows = table.dropna().head(1000)
    rows.assign(expected=pipeline.predict_proba(rows)[:, 1]).to_csv(folder / "rows.csv", index=False)
    columns = [f"  - {{ name: {name}, type: number }}" for name in NUMBERS]
    columns += [f"  - {{ name: {name}, of: [{', '.join(sorted(table[name].unique()))}] }}" for name in WORDS]
    (folder / "columns.yaml").write_text("columns:\n" + "\n".join(columns) + "\n")

    one = rows.iloc[0]
    row = {name: float(one[name]) for name in NUMBERS} | {name: str(one[name]) for name in WORDS}
    (folder / "row.json").write_text(json.dumps(row))
    tensors = [
        {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [row[name]]} for name in NUMBERS
    ] + [{"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [row[name]]} for name in WORDS]
    bodies = {
        "old": row,
        "tensorflow": {"instances": [row]},
        "infer": {"inputs": [tensor | {"shape": [1]} for tensor in tensors]},
        # MLServer's codec for data frames wants to be asked for.
        "mlserver": {"parameters": {"content_type": "pd"}, "inputs": tensors, "outputs": [{"name": "predict_proba"}]},
    }
    for name, body in bodies.items():
        text = json.dumps(body)
        (folder / f"{name}.lua").write_text(
            'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
            f"wrk.body = [==[{text}]==]\n"
        )
        (folder / f"{name}.json").write_text(text)
    print(f"scikit-learn answers {pipeline.predict_proba(rows.head(1))[0, 1]:.9f} for the row that is sent")


if __name__ == "__main__":
    main()
