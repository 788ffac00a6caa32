#!/usr/bin/env bash
# Every compressor through the whole command: same bits on 1 and 2 threads, with buckets and overlap; a training that
# diverges is a recorded finding; what the mathematics forbids is refused.
#
#   bash tests/experiments/compressors.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

all=$("$program" compressors | sed '/^$/,$d' | cut -d' ' -f1 | sort | paste -sd, -)
count=$(tr ',' '\n' <<<"$all" | wc -l)
check "fifteen compressors are listed" [ "$count" -ge 15 ]
cat >study.yaml <<YAML
platform: {file: ideal.xml, workers: 3}
data: {train: 300, test: 100}
model: {name: mlp, hidden: 20}
train: {rounds: 12, batch: 8, bucket: 1B, evaluate_every: 12}
compress: {ratio: 0.05}
time: {source: flops}
vary:
  compress.name: [$all]
YAML
results() {
  sqlite3 "$1" \
    "SELECT compressor, status, reason, parameters_hash, simulated_s FROM runs ORDER BY compressor, parameters_hash"
}

"$program" run study.yaml --db one.db --set run.threads=1 >/dev/null 2>one.err || { cat one.err; exit 1; }
"$program" run study.yaml --db two.db --set run.threads=2 >/dev/null 2>two.err || { cat two.err; exit 1; }
check "all are done" [ "$(results one.db | grep -c '|done|all rounds done|')" -eq "$count" ]
check "same bits on 1 and 2 threads" [ "$(results one.db)" = "$(results two.db)" ]
check "different compressors train differently" \
  [ "$(sqlite3 one.db "SELECT count(DISTINCT parameters_hash) FROM runs")" -ge $((count - 1)) ]

# The same with error feedback, and step-ahead with averages of the errors
for kind in classic step-ahead; do
  for threads in 1 2; do
    "$program" run study.yaml --db fed$threads.db --set run.threads=$threads --set compress.error_feedback=$kind \
      --set compress.average_every=3 --set compress.name=topk >/dev/null 2>fed.err || { cat fed.err; exit 1; }
    "$program" run study.yaml --db fed$threads.db --set run.threads=$threads --set compress.error_feedback=$kind \
      --set compress.average_every=3 --set compress.name=lowrank >/dev/null 2>fed.err || { cat fed.err; exit 1; }
  done
done
check "feedback: four runs are done" [ "$(results fed1.db | grep -c '|done|all rounds done|')" -eq 4 ]
check "feedback: same bits on 1 and 2 threads" [ "$(results fed1.db)" = "$(results fed2.db)" ]

# Overlap changes no value and makes no run slower
"$program" run study.yaml --db overlap.db --set train.overlap=on >/dev/null 2>overlap.err ||
  { cat overlap.err; exit 1; }
check "overlap: same values" [ "$(sqlite3 one.db "ATTACH 'overlap.db' AS o; SELECT count(*) FROM runs a JOIN o.runs b
  USING (compressor) WHERE a.parameters_hash = b.parameters_hash")" -eq "$count" ]
check "overlap: never slower" [ "$(sqlite3 one.db "ATTACH 'overlap.db' AS o; SELECT count(*) FROM runs a JOIN o.runs b
  USING (compressor) WHERE b.simulated_s <= a.simulated_s * (1 + 1e-12)")" -eq "$count" ]

# Overlap of one bucket does nothing, which is said and recorded
"$program" run study.yaml --db idle.db --set train.overlap=on --set train.bucket=0B --set compress.name=none \
  >/dev/null 2>idle.err || { cat idle.err; exit 1; }
check "overlap of one bucket: said" [ "$(grep -c '^train.overlap: on changes nothing' idle.err)" -eq 1 ]
check "overlap of one bucket: recorded" [ "$(sqlite3 idle.db "SELECT count(*) FROM warnings
  WHERE warning LIKE 'train.overlap: on changes nothing%'")" -eq 1 ]
check "overlap of several buckets: no warning" [ "$(sqlite3 overlap.db "SELECT count(*) FROM warnings")" -eq 0 ]

# A learning rate that sends the parameters to infinity: found, recorded, the run is over. The majority vote moves every
# parameter by the same small step times the rate, dgc and randomk some of them: they may need all rounds.
"$program" run study.yaml --db hot.db --set train.lr=1e30 >/dev/null 2>hot.err || { cat hot.err; exit 1; }
check "divergence: no run fails" [ "$(results hot.db | grep -c '|done|')" -eq "$count" ]
check "divergence: is the reason" [ "$(results hot.db | grep -c '|diverged: ')" -ge $((count - 3)) ]

# refused SETTINGS... WORDS: status 2, and a reason with these words
refused() {
  local words=${*: -1} arguments=()
  for setting in "${@:1:$#-1}"; do arguments+=(--set "$setting"); done
  "$program" run study.yaml --db no.db "${arguments[@]}" >/dev/null 2>no.err
  check "refused, status 2: $words" [ $? -eq 2 ]
  check "refused, with the reason: $words" grep -q "$words" no.err
  check "refused, nothing created: $words" [ ! -e no.db ]
}
refused compress.name=sign compress.error_feedback=classic "neither contracts"
refused compress.name=qsgd compress.bits=2 compress.error_feedback=classic "errors grow unless"
refused compress.name=dgc compress.error_feedback=classic "keeps what it does not send by itself"
refused compress.name=dgc train.method=dpsgd "compresses gradients"
refused compress.name=topk train.method=dpsgd compress.error_feedback=classic "in its differences"

[ $failed -eq 0 ] && echo "compressors do what they say"
exit $failed
