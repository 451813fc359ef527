# make demo       set everything up, train on the shipped data set, show the leaderboard
# make weekly     eight weeks with a deployment: forecast, score, challenge, promote, monitor
# make test       set everything up, check the code, run the tests: some 11 minutes on two idle cores
# make test-all   the same with all long tests (all networks, many kills), and coverage
# make coverage   run the tests of `make test` and print the coverage of scripts/forerun
# make check      only the checks: snakemake --lint, snakefmt, ruff, mypy, import-linter, hadolint
# make format     format the code with snakefmt and ruff
# make lock       update requirements.lock after a change of versions in pyproject.toml
# make catalog    regenerate the catalog of models from the installed libraries; part of make lock
# make clean-env  remove the virtual environment
#
# The environment is created on first use and reused afterwards (see environment.sh).
# Variables: VENV (folder), PYTHON (interpreter to build it on), JOBS (parallel tests), PYTEST_ARGS.

VENV ?= .venv
JOBS ?= 3
PYTEST_ARGS ?=
BIN := $(VENV)/bin

# snakefmt looks for its shell formatter on the PATH.
WITH_PATH := PATH="$$(cd $(BIN) && pwd):$$PATH"

.DEFAULT_GOAL := help
.PHONY: help demo weekly test test-all coverage run-tests run-checks check check-types check-style check-rules format lock catalog env env-test clean-env

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

weekly: env
	$(BIN)/python benchmarks/weekly.py

demo: env
	$(BIN)/train --run-id demo --config config/demo.yaml

# The tests of a file run in one process, as they share slow fixtures; conftest.py starts slow files
# first. One more process than cores: some tests only wait.
# Tests are compiled once, not by each worker each time.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Processes that end after the last test leave their data beside those of the tests.
REPORT = $(BIN)/coverage combine --quiet --append 2>/dev/null; $(BIN)/coverage report

# Checks fill the time in which tests wait; what they say appears in one go. The rules are checked by
# a test, as Snakemake takes seconds to start.
test: env-test
	@$(MAKE) --no-print-directory --jobs=2 run-tests run-checks

run-tests:
	$(PYTEST) -m "not long" $(PYTEST_ARGS)

run-checks:
	@printed=$$(nice $(MAKE) --no-print-directory check-types check-style 2>&1); code=$$?; \
		echo; echo "$$printed"; exit $$code

test-all: check
	$(PYTEST) --hypothesis-profile long --cov --cov-report= $(PYTEST_ARGS)
	$(REPORT)

coverage: env-test
	$(PYTEST) -m "not long" --cov --cov-report= $(PYTEST_ARGS)
	$(REPORT)

# mypy takes as long as all other checks together, a minute the first time: both run at once.
check: env-test
	@$(MAKE) --no-print-directory --jobs=2 check-types check-style check-rules

check-types:
	$(BIN)/mypy

check-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(WITH_PATH) snakefmt --check Snakefile workflow
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint Dockerfile

check-rules:
	$(BIN)/snakemake --lint
	$(BIN)/snakemake --snakefile workflow/Snakefile --lint

format: env-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(WITH_PATH) snakefmt Snakefile workflow

# Existing pins are kept if pyproject.toml allows them; `make lock UPGRADE=--upgrade` uses the newest versions.
# Dependencies of the CUDA build of torch are not pinned, as torch pins them itself.
lock: env-test
	rm -rf $(VENV)/lock && mkdir $(VENV)/lock
	sed '/^# Every pin of requirements.lock/,$$d' pyproject.toml >$(VENV)/lock/pyproject.toml
	cp requirements.lock $(VENV)/lock/
	cd $(VENV)/lock && ../bin/uv pip compile -q --all-extras --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 $(UPGRADE) --output-file requirements.lock pyproject.toml
	{ sed '/^[^#]/,$$d' requirements.lock; \
		sed -E '/^(nvidia-|cuda-|triton=)/d; s/\+cpu$$//' $(VENV)/lock/requirements.lock; } >$(VENV)/lock/new.lock
	{ cat $(VENV)/lock/pyproject.toml; sed -n '/^# Every pin/,/^constraint/p' pyproject.toml; \
		sed -n 's/^[^#].*/    "&",/p' $(VENV)/lock/new.lock; echo ']'; } >$(VENV)/lock/new.toml
	cp $(VENV)/lock/new.lock requirements.lock && cp $(VENV)/lock/new.toml pyproject.toml
	rm -r $(VENV)/lock
	$(MAKE) catalog

# Models, arguments and losses of the installed libraries (catalog.json).
catalog: env-test
	$(BIN)/python -m forerun.forecasting.engines.make_catalog

env:
	@sh environment.sh $(VENV)

env-test:
	@sh environment.sh $(VENV) all

clean-env:
	rm -rf $(VENV)
