# Every target sets up what it needs in .venv by itself, the first time, and finds it there afterwards.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
ARGS ?=
TIME ?= 600
TARGET ?=
SUITE ?=

VENV := .venv
BIN := $(VENV)/bin
BENCH_TOOLS := build/bench-tools
COMPOSE_TOOLS := build/compose-tools
UV := $(BIN)/uv --quiet
PROGRAMS := requirements/programs.list
SETUPS := pyproject.toml signing/pyproject.toml offline-sync/pyproject.toml

# Nothing that runs here reports home.
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where it is set, every process that the tests start compiles all of our modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve test test-shared test-system test-long fuzz hunt conformance lint bench bench-quick bench-tools docs \
  compose-secrets compose-pin compose-test requirements clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---------------------------------------------------------------- what people run

# The tests' environment holds everything the demo needs.
demo: $(if $(wildcard $(VENV)/.dev),$(VENV)/.dev,$(VENV)/.demo)  ## play the journey from source to site in demo/ (ARGS=--json for machines)
	@$(BIN)/python -m sealift_registry.demo $(ARGS)

# Where no demo has been played to its end, it is played first.
serve: $(if $(wildcard $(VENV)/.dev),$(VENV)/.dev,$(VENV)/.demo)  ## serve the demo's hub, with an account for you (ARGS="--port 8701")
	@exec $(BIN)/python -m sealift_registry.demo.serving $(ARGS)

test: $(VENV)/.dev  ## run the tests that need nothing but Python, git and make
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

test-shared: $(VENV)/.dev  ## run the tests of hubs once more, on a real PostgreSQL and a real S3 server, and those of both
	@$(BIN)/python -m pytest --engines shared -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/python -m pytest --engines servers -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-system: $(VENV)/.dev system-tools  ## run the tests that need Debian's tools (skopeo, strace) and a network namespace
	@$(BIN)/python -m pytest -m system -n logical --maxprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/python -m pytest --engines servers -m system $(ARGS)

test-long: $(VENV)/.dev system-tools  ## run the whole sweeps: every attack, kill, power cut and full disk (an hour)
	@$(BIN)/python -m pytest -m long -n logical --maxprocesses 8 --dist worksteal --timeout 0 $(ARGS)

# atheris has wheels for few systems. Where there is none, Hypothesis alone makes the inputs.
fuzz: $(VENV)/.dev  ## fuzz all that reads what is carried (TIME=600, seconds each; TARGET="log oci"; ARGS=--keep)
	@$(BIN)/python -c "import atheris" 2>/dev/null || \
	  $(UV) pip install --python $(BIN)/python --require-hashes --only-binary :all: -r requirements/fuzz.txt || \
	  echo "atheris does not install here: Hypothesis makes the inputs, and does not see what they reach." >&2
	@$(BIN)/python -m tests.fuzz --seconds $(TIME) $(ARGS) $(TARGET)

hunt: $(VENV)/.dev  ## look for models that are signed and wrong (half an hour; ARGS="--count 200 --first 5000"; goes on where it was cut off)
	@$(BIN)/python -m tests.hunt $(ARGS)

conformance: $(VENV)/.dev  ## run TUF's conformance suite, which lies in SUITE=DIR, with our strict rules and without
	@$(BIN)/python -m tests.conformance $(SUITE)

lint: $(VENV)/.dev  ## check style, types and who imports whom
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

# Nothing else should run meanwhile. What is absent of what Sealift is compared with, is named as absent.
bench: $(VENV)/.dev  ## measure what must be fast, beside what people use today (an hour; ARGS="export verify" for parts)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-quick: $(VENV)/.dev  ## measure a tenth of it, in two minutes
	@$(BIN)/python -m tests.benchmarks --quick $(ARGS)

bench-tools: $(BENCH_TOOLS)/.done  ## install what Sealift is compared with: restic, borg, skopeo, model-signing
	@$(call debian,bench); \
	if [ -n "$$packages" ]; then \
	  echo "Not installed, and named as absent by make bench:" $$packages"." \
	    "Install them with apt-get install" $$packages"." >&2; \
	fi

docs: $(VENV)/.dev  ## build the documentation in docs/_build/html
	@$(BIN)/sphinx-build -W --keep-going --quiet -b html docs docs/_build/html

