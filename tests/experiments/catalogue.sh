#!/usr/bin/env bash
# Every platform of the catalogue loads, connects all its hosts and runs one `allreduce` and ten `dpsgd` rounds with a
# rank on every host: training for real up to 1024 ranks, above that timing only.
#
#   bash tests/experiments/catalogue.sh PROGRAM PLATFORMS LEAST MOST      files of the folder with so many hosts
platforms=$(realpath "$2") least=$3 most=$4
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"
real_most=1024

cat >study.yaml <<'YAML'
name: catalogue
platform: {file: ideal.xml, workers: 2}
network: {collective: auto}
data: {train: 1152, test: 10}
model: {name: logreg}
train: {batch: 1, evaluate_every: 10}
time: {source: flops}
zip: {train.method: [allreduce, dpsgd], train.rounds: [1, 10]}
YAML
files=0
for file in "$platforms"/*.xml; do
  name=$(basename "$file" .xml)
  # hosts, and pairs of them without a route
  read -r hosts cut < <("$program" platform "$file" --json |
    sed -nE 's/.*"hosts": ([0-9]+).*"without_route": ([0-9]+).*/\1 \2/p')
  check "$name: is described" [ -n "${hosts:-}" ] || continue
  [ "$hosts" -ge "$least" ] && [ "$hosts" -le "$most" ] || continue
  files=$((files + 1))
  check "$name: every host reaches every other" [ "$cut" -eq 0 ]
  compute=real
  [ "$hosts" -gt $real_most ] && compute=none
  "$program" run study.yaml --db cat.db --set platform.file="$file" --set platform.workers="$hosts" \
    --set run.compute=$compute >out 2>err || { cat err; check "$name: runs" false; }
  check "$name: one round and ten are done, with traffic and time" \
    [ "$(sqlite3 cat.db "SELECT group_concat(n) FROM (SELECT
    count(*) AS n FROM runs r JOIN rounds o ON o.run_id = r.id WHERE platform = '$name' AND status = 'done'
    AND workers = $hosts AND messages > 0 AND finish_s > 0 GROUP BY r.id ORDER BY n)")" = "1,10" ]
done
check "the folder holds such platforms" [ $files -gt 0 ]
check "training up to $real_most ranks, timing only above" [ "$(sqlite3 cat.db "SELECT count(*) FROM runs
  WHERE timing_only <> (workers > $real_most)")" -eq 0 ]
echo "$files platforms of $least to $most hosts"
exit $failed
