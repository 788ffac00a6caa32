#!/usr/bin/env bash
# `rehearse run` from end to end: skipping, repeating, dry runs, jobs, failed and interrupted runs.
#
#   bash tests/experiments/run_study.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

# results DB: what training and simulation gave, without what the machine adds
results() {
  "$program" list --db "$1" --json | tr ',' '\n' | grep -E '"(id|accuracy|simulated_s|wire_bytes|status)"' |
    tr -d '[]{} ' | paste -sd' \n' -d '    \n' | sort
}

two_hosts >two.xml
cat >study.yaml <<'YAML'
platform: {file: two.xml, workers: 2}
model: {name: logreg}
train: {rounds: 4, evaluate_every: 2, evaluate_samples: 100}
compress: {bits: 4}
time: {source: flops}
vary:
  train.method: [allreduce, dpsgd]
  compress.name: [none, qsgd]
YAML

# A dry run lists the runs with their ids and creates nothing
"$program" run study.yaml --dry-run >dry.txt 2>dry.err
check "dry run: status" [ $? -eq 0 ]
check "dry run: four new runs" [ "$(grep -cE '^[0-9a-f]{16}  new' dry.txt)" -eq 4 ]
check "dry run: nothing created" [ ! -e rehearse.db ]

# The runs have those ids; nothing but the database is left
"$program" run study.yaml >first.txt 2>first.err
check "run: status" [ $? -eq 0 ]
check "run: all done" [ "$("$program" list --json | grep -o '"status": "done"' | wc -l)" -eq 4 ]
check "run: nothing left" [ ! -e rehearse.db.runs ]
results rehearse.db >first.results
while read -r id _; do
  check "run: id $id was foretold" grep -q "\"id\":\"$id\"" first.results
done < <(grep -E '^[0-9a-f]{16}' dry.txt)

# Nothing is repeated
"$program" run study.yaml >second.txt 2>second.err
check "again: status" [ $? -eq 0 ]
check "again: says so" grep -q '^4 of 4 runs are in rehearse.db already' second.err
check "again: the same table" cmp -s first.txt second.txt

# --force repeats, bit for bit; two jobs and two threads change nothing
"$program" run study.yaml --force >/dev/null 2>force.err
check "force: repeats" grep -q '^\[4/4\]' force.err
results rehearse.db >force.results
check "force: the same results" cmp first.results force.results
"$program" run study.yaml --db jobs.db --jobs 2 --set run.threads=2 --set run.memory=1GB >/dev/null 2>&1
results jobs.db >jobs.results
check "jobs: the same results" cmp first.results jobs.results

# The least memory that is foretold suffices; a byte less is refused
one=(--set train.method=dpsgd --set compress.name=qsgd --set run.threads=1)
least=$("$program" run study.yaml --dry-run --json "${one[@]}" | grep -oE '"least_memory_bytes": [0-9]+' |
  grep -oE '[0-9]+$')
"$program" run study.yaml --db least.db "${one[@]}" --set run.memory="${least}B" >/dev/null 2>least.err
check "memory: the least suffices" [ $? -eq 0 ]
"$program" run study.yaml --db less.db "${one[@]}" --set run.memory="$((least - 1))B" >/dev/null 2>less.err
check "memory: less does not" [ $? -eq 2 ]
check "memory: no database" [ ! -e less.db ]

# Steps and messages of the rounds in run.trace are recorded, and change nothing else
traced=(--set train.method=allreduce --set compress.name=none)
"$program" run study.yaml --db traced.db "${traced[@]}" --set run.trace=2..3 >/dev/null 2>trace.err
check "trace: status" [ $? -eq 0 ]
"$program" run study.yaml --db untraced.db "${traced[@]}" >/dev/null 2>&1
for db in traced untraced; do
  "$program" list --db $db.db --json | grep -oE '"(accuracy|simulated_s|wire_bytes)": [^,]*' >$db.results
done
check "trace: the same results" cmp traced.results untraced.results
"$program" run study.yaml --db wrong.db "${traced[@]}" --set run.trace=3..2 >/dev/null 2>wrong.err
check "trace: backwards is refused" [ $? -eq 2 ]
check "trace: and how to write it told" grep -q "'3..2' names no rounds; write FROM..TO" wrong.err
"$program" run study.yaml --db wrong.db "${traced[@]}" --set run.trace=9..12 >/dev/null 2>wrong.err
check "trace: no such round" grep -q 'round 9 is to be recorded, but train.rounds is 4' wrong.err

