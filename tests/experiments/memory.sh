#!/usr/bin/env bash
# Predicted memory against what processes really took.
#
#   bash tests/experiments/memory.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >study.yaml <<YAML
platform: {file: ideal.xml, workers: 8}
data: {train: 320, test: 50}
model: {name: mlp}
train: {rounds: 3, batch: 4, evaluate_every: 3}
time: {source: flops}
run: {threads: 2}
YAML

# predicted KEY=VALUE...: bytes with the largest useful chunk, which half of a machine's memory holds
predicted() {
  "$program" run study.yaml --dry-run --json "${@/#/--set=}" 2>dry.err |
    grep -oE '"most_memory_bytes": [0-9]+' | grep -oE '[0-9]+$'
}

# peak KEY=VALUE...: largest resident size of the run's process
peak() {
  rm -f peak.db
  "$program" run study.yaml --db peak.db "${@/#/--set=}" >/dev/null 2>peak.err || cat peak.err
  sqlite3 peak.db "SELECT peak_memory_bytes FROM runs"
}

# What a process takes besides (libraries, SimGrid's engine) goes with the difference of a model of 3.2 MB and one of
# 32 kB. Too little by up to 5 %: pages that are touched in part, and what the allocator keeps. Too much by up to 10 %:
# messages that are added need no room to be encoded, but have it.
foretold() {
  local small big before after
  small=$(predicted "$@" model.hidden=10) big=$(predicted "$@" model.hidden=1000)
  before=$(peak "$@" model.hidden=10) after=$(peak "$@" model.hidden=1000)
  echo "$*: $((big - small)) bytes predicted, $((after - before)) taken"
  check "the prediction is not too small: $*" [ $((100 * (after - before))) -le $((105 * (big - small))) ]
  check "the prediction is not too large: $*" [ $((100 * (after - before))) -ge $((90 * (big - small))) ]
}
foretold compress.name=none
foretold compress.name=qsgd
foretold compress.name=randomk train.bucket=1B
foretold compress.name=lowrank compress.error_feedback=classic
foretold compress.name=topk compress.error_feedback=step-ahead compress.average_every=2
foretold train.method=dpsgd
foretold train.method=dpsgd compress.name=qsgd
foretold train.method=choco train.exchange=background
foretold train.method=deepsqueeze compress.name=topk
foretold train.method=dcd compress.name=int8
foretold train.method=qg-dsgdm compress.name=int8
foretold train.method=sgp compress.name=int8
foretold train.method=ab model.layers=2 train.groups=blocks train.ab_warmup=1
foretold train.method=ab model.layers=2 train.ab_sync=only-b train.ab_warmup=1 train.optimiser=adamw

[ $failed -eq 0 ] && echo "runs take the memory that was foretold"
exit $failed
