#!/usr/bin/env bash
# Runs of every method are interrupted again and again, and go on from their checkpoints: the rows and the parameters'
# hashes are those of runs that were never stopped. Then what must be refused.
#
#   bash tests/experiments/resume.sh PROGRAM [PAUSE [ROUNDS]]
# PAUSE is the milliseconds from a start to its interrupt, ROUNDS those of every run.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"
pause=${2:-600} rounds=${3:-60}

cat >study.yaml <<YAML
platform: {file: fat-tree-64.xml, workers: 4}
graph: {name: ring}
data: {train: 400, test: 200, partition: skew, skew: 0.5}
model: {name: mlp}
train: {rounds: $rounds, batch: 8, lr: 0.02, momentum: 0.9, evaluate_every: 50}
time: {source: flops}
run: {threads: 1}
include:
  - {train.method: allreduce, train.optimiser: adamw, train.clip: 1}
  - {train.method: allreduce, compress.name: topk, compress.ratio: 0.05, compress.error_feedback: classic}
  - {train.method: allreduce, compress.name: topk, compress.ratio: 0.05, compress.error_feedback: step-ahead}
  - {train.method: allreduce, compress.name: lowrank, compress.error_feedback: classic}
  - {train.method: allreduce, compress.name: dgc}
  - {train.method: allreduce, train.mask: magnitude, train.mask_schedule: ac-dc, train.mask_sparse: 10}
  - {train.method: ab, train.groups: blocks, train.group_size: 2, train.dense_ends: off}
  - {train.method: dpsgd, train.arithmetic: int8}
  - {train.method: choco, train.exchange: background, compress.name: qsgd}
  - {train.method: deepsqueeze, compress.name: int8, train.consensus_step: 0.5}
  - {train.method: dcd, compress.name: int8}
  - {train.method: qg-dsgdm, train.gossip_rounds: 50}
  - {train.method: sgp, graph.name: one-peer, graph.directed: yes, graph.weights: uniform}
YAML

# results DB: every value that a run computed or simulated
results() {
  sqlite3 "$1" \
    "SELECT id, status, reason, rounds_done, parameters_hash, simulated_s, simulated_messages, skipped_messages
      FROM runs
    ORDER BY id;
    SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM evaluations ORDER BY run_id, round;
    SELECT * FROM phases ORDER BY run_id, round; SELECT * FROM factor_ranks ORDER BY run_id, round, weight;
    SELECT * FROM collectives ORDER BY run_id, round, kind, start_s;
    SELECT * FROM links ORDER BY run_id, link; SELECT * FROM ranks ORDER BY run_id, rank;"
}

"$program" run study.yaml --db whole.db >whole.out 2>whole.err || { cat whole.err; exit 1; }
results whole.db >whole.txt
[ "$(sqlite3 whole.db "SELECT count(DISTINCT parameters_hash) FROM runs WHERE status = 'done'")" -eq 14 ] ||
  { echo "FAILED: fourteen different runs are done"; exit 1; }

interrupts=0 resumed=0 status=3
while [ "$status" -eq 3 ] && [ "$interrupts" -lt 300 ]; do
  "$program" run study.yaml --db parts.db --resume >parts.out 2>parts.err &
  child=$!
  sleep "$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))"
  kill -INT "$child" 2>/dev/null
  wait "$child"
  status=$?
  interrupts=$((interrupts + 1))
  left=$(find parts.db.runs -name '*.checkpoint' 2>/dev/null | wc -l)
  resumed=$((resumed + left))
  # a busy machine: nothing was computed yet, or hardly more than what a start takes
  [ "$left" -gt 0 ] && [ $((interrupts % 10)) -ne 0 ] || pause=$((pause * 5 / 4))
done
[ "$status" -eq 0 ] || { echo "FAILED: the interrupted study ended with status $status"; cat parts.err; exit 1; }
[ "$resumed" -gt 0 ] || { echo "FAILED: no run was ever stopped with a checkpoint"; exit 1; }
results parts.db >parts.txt
check "same rows after $interrupts interrupts, $resumed checkpoints" cmp -s whole.txt parts.txt
cmp -s whole.txt parts.txt || diff whole.txt parts.txt | head -5
[ ! -e parts.db.runs ] || { echo "FAILED: checkpoints of runs that are done are gone"; ls parts.db.runs; failed=1; }

# --- what is refused ---
long=(--set "train.rounds=200000" --db one.db)
sed -n '/^include:/q;p' study.yaml >one.yaml
"$program" run one.yaml "${long[@]}" --checkpoint every=20ms >one.out 2>one.err &
child=$!
two_are_there() {
  before=$(find one.db.runs -name '*.checkpoint-before')
  [ -n "$before" ]
}
await two_are_there
kill -INT "$child"
wait "$child"
check "an interrupt is status 3" [ $? -eq 3 ]
now=$(find one.db.runs -name '*.checkpoint')
check "two checkpoints are kept" [ -s "$now" ]
check "two checkpoints are kept (before)" [ -s "$before" ]
cp "$now" good

