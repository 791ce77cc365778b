"""Fits a classifier on the German credit data, serves it with MLServer, and holds a flow that asks it to scikit-learn.

Run by mlserver.sh, which has the packages. Says what differs and ends with 1, or says that all is well.
"""

import csv
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import joblib
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAMES = ["duration_months", "amount", "instalment_rate_pct", "residence_since", "existing_credits"]
ASKED = 200

FLOW = """
flow: credit
inputs:
  duration_months: integer
  amount: decimal
  instalment_rate_pct: integer
  residence_since: integer
  existing_credits: integer
thresholds: {{ max_risk: 0.5 }}
models:
  risk: {{ use: sklearn, if_it_fails: {{ outcome: review, reason: R900 }} }}
outcomes: [approve, review, decline]
reasons:
  R301: {{ en: The risk is too high, kind: score }}
  R302: {{ en: The loan is long }}
  R900: {{ en: It needs a manual look }}
on_error: {{ outcome: review, reason: R900 }}
deadline_ms: 10000
"""

SCRIPT = """
if model("risk").probability > max_risk { decline(["R301", "R302"]); } else { approve(); }
"""

REMOTE = """
protocol: oip
over: {over}
servers: [http://127.0.0.1:{port}]
model: credit
layout: {{ matrix: predict }}
inputs:
  duration_months: {{ type: integer, send_as: fp64 }}
  amount: {{ type: decimal, send_as: fp64 }}
  instalment_rate_pct: {{ type: integer, send_as: fp64 }}
  residence_since: {{ type: integer, send_as: fp64 }}
  existing_credits: {{ type: integer, send_as: fp64 }}
output: {{ tensor: predict_proba, at: 1 }}
decimals: 12
deadline_ms: 9000
attempt_ms: 4000
"""


def port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


def until(url, process, log, patience_s=120):
    begun = time.monotonic()
    while True:
        try:
            return ask(url)
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() - begun > patience_s:
                print(log.read_text(), file=sys.stderr)
                raise
            time.sleep(0.1)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def check(over, serving, program, rows, expected, folder):
    """Serves a flow that asks over `over`, and holds its answers to scikit-learn's."""
    home = folder / over
    write(home / "rules/credit/flow.yaml", FLOW.format())
    write(home / "rules/credit/flow.rhai", SCRIPT)
    write(home / "models/sklearn/remote.yaml", REMOTE.format(over=over, port=serving[over]))
    http = port()
    command = [str(program), "serve", "--http", f"127.0.0.1:{http}", "--rules", "rules", "--models", "models"]
    tollgate = subprocess.Popen(command, cwd=home, stderr=(home / "log").open("w"))
    base = f"http://127.0.0.1:{http}"
    try:
        until(f"{base}/readyz", tollgate, home / "log")
        worst, ids = 0.0, []
        for row, probability in zip(rows, expected):
            body = {"flow": "credit", "facts": row, "trace": "full"}
            answer = ask(f"{base}/v1/decisions", body)
            assert not answer["degraded"], answer
            worst = max(worst, abs(answer["scores"]["risk"] - probability))
            assert answer["outcome"] == ("decline" if probability > 0.5 else "approve"), answer
            ids.append(answer["decision_id"])
        assert worst <= 1e-9, worst
        step = next(step for step in answer["trace"] if "gathered" in step)
        assert (step["over"], step["protocol"]) == (over, "oip"), step
        print(f"{over}: {len(rows)} decisions agree with scikit-learn to {worst:.0e}")
        serving["stop"]()
        answer = ask(f"{base}/v1/decisions", {"flow": "credit", "facts": rows[0]})
        assert (answer["outcome"], answer["degraded"]) == ("review", True), answer
        replay = ask(f"{base}/v1/decisions/{ids[0]}/replay", {})
        assert replay["agrees"], replay
        print(f"{over}: without MLServer the stand-in is taken, and a replay needs it not")
    finally:
        tollgate.terminate()
        tollgate.wait()


def serve(mlserver, folder):
    """Starts MLServer; gives its ports, and what stops it."""
    ports = {"http": port(), "grpc": port()}
    settings = {
        "http_port": ports["http"],
        "grpc_port": ports["grpc"],
        "metrics_port": port(),
        "parallel_workers": 0,
        "host": "127.0.0.1",
    }
    write(folder / "settings.json", json.dumps(settings))
    model = {
        "name": "credit",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./credit.joblib"},
    }
    write(folder / "model-settings.json", json.dumps(model))
    process = subprocess.Popen(
        [mlserver, "start", str(folder)], cwd=folder, stdout=(folder / "log").open("w"), stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def stop():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    until(f"http://127.0.0.1:{ports['http']}/v2/models/credit/ready", process, folder / "log")
    return {**ports, "stop": stop}


def main():
    program, mlserver = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    with open("models/german_credit/data/german_credit.csv", newline="") as file:
        data = list(csv.DictReader(file))
    matrix = [[float(row[name]) for name in NAMES] for row in data]
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        matrix, [int(row["outcome"] == "bad") for row in data]
    )
    expected = [float(p) for p in fitted.predict_proba(matrix[:ASKED])[:, 1]]
    assert min(expected) < 0.5 < max(expected), "both outcomes are asked for"
    rows = [
        {name: row[name] if name == "amount" else int(row[name]) for name in NAMES} for row in data[:ASKED]
    ]
    with tempfile.TemporaryDirectory(prefix="tollgate-mlserver-") as made:
        folder = pathlib.Path(made)
        served = folder / "mlserver"
        served.mkdir()
        joblib.dump(fitted, served / "credit.joblib")
        for over in ["http", "grpc"]:
            serving = serve(mlserver, served)
            try:
                check(over, serving, program, rows, expected, folder)
            finally:
                serving["stop"]()


if __name__ == "__main__":
    main()
