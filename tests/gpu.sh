#!/usr/bin/env bash
# Tests of the CUDA module, for a machine with a GPU; needs nvcc and cmake, none of the program's other libraries.
#
#   bash tests/gpu.sh [--out DIR]     DIR: gets what was printed, as gpu.log
#
# The module is built, loaded and asked for its devices.
# Status 0: it answered, or there is no nvcc or no device, which is said; 1: it does not build or load.
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
build=build/cuda

check() {
  if ! command -v cmake >/dev/null; then
    echo "gpu: no cmake, so the CUDA module can not be built"
    return 1
  fi
  if ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ] && [ -z "${CUDACXX:-}" ]; then
    echo "gpu: no nvcc: the CUDA module is not built here, nothing to test"
    return 0
  fi
  if ! { cmake -S cuda -B $build -DCMAKE_BUILD_TYPE=Release && cmake --build $build; } >$build.log 2>&1; then
    echo "gpu: the CUDA module does not build:"
    tail -n 20 $build.log
    return 1
  fi
  if [ ! -e $build/rehearse_cuda.so ]; then
    grep 'CUDA module is left out' $build.log
    return 1
  fi
  $build/rehearse_cuda_info $build/rehearse_cuda.so
  case $? in
    0) echo "gpu: module loaded, device found" ;;
    1) echo "gpu: module loaded, no device: nothing to test" ;;
    *) return 1 ;;
  esac
}

mkdir -p build
if [ -n "$out" ]; then
  check 2>&1 | tee "$out/gpu.log"
  exit "${PIPESTATUS[0]}"
fi
check
