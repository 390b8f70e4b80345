#!/usr/bin/env bash
# The Python package, in a virtual environment of its own (build/python):
#   scripts/python.sh wheel      a wheel in dist/
#   scripts/python.sh test       install it there and run python/tests
#   scripts/python.sh oracles    every operation, layer and loss against JAX and PyTorch (in build/oracles; a gigabyte)
#   scripts/python.sh leaks      the long search for leaks: 10^6 compiled steps, 10^5 arrays
#   scripts/python.sh fresh      in a new environment with NumPy alone: install, uninstall and install the wheel, run the
#                                README's first example, measure the wheel and the import
#   scripts/python.sh debug      python/tests with Python's checks of memory and development mode on
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
  *)
    echo "usage: scripts/python.sh wheel | test | oracles | leaks" >&2
    exit 2
    ;;
esac
