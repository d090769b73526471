# Two commands matter: `make demo` and `make test`. Both set up everything they need in .venv, at the exact versions that
# constraints.txt names. The others: make help.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo
PIP := -m pip install --quiet --disable-pip-version-check --no-compile
# A file of tests stays in one process, since its tests share what they train; tests/conftest.py puts the longest first.
PYTEST := -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# What a run with other versions shows besides failures: deprecations, which the tests otherwise leave to the libraries.
DEPRECATIONS := -W default::DeprecationWarning -W default::PendingDeprecationWarning -W default::FutureWarning

.PHONY: help demo test docs coverage lint types layers check format lock test-newest test-lowest test-wheel clean

demo: $(VENV)/.ready  ## continue the recording in data/: a WAV, and a page to look at
	$(BIN)/audiogen demo -o $(OUT) --force
	@echo "your own recordings: . $(BIN)/activate, then audiogen continue RECORDING -o OUT.wav"

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

test coverage: export OMP_NUM_THREADS = 1  # each process has a core of its own

test: $(VENV)/.ready-dev  ## the tests
	$(BIN)/python $(PYTEST)

coverage: $(VENV)/.ready-dev  ## the tests, with the share of lines that they run, at a quarter more time
	$(BIN)/python $(PYTEST) --cov --cov-report=term:skip-covered

lint: $(VENV)/.ready-dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev  ## mypy
	$(BIN)/mypy

layers: $(VENV)/.ready-dev  ## import-linter
	$(BIN)/lint-imports

docs: $(VENV)/.ready-docs  ## the manual, in site/; broken links and missing references fail
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

check: lint types layers test docs  ## all that must hold before a change lands

format: $(VENV)/.ready-dev  ## ruff, in place
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# A stamp file says that the environment matches the two files, so a second run starts at once.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -c constraints.txt -e .
	PYTHONDONTWRITEBYTECODE= $(BIN)/python tools/import_all.py
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python $(PIP) -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	$(BIN)/python $(PIP) -c constraints.txt -e '.[docs]'
	touch $@

# One lock for all Pythons and systems that pyproject.toml admits. LOCK_LIMITS keeps a release out: make lock LOCK_LIMITS='torch<2.15'
LOCK_LIMITS ?= torch<2.15
UV := .venv-lock/bin/uv

$(UV):
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python $(PIP) 'uv>=0.9,<1'

lock: $(UV)  ## write constraints.txt anew, at the newest versions that fit together
	printf '%s\n' $(foreach limit,$(LOCK_LIMITS),'$(limit)') > .venv-lock/limits.txt
	$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade --quiet \
		--constraints .venv-lock/limits.txt --custom-compile-command 'make lock' --no-annotate -o constraints.txt

test-newest:  ## the tests with the newest versions that pyproject.toml and the index admit
	rm -rf .venv-newest && $(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python $(PIP) --upgrade --upgrade-strategy eager -e '.[dev]'
	.venv-newest/bin/python -m pip list --disable-pip-version-check
	.venv-newest/bin/python $(PYTEST) $(DEPRECATIONS)

test-lowest: $(UV)  ## the tests with the lowest versions that pyproject.toml admits for what it names
	rm -rf .venv-lowest && $(PYTHON) -m venv .venv-lowest
	$(UV) pip compile pyproject.toml --extra dev --resolution lowest-direct --python .venv-lowest/bin/python \
		--quiet --no-annotate --no-header -o .venv-lowest/constraints.txt
	.venv-lowest/bin/python $(PIP) -c .venv-lowest/constraints.txt -e '.[dev]'
	.venv-lowest/bin/python -m pip list --disable-pip-version-check
	.venv-lowest/bin/python $(PYTEST) $(DEPRECATIONS)

test-wheel:  ## build a wheel, install it beside no clone, and use it
	$(PYTHON) tools/check_wheel.py

clean:  ## remove environments and caches
	rm -rf $(VENV) .venv-lock .venv-newest .venv-lowest demo build dist site .coverage
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
