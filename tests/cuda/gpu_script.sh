#!/usr/bin/env bash
# tests/gpu.sh from its first line to its table, without a GPU: nothing in it may go wrong on the day there is one.
#
#   bash tests/cuda/gpu_script.sh                            with stand-ins that print what the programs would
#   bash tests/cuda/gpu_script.sh BUILD EMULATED.so          with the programs of a build, on an emulated GPU
#
# cmake, python3, nvidia-smi, compute-sanitizer and ncu are stand-ins, either way.
set -u
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
say() {
  echo "FAILED: $*"
  failed=1
}
mkdir "$folder/bin" "$folder/made" "$folder/nothing"

# stand_in NAME: a command, from the standard input
stand_in() {
  { echo '#!/usr/bin/env bash'; cat; } >"$1"
  chmod +x "$1"
}
echo 'echo "name, driver_version"; echo "NVIDIA H200, 580"' | stand_in "$folder/bin/nvidia-smi"
echo exit 0 | stand_in "$folder/bin/nvcc"
stand_in "$folder/bin/cmake" <<'TEXT'
[ "${1:-}" = --version ] && { echo 'cmake version 3'; exit; }
[ "${1:-}" = --build ] || exit 0
[ -z "${NO_BUILD:-}" ] || { echo 'error: it does not build'; exit 1; }
[ -z "${NO_DEVICE:-}" ] || { cp -r "$MADE"/. "$2"; echo 'exit 1' >"$2/rehearse_cuda_info"; exit; }
cp -r "$MADE"/. "$2"
TEXT
stand_in "$folder/bin/python3" <<'TEXT'
[ "$1" = -c ] && exit
echo 'torch 2 on NVIDIA H200, batch 32, TF32 off'
echo 'torch cnn: vmap, 1024 replicas, 30.000 ms a round, 34133 replica-steps/s'
echo 'torch mlp: vmap, 4096 replicas: OutOfMemoryError: CUDA out of memory'
echo 'torch cnn: loop, 65 replicas, 60.000 ms a round, 1083 replica-steps/s'
TEXT
stand_in "$folder/bin/compute-sanitizer" <<'TEXT'
while [ "${1#--}" != "$1" ]; do shift 2; done
"$@" && echo '========= ERROR SUMMARY: 0 errors'
TEXT
stand_in "$folder/bin/ncu" <<'TEXT'
echo '==PROF== Connected to process 7'
echo '"ID","Process ID","Kernel Name","Metric Name","Metric Unit","Metric Value"'
echo '"0","7","void conv<(int)8>(plan, long)","gpu__time_duration.sum","us","1,300.5"'
echo '"0","7","void conv<(int)8>(plan, long)","dram__bytes.sum","Mbyte","650.25"'
TEXT

# run NAME ENVIRONMENT...: the script, with what it says in NAME/gpu.log
run() {
  local name=$1
  shift
  mkdir -p "$folder/$name"
  timeout 1450 env PATH="$folder/bin:$PATH" MADE="$folder/made" RH_GPU_BUILD="$folder/$name/build" \
    RH_GPU_PACK="$folder/$name/pack" "$@" >"$folder/$name.txt" 2>&1
}
# has NAME PATTERN: the table of a run
has() {
  grep -qE "$2" "$folder/$1/table.txt" || say "$1: no line '$2' in: $(cat "$folder/$1/table.txt")"
}
ended() {
  [ "$2" = "$3" ] || say "$1: status $2, expected $3: $(tail -n 20 "$folder/$1.txt")"
}

