#!/bin/sh
# A flow that asks a real MLServer with a scikit-learn classifier, over HTTP and over gRPC: 200 decisions each are held
# to what scikit-learn itself says, then MLServer is killed and the flow's stand-in is taken.
# Takes some minutes the first time, for the packages (python3 with venv and a package index are needed). Run from
# anywhere: tests/long/mlserver.sh [PROGRAM], the program being target/debug/tollgate if not said.
set -eu
cd "$(dirname "$0")/../.."
program=${1:-target/debug/tollgate}
[ -x "$program" ] || cargo build
folder=target/mlserver
if ! cmp -s tests/long/requirements-mlserver.txt "$folder/installed"; then
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install -q --disable-pip-version-check -r tests/long/requirements-mlserver.txt
    cp tests/long/requirements-mlserver.txt "$folder/installed"
fi
exec "$folder/bin/python" tests/long/mlserver.py "$program" "$folder/bin/mlserver"
