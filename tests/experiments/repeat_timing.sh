#!/usr/bin/env bash
# `rehearse run --repeat-timing`: intervals of the time to accuracy.
#
#   bash tests/experiments/repeat_timing.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >board.json <<'JSON'
{"device": "a board", "backend": "npu", "durations": [
  {"name": "npu/logreg 28x28x1 7850/batch 8/forward", "samples": 200, "median_s": 1, "low_s": 0.9, "high_s": 1.1},
  {"name": "npu/logreg 28x28x1 7850/batch 8/backward dense1", "samples": 200, "median_s": 2, "low_s": 1.9,
   "high_s": 2.1},
  {"name": "npu/logreg 28x28x1 7850/sgd/update", "samples": 200, "median_s": 4, "low_s": 3.9, "high_s": 4.1}]}
JSON
cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 1}
data: {train: 400, test: 100}
model: {name: logreg}
train: {rounds: 40, batch: 8, evaluate_every: 2}
stop: {accuracy: 0.3}
time: {source: profile, profile: board.json, jitter: 0.2}
YAML

# One worker: a round takes 7 s on average, with a deviation of .2 sqrt(1 + 4 + 16) s. The target is reached in round R;
# the mean of 40 draws of the time of R rounds is within five standard errors of 7 R, and their spread is not nothing
"$program" run study.yaml --repeat-timing 40 >run.txt 2>run.err
check "status" [ $? -eq 0 ]
check "told below the table" says run.txt 'time to the target accuracy with durations drawn 40 times'
check "a line" says run.txt 'ideal 1 allreduce none seed 1: target in round [0-9]+: [0-9.]+ s; nine draws in ten '
check "values are not computed again" [ "$(grep -c 'mathematics' run.txt)" -eq 0 ]
"$program" run study.yaml --repeat-timing 40 --json >run.json 2>/dev/null
check "json: the same draws again" [ "$(sed -n 's/.*"median_s": \([0-9.]*\).*/\1/p' run.json | wc -l)" -eq 1 ]
sqlite3 :memory: \
  "SELECT t.value ->> '\$.round', t.value ->> '\$.least_s', t.value ->> '\$.median_s', t.value ->> '\$.largest_s',
  t.value ->> '\$.seconds' FROM json_each(readfile('run.json'), '\$.timings') t" >figures.txt
check "figures" awk -F'|' '{ s = .2 * sqrt(21 * $1)
  exit !($1 > 0 && $2 < $3 && $3 < $4 && ($3 - 7 * $1) ^ 2 < (5 * 1.2533 * s / sqrt(40)) ^ 2 &&
    $4 - $2 > s && $4 - $2 < 12 * s) }' figures.txt
# Stored with the run, once: what was told is what the view says, and `show` and the exports have it
check "one run, 40 draws" \
  [ "$(sqlite3 rehearse.db 'SELECT (SELECT count(*) FROM runs), count(*) FROM timing_draws')" = '1|40' ]
check "the interval that was told" [ "$(sqlite3 rehearse.db "SELECT count(*) FROM timing_interval i,
  json_each(readfile('run.json'), '\$.timings') t WHERE i.round = t.value ->> '\$.round' AND i.draws = 40
    AND i.least_s = t.value ->> '\$.least_s'
  AND i.largest_s = t.value ->> '\$.largest_s' AND abs(i.low_s - t.value ->> '\$.low_s') < 1e-6 AND
    abs(i.median_s - t.value ->> '\$.median_s') < 1e-6
  AND abs(i.high_s - t.value ->> '\$.high_s') < 1e-6 AND i.finish_s = t.value ->> '\$.seconds'
    AND i.mathematics_again = ''")" = 1 ]
run=$(sqlite3 rehearse.db 'SELECT id FROM runs')
"$program" show "$run" >show.txt
check "show tells it" says show.txt '^  draws +40'
"$program" export "$run" --table timing_draws --format csv >draws.csv
check "export has the draws" [ "$(wc -l <draws.csv)" = 41 ]
"$program" run study.yaml --repeat-timing 3 >/dev/null 2>&1
check "later draws take their place" [ "$(sqlite3 rehearse.db 'SELECT count(*) FROM timing_draws')" = 3 ]
sqlite3 rehearse.db 'PRAGMA foreign_keys = ON; DELETE FROM runs'
check "they go with the run" [ "$(sqlite3 rehearse.db 'SELECT count(*) FROM timing_draws')" = 0 ]

# Several workers, measured durations, without a target: the last round; several methods and compressors
sed -i '/^stop/d; s/workers: 1/workers: 3/; s/rounds: 40/rounds: 6/' study.yaml
for method in allreduce dpsgd; do
  "$program" run study.yaml --set time.source=measured --set train.method=$method --set compress.name=qsgd --db m.db \
    --repeat-timing 3 >m.txt 2>m.err || cat m.err
  check "$method: no target" says m.txt 'no target, last in round 6: .*nine draws in ten'
  check "$method: values are not computed again" [ "$(grep -c 'mathematics' m.txt)" -eq 0 ]
done
# A repetition without values takes, with the same drawing, what the run took
same=(--db none.db)
"$program" run study.yaml "${same[@]}" >/dev/null 2>none.err &&
  "$program" run study.yaml "${same[@]}" --set run.compute=none >/dev/null 2>none.err || cat none.err
check "without values: the same time, bit for bit" \
  [ "$(sqlite3 none.db 'SELECT count(*) || count(DISTINCT simulated_s) FROM runs')" = 21 ]

# Lengths that follow from values: the mathematics is done again, and it is said
"$program" run study.yaml --set time.source=measured --set compress.name=threshold --db m.db \
  --repeat-timing 2 >m.txt 2>m.err || cat m.err
check "threshold: says that it computes again" says m.txt 'the mathematics was done again: .*threshold'

# What is refused
"$program" run study.yaml --set time.jitter=off --repeat-timing 5 --db off.db >/dev/null 2>off.err
check "without jitter: status" [ $? -eq 2 ]
check "without jitter: says how" says off.err 'time\.jitter is off in all runs: set it to measured'
check "without jitter: no database" [ ! -e off.db ]
for draws in 1 0 -3 x 1001; do
  "$program" run study.yaml --repeat-timing "$draws" --db off.db >/dev/null 2>&1
  check "$draws draws: status" [ $? -eq 2 ]
done
exit $failed
