#!/usr/bin/env bash
# Decentralised methods through the whole command: each with each kind of message, rounds of gossip alone, what is
# stored, what is warned of, and what is refused with a cure.
#
#   bash tests/experiments/decentral.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 8}
data: {train: 320, test: 100, partition: skew, skew: 0.5}
model: {name: mlp, hidden: 16}
graph: {name: ring}
train: {rounds: 30, batch: 4, lr: 0.02, gossip_rounds: 10, evaluate_every: 20}
time: {source: flops}
YAML

# ask DB SQL
ask() {
  sqlite3 "$1" "$2"
}

# With int8 a message has 8 bytes a tensor and one a value: 4 tensors of mlp; 4 bytes more for sgp's weight.
{
  cat study.yaml
  printf 'vary:\n  train.method: [dpsgd, choco, deepsqueeze, dcd, qg-dsgdm, sgp]\n  compress.name: [none, int8, topk]\n'
} >all.yaml
"$program" run all.yaml --db all.db >/dev/null 2>all.err || { cat all.err; exit 1; }
check "all runs are done" [ "$(ask all.db "SELECT count(*) FROM runs WHERE status = 'done'")" -eq 18 ]
check "all runs differ" [ "$(ask all.db "SELECT count(DISTINCT parameters_hash) FROM runs WHERE NOT
  (method IN ('dpsgd', 'choco') OR (method IN ('deepsqueeze', 'sgp') AND compressor = 'none'))")" -eq 10 ]
check "choco is dpsgd" [ "$(ask all.db "SELECT count(DISTINCT parameters_hash) FROM runs
  WHERE method IN ('dpsgd', 'choco')")" -eq 3 ]
check "8-bit messages have the length of the formula" \
  [ "$(ask all.db "SELECT count(*) FROM runs r WHERE compressor = 'int8'
  AND (SELECT sum(wire_bytes) FROM collectives c WHERE c.run_id = r.id) !=
      30 * 16 * (parameters + 4 * 8 + 4 * (method = 'sgp'))")" -eq 0 ]
check "gossip alone is a phase" [ "$(ask all.db "SELECT count(*) FROM phase_summary
  WHERE (phase, first_round, rounds) IN (VALUES ('train', 1, 20), ('gossip', 21, 10))")" -eq 36 ]
check "in which workers agree more" \
  [ "$(ask all.db "SELECT count(*) FROM evaluations a JOIN evaluations b USING (run_id)
  JOIN runs r ON r.id = run_id WHERE a.round = 20 AND b.round = 30 AND r.compressor != 'topk'
  AND r.method != 'deepsqueeze' AND b.consensus_distance > .3 * a.consensus_distance")" -eq 0 ]
# warned DB: compressors whose runs of dcd were
warned() {
  ask "$1" "SELECT group_concat(compressor) FROM (SELECT DISTINCT compressor FROM warnings w JOIN runs r
    ON r.id = w.run_id
    WHERE warning LIKE '%too coarse for the proof of ''dcd''%' ORDER BY 1)"
}
check "dcd warns of coarse messages on a ring" [ "$(warned all.db)" = "int8,topk" ]
"$program" run all.yaml --db dense.db --set train.method=dcd --set graph.name=complete >/dev/null 2>dense.err
check "and of coarser ones among neighbours of all" [ "$(warned dense.db)" = "topk" ]

hashes() {
  ask "$1" "SELECT method, compressor, parameters_hash FROM runs ORDER BY 1, 2"
}
"$program" run all.yaml --db one.db --set run.threads=1 >/dev/null 2>one.err
check "the same bits on one thread" [ "$(hashes one.db)" = "$(hashes all.db)" ]

# refused WORDS SETTINGS...: status 2, and a reason with these words
refused() {
  local words=$1 arguments=()
  shift
  for setting in "$@"; do arguments+=(--set "$setting"); done
  "$program" run study.yaml --db no.db "${arguments[@]}" >/dev/null 2>no.err
  check "refused, status 2: $words" [ $? -eq 2 ]
  check "refused, with the reason: $words, not $(head -n 1 no.err)" grep -q "$words" no.err
  check "refused, nothing created: $words" [ ! -e no.db ]
}
for method in dpsgd choco deepsqueeze dcd qg-dsgdm; do
  refused "'$method' needs rows and columns of mixing weights that sum to 1; .*use graph.weights: metropolis" \
    train.method=$method graph.name=star graph.weights=uniform
  refused "none would train; take fewer, or more train.rounds" train.method=$method train.gossip_rounds=30
done
refused "'sgp' needs columns of mixing weights that sum to 1; .*use graph.weights: push" \
  train.method=sgp graph.name=star graph.weights=uniform
refused "none would train; take fewer, or more train.rounds" train.method=sgp train.gossip_rounds=31
for method in dpsgd choco deepsqueeze dcd; do
  refused "graph 'one-peer' is another one in every round, and '$method' needs one that stays" \
    train.method=$method graph.name=one-peer
done
for method in qg-dsgdm sgp; do
  refused "neighbours would miss some of them; use compress: {name: none}" \
    train.method=$method graph.name=one-peer compress.name=int8
done
refused "adamw does not go with qg-dsgdm, .*use optimiser: sgd, or dpsgd" train.method=qg-dsgdm train.optimiser=adamw
for method in choco deepsqueeze dcd qg-dsgdm sgp; do
  refused "'$method' keeps what a message lost .*use none" \
    train.method=$method compress.name=topk compress.error_feedback=classic
  refused "'sign' compresses gradients, and '$method' sends" train.method=$method compress.name=sign
done
refused "consensus_step" train.method=choco train.consensus_step=0
refused "consensus_step" train.method=sgp train.consensus_step=1.5

[ $failed -eq 0 ] && echo "decentralised methods do what they say"
exit $failed
