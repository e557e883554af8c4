# STAR: type `make` to see what there is. Every target installs what it needs first.
.DEFAULT_GOAL := help
.PHONY: help run demo test test-fast test-crash chaos decisions check bench bench-access fmt lint types imports schemas servers clean
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

help: ## show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use

run: .venv ## start everything in one process with the demo country on http://127.0.0.1:8000
	@$(BIN)/star run

demo: .venv ## walk the whole path once in a temporary folder, a line a step
	@$(BIN)/star demo

##@ Check

test: .venv-dev ## run the whole suite; installs and starts the real servers on loopback
	@$(BIN)/python -m tests.servers install
	@$(BIN)/pytest -q -n 2 --dist loadgroup

test-fast: .venv-dev ## run what needs no server, in about a minute
	@$(BIN)/pytest -q -n 4 --dist loadgroup -m "not servers and not slow"

test-crash: .venv-dev ## kill random processes 200 times while a workload runs
	@$(BIN)/python -m tests.servers install
	@$(BIN)/pytest -q tests/crash --kills=200 --timeout=3600

chaos: .venv-dev ## read 1,000,000 and revoke 10,000 times while everything fails
	@$(BIN)/python -m tests.servers install
	@$(BIN)/pytest -q -s tests/chaos --reads=1000000 --revokes=10000

decisions: .venv-dev ## compare 1,000,000 decisions with a model that scans everything ever written
	@$(BIN)/pytest -q -n 0 tests/gateway/test_decisions.py tests/gateway/test_read_paths.py --decisions=1000000

check: lint types imports ## style, types, imports, generated files and the fast tests: the one command to know
	@$(BIN)/python -m deploy.schemas --check
	@$(BIN)/pytest -q -n 4 --dist loadgroup -m "not servers and not slow"

bench: .venv-dev ## measure the importer, side by side with writing one row at a time
	@$(BIN)/python -m tests.bench

bench-access: .venv-dev ## measure the visibility decision, reads and revocations
	@$(BIN)/python -m tests.bench.access

##@ Work

fmt: .venv-dev ## format the code
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format --quiet .

lint: .venv-dev ## style and formatting
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .

types: .venv-dev ## mypy, strict
	@$(BIN)/mypy

imports: .venv-dev ## who may import whom
	@$(BIN)/lint-imports

schemas: .venv-dev ## write the generated schemas, AsyncAPI, OpenAPI and settings example
	@$(BIN)/python -m deploy.schemas

servers: .venv-dev ## install and start the real servers, until Ctrl-C
	@$(BIN)/python -m tests.servers up

clean: ## remove the virtual environment and the demo data
	@rm -rf .venv data

.PHONY: .venv .venv-dev
.venv:
	@$(PYTHON) deploy/bootstrap.py

.venv-dev:
	@$(PYTHON) deploy/bootstrap.py --dev
