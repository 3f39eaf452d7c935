# Isthmus. Every target makes what it needs first; Python 3.11 or newer is all that must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
STAMP := $(VENV)/.installed-dev
T ?= tests
# Most tests wait more than they compute. Each of the three has servers of its own.
# In the order of folders: those of few and long tests would come last otherwise, and alone.
SIDE_BY_SIDE := -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-long bench lint format types schema ui ui-check clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): $(BIN)/python pyproject.toml constraints.txt
	$(PIP) '.[embedded]'
	touch $(RUN)

$(STAMP): $(BIN)/python pyproject.toml constraints.txt
	$(PIP) '.[embedded,dev]'
	touch $(STAMP) $(RUN)

setup: $(STAMP) ## Make the environment, with all that development needs

demo: $(RUN) ## Start everything, load the demo, run it, go on serving on port 6789
	$(BIN)/isthmus dev --demo

dev: $(RUN) ## Start everything on this machine
	$(BIN)/isthmus dev

test: $(STAMP) ## Run the tests (at most 10 minutes; T=path for a part)
	$(BIN)/pytest $(SIDE_BY_SIDE) $(T)

test-long: $(STAMP) ## Run the tests that take longer as well
	$(BIN)/pytest $(SIDE_BY_SIDE) $(T) -m "long or not long"

bench: $(STAMP) ## Measure beside the real Mage (10 minutes, an idle machine)
	bench/peers/mage/setup.sh
	$(BIN)/python bench/mage.py --write

lint: $(STAMP) ## Check style, types and the exported schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/isthmus schema --check

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

schema: $(STAMP) ## Export schema.graphql
	$(BIN)/isthmus schema

ui: ## Build the playground (needs Node 20 or newer)
	cd web && npm ci --no-audit --no-fund && npm run build

ui-check: ui ## Prove that the committed playground is what its source gives
	git diff --exit-code -- app/ui/dist
	test -z "$$(git status --porcelain app/ui/dist)"

clean: ## Remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache
