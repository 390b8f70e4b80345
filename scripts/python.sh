#!/usr/bin/env bash
# The Python package, in a virtual environment of its own (build/python):
#   scripts/python.sh wheel      a wheel in dist/
#   scripts/python.sh test       install it there and run python/tests
#   scripts/python.sh oracles    every operation, layer and loss against JAX and PyTorch (in build/oracles; a gigabyte)
#   scripts/python.sh leaks      the long search for leaks: 10^6 compiled steps, 10^5 arrays
#   scripts/python.sh fresh      in a new environment with NumPy alone: install, uninstall and install the wheel, run the
#                                README's first example, measure the wheel and the import
#   scripts/python.sh debug      python/tests with Python's checks of memory and development mode on
#   scripts/python.sh asan       python/tests over an engine (but for its kernels) and an extension with the address and
#                                undefined-behaviour sanitizers, built in build/python-asan
# An engine that is built in build/release already is taken; else it is built.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
home=build/python
if [ ! -x $home/bin/python ]; then
  "$python" -m venv $home
fi
if ! cmp -s python/requirements.txt $home/requirements.txt; then
  $home/bin/pip install --quiet --disable-pip-version-check -r python/requirements.txt
  cp python/requirements.txt $home/requirements.txt
fi
options=()
if [ -e build/release/libpellucid.so ]; then options+=(-C "cmake.define.PELLUCID_BUILD=$PWD/build/release"); fi
wheel() {
  rm -rf dist
  $home/bin/pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps "${options[@]}" -w dist .
}
install() {
  wheel
  $home/bin/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall dist/pellucid-*.whl
}
case ${1:-} in
  wheel)
    wheel
    ls -l dist
    ;;
  test)
    install
    (cd python/tests && ../../$home/bin/python -m pytest -q -c ../../pyproject.toml --rootdir ../.. . "${@:2}")
    ;;
  oracles)
    if [ ! -x build/oracles/bin/python ]; then "$python" -m venv build/oracles; fi
    build/oracles/bin/pip install --quiet --disable-pip-version-check -r python/requirements.txt jax==0.10.2 torch==2.15.0
    wheel
    build/oracles/bin/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall dist/pellucid-*.whl
    PYTHONPATH=python/tests build/oracles/bin/python -m oracles "${@:2}"
    ;;
  leaks)
    install
    $home/bin/python python/tests/leaks.py
    ;;
  fresh)
    wheel
    new=$(mktemp -d)
    trap 'rm -rf "$new"' EXIT
    "$python" -m venv "$new/env"
    pip="$new/env/bin/pip --disable-pip-version-check --quiet"
    $pip install dist/pellucid-*.whl
    $pip uninstall --yes pellucid
    if ls "$new"/env/lib/python*/site-packages/pellucid 2>/dev/null; then
      echo "uninstalling left files behind" >&2
      exit 1
    fi
    $pip install dist/pellucid-*.whl
    "$new/env/bin/pip" --disable-pip-version-check list
    awk '/^```python$/ { on = 1; next } /^```$/ { if (on) exit } on' README.md > "$new/first.py"
    (cd "$new" && env/bin/python first.py)
    (cd "$new" && env/bin/python - <<'END'
import subprocess, sys
program = "import time, numpy; t = time.perf_counter(); import pellucid; print(1e3 * (time.perf_counter() - t))"
times = [float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout) for _ in range(9)]
print(f"import pellucid, with NumPy loaded: {min(times):.1f} ms, median {sorted(times)[4]:.1f} ms (at most 60)")
END
    )
    size=$(stat -c %s dist/pellucid-*.whl)
    echo "the wheel has $size bytes (at most 8000000)"
    [ "$size" -lt 8000000 ]
    ;;
  debug)
    install
    (cd python/tests && PYTHONMALLOC=debug ../../$home/bin/python -X dev -m pytest -q -c ../../pyproject.toml \
      --rootdir ../.. -k "not scikit_learns" . "${@:2}")
    ;;
  asan)
    cmake --preset release >/dev/null
    cmake --build build/release --target libpellucid.so -j "${JOBS:-$(nproc)}"
    cmake --preset asan -B build/python-asan -DPELLUCID_BUILD_TESTS=OFF -DPELLUCID_KERNELS="$PWD/build/release" >/dev/null
    cmake --build build/python-asan --target libpellucid.so -j "${JOBS:-$(nproc)}"
    cmake -G Ninja -S python -B build/python-asan/extension -DPython_EXECUTABLE="$PWD/$home/bin/python" \
      -DCMAKE_BUILD_TYPE=Debug -DPELLUCID_BUILD="$PWD/build/python-asan" -DPELLUCID_SANITIZE=address,undefined >/dev/null
    cmake --build build/python-asan/extension --target _core -j "${JOBS:-$(nproc)}"
    package=build/python-asan/package/pellucid
    rm -rf $package && mkdir -p $package
    ln -s "$PWD"/python/pellucid/* "$PWD"/build/python-asan/extension/_core*.so $package/
    ln -s "$PWD/build/python-asan/libpellucid.so" $package/libpellucid.so.0
    # Sanitizers come before everything else; Python's own allocations go to malloc, where they are seen. The interpreter
    # lets much of its memory lie when it ends, so leaks are the business of `leaks`.
    (cd python/tests && PYTHONPATH="$OLDPWD/build/python-asan/package" PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1 \
      ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
      LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)" \
      ../../$home/bin/python -m pytest -q -c ../../pyproject.toml --rootdir ../.. -p no:cacheprovider --capture=sys \
      -k "not scikit_learns and not mypy and not typing" . "${@:2}")
    ;;
  *)
    echo "usage: scripts/python.sh wheel | test | oracles | leaks | fresh | debug | asan" >&2
    exit 2
    ;;
esac
