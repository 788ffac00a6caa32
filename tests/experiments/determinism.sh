#!/usr/bin/env bash
# Same inputs, same bits, through the whole command: any number of threads, any memory limit, any number of jobs.
#
#   bash tests/experiments/determinism.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 6}
data: {train: 600, test: 200, partition: skew, skew: 0.5}
model: {name: cnn}
train: {rounds: 100, batch: 4, evaluate_every: 50}
compress: {bits: 4}
time: {source: flops}
vary:
  train.method: [allreduce, dpsgd]
  compress.name: [none, qsgd]
YAML

# results DB: every value that a run computed or simulated, in the order of the runs' ids
results() {
  sqlite3 "$1" "SELECT id, parameters_hash, simulated_s FROM runs ORDER BY id;
    SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM evaluations ORDER BY run_id, round;
    SELECT * FROM links ORDER BY run_id, link; SELECT * FROM ranks ORDER BY run_id, rank;"
}

"$program" run study.yaml --db one.db --set run.threads=1 >/dev/null 2>one.err || { cat one.err; exit 1; }
results one.db >one.txt
[ "$(sqlite3 one.db "SELECT count(DISTINCT parameters_hash) FROM runs")" -eq 4 ] || {
  echo "FAILED: four different runs have four different ends"
  failed=1
}

# same NAME ARGUMENT...: the study with these arguments gives the same rows
same() {
  local name=$1
  shift
  rm -rf other.db*
  "$program" run study.yaml --db other.db "$@" >/dev/null 2>other.err || { cat other.err; exit 1; }
  results other.db >other.txt
  cmp -s one.txt other.txt || {
    echo "FAILED: $name: rows differ"
    diff one.txt other.txt | head -n 6
    failed=1
  }
}
same "two threads" --set run.threads=2
same "a memory limit that leaves few replicas at a time" --set run.threads=2 --set run.memory=13MB
same "two jobs" --jobs 2
exit $failed
