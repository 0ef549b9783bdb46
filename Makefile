# Needs Python 3.11–3.13 and git. Everything runs in .venv, which is made on first use and again when the lock changes.
PYTHON ?= python3
export PYTHON
BIN := .venv/bin
CODE := marketdata_pipelines marketdata_pipelines_tests benchmarks

.PHONY: help setup demo up test lint format ci clean

help:
	@echo "make setup    make the environment in .venv"
	@echo "make demo     load a sample and run the whole graph over it"
	@echo "make up       Dagster's web page on what was loaded"
	@echo "make test     everything continuous integration runs: format, lint, types, imports, tests"
	@echo "make lint     all of that but the tests"
	@echo "make format   put the code into its form"
	@echo "make clean    remove the environment and caches; data stays"

setup: .venv/.ready

.venv/.ready: pyproject.toml uv.lock .ci/setup
	@.ci/setup

demo: setup
	@$(BIN)/marketdata demo

up: setup
	@$(BIN)/marketdata up

lint: setup
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint
	@$(BIN)/pytest -n 2

ci:
	@.ci/run

format: setup
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
