# What people and CI call. Every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo up programs test check bench fuzz soak format

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "iiifq needs Python 3.11 or newer with venv; set PYTHON=/path/to/it" >&2; exit 1; }
	@echo "setting up .venv (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.ready  ## .venv with the pinned dependencies and iiifq in it

demo: setup  ## the embedded engine on the sample pictures, from POST to finished
	@$(BIN)/iiifq demo

up: setup  ## the embedded engine in the foreground
	@$(BIN)/iiifq up

programs: setup
	@$(BIN)/python -m tests.programs

test: programs  ## every test
	@$(BIN)/python -m pytest

check: setup  ## formatter, linter, types, layering, SQL only in .sql
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tests/sql_only_in_sql.py

format: setup  ## formats the code, and mends what the linter can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: programs  ## the benchmarks: a table of ratios, and bench/results.json
	@$(BIN)/python -m bench

fuzz: programs  ## schemathesis over the whole API, for longer than in make test
	@IIIFQ_FUZZ_EXAMPLES=100 $(BIN)/python -m pytest --timeout 3600 tests/acceptance/test_openapi.py

soak: programs  ## ten minutes of customers and killed parts, then 10,000 assets and 1,000 batches at once
	@IIIFQ_SOAK_S=600 IIIFQ_SCALE_ASSETS=10000 IIIFQ_SCALE_BATCHES=1000 \
		$(BIN)/python -m pytest tests/acceptance/test_soak.py tests/acceptance/test_scale.py
