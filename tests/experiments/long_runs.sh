#!/usr/bin/env bash
# Runs that take their time: real data where it is there, and a thousand workers.
#
#   bash tests/experiments/long_runs.sh PROGRAM SOURCE_DIR
shared=$(realpath -m "$2/../shared/data/fashion-mnist")
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

# Fashion-MNIST: 16 workers reach 85 % test accuracy
if [ -d "$shared" ]; then
  cat >fashion.yaml <<YAML
platform: {file: fat-tree-64.xml, workers: 16}
data: {name: idx, directory: $shared}
model: {name: cnn}
train: {method: allreduce, rounds: 1000, lr: 0.05, evaluate_every: 20}
stop: {accuracy: 0.85}
YAML
  "$program" run fashion.yaml --db fashion.db
  check "Fashion-MNIST: status" [ $? -eq 0 ]
  check "Fashion-MNIST: 85 %" [ "$(sqlite3 fashion.db "SELECT reason FROM runs")" = "target reached" ]
else
  echo "skipped: no Fashion-MNIST beside the checkout"
fi

# 1024 replicas of cnn under gossip on a torus, in less than 4 GiB
cat >torus.yaml <<'YAML'
platform: {file: ideal.xml, workers: 1024}
graph: {name: torus}
train: {method: dpsgd, rounds: 20, evaluate_every: 20}
YAML
"$program" run torus.yaml --db torus.db
check "1024 workers: status" [ $? -eq 0 ]
check "1024 workers: under 4 GiB" [ "$(sqlite3 torus.db "SELECT peak_memory_bytes < 4294967296 FROM runs")" = 1 ]
check "1024 workers: four messages a worker and round" \
  [ "$(sqlite3 torus.db "SELECT sum(messages) FROM rounds")" = $((20 * 1024 * 4)) ]
exit $failed
