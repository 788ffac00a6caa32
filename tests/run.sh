#!/usr/bin/env bash
# Installs what is needed, builds and tests.
#
#   bash tests/run.sh [--long] [--no-asan]
#
#   --long      all tests, those with the label long too, and clang-tidy; default: the tests with the label fast
#   --no-asan   leaves out the second pass, with AddressSanitizer and UndefinedBehaviorSanitizer. It is left out, too,
#               when the first pass took more than 5 minutes, so that both stay below 15
# The last lines are the closing lines of the last ctest. Status 0: everything built and passed.
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

# Configures, builds and tests a preset. A failed test is remembered; where nothing was built there is nothing to test.
pass() {
  local preset=$1
  shift
  cmake --preset "$preset" "$@" && cmake --build --preset "$preset" -j "$jobs" || exit 1
  last=build/$preset/ctest.log
  ctest --preset "$preset" -j "$jobs" --no-tests=error "${label[@]+"${label[@]}"}" 2>&1 | tee "$last"
  [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
}

# What the linters say is for reading: their versions differ between distributions, so it fails nothing.
lint() {
  if command -v clang-format >/dev/null && [ -e .git ]; then
    echo "clang-format: $(git ls-files -z -- '*.c' '*.h' '*.cpp' '*.cu' |
      xargs -0 -r clang-format --dry-run 2>&1 | grep -c 'warning:') places differ from .clang-format"
  fi
  if [ $long = yes ] && command -v run-clang-tidy >/dev/null; then
    run-clang-tidy -quiet -j "$jobs" -p build/ci >build/ci/clang-tidy.log 2>&1
    echo "clang-tidy: $(grep -c 'warning:' build/ci/clang-tidy.log) warnings, in build/ci/clang-tidy.log"
  fi
}

bash experiments/packages.sh libcmocka-dev || exit 1
bash experiments/packages.sh clang-format clang-tidy || exit 1

SECONDS=0
pass ci
first_pass_s=$SECONDS
lint
if [ $asan = no ]; then
  :
elif [ $first_pass_s -le 300 ]; then
  pass asan -DRH_WERROR=ON
else
  echo "asan: left out, since the first pass took $first_pass_s s"
fi
echo
sed -n '/tests passed/,$p' "$last"
exit $failed
