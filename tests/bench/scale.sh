#!/usr/bin/env bash
# How runs of timing alone grow with the number of ranks: wall time from 256 to 16,384 ranks with its fitted exponent,
# the database's share of it, and 131,072 ranks.
#
#   bash tests/bench/scale.sh PROGRAM [growth|database|load|large]      all of them unless one is named
#
# Ranks exchange ResNet-50 with four neighbours on a torus of their number; every message is simulated (network.steady:
# off), since what is skipped costs nothing.
set -eu
program=$(realpath "$1")
part=${2:-all}
platforms=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../platforms")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >study.yaml <<'YAML'
name: scale
platform: {file: torus.xml, workers: 256}
graph: {name: torus}
model: {name: resnet50}
train: {method: dpsgd, rounds: 3, batch: 32}
network: {steady: off}
time: {source: flops}
run: {compute: none}
YAML

# torus ROWS COLUMNS [--set ...]: one run on a torus of that size, in scale.db
torus() {
  "$program" platform -g torus sizes="$2x$1" -o torus.xml >/dev/null
  "$program" run study.yaml --db scale.db --set platform.workers=$(($1 * $2)) --set graph.rows="$1" \
    "${@:3}" >/dev/null 2>err ||
    { cat err; exit 1; }
}
show() { sqlite3 -separator ' ' scale.db "$1"; }
load() { echo "load average $(cut -d' ' -f1-3 /proc/loadavg)"; }

if [ "$part" = all ] || [ "$part" = growth ]; then
  rm -f scale.db
  for side in 16 32 64 128; do torus $side $side; done
  show "SELECT workers || ' ranks:', printf('%.2f s, %.0f MiB, %d messages', wall_s, peak_memory_bytes / 1048576.0,
    simulated_messages) FROM runs ORDER BY workers"
  # least squares of ln seconds over ln ranks
  show "WITH p AS (SELECT ln(workers) AS x, ln(wall_s) AS y FROM runs)
    SELECT 'growth of wall time: ranks ^', printf('%.3f',
    (avg(x * y) - avg(x) * avg(y)) / (avg(x * x) - avg(x) * avg(x))),
    '(target: at most 1.2)' FROM p"
  load
fi
if [ "$part" = all ] || [ "$part" = database ]; then
  rm -f scale.db
  torus 64 64 --set train.rounds=20
  torus 16 16 --set train.rounds=300
  torus 64 64 --set train.rounds=1000 --set network.steady=on
  show "SELECT workers || ' ranks, ' || rounds_done || ' rounds,', iif(skipped_messages > 0, 'most of them skipped:',
    'none skipped:'), printf('%.3f of %.2f s in the database, %.2f %%', store_s,
    wall_s, 100 * store_s / wall_s), '(target: at most 3 %)' FROM runs ORDER BY workers"
  load
fi
if [ "$part" = all ] || [ "$part" = load ]; then
  for file in "$platforms"/*4096*.xml; do
    start=$(date +%s.%N)
    "$program" platform "$file" --json >/dev/null
    echo "$(basename "$file"): loaded and described in $(echo "$(date +%s.%N) - $start" | bc) s (target: loaded in 2 s)"
  done
  load
fi
if [ "$part" = all ] || [ "$part" = large ]; then
  rm -f scale.db
  start=$(date +%s.%N)
  torus 512 256 --set train.rounds=2
  end=$(date +%s.%N)
  show "SELECT workers || ' ranks:', printf('%.1f s, %.0f MiB, %d messages; with planning and merging %.1f s', wall_s,
    peak_memory_bytes / 1048576.0, simulated_messages, $end - $start) FROM runs"
  load
fi
