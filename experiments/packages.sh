#!/usr/bin/env bash
# Installs the distribution packages that building needs (Debian 12, Ubuntu 24.04), as root or through sudo.
#
#   bash experiments/packages.sh [PACKAGE...]     PACKAGE: more packages, beside those of the program
#
# Silent, and without a network, when all of them are there. Where packages can not be installed it says which to ask
# for and ends with status 0: perhaps what is there suffices, and if not, configuring says what is missing.
set -u

packages=(
  cmake ninja-build gcc g++ pkg-config
  libsimgrid-dev                 # the network
  libopenblas-dev liblapacke-dev # CPU mathematics
  libgsl-dev                     # statistics
  libsqlite3-dev sqlite3         # results
  libfyaml-dev                   # studies
  libxxhash-dev zlib1g-dev
  "$@"
)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "packages: this is no Debian or Ubuntu; its names there are: ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  # A virtual package (pkg-config is one from Ubuntu 24.04 on) is there when its command is.
  dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' && continue
  [ "$package" = pkg-config ] && command -v pkg-config >/dev/null && continue
  missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

ask() {
  echo "packages: $1. Going on with what is there; to get the rest, ask for:" >&2
  echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 0
}

if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
elif command -v sudo >/dev/null && [ -t 0 ]; then
  as_root=(sudo) # asks for the password on the terminal
else
  ask "some are missing, and this is neither root nor a user with sudo"
fi

echo "packages: installing ${missing[*]}"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
apt=("${as_root[@]+"${as_root[@]}"}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
# An update that fails may still leave usable lists; what counts is whether installing works.
"${apt[@]}" update >"$log" 2>&1
if ! "${apt[@]}" install --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
  tail -n 8 "$log" | sed 's/^/    /' >&2
  ask "apt-get failed as quoted above"
fi
