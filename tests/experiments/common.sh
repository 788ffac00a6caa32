# shellcheck shell=bash
# What the scripts of this folder begin with; sourced with the program as $1. Sets `program`, and goes to an empty
# folder, `work`, that is removed at the end with all else below `base`. `failed` becomes 1 with the first check that
# fails.
set -u
export LC_ALL=C                            # sorting and numbers are the same everywhere
unset SLURM_ARRAY_TASK_ID OMP_THREAD_LIMIT # a job of somebody else's queue
program=$(realpath "$1")
base=$(mktemp -d)
work=$base/work
trap 'rm -rf "$base"' EXIT
mkdir "$work" "$base/tmp"
export TMPDIR=$base/tmp # for what killed processes leave
cd "$work" || exit 1
failed=0

# check NAME COMMAND...: the command must succeed
check() {
  local name=$1
  shift
  "$@" || {
    echo "FAILED: $name"
    failed=1
  }
}

# is_at_work PID: the process is there, and no zombie, which has no program; a container's first process may leave those
is_at_work() { [ -e "/proc/$1/exe" ]; }

# await COMMAND...: until it succeeds, at most 5 minutes: a machine may have much else to do
await() {
  for _ in $(seq 3000); do
    "$@" 2>/dev/null && return
    sleep 0.1
  done
  return 1
}
