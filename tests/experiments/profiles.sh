#!/usr/bin/env bash
# Seconds from a file: calibrate writes it, time.source: profile charges it, whatever is missing is named.
#
#   bash tests/experiments/profiles.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 3}
data: {train: 300, test: 100}
model: {name: logreg}
train: {rounds: 4, batch: 8, evaluate_every: 4}
time: {source: profile, profile: board.json}
YAML

# No file yet: it says where it looked; nothing is created
"$program" run study.yaml >/dev/null 2>none.err
check "no file: status" [ $? -eq 2 ]
check "no file: named" says none.err \
  "time\.profile: no file 'board\.json'; tried 'board\.json', .*experiments/profiles/board\.json"
check "no file: nothing created" [ ! -e rehearse.db ]

# calibrate times what the study charges, though the study names the very file
"$program" calibrate study.yaml -n 20 -o board.json >calibrate.txt 2>calibrate.err
check "calibrate: status" [ $? -eq 0 ]
check "calibrate: says what it did" says calibrate.txt '^board\.json: 3 timings, 3 of them new, of '
for key in device backend kernel versions threads clock frequency_MHz date commands durations; do
  check "calibrate: $key" says board.json "\"$key\":"
done
check "calibrate: the command" says board.json 'rehearse calibrate study\.yaml -n 20 -o board\.json'
sed -Ei 's/"high_s": [^,}]*/"high_s": 1/; s/"low_s": [^,]*/"low_s": 1/; s/"median_s": [^,]*/"median_s": 1/' \
  board.json # undisturbed
cp board.json first.json
"$program" calibrate study.yaml -n 20 -o board.json >again.txt 2>&1
check "calibrate again: nothing is missing" says again.txt 'nothing is missing'
check "calibrate again: the file is as it was" cmp -s first.json board.json

sed -Ei 's/"high_s": 1/"high_s": 2/' board.json
"$program" calibrate study.yaml -n 20 -o board.json >third.txt 2>&1
check "calibrate once more: disturbed timings are taken again" [ "$(grep -c '"high_s": 2[,}]' board.json)" -eq 0 ]

# A hand-made profile of a device that nobody has: one second forward, two backward, four for the update
cat >board.json <<'JSON'
{"device": "a board", "backend": "npu",
 "durations": [
  {"name": "npu/logreg 28x28x1 7850/batch 8/forward", "samples": 200, "median_s": 1, "low_s": 0.9, "high_s": 1.1},
  {"name": "npu/logreg 28x28x1 7850/batch 8/backward dense1", "samples": 200, "median_s": 2, "low_s": 1.9,
   "high_s": 2.1},
  {"name": "npu/logreg 28x28x1 7850/sgd/update", "samples": 200, "median_s": 4, "low_s": 3.9, "high_s": 4.1}]}
JSON
"$program" run study.yaml >run.txt 2>run.err
check "run: status" [ $? -eq 0 ]
check "run: a second forward, two backward, four for the update, four rounds" \
  [ "$(query rehearse.db 'SELECT cast(round(simulated_s) AS INTEGER) FROM runs')" = 28 ]
check "run: the source is stored" [ "$(query rehearse.db 'SELECT time_source FROM runs')" = profile ]
check "run: the device is stored" \
  [ "$(query rehearse.db 'SELECT device FROM runs JOIN profiles USING (study, profile_hash)')" = "a board" ]
check "run: the study has no measured durations" \
  [ "$(query rehearse.db "SELECT count(*) FROM profiles WHERE profile_hash = 'study'")" = 0 ]
check "run: the table names device and file" says run.txt 'charged seconds: of a board \(time\.profile: board\.json\)'
id=$(query rehearse.db 'SELECT id FROM runs')
"$program" show "$id" >show.txt
check "show: the device" says show.txt 'device +a board'

# The file is part of the id, its place is not
mkdir elsewhere
cp study.yaml board.json elsewhere/
"$program" run elsewhere/study.yaml --dry-run >moved.txt 2>/dev/null
check "moved: the same id" says moved.txt "^$id  done"
sed -i 's/"median_s": 4,/"median_s": 4.05,/' elsewhere/board.json
"$program" run elsewhere/study.yaml --dry-run >changed.txt 2>/dev/null
check "another content: another id" says changed.txt '^[0-9a-f]{16}  new'
"$program" run study.yaml --dry-run --set time.profile=elsewhere/board.json >path.txt 2>/dev/null
check "the name without .json is found" "$program" run study.yaml --dry-run --set time.profile=elsewhere/board

