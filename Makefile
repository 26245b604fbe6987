# Each target does the set-up it needs (tools/bootstrap.sh) and then its work.

BIN := .venv/bin

# What a window needs: the user's display, or on Linux without one a virtual screen.
# Other systems always have a display.
WITH_DISPLAY := $(shell [ "$$(uname -s)" != Linux ] || [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] \
	|| echo "xvfb-run -a -s '-screen 0 1600x1000x24'")

DEMO_OUT := demo-data
# Without a display the demo ends by itself and leaves a screenshot.
DEMO_ARGS := --out $(DEMO_OUT) \
	$(if $(WITH_DISPLAY),--headless --screenshot $(DEMO_OUT)/demo.png)

# Arguments for pytest and for the benchmarks: make test PYTEST_ARGS="-k stream -x"
PYTEST_ARGS ?=
# Many tests wait for a process or a disk: two at a time take half as long.
TEST_JOBS ?= -n logical --maxprocesses 4 --dist worksteal
BENCH_ARGS ?=

.PHONY: help setup demo test lint lint-types lint-rest bench docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## only the set-up: .venv, packages, system libraries
	@tools/bootstrap.sh --gui

demo: ## acquire on the demo microscope, verify, show the result in napari
	@tools/bootstrap.sh --gui
	$(WITH_DISPLAY) $(BIN)/napari-scope demo $(DEMO_ARGS)

test: ## run all tests (PYTEST_ARGS="-k name", TEST_JOBS= for one at a time)
	@tools/bootstrap.sh --gui
	$(WITH_DISPLAY) $(BIN)/python -m pytest $(TEST_JOBS) $(PYTEST_ARGS)

lint: ## style, types, allowed imports, plugin manifest
	@tools/bootstrap.sh
	@$(MAKE) --no-print-directory -j2 lint-types lint-rest

# The types take as long as all the rest.
lint-types:
	$(BIN)/mypy

lint-rest:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
# Importing the commands needs the libraries of Qt: tests/test_packaging.py does that.
	$(BIN)/npe2 validate --no-imports napari-scope

bench: ## measure against the peers and the raw limits (BENCH_ARGS="...")
	@tools/bootstrap.sh
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: ## build the documentation into site/
	@tools/bootstrap.sh
# mkdocs-material would print a page about its own end of life (May 2027).
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## remove .venv and everything that was built; keeps acquired data
	rm -rf .venv build dist site .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
