#!/usr/bin/env bash
# Whole runs on a GPU that is emulated on the host (tests/cuda/emulated): what run.backend: cuda does in a run, without
# one.
#
#   bash tests/cuda/emulated.sh PROGRAM MODULE.so STAGED.so [short|device|few-device]
#
# short: a few methods, and the failures; device: the methods alone, with a module for a GPU that is there; few-device: a
# few of them.
#
# The study of tests/experiments/gpu.sh; methods with compressors, whose rows stay on the device, against the same with
# rows in the program's memory (STAGED.so): the same bits; checkpoints; and what a user is told when a device is not as
# it should.
set -u
program=$(realpath "$1") module=$(realpath "$2") staged=$(realpath "$3")
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"/whole/bin "$folder"/whole/cuda "$folder"/staged/bin "$folder"/staged/cuda
cp "$program" "$folder/whole/bin/rehearse" && cp "$program" "$folder/staged/bin/rehearse" || exit 1
ln -s "$module" "$folder/whole/cuda/rehearse_cuda.so"
cp "$staged" "$folder/staged/cuda/rehearse_cuda.so"
cp "$module" "$folder/staged/cuda/rehearse_cuda_whole.so"
failed=0
say() {
  echo "FAILED: $*"
  failed=1
}

short=${4:-}
case $short in
  short | *device) ;;
  *) bash "$tests/experiments/gpu.sh" "$folder/whole/bin/rehearse" || say "tests/experiments/gpu.sh" ;;
esac

cd "$folder" || exit 1
cat >study.yaml <<YAML
platform: {file: $tests/../platforms/ideal.xml, workers: 5}
data: {train: 300, test: 100, partition: skew, skew: 0.5}
model: {name: mlp, hidden: 12}
train: {rounds: 6, batch: 4, evaluate_every: 3, lr: 0.02, clip: 2}
time: {source: flops}
run: {backend: cuda, threads: 2}
YAML

# run KIND DB ARGUMENT...
run() {
  local kind=$1 db=$2
  shift 2
  "./$kind/bin/rehearse" run study.yaml --db "$db" "$@" >out.txt 2>err.txt
}
results() {
  sqlite3 "$1" \
    "SELECT parameters_hash, simulated_s FROM runs; SELECT round, train_loss, finish_s, wire_bytes FROM rounds;"
}

# Every compressor of the device through the mean of gradients and through gossip; every method through one of them.
n=0
while read -r settings; do
  n=$((n + 1))
  case $short in
    short | few-device) [ $((n % 5)) = 0 ] || continue ;;
  esac
  arguments=()
  for setting in $settings; do
    arguments+=(--set "$setting")
  done
  for kind in whole staged; do
    run $kind $kind$n.db "${arguments[@]}" || say "$kind: $settings: $(head -n 2 err.txt)"
  done
  [ "$(results whole$n.db)" = "$(results staged$n.db)" ] || say "rows on the device give other results: $settings"
done <<RUNS
train.method=allreduce compress.name=fp16
train.method=allreduce compress.name=bf16 compress.error_feedback=classic train.bucket=1B
train.method=allreduce compress.name=qsgd compress.bits=4 train.bucket=1B
train.method=allreduce compress.name=sign train.clip=0
train.method=allreduce compress.name=ef-sign compress.error_feedback=classic
train.method=allreduce compress.name=topk compress.ratio=0.1 compress.error_feedback=classic
train.method=allreduce compress.name=int8 compress.error_feedback=step-ahead compress.average_every=2 \
  train.clip=0 train.decay=0.01
train.method=allreduce compress.name=topk compress.error_feedback=step-ahead train.bucket=1B train.clip=0
train.method=allreduce compress.name=randomk compress.ratio=0.2 compress.error_feedback=classic train.bucket=1B
train.method=allreduce compress.name=randomk compress.ratio=0.3 compress.scale=on train.mask=nm train.mask_start=2
train.method=allreduce compress.name=threshold compress.threshold=0.01 compress.error_feedback=classic train.bucket=1B
train.method=allreduce compress.name=dgc compress.ratio=0.05 compress.warmup=3 train.bucket=1B train.clip=0 \
  train.decay=0.01
