#!/usr/bin/env bash
# One write of a study fails, below SQLite and stdio: no space, an I/O error, half of it written. Whatever the write:
# the database is sound, what it holds as done is right, what was committed before is kept, and the same command then
# completes the study.
#
#   bash tests/faults/faults.sh PROGRAM FAULT.so [EVERY]     EVERY: of how many writes one fails; 1: each in turn
here=$(dirname "${BASH_SOURCE[0]}")
preload=$(realpath "$2")
. "$here/../experiments/common.sh" "$@"
every=${3:-1}

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 2}
data: {train: 200, test: 50}
model: {name: logreg}
train: {rounds: 40, batch: 8, evaluate_every: 10}
time: {source: flops}
vary: {run.seed: [1, 2]}
YAML
rows() {
  sqlite3 "$1" \
    "SELECT id, status, rounds_done, simulated_s, parameters_hash FROM runs WHERE status = 'done' ORDER BY id;
    SELECT * FROM rounds WHERE run_id IN (SELECT id FROM runs WHERE status = 'done') ORDER BY run_id, round;
    SELECT * FROM evaluations WHERE run_id IN (SELECT id FROM runs WHERE status = 'done') ORDER BY run_id, round;
    SELECT * FROM links WHERE run_id IN (SELECT id FROM runs WHERE status = 'done') ORDER BY run_id, link;
    SELECT * FROM ranks WHERE run_id IN (SELECT id FROM runs WHERE status = 'done') ORDER BY run_id, rank;"
}
# study WHO KIND AT ARGUMENT...: the study with a fault, which may not hang: a full disk that stays full is left by a
# signal
study() {
  local who=$1 kind=$2 at=$3
  shift 3
  FAULT_WHO=$who FAULT_KIND=$kind FAULT_AT=$at LD_PRELOAD=$preload timeout -s TERM -k 200 "${patience:-60}" \
    "$program" run study.yaml --jobs 1 "$@" >fault.out 2>fault.err
}

"$program" run study.yaml --jobs 1 --db calm.db >/dev/null 2>calm.err
rows calm.db >calm.rows
check "the undisturbed study" [ "$(sqlite3 calm.db "SELECT count(*) FROM runs WHERE status = 'done'")" -eq 2 ]
"$program" run study.yaml --db first.db --set run.seed=1 >/dev/null 2>calm.err # what is committed before the fault
first=$(rows first.db)
sqlite3 first.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null

# disturb WHO KIND AT: one fault, then the checks
disturb() {
  local name="$1, $2 at write $3" status
  rm -rf torn.db*
  cp first.db torn.db
  study "$1" "$2" "$3" --db torn.db
  status=$?
  cp fault.err first_fault.err
  # 124: timeout had to say that the disk stays full; the program then leaves with 3, or 1 if a run of it failed
  check "$name: ends with 0, 1, 2 or 3, or told to: $status: $(tail -n 1 fault.err)" \
    [ $status -le 3 -o $status -eq 124 ]
  check "$name: integrity" [ "$(sqlite3 torn.db 'PRAGMA integrity_check')" = ok ]
  check "$name: no wrong row" [ -z "$(comm -23 <(rows torn.db | sort) <(sort calm.rows))" ]
  check "$name: the first run is kept" [ -z "$(comm -23 <(echo "$first" | sort) <(rows torn.db | sort))" ]
  "$program" run study.yaml --jobs 1 --db torn.db >again.out 2>again.err
  check "$name: then completed: $(tail -n 1 again.err)" [ $? -eq 0 ]
  check "$name: completed with the same rows" cmp -s calm.rows <(rows torn.db)
  check "$name: nothing left" [ "$(echo torn.db*)" = torn.db ]
}

total=0
for who in run _execute; do
  rm -rf torn.db* count
  cp first.db torn.db
  FAULT_COUNT=$work/count study $who none 0 --db torn.db
  writes=$(tail -n 1 count)
  check "$who: writes are counted" [ "${writes:-0}" -gt 10 ]
  for kind in eio short enospc; do
    step=$every patience=60
    # a disk that stays full is waited for: each costs the time until the signal, so fewer
    [ $kind = enospc ] && step=$((2 * every)) patience=4
    for ((at = 1 + step / 2; at <= writes; at += step)); do
      disturb $who $kind $at
      total=$((total + 1))
    done
  done
  echo "$who: $writes writes"
done
[ $failed -eq 0 ] && echo "$total faults did no harm"
exit $failed
