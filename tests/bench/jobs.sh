#!/usr/bin/env bash
# What a second core saves: 8 equal runs of one thread, two at a time against one at a time. Prints seconds and their ratio;
# asserts nothing.
#
#   bash tests/bench/jobs.sh PROGRAM [ROUNDS]
set -eu
program=$(realpath "$1")
rounds=${2:-150}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >study.yaml <<YAML
platform: {file: ideal.xml, workers: 4}
model: {name: cnn}
train: {rounds: $rounds, evaluate_every: $rounds, evaluate_samples: 500}
time: {source: flops}
run: {threads: 1}
vary: {run.seed: [1..8]}
YAML
# seconds JOBS: wall clock of the whole command
seconds() {
  local begin end
  begin=$(date +%s.%N)
  "$program" run study.yaml --db "$1.db" --jobs "$1" >/dev/null 2>err || { cat err >&2; exit 1; }
  end=$(date +%s.%N)
  echo "$begin $end" | awk '{printf "%.2f", $2 - $1}'
}
one=$(seconds 1)
two=$(seconds 2)
echo "8 runs of $rounds rounds: one job $one s, two jobs $two s, ratio $(echo "$one $two" | awk '{printf "%.2f", $2 / $1}'), load$(uptime | sed 's/.*average://')"
