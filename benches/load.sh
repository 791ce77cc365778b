#!/usr/bin/env bash
# Requests per second and latencies of the running service, in one run on this machine: the bare route, decisions
# with `memory` and with `local` durability, and decisions that are not recorded. Needs wrk (Debian: apt-get install wrk).
#   benches/load.sh [SECONDS-PER-MEASUREMENT]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-8}
command -v wrk >/dev/null || { echo "wrk is missing: apt-get install wrk" >&2; exit 2; }
[ -n "${SKIP_BUILD:-}" ] || cargo build --release --locked --quiet
binary=${CARGO_TARGET_DIR:-target}/release/tollgate
work=$(mktemp -d)
server=
stop() { [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; server=; }
trap 'stop; rm -rf "$work"' EXIT

cat >"$work/decide.lua" <<'LUA'
local facts = [["facts":{"checking_status":"below_0","duration_months":24,"credit_history":"existing_paid","purpose":"furniture","amount":"4870.00","savings":"below_100","employed_since":"below_4_years","instalment_rate_pct":3,"other_parties":"none","residence_since":4,"property":"unknown","age":53,"other_plans":"none","housing":"free","existing_credits":2}]]
local extra = os.getenv("DRY_RUN") == "1" and [[,"dry_run":true]] or ""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[{"flow":"personal_loan",]] .. facts .. extra .. "}"
LUA

start() { # durability
  "$binary" serve --http 127.0.0.1:0 --data "$work/data-$1" --durable "$1" 2>"$work/log-$1" &
  server=$!
  for _ in $(seq 100); do
    port=$(sed -n 's/.*listening http=127.0.0.1:\([0-9]*\).*/\1/p' "$work/log-$1" | head -1)
    [ -n "$port" ] && curl -fs "http://127.0.0.1:$port/readyz" >/dev/null && return
    sleep 0.05
  done
  cat "$work/log-$1" >&2; exit 1
}

measure() { # name connections url [script]
  local threads=1; [ "$2" -gt 1 ] && threads=2
  wrk -t"$threads" -c"$2" -d"${seconds}s" --latency ${4:+-s "$4"} "$3" >"$work/out"
  awk -v name="$1" -v connections="$2" '
    /50%/ { p50 = $2 } /99%/ { p99 = $2 } /Requests\/sec/ { rate = $2 }
    /Non-2xx/ { bad = $NF } /Socket errors/ { bad = bad " " $0 }
    END { printf "| %-28s | %4d | %9.0f | %9s | %9s | %s |\n", name, connections, rate, p50, p99, bad == "" ? "none" : bad }' "$work/out"
}

echo "| what | connections | requests/s | p50 | p99 | errors |"
echo "|---|---|---|---|---|---|"
for durable in memory local; do
  start "$durable"
  base="http://127.0.0.1:$port"
  if [ "$durable" = memory ]; then
    for c in 1 20 64 256; do measure "GET /livez (bare)" "$c" "$base/livez"; done
    for c in 1 20 64; do DRY_RUN=1 measure "decision, not recorded" "$c" "$base/v1/decisions" "$work/decide.lua"; done
  fi
  connections="1 20 64"; [ "$durable" = local ] && connections="1 20 64 256"
  for c in $connections; do measure "decision, $durable" "$c" "$base/v1/decisions" "$work/decide.lua"; done
  rss=$(awk '/VmRSS/ { print $2 }' "/proc/$server/status")
  echo "resident memory after $durable: $((rss / 1024)) MiB; log: $(du -sm "$work/data-$durable" | cut -f1) MiB" >&2
  stop
done
