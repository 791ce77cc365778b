#!/bin/sh
# TensorFlow Serving's own Python package against a running service that serves the sample model german_credit:
# tests/clients/tensorflow-own.sh HOST:PORT. Installs tensorflow-serving-api, and TensorFlow with it (2 GB), in a
# virtual environment below target/: by hand, not in the tests.
set -eu
cd "$(dirname "$0")/../.."

address=${1:?usage: tests/clients/tensorflow-own.sh HOST:PORT}
folder=target/clients-tensorflow-own
if [ ! -x "$folder/bin/python" ]; then
    python3 -m venv "$folder"
    "$folder/bin/pip" install -q --disable-pip-version-check tensorflow-serving-api==2.21.0 tensorflow==2.21.0
fi
exec "$folder/bin/python" tests/clients/tensorflow_own.py "$address" models/german_credit/data/german_credit.csv
