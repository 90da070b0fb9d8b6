# From a bare clone: `make evolve` and `make test` make the environment first, once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.evo-snn-installed

.PHONY: evolve test test-long lint bench install
.DEFAULT_GOAL := evolve

# The search of runs/digits.toml, into a folder of its own.
evolve: $(STAMP)
	$(BIN)/evo-snn evolve runs/digits.toml --out runs/out/digits-$$(date +%Y%m%d-%H%M%S)

# The whole suite, and the notebooks from their first cell to their last.
test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile \
		--nbmake tests analysis/notebooks

# Random genomes of every space by the thousand, and networks of them by the fifty.
test-long: $(STAMP)
	EVO_SNN_LONG=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 \
		tests/evo_snn/snn/test_every_decision.py tests/genomes/test_cell.py \
		tests/genomes/test_blocks.py tests/genomes/test_spikenas_bench.py \
		tests/genomes/test_weight_genes.py tests/evo_snn/snn/test_nodes.py \
		tests/evo_snn/testing/test_space_contract.py tests/evo_snn/test_inheritance.py \
		tests/evo_snn/snn/test_cases.py tests/evo_snn/snn/test_deployment.py \
		tests/evo_snn/snn/test_network.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Speeds on this machine, as tables and as runs/out/*.json: training beside other libraries (those of
# the extra bench, where they are installed), a candidate's fixed cost, candidates an hour, memory of a
# worker (IMAGES=FILE.npz for its peak on 32 x 32 images), costs; whether a long search slows down; what
# accuracy on a chip costs. Nothing else should run meanwhile.
bench: $(STAMP)
	$(BIN)/python runs/benchmarks/training_speed.py
	$(BIN)/python runs/benchmarks/candidate_cost.py
	$(BIN)/python runs/benchmarks/throughput.py
	$(BIN)/python runs/benchmarks/memory.py $(if $(IMAGES),--data $(IMAGES))
	$(BIN)/python runs/benchmarks/bench.py --out runs/out/bench.json
	$(BIN)/python runs/benchmarks/long_run.py
	$(BIN)/python runs/benchmarks/on_chip_metric.py --out runs/out/on_chip_metric.json

install: $(STAMP)

$(STAMP): requirements.txt setup.py pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	touch $@
