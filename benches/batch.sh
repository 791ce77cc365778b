#!/usr/bin/env bash
# Rows a second and memory of `tollgate decide FLOW --batch`, on the sample: each way of writing rows, one thread and two,
# with and without what is written and counted beside. Needs GNU time (Debian: apt-get install time).
#   benches/batch.sh [ROWS]
set -euo pipefail
cd "$(dirname "$0")/.."
rows=${1:-1000000}
command -v /usr/bin/time >/dev/null || { echo "GNU time is missing: apt-get install time" >&2; exit 2; }
[ -n "${SKIP_BUILD:-}" ] || cargo build --release --locked --quiet
binary=${CARGO_TARGET_DIR:-target}/release/tollgate
work=${WORK:-$(mktemp -d)}
rm -rf "$work/models"
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT
write() { # rows, name
  [ -d "$work/$2" ] && return
  mkdir -p "$work/$2"
  cargo bench --quiet --locked --bench rows -- "$1" "$work/$2"
}
write "$rows" all
write $((rows / 10)) tenth

measure() { # what, file, flags…
  local what=$1 file=$2
  shift 2
  /usr/bin/time -f '%M' "$binary" decide personal_loan --batch "$file" --label outcome "$@" \
    >/dev/null 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
  awk -v what="$what" '/ rows in / { rate = $6 } END { printf "| %s | %d | %d MiB |\n", what, rate, $1 / 1024 }' "$work/said"
}

echo "| | rows a second | memory |"
echo "|---|---|---|"
for threads in 1 2; do
  for kind in csv ndjson parquet; do
    measure "$kind, $threads thread(s)" "$work/all/rows.$kind" --threads $threads
  done
done
measure "csv, a tenth of the rows" "$work/tenth/rows.csv" --threads 2
for out in ndjson csv parquet; do
  measure "csv, --out $out" "$work/all/rows.csv" --threads 2 --out "$work/out.$out"
  measure "csv, --out $out, a tenth of the rows" "$work/tenth/rows.csv" --threads 2 --out "$work/out.$out"
  rm "$work/out.$out"
done
cp -r models "$work/models"
sed -i 's/champion: 3/champion: 2/' "$work/models/german_credit/model.yaml"
measure "csv, the forest of 100 trees as the champion" "$work/all/rows.csv" --threads 2 --models "$work/models"
measure "csv, --groups, --report" "$work/all/rows.csv" --threads 2 --groups foreign_worker --report "$work/report.html"
measure "csv, --compare" "$work/all/rows.csv" --threads 2 --compare .
