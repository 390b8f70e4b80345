#!/usr/bin/env bash
# Puts Arrow C++ into build/arrow: the headers and libraries of the pyarrow wheel that python/requirements.txt pins.
# Quick and silent where it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

pin=$(grep '^pyarrow==' python/requirements.txt)
if [ "$(cat build/arrow/pin 2>/dev/null || true)" = "$pin" ]; then exit 0; fi
echo "arrow: fetching $pin"
rm -rf build/arrow
mkdir -p build/arrow/wheel
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest build/arrow/wheel "$pin"
python3 -m zipfile -e build/arrow/wheel/pyarrow-*.whl build/arrow
rm -r build/arrow/wheel
echo "$pin" > build/arrow/pin
