#!/usr/bin/env bash
# A study of 12 runs whose processes are killed with SIGKILL at random moments, again and again, and that is continued
# each time, now from the beginning of each run and now from a checkpoint: at the end every run is there once, and its
# rows are those of an undisturbed study.
#
#   bash tests/experiments/torture.sh PROGRAM [KILLS [SEED]]
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"
kills=${2:-12}
seed=${3:-$(($(date +%s) % 32768))}
RANDOM=$seed
echo "repeat with: torture.sh PROGRAM $kills $seed (moments differ with the machine's load all the same)"

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 4}
data: {train: 600, test: 200, partition: skew}
model: {name: logreg}
train: {rounds: 600, batch: 8, evaluate_every: 100}
compress: {bits: 4}
time: {source: flops}
vary:
  train.method: [allreduce, dpsgd]
  compress.name: [none, qsgd]
  run.seed: [1..3]
YAML

# rows DB: everything that a run computed or simulated, without what the machine adds
rows() {
  sqlite3 "$1" \
    "SELECT id, status, reason, configuration, rounds_done, simulated_s, parameters_hash, command FROM runs ORDER BY id;
    SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM evaluations ORDER BY run_id, round;
    SELECT * FROM links ORDER BY run_id, link; SELECT * FROM link_bins ORDER BY run_id, link, bin;
    SELECT * FROM ranks ORDER BY run_id, rank; SELECT * FROM collectives ORDER BY run_id, sequence;
    SELECT * FROM class_counts ORDER BY run_id, rank, class; SELECT * FROM warnings ORDER BY run_id, sequence;
    SELECT * FROM studies;" | sed -E 's/run\.(threads|memory)=.*//; s/ --(db|jobs) [^ ]*//g'
}
"$program" run study.yaml --db calm.db --jobs 2 >/dev/null 2>calm.err || {
  tail -n 3 calm.err
  echo "FAILED: the undisturbed study"
  exit 1
}

# kill_some PID: the parent, one of its children, or all of them
kill_some() {
  local children=() victims=()
  read -ra children <"/proc/$1/task/$1/children"
  case $((RANDOM % 3)) in
    0) victims=("$1") ;;
    1) victims=("${children[@]:0:1}") ;;
    *) victims=("$1" "${children[@]}") ;;
  esac
  [ ${#victims[@]} -gt 0 ] || victims=("$1")
  kill -KILL "${victims[@]}" 2>/dev/null
}

nobody_is_at_work() {
  local pid
  for pid in $(cat torn.db.runs/*.lock); do is_at_work "$pid" && return 1; done
  return 0
}

killed=0 restarts=0
ways=('' '--resume' '--resume --checkpoint every=30ms' '--checkpoint every=100ms')
resumed=0
while [ $killed -lt "$kills" ]; do
  way=${ways[RANDOM % 4]}
  case $way in --resume*) ls torn.db.runs/*.checkpoint >/dev/null 2>&1 && resumed=$((resumed + 1)) ;; esac
  # shellcheck disable=SC2086 # words of their own
  "$program" run study.yaml --db torn.db --jobs 2 $way >/dev/null 2>torn.err &
  parent=$!
  sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))" # up to 2 s, of which planning takes some tenths
  if kill -0 $parent 2>/dev/null; then
    kill_some $parent 2>/dev/null && killed=$((killed + 1))
    # a parent that lives on goes on; the next one comes beside it now and then
    [ $((RANDOM % 4)) -eq 0 ] || { kill -KILL $parent 2>/dev/null; }
  fi
  if [ $((RANDOM % 8)) -eq 0 ]; then wait $parent 2>/dev/null; fi
  check "integrity after kill $killed" \
    sh -c '[ ! -e torn.db ] || [ "$(sqlite3 torn.db "PRAGMA integrity_check")" = ok ]'
  # a study that is done is begun anew, so that there is always something to kill
  if [ -e torn.db ] && [ "$(sqlite3 torn.db "SELECT count(*) FROM runs WHERE status = 'done'" 2>/dev/null)" = 12 ]; then
    wait
    rows torn.db | cmp -s - <(rows calm.db) || {
      echo "FAILED: rows after $killed kills"
      failed=1
    }
    # children of parents that were killed end on their own; what they write belongs to the old database
    check "children end" await nobody_is_at_work
    restarts=$((restarts + 1))
    rm -rf torn.db*
  fi
done
wait

# Continued until all is done: what was left to a process that lives on may need a second look
completed() { "$program" run study.yaml --db torn.db --jobs 2 --resume >/dev/null 2>torn.err; }
check "the study is completed" await completed
check "all are done" [ "$(sqlite3 torn.db "SELECT count(*) FROM runs WHERE status = 'done'")" -eq 12 ]
check "every run once" [ "$(sqlite3 torn.db "SELECT count(*) FROM runs")" -eq 12 ]
check "integrity" [ "$(sqlite3 torn.db 'PRAGMA integrity_check')" = ok ]
check "foreign keys" [ -z "$(sqlite3 torn.db 'PRAGMA foreign_key_check')" ]
rows calm.db >calm.rows
rows torn.db >torn.rows
check "the rows of an undisturbed study" cmp calm.rows torn.rows
check "nothing is left: $(find torn.db?* 2>/dev/null | paste -sd' ')" [ "$(echo torn.db*)" = torn.db ]
[ $failed -eq 0 ] &&
  echo "survived $killed kills, $resumed times with checkpoints to go on from;" \
    "the study was done $((restarts + 1)) times"
exit $failed
