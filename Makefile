# Everything a developer or CI does here, by name. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := server driver proto sqlalchemy_thanosql tests benchmarks examples

.PHONY: help setup demo test test-crash test-contention test-compat check fmt lint types layers proto proto-check bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv and install everything into it

# flightsql-dbapi insists on an old SQLAlchemy; only its messages are wanted here, to
# show that they and ours live in one process.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --no-deps flightsql-dbapi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt hnswlib \
		|| echo "Without a C++ compiler and Python's headers there is no HNSW index."
	touch $(STAMP)

demo: setup ## find drawn pictures by text and by picture, in about a minute
	$(BIN)/thanosql demo

test: setup ## run the whole test suite
	$(BIN)/python -m pytest

KILLS ?= 200
SECONDS ?= 120

test-crash: setup ## kill a server under load KILLS times (200: about 10 minutes)
	THANOSQL_KILLS=$(KILLS) $(BIN)/python -m pytest -s --timeout 0 tests/integration/test_crash_load.py

test-contention: setup ## 16 writers and 16 readers for SECONDS (120)
	THANOSQL_SECONDS=$(SECONDS) $(BIN)/python -m pytest -s --timeout 0 tests/integration/test_contention.py

test-compat: setup ## run the test suites of others against us, each in its own environment
	for suite in tests/compat/run_*.py; do $(BIN)/python $$suite || exit 1; done

check: lint types layers proto-check test ## everything that CI runs

fmt: setup ## format the code
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

lint: setup ## look for mistakes and formatting
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: setup ## check the types, strictly
	$(BIN)/mypy

layers: setup ## check that layers point down only
	$(BIN)/lint-imports

proto: setup ## compile the messages after a change of proto/*.proto
	$(BIN)/python proto/compile.py

proto-check: setup ## check that the compiled messages are up to date
	$(BIN)/python proto/compile.py --check

bench: setup ## run the benchmarks, the short way; peers are installed first
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[bench]'
	for script in $$(grep -l -e '"--quick"' benchmarks/*.py); do $(BIN)/python $$script --quick || exit 1; done

clean: ## remove what was made here
	rm -rf $(VENV) demo-workspace examples/tutorial-workspace build dist .mypy_cache .ruff_cache .pytest_cache
