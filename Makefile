# Two commands matter: `make demo` and `make test`. Each sets up everything it needs.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8

.PHONY: demo test lint bench setup setup-dev lock front-end clean

demo: setup front-end  ## Phantom data, an experiment of three arms, the web application and its workers
	@$(BIN)/python manage.py demo

test: setup-dev front-end  ## Lint, types, import rules and every test
	@CEMLAB_PYTEST_ARGS="$(ARGS)" bash tests/run.sh

lint: setup-dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports && $(BIN)/mypy imaging simulation detection webapp

bench: setup-dev front-end  ## Every performance figure of the docs
	$(BIN)/python benchmarks/run_all.py

setup: $(VENV)/.installed

setup-dev: $(VENV)/.installed-dev
	@bash tests/system_packages.sh

front-end: setup
	@$(BIN)/python static/build.py

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "CEMLab needs Python 3.11 or newer; $(PYTHON) is older. Set PYTHON=/path/to/python3.11."; exit 1; }
	@command -v gcc >/dev/null || { echo "CEMLab needs a C compiler (gcc) to build its radiomics package. On Debian: apt-get install gcc"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: requirements.txt | $(BIN)/uv
	@echo "Installing Python packages (about 7 GB once, mostly torch)..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt -r requirements-dev.txt
	@touch $@

lock: | $(BIN)/uv  ## Pin requirements.in and requirements-dev.in anew
	$(BIN)/uv pip compile --quiet requirements.in -o requirements.txt --universal --python-version 3.11 --no-header --no-emit-index-url
	$(BIN)/uv pip compile --quiet requirements-dev.in -o requirements-dev.txt --universal --python-version 3.11 --no-header --no-emit-index-url

clean:
	rm -rf $(VENV) node_modules static/dist var .pytest_cache .mypy_cache .ruff_cache
