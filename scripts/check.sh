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

# The sanitizers run over what touches memory, threads and files by hand. `cmake --preset asan` (or tsan) by itself has
# every room and test; wider regular expressions here cost minutes each.
sanitize() { # preset, rooms, tests
  cmake --preset "$1" -DPELLUCID_ROOMS="$2" -DPELLUCID_TESTS="$3" >/dev/null
  cmake --build --preset "$1" -j "$jobs"
  ctest --preset "$1" -j "$jobs"
}

check_asan() { sanitize asan "base;array;io;data" "base|philox|thread_pool|atomic_file|csv|mutation"; }
check_tsan() { sanitize tsan "base" "thread_pool|atomic_file"; }

for check in ${*:-format layers clang build instructions asan tsan}; do
  echo "== $check"
  SECONDS=0
  "check_$check"
  echo "== $check: passed in $SECONDS s"
done
