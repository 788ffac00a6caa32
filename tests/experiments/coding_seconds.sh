#!/usr/bin/env bash
# Seconds of encoding and decoding: what ranks are said to have spent is the sum of the steps that a trace tells, also
# where rounds are skipped, and replayed.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"
command -v sqlite3 >/dev/null || { echo "skipped: sqlite3 is not installed"; exit 77; }
cat >s.yaml <<'YAML'
name: s
platform: {file: fat-tree-64.xml, workers: 4}
model: {name: mlp}
train: {method: allreduce, rounds: 40}
compress: {name: qsgd}
network: {model: CM02}
time: {source: flops}
run: {compute: none}
YAML
run() { "$program" run s.yaml --db "$1.db" "${@:2}" >"$1.log" 2>&1 || { cat "$1.log"; exit 1; }; }
value() { sqlite3 "$1.db" "$2"; }
run traced --set run.trace=1..40
run skipped
run full --set network.steady=off

told="(SELECT coalesce(sum(finish_s - start_s), 0) FROM events e WHERE e.rank = r.rank AND e.kind ="
for part in encode decode; do
  check "$part: the sum of what was traced" \
    [ "$(value traced \
      "SELECT count(*) FROM ranks r WHERE ${part}_s > 0 AND abs(${part}_s - $told '$part')) < 1e-9 * ${part}_s")" = 4 ]
  for other in skipped full; do
    value traced \
      "ATTACH '$other.db' AS o; SELECT count(*) FROM ranks r JOIN o.ranks q USING (rank) WHERE
        abs(r.${part}_s - q.${part}_s) < 1e-9 * r.${part}_s" >count
    check "$part: the same in the $other run" [ "$(cat count)" = 4 ]
  done
done
check "rounds were skipped" [ "$(value skipped "SELECT skipped_rounds > 10 FROM runs")" = 1 ]
check "of computing, encoding and decoding are a part" \
  [ "$(value full "SELECT min(encode_s + decode_s < compute_s) FROM ranks")" = 1 ]
check "show says both" \
  bash -c "'$program' show \$(sqlite3 full.db 'SELECT id FROM runs') --db full.db | grep -q '  encode *decode\$'"
run again --set compress.name=none
check "nothing is encoded without a compressor" [ "$(value again "SELECT max(encode_s + decode_s) FROM ranks")" = 0.0 ]
exit $failed
