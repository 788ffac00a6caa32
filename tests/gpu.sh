#!/usr/bin/env bash
# All that is worth doing on a machine with a GPU, in one call of less than ten minutes.
#
#   bash tests/gpu.sh [--out DIR] [--small]    DIR: gets gpu.log, table.txt, profile.json and logs.tar.gz
#   bash tests/gpu.sh --pack [DIR]             on a machine with the program's libraries, beforehand: what a machine
#                                              without them lacks, into DIR (default: build/gpu-pack)
#
# It needs nvcc, cmake and a C compiler, and downloads nothing. It builds the module for sm_80 and sm_90 and, beside it,
# what needs none of the program's libraries: conformance of every operation with ref, hashes of two processes,
# benchmarks (beside PyTorch where it is there), a profile, compute-sanitizer. With the program, of build/gpu-pack or
# built here where its libraries are, come the profile of whole studies, studies on the GPU that must repeat by hash,
# and rows on the device against rows in the program's memory. What is left out is said, and what fails stops nothing
# else: each step has a limit, and the most valuable come first. A table of targets and figures comes last. --small: the
# least of everything, to try this script out.
# Status 0: all that could be done held, or there is nothing to do here; 1: something did not; 2: bad usage.
set -u
usage() {
  echo "usage: bash tests/gpu.sh [--out DIR] [--small] | --pack [DIR]" >&2
  exit 2
}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out='' small=''
while [ $# -gt 0 ]; do
  case $1 in
    --out)
      [ $# -ge 2 ] || usage
      out=$2
      shift 2
      ;;
    --small)
      small=small
      shift
      ;;
    --pack)
      [ $# -le 2 ] || usage
      exec bash "$here/cuda/pack.sh" "${2:-$here/../build/gpu-pack}"
      ;;
    *) usage ;;
  esac
done
if [ -n "$out" ]; then
  mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
fi
cd "$here/.." || exit 1
# Where things are and how long they may take may be changed, for tests of this script.
build=${RH_GPU_BUILD:-build/cuda} pack=${RH_GPU_PACK:-build/gpu-pack} budget=${RH_GPU_SECONDS:-570}
mkdir -p "$build" "$pack" || exit 1
build=$(cd "$build" && pwd) pack=$(cd "$pack" && pwd)
results=$build/gpu tree=$pack/tree
module=$build/rehearse_cuda.so tools=$build program=''
failed=0 running=() groups=(rows codes layers)
[ -z "$small" ] || groups=(rows)
with=(env) # what programs of the pack are called with: they find their libraries there, and others do not

# row WHAT TARGET FIGURE HOLDS: a line of the table; HOLDS: yes, NO (which fails the run), or - where nothing is asked.
row() {
  printf '%-38s %-19s %-60s %s\n' "$1" "$2" "$(printf '%s' "$3" | tr -d '\n' | cut -c1-60)" "$4" >>"$results/table"
  [ "$4" != NO ] || failed=1
}

# Seconds that a step with this limit may take; fails when there is no time for it.
allowed() {
  local left=$((budget - SECONDS)) limit=${RH_GPU_STEP:-$1}
  [ "$limit" -gt "$left" ] || left=$limit
  [ "$left" -ge 2 ] && echo "$left"
}

# judge NAME LIMIT STATUS: says in the table what went wrong; succeeds if nothing did.
judge() {
  [ "$3" = 0 ] && return
  if [ "$3" = 124 ] || [ "$3" = 137 ]; then
    row "$1" '' "not done in $2 s" NO
  else
    row "$1" '' "status $3: $(grep -v '^ *$' "$results/$1.log" | tail -n 1)" NO
  fi
  return 1
}

# step NAME SECONDS COMMAND...: runs it with a limit; its output goes to the log and to NAME.log.
step() {
  local name=$1 limit start=$SECONDS
  limit=$(allowed "$2") || { row "$name" '' 'left out: ten minutes are over' -; return 1; }
  shift 2
  echo "== $name (at $SECONDS s, at most $limit s)"
  timeout -k 5 "$limit" "$@" 2>&1 | tee "$results/$name.log"
  local status=${PIPESTATUS[0]}
  echo "== $name: status $status after $((SECONDS - start)) s"
  judge "$name" "$limit" "$status"
}

