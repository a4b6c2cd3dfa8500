PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DOCS_INSTALLED := .venv/.docs-installed

.PHONY: help setup demo demo-federated demo-mpc processes engine test lint mutants edges fuzz wheel-test advisories bench oracles docs clean

help:
	@echo "make demo     set up, then a real table in, a certified synthetic table out (in demo/)"
	@echo "make demo-federated  set up, then five hospital processes fit one model over mutual TLS (in demo/federated/)"
	@echo "make demo-mpc  set up, then three parties with columns of their own fit one model on shares (in demo/mpc/)"
	@echo "make test     set up, then the tests (about ten minutes on two cores)"
	@echo "make setup    make .venv and install the package with all extras and its development tools"
	@echo "make lint     ruff and pyright"
	@echo "make mutants  mistakes planted in copies of the code: each must turn its test red; TENTH=1 for a tenth, by commit"
	@echo "make edges    the edges of the promise, tried part by part, in an hour; EDGES=audits for some parts"
	@echo "make fuzz     5,000 hostile inputs in forked children, 300 by the command line, in ten minutes; SECONDS=60 for fewer"
	@echo "make wheel-test  the built wheel, without extras and with them, in fresh environments; runs the README there"
	@echo "make advisories  known advisories against the pinned versions, where the package index gives them"
	@echo "make bench    the figures in docs/, measured again, in two to three hours; BENCHMARKS=tables for some of them"
	@echo "make processes  kill relays, sites, parties, coordinators and fits at each stage of their runs, and lie to sites; fifteen minutes"
	@echo "make engine   install the engine for secret shares in .others/engine, train and select on it, and kill parties; ten minutes"
	@echo "make oracles  the slow comparisons with other people's code"
	@echo "make docs     the documentation, in site/"

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("needs Python 3.11 or newer: make PYTHON=python3.11 " + "$(MAKECMDGOALS)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (minutes, the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/sfumato demo

demo-federated: $(INSTALLED)
	@$(BIN)/sfumato federation demo

demo-mpc: $(INSTALLED)
	@test -d .others/engine || $(MAKE) --silent .others/engine || echo "without the engine: its part is left out"
	@$(BIN)/sfumato mpc demo --engine .others/engine

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n 2 -q

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

mutants: $(INSTALLED)
	@$(BIN)/python -m benchmarks.mutants $(if $(TENTH),--tenth)

edges: $(INSTALLED)
	@$(BIN)/python -m benchmarks.edges $(EDGES)

fuzz: $(INSTALLED)
	@$(BIN)/python -m benchmarks.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

wheel-test: $(INSTALLED)
	@$(BIN)/python -m benchmarks.edges.environments plain readme

advisories: $(INSTALLED)
	@$(BIN)/python -m benchmarks.advisories

BENCHMARKS ?= attacks dp_step images neural_tables tables

bench: $(INSTALLED)
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

processes: $(INSTALLED)
	@$(BIN)/python -m pytest -q -m processes

engine: $(INSTALLED) .others/engine
	@$(BIN)/python -m pytest -q -m engine

.others/engine: $(INSTALLED) src/sfumato/trust/mpc/engine/requirements.txt  # JAX of another time is pinned by it
	@rm -rf $@ && $(BIN)/sfumato party install $@ && touch $@

oracles: $(INSTALLED) .others/anonymeter
	@$(BIN)/python -m pytest -q -m oracle

.others/anonymeter:  # its pins clash with ours
	@$(PYTHON) -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check anonymeter==1.1.0 || { rm -rf $@; exit 1; }

.others/flwr:  # for benchmarks.flower_secagg alone
	@$(PYTHON) -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check flwr==1.41.0 || { rm -rf $@; exit 1; }

docs: $(DOCS_INSTALLED)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf site build dist demo .pytest_cache .ruff_cache .hypothesis
