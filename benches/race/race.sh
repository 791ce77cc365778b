#!/bin/bash
# The race: one model, one row, one machine, one run. The old architecture (nginx, uWSGI and Flask, with scikit-learn
# and with ONNX Runtime), MLServer, and Tollgate as a model service, asked by 1 and by 20 connections.
#
#   benches/race/race.sh [SECONDS-PER-MEASUREMENT] [old] [mlserver] [tollgate]
#
# Without names all of them run. Each is measured with 2, 3 and 4 processes (threads, here), or as many as WORKERS says: how
# many are best on two cores that the load generator shares is another number for each, so each is taken at its best.
#
# Needs python3 with venv and pip, nginx, wrk and h2load (Debian: apt-get install nginx-light wrk nghttp2-client), a C
# compiler for uWSGI, and takes about twenty minutes. The environments are kept in target/race for the next time. The
# load generator runs on the same machine, beside each of them in turn.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=benches/race
seconds=${1:-8}
parts=" ${*:2} "
counts=${WORKERS:-2 3 4}
[ -n "${2:-}" ] || parts=' old mlserver tollgate '
for program in python3 nginx wrk h2load; do
    command -v $program >/dev/null || { echo "$program is missing: apt-get install nginx-light wrk nghttp2-client" >&2; exit 2; }
done
# As images ship it.
[ -n "${SKIP_BUILD:-}" ] || cargo build --profile dist --locked --quiet
binary=$(realpath "${CARGO_TARGET_DIR:-target}/dist/tollgate")
kept=$(realpath -m "${CARGO_TARGET_DIR:-target}")/race
work=$(mktemp -d)
chmod 755 "$work" # started by root, nginx serves as another user
servers=()
stop() {
    local pid
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${servers[@]}"; do
        # MLServer's workers may outlive what told them to end.
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        pkill -KILL -P "$pid" 2>/dev/null || true
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    servers=()
}
trap 'stop; rm -rf "$work"' EXIT

environment() { # name requirements
    local made="$kept/$1"
    if ! cmp -s "$2" "$made/made-from"; then
        rm -rf "$made"
        python3 -m venv "$made"
        "$made/bin/pip" install -q -r "$2"
        cp "$2" "$made/made-from"
    fi
}
environment old $here/requirements.txt
environment mlserver $here/requirements-mlserver.txt

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