# begin NAME SECONDS COMMAND...: the same beside what follows; `finish NAME` waits for it.
begin() {
  local name=$1 limit
  limit=$(allowed "$2") || { row "$name" '' 'left out: ten minutes are over' -; return 1; }
  shift 2
  echo "== $name begins (at $SECONDS s, at most $limit s)"
  echo "$limit" >"$results/$name.limit"
  (
    timeout -k 5 "$limit" "$@" >"$results/$name.log" 2>&1
    echo $? >"$results/$name.status"
  ) &
  running+=($!)
}
finish() {
  [ -e "$results/$1.limit" ] || return 1
  echo "== $1:"
  tail -n 12 "$results/$1.log"
  judge "$1" "$(cat "$results/$1.limit")" "$(cat "$results/$1.status" 2>/dev/null || echo 137)"
}

# last NAME: the last line of a step's log
last() {
  grep -v '^ *$' "$results/$1.log" 2>/dev/null | tail -n 1
}

# CUDA's folders, wherever it was installed: of its own, or as Python's packages.
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' 2>/dev/null)
cuda_folders=(/usr/local/cuda /usr/local/cuda-*/ "${packages:-/none}"/nvidia/*/)

# find_tool NAME: where a tool of CUDA is; nothing if it is not there
find_tool() {
  local folder
  command -v "$1" && return
  for folder in "${cuda_folders[@]}"; do
    [ -x "$folder/bin/$1" ] && echo "$folder/bin/$1" && return
  done
  ls -d /opt/nvidia/*/*/"$1" 2>/dev/null | tail -n 1
}

say_machine() {
  echo "== machine"
  command -v nvidia-smi >/dev/null && nvidia-smi --format=csv --query-gpu=name,driver_version,memory.total,memory.used,clocks.sm,clocks.max.sm,power.limit \
    2>&1 | head -n 20
  "${CUDACXX:-true}" --version | tail -n 2
  { cmake --version | head -n 1; cc --version | head -n 1; } 2>/dev/null
  echo "$(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
}

# any_of FILE...: whether one is there
any_of() {
  local file
  for file in "$@"; do
    [ -e "$file" ] && return
  done
  return 1
}

# Where CUDA is of Python's packages, its libraries bear their versions alone, and compilers do not look there.
find_headers() {
  local folder library links=$build/links
  for folder in "$(dirname "$CUDACXX")/.." "${cuda_folders[@]}"; do
    any_of "$folder"/{,targets/x86_64-linux/}include/cublas_v2.h || continue
    any_of "$folder"/{lib,lib64,targets/x86_64-linux/lib}/libcublas.so && return
    mkdir -p "$links"
    for library in "$folder"/lib/lib*.so.*; do
      ln -sf "$library" "$links/$(basename "${library%%.so.*}").so"
    done
    export CPATH="$folder/include${CPATH:+:$CPATH}" CMAKE_LIBRARY_PATH="$links"
    return 0
  done
  return 0
}

# Warnings are looked for afterwards: another compiler may have more of them, and a module with warnings is a module.
try_build() {
  local generator=() limit
  command -v ninja >/dev/null && [ ! -e "$build/Makefile" ] && generator=(-G Ninja)
  limit=$(allowed 150 || echo 2)
  {
    cmake -S cuda -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release &&
      timeout -k 5 "$limit" cmake --build "$build" --parallel "$(nproc)" || echo "error: status $? after at most $limit s"
  } >"$results/build.log" 2>&1
  [ -e "$build/rehearse_cuda.so" ] && ! tail -n 1 "$results/build.log" | grep -q '^error: status'
}

# The module and its programs: built here, or else those of the pack. Status 3: neither, and no way to have them.
have_module() {
  if ! command -v cmake >/dev/null; then
    echo "gpu: no cmake, so the CUDA module can not be built"
  elif [ -z "${CUDACXX:-}" ]; then
    echo "gpu: no nvcc, so the CUDA module can not be built"
  elif find_headers && try_build; then
    if grep -qi 'warning' "$results/build.log"; then
      row build 'no warnings' "$(grep -m 1 -i 'warning' "$results/build.log")" NO
    else
      row build 'no warnings' "sm_80 and sm_90, $SECONDS s" yes
    fi
    return 0
  else
    echo "gpu: the CUDA module does not build:"
    tail -n 30 "$results/build.log"
    row build 'no warnings' "$(grep -m 1 -iE 'error|left out' "$results/build.log")" NO
  fi
  [ -e "$tree/cuda/rehearse_cuda.so" ] || return 3
  echo "gpu: with the module and the programs of the pack"
  row module '' 'of the pack' -
  module=$tree/cuda/rehearse_cuda.so tools=$tree/tools
  use_pack
}