train.method=choco compress.name=threshold compress.threshold=1 compress.relative=on train.consensus_step=0.3
train.method=choco compress.name=randomk compress.ratio=0.3 train.consensus_step=0.3
train.method=dpsgd compress.name=int8
train.method=allreduce compress.name=lowrank compress.rank=3 train.bucket=1B
train.method=allreduce compress.name=lowrank compress.warm=off compress.error_feedback=classic
train.method=dpsgd compress.name=lowrank compress.rank=1
train.method=choco compress.name=lowrank train.consensus_step=0.3 compress.warm=off
train.method=dpsgd compress.name=qsgd train.message=model train.order=combine-then-adapt
train.method=choco compress.name=topk compress.ratio=0.2 train.consensus_step=0.3
train.method=choco compress.name=cosine train.exchange=background train.optimiser=adamw train.consensus_step=0.5
train.method=deepsqueeze compress.name=int compress.bits=4 train.consensus_step=0.4
train.method=dcd compress.name=qsgd compress.bits=6
train.method=dcd compress.name=none train.optimiser=adamw train.gossip_rounds=2
train.method=qg-dsgdm compress.name=ef-sign train.consensus_step=0.3 train.nesterov=on
train.method=qg-dsgdm compress.name=none train.decay=0.01
train.method=allreduce train.mask=magnitude \
  train.sparsity=0.7 train.mask_schedule=ac-dc train.mask_sparse=1 train.mask_dense=1 train.mask_end=4
train.method=allreduce compress.name=topk compress.error_feedback=classic train.bucket=1B \
  train.mask=random train.sparsity=0.6 train.mask_schedule=gradual train.mask_every=2 train.mask_end=4
train.method=allreduce compress.name=bf16 compress.error_feedback=classic train.mask=nm train.mask_start=2
train.method=allreduce compress.name=sign train.clip=0 train.bucket=1B \
  train.mask=magnitude train.sparsity=0.5 train.mask_scope=layer
train.method=dcd compress.name=int8 train.mask=magnitude \
  train.sparsity=0.7 train.mask_schedule=ac-dc train.mask_sparse=2 train.mask_dense=1 train.mask_end=5
train.method=deepsqueeze compress.name=cosine train.consensus_step=0.3 train.mask=random train.sparsity=0.5
train.method=sgp compress.name=topk train.consensus_step=0.1 graph.weights=push train.mask=nm train.mask_start=1
train.method=sgp compress.name=terngrad compress.clip=0 train.consensus_step=0.1 graph.weights=push
RUNS

case $short in
  *device)
    [ $failed -eq 0 ] && echo "rows on the device and in the program's memory: the same bits, $n runs"
    exit $failed
    ;;
esac

# AB-training through all its phases, FULL and factors of full and of lower rank. Products of factors, gradients by them
# and singular values come from other libraries, which sum in another order: a relative 6e-8 each, growing with the root of
# the terms (some 60 here) and with the steps between (12). Seen are losses 1e-6 apart: 1e-5 leaves room for ten times
# that. Times, ranks and traffic are equal.
ab="platform.workers=4 train.method=ab train.rounds=12 train.dense_ends=off train.groups=blocks train.group_size=2"
ab="$ab train.ab_warmup=1 train.ab_period=5 train.ab_rebound=2 train.rank_cut=0.4"
shape="SELECT round, finish_s, wire_bytes FROM rounds; SELECT round, phase FROM phases;"
shape="$shape SELECT round, weight, rank FROM factor_ranks;"
apart="ATTACH 'stagedab.db' AS s; SELECT max(abs(w.train_loss / h.train_loss - 1))"
apart="$apart FROM rounds w JOIN s.rounds h USING (round);"
for more in "" " train.ab_sync=full train.optimiser=adamw train.lr=0.002" " train.ab_sync=only-b" " train.ab_sync=only-learned"; do
  settings=$ab$more
  arguments=()
  for setting in $settings; do
    arguments+=(--set "$setting")
  done
  rm -f ./*ab.db
  for kind in whole staged; do
    run $kind ${kind}ab.db "${arguments[@]}" || say "$kind: $settings: $(head -n 2 err.txt)"
  done
  [ "$(sqlite3 wholeab.db "$shape")" = "$(sqlite3 stagedab.db "$shape")" ] || say "other phases, ranks or times: $settings"
  off=$(sqlite3 wholeab.db "$apart")
  [ "$(sqlite3 :memory: "SELECT ${off:-1} <= 1e-5")" = 1 ] || say "losses are apart by ${off:-nothing that is known}: $settings"
  REHEARSE_EMULATED_GPU=no-jacobi run whole jacobiab.db "${arguments[@]}" || say "no-jacobi: $settings: $(head -n 2 err.txt)"
  [ "$(results wholeab.db)" = "$(results jacobiab.db)" ] || say "where Jacobi's method does not end, results are others: $settings"
  [ "$short" = short ] && break
done

# What does not fit is refused with what would; a device that is lost, or not there, is said; and the database is whole.
# told WHAT FAULT PATTERN ARGUMENT...
told() {
  local what=$1 fault=$2 pattern=$3
  shift 3
  REHEARSE_EMULATED_GPU=$fault run whole fault.db "$@" && say "$what: the run went on"
  grep -qE "$pattern" err.txt out.txt || say "$what: said: $(cat err.txt)"
  [ ! -e fault.db ] || [ "$(sqlite3 fault.db 'PRAGMA integrity_check')" = ok ] || say "$what: the database is not whole"
  rm -f fault.db
}
told "no driver" no-driver 'no NVIDIA driver; install one'
told "an old driver" old-driver 'driver serves CUDA 11.4 and this module needs 13.0; install a newer'
told "no device" no-device 'nvidia-smi'
told "an old device" old-device 'compute capability 7.0, and this module needs 8.0'
told "no memory" memory=60000000 'would fit' --set train.method=dpsgd --set platform.workers=64 --set model.hidden=64
told "a lost device" lost=120 'the device was lost; what was recorded is kept'

mapfile -t arguments < <(printf -- '--set\n%s\n' $ab)
told "no cuSOLVER" no-solver 'cuSOLVER failed in its opening' "${arguments[@]}"

# A driver that does not record graphs: the same results, and a warning.
REHEARSE_EMULATED_GPU=no-graphs run whole plain.db || say "no graphs: $(head -n 2 err.txt)"
run whole graphs.db || say "graphs: $(head -n 2 err.txt)"
[ "$(results plain.db)" = "$(results graphs.db)" ] || say "steps that are recorded as graphs give other results"
[ "$(sqlite3 plain.db "SELECT count(*) FROM warnings WHERE warning LIKE '%CUDA graphs%'")" = 1 ] ||
  say "no graphs: not said"
[ "$(sqlite3 graphs.db 'SELECT count(*) FROM warnings')" = 0 ] || say "graphs: warned"

# A profile of the device's steps, which a run on it is charged with.
"$folder/whole/bin/rehearse" calibrate study.yaml --samples 20 --set run.backend=cuda -o gpu.json >out.txt 2>&1 ||
  say "a profile: $(tail -n 2 out.txt)"
grep -q '"kernel": "cuBLAS' gpu.json || say "a profile does not name the device"
run whole profile.db --set time.source=profile --set time.profile=gpu.json || say "with a profile: $(head -n 2 err.txt)"
[ $failed -eq 0 ] && echo "runs with rows on an emulated device have the bits of the host's encoders"
exit $failed