# --- a second interrupt while a checkpoint is written: gone at once, and the checkpoint that was there stays whole ---
# The file that it is written to is a pipe that nobody empties: once a byte is there, the writing has begun, and it does
# not end.
check "a checkpoint does not fit into a pipe" [ "$(stat -c %s good)" -gt 100000 ]
mkfifo "$now-new"
exec 9<>"$now-new"
"$program" run one.yaml "${long[@]}" --resume --checkpoint every=20ms >twice.out 2>twice.err &
child=$!
read -r -N 1 -u 9
kill -INT "$child"
sleep 1
check "the first interrupt waits for the checkpoint" kill -0 "$child"
interrupted=$SECONDS
kill -INT "$child"
wait "$child"
check "the second interrupt is status 3" [ $? -eq 3 ]
check "it does not wait" [ $((SECONDS - interrupted)) -lt 20 ] # after the first one alone children have 25 s
exec 9<&-
rm "$now-new"
check "a second interrupt leaves the checkpoint" cmp -s "$now" good
check "and the one before it" [ -s "$before" ]

# refuse NAME WORDS [PROGRAM]: the run with --resume fails with these words, and the checkpoint is as it was
refuse() {
  cp "$now" as-it-was
  "${3:-$program}" run one.yaml "${long[@]}" --resume >refused.out 2>refused.err
  check "$1: status 1" [ $? -eq 1 ]
  grep -q "$2" refused.err || { echo "FAILED: $1: no word of '$2'"; cat refused.err; failed=1; }
  check "$1: the file is untouched" cmp -s "$now" as-it-was
}
mv "$before" kept-before
printf 'damaged!' | dd of="$now" bs=1 seek=5000 conv=notrunc status=none
refuse "a damaged file" "its hash does not fit"
grep -q "the one before it" refused.err && { echo "FAILED: a damaged file: there is none before it"; failed=1; }
head -c 3000 good >"$now"
refuse "a truncated file" "its hash does not fit"
echo "something else" >"$now"
refuse "a foreign file" "ends too early"
cp good "$now"
cp "$program" other
printf 'x' >>other # behind what is loaded: the same program, but another file
refuse "another build" "written by another build" ./other
printf 'damaged!' | dd of="$now" bs=1 seek=5000 conv=notrunc status=none
cp kept-before "$before"
"$program" run one.yaml "${long[@]}" --resume --checkpoint every=20ms >again.out 2>again.err &
child=$!
goes_on() { ! cmp -s "$before" kept-before; } # and writes checkpoints of its own
await goes_on
kill -INT "$child" 2>/dev/null
wait "$child"
grep -q "trying the one before it" again.err ||
  { echo "FAILED: a damaged checkpoint: the one before it is tried"; cat again.err; failed=1; }
# --- stopped while the rounds of the checkpoint are simulated again: no further, and nothing is lost ---
cat >slow.yaml <<'YAML'
platform: {file: ideal.xml, workers: 16}
network: {steady: off}
model: {name: logreg}
train: {rounds: 100000}
time: {source: flops}
run: {compute: none}
YAML
"$program" run slow.yaml --db slow.db --checkpoint every=500ms >slow.out 2>slow.err &
child=$!
seconds_of_rounds() { [ -n "$(find slow.db.runs -name '*.checkpoint-before')" ]; }
await seconds_of_rounds
kill -INT "$child"
wait "$child"
now=$(find slow.db.runs -name '*.checkpoint')
listens() { [ -n "$(find slow.db.runs -name '*.task')" ]; } # an interrupt before is lost
for tenths in $(seq 2 3 300); do # a busy machine: nothing is simulated yet
  cp "$now" as-it-was
  "$program" run slow.yaml --db slow.db --resume >slow.out 2>slow.err &
  child=$!
  await listens
  sleep "$((tenths / 10)).$((tenths % 10))"
  kill -INT "$child" 2>/dev/null
  wait "$child"
  check "slow: status 3" [ $? -eq 3 ]
  grep -q 'simulated again.*with less than about' slow.err && break
done
told='stopped after [1-9][0-9]* of the [0-9]+ rounds .* simulated again, in [0-9.]+ s; with less than about [0-9]+ s'
grep -qE "$told it comes no further" slow.err ||
  { echo "FAILED: stopped while simulating again: says so"; cat slow.err; failed=1; }
check "stopped while simulating again: the checkpoint stays" cmp -s "$now" as-it-was

"$program" run one.yaml --checkpoint every=5 >bad.out 2>bad.err
check "a time without a unit is status 2" [ $? -eq 2 ]
exit $failed
