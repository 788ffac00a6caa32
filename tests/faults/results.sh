#!/usr/bin/env bash
# Results in files on a disk that is full or failing: the file is there whole or not at all, what was there before
# stays, the message names it, and nothing is left beside it.
#
#   bash tests/faults/results.sh PROGRAM FAULT.so [all]     all: every write of each command fails in turn; else the
#                                                           last ones
here=$(dirname "${BASH_SOURCE[0]}")
preload=$(realpath "$2")
. "$here/../experiments/common.sh" "$@"
which=${3:-last}

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 2}
data: {train: 200, test: 50}
model: {name: logreg}
train: {rounds: 20, batch: 8, evaluate_every: 10}
time: {source: flops}
YAML
"$program" run study.yaml --db one.db >/dev/null 2>one.err || {
  tail -n 3 one.err
  echo "FAILED: the study"
  exit 1
}
beside() { find . -not -name '*.err' -not -name 'one.db-*' | sort; } # SQLite cannot tidy up on a full disk

# spoil RESULT ARGUMENT...: the command, which writes RESULT, with one failing write after the other
total=0
spoil() {
  local result=$1 kind at first=1 writes before status
  shift
  rm -rf "$result"
  FAULT_COUNT=$base/count FAULT_WHO=$1 FAULT_KIND=none FAULT_AT=0 LD_PRELOAD=$preload "$program" \
    "$@" >/dev/null 2>calm.err
  check "$*: without a fault" [ $? -eq 0 ]
  writes=$(tail -n 1 "$base/count")
  rm -f "$base/count"
  [ $which = all ] || first=$((writes > 3 ? writes - 3 : 1))
  [ -d "$result" ] || cp "$result" "$base/calm"
  for kind in enospc eio short; do
    for ((at = first; at <= writes; at++)); do
      rm -rf "$result"
      [ $((at % 2)) -eq 0 ] && [ ! -d "$result" ] && [ "$1" != plan ] && echo "what was there before" >"$result"
      before=$(beside)
      cp "$result" "$base/before" 2>/dev/null || rm -f "$base/before"
      FAULT_WHO=$1 FAULT_KIND=$kind FAULT_AT=$at LD_PRELOAD=$preload "$program" "$@" >/dev/null 2>spoilt.err
      status=$?
      total=$((total + 1))
      if [ $status -eq 0 ]; then
        [ -d "$result" ] || check "$*, $kind at write $at: whole" cmp -s "$result" "$base/calm"
      else
        check "$*, $kind at write $at: nothing is left: $(comm -13 <(echo "$before") <(beside) | paste -sd' ')" \
          [ "$(beside)" = "$before" ]
        [ ! -e "$base/before" ] || check "$*, $kind at write $at: what was there stays" cmp -s "$result" "$base/before"
        check "$*, $kind at write $at: names a file: $(tail -n 1 spoilt.err)" \
          grep -qE "($result|one\.db)[^ ]*: .*(space|full|Input/output|I/O|cannot be)" spoilt.err
      fi
    done
  done
  rm -rf "$result"
}
spoil out.csv export --db one.db --format csv -o out.csv
spoil out.npz export --db one.db --format npz -o out.npz
spoil out.json export --db one.db --format chrome-trace -o out.json
spoil out.html report --db one.db -o out.html
spoil out.xml platform -g torus -o out.xml
spoil out.svg platform ideal.xml --svg out.svg
spoil planned plan study.yaml -o planned --slurm
[ $failed -eq 0 ] && echo "$total faults left no half of a result"
exit $failed
