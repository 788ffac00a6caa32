#!/usr/bin/env bash
# The report page in a browser, offline: what report/page.mjs checks, for a study with seeds and traced rounds, a run of
# ab with factors, timing alone, and the pages that test_report writes of hostile, killed and empty databases.
#
#   bash tests/analysis/report_page.sh PROGRAM TEST_REPORT BUILD_FOLDER [SCREENSHOTS]
#
# Status 77, and why: node, npm, chromium or playwright-core is not there, or the program was built without charts.
self=$(realpath "${BASH_SOURCE[0]}")
. "$(dirname "${BASH_SOURCE[0]}")/../experiments/common.sh" "$@"
scripts=$(realpath "$(dirname "$self")")/report
test_report=$2 build=$3 shots=${4:-}
skip() {
  echo "skipped: $1"
  exit 77
}
command -v node >/dev/null && command -v npm >/dev/null || skip "node or npm is not installed"
chromium=$(command -v chromium || command -v chromium-browser) || skip "chromium is not installed"
"$chromium" --version >/dev/null 2>&1 || skip "$chromium does not start" # a stand-in for a package of another kind
mkdir -p "$build" && cp "$scripts"/package*.json "$scripts/page.mjs" "$build" || exit 1
[ -e "$build/node_modules/complete" ] ||
  (cd "$build" && timeout 200 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 >npm.log 2>&1 &&
    touch node_modules/complete) || skip "npm could not fetch playwright-core"

cat >seeds.yaml <<'YAML'
name: seeds
question: Does it pay to send 8 bits, <b>here</b> & there?
platform: {file: fat-tree-64.xml, workers: 4}
data: {train: 400, test: 200}
model: {name: mlp}
graph: {name: ring}
train: {rounds: 12, batch: 8, lr: 0.1, evaluate_every: 2}
time: {source: flops}
stop: {accuracy: 0.3}
run: {trace: 1..2}
vary: {platform.workers: [4, 8], train.method: [allreduce, dpsgd], compress.name: [none, qsgd], run.seed: [1..6]}
YAML
cat >ab.yaml <<'YAML'
name: ab
platform: {file: edge-wifi-16.xml, workers: 8}
data: {train: 400, test: 200}
model: {name: mlp}
train: {method: ab, ab_sync: only-b, dense_ends: off, rounds: 30, batch: 8, lr: 0.1, evaluate_every: 5}
time: {source: flops}
YAML
"$program" run seeds.yaml --db seeds.db >log 2>&1 || { tail -5 log; exit 1; }
"$program" run ab.yaml --db seeds.db >log 2>&1 || { tail -5 log; exit 1; }
"$program" report --study seeds --db seeds.db -o seeds.html >/dev/null &&
  "$program" report --study ab --db seeds.db -o ab.html >/dev/null || exit 1
RH_PAGES=$work "$test_report" >log 2>&1 || { tail -5 log; exit 1; }
grep -q 'globalThis.chartsMissing =' seeds.html && skip "the program was built without npm, so its pages have no charts"
check "the page in a browser" env CHROMIUM="$chromium" SHOTS="$shots" node "$build/page.mjs" "$work"
exit $failed
