#!/bin/sh
# Makes sure that the clients which tests/it/model_clients.rs and grpc_flows.rs run are installed, in virtual environments
# below target/. Does nothing when that is so. Without python3, or without a package index, it says loudly what is left
# out.
set -eu
cd "$(dirname "$0")/.."

skip() {
    echo "SKIPPED: $1; the tests with other servers' clients (tests/clients/) do not run" >&2
    exit 0
}

# prepare FOLDER FILE…: a virtual environment with what the files name.
prepare() {
    folder=$1
    shift
    wanted=$(cat "$@")
    if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    command -v python3 >/dev/null 2>&1 || skip "there is no python3"
    rm -rf "$folder"
    python3 -m venv "$folder" >&2 || skip "python3 has no venv (install python3-venv)"
    echo "installing the clients of model servers for the tests" >&2
    for file in "$@"; do
        shift
        set -- "$@" -r "$file"
    done
    "$folder/bin/pip" install -q --disable-pip-version-check "$@" >&2 ||
        skip "the clients could not be installed"
    printf '%s\n' "$wanted" >"$folder/installed"
}

prepare target/clients tests/clients/requirements*.txt
# Code that an old protoc made wants an old protobuf, which the others do not take.
prepare target/clients-tensorflow tests/clients/tensorflow/requirements.txt