if [ $# -eq 2 ]; then
  cp "$2" "$folder/made/rehearse_cuda.so"
  cp "$1"/tests/cuda/{rehearse_cuda_conformance,bench_gpu,calibrate_gpu} "$folder/made/" || exit 1
  echo 'echo "devices: 1"' | stand_in "$folder/made/rehearse_cuda_info"
  bash "$tests/cuda/pack.sh" "$folder/whole/pack" "$1" || say "no pack"
  run whole RH_GPU_SECONDS=1400 RH_GPU_STEP=600 bash "$tests/gpu.sh" --small --out "$folder/whole"
  ended whole $? 0
  for line in 'build .* yes' 'conformance-replicas .* yes' 'hashes of two .* yes' 'profile .* [0-9]+ steps' \
    'sanitizer-synccheck-rows .* yes' 'study, twice and on the CPU .* yes' 'rows on the device, or not .* yes' \
    'cnn, 4 workers, a study .*ms a round' 'study, run twice .* yes'; do
    has whole "$line"
  done
  ! grep -E 'NO$|line [0-9]+:|unbound|command not found' "$folder/whole.txt" || say "see above"
  [ $failed -eq 0 ] && echo "tests/gpu.sh runs through on an emulated GPU"
  exit $failed
fi

cd "$folder/made" || exit 1
: >rehearse_cuda.so
echo 'echo "devices: 1, the first is NVIDIA H200"' | stand_in rehearse_cuda_info
stand_in rehearse_cuda_conformance <<'TEXT'
[ "${*: -1}" != "${WRONG:-}" ] || { echo 'replica 0 of 1: 1, expected 2'; exit 1; }
echo 'cuBLAS: every operation agrees with ref, seed 1'
TEXT
stand_in bench_gpu <<'TEXT'
[ "${*: -1}" != "${HANGS:-}" ] || sleep 60
echo "bench with cuBLAS 13 $([ "${*: -1}" = tf32 ] && echo TF32 || echo fp32), NVIDIA H200, batch 32"
case ${*: -1} in
  hash) echo "bench mlp: hash 12 of 1024 replicas after 3 rounds, twice the same ${OTHER_HASH:+$RANDOM$$}" ;;
  cnn)
    echo 'bench cnn: 1024 replicas, 10.500 ms a round, 97523 replica-steps/s, 5.62 TFLOP/s, calls of 1024'
    echo 'bench cnn: 1024 replicas, 2.300 GB of the device, 2.132 GB without parameters and momentum'
    echo "bench cnn: 4096 replicas, ${MS:-41.200} ms a round, 99417 replica-steps/s, 5.73 TFLOP/s, calls of 1024"
    echo 'bench cnn: 4096 replicas, 2.900 GB of the device, 2.228 GB without parameters and momentum'
    ;;
  many)
    echo 'bench cnn: 16384 replicas, 165.000 ms a round, 99297 replica-steps/s, 5.73 TFLOP/s, calls of 1024'
    echo 'bench cnn: 16384 replicas, 4.920 GB of the device, 2.230 GB without parameters and momentum'
    ;;
  mlp | tf32) echo 'bench mlp: a round takes 0.52 of the rate of its bare products' ;;
esac
TEXT
stand_in calibrate_gpu <<'TEXT'
while [ $# -gt 1 ]; do [ "$1" != -o ] || echo '{"median_s": 1}' >"$2"; shift; done
TEXT
echo exit 1 | stand_in "$folder/bin/pkg-config"

run good bash "$tests/gpu.sh" --out "$folder/good"
ended good $? 0
for line in 'build .* sm_80 and sm_90.* yes' 'conformance-models .* yes' 'hashes of two processes +equal .* yes' \
  'cnn, 4096 replicas +< 60 ms a round +41.200 ms, 5.73 TFLOP/s +yes' 'memory .* 2.230 and 2.228 +yes' \
  'bare products, fp32 .* 0.52 +yes' 'cnn, 1024 replicas, times vmap.s rate +>= 2 +2.86 .* yes' \
  'PyTorch .* OutOfMemory' 'profile .* 1 steps' 'sanitizer-racecheck-codes +clean .* yes' \
  'program .* left out'; do
  has good "$line"
done
for file in gpu.log table.txt profile.json logs.tar.gz; do
  [ -s "$folder/good/$file" ] || say "good: no $file"
done
grep -qE '100.0 %  +1300.5 us .* 0.650 GB .* conv<' "$folder/good/gpu.log" || say "good: no table of kernels"
! grep -E 'line [0-9]+:|unbound|command not found' "$folder/good.txt" || say "good: see above"

# What is wrong is said, fails the run, and stops nothing else; what hangs is ended.
run bad WRONG=codes HANGS=bf16 RH_GPU_STEP=2 MS=75 OTHER_HASH=1 bash "$tests/gpu.sh" --out "$folder/bad"
ended bad $? 1
for line in 'conformance-codes .*status 1: replica 0 of 1: 1, expected 2 +NO' 'conformance-layers .* yes' \
  'hashes of two processes .* NO' 'bench-bf16 .*not done in 2 s +NO' '< 60 ms a round +75 ms.* NO' \
  'sanitizer-memcheck-codes .*status 1' 'sanitizer-memcheck-layers .* yes'; do
  has bad "$line"
done

# Neither a module that does not build nor the end of the time ends it early.
mkdir -p "$folder/packed/pack" "$folder/packed/tree/cuda" "$folder/packed/tree/tools"
cp "$folder"/made/rehearse_cuda.so "$folder/packed/tree/cuda/" && cp "$folder"/made/* "$folder/packed/tree/tools/" &&
  tar -C "$folder/packed/tree" -czf "$folder/packed/pack/pack.tar.gz" .
run packed NO_BUILD=1 bash "$tests/gpu.sh" --out "$folder/packed"
ended packed $? 1
has packed 'build .* error: it does not build +NO'
has packed 'conformance-layers .* yes'
run short RH_GPU_SECONDS=1 bash "$tests/gpu.sh" --out "$folder/short"
ended short $? 0
has short 'conformance-rows .* left out: ten minutes are over'
run none NO_BUILD=1 bash "$tests/gpu.sh"
ended none $? 1
run no_device NO_DEVICE=1 bash "$tests/gpu.sh"
ended no_device $? 0
bash "$tests/gpu.sh" --what >/dev/null 2>&1
[ $? -eq 2 ] || say "bad usage has another status"
[ $failed -eq 0 ] && echo "tests/gpu.sh runs through, whatever fails"
exit $failed
