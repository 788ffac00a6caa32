#!/usr/bin/env bash
# A disk that is full for a while: a run waits, says so, and goes on when there is space, with the rows of an
# undisturbed one. Told to end while it waits it leaves with status 3 and all that was committed. Skipped (status 77)
# where no small file system can be mounted.
#
#   bash tests/faults/full_disk.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/../experiments/common.sh" "$@"
mkdir disk
mount -t tmpfs -o size=24m tmpfs disk 2>/dev/null || {
  echo "full disk: skipped, since nothing can be mounted here"
  exit 77
}
trap 'umount "$work/disk"; rm -rf "$base"' EXIT

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 2}
data: {train: 200, test: 50}
model: {name: logreg}
train: {rounds: 12000, batch: 8, evaluate_every: 6000}
time: {source: flops}
YAML
rows() { sqlite3 "$1" \
  "SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM collectives ORDER BY run_id, sequence"; }
# The file of the run that is at work. sqlite3 would make one that is not there.
at_work() { find disk -path '*.runs/*.db' | head -n 1; }
begun() { [ "$(sqlite3 -readonly "$(at_work)" 'SELECT count(*) > 100 FROM rounds')" = 1 ]; }
fill() { dd if=/dev/zero of=disk/filler bs=1k count="$1" 2>/dev/null; }
# begin NAME ARGUMENT...
begin() {
  local name=$1
  shift
  "$program" run study.yaml --db "disk/$name.db" "$@" >"$name.out" 2>"$name.err" &
  parent=$!
}
waits() { check "$1: says that it waits" await grep -q 'no space is left on its disk; waiting' "$1.err"; }
# told NAME: a signal ends the study that waits; then there is space again
told() {
  kill -TERM $parent
  wait $parent
  check "$1: status 3" [ $? -eq 3 ]
  rm disk/filler
}
left=2048 # KiB: some for the files to be begun with, and less than the 2.2 MB of rows and their log need
little() { fill $(($(df --output=avail -k disk | tail -n 1) - left)); }
"$program" run study.yaml --db calm.db >/dev/null 2>calm.err
check "the rows need more than is left" [ "$(stat -c %s calm.db)" -gt $((1024 * left)) ]

little
begin paused
waits paused
rm disk/filler
wait $parent
check "paused: status 0" [ $? -eq 0 ]
check "paused: goes on to its end" [ "$(sqlite3 disk/paused.db "SELECT count(*) FROM runs WHERE status = 'done'")" = 1 ]
check "paused: the same rows" cmp <(rows calm.db) <(rows disk/paused.db)
rm -rf disk/*

little
begin again
waits again
told again
"$program" run study.yaml --db disk/again.db >again.out 2>again.err
check "again: the same command completes it" cmp <(rows calm.db) <(rows disk/again.db)
check "again: nothing is left" [ "$(echo disk/*)" = disk/again.db ]
rm -rf disk/*

# Of a run that takes long, when it has committed some rows
begin long --set train.rounds=10000000
await begun
fill 1000000
waits long
before=$(sqlite3 -readonly "$(at_work)" 'SELECT count(*) FROM rounds')
told long
after=$(sqlite3 "$(find disk -name '*.db' -size +0 | sort | tail -n 1)" 'SELECT count(*) FROM rounds')
check "long: what was committed is kept: $before rows, then $after" [ "${after:-0}" -ge "$before" ]

[ $failed -eq 0 ] && echo "a full disk costs time, not rows"
exit $failed
