#!/usr/bin/env bash
# How many cases `tollgate test` runs in a second: the samples, with the boundary cases that `--generate` finds, all
# their files copied until there are 10,000 cases. Says what deciding and comparing took (`elapsed_us` of the report) and
# what the whole process took: start, reading and checking rules, models and the YAML of all cases, and the report.
# Then what `--mutate` takes: with the samples' cases, and with none but a few of them, so that most changes survive.
#   benches/cases.sh [CASES]
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=${1:-10000}
[ -n "${SKIP_BUILD:-}" ] || cargo build --release --locked --quiet
binary=$PWD/${CARGO_TARGET_DIR:-target}/release/tollgate
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/many" "$work/own" "$work/few"
for into in many own few; do cp -r rules models "$work/$into/"; done
cd "$work/many"

"$binary" test --generate --write >/dev/null
count() { "$binary" test --tries 0 --format json | sed -n 's/^  "cases": \([0-9]*\),/\1/p'; }
once=$(count)
copies=$(((wanted + once - 1) / once))
for file in rules/*/cases/*.yaml; do
  case $file in */_facts.yaml) continue ;; esac
  for copy in $(seq 2 "$copies"); do cp "$file" "${file%.yaml}_$copy.yaml"; done
done
bytes=$(cat rules/*/cases/*.yaml | wc -c)
files=$(ls rules/*/cases/*.yaml | wc -l)
echo "$((once * copies)) cases in $files files, $((bytes / 1024)) KiB of YAML; $(nproc) processors"

run() { # name arguments...
  local name=$1 best=0 whole=0
  shift
  for _ in 1 2 3; do
    local start end us
    start=$(date +%s%N)
    "$binary" test "$@" --format json >out.json
    end=$(date +%s%N)
    us=$(sed -n 's/^  "elapsed_us": \([0-9]*\).*/\1/p' out.json)
    if [ "$best" = 0 ] || [ "$us" -lt "$best" ]; then best=$us; fi
    us=$(((end - start) / 1000))
    if [ "$whole" = 0 ] || [ "$us" -lt "$whole" ]; then whole=$us; fi
  done
  local ran
  ran=$(sed -n 's/^  "cases": \([0-9]*\),/\1/p' out.json)
  grep -q '"failed": 0' out.json || { echo "cases failed" >&2; exit 1; }
  printf '%-34s deciding %8d cases/s   whole process %6d ms, %8d cases/s\n' \
    "$name" $((ran * 1000000 / best)) $((whole / 1000)) $((ran * 1000000 / whole))
}
# A filter that every case fits leaves the properties out.
run "cases only" --filter cases/
run "cases only, one thread" --filter cases/ --threads 1
run "cases and properties"

mutate() { # name folder
  local start end
  cd "$work/$2"
  start=$(date +%s%N)
  "$binary" test --mutate --format json >out.json
  end=$(date +%s%N)
  # The first number counts those that can never matter too.
  awk -v name="$1" -v ms=$(((end - start) / 1000000)) '
    /^    "total":/ { total = $2 + 0 } /^    "caught":/ { caught = $2 + 0 } /^    "equivalent":/ { same = $2 + 0 }
    /^    "percent":/ { percent = $2 + 0 }
    END { printf "%-34s %d mutants, %d of %d noticed (%.2f %%), in %.1f s\n", name, total + same, caught, total, percent, ms / 1000 }
  ' out.json
}
mutate "mutants, the cases of the samples" own
rm -f "$work"/few/rules/*/cases/{limits,points,offers,oddities,beside,affordability,bureau}.yaml
mutate "mutants, a few cases" few
