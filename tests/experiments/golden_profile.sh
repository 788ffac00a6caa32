#!/usr/bin/env bash
# A committed profile gives the same timeline on any machine, whatever computes there.
#
#   bash tests/experiments/golden_profile.sh PROGRAM
#
# The figures are what this prints, of quickstart.yaml's eight runs with three rounds each:
#
#   rehearse run quickstart.yaml --set time.source=profile --set time.profile=cpu-xeon --set train.rounds=3 \
#     --db golden.db
#   sqlite3 golden.db "SELECT platform, method, compressor, printf('%.12g', simulated_s) FROM runs ORDER BY 1, 2, 3"
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >golden.txt <<'TXT'
edge-wifi-16|allreduce|none|3.03324511177
edge-wifi-16|allreduce|qsgd|6.11791478651
edge-wifi-16|dpsgd|none|3.23444274755
edge-wifi-16|dpsgd|qsgd|0.816979090133
fat-tree-64|allreduce|none|0.0015248078645
fat-tree-64|allreduce|qsgd|0.00179106209783
fat-tree-64|dpsgd|none|0.00147985089735
fat-tree-64|dpsgd|qsgd|0.00149300187725
TXT

# same NAME PATTERN ARGUMENT...: the runs whose golden line matches take the golden seconds, to 1e-9 of them: the
# network's state is computed in doubles by whatever compiler and SimGrid are here
same() {
  local name=$1
  grep -E "$2" golden.txt >expected.txt
  shift 2
  "$program" run quickstart.yaml --set time.source=profile --set time.profile=cpu-xeon --set train.rounds=3 \
    --set data.train=512 --set data.test=50 "$@" --db "$name.db" >"$name.txt" 2>"$name.err" || {
    cat "$name.err"
    failed=1
    return
  }
  sqlite3 "$name.db" "SELECT platform, method, compressor, printf('%.12g', simulated_s) FROM runs ORDER BY 1, 2, 3" |
    paste -d'|' expected.txt - | awk -F'|' -v name="$name" '
      { bad = $1 != $5 || $2 != $6 || $3 != $7 || $4 == 0 || ($8 - $4) ^ 2 > ($4 * 1e-9) ^ 2 }
      bad { print "FAILED: " name ": " $0; failed = 1 }
      END { exit failed || NR == 0 }' || failed=1
}
same cpu .
same oracle '^fat-tree-64.dpsgd.qsgd' --set run.backend=ref --set platform.file=fat-tree-64.xml \
  --set train.method=dpsgd --set compress.name=qsgd --set data.train=512 --set data.test=20
exit $failed
