# healthtrust: `make help` says what there is. Everything installs into .venv, node_modules and .cache of this folder, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
HOME_DIR ?= $(or $(HEALTHTRUST_HOME),$(HOME)/.healthtrust)
DATA ?=
ONCE ?=
BENCH ?=
QUICK ?=

VENV := .venv/bin
# Go comes from there where the machine has none (tools/need.sh).
export PATH := $(CURDIR)/$(VENV):$(PATH)
STAMPS := .cache/stamps
PAGE_SOURCES := $(shell find apps/web -type f \( -name '*.ts' -o -name '*.vue' -o -name '*.css' -o -name '*.html' -o -name '*.json' \) \
	-not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null) core/vocabulary.json
CONTRACT_SOURCES := $(shell find contracts/src contracts/test contracts/script -type f \( -name '*.sol' -o -name '*.py' -o -name '*.*js' \) 2>/dev/null)
ENGINE_SOURCES := tools/engine.sh network/versions.toml $(wildcard core/crypto/engines/library/*.go core/crypto/engines/library/go.*)
GO_SOURCES := $(ENGINE_SOURCES) $(shell find network/*/build network/evm/validator network/helm chaincode -type f \( -name '*.go' -o -name 'go.*' \) 2>/dev/null)

.PHONY: help demo engine test test-networks test-fast check format bench docs lock clean
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMPS)/runtime $(STAMPS)/contracts $(STAMPS)/pages $(STAMPS)/engine-tried ## the whole story on sample residents, then stays up (ONCE=1 stops; DATA=folder uses real input)
	@$(VENV)/healthtrust --home "$(HOME_DIR)" demo $(if $(ONCE),--once) $(if $(DATA),--data "$(DATA)")

engine: $(STAMPS)/engine ## build the fast crypto engine (gmsm; Go and a C compiler); without it OpenSSL does the work

test: $(STAMPS)/test $(STAMPS)/contracts $(STAMPS)/pages $(STAMPS)/system $(STAMPS)/engine ## every test of the embedded profile, fast ones first
	@tools/test.sh

test-networks: $(STAMPS)/test $(STAMPS)/contracts $(STAMPS)/binaries ## the tests on four EVM validators and on Fabric (builds them from Go the first time: minutes)
	@tools/test.sh networks

test-fast: $(STAMPS)/test $(STAMPS)/contracts ## the tests that need no node, no browser, no PostgreSQL
	@$(VENV)/pytest -n 2 -m "not node and not validators and not fabric and not helm and not postgres and not browser and not slow"

check: $(STAMPS)/test $(STAMPS)/contracts $(STAMPS)/npm $(STAMPS)/go ## format, lint, strict types, import rule, pages' types, chaincode
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports
	@npm run --silent check
	@tools/go_check.sh

format: $(STAMPS)/test ## put the code in its one format
	@$(VENV)/ruff format .
	@$(VENV)/ruff check --fix .
	@gofmt -w chaincode

bench: $(STAMPS)/test $(STAMPS)/contracts $(STAMPS)/engine $(STAMPS)/binaries ## measure (BENCH="gate decisions" only these, QUICK=1 shorter); writes docs/benchmarks.json and .md
	@$(VENV)/python -m benches $(BENCH) $(if $(QUICK),--quick)

docs: $(STAMPS)/runtime ## regenerate the generated pages (settings)
	@$(VENV)/healthtrust settings --markdown > docs/settings.md

lock: ## pin the newest allowed versions again (needs the network)
	@tools/lock.sh

clean: ## remove everything that was installed or built here (state in the home directory stays)
	@rm -rf .venv .cache node_modules contracts/artifacts core/crypto/engines/library/libgmsm.so* apps/web/*/dist apps/web/*/node_modules test-artifacts *.egg-info

# ---------------------------------------------------------------------------------------------------- what the targets stand on
$(STAMPS)/python: requirements/uv.lock tools/need.sh
	@tools/need.sh python "$(PYTHON)"
	@test -x $(VENV)/python || "$(PYTHON)" -m venv .venv
	@echo "· installing the installer"; $(VENV)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/python requirements/runtime.lock pyproject.toml
	@echo "· installing Python packages (locked)"; $(VENV)/uv pip install --quiet --python $(VENV)/python --require-hashes -r requirements/runtime.lock
	@$(VENV)/uv pip install --quiet --python $(VENV)/python --no-deps --editable .
	@touch $@

$(STAMPS)/test: $(STAMPS)/runtime requirements/all.lock
	@echo "· installing Python packages for tests (locked)"; $(VENV)/uv pip install --quiet --python $(VENV)/python --require-hashes -r requirements/all.lock
	@touch $@

$(STAMPS)/npm: package.json package-lock.json tools/need.sh
	@tools/need.sh node
	@echo "· installing Node packages (locked)"; npm ci --silent --no-audit --no-fund
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/contracts: $(STAMPS)/runtime $(STAMPS)/npm $(CONTRACT_SOURCES)
	@echo "· compiling contracts"; $(VENV)/python -m contracts.script.compile
	@touch $@

$(STAMPS)/pages: $(STAMPS)/npm $(PAGE_SOURCES)
	@echo "· building pages"; npm run --silent build
	@touch $@

$(STAMPS)/system: tools/need.sh
	@tools/need.sh system
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/go: $(STAMPS)/python requirements/go.lock tools/need.sh
	@tools/need.sh go
	@touch $@

$(STAMPS)/engine: $(STAMPS)/go $(STAMPS)/runtime $(ENGINE_SOURCES)
	@tools/engine.sh
	@touch $@ $(STAMPS)/engine-tried

$(STAMPS)/engine-tried: $(STAMPS)/runtime $(ENGINE_SOURCES)
	@tools/engine.sh optional
	@touch $@

$(STAMPS)/binaries: $(STAMPS)/go $(STAMPS)/runtime $(GO_SOURCES)
	@$(VENV)/python -m network.binaries
	@touch $@
