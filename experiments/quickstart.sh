#!/usr/bin/env bash
# The first five minutes: installs packages, builds, runs experiments/quickstart.yaml, shows what came out.
#
#   bash experiments/quickstart.sh                leaves quickstart.db and quickstart.html in the repository's root
#
# A second run builds what changed and runs only what is not in the database yet.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
program=build/release/experiments/rehearse
database=quickstart.db
page=quickstart.html

# Runs a step silently; on failure quotes the command and the end of what it said.
step() {
  local what=$1 log=build/quickstart.log
  shift
  mkdir -p build || exit 1
  echo "$what ..."
  if ! "$@" >"$log" 2>&1; then
    echo "quickstart: this failed: $*" >&2
    tail -n 30 "$log" | sed 's/^/    /' >&2
    echo "quickstart: all of its output is in $log" >&2
    exit 1
  fi
}

# A ready query: shows it as it can be typed, then its answer.
query() {
  echo
  echo "$1"
  echo "sqlite3 -box $database \"$2\""
  if command -v sqlite3 >/dev/null; then
    sqlite3 -box "$database" "$2" || exit 1
  else
    echo "(no answer here, since the command sqlite3 is not installed)"
  fi
}

bash experiments/packages.sh || exit 1
# For the report's charts; without, the page says that they are missing.
bash experiments/packages.sh nodejs npm 2>/dev/null
step "configuring" cmake --preset release
targets=(rehearse)
# The CUDA module takes minutes to compile: only where there is a driver, and nvcc.
ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1' && grep -q rehearse_cuda build/release/build.ninja &&
  targets+=(rehearse_cuda)
step "building" cmake --build --preset release --target "${targets[@]}"
echo

"$program" run experiments/quickstart.yaml --db "$database"
status=$?
if [ $status -ne 0 ]; then
  echo "quickstart: this ended with status $status: $program run experiments/quickstart.yaml --db $database" >&2
  exit $status
fi

echo
echo "Everything is in $PWD/$database. Two queries to start with:"
query "When did each run first reach 90 % test accuracy, in simulated seconds, and after how many bytes per worker?" \
  "SELECT r.platform, r.method, r.compressor, t.round, printf('%.3f', min(t.simulated_s)) AS simulated_s,
  printf('%.1f', t.wire_bytes / 1e6 / r.workers) AS MB_per_worker
FROM time_to_accuracy t JOIN runs r ON r.id = t.run_id
WHERE t.accuracy >= 0.9 AND r.study = 'quickstart' GROUP BY r.id ORDER BY r.platform, min(t.simulated_s)"
query "Which link carried most in each run, and how busy was it?" \
  "SELECT r.platform, r.method, r.compressor, l.link, printf('%.1f', max(l.bytes) / 1e6) AS MB,
  printf('%.1f', 100 * l.busy_s / r.simulated_s) AS busy_percent
FROM traffic l JOIN runs r ON r.id = l.run_id
WHERE r.study = 'quickstart' GROUP BY r.id ORDER BY r.platform, max(l.bytes) DESC"

echo
"$program" report --study quickstart --db "$database" -o "$page" >/dev/null || exit 1
echo "The answer as a page, with curves, the network over time and how to repeat each run:"
echo "$PWD/$page"
echo
echo "What next: copy experiments/quickstart.yaml, change a line, and"
echo "    $program run mine.yaml --db mine.db"