# Beside measured durations of the same study: neither touches the other
"$program" run study.yaml --set time.source=measured >/dev/null 2>&1
check "measured: beside" \
  [ "$(query rehearse.db \
    "SELECT group_concat(time_source) FROM (SELECT time_source FROM runs ORDER BY 1)")" = measured,profile ]
check "measured: its durations are this machine's" \
  [ "$(query rehearse.db "SELECT count(*) FROM durations WHERE profile_hash = 'study' AND name LIKE 'npu/%'")" = 0 ]

# refuse NAME PATTERN ARGUMENT...: status 2, the first line matches, no database
refuse() {
  local name=$1 pattern=$2
  shift 2
  "$program" "$@" --db "$name.db" >/dev/null 2>"$name.err"
  check "$name: status" [ $? -eq 2 ]
  check "$name: message" says "$name.err" "$pattern"
  check "$name: no database" [ ! -e "$name.db" ]
}
said="board\.json: no timing for 'npu/logreg 28x28x1 7850/batch 16/forward', which a run of this study charges; "
refuse missing "$said.*\`rehearse calibrate study\.yaml --set train\.batch=16 -o board\.json\`" \
  run study.yaml --set train.batch=16
refuse int8_missing "no timing for 'npu/logreg 28x28x1 7850/batch 8 int8/forward'" run study.yaml \
  --set train.arithmetic=int8
head -c 200 board.json >cut.json
refuse cut 'cut\.json: no JSON; it may have been cut off' run study.yaml --set time.profile=cut.json
printf '{"runs": []}' >foreign.json
refuse foreign "foreign\.json: no profile: a JSON object with a list 'durations' is needed" run study.yaml \
  --set time.profile=foreign.json
sed 's/"npu",/"gpu",/' board.json >mixed.json
refuse mixed "mixed\.json: durations\[0\]: .* is not of the profile's backend, 'gpu'" run study.yaml \
  --set time.profile=mixed.json
refuse nameless 'time\.profile: source profile needs time\.profile, the file' run study.yaml --set time.profile=
sed 's/source: profile, //' study.yaml >sourceless.yaml
refuse sourceless 'sourceless\.yaml:5:17: time\.profile: is read with time\.source: profile alone' run sourceless.yaml

# An 8-bit device charges 8-bit steps
sed 's|batch 8/\(forward", "samples": 200, "median_s": \)1, "low_s": 0.9|batch 8 int8/\10.25, "low_s": 0.25|
  s|batch 8/backward|batch 8 int8/backward|' board.json >npu8.json
"$program" run study.yaml --db npu8.db --set train.arithmetic=int8 --set time.profile=npu8.json >/dev/null 2>&1
check "int8: a quarter of a second forward" \
  [ "$(query npu8.db 'SELECT cast(round(simulated_s) AS INTEGER) FROM runs')" = 25 ]

# What calibrate refuses
for arguments in "" "-o x.json" "study.yaml" "--model logreg -n 3 -o x.json" "--set a.b=c --model cnn -o x.json"; do
  # shellcheck disable=SC2086
  "$program" calibrate $arguments >/dev/null 2>usage.err
  check "calibrate $arguments: status" [ $? -eq 2 ]
done
"$program" calibrate --model logrex -o x.json >/dev/null 2>name.err
check "calibrate: an unknown model" says name.err "no model 'logrex'; did you mean 'logreg'\?"
"$program" calibrate study.yaml -o board.json >/dev/null 2>device.err
check "calibrate: status on another device's file" [ $? -eq 2 ]
check "calibrate: another device's file" says device.err "the profile is of another device, 'a board'; this one is "
"$program" calibrate --model logreg -b 4 -c int8 -n 20 -o grid.json >grid.txt 2>grid.err
check "calibrate: a model with a compressor" says grid.json '7850/int8.*/encode"'
for step in forward 'backward dense1' mix feedback 'sgd/update' 'sgd nesterov clipped/update' 'adamw/update'; do
  check "calibrate: $step" says grid.json "/$step\""
done
exit $failed
