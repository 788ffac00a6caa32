#!/usr/bin/env bash
# What tests/gpu.sh needs of this machine on one that has a GPU and none of the program's libraries.
#
#   bash tests/cuda/pack.sh FOLDER [BUILD]     FOLDER/pack.tar.gz; BUILD: a finished build, default: the preset release,
#                                              which is built
#
# It holds the program, the CUDA module (for where none can be built), the programs of tests/cuda and tests/bench that
# tests/gpu.sh runs, sqlite3, and all shared libraries that these load but the C and C++ libraries and CUDA's. Those are
# taken from the machine that runs them, which must not be older than this one.
set -u
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: bash tests/cuda/pack.sh FOLDER [BUILD]" >&2
  exit 2
fi
mkdir -p "$1" && folder=$(cd "$1" && pwd) || exit 1
build=${2:-build/release}
[ $# -lt 2 ] || build=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
most_bytes=$((52 << 20)) # what is carried along with the tree

# build TARGET
build() {
  cmake --build --preset release --target "$1" >>"$folder/build.log" 2>&1
}
if [ $# -lt 2 ]; then
  cmake --preset release >"$folder/build.log" 2>&1
  if ! build rehearse; then
    tail -n 20 "$folder/build.log" >&2
    echo "pack: the program does not build: $folder/build.log" >&2
    exit 1
  fi
  for target in rehearse_cuda rehearse_cuda_{info,conformance,staged} bench_gpu calibrate_gpu; do
    build "$target" # without nvcc or cmocka some are no targets
  done
fi

tree=$folder/tree
rm -rf "$tree" "$folder/pack.tar.gz"
mkdir -p "$tree"/{bin,cuda,tools,lib} || exit 1
cp "$build/experiments/rehearse" "$tree/bin/" || exit 1
[ ! -e "$build/cuda/rehearse_cuda.so" ] || cp "$build/cuda/rehearse_cuda.so" "$tree/cuda/" || exit 1
for file in cuda/rehearse_cuda_info tests/cuda/rehearse_cuda_conformance tests/cuda/rehearse_cuda_staged.so \
  tests/cuda/bench_gpu tests/cuda/calibrate_gpu; do
  [ -e "$build/$file" ] || { echo "pack: without $file, which this build has not"; continue; }
  cp "$build/$file" "$tree/tools/" || exit 1
done
if ! cp "$(command -v sqlite3)" "$tree/bin/"; then
  echo "pack: sqlite3 is not installed: bash experiments/packages.sh" >&2
  exit 1
fi
strip "$tree"/bin/* "$tree"/tools/* 2>/dev/null

of_the_system='^(linux-vdso|ld-linux|libc\.|libm\.|libdl\.|librt\.|libpthread\.|libstdc\+\+|libgcc_s|libcu|libnv)'
programs=("$tree"/bin/* "$tree"/tools/*)
ldd "${programs[@]}" | awk '$2 == "=>" {print $1, $3}' | sort -u | grep -vE "$of_the_system" >"$folder/libraries"
if grep -q ' not$' "$folder/libraries"; then
  echo "pack: not found: $(grep ' not$' "$folder/libraries")" >&2
  exit 1
fi
while read -r name path; do
  cp -L "$path" "$tree/lib/$name" || exit 1
done <"$folder/libraries"

# With these alone, in front of what is installed here, every one of them must be found there.
foreign=$(env -i LD_LIBRARY_PATH="$tree/lib" "$(command -v ldd)" "${programs[@]}" "$tree"/lib/* |
  awk '$2 == "=>" {print $1, $3}' | grep -vE "$of_the_system" | grep -v " $tree/lib/" | sort -u)
if [ -n "$foreign" ]; then
  echo "pack: not of the pack: $foreign" >&2
  exit 1
fi
tar -C "$tree" -czf "$folder/pack.tar.gz" . && rm -rf "$tree" || exit 1
bytes=$(stat -c %s "$folder/pack.tar.gz")
echo "pack: $folder/pack.tar.gz, $((bytes >> 20)) MiB, $(wc -l <"$folder/libraries") libraries"
[ "$bytes" -le $most_bytes ] || { echo "pack: more than $((most_bytes >> 20)) MiB" >&2; exit 1; }
