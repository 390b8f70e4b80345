#!/usr/bin/env bash
# Everything that is checked beside the tests. Stops at the first check that fails; the quickest come first.
#   scripts/check.sh             all of them
#   scripts/check.sh NAME...     some: format layers clang build instructions asan tsan
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}

check_format() {
  git ls-files '*.h' '*.cpp' | xargs clang-format-14 --dry-run -Werror
}

check_layers() { python3 scripts/check_layers.py; }

# g++ takes part by building everything, the sanitizers' builds included, with warnings as errors.
check_build() {
  cmake --preset release >/dev/null
  cmake --build --preset release -j "$jobs"
}

check_clang() {
  cmake --preset release >/dev/null
  python3 scripts/check_clang.py build/release "$jobs"
}

check_instructions() {
  check_build
  python3 scripts/check_instructions.py build/release/libpellucid.so
  local bytes
  strip --strip-unneeded -o build/release/stripped.so build/release/libpellucid.so
  bytes=$(stat -c %s build/release/stripped.so)
  rm build/release/stripped.so
  echo "size: $bytes bytes stripped"
  [ "$bytes" -lt 8000000 ]
}

# The sanitizers run over all rooms but the kernels, whose objects are those of the release build: see docs/building.md.
# The chain of a million nodes takes minutes there, and finds what one of ten finds.
sanitize() { # preset, tests
  local preset=$1 names
  shift
  names=$(IFS='|' && echo "$*")
  cmake --preset release >/dev/null
  cmake --build --preset release -j "$jobs" --target libpellucid.so
  cmake --preset "$preset" -DPELLUCID_ROOMS= -DPELLUCID_KERNELS="$PWD/build/release" -DPELLUCID_TESTS="$names" >/dev/null
  cmake --build --preset "$preset" -j "$jobs" --target "${@/%/_test}"
  GTEST_FILTER=-Engine.AMillionNodesInARow ctest --preset "$preset" -j "$jobs"
}

check_asan() {
  sanitize asan base philox thread_pool atomic_file lock_file csv csv_blocks idx npy image safetensors mutation \
    disk_faults engine compile scan map reduce index order copy contract convolve fit fit_error checkpoint cli cli_errors \
    cli_schema cli_misfit
}
check_tsan() { sanitize tsan thread_pool fit engine contract; }

for check in ${*:-format layers clang build instructions asan tsan}; do
  echo "== $check"
  SECONDS=0
  "check_$check"
  echo "== $check: passed in $SECONDS s"
done
