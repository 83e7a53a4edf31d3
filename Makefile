# `make demo` and `make test` do all the set-up on a fresh machine; `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs clean
VENV := .venv
PY := $(VENV)/bin/python

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS='	' read -r name text; do printf '  make %-7s %s\n' "$$name" "$$text"; done

setup: ## create .venv and install the pinned requirements (the other targets do this by themselves)
	@sh .ci/setup $(VENV)

demo: setup ## measure the embedded demo model, unlearn the personal data it recites, measure again
	@echo "==> python calculate_metrics.py"
	@$(PY) calculate_metrics.py
	@echo "==> unlearn --category pii $(ARGS)"
	@$(VENV)/bin/unlearn --category pii --resume $(ARGS)

test: setup ## run the whole test suite
	@echo "==> pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)"
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## check style and format
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

docs: setup ## write docs/columns.md anew from the code
	@$(PY) -m reporting.columns > docs/columns.md.new && mv docs/columns.md.new docs/columns.md

clean: ## remove .venv and caches; runs/ stays
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
