#!/usr/bin/env bash
# run.backend: where there is no GPU, cuda is refused with the reason and auto computes on the CPU; where there is one,
# two runs on it are equal by hash, and end near those of the CPU.
#
#   bash tests/experiments/gpu.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 6}
data: {train: 600, test: 200, partition: skew, skew: 0.5}
model: {name: mlp, hidden: 16}
train: {rounds: 20, batch: 4, evaluate_every: 10, lr: 0.02}
compress: {bits: 4}
time: {source: flops}
vary:
  train.method: [allreduce, dpsgd]
  compress.name: [none, qsgd]
YAML

# run DB ARGUMENT...
run() {
  "$program" run study.yaml --db "$@" >out.txt 2>err.txt
}

run refused.db --set run.backend=cuda
status=$?
if [ $status -eq 2 ]; then
  grep -qE 'no GPU can be used: .+|no CUDA module' err.txt || say "cuda without a device: said: $(head -1 err.txt)"
  [ ! -e refused.db ] || say "cuda without a device: a database was made"
  LD_DEBUG=files LD_DEBUG_OUTPUT=loaded run auto.db || say "auto without a device: $(head -1 err.txt)"
  if ! cat loaded.* | grep -q 'calling init: .*libcuda\.so\.1'; then
    cat loaded.* | grep -q 'rehearse_cuda\.so' && say "auto without a driver loads the module, with its 200 MB"
  fi
  [ "$(sqlite3 auto.db "SELECT DISTINCT backend FROM runs")" = cpu ] || say "auto without a device is the CPU"
  run products.db --set run.products=tf32
  [ $? -eq 2 ] && grep -q 'run.products' err.txt || say "products on a CPU: said: $(head -1 err.txt)"
  exit $failed
fi
[ $status -eq 0 ] || { cat err.txt; exit 1; }

results() {
  sqlite3 "$1" "SELECT id, parameters_hash, simulated_s FROM runs ORDER BY id;
    SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM evaluations ORDER BY run_id, round;"
}
run again.db --set run.backend=cuda || { cat err.txt; exit 1; }
[ "$(results refused.db)" = "$(results again.db)" ] || say "two runs on the GPU differ"
[ "$(sqlite3 again.db "SELECT DISTINCT backend FROM runs")" = cuda ] ||
  say "the runs do not say that they are the GPU's"
run cpu.db --set run.backend=cpu || { cat err.txt; exit 1; }

# Without compression rounding alone differs, 1e-6 or so of a gradient, over 20 rounds; with it coarse steps (4 bits)
# may fall to the other side.
sqlite3 again.db "ATTACH 'cpu.db' AS c; SELECT g.method, g.compressor, a.round, a.train_loss, b.train_loss FROM runs g
  JOIN rounds a ON a.run_id = g.id JOIN c.runs r ON r.method = g.method AND r.compressor = g.compressor
  JOIN c.rounds b ON b.run_id = r.id AND b.round = a.round
  WHERE abs(a.train_loss - b.train_loss) > (CASE g.compressor WHEN 'qsgd' THEN 0.2
  ELSE 0.001 END) * b.train_loss" >far.txt
[ ! -s far.txt ] || { say "losses are far from the CPU's:"; head -n 3 far.txt; }
[ $failed -eq 0 ] && echo "the GPU's runs repeat, and end near the CPU's"
exit $failed
