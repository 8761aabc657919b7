# The project's commands. Each sets up what it needs: a virtual environment in .venv, kept up to date.
# Assumed: make, Python 3.11 or newer, and PyPI and the npm registry within reach the first time.

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
NOTEBOOK ?= notebooks/00_quickstart.ipynb
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-kernel test-frontend test-browser lint format build floors bench clean local-model browser

help: ## Show the commands
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1@\2/p' $(MAKEFILE_LIST) | column -t -s @

setup: ## Make or update the virtual environment and the front end (all other commands do it)
	@scripts/setup.sh $(VENV) lab,notebooks,test,dev

demo: setup ## Open the quickstart in JupyterLab (HEADLESS=1: here; LIVE=1: ask a model; APPROVE=auto: run its code)
	@$(VENV_PYTHON) scripts/demo.py $(if $(filter-out 0,$(HEADLESS)),--headless) $(if $(filter-out 0,$(LIVE)),--live) \
		$(if $(APPROVE),--approve $(APPROVE)) $(NOTEBOOK)

test: setup $(if $(wildcard tests/local_model/test_*.py),local-model) $(if $(wildcard tests/browser/test_*.py),browser) ## Run every suite
	@$(VENV_PYTHON) scripts/suites.py

test-unit: setup ## Run the unit tests and the package's examples
	@$(VENV_PYTHON) scripts/suites.py unit

test-kernel: setup ## Run the tests in a real kernel
	@$(VENV_PYTHON) scripts/suites.py kernel

test-frontend: setup ## Check the front end and run its tests
	@$(VENV_PYTHON) scripts/suites.py frontend

test-browser: setup browser ## Run the tests in JupyterLab and Notebook 7
	@$(VENV_PYTHON) scripts/suites.py browser

lint: setup ## Check style and types
	@$(VENV_PYTHON) scripts/suites.py lint

format: setup ## Format the code, and mend what can be mended
	@$(VENV_PYTHON) -m ruff check --fix-only --quiet .
	@$(VENV_PYTHON) -m ruff format .
	@PATH="$$PATH:$(CURDIR)/$(VENV)/bin" npm --prefix labextension run --silent format

build: setup ## Make the wheel and the source distribution in dist/
	@rm -rf dist
	@$(VENV_PYTHON) -m hatchling build

floors: ## Run the unit and kernel tests with the lowest versions that pyproject.toml allows
	@scripts/floors.sh

bench: setup ## Run the benchmarks (BENCH=name: only that one)
	@set -e; for file in benchmarks/$(or $(BENCH),[a-z]*).py; do \
		echo "== $$file"; $(VENV_PYTHON) -m "benchmarks.$$(basename "$$file" .py)"; \
	done

clean: ## Remove all that these commands made, virtual environments included
	rm -rf $(VENV) .venv-floors build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	rm -rf labextension/node_modules labextension/lib jupyter_agents/labextension jupyter_agents/widgets/static
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

local-model: setup
	@cmp -s tests/local_model/requirements.txt $(VENV)/.local-model || { \
		echo "Installing the local model of the tests"; \
		$(VENV_PYTHON) -m pip install -qq --no-deps --disable-pip-version-check -r tests/local_model/requirements.txt; \
	}
	@cp tests/local_model/requirements.txt $(VENV)/.local-model

browser: setup
	@scripts/browser.sh $(VENV)
