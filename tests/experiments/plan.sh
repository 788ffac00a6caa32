#!/usr/bin/env bash
# `rehearse plan`, `run DIR --index`, `status` and `merge`: a study run task by task gives the rows of one run at once;
# bad folders and indices are refused; nothing is written outside the folder.
#
#   bash tests/experiments/plan.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

rows() {
  sqlite3 "$1" "SELECT id, parameters_hash, simulated_s FROM runs ORDER BY id;
    SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM evaluations ORDER BY run_id, round;"
}
# refuse NAME PATTERN ARGUMENT...: status 2, a message that matches, and nothing made or changed
state() { find . -type f -not -name '*.err' -exec cksum {} + | sort; }
refuse() {
  local name=$1 pattern=$2 before
  shift 2
  before=$(state)
  "$program" "$@" >"$name.out.err" 2>"$name.err"
  check "$name: status 2" [ $? -eq 2 ]
  check "$name: said: $(head -1 "$name.err")" grep -qE -- "$pattern" "$name.err"
  check "$name: nothing changed" [ "$(state)" = "$before" ]
}

mkdir studies
two_hosts >studies/net.xml
cat >studies/study.yaml <<'YAML'
name: "../../up $(touch owned) `touch owned`"
platform: {file: net.xml, workers: 2}
model: {name: logreg}
train: {rounds: 4, evaluate_samples: 100}
vary: {train.method: [allreduce, dpsgd], run.seed: [1, 2]}
YAML
"$program" plan studies/study.yaml -o planned --slurm >plan.txt 2>plan.err
check "plan: status" [ $? -eq 0 ]
check "plan: four tasks" grep -q '^4 tasks in planned' plan.txt
check "plan: what it leaves" [ "$(ls planned | paste -sd' ')" = 'logs plan profile.json results slurm.sh tasks' ]
check "plan: makes nothing else" [ "$(ls -A | paste -sd' ')" = 'plan.err plan.txt planned studies' ]
check "plan: durations were measured" grep -q '"median_s"' planned/profile.json
check "slurm.sh: is a script" bash -n planned/slurm.sh
check "slurm.sh: an array of four" grep -q '^#SBATCH --array=1-4$' planned/slurm.sh
check "slurm.sh: memory and time" [ "$(grep -cE '^#SBATCH --(mem=[0-9]+M|time=[0-9]+)$' planned/slurm.sh)" -eq 2 ]
check "slurm.sh: nothing of the study's name but harmless characters" grep -qE '^#SBATCH --job-name=[A-Za-z0-9_.-]+$' \
  planned/slurm.sh

"$program" status planned >status.txt
check "status: all missing" grep -qx 'missing  4  (1-4)' status.txt

# From another folder, the number from Slurm's variable; each into its own file
(cd / && SLURM_ARRAY_TASK_ID=2 "$program" run "$work/planned" >"$work/two.txt" 2>"$work/two.err")
check "run: status" [ $? -eq 0 ]
check "run: its own file" [ "$(ls planned/results)" = 2.db ]
bash planned/slurm.sh 2>nothing.err && echo "FAILED: slurm.sh without an index" && failed=1
"$program" status planned >status.txt
check "status: one done" grep -qx 'done     1' status.txt
check "status: the others" grep -qx 'missing  3  (1,3-4)' status.txt
SLURM_ARRAY_TASK_ID=3 bash planned/slurm.sh >three.txt 2>three.err
check "slurm.sh: runs its task" [ $? -eq 0 ]
"$program" run planned --index 2 >/dev/null 2>again.err
check "again: not repeated" grep -q '^1 of 1 runs are in planned/results/2.db already' again.err

# Merging: what is there, twice, and the rest later
"$program" merge planned -o all.db >merge.txt
check "merge: two files" [ "$(grep -c '1 run merged' merge.txt)" -eq 2 ]
for index in 1 4; do "$program" run planned --index $index >/dev/null 2>>rest.err; done
"$program" merge planned -o all.db >merge.txt
check "merge: the rest" [ "$(grep -c '1 run merged' merge.txt)" -eq 2 ]
rows all.db >all.rows
"$program" merge planned -o all.db >merge.txt
check "merge: again" [ "$(grep -c ': 0 runs merged, 1 there already' merge.txt)" -eq 4 ]
rows all.db >again.rows
check "merge: again changes nothing" cmp all.rows again.rows
check "merge: every run once" [ "$(sqlite3 all.db 'SELECT count(*) FROM runs')" -eq 4 ]

