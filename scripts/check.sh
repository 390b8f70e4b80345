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
  bytes=$(strip --strip-unneeded -o /dev/stdout build/release/libpellucid.so | wc -c)
  echo "size: $bytes bytes stripped"
  [ "$bytes" -lt 8000000 ]
}

# Every test, with fewer random cases where a test has them.
check_asan() {
  cmake --preset asan >/dev/null
  cmake --build --preset asan -j "$jobs"
  ctest --preset asan -j "$jobs"
}

# What runs on several threads; the rest has nothing that this could find.
check_tsan() {
  cmake --preset tsan >/dev/null
  cmake --build --preset tsan -j "$jobs"
  ctest --preset tsan -j "$jobs"
}

for check in ${*:-format layers clang build instructions asan tsan}; do
  echo "== $check"
  SECONDS=0
  "check_$check"
  echo "== $check: passed in $SECONDS s"
done
