#!/usr/bin/env bash
# How fast the report page draws a network of 11,776 links: bash tests/bench/network_view.sh PROGRAM [CHANGED]
#
# PROGRAM: rehearse, built with charts. CHANGED: with random loads in every moment, where a real run's often stay as
# they are. Needs node, npm and chromium; see network_view.mjs for what a frame is.
program=$(realpath "$1") self=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$(mktemp -d) && cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT
cp "$self/network_view.mjs" "$self"/../analysis/report/package*.json . &&
  npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; exit 1; }
"$program" platform -g torus sizes=16x16x8 -o torus.xml >/dev/null || exit 1
cat >s.yaml <<'YAML'
name: s
platform: {file: torus.xml, workers: 2048}
model: {name: mlp}
train: {method: allreduce, rounds: 1}
network: {collective: halving-doubling}
time: {source: flops}
run: {compute: none}
YAML
"$program" run s.yaml --db s.db >log 2>&1 && "$program" report --db s.db -o s.html >>log 2>&1 ||
  { tail -5 log; exit 1; }
CHROMIUM=$(command -v chromium || command -v chromium-browser) node network_view.mjs s.html "${2:-}"
echo "load average: $(cut -d' ' -f1 /proc/loadavg)"
