# Every command makes its own virtual environment. Python 3.11 or newer and GNU make are all it asks for.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready
FRAMEWORKS := .venv-adapters
WITH_FRAMEWORKS := $(FRAMEWORKS)/.ready
# The tests start hundreds of processes; without kept bytecode each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo check test adapters crash soak histories bench format clean

demo: $(RUNS)  ## a small company, an agent that obeys every ticket, and what the interlock does in between
	@$(BIN)/interlock demo $(if $(SEED),--seed $(SEED))

$(RUNS): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(READY): pyproject.toml sdk/pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' -e './sdk[signing]'
	@touch $@

check: $(READY)  ## format, lint, types, ladder, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/basedpyright -p sdk --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 3

test: $(READY)  ## the whole suite, on both stores, with the short forms of the matrices
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/basedpyright -p sdk --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 3 --dist worksteal --durations 20 -m "slow or not slow"

$(WITH_FRAMEWORKS): sdk/pyproject.toml sdk/constraints-adapters.txt
	@test -x $(FRAMEWORKS)/bin/python || $(PYTHON) -m venv $(FRAMEWORKS)
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --disable-pip-version-check -c sdk/constraints-adapters.txt -e './sdk[dev]'
	@touch $@

adapters: $(READY) $(WITH_FRAMEWORKS)  ## the adapters of the SDK, each with its framework (800 MB) in a virtual environment of its own
	$(BIN)/basedpyright -p sdk/adapters.json --pythonpath $(FRAMEWORKS)/bin/python
	INTERLOCK_PYTHON=$(abspath $(BIN))/python $(FRAMEWORKS)/bin/python -m pytest -q -c sdk/pyproject.toml sdk/tests

crash: $(READY)  ## the long form of the crash matrix; KILLS=10000 FREEZES=600 say how long, the end of crash.log how it went
	@$(BIN)/python tests/crash.py --kills $(or $(KILLS),2000) --freezes $(or $(FREEZES),120) >crash.log; ended=$$?; \
	cat crash.log; exit $$ended

soak: $(READY)  ## one server for MINUTES=30 among clients of every kind and bad manners; says what is left of them
	@$(BIN)/python tests/soak.py --minutes $(or $(MINUTES),30)

histories: $(READY)  ## many random histories, each time other ones, on both stores
	INTERLOCK_HISTORIES=$(or $(HISTORIES),400) $(BIN)/python -m pytest -q -m slow tests/test_histories.py

bench: $(READY)  ## the table of figures
	$(BIN)/python bench/spine.py
	$(BIN)/python bench/switch.py
	$(BIN)/python bench/parked.py
	$(BIN)/python bench/ledger.py
	$(BIN)/python bench/http_api.py
	$(BIN)/python bench/million.py --entries 10000
	$(BIN)/python bench/functions.py
	PYTHONPATH=src $(BIN)/python bench/policy.py
	PYTHONPATH=src:tests $(BIN)/python bench/mcp_upstream.py
	$(BIN)/python bench/mcp_door.py
	$(BIN)/python bench/mcp_pipe.py

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(FRAMEWORKS) build dist .pytest_cache .ruff_cache