use_pack() { # again where LD_LIBRARY_PATH has changed
  with=(env "LD_LIBRARY_PATH=$tree/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "PATH=$tree/bin:$PATH")
}

# CUDA's libraries where the loader does not look for them by itself.
find_libraries() {
  local where folder
  for where in "${cuda_folders[@]}"; do
    for folder in "$where"/{lib64,lib,targets/x86_64-linux/lib}; do
      "${with[@]}" ldd "$module" 2>/dev/null | grep -q 'not found' || return 0
      [ -d "$folder" ] && export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
      [ ${#with[@]} -eq 1 ] || use_pack
    done
  done
}

unpack() {
  [ -e "$pack/pack.tar.gz" ] || return 0
  rm -rf "$tree"
  { mkdir -p "$tree/share" && tar -C "$tree" -xzf "$pack/pack.tar.gz" && ln -sfn "$PWD" "$tree/share/rehearse"; } ||
    row pack '' 'it can not be unpacked' NO
}

# Conformance by groups, each for itself, so that a failure of one hides no other.
conformance() {
  local group
  for group in rows factors thin codes layers models replicas; do
    [ -n "$small" ] && [ $group = models ] && continue
    step conformance-$group 60 "${with[@]}" "$tools/rehearse_cuda_conformance" "$module" 1 ${small:+small} $group &&
      row conformance-$group 'agrees with ref' "$(last conformance-$group)" yes
  done
}

# The same rounds in two processes.
hashes() {
  step hash 45 "${with[@]}" "$tools/bench_gpu" "$module" ${small:+small} hash || return
  step hash-again 45 "${with[@]}" "$tools/bench_gpu" "$module" ${small:+small} hash || return
  if cmp -s "$results/hash.log" "$results/hash-again.log"; then
    row 'hashes of two processes' equal "$(last hash | cut -d' ' -f2-4)" yes
  else
    row 'hashes of two processes' equal "$(last hash | cut -d' ' -f2-4), $(last hash-again | cut -d' ' -f2-4)" NO
  fi
}

benches() {
  local part
  for part in cnn many mlp tf32 bf16; do
    step bench-$part 45 "${with[@]}" "$tools/bench_gpu" "$module" ${small:+small} $part
  done
  if command -v python3 >/dev/null; then
    step torch 90 env PYTHONUNBUFFERED=1 python3 tests/bench/torch_gpu.py ${small:+small}
  else
    row torch '' 'left out: no python3' -
  fi
  cat "$results"/bench-{cnn,many,mlp,tf32,bf16}.log "$results/torch.log" 2>/dev/null |
    awk -f tests/bench/gpu_table.awk >"$results/targets"
  while IFS=';' read -r what target figure holds; do
    row "$what" "$target" "$figure" "$holds"
  done <"$results/targets"
}

# The program that the studies need: of the pack, or built here.
have_program() {
  if [ -e "$tree/bin/rehearse" ]; then
    mkdir -p "$tree/cuda" && { [ "$module" = "$tree/cuda/rehearse_cuda.so" ] || cp "$module" "$tree/cuda/"; }
    program=$tree/bin/rehearse
    use_pack
  elif pkg-config --exists openblas lapacke gsl sqlite3 libfyaml libxxhash zlib 2>/dev/null &&
    echo '#include <simgrid/engine.h>' | cc -E - >/dev/null 2>&1; then
    step program 200 bash -c 'cmake --preset release >/dev/null && cmake --build --preset release --target rehearse \
      rehearse_cuda rehearse_cuda_staged' || return 1
    program=$PWD/build/release/experiments/rehearse
  else
    row program '' 'left out: no SimGrid or another library, and no pack' -
    return 1
  fi
  step doctor 30 "${with[@]}" "$program" doctor || program=''
  [ -n "$program" ]
}

# Of whole studies where the program is; else of passes, updates and mixing.
profile() {
  local first=(quickstart.yaml) all=(compressors.yaml low-precision.yaml) how=(env -C "$results" "${with[@]}")
  if [ -n "$program" ]; then
    [ -n "$small" ] && first=(small.yaml --samples 20) all=()
    step profile 60 "${how[@]}" "$program" calibrate "${first[@]}" --set run.backend=cuda -o profile.json &&
      [ ${#all[@]} -gt 0 ] && cp "$results/profile.json" "$results/more.json" &&
      step profile-more 60 "${how[@]}" "$program" calibrate "${all[@]}" --set run.backend=cuda -o more.json &&
      mv "$results/more.json" "$results/profile.json"
  fi
  [ -s "$results/profile.json" ] ||
    step profile-passes 60 "${how[@]}" "$tools/calibrate_gpu" "$module" ${small:+-n 1} -o profile.json ${small:+logreg}
  [ -s "$results/profile.json" ] && row profile '' "$(grep -c median_s "$results/profile.json") steps in profile.json" -
}

# Beside the studies: neither asks for a quiet machine.
sanitizers() {
  local tool kind group
  tool=$(find_tool compute-sanitizer)
  if [ -z "$tool" ]; then
    row sanitizer '' 'left out: no compute-sanitizer' -
    return
  fi
  for kind in memcheck racecheck synccheck; do
    for group in "${groups[@]}"; do
      begin "sanitizer-$kind-$group" 150 "${with[@]}" "$tool" --tool $kind --error-exitcode 9 \
        "$tools/rehearse_cuda_conformance" "$module" 2 small "$group"
    done
  done
}
# Neither a device that the tool does not serve nor a tool that is not done in its time is a finding.
sanitized() {
  local kind group name log status
  for kind in memcheck racecheck synccheck; do
    for group in "${groups[@]}"; do
      name=sanitizer-$kind-$group log=$results/sanitizer-$kind-$group.log
      status=$(cat "$results/$name.status" 2>/dev/null)
      if grep -qi 'not supported' "$log" 2>/dev/null; then
        row "$name" '' "left out: $(grep -m 1 -i 'not supported' "$log")" -
      elif [[ $status = 124 || $status = 137 ]] && ! grep -qE '^=+ +(Error|Invalid|Barrier|Race|Warning)' "$log"; then
        row "$name" '' "not done in $(cat "$results/$name.limit") s, nothing found until then" -
      else
        finish "$name" && row "$name" clean "$(last "$name")" yes
      fi
    done
  done
}

# The same study twice, by hash of parameters and rows of rounds.
twice() {
  local name=$1 limit=$2 run
  shift 2
  for run in 1 2; do
    rm -f "$results/$name-$run.db"
    step "$name-$run" "$limit" "${with[@]}" "$program" run "$@" --db "$results/$name-$run.db" --set run.backend=cuda \
      --set time.source=flops || return
    "${with[@]}" sqlite3 "$results/$name-$run.db" "SELECT parameters_hash, simulated_s FROM runs ORDER BY id;
      SELECT run_id, round, train_loss, finish_s, wire_bytes FROM rounds ORDER BY run_id, round;" \
      >"$results/$name-$run.rows"
  done
  if [ -s "$results/$name-1.rows" ] && cmp -s "$results/$name-1.rows" "$results/$name-2.rows"; then
    row "$name, run twice" 'equal rows' "$(wc -l <"$results/$name-1.rows") rows" yes
  else
    row "$name, run twice" 'equal rows' "$(diff "$results/$name-1.rows" "$results/$name-2.rows" | head -n 2)" NO
  fi
}

# 4,096 workers that really train: what a round of a whole run takes, its simulated network included.
large() {
  local workers=4096 rounds=20 data='name: glyphs'
  [ -z "$small" ] || workers=4 rounds=1 data='name: glyphs, train: 200, test: 20'
  cat >"$results/large.yaml" <<YAML
name: large
platform: {file: torus-4096.xml, workers: $workers}
data: {$data}
model: {name: cnn}
train: {method: dpsgd, rounds: $rounds, batch: 32, lr: 0.05, momentum: 0.9, evaluate_every: 10}
graph: {name: ring}
time: {source: flops}
run: {backend: cuda}
YAML
  rm -f "$results/large.db"
  step large 90 "${with[@]}" "$program" run "$results/large.yaml" --db "$results/large.db" || return
  row "cnn, $workers workers, a study" '' "$("${with[@]}" sqlite3 "$results/large.db" "SELECT printf(
    '%.0f ms a round, %d rounds, loss %.3f', 1e3 * wall_s / rounds_done, rounds_done,
    (SELECT train_loss FROM rounds WHERE run_id = runs.id ORDER BY round DESC LIMIT 1)) FROM runs" 2>&1)" -
}

studies() {
  local staged=$tree/tools/rehearse_cuda_staged.so
  [ -n "$program" ] || return
  step studies 90 "${with[@]}" bash tests/experiments/gpu.sh "$program" &&
    row 'study, twice and on the CPU' 'equal, near' "$(last studies)" yes
  [ -e "$staged" ] || staged=build/release/tests/cuda/rehearse_cuda_staged.so
  if [ -e "$staged" ]; then
    step messages 90 "${with[@]}" bash tests/cuda/emulated.sh "$program" "$module" "$staged" ${small:+few-}device &&
      row 'rows on the device, or not' 'equal bits' "$(last messages)" yes
  fi
  if [ -n "$small" ]; then
    twice study 60 "$small_study"
  else
    twice quickstart 60 experiments/quickstart.yaml
  fi
}

# Where a round's time goes, kernel by kernel; not everywhere may hardware counters be read.
kernels() {
  local tool limit option
  tool=$(find_tool ncu)
  [ -n "$tool" ] || { row kernels '' 'left out: no ncu' -; return; }
  limit=$(allowed 60) || return
  echo "== kernels"
  # The first two hundred, then no more, where the tool knows how to end a program; else as many as there is time for.
  for option in '--launch-count 200 --kill yes' '--launch-count 200'; do
    # shellcheck disable=SC2086
    timeout -k 5 "$limit" "${with[@]}" "$tool" --clock-control none $option --csv \
      --metrics gpu__time_duration.sum,dram__bytes.sum "$tools/bench_gpu" "$module" ${small:+small} cnn \
      >"$results/kernels.log" 2>&1
    grep -q '^"0"' "$results/kernels.log" && break
    limit=$(allowed 60) || break
  done
  awk -f tests/bench/gpu_kernels.awk "$results/kernels.log" | tee "$results/kernels"
  [ -s "$results/kernels" ] || row kernels '' "left out: $(last kernels)" -
}

main() {
  local status
  say_machine
  unpack
  have_module
  status=$?
  if [ $status = 3 ]; then
    echo "gpu: no module, nothing to test"
    return $failed
  fi
  find_libraries
  "${with[@]}" "$tools/rehearse_cuda_info" "$module"
  case $? in
    0) ;;
    1)
      echo "gpu: module loaded, no device: nothing to test"
      return $failed
      ;;
    *)
      row module loads "$("${with[@]}" "$tools/rehearse_cuda_info" "$module" 2>&1 | tail -n 1)" NO
      return 1
      ;;
  esac
  small_study=$results/small.yaml
  printf '%s\n' 'platform: {file: ideal.xml, workers: 3}' 'data: {name: glyphs, train: 60, test: 20}' \
    'model: {name: logreg}' 'train: {method: dpsgd, rounds: 2, batch: 4, lr: 0.05}' 'compress: {name: qsgd}' \
    >"$small_study"
  conformance
  hashes
  save
  benches
  save
  have_program
  profile
  save
  [ -z "$program" ] || large
  kernels
  save
  sanitizers
  studies
  [ ${#running[@]} -eq 0 ] || wait "${running[@]}"
  sanitized
  return $failed
}

# What a reader takes home, as far as it is there: four files.
save() {
  [ -n "$out" ] || return 0
  cp "$results/table" "$out/table.txt" 2>/dev/null
  cp "$results/profile.json" "$out" 2>/dev/null
  tar -C "$results" -czf "$out/logs.tar.gz" --exclude='*.db' --exclude='*.db-*' . 2>/dev/null
  return 0
}

# The table last.
report() {
  echo
  echo "== table, after $SECONDS s"
  printf '%-38s %-19s %-60s %s\n' what target figure holds
  cat "$results/table" 2>/dev/null
  save
}

rm -rf "$results" && mkdir -p "$results" || exit 1
[ -n "${CUDACXX:-}" ] || CUDACXX=$(find_tool nvcc)
[ -z "$CUDACXX" ] || export CUDACXX
if [ -n "$out" ]; then
  exec 3>&1 4>&2 > >(tee "$out/gpu.log") 2>&1
  tee=$!
fi
main
status=$?
report
if [ -n "$out" ]; then
  exec >&3 2>&4 3>&- 4>&- # so that the log has its last line before this ends
  wait "$tee"
fi
exit $status
