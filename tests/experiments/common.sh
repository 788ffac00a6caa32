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

# say WORDS...: this is a failure
say() {
  echo "FAILED: $*"
  failed=1
}

# check NAME COMMAND...: the command must succeed
check() {
  local name=$1
  shift
  "$@" || say "$name"
}

# says FILE PATTERN: the file has such a line; else it is shown
says() {
  grep -qE -- "$2" "$1" || {
    cat "$1"
    return 1
  }
}

# query DB SQL
query() { sqlite3 "$1" "$2"; }

# two_hosts [BANDWIDTH [ROUTE]]: a platform of hosts a and b with a link between them
two_hosts() {
  cat <<XML
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <config id="General"><prop id="network/model" value="CM02"/></config>
  <zone id="z" routing="Full">
    <host id="a" speed="1Gf"/>
    <host id="b" speed="1Gf"/>
    <link id="l" bandwidth="${1-1GBps}" latency="1us"/>
    ${2-<route src=\"a\" dst=\"b\"><link_ctn id=\"l\"/></route>}
  </zone>
</platform>
XML
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
