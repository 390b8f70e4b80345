#!/usr/bin/env bash
# Everything that is checked beside the tests. Stops at the first check that fails; the quickest come first.
#   scripts/check.sh             all of them
#   scripts/check.sh NAME...     some: format layers clang build instructions small asan tsan, and asan512
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
}

# What the project promises to stay under: the stripped library 8 MB, the XOR example 16 MB of memory at its peak.
check_small() {
  check_build
  local bytes kilobytes
  strip --strip-unneeded -o build/release/stripped.so build/release/libpellucid.so
  bytes=$(stat -c %s build/release/stripped.so)
  rm build/release/stripped.so
  # Python's own, before the program takes its place, counts too: about 13 MB.
  kilobytes=$(python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' build/release/examples/xor)
  echo "small: library $bytes bytes stripped, XOR example at most $kilobytes KB"
  [ "$bytes" -lt 8000000 ] && [ "$kilobytes" -lt 16384 ]
}

# The chain of a million nodes takes minutes under a sanitizer, and finds what one of ten finds.
sanitize() { # build folder, preset, options of cmake, tests
  local folder=$1 preset=$2 options=$3 names
  shift 3
  names=$(IFS='|' && echo "$*")
  # shellcheck disable=SC2086
  cmake --preset "$preset" -B "$folder" -DPELLUCID_ROOMS= $options -DPELLUCID_TESTS="$names" >/dev/null
  cmake --build "$folder" -j "$jobs" --target "${@/%/_test}"
  GTEST_FILTER=-Engine.AMillionNodesInARow TSAN_OPTIONS=die_after_fork=0 \
    ctest --test-dir "$folder" --output-on-failure -j "$jobs"
}

# Kernels are compiled for one instruction set there; asan512 takes the other one: see docs/building.md.
kernel_tests="map reduce index order copy contract convolve attention random_kernel"
check_asan() {
  # shellcheck disable=SC2086
  sanitize build/asan asan "-DPELLUCID_KERNELS= -DPELLUCID_ONE_ISA=2" $kernel_tests base philox thread_pool atomic_file \
    lock_file csv csv_blocks idx npy image safetensors mutation disk_faults engine compile scan fit fit_error checkpoint \
    cli cli_errors cli_options cli_schema cli_misfit
}
check_asan512() {
  # shellcheck disable=SC2086
  sanitize build/asan512 asan "-DPELLUCID_KERNELS= -DPELLUCID_ONE_ISA=512" $kernel_tests contract_bf16 convolve_pairs \
    convolve_patches attention_pairs
}
# Here the kernels are those of the release build: threads meet in the loops around them.
check_tsan() {
  cmake --preset release >/dev/null
  cmake --build --preset release -j "$jobs" --target libpellucid.so
  sanitize build/tsan tsan "-DPELLUCID_KERNELS=$PWD/build/release" thread_pool fit engine contract
}

for check in ${*:-format layers clang build instructions small asan tsan}; do
  echo "== $check"
  SECONDS=0
  "check_$check"
  echo "== $check: passed in $SECONDS s"
done
