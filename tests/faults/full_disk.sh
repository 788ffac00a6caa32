#!/usr/bin/env bash
# A disk that is full for a while: a run waits, says so, and goes on when there is space, with the rows of an undisturbed one.
# Told to end while it waits it leaves with status 3 and all that was committed. Skipped (status 77) where no small file
# system can be mounted.
#
#   bash tests/faults/full_disk.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/../experiments/common.sh" "$@"
mkdir disk
mount -t tmpfs -o size=24m tmpfs disk 2>/dev/null || {
  echo "full disk: skipped, since nothing can be mounted here"
  exit 77
}
trap 'umount "$work/disk"; rm -rf "$work"' EXIT

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 2}
data: {train: 200, test: 50}
model: {name: logreg}
train: {rounds: 12000, batch: 8, evaluate_every: 6000}
time: {source: flops}
YAML
rows() { sqlite3 "$1" "SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM collectives ORDER BY run_id, sequence"; }
# await COMMAND...: until it succeeds, at most 60 s
await() {
  for _ in $(seq 600); do
    "$@" 2>/dev/null && return
    sleep 0.1
  done
  return 1
}
# The file of the run that is at work. sqlite3 would make one that is not there.
at_work() { find disk -path '*.runs/*.db' | head -n 1; }
begun() { [ "$(sqlite3 -readonly "$(at_work)" 'SELECT count(*) > 100 FROM rounds')" = 1 ]; }
# run DB: begins, and waits on a disk that is full
run() {
  "$program" run study.yaml --db "disk/$1.db" >"$1.out" 2>"$1.err" &
  parent=$!
  await begun
  dd if=/dev/zero of=disk/filler bs=4k 2>/dev/null
  check "$1: says that it waits" await grep -q 'no space is left on its disk; waiting' "$1.err"
}

run paused
rm disk/filler
wait $parent
check "paused: status 0" [ $? -eq 0 ]
check "paused: goes on to its end" [ "$(sqlite3 disk/paused.db "SELECT count(*) FROM runs WHERE status = 'done'")" = 1 ]
"$program" run study.yaml --db calm.db >/dev/null 2>calm.err
check "paused: the same rows" cmp <(rows calm.db) <(rows disk/paused.db)
rm -rf disk/*

run told
before=$(sqlite3 -readonly "$(at_work)" 'SELECT count(*) FROM rounds')
kill -TERM $parent
wait $parent
check "told: status 3" [ $? -eq 3 ]
rm disk/filler
after=$(sqlite3 "$(find disk -name '*.db' -size +0 | sort | tail -n 1)" 'SELECT count(*) FROM rounds')
check "told: what was committed is kept: $before rows, then $after" [ "${after:-0}" -ge "$before" ]
"$program" run study.yaml --db disk/told.db >told.out 2>told.err
check "told: the same command completes it" cmp <(rows calm.db) <(rows disk/told.db)
check "told: nothing is left" [ "$(echo disk/*)" = disk/told.db ]

[ $failed -eq 0 ] && echo "a full disk costs time, not rows"
exit $failed
