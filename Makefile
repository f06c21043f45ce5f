# dlnative: every job of a checkout is one command. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
unexport PYTHONPATH
export PYTHONNOUSERSITE := 1

VENV := .venv
PYTHON ?= $(VENV)/bin/python
BUILD_DIR ?= build/dev
JOBS ?= 2
CMAKE_ARGS ?=
PYTEST_ARGS ?=
CAMPAIGN_ARGS ?=

# What a build needs besides a C++ compiler: build-system.requires in pyproject.toml, and the
# CMake and Ninja that scikit-build-core would otherwise fetch for every build anew.
BUILD_TOOLS := "scikit-build-core>=0.11" "pybind11>=2.13.6" "cmake>=3.26" "ninja>=1.11"

SOURCES := pyproject.toml CMakeLists.txt README.md LICENSE $(shell find csrc cmake python/dlnative \
	-type f ! -name '*.so' ! -name '*.pyc' ! -name '*.md' 2>/dev/null)

# Tools beside the chosen interpreter win over those on PATH.
tool = $(or $(abspath $(wildcard $(dir $(PYTHON))$(1))),$(shell command -v $(1) 2>/dev/null))

# The jobs below work in the environment of PYTHON as it is, unless that is our own.
ifeq ($(PYTHON),$(VENV)/bin/python)
needs = $(VENV)/.$(1)
endif

.PHONY: help demo test test-slow campaign dev ctest bench lint stubs wheel clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

# --- the two commands: each does everything, environment and build included ----------------------

demo: $(call needs,examples)  ## train on the digits, print accuracy and speed, write demo.png
	$(PYTHON) examples/demo.py

test: $(call needs,test)  ## build, install and run the tests
	$(PYTHON) -m pytest $(PYTEST_ARGS)

test-slow: $(call needs,test)  ## the tests that take long or need the MNIST files
	$(PYTHON) -m pytest -m "slow or data" $(PYTEST_ARGS)

campaign: $(call needs,test)  ## search for wrong numbers, lost files and crashes: 20,000 random cases
	$(PYTHON) tests/campaign $(CAMPAIGN_ARGS)

# --- the environment -----------------------------------------------------------------------------

# The first Python >= 3.10 that can make a virtual environment; HOST_PYTHON=... picks one.
$(VENV)/.tools:
	@for python in $${HOST_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || continue; \
	  seen="$$python"; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null && { host="$$python"; break; } || true; \
	done; \
	if [ -z "$${seen:-}" ]; then \
	  echo "make: Python 3.10 or later is needed and none was found; install it," \
	       "or name it: make HOST_PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if [ -z "$${host:-}" ]; then \
	  echo "make: $$seen cannot make virtual environments (ensurepip is missing);" \
	       "on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi; \
	command -v "$${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || { \
	  echo "make: a C++17 compiler is needed (GCC 11 or Clang 14, or later);" \
	       "on Debian and Ubuntu: apt install g++" >&2; exit 1; }; \
	echo "environment: $(VENV), $$("$$host" --version)"; \
	rm -rf $(VENV); "$$host" -m venv $(VENV); \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(BUILD_TOOLS); \
	touch $@

# The package itself, installed (not linked) with one set of extras. The build directory stays, so
# a second run compiles only what changed.
$(VENV)/.examples $(VENV)/.test $(VENV)/.bench: $(VENV)/.%: $(VENV)/.tools $(SOURCES)
	@echo "building and installing dlnative[$*]"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation ".[$*]"
	@touch $@

$(VENV)/.dev: $(VENV)/.tools $(VENV)/.test
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation ".[dev,test]"
	@touch $@

# --- development build: compile into $(BUILD_DIR), put the module into the source tree ------------

dev: $(call needs,tools)  ## compile the C++ core into the source tree, for PYTHONPATH=python
	@cmake="$(call tool,cmake)"; ninja="$(call tool,ninja)"; \
	[ -n "$$cmake" ] || { echo "make dev: no cmake found; pip install 'cmake>=3.26'" >&2; exit 1; }; \
	[ -f $(BUILD_DIR)/CMakeCache.txt ] || generator=$${ninja:+-G Ninja -DCMAKE_MAKE_PROGRAM=$$ninja}; \
	"$$cmake" -S . -B $(BUILD_DIR) $${generator:-} -DCMAKE_BUILD_TYPE=Release \
	    -DPython_EXECUTABLE="$(abspath $(shell command -v $(PYTHON)))" \
	    -Dpybind11_DIR="$$($(PYTHON) -m pybind11 --cmakedir)" $(CMAKE_ARGS); \
	"$$cmake" --build $(BUILD_DIR) -j $(JOBS); \
	rm -f python/dlnative/_core*.so; \
	cp $(BUILD_DIR)/_core*.so python/dlnative/

ctest: override CMAKE_ARGS += -DDLNATIVE_TESTS=ON
ctest: dev  ## the C++ tests
	"$$(dirname "$(call tool,cmake)")/ctest" --test-dir $(BUILD_DIR) --output-on-failure --no-tests=error -j $(JOBS)

bench: $(call needs,bench)  ## every benchmark, against the peers that are installed
	for script in benchmarks/bench_*.py; do $(PYTHON) "$$script"; done

lint: $(call needs,dev)  ## ruff, mypy and clang-format, as pre-commit runs them
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	find csrc -name '*.cpp' -o -name '*.h' | xargs $(call tool,clang-format) --dry-run -Werror

stubs: $(call needs,dev) dev  ## write python/dlnative/_core.pyi from the compiled module, and check it
	PYTHONPATH=python $(PYTHON) -m pybind11_stubgen dlnative._core -o python
	$(PYTHON) -m ruff check --quiet --fix python/dlnative/_core.pyi
	$(PYTHON) -m ruff format --quiet python/dlnative/_core.pyi
	PYTHONPATH=python MYPYPATH=python $(PYTHON) -m mypy.stubtest dlnative._core \
	    --allowlist .ci/stubtest-allowlist

wheel: $(call needs,tools)  ## dist/*.whl, built in isolation as a user would
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls -l dist/*.whl

clean:  ## remove builds and environment
	rm -rf build dist $(VENV) python/dlnative/_core*.so demo.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