# ---------------------------------------------------------------- docker-compose.yml

compose-secrets:  ## make the passwords that docker-compose.yml needs, in secrets/; what is there stays
	@$(PYTHON) compose/make_secrets.py

compose-pin:  ## write the digests behind the images' tags into docker-compose.yml and Dockerfile (a network)
	@$(PYTHON) compose/make_pins.py

# Where no engine answers, root on Debian gets one, with stand-ins for the images that it cannot pull.
compose-test: $(VENV)/.dev $(COMPOSE_TOOLS)/.done  ## run docker-compose.yml with a journey over it (ten minutes; an engine of containers)
	@$(call debian,compose); \
	$(BIN)/python -m tests.compose $(ARGS)

# ---------------------------------------------------------------- the environment

$(VENV)/.uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 14))' || { \
	  echo "Sealift needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is not: say make PYTHON=python3.11." >&2; exit 2; }
	@echo "Setting up $(VENV) (first time: about a minute) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --require-hashes -r $<
	@touch $@

$(VENV)/.demo $(VENV)/.dev: $(VENV)/.%: requirements/%.txt $(SETUPS) $(VENV)/.uv
	@if [ -e $(VENV)/.demo ] || [ -e $(VENV)/.dev ]; then echo "Bringing $(VENV) up to date …"; fi
	@$(UV) pip install --python $(BIN)/python --require-hashes -r $<
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation -e signing -e offline-sync -e .
	@touch $@

# DVC comes with the tests' environment; model-signing has its own, for it needs other versions.
$(BENCH_TOOLS)/.done: requirements/bench.txt $(VENV)/.uv
	@$(PYTHON) -m venv $(BENCH_TOOLS)
	@$(UV) pip install --python $(BENCH_TOOLS)/bin/python --require-hashes -r $<
	@touch $@

# Docker's Compose, where no engine brings its own.
$(COMPOSE_TOOLS)/.done: requirements/compose.txt $(VENV)/.uv
	@$(PYTHON) -m venv $(COMPOSE_TOOLS)
	@$(UV) pip install --python $(COMPOSE_TOOLS)/bin/python --require-hashes -r $<
	@touch $@

# Installs Debian's packages of the programs that are missing of those for $(1), where we may; leaves
# the rest in $packages. Debian keeps some programs where only root's PATH leads.
define debian
missing() { awk '!/^#/ && $$3 ~ /(^|,)($(1))(,|$$)/ { print $$1, $$2 }' $(PROGRAMS) | \
	    while read -r program package; do \
	      PATH=$$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$$program" >/dev/null || echo "$$package"; \
	    done | sort -u; }; \
	packages=$$(missing); \
	if [ -n "$$packages" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing" $$packages "…"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  said=$$(apt-get -qq update 2>&1 && \
	    apt-get -qq install --yes --no-install-recommends $$packages 2>&1) || echo "$$said" >&2; \
	  hash -r; packages=$$(missing); \
	fi
endef

# The system tests' programs: installed where we may, asked for where we may not, never skipped.
.PHONY: system-tools
system-tools:
	@$(call debian,test|linux|system); \
	if [ -n "$$packages" ]; then \
	  echo "The system tests need" $$packages": install with apt-get install" $$packages"," \
	    "or run make test-system as root on Debian." >&2; exit 1; \
	fi

# ---------------------------------------------------------------- upkeep

# What all packages have in common is cut out of each line: Linux or macOS, CPython.
ANYWHERE := (platform_python_implementation == 'CPython' and sys_platform == 'darwin') or (platform_python_implementation == 'CPython' and sys_platform == 'linux')

requirements: $(VENV)/.uv  ## pin requirements/*.txt again (ARGS=--upgrade for newer versions)
	@for name in uv site demo dev hub compose fuzz bench; do \
	  $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-package sealift-registry \
	    --no-emit-package sealift-offline-sync --no-emit-package sealift-signing $(ARGS) \
	    requirements/$$name.in --output-file requirements/$$name.txt; \
	  sed -i.bak "s/ ; $(ANYWHERE)//" requirements/$$name.txt; \
	  rm requirements/$$name.txt.bak; \
	done

clean:  ## remove .venv, the demo, builds and caches
	@rm -rf $(VENV) demo build dist docs/_build .coverage .coverage.* htmlcov \
	  .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
