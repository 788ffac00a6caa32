#!/usr/bin/env bash
# All that is worth doing on a machine with a GPU, in one call of less than ten minutes.
#
#   bash tests/gpu.sh [--out DIR]     DIR: gets the log (gpu.log), and the GPU's profile (profile.json)
#
# It needs nvcc, cmake and a C compiler, and downloads nothing. It builds the module for sm_80 and sm_90 and, beside it,
# what needs none of the program's libraries: conformance of every operation with ref, compute-sanitizer on a part of
# that, benchmarks (beside PyTorch where it is there), a profile. Where the program's libraries are there, too, it
# builds the program and runs a study on the GPU twice, which must give the same hashes. What is left out is said.
# A short table comes last. Status 0: all that could be done held, or there is nothing to do here; 1: something did not.
set -u
out=
while [ $# -gt 0 ]; do
  case $1 in
    --out)
      [ $# -ge 2 ] || { echo "gpu: --out needs a folder" >&2; exit 2; }
      out=$2
      shift 2
      ;;
    *)
      echo "usage: bash tests/gpu.sh [--out DIR]" >&2
      exit 2
      ;;
  esac
done
if [ -n "$out" ]; then
  mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
build=build/cuda module=build/cuda/rehearse_cuda.so results=$build/gpu
mkdir -p $results
failed=0 table=()

# row NAME RESULT: a line of the table.
row() {
  table+=("$(printf '%-22s %s' "$1" "$2")")
}

# step NAME SECONDS COMMAND...: runs it with a limit; its output goes to the log and to NAME.log.
step() {
  local name=$1 limit=$2 left=$((570 - SECONDS)) status
  shift 2
  [ "$limit" -le $left ] || limit=$left
  if [ "$limit" -lt 5 ]; then
    row "$name" "left out: ten minutes are over"
    return 1
  fi
  echo "== $name"
  timeout "$limit" "$@" 2>&1 | tee "$results/$name.log"
  status=${PIPESTATUS[0]}
  if [ "$status" = 124 ]; then
    row "$name" "NOT DONE in $limit s"
    failed=1
  elif [ "$status" != 0 ]; then
    row "$name" "FAILED (status $status): $(tail -n 1 "$results/$name.log" | cut -c1-90)"
    failed=1
  fi
  return "$status"
}

try_build() {
  { cmake -S cuda -B $build -DCMAKE_BUILD_TYPE=Release -DRH_WERROR=$werror &&
    cmake --build $build --parallel "$(nproc)"; } >$build.log 2>&1
}

build_module() {
  if ! command -v cmake >/dev/null; then
    echo "gpu: no cmake, so the CUDA module can not be built"
    return 1
  fi
  if ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ] && [ -z "${CUDACXX:-}" ]; then
    echo "gpu: no nvcc: the CUDA module is not built here, nothing to test"
    return 3
  fi
  werror=ON
  if ! try_build; then # another compiler may warn of more; the log has it
    werror=OFF
    cp $build.log $results/warnings.log
  fi
  if [ $werror = OFF ] && ! try_build; then
    echo "gpu: the CUDA module does not build:"
    tail -n 20 $build.log
    return 1
  fi
  if [ ! -e $module ]; then
    grep 'CUDA module is left out' $build.log
    return 1
  fi
}

sanitize() {
  local tool
  tool=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
  if [ -z "$tool" ]; then
    row sanitizer "left out: no compute-sanitizer"
    return
  fi
  for kind in memcheck racecheck; do
    step "sanitizer-$kind" 60 "$tool" --tool $kind --error-exitcode 9 $build/rehearse_cuda_conformance $module 2 \
      small &&
      row "sanitizer-$kind" "clean"
  done
}

# The same study twice on the GPU, where the program can be built.
studies() {
  if ! pkg-config --exists openblas lapacke gsl sqlite3 libfyaml libxxhash zlib 2>/dev/null ||
    ! echo '#include <simgrid/engine.h>' | cc -E - >/dev/null 2>&1; then
    row studies "left out: SimGrid or another of the program's libraries is not here"
    return
  fi
  step program 200 bash -c 'cmake --preset release >/dev/null && cmake --build --preset release --target rehearse \
    rehearse_cuda' || return
  step studies 60 bash tests/experiments/gpu.sh build/release/experiments/rehearse &&
    row studies "two runs equal by hash"
}

main() {
  build_module
  case $? in
    0)
      if [ $werror = ON ]; then
        row build "sm_80 and sm_90, no warnings"
      else
        row build "sm_80 and sm_90, WITH WARNINGS"
        failed=1
      fi
      ;;
    3) return 0 ;;
    *) return 1 ;;
  esac
  $build/rehearse_cuda_info $module
  case $? in
    0) ;;
    1)
      echo "gpu: module loaded, no device: nothing to test"
      return 0
      ;;
    *) return 1 ;;
  esac
  step conformance 120 $build/rehearse_cuda_conformance $module &&
    row conformance "$(tail -n 1 $results/conformance.log)"
  step bench 120 $build/bench_gpu $module
  if command -v python3 >/dev/null; then
    step torch 120 python3 tests/bench/torch_gpu.py
  else
    row torch "left out: no python3"
  fi
  cat $results/bench.log $results/torch.log 2>/dev/null | grep -E '^(bench|torch)' >$results/table
  step profile 60 $build/calibrate_gpu $module -o $results/profile.json &&
    row profile "$(grep -c median_s $results/profile.json) steps in profile.json"
  sanitize
  studies
  [ -z "$out" ] || cp $results/profile.json "$out" 2>/dev/null
  echo
  echo "== table"
  cut -c1-150 $results/table
  printf '%s\n' "${table[@]}"
  return $failed
}

mkdir -p build $results
rm -f $results/*.log $results/table $results/profile.json
if [ -n "$out" ]; then
  main 2>&1 | tee "$out/gpu.log"
  exit "${PIPESTATUS[0]}"
fi
main