# A key that no run reads is named; runs that are the same are one
"$program" run study.yaml --dry-run --set compress.name=none --set train.method=allreduce >one.txt 2>one.err
check "unread key: named" grep -q 'study.yaml:4:18: compress.bits: no run of this study uses this key' one.err
for choice in ring torus server; do
  "$program" run study.yaml --dry-run --set network.collective=$choice --set network.torus=2 --set network.shards=2 \
    >one.txt 2>one.$choice || cat one.$choice
done
check "unread key: sides without a torus" grep -q 'network.torus: no run of this study uses this key' one.ring
check "unread key: shards without a server" grep -q 'network.shards: no run of this study uses this key' one.ring
check "unread key: sides of a torus are read" [ "$(grep -c 'no run of this study uses' one.torus)" -eq 1 ]
check "unread key: shards of a server are read" [ "$(grep -c 'no run of this study uses' one.server)" -eq 1 ]
sed '/^vary/,$d' study.yaml >twins.yaml
echo 'vary: {run.threads: [1, 2]}' >>twins.yaml
"$program" run twins.yaml --dry-run >twins.txt 2>twins.err
check "twins: one run" [ "$(wc -l <twins.txt)" -eq 2 ] # with the heading
check "twins: counted" grep -q '^1 of 2 runs equal an earlier one' twins.err
check "twins: why" grep -q '^run.threads changes no result' twins.err

