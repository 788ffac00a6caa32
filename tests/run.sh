#!/usr/bin/env bash
# Installs what is needed, builds and tests.
#
#   bash tests/run.sh [--long] [--no-asan]
#
#   --long      all tests, those with the label long too, and clang-tidy; default: the tests with the label fast
#   --no-asan   leaves out the second pass, with AddressSanitizer and UndefinedBehaviorSanitizer. In the fast tier that
#               pass leaves out whole studies (label study), and is left out when the first one took more than 9
#               minutes, so that both stay below 15
# The last lines are the closing lines of ctest: of the first pass that failed, else of the last. Status 0: everything
# built and passed, and the linters of version 14 found nothing.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

label=(-L fast)
long=no
asan=yes
for argument in "$@"; do
  case $argument in
    --long)
      label=()
      long=yes
      ;;
    --no-asan) asan=no ;;
    *)
      echo "usage: bash tests/run.sh [--long] [--no-asan]" >&2
      exit 2
      ;;
  esac
done
jobs=$(nproc)
failed=0
lint_failed=0

# Configures, builds and tests a preset. A failed test is remembered; where nothing was built there is nothing to test.
pass() {
  local preset=$1 log=build/$1/ctest.log
  shift
  cmake --preset "$preset" "$@" && cmake --build --preset "$preset" -j "$jobs" || exit 1
  [ $failed -ne 0 ] || closing=$log
  ctest --preset "$preset" -j "$jobs" --no-tests=error "${label[@]+"${label[@]}"}" 2>&1 | tee "$log"
  [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
}

# Says what a linter found, and fails the run if it is of version 14, under which the tree is clean. Other versions find
# other things: what they say is for reading.
judge() {
  local linter=$1 found=$2 what=$3
  if [ "$found" -gt 0 ] && "$linter" --version | grep -q 'version 14\.'; then
    lint_failed=1
    what+=", which fails this run"
  fi
  echo "$linter: $found $what"
}

lint() {
  if ! git ls-files -z -- '*.c' '*.h' '*.cpp' '*.cu' >build/sources 2>/dev/null || [ ! -s build/sources ]; then
    echo "clang-format: left out, since git does not say which files are ours"
  elif command -v clang-format >/dev/null; then
    xargs -0 clang-format --dry-run <build/sources >build/clang-format.log 2>&1
    judge clang-format "$(grep -c 'warning:' build/clang-format.log)" \
      "places differ from .clang-format, in build/clang-format.log"
  else
    echo "clang-format: left out, since it is not installed"
  fi
  [ $long = yes ] || return 0
  if command -v run-clang-tidy >/dev/null; then
    # Not *.cu: version 14 knows neither nvcc's options nor the headers of CUDA 13.
    run-clang-tidy -quiet -j "$jobs" -p build/ci '\.(c|cpp)$' >build/ci/clang-tidy.log 2>&1
    judge clang-tidy "$(grep -c 'warning:' build/ci/clang-tidy.log)" "warnings, in build/ci/clang-tidy.log"
  else
    echo "clang-tidy: left out, since it is not installed"
  fi
}

linters=(clang-format)
[ $long = no ] || linters+=(clang-tidy)
bash experiments/packages.sh libcmocka-dev python3-numpy || exit 1
bash experiments/packages.sh "${linters[@]}" 2>/dev/null # if not, lint says so
bash experiments/packages.sh nodejs npm chromium 2>/dev/null # if not, the page has no charts, and its test is skipped
[ $long = no ] || bash experiments/packages.sh slurm-wlm 2>/dev/null # if not, the test of Slurm says so and is skipped

SECONDS=0
pass ci
first_pass_s=$SECONDS
lint
if [ $asan = no ]; then
  :
elif [ $long = yes ]; then
  pass asan -DRH_WERROR=ON
elif [ $first_pass_s -le 540 ]; then
  label+=(-LE study)
  pass asan -DRH_WERROR=ON -DRH_CUDA=OFF # no sanitizer looks into kernels
else
  echo "asan: left out, since the first pass took $first_pass_s s"
fi
echo
sed -n '/tests passed/,$p' "$closing"
exit $((failed | lint_failed))
