#!/usr/bin/env bash
# Several `rehearse run` on one database, killed ones, and ones whose output nobody reads: no run is lost, none is done
# twice, nothing is left over.
#
#   bash tests/experiments/parents.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

# count DB STATUS: how many runs of the database have it
count() { "$program" list --db "$1" --json | grep -o "\"status\": \"$2\"" | wc -l; }

# begun DB: a run of it has rows
begun() {
  for file in "$1".runs/*.db; do
    "$program" list --db "$file" --json 2>/dev/null | grep -q '"status": "running"' && return
  done
  return 1
}
# A file of a run goes by its id; the process that works on it is written into its lock
child_of() { tr -d ' ' <"$(echo "$1".runs/*.lock)"; }

# study FILE ROUNDS SEEDS
study() {
  cat >"$1" <<YAML
platform: {file: ideal.xml, workers: 2}
model: {name: logreg}
train: {rounds: $2, evaluate_every: $2, evaluate_samples: 100}
time: {source: flops}
vary: {run.seed: [$3]}
YAML
}
study short.yaml 30 1..6
study long.yaml 1000000 1,2
study middle.yaml 6000 1

# Two at once: each run is done once, both end, and each says what it left to the other
"$program" run short.yaml --db two.db >/dev/null 2>one.err &
one=$!
"$program" run short.yaml --db two.db --jobs 2 >/dev/null 2>two.err &
two=$!
wait $one
first=$?
wait $two
second=$?
check "two at once: all done" [ "$(count two.db done)" -eq 6 ]
check "two at once: each run once" [ "$(cat one.err two.err | grep -c ': done, ')" -eq 6 ]
check "two at once: at least one ends well" [ $((first * second)) -eq 0 ]
check "two at once: no failure" sh -c '! grep -q "failed" one.err two.err'
check "two at once: nothing left" [ ! -e two.db.runs ]

# A run at which another process is: left to it, with its number and status 1
"$program" run long.yaml --db busy.db --set run.seed=1 >/dev/null 2>holder.err &
holder=$!
await begun busy.db
timeout 300 "$program" run long.yaml --db busy.db --set run.seed=1 >/dev/null 2>busy.err
check "busy: status 1" [ $? -eq 1 ]
check "busy: names the process" grep -q "process $(child_of busy.db) is at this run" busy.err
check "busy: says that it is not done" grep -q '^rehearse: 1 run that other processes are at is not done yet' busy.err
kill -TERM $holder
wait $holder
check "busy: the other goes on to its end" [ $? -eq 3 ]
check "busy: one run" [ "$(count busy.db interrupted)" -eq 1 ]
check "busy: nothing left but a checkpoint" [ "$(ls busy.db.runs)" = "$(cd busy.db.runs && ls -- *.checkpoint)" ]

# A parent that is killed: its run goes on, is merged by the next command, and not repeated
"$program" run middle.yaml --db killed.db >/dev/null 2>&1 &
parent=$!
await begun killed.db
child=$(child_of killed.db)
kill -KILL $parent
wait $parent 2>/dev/null
is_gone() { ! is_at_work "$child"; }
check "killed: the run ends" await is_gone
check "killed: files are left" [ -e killed.db.runs ]
"$program" run middle.yaml --db killed.db >/dev/null 2>killed.err
check "killed: status" [ $? -eq 0 ]
check "killed: merged" [ "$(count killed.db done)" -eq 1 ]
check "killed: not repeated" grep -q '^1 of 1 runs are in killed.db already' killed.err
check "killed: nothing left" [ ! -e killed.db.runs ]

# A file that a process was killed over, before it was a database
mkdir -p torn.db.runs
: >torn.db.runs/0123456789abcdef.lock
echo torn >torn.db.runs/0123456789abcdef.db
echo torn >torn.db.runs/0123456789abcdef.db.new-77
echo torn >torn.db.new-78
"$program" run short.yaml --db torn.db --set run.seed=1 >/dev/null 2>torn.err
check "torn: status" [ $? -eq 0 ]
check "torn: said" grep -q '0123456789abcdef.db: not a database' torn.err
check "torn: nothing left" [ "$(echo torn.db*)" = torn.db ]

# A reader that goes: the study is done all the same
"$program" run short.yaml --db pipe.db 2>&1 | head -n 1 >/dev/null
check "pipe: status" [ "${PIPESTATUS[0]}" -eq 0 ]
check "pipe: all done" [ "$(count pipe.db done)" -eq 6 ]
check "pipe: nothing left" [ ! -e pipe.db.runs ]

# Interrupted while steps are timed, before any run: no database
printf '%s\n' 'platform: {file: ideal.xml, workers: 2}' 'model: {name: cnn}' 'train: {batch: 1000}' \
  'time: {jitter: measured}' >timed.yaml # 200 samples of long steps, since the signal must come in between
"$program" run timed.yaml --db early.db >/dev/null 2>early.err &
parent=$!
await grep -q '^timing' early.err
kill -TERM $parent
wait $parent
check "early: status 3" [ $? -eq 3 ]
check "early: no database" [ ! -e early.db ]
check "early: nothing left" [ ! -e early.db.runs ]

[ $failed -eq 0 ] && echo "parents get along"
exit $failed
