#!/usr/bin/env bash
# `rehearse replay`: a run again from its stored durations, and what it says of rows that were changed behind its back.
#
#   bash tests/experiments/replay.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

sql() { sqlite3 "$@"; }

mkdir study
cat >study/study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 4}
data: {train: 400, test: 100, partition: skew, skew: 0.5}
model: {name: logreg}
train: {rounds: 12, batch: 8, evaluate_every: 4}
compress: {name: qsgd, bits: 4}
vary:
  train.method: [allreduce, dpsgd]
  time.jitter: ["off", measured]
YAML
# platform PROPERTY: four hosts at a switch
platform() {
  cat <<XML
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <config><prop id="network/model" value="CM02"/></config>
  <cluster id="near" prefix="n" suffix="" radical="0-3" speed="1Tf" bw="12.5GBps" lat="1us">$1</cluster>
</platform>
XML
}
platform '' >study/near.xml
platform '<prop id="device" value="board"/>' >study/devices.xml
"$program" run study/study.yaml --set platform.file=near.xml --set run.trace=1..2 >/dev/null 2>run.err || cat run.err
before=$(cksum rehearse.db)

# Every run, bit for bit: measured durations, drawn ones, both methods, traced rounds; the database is only read
for id in $(sql rehearse.db 'SELECT id FROM runs'); do
  "$program" replay "$id" >same.txt 2>same.err
  check "replay $id: status" [ $? -eq 0 ]
  check "replay $id: says so" says same.txt 'rows compared: all the same, bit for bit'
done
check "four runs" [ "$(sql rehearse.db 'SELECT count(*) FROM runs')" = 4 ]
check "the database is only read" [ "$(cksum rehearse.db)" = "$before" ]
check "the same command needs no study" mv study/study.yaml study/gone.yaml
"$program" replay "$id" >/dev/null 2>gone.err
check "without the study: status" [ $? -eq 0 ]

# changed NAME STATUS PATTERN SQL: a copy of the database in which a row is another
changed() {
  local name=$1 status=$2 pattern=$3
  cp rehearse.db "$name.db"
  sql "$name.db" "$4"
  "$program" replay "$id" --db "$name.db" >"$name.txt" 2>"$name.err"
  check "$name: status" [ $? -eq "$status" ]
  check "$name: says it" says "$name.txt" "$pattern"
}
here="run_id = '$id'"
elsewhere="UPDATE runs SET kernel = 'another';"
changed time 1 'rounds\.finish_s: 1 row differs \(time, which should be the same\); round 3: ' \
  "UPDATE rounds SET finish_s = finish_s * (1 + 1e-15) WHERE round = 3 AND $here"
changed value 1 'evaluations\.test_loss: 3 rows differ \(value, which should be the same\); round 4: ' \
  "UPDATE evaluations SET test_loss = test_loss + 1 WHERE $here"
changed hash 1 'runs\.parameters_hash: 1 row differs' "UPDATE runs SET parameters_hash = '00' WHERE id = '$id'"
changed seed 1 'runs\.seed: 1 row differs \(setting, which should be the same\); [0-9]+ instead of 55' \
  "UPDATE runs SET seed = 55 WHERE id = '$id'"
changed load 1 'links\.bin_loads: [0-9]+ rows? differs? \(time, which should be the same\); link .*: other bytes' \
  "UPDATE links SET bin_loads = x'00' WHERE $here"
changed lost 1 "rounds: 1 row differs \(number of rows, which should be the same\); 12 rows instead of 11" \
  "DELETE FROM rounds WHERE round = 12 AND $here"
changed rounding 0 'with another build or kernel.*|all the same' \
  "$elsewhere UPDATE rounds SET finish_s = finish_s * (1 + 1e-12) WHERE $here"
changed other_value 0 'evaluations\.test_loss: 3 rows differ \(value\)' \
  "$elsewhere UPDATE evaluations SET test_loss = test_loss + 1 WHERE $here"
changed other_time 1 'rounds\.finish_s: 1 row differs \(time, which should be the same\)' \
  "$elsewhere UPDATE rounds SET finish_s = finish_s * 1.001 WHERE round = 3 AND $here"
changed other_length 0 'rounds\.wire_bytes.*|rounds\.finish_s' \
  "$elsewhere UPDATE rounds SET finish_s = finish_s * 1.001, messages = messages + 1 WHERE round = 3 AND $here"
"$program" replay "$id" --db value.db --json >value.json
check "json" says value.json '"as_expected": false'

# Another kernel in earnest: the same times, from the stored durations
OPENBLAS_CORETYPE=Nehalem "$program" replay "$id" >kernel.txt 2>kernel.err
check "another kernel: status" [ $? -eq 0 ]
check "another kernel: says that it is one" says kernel.txt 'with another build or kernel'

# A profile's run does not ask for the file; hosts' devices neither
cat >study/board.json <<'JSON'
{"device": "a board", "backend": "npu", "durations": [
  {"name": "npu/logreg 28x28x1 7850/batch 8/forward", "samples": 200, "median_s": 1, "low_s": 0.9, "high_s": 1.1},
  {"name": "npu/logreg 28x28x1 7850/batch 8/backward dense1", "samples": 200, "median_s": 2, "low_s": 1.9,
   "high_s": 2.1},
  {"name": "npu/logreg 28x28x1 7850/sgd/update", "samples": 200, "median_s": 4, "low_s": 3.9, "high_s": 4.1}]}
JSON
mv study/gone.yaml study/study.yaml
one=(--set train.method=allreduce --set compress.name=none --set time.jitter=off)
for more in "--set time.source=profile --set time.profile=board.json --set platform.file=near.xml" \
  "--set platform.file=devices.xml"; do
  # shellcheck disable=SC2086
  "$program" run study/study.yaml "${one[@]}" $more --db profile.db >/dev/null 2>profile.err || cat profile.err
done
check "two ways to a profile" \
  [ "$(sql profile.db "SELECT group_concat(cast(round(simulated_s) AS INTEGER)) FROM runs")" = 84,84 ]
rm study/board.json
for id in $(sql profile.db 'SELECT id FROM runs'); do
  "$program" replay "$id" --db profile.db >same.txt 2>same.err
  check "profile $id: status" [ $? -eq 0 ]
  check "profile $id: the same" says same.txt 'all the same, bit for bit'
done

# What is refused
refuse() {
  local name=$1 pattern=$2
  shift 2
  "$program" replay "$@" >/dev/null 2>"$name.err"
  check "$name: status" [ $? -eq 2 ]
  check "$name: message" says "$name.err" "$pattern"
}
id=$(sql rehearse.db 'SELECT id FROM runs LIMIT 1')
refuse unknown "no run whose id starts with 'xyz'" xyz
refuse no_database 'none\.db' "$id" --db none.db
cp rehearse.db failed.db
sql failed.db "UPDATE runs SET status = 'failed'"
refuse failed 'is failed; only a run that is done can be compared' "$id" --db failed.db
echo ' ' >>study/near.xml
refuse platform 'near\.xml is not the platform file of run' "$id"
rm study/near.xml
refuse lost_platform "platform\.file: no file 'near\.xml'" "$id"
check "nothing is left" \
  [ -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'rehearse-replay-*' -newer rehearse.db \
    -user "$(id -un)" 2>/dev/null)" ]
exit $failed
