#!/usr/bin/env bash
# What a second core saves: 8 equal runs of one thread, two at a time against one at a time, and beside it what the
# machine has to give: the same runs in two commands side by side that know nothing of each other, and two loops that
# touch no memory. Prints seconds and their ratios; asserts nothing.
#
#   bash tests/bench/jobs.sh PROGRAM [ROUNDS]
set -eu
program=$(realpath "$1")
rounds=${2:-150}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# study SEEDS
study() {
  cat <<YAML
platform: {file: ideal.xml, workers: 4}
model: {name: cnn}
train: {rounds: $rounds, evaluate_every: $rounds, evaluate_samples: 500}
time: {source: flops}
run: {threads: 1}
vary: {run.seed: $1}
YAML
}
study '[1..8]' >all.yaml
study '[1..4]' >first.yaml
study '[5..8]' >last.yaml
# run STUDY JOBS: in a database of its own
run() { "$program" run "$1.yaml" --db "$1-$2.db" --jobs "$2" >/dev/null 2>"$1.err" || { cat "$1.err" >&2; exit 1; }; }
one() { run all 1; }
two() { run all 2; }
apart() {
  run first 1 &
  run last 1
  wait $!
}
loop() { for ((i = 0; i < 600000; i++)); do :; done; }
loop_twice() { loop; loop; }
loop_beside() {
  loop &
  loop
  wait $!
}
# seconds WHAT: wall clock
seconds() {
  local begin=$EPOCHREALTIME
  "$1"
  echo "$begin $EPOCHREALTIME" | awk '{printf "%.2f", $2 - $1}'
}
ratio() { echo "$1 $2" | awk '{printf "%.2f", $2 / $1}'; }
one=$(seconds one)
two=$(seconds two)
apart=$(seconds apart)
loop=$(seconds loop_twice)
beside=$(seconds loop_beside)
echo "8 runs of $rounds rounds: one job $one s, two jobs $two s, ratio $(ratio "$one" "$two")"
echo "the machine: two commands of 4 runs side by side $apart s, ratio $(ratio "$one" "$apart");" \
  "two loops in registers" \
  "$loop s one after the other, $beside s side by side, ratio $(ratio "$loop" "$beside"); load average$(uptime |
    sed 's/.*load average://')"
