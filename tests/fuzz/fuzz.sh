#!/usr/bin/env bash
# All fuzz targets with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer. Skipped (status 77) without clang
# and its run-time library (libclang-rt-14-dev).
#
#   bash tests/fuzz/fuzz.sh SOURCE [SECONDS]     SECONDS: for each target; builds in SOURCE/build/fuzz
set -u
source=$(realpath "$1")
seconds=${2:-60}
cd "$source" || exit 1
probe=$(mktemp)
trap 'rm -f "$probe"' EXIT
echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { (void)d; return n < 0; }' |
  clang -fsanitize=fuzzer,address,undefined -x c - -o "$probe" 2>/dev/null || {
  echo "fuzz: skipped, since there is no clang with libFuzzer (clang, libclang-rt-14-dev)"
  exit 77
}
targets=$(sed -n 's/^rh_add_fuzz(\([a-z]*\) .*/\1/p' tests/fuzz/CMakeLists.txt)
cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DRH_SANITIZE=ON -DRH_FUZZ=ON -DRH_CUDA=OFF -DOpenMP_C_FLAGS=-Wno-unknown-pragmas -DOpenMP_C_LIB_NAMES=gomp \
  -DOpenMP_gomp_LIBRARY="$(gcc -print-file-name=libgomp.so)" >build/fuzz.log 2>&1 &&
  cmake --build build/fuzz -j "$(nproc)" --target $(printf 'fuzz_%s ' $targets) >>build/fuzz.log 2>&1 || {
  tail -n 20 build/fuzz.log
  exit 1
}
failed=0
mkdir -p build/fuzz/found
# libfyaml 0.7.12 loses a kilobyte over some malformed documents; leaks of ours are still found.
echo 'leak:libfyaml' >build/fuzz/leaks
export LSAN_OPTIONS=suppressions=$PWD/build/fuzz/leaks:print_suppressions=0
for target in $targets; do
  mkdir -p "build/fuzz/grown/$target"
  if (cd build/fuzz/found && "../tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
    -max_len=65536 -artifact_prefix="$target-" -print_final_stats=1 "../grown/$target" \
    "$source/tests/fuzz/corpus/$target") >"build/fuzz/$target.log" 2>&1; then
    echo "fuzz_$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$target.log") inputs"
  else
    echo "FAILED: fuzz_$target: $(grep -m 1 -E 'ERROR|runtime error|SUMMARY' \
      "build/fuzz/$target.log"); in build/fuzz/found"
    failed=1
  fi
done
exit $failed
