#!/bin/sh
# Makes sure that the clients which tests/it/model_clients.rs runs are installed, in a virtual environment below
# target/. Does nothing when that is so. Without python3, or without a package index, it says loudly what is left out.
set -eu
cd "$(dirname "$0")/.."

folder=target/clients
wanted=$(cat tests/clients/requirements*.txt)
if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
skip() {
    echo "SKIPPED: $1; the tests with other servers' clients (tests/clients/) do not run" >&2
    exit 0
}
command -v python3 >/dev/null 2>&1 || skip "there is no python3"
rm -rf "$folder"
python3 -m venv "$folder" >&2 || skip "python3 has no venv (install python3-venv)"
echo "installing the clients of model servers for the tests" >&2
set --
for file in tests/clients/requirements*.txt; do
    set -- "$@" -r "$file"
done
"$folder/bin/pip" install -q --disable-pip-version-check "$@" >&2 || skip "the clients could not be installed"
printf '%s\n' "$wanted" >"$folder/installed"
