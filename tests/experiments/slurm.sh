#!/usr/bin/env bash
# A planned study of 20 tasks on a Slurm of its own on this machine: one task is killed and requeued, everything is
# merged once. Skipped (status 77) where slurm-wlm is not installed or this is not root.
#
#   bash tests/experiments/slurm.sh PROGRAM
. "$(dirname "${BASH_SOURCE[0]}")/common.sh" "$@"

skip() {
  echo "slurm: skipped, $1"
  exit 77
}
export PATH=$PATH:/usr/sbin
for tool in slurmctld slurmd sbatch scontrol squeue munged mungekey; do
  command -v $tool >/dev/null || skip "since $tool is not installed (package slurm-wlm)"
done
[ "$(id -u)" = 0 ] || skip "since its daemons need root"
mkdir cgroup state spool
mount -t tmpfs tmpfs cgroup 2>/dev/null || skip "since nothing can be mounted here"
pids=()
leave() {
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
  wait 2>/dev/null
  umount "$work/cgroup"
  rm -rf "$base"
}
trap leave EXIT

# Messages between the daemons are signed by a munge of our own
chmod 755 "$base" "$work"
mkdir -m 700 munge
mkdir -m 755 socket
mungekey --create --keyfile="$work/munge/key"
munged --foreground --force --key-file="$work/munge/key" --socket="$work/socket/munge" --log-file="$work/munge/log" \
  --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" --num-threads=2 >/dev/null 2>munge.err &
pids+=($!)

host=$(hostname -s)
port=$((20000 + RANDOM % 20000))
cat >slurm.conf <<CONF
ClusterName=rehearse
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/socket/munge,cred_expire=5
CredType=cred/munge
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=60 State=UP
CONF
cat >cgroup.conf <<CONF
CgroupPlugin=cgroup/v1
CgroupAutomount=no
CgroupMountpoint=$work/cgroup
CONF
export SLURM_CONF=$work/slurm.conf
slurmctld -D -f "$SLURM_CONF" >/dev/null 2>slurmctld.err &
pids+=($!)
slurmd -D -f "$SLURM_CONF" -N "$host" >/dev/null 2>slurmd.err &
pids+=($!)

idle() { sinfo -h -o %T 2>/dev/null | grep -q idle; }
await idle || {
  tail -n 5 slurmctld.log slurmd.log slurmctld.err slurmd.err munge.err
  echo "FAILED: slurm does not come up"
  exit 1
}

cat >study.yaml <<'YAML'
platform: {file: ideal.xml, workers: 4}
model: {name: logreg}
train: {rounds: 1500, evaluate_every: 500, evaluate_samples: 100}
time: {source: flops}
vary: {train.method: [allreduce, dpsgd], run.seed: [1..10]}
YAML
"$program" plan study.yaml -o planned --slurm >plan.txt 2>plan.err || cat plan.err
check "plan: 20 tasks" grep -q '^20 tasks in planned' plan.txt
sed -i "s/every=300s/every=50ms/" planned/slurm.sh # so that the task that is killed leaves a checkpoint to go on from
job=$(sbatch --parsable planned/slurm.sh) || echo "FAILED: sbatch"

# One task is killed while it runs, and requeued
running() { "$program" status planned | grep -q '^running  [1-9]'; }
await running
task=$("$program" status planned | sed -n 's/^running .*(\([0-9]*\).*/\1/p')
victim=$(scontrol listpids "${job}_$task" 2>/dev/null | awk 'NR > 1 && $1 > 0 {print $1; exit}')
[ -n "$victim" ] || victim=$(pgrep -f -- "run $work/planned --index $task" | head -n 1)
check "a task runs under slurm" [ -n "$victim" ]
kill -KILL "$victim"
# the array's element that failed is put into the queue again
ended() { ! squeue -h -j "${job}_$task" -t R 2>/dev/null | grep -q .; }
await ended
requeued() { scontrol requeue "${job}_$task" 2>requeue.err; }
check "the killed task is requeued" await requeued

finished() { "$program" status planned | grep -q '^done     20'; }
check "all are done" await finished
"$program" status planned
"$program" merge planned -o all.db >merge.txt 2>&1
check "merged once" [ "$(sqlite3 all.db "SELECT count(*) FROM runs WHERE status = 'done'")" -eq 20 ]
"$program" merge planned -o all.db >again.txt 2>&1
check "merging again changes nothing" [ "$(grep -c ': 0 runs merged, 1 there already' again.txt)" -eq 20 ]
check "integrity" [ "$(sqlite3 all.db 'PRAGMA integrity_check')" = ok ]

# The rows are those of a study that ran without a queue
rows() {
  sqlite3 "$1" "SELECT id, parameters_hash, simulated_s FROM runs ORDER BY id;
    SELECT * FROM rounds ORDER BY run_id, round; SELECT * FROM evaluations ORDER BY run_id, round;"
}
"$program" run study.yaml --db plain.db >/dev/null 2>plain.err
rows plain.db >plain.rows
rows all.db >all.rows
check "the same rows as without a queue" cmp plain.rows all.rows

[ $failed -eq 0 ] && echo "20 tasks went through slurm"
exit $failed
