# shellcheck shell=bash
# What the scripts of this folder begin with; sourced with the program as $1. Sets `program`, and goes to an empty folder
# that is removed at the end. `failed` becomes 1 with the first check that fails.
set -u
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
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