# Damaged results: named with the reason, left as they are; the others are looked at and merged
cp -r planned hurt
printf 'no database' >hurt/results/1.db
truncate -s 5000 hurt/results/3.db
echo 'torn' >hurt/tasks/4.task
cp hurt/results/1.db one.was && cp hurt/results/3.db three.was
"$program" status hurt >hurt.txt
check "damaged: status 1" [ $? -eq 1 ]
check "damaged: counted" grep -qx 'damaged  3  (1,3-4)' hurt.txt
check "damaged: the others" grep -qx 'done     1' hurt.txt
check "damaged: reasons" \
  [ "$(grep -cE '^(1: hurt/results/1\.db: not a database|3: hurt/results/3\.db: .*damaged.*|4: hurt/tasks/4\.task.*)' \
    hurt.txt)" -eq 3 ]
"$program" status hurt --json >hurt.json
check "damaged: JSON" python3 -c 'import json
l = json.load(open("hurt.json"))
assert [t["status"] for t in l] == ["damaged", "done", "damaged", "damaged"]
assert all(t["reason"] for t in l if t["status"] == "damaged")'
for time in first second; do
  "$program" merge hurt -o hurt.db >hurt.txt 2>hurt.err
  check "damaged: merge has status 1, the $time time" [ $? -eq 1 ]
  check "damaged: merge names two" [ "$(grep -cE 'not merged: hurt/results/[13]\.db: ' hurt.err)" -eq 2 ]
  check "damaged: merge takes the others" \
    [ "$(sqlite3 hurt.db "SELECT count(*) FROM runs WHERE status = 'done'")" -eq 2 ]
done
"$program" merge hurt/results/1.db -o none.db >hurt.txt 2>hurt.err
check "damaged alone: status 1" [ $? -eq 1 ]
check "damaged alone: no database is made" [ ! -e none.db ]
check "damaged: left as they are" eval 'cmp -s hurt/results/1.db one.was && cmp -s hurt/results/3.db three.was'
"$program" run hurt --index 1 >hurt.txt 2>hurt.err
check "damaged: the task's status" [ $? -eq 2 ]
check "damaged: the task does not write to it" cmp -s hurt/results/1.db one.was

# One run at once with the same durations gives the same rows
{ "$program" run studies/study.yaml --db plain.db --set time.source=flops &&
  "$program" plan studies/study.yaml -o flops \
  --set time.source=flops && for index in 1 2 3 4; do "$program" run flops --index $index; done &&
  "$program" merge flops -o flops.db; } >plain.txt 2>plain.err
rows plain.db >plain.rows
rows flops.db >flops.rows
check "the same rows as in one go" cmp plain.rows flops.rows
check "nothing of the name was executed" [ ! -e owned ]
check "nothing was written above" [ "$(find .. -maxdepth 1 -name 'up *' | wc -l)" -eq 0 ]

# Refused
refuse there 'planned: is there already' plan studies/study.yaml -o planned
refuse beyond 'planned/: has no task 5; they are 1 to 4' run planned --index 5
refuse missing_file 'nothere\.db: No such file' merge planned/results/1.db nothere.db -o none.db
refuse zero 'planned/: has no task 0' run planned --index 0
refuse word "'two' is no number of a task" run planned --index two
refuse none 'which task of planned\? Give --index' run planned
refuse set '--db, --set, --init, --save and --jobs do not apply' run planned --index 1 --set run.seed=7
refuse index_of_study 'is no folder that `rehearse plan` made' run studies/study.yaml --index 1
refuse no_output 'no folder to plan into' plan studies/study.yaml
cp -r planned later && sed -i 's/^rehearse-plan 1$/rehearse-plan 2/' later/plan
refuse format 'later/plan: a plan of format 2, and this program knows 1' run later --index 1
cp -r planned other && sed -i 's/^version .*/version 0.0.9/' other/plan
refuse version 'other/plan: planned by rehearse 0.0.9, and this is ' status other
cp -r planned torn && printf 'rehearse-plan 1\nversion' >torn/plan
refuse torn 'torn/plan: a damaged plan' status torn
cp -r planned cut && rm cut/results/* && head -c 100 planned/profile.json >cut/profile.json
refuse cut_profile 'cut/profile.json: ' run cut --index 1
cp -r planned fresh && rm fresh/results/*
sed -i 's/latency="[^"]*"/latency="2us"/' studies/net.xml
refuse changed_file 'task 1 was planned as run [0-9a-f]{16} and is [0-9a-f]{16} here' run fresh --index 1
mkdir plain
refuse no_plan 'plain: is a directory; give one study file of it' run plain --set run.seed=1

[ $failed -eq 0 ] && echo "plans are run as planned"
exit $failed