# ids: the study's name and a file's content count, the spelling of its path does not
ids() { "$program" run "$@" --dry-run 2>ids.err | grep -oE '^[0-9a-f]{16}'; }
sed '/^vary/,$d' study.yaml >id.yaml
sed '$a name: other' id.yaml >id_name.yaml
sed 's/1Gf/2Gf/' two.xml >moved.xml
mkdir -p folder && cp two.xml folder/two.xml && mkdir -p changed && cp moved.xml changed/two.xml
id=$(ids id.yaml)
check "id: one" [ ${#id} -eq 16 ]
check "id: another spelling of a path" [ "$(ids id.yaml --set platform.file="$PWD/folder/two.xml")" = "$id" ]
check "id: another content" [ "$(ids id.yaml --set platform.file=changed/two.xml)" != "$id" ]
check "id: another name of the study" [ "$(ids id_name.yaml)" != "$id" ]
sed '$a vary: {platform.file: [two.xml, folder/two.xml, changed/two.xml]}' id.yaml >places.yaml
check "id: two of three files are different" [ "$(ids places.yaml | sort -u | wc -l)" -eq 2 ]
check "id: the third is left out" grep -q '^1 of 3 runs equal an earlier one' ids.err

# include and exclude: the runs that stay; the command of an included run gives that run alone
cat >choice.yaml <<'YAML'
platform: {file: two.xml, workers: 2}
model: {name: logreg}
train: {rounds: 2, evaluate_samples: 100}
time: {source: flops}
vary: {train.method: [allreduce, dpsgd], compress.name: [none, qsgd]}
exclude: [{train.method: dpsgd, compress.name: qsgd}]
include: [{train.method: choco, compress.name: topk, run.seed: [7, 8]}, {train.lr: 0.5}]
YAML
"$program" run choice.yaml --dry-run --json >choice.json 2>choice.err
check "choice: six runs" [ "$(grep -c '"id"' choice.json)" -eq 6 ]
while IFS= read -r command; do
  eval "set -- ${command#rehearse }"
  check "choice: the command repeats one run: $command" [ "$("$program" "$@" --dry-run 2>/dev/null | wc -l)" -eq 2 ]
done < <(grep -o '"command": ".*"' choice.json | sed 's/^"command": "//; s/"$//')

# Without --jobs as many runs as cores; the longest by prediction first, and a line with the total
"$program" run choice.yaml --db order.db --set compress.name=none --jobs 1 >order.txt 2>order.err
check "order: gossip, whose workers differ, before the collective" grep -q '^\[1/.*dpsgd' order.err
check "order: the total" grep -qE '^[0-9]+ runs: [0-9]+ done, in ' order.err

# A study that comes with the program is found by its name
"$program" run quickstart.yaml --dry-run >quick.txt 2>quick.err
check "quickstart: found" [ "$(wc -l <quick.txt)" -eq 9 ] # with the heading

# The studies of compressors pass their checks; no run is another's twin, no key is in vain
for shipped in compressors compressors-feedback compressors-step-ahead compressors-own-rate \
  compressors-own-rate-feedback; do
  "$program" run $shipped.yaml --dry-run >/dev/null 2>shipped.err
  check "$shipped: status" [ $? -eq 0 ]
  check "$shipped: no warning" [ ! -s shipped.err ]
done

# Labels tell the runs apart
sed '$a vary: {train.lr: [0.1, 0.2], compress.name: [none, qsgd], compress.bits: [4, 8], run.seed: [1, 2]}' id.yaml |
  sed 's/^compress:.*//' >labels.yaml
"$program" run labels.yaml --dry-run 2>labels.err | sed 1d | cut -d' ' -f 3- >labels.txt
check "labels: twelve runs" [ "$(wc -l <labels.txt)" -eq 12 ] # bits counts under qsgd alone
check "labels: all different" [ "$(sort -u labels.txt | wc -l)" -eq 12 ]
check "labels: what is varied" grep -q 'qsgd seed 2 lr=0.1 bits=8$' labels.txt

# A process that dies is a failed run with a reason; the others go on
cat >long.yaml <<'YAML'
platform: {file: two.xml, workers: 2}
model: {name: logreg}
train: {rounds: 1000000}
time: {source: flops}
vary: {run.seed: [1, 2]}
YAML
"$program" run long.yaml --db long.db --jobs 1 >long.txt 2>long.err &
parent=$!
child() { cat /proc/$parent/task/$parent/children; }
# begun COUNT: that many runs have had rows in their databases
begun() {
  for db in long.db.runs/*.db; do
    "$program" list --db "$db" --json | grep -qE '"rounds": [1-9]' && echo "$db" >>long.begun
  done
  [ "$(sort -u long.begun | wc -l)" -ge "$1" ]
}
await begun 1
kill -KILL "$(child | tr -d " ")"
await begun 2
# A signal ends the rest at once; what was recorded is kept
kill -TERM $parent
wait $parent
check "interrupt: status 3" [ $? -eq 3 ]
"$program" list --db long.db --json >long.json
check "interrupt: one run failed" [ "$(grep -c '"status": "failed"' long.json)" -eq 1 ]
check "interrupt: with the reason" grep -q 'ended by signal 9' long.json
check "interrupt: one run interrupted" [ "$(grep -c '"status": "interrupted"' long.json)" -eq 1 ]
check "interrupt: rows are kept" [ "$(grep -oE '"rounds": [1-9]' long.json | wc -l)" -eq 2 ]
check "interrupt: nothing left but a checkpoint" [ "$(ls long.db.runs)" = "$(cd long.db.runs && ls -- *.checkpoint)" ]

# What SimGrid ends a process with is one sentence, without its backtrace
sed 's|<prop id="network/model" value="CM02"/>|&<prop id="network/bandwidth-factor" value="0"/>|' two.xml >ended.xml
"$program" run study.yaml --db ended.db --set platform.file=ended.xml --set train.method=allreduce \
  --set compress.name=none >ended.txt 2>ended.err
check "ended by SimGrid: status" [ $? -eq 1 ]
check "ended by SimGrid: the reason is SimGrid's sentence" \
  grep -q "SimGrid ended the run's process: .*Bandwidth factor cannot be 0$" ended.txt
check "ended by SimGrid: no backtrace" [ "$(grep -c 'libsimgrid' ended.txt ended.err | grep -cv ':0$')" -eq 0 ]

# The first failure ends the others only when asked; a shorter run fails at once, the longer ones are interrupted
cat >fails.yaml <<'YAML'
platform: {file: two.xml, workers: 2}
model: {name: logreg}
train: {rounds: 20000, evaluate_samples: 100}
time: {source: flops}
vary: {run.seed: [1, 2]}
include: [{platform.file: ended.xml, train.rounds: 2}]
YAML
"$program" run fails.yaml --db fast.db --jobs 3 --fail-fast --set train.rounds=200000 >fast.txt 2>fast.err
check "fail-fast: status" [ $? -eq 1 ]
check "fail-fast: the others are interrupted" \
  [ "$(sqlite3 fast.db "SELECT count(*) FROM runs WHERE status = 'interrupted'")" -eq 2 ]
"$program" run fails.yaml --db slow.db --jobs 3 --set train.rounds=200 >slow.txt 2>slow.err
check "a failure: status" [ $? -eq 1 ]
check "a failure: the others go on" [ "$(sqlite3 slow.db "SELECT count(*) FROM runs WHERE status = 'done'")" -eq 2 ]
check "a failure: is recorded with its reason" \
  [ "$(sqlite3 slow.db \
    "SELECT count(*) FROM runs WHERE status = 'failed' AND reason LIKE '%Bandwidth factor%'")" -eq 1 ]
check "a failure: the total" grep -q '^3 runs: 2 done, 1 failed, in ' slow.err

[ $failed -eq 0 ] && echo "run does what it says"
exit $failed
