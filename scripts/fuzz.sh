#!/usr/bin/env bash
# Builds the fuzz targets of fuzz/ and runs them, JOBS at a time, for SECONDS in all. What they find interesting stays in
# build/fuzz/corpus/NAME for the next time; what breaks a parser is named and stays in build/fuzz/found/.
#   scripts/fuzz.sh [SECONDS [NAME...]]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
jobs=${JOBS:-$(nproc)}

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$jobs"
if [ $# -gt 0 ]; then names=("$@"); else
  names=()
  for file in fuzz/*.cpp; do names+=("$(basename "$file" .cpp)"); done
fi
python3 scripts/fuzz_seeds.py build/fuzz/seeds
mkdir -p build/fuzz/found build/fuzz/logs
export PELLUCID_FUZZ_SEEDS=build/fuzz/seeds
share=$((seconds * jobs / ${#names[@]}))
[ "$share" -ge 1 ] || share=1

run() {
  local name=$1 share=$2 status=0
  mkdir -p "build/fuzz/corpus/$name"
  # A parser gets 1 GB in all and 600 MB at once; the largest picture that is read takes 805 MB and a file to match.
  "build/fuzz/fuzz/$name" -max_total_time="$share" -rss_limit_mb=1024 -malloc_limit_mb=600 -timeout=60 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
    "build/fuzz/corpus/$name" "build/fuzz/seeds/$name" >"build/fuzz/logs/$name" 2>&1 || status=$?
  local runs peak
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/logs/$name")
  peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "build/fuzz/logs/$name")
  printf '%-14s %9s inputs in %s s, %s files in the corpus, at most %s MB\n' "$name" "${runs:-?}" "$share" \
    "$(find "build/fuzz/corpus/$name" -type f | wc -l)" "${peak:-?}"
  if [ "$status" -ne 0 ]; then
    echo "$name: found a fault; build/fuzz/logs/$name ends:" >&2
    grep -E -m 20 'ERROR|runtime error|SUMMARY|what\(\)|Test unit written|^ +#[0-9]+ ' "build/fuzz/logs/$name" >&2 || true
    return 1
  fi
}
export -f run
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I{} bash -c "run {} $share"
echo "no fault found"
