# The commands of the house. Each does what it needs first: `make demo` works in a fresh clone of Debian 12.
#   make demo    train a network on Fashion-MNIST and show the result
#   make test    build, and run every test
#   make build   build the library, the program, the tests, benchmarks and examples into build/release; ARROW=1: with
#                the reading of Parquet and Arrow files (fetches the pyarrow wheel, once)
#   make wheel   the Python package as a wheel in dist/; see docs/python.md
#   make crash-test   kill trainings 1,000 times (KILLS=n) and compare what comes of them; see docs/surviving.md
#   make fuzz    build the parsers under libFuzzer and run them for SECONDS (60) in all
#   make bench   measure: kernels, and whole training steps
#   make format  format every C++ file
#   make check   format, layers, warnings of two compilers, instruction sets, sanitizers
#   make clean   remove build/
JOBS ?= $(shell nproc)
CXX_FILES = $(shell git ls-files '*.h' '*.cpp')

.PHONY: demo test crash-test fuzz wheel python-test python-leaks build bench format check clean setup configure

setup:
	@scripts/setup.sh

# ARROW=1 or ARROW=0 once counts for later builds too.
configure: setup
ifeq ($(ARROW),1)
	@scripts/arrow.sh
endif
	@cmake --preset release $(if $(ARROW),-DPELLUCID_ARROW=$(ARROW)) >/dev/null

build: configure
	cmake --build --preset release -j $(JOBS)

demo: configure
	cmake --build --preset release -j $(JOBS) --target pellucid_cli
	@scripts/demo.sh

test: build
	ctest --preset release -j $(JOBS)
	@python3 scripts/tried.py build/release
	@scripts/python.sh test

KILLS ?= 1000
crash-test: configure
	cmake --build --preset release -j $(JOBS) --target pellucid_cli crash_test disk_faults_test
	build/release/tests/disk_faults_test --gtest_brief=1
	PELLUCID_KILLS=$(KILLS) build/release/tests/crash_test --gtest_brief=1

SECONDS ?= 60
fuzz:
	@scripts/setup.sh fuzz
	@JOBS=$(JOBS) scripts/fuzz.sh $(SECONDS)

# The package alone, from the engine in build/release where it has been built.
wheel: setup
	@scripts/python.sh wheel

python-test: setup
	@scripts/python.sh test

python-leaks: setup
	@scripts/python.sh leaks

bench: build
	build/release/bench/kernels
	build/release/bench/steps

format:
	@scripts/setup.sh check
	clang-format-14 -i $(CXX_FILES)

check:
	@scripts/setup.sh check
	@JOBS=$(JOBS) scripts/check.sh

clean:
	rm -rf build