answers() { # url body-file
    for _ in $(seq 300); do
        curl -fs -o "$work/answer" -H 'Content-Type: application/json' --data @"$2" "$1" && return
        sleep 0.1
    done
    echo "no answer from $1" >&2
    cat "$work"/*.log >&2
    exit 1
}

running() { # the servers and their children
    ps -e -o pid=,ppid= | awk -v all="${servers[*]}" '
        BEGIN { n = split(all, first, " "); for (i = 1; i <= n; i++) wanted[first[i]] = 1 }
        { parent[$1] = $2 }
        END { for (pid in parent) { p = pid; while (p > 1 && !(p in wanted)) p = parent[p]; if (p in wanted) print pid } }'
}

resident() { # in MiB
    # Shared pages are counted once: the proportional size.
    for pid in $(running); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done | awk '/^Pss:/ { kib += $2 } END { printf "%.0f", kib / 1024 }'
}

spent() { # processor time so far, in ticks of 10 ms
    for pid in $(running); do sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null; done | awk '{ ticks += $12 + $13 } END { print ticks + 0 }'
}

line() { # name connections ticks rate p50 p99 errors; $workers serve
    local each
    each=$(awk -v ticks="$3" -v rate="$4" -v seconds="$seconds" 'BEGIN { printf "%.1f", ticks * 10000 / (rate * seconds) }')
    printf '| %s | %s | %s | %s | %s | %s | %s | %s µs | %s MiB |\n' "$1" "$workers" "$2" "${@:4}" "$each" "$(resident)"
}

# One connection is asked of the first number of processes alone: more of them are no use to it.
connections() { [ "$workers" = "${counts%% *}" ] && echo 1 20 || echo 20; }

rest() { # name url lua
    local before
    for connections in $(connections); do
        wrk -t1 -c$connections -d2s -s "$3" "$2" >/dev/null # warm
        before=$(spent)
        wrk -t1 -c$connections -d"${seconds}s" --latency -s "$3" "$2" >"$work/out"
        line "$1" $connections $(($(spent) - before)) $(awk '/^ *50%/ { a = $2 } /^ *99%/ { b = $2 } /Requests\/sec/ { r = $2 } /Non-2xx/ { e = $NF }
            END { printf "%.0f %s %s %s", r, a, b, e == "" ? "none" : e }' "$work/out")
    done
}

grpc() { # name url frame
    local before ticks
    for connections in $(connections); do
        h2load -c$connections -m1 -t1 -D2 -d "$3" -H 'content-type: application/grpc' -H 'te: trailers' "$2" >/dev/null
        before=$(spent)
        h2load -c$connections -m1 -t1 -D"$seconds" -d "$3" -H 'content-type: application/grpc' -H 'te: trailers' \
            --log-file="$work/h2.log" "$2" >"$work/out"
        ticks=$(($(spent) - before))
        # Of each request: start, status, microseconds.
        sort -n -k3 "$work/h2.log" | awk '{ t[NR] = $3 } END { printf "%dus %dus", t[int(NR * 0.5)], t[int(NR * 0.99)] }' >"$work/times"
        rm "$work/h2.log"
        line "$1" $connections $ticks "$(awk -F'[, ]+' '/^finished in/ { printf "%.0f", $4 }' "$work/out")" $(cat "$work/times") \
            "$(awk '/^requests:/ { print $(NF - 3) == 0 && $(NF - 1) == 0 ? "none" : $0 }' "$work/out")"
    done
}

old() { # engine
    stop
    local port
    port=$(free_port)
    mkdir -p "$work/$1"
    cp "$work/old.joblib" "$work/race.onnx" "$work/$1/"
    RACE_ENGINE=$1 RACE_FOLDER="$work/$1" "$kept/old/bin/uwsgi" --master --processes "$workers" --disable-logging --die-on-term \
        --socket "$work/$1/old.sock" --chdir $here --wsgi-file old.py --callable app --virtualenv "$kept/old" \
        --chmod-socket=666 --listen 100 >"$work/uwsgi.log" 2>&1 &
    servers=($!)
    sed "s|@FOLDER@|$work/$1|g; s|@PORT@|$port|" $here/nginx.conf.in >"$work/$1/nginx.conf"
    nginx -c "$work/$1/nginx.conf" -g 'daemon off;' >"$work/nginx.log" 2>&1 &
    servers+=($!)
    answers "http://127.0.0.1:$port/predict" "$work/old.json"
    echo "nginx + uWSGI + Flask, $1: $(cat "$work/answer")" >&2
    rest "nginx + uWSGI + Flask, $2" "http://127.0.0.1:$port/predict" "$work/old.lua"
}

mlserver() {
    stop
    mkdir -p "$work/mlserver/race"
    cp "$work/old.joblib" "$work/mlserver/race/"
    cp $here/mlserver.json "$work/mlserver/race/model-settings.json"
    port=$(free_port)
    cat >"$work/mlserver/settings.json" <<JSON
{"host": "127.0.0.1", "http_port": $port, "grpc_port": $(free_port), "metrics_port": $(free_port), "parallel_workers": $workers, "debug": false}
JSON
    PATH="$kept/mlserver/bin:$PATH" "$kept/mlserver/bin/mlserver" start "$work/mlserver" >"$work/mlserver.log" 2>&1 &
    servers=($!)
    answers "http://127.0.0.1:$port/v2/models/race/infer" "$work/mlserver.json"
    echo "MLServer: $(head -c 300 "$work/answer")" >&2
    rest "MLServer, scikit-learn" "http://127.0.0.1:$port/v2/models/race/infer" "$work/mlserver.lua"
}

tollgate() {
    stop
    echo "workers: $workers" >"$work/tollgate.yaml"
    "$binary" serve --config "$work/tollgate.yaml" --models-only --models "$work/models" --http 127.0.0.1:0 --grpc 127.0.0.1:0 2>"$work/tollgate.log" &
    servers=($!)
    for _ in $(seq 100); do
        port=$(sed -n 's/.*listening http=127.0.0.1:\([0-9]*\).*/\1/p' "$work/tollgate.log" | head -1)
        grpc_port=$(sed -n 's/.*grpc=127.0.0.1:\([0-9]*\).*/\1/p' "$work/tollgate.log" | head -1)
        [ -n "$port" ] && break
        sleep 0.05
    done
    answers "http://127.0.0.1:$port/v1/models/race:predict" "$work/tensorflow.json"
    echo "Tollgate: $(cat "$work/answer")" >&2
    printf 'wrk.method = "GET"\n' >"$work/get.lua"
    rest "Tollgate, /livez" "http://127.0.0.1:$port/livez" "$work/get.lua"
    rest "Tollgate, TensorFlow Serving REST" "http://127.0.0.1:$port/v1/models/race:predict" "$work/tensorflow.lua"
    rest "Tollgate, Open Inference Protocol REST" "http://127.0.0.1:$port/v2/models/race/infer" "$work/infer.lua"
    "$kept/old/bin/python" $here/frame.py "$work"
    grpc "Tollgate, TensorFlow Serving gRPC" "http://127.0.0.1:$grpc_port/tensorflow.serving.PredictionService/Predict" "$work/predict.bin"
    grpc "Tollgate, Open Inference Protocol gRPC" "http://127.0.0.1:$grpc_port/inference.GRPCInferenceService/ModelInfer" "$work/infer.bin"
}

"$kept/old/bin/python" $here/fit.py "$work" >&2
mkdir -p "$work/models"
"$binary" models import "$work/race.onnx" --as race --columns "$work/columns.yaml" --rows "$work/rows.csv" \
    --expected expected --tolerance 1e-5 --models "$work/models" >&2

echo "| what | processes | connections | requests/s | p50 | p99 | errors | processor time a request | memory |"
echo "|---|---|---|---|---|---|---|---|---|"
for workers in $counts; do
    case $parts in *" old "*)
        old sklearn "scikit-learn"
        old onnx "ONNX Runtime"
        ;;
    esac
    case $parts in *" mlserver "*) mlserver ;; esac
    case $parts in *" tollgate "*) tollgate ;; esac
done
