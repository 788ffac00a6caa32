#!/usr/bin/env bash
# Models in files: what a run saves and where it starts, whose id that changes, what is refused; and the program's
# gradient against one taken in plain Python, on a table in CSV.
#
#   bash tests/experiments/model_files.sh PROGRAM
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh" "$@"

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 4}
data: {train: 200, test: 60}
model: {name: mlp, hidden: 8}
graph: {name: ring}
train: {method: dpsgd, rounds: 5, batch: 4, lr: 0.05, evaluate_every: 5}
time: {source: flops}
YAML
query() { sqlite3 out.db "$1"; }
run() {
  "$program" run "$@" --db out.db >/dev/null 2>err || { cat err; exit 1; }
}

# Round trip: a model saved after no learning is the one it started from
run study.yaml --save five.safetensors
check "a model is saved" [ -s five.safetensors ]
run study.yaml --init five.safetensors --save same.safetensors --set train.method=allreduce --set train.lr=0
values() { tail -c $(((784 * 8 + 8 + 8 * 10 + 10) * 4)) "$1" | sha256sum; } # P f32, after the header
check "it comes back bit by bit" [ "$(values five.safetensors)" = "$(values same.safetensors)" ]
check "the file says what it is" \
  [ "$(head -c 400 five.safetensors | grep -ac '"format":"rehearse".*"rounds":"5"')" -eq 1 ]
check "a start of one's own is another run" [ "$(query "SELECT count(DISTINCT id) FROM runs")" -eq 2 ]
run study.yaml --init five.safetensors
check "training goes on from there" \
  [ "$(query "SELECT count(*) FROM runs a JOIN runs b JOIN rounds x ON x.run_id = a.id AND x.round = 1
  JOIN rounds y ON y.run_id = b.id AND y.round = 1 WHERE a.configuration LIKE '%run.init=five%'
  AND a.configuration LIKE '%lr=0.05%'
  AND b.configuration NOT LIKE '%run.init=five%' AND x.train_loss < y.train_loss")" -eq 1 ]

# What is saved changes no id, and a run that saves is repeated
before=$(query "SELECT count(*) FROM runs")
rm five.safetensors
run study.yaml --save five.safetensors
check "a run that is done saves when asked to" [ -s five.safetensors ]
check "and stays the same run" [ "$(query "SELECT count(*) FROM runs")" -eq "$before" ]
# a file of the same name with other content is another input
cp five.safetensors moved.safetensors
run study.yaml --init moved.safetensors
run study.yaml --init same.safetensors
check "ids follow what files hold and are called" [ "$(query "SELECT count(*) FROM runs")" -eq $((before + 2)) ]

# refuse WORDS ARGUMENTS...: status 2 with these words on stderr, and no database
refuse() {
  local words=$1
  shift
  "$program" run "$@" --db no.db >/dev/null 2>err
  check "refused, status 2: $words" [ $? -eq 2 ]
  check "refused, with the reason: $words, not $(head -n 1 err)" grep -Eq -- "$words" err
  check "refused, nothing created: $words" [ ! -e no.db ]
}
head -c 1000 five.safetensors >cut.safetensors
refuse "run.init: .*cut.safetensors: tensor '.*' ends at byte" study.yaml --init cut.safetensors
refuse "run.init: .*tensor 'dense1.weight' has the shape \[8, 784\], but model mlp needs \[9, 784\]" \
  study.yaml --init five.safetensors --set model.hidden=9
refuse "tensor 'conv1.weight' \[8, 1, 5, 5\] of model cnn is missing" study.yaml --init five.safetensors \
  --set model.name=cnn
refuse "run.init: no file 'none.safetensors'" study.yaml --init none.safetensors
{ cat study.yaml; echo 'vary: {run.seed: [1, 2]}'; } >two.yaml
refuse "run.save: 'x.safetensors' would be written by more than one of the study's 2 runs" two.yaml --save x.safetensors
mkfifo pipe
"$program" run study.yaml --db pipe.db --save pipe >/dev/null 2>err
check "a pipe is no place for a model: status" [ $? -ne 0 ]
check "a pipe is one still" [ -p pipe ]
"$program" run study.yaml --db fails.db --save no-such-folder/x >/dev/null 2>err
check "a model that cannot be written is told before its run" [ $? -eq 2 ]
check "with the reason" grep -q "run.save: no-such-folder/x: cannot be written: No such file" err
check "and leaves no database" [ ! -e fails.db ]

# One step of all samples at once, without momentum: (init - saved) / lr is the gradient
if python3 -c '' 2>/dev/null; then
  cat >step.yaml <<'YAML'
platform: {file: ideal.xml, workers: 1}
data: {name: csv, train_file: table.csv, test_every: 4}
model: {name: logreg}
train: {method: allreduce, rounds: 1, batch: 45, lr: 1, momentum: 0, decay: 0, evaluate_every: 1}
time: {source: flops}
YAML
  python3 "$here/model_files.py" make table.csv init.safetensors
  for backend in cpu ref; do
    run step.yaml --init init.safetensors --save "stepped-$backend.safetensors" --set run.backend=$backend
    check "gradients are those of plain Python, backend $backend" \
      python3 "$here/model_files.py" check table.csv init.safetensors "stepped-$backend.safetensors" 1
  done
else
  echo "SKIPPED: gradients against plain Python, which is not installed"
fi
[ $failed -eq 0 ] && echo "models in files are what they say"
exit $failed
