# `make` lists the verbs. The only things a machine needs are Python 3.11 or newer with pip, git and make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
# Engines start three times slower without bytecode, so it is compiled at the installation and may be written.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup quickstart test smoke lint format bench lock signatures clean

help: ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 12

setup: .venv/engines ## install everything that compiles and trains into .venv, and register the merge driver of dvc.lock
	@$(BIN)/recipe setup || true

quickstart: .venv/engines ## train, predict and score a tiny model on a CPU, and show the scores
	$(BIN)/recipe compile recipes/quickstart.yaml
	$(BIN)/recipe run recipes/quickstart.yaml

test: .venv/dev ## everything that must hold at every change
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

smoke: .venv/dev ## run the smoke variant of every recipe to its end
	$(BIN)/python -m pytest -m smoke --numprocesses auto --dist loadgroup --no-loadscope-reorder

lint: .venv/dev ## style, types and shell scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck pipelines/exec.sh toolchains/lock.sh .ci/run

format: .venv/dev ## bring the code into its form
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format .

bench: .venv/dev ## measure what the README and the tests promise of speed and memory
	$(BIN)/python -m tests.bench

lock: $(UV) ## resolve the requirements anew
	@for set in "dev --all-extras" "engines --extra engines -c requirements/dev.txt" "base -c requirements/dev.txt"; do \
		read -r name options <<<"$$set"; \
		$(UV) pip compile pyproject.toml $$options $(UPGRADE) --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-annotate --no-header --quiet --output-file requirements/$$name.txt; \
	done
	@toolchains/lock.sh $(UPGRADE)

signatures: .venv/dev ## record anew what the installed engines accept
	$(BIN)/python -m runners.signatures
	$(BIN)/python -m runners.signatures --toolchain transformers-4.41
	$(BIN)/python -m runners.signatures --toolchain quant
	$(BIN)/python -m runners.signatures --toolchain trl1
	$(BIN)/python -m runners.signatures --toolchain vllm

clean: ## take away what can be made again: outputs, caches, the environment
	rm -rf .venv .recipe outputs build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

# One environment: `dev` holds all of `engines`, so a set-up for tests serves runs, too.
.venv/engines: requirements/engines.txt pyproject.toml | $(UV)
	$(INSTALL) --compile-bytecode --require-hashes -r requirements/engines.txt
	$(INSTALL) --no-deps --editable .
	@touch $@

.venv/dev: requirements/dev.txt pyproject.toml | $(UV)
	$(INSTALL) --compile-bytecode --require-hashes -r requirements/dev.txt
	$(INSTALL) --no-deps --editable .
	@touch $@ .venv/engines
