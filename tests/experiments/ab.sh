#!/usr/bin/env bash
# AB-training through the whole command: phases, ranks and bytes as recorded; links between nodes carry what rounds say;
# the same bits on 1 and 2 threads; what cannot work is refused.
#
#   bash tests/experiments/ab.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >study.yaml <<'YAML'
platform: {file: horeka-like-16x4.xml, workers: 16}
data: {train: 800, test: 100}
model: {name: mlp, hidden: 24, layers: 3}
train: {method: ab, ab_warmup: 6, ab_period: 8, ab_rebound: 2, ab_ramp: 2, rank_cut: 0.5, rounds: 33, batch: 4,
  lr: 0.05, clip: 1, evaluate_every: 33}
time: {source: flops}
vary:
  train.ab_sync: [with-stale, only-learned, full, only-b]
YAML
results="SELECT configuration, parameters_hash, simulated_s FROM (SELECT substr(configuration,
  instr(configuration, 'ab_sync='), 16) AS configuration, parameters_hash, simulated_s FROM runs) ORDER BY 1"

"$program" run study.yaml --db one.db --set run.threads=1 >/dev/null 2>err || { cat err; exit 1; }
"$program" run study.yaml --db two.db --set run.threads=2 >/dev/null 2>err || { cat err; exit 1; }
check "four runs are done" [ "$(query one.db "SELECT count(*) FROM runs WHERE status = 'done'")" -eq 4 ]
check "same bits on 1 and 2 threads" [ "$(query one.db "$results")" = "$(query two.db "$results")" ]
check "the modes train differently" [ "$(query one.db "SELECT count(DISTINCT parameters_hash) FROM runs")" -eq 4 ]

# Tw 6, Ts 8, Td 2: AB in rounds 7-8, 11-16, 19-24, 27-32
check "phases, by hand" [ "$(query one.db "SELECT group_concat(round) FROM (SELECT p.round FROM phases p JOIN runs r
  ON r.id = p.run_id WHERE phase = 'AB' AND configuration LIKE '%ab_sync=full%' ORDER BY 1)")" = \
  "7,8,11,12,13,14,15,16,19,20,21,22,23,24,27,28,29,30,31,32" ]
check "all ranks at first, fewer after the cut" [ "$(query one.db "SELECT count(*) FROM (SELECT run_id, weight,
  max(rank) FILTER (WHERE round = 7) AS first, max(rank) FILTER (WHERE round = 11) AS cut FROM factor_ranks
  GROUP BY 1, 2)
  WHERE first = 24 AND cut BETWEEN 1 AND 23")" -eq 8 ]

check "the first and the last weight stay dense" [ "$(query one.db "SELECT group_concat(weight) FROM (SELECT DISTINCT
  weight FROM factor_ranks ORDER BY 1)")" = "dense2.weight,dense3.weight" ]

# A round inside an AB phase sends nothing between nodes, but for only-b; every message between nodes crosses two cables
check "AB rounds stay inside nodes" [ "$(query one.db "SELECT count(*) FROM rounds o JOIN runs r ON r.id = o.run_id
  WHERE round IN (8, 12, 16, 20) AND (between_bytes = 0) = (configuration NOT LIKE '%only-b%')")" -eq 16 ]
check "cables carry what rounds sent between nodes" [ "$(query one.db "SELECT count(*) FROM runs r WHERE
  (SELECT sum(bytes) FROM links l WHERE l.run_id = r.id AND link LIKE 'cable-%')
  = 2 * (SELECT sum(between_bytes) FROM rounds o WHERE o.run_id = r.id)")" -eq 4 ]
check "the learning rate starts again" [ "$(query one.db "SELECT round(learning_rate, 4) FROM rounds o JOIN runs r
  ON r.id = o.run_id WHERE configuration LIKE '%ab_sync=full%' AND round IN (11, 12)
  ORDER BY round" | paste -sd' ')" = \
  "0.025 0.05" ]

# Weights that cannot be factorised since they are not finite: the training diverged, which is what was found
"$program" run study.yaml --db lost.db --set train.ab_sync=full --set train.lr=1e39 --set train.clip=0 \
  --set train.ab_warmup=1 >/dev/null 2>err || { cat err; failed=1; }
check "a divergence is a result" [ "$(query lost.db "SELECT status || substr(reason, 1, 8) FROM runs")" = donediverged ]

# A warm-up that never ends is plain data parallel training
for method in ab allreduce; do
  "$program" run study.yaml --db same.db --set train.ab_warmup=100 --set train.ab_sync=full --set train.method=$method \
    >/dev/null 2>err || { cat err; exit 1; }
done
check "an endless warm-up is allreduce" \
  [ "$(query same.db "SELECT count(*) || ' ' || count(DISTINCT parameters_hash) FROM runs")" = "2 1" ]

# refused STATUS WORDS SETTINGS...
refused() {
  local status=$1 words=$2 arguments=()
  for setting in "${@:3}"; do arguments+=(--set "$setting"); done
  "$program" run study.yaml --db no.db --set train.ab_sync=full "${arguments[@]}" >/dev/null 2>no.err
  check "refused, status $status: $words" [ $? -eq "$status" ]
  check "refused, with the reason: $words" grep -q "$words" no.err
}
refused 2 "does not divide 16" train.groups=blocks train.group_size=5
refused 2 "one group only" train.groups=blocks train.group_size=16
refused 2 "less than train.ab_period" train.ab_rebound=8
refused 2 "nothing to factorise" model.layers=1
refused 2 "must be none" compress.name=topk
refused 2 "0 to 0.999" train.rank_cut=1
refused 1 "one group only" platform.file=ideal.xml

[ $failed -eq 0 ] && echo "AB-training does what it says"
exit $failed
