"""The service that a Python shop writes for a model: Flask behind uWSGI and nginx, JSON in and JSON out.

`RACE_ENGINE` is `sklearn` (the pipeline as it was fitted, through a data frame) or `onnx` (ONNX Runtime on the same
pipeline, converted). `RACE_FOLDER` is where fit.py wrote.
"""

import os
import pathlib

import numpy as np
from flask import Flask, jsonify, request

FOLDER = pathlib.Path(os.environ["RACE_FOLDER"])
NUMBERS = ["seniority", "time", "expenses", "income", "assets", "debt", "amount", "price"]
WORDS = ["home", "records", "job"]
app = Flask(__name__)

if os.environ["RACE_ENGINE"] == "sklearn":
    import joblib
    import pandas as pd

    pipeline = joblib.load(FOLDER / "old.joblib")

    def probability(row):
        frame = pd.DataFrame([row], columns=NUMBERS + WORDS)
        return float(pipeline.predict_proba(frame)[0, 1])
else:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(FOLDER / "race.onnx", options, providers=["CPUExecutionProvider"])

    def probability(row):
        inputs = {name: np.array([[row[name]]], dtype=np.float32) for name in NUMBERS}
        inputs |= {name: np.array([[row[name]]], dtype=object) for name in WORDS}
        return float(session.run(None, inputs)[1][0, 1])


@app.post("/predict")
def predict():
    row = request.get_json()
    unknown = set(row) - set(NUMBERS + WORDS)
    if unknown:
        return jsonify(error=f"unknown: {sorted(unknown)}"), 400
    return jsonify(probability=probability(row))
