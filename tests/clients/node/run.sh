#!/bin/sh
# The Node client of docs/clients.md against a service of its own, with the sample rules. Needs node, npm and a built
# program (`cargo build`, or TOLLGATE=path). Part of the long suite: it installs two packages below target/.
set -eu
cd "$(dirname "$0")/../../.."

program=${TOLLGATE:-target/debug/tollgate}
folder=target/clients-node
mkdir -p "$folder"
cp tests/clients/node/package.json tests/clients/node/client.js "$folder/"
npm install --prefix "$folder" --no-audit --no-fund --silent

home=$(mktemp -d)
trap 'kill "$served" 2>/dev/null || true; wait "$served" 2>/dev/null || true; rm -rf "$home"' EXIT
served=
"$program" proto personal_loan --rules tests/fixtures/small/rules --models models >"$folder/personal_loan.proto"
"$program" serve --http 127.0.0.1:0 --grpc 127.0.0.1:0 --rules tests/fixtures/small/rules --models models \
    --data "$home/data" --durable memory 2>"$home/log" &
served=$!
address=
for _ in $(seq 1 100); do
    address=$(sed -n 's/^listening http=[^ ]* grpc=//p' "$home/log")
    [ -z "$address" ] || break
    sleep 0.1
done
[ -n "$address" ] || { cat "$home/log" >&2; exit 2; }
node "$folder/client.js" "$address" "$folder/personal_loan.proto" proto models/german_credit/data/german_credit.csv
