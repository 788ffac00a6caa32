#!/usr/bin/env bash
# Runs of timing alone through the whole command: the same seconds, bytes and messages as runs with values where both
# exist, layer tables, labels wherever they appear, nothing that could be taken for a loss or an accuracy, and what is
# refused.
#
#   bash tests/experiments/timing_only.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

run() {
  "$program" run "$@" >out 2>err || { cat err; exit 1; }
}

cat >both.yaml <<'YAML'
platform: {file: fat-tree-64.xml, workers: 8}
data: {train: 400, test: 100}
model: {name: cnn}
train: {rounds: 3, batch: 4}
time: {source: flops}
vary:
  run.compute: [real, none]
YAML
# same WHAT --set ...: with values and without, a study of its own; every round ends at the same time with the same
# traffic
same() {
  local what=$1
  shift
  rm -f both.db
  run both.yaml --db both.db "$@"
  check "$what: as many rounds, twice" [ "$(query both.db "SELECT count(*) FROM rounds")" -eq 6 ]
  check "$what: times and traffic of the run with values" [ "$(query both.db "SELECT count(DISTINCT x) FROM (SELECT
    group_concat(o.round || ' ' || finish_s || ' ' || first_finish_s || ' ' || messages || ' ' || within_bytes || ' ' ||
    between_bytes) AS x FROM rounds o GROUP BY run_id)")" -eq 1 ]
  check "$what: links carry the same" [ "$(query both.db "SELECT count(*) FROM (SELECT link, bytes, busy_s FROM links
    GROUP BY 1, 2, 3 HAVING count(*) <> 2)")" -eq 0 ]
}
same "all-reduce, overlapped" --set train.bucket=1kB --set train.overlap=on
same "all-reduce of low-rank sums with feedback" --set compress.name=lowrank --set compress.error_feedback=classic
same "gathered quantised messages" --set compress.name=qsgd --set train.gather=server
same "step-ahead" --set compress.name=ef-sign --set compress.error_feedback=step-ahead --set compress.average_every=2
same "topk with plain indices" --set compress.name=topk --set compress.index=u16
same "dpsgd in 8 bits" --set train.method=dpsgd --set compress.name=int8
for name in fp16 bf16 int sign cosine randomk; do
  same "$name" --set compress.name=$name
done
for method in choco deepsqueeze dcd qg-dsgdm sgp; do
  same "$method" --set train.method=$method --set compress.name=terngrad --set train.gossip_rounds=1
done

cat >table.yaml <<'YAML'
name: tables
platform: {file: fat-tree-64.xml, workers: 16}
train: {rounds: 2, batch: 8}
time: {source: flops}
run: {compute: none}
vary:
  model.name: [resnet50, vgg16, vit-b16, llama2-7b]
YAML
run table.yaml --db table.db
check "progress says so" \
  grep -q "fat-tree-64 16 allreduce none seed 1 name=vgg16, timing only: done, [0-9.]* m*s simulated" err
check "the closing table says so, four times and below" [ "$(grep -c "timing only" out)" -eq 5 ]
check "no accuracy anywhere" [ "$(grep -c "accuracy" out)" -eq 1 ] # the column's title
"$program" list --db table.db >list
check "list says so" [ "$(grep -c "timing only" list)" -eq 4 ]
check "list --json says so" [ "$("$program" list --db table.db --json | grep -c '"timing_only": true')" -eq 4 ]
id=$(query table.db "SELECT id FROM runs WHERE model = 'llama2-7b'")
check "show says so" \
  grep -q "compute  *timing only: no values, no accuracy and no loss" <("$program" show "$id" --db table.db)
"$program" compare --db table.db >compare || failed=1
check "compare says so" grep -q "timing only" compare
check "compare gives times of whole runs" grep -q "time of all rounds" compare
sed 's/model.name: .*/platform.workers: [8, 16]/; s/^train:/model: {name: vgg16}\n&/' table.yaml >wide.yaml
run wide.yaml --db wide.db
check "scaling says so" grep -q "scaling, .* timing only (nothing was trained)" <("$program" scaling --db wide.db)
check "traces say so" \
  grep -q '"run, timing only: no values"' <("$program" export "$id" --db table.db -f chrome-trace 2>/dev/null)
"$program" export "$id" --db table.db -f npz -o run.npz || failed=1
check "arrays say so" grep -qa "run.timing_only.npy" run.npz
check "the page says so" \
  grep -q "Timing alone: no accuracy was evaluated" \
    <("$program" report --db table.db -o page.html >/dev/null; cat page.html)
check "the database says so, and holds nothing that was not computed" [ "$(query table.db "SELECT count(*) FROM runs r
  WHERE timing_only = 1 AND parameters_hash IS NULL AND kernel = 'none' AND dataset = 'none'
  AND NOT EXISTS (SELECT 1 FROM evaluations e WHERE e.run_id = r.id)
  AND NOT EXISTS (SELECT 1 FROM class_counts c WHERE c.run_id = r.id)
  AND NOT EXISTS (SELECT 1 FROM rounds o WHERE o.run_id = r.id
  AND (train_loss IS NOT NULL OR learning_rate IS NOT NULL))")" -eq 4 ]
# 6 N + 12 L H Q T flop a token (Chowdhery et al. 2023), N without the embedding and norms, T = 4096; the first layer
# with weights, which is looked up, needs no gradient of its input
check "a step of Llama 2 is charged PaLM's count" \
  [ "$(query table.db "SELECT step_flop = 8 * 4096 * (6.0 * (6738415616 -
  32000 * 4096 - 65 * 4096) + 12.0 * 32 * 4096 * 4096) FROM runs WHERE model = 'llama2-7b'")" = 1 ]
check "its gradient travels in f32" \
  [ "$(query table.db "SELECT DISTINCT payload_bytes FROM collectives WHERE run_id = '$id'")" \
  = $((4 * 6738415616)) ]

# refused NAME WORDS... -- --set ...: exit status 2, the words in the message, and nothing is created
refused() {
  local name=$1 words=$2
  shift 2
  "$program" run table.yaml --db no.db --set model.name=resnet50 "$@" >/dev/null 2>err
  check "$name is bad input" [ $? -eq 2 ]
  check "$name is told: $words" grep -qF "$words" err
  check "$name creates nothing" [ ! -e no.db ]
}
refused "training a table" "set run.compute: none" --set run.compute=real
refused "a target" "has no accuracy to stop at" --set stop.accuracy=0.9
refused "measured seconds" "set time.source: flops" --set time.source=measured
refused "lengths by values" "sends as many values as are large enough" --set compress.name=threshold
refused "packed indices" "set compress.index to u32, u16 or bitmap" --set compress.name=topk
refused "shares that change" "use topk with compress.index: u32" --set compress.name=dgc
refused "masks" "use mask: none" --set train.mask=magnitude
refused "a start" "has no model to start from or to save" --init err
refused "saving" "has no model to start from or to save" --save x.safetensors
refused "ab" "keeps as many singular values as are large enough" --set train.method=ab
exit $failed
