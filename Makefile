# Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check lint types readme readme-check samples published fuzz bench bench-gpu clean

demo: $(READY)  ## Inspect a sample: the whole job on one screen
	$(BIN)/rnndiag inspect samples/recall_chrono.pt --probe samples/recall_chrono.probe.npz

test: $(READY)  ## Run the tests
	$(BIN)/python -m pytest -n 2

check: lint types readme-check test  ## All that must be green before a change lands

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

readme: $(READY)  ## Write the generated parts of the README again
	$(BIN)/cog -r README.md

readme-check: $(READY)
	$(BIN)/cog --check README.md

samples: $(READY)  ## Train the samples again (minutes)
	$(BIN)/python samples/train.py

published: $(READY)  ## Fetch the published checkpoints and write the reports on them again (minutes)
	$(BIN)/python -m tests.published.fetch build/published
	$(BIN)/python -m tests.published.write_reports build/published

# How many mutated files, and how many processes; a run that is ended goes on where it was.
CASES ?= 20000
JOBS ?= 2

fuzz: $(READY)  ## Mutated files of every format: each has to be reported or refused (half an hour)
	nice $(BIN)/python -m tests.fuzz --cases $(CASES) --jobs $(JOBS)

# Rows by name, and whether to keep them: make bench BENCH="--only start_up sweep --write"
BENCH ?= --write

bench: $(READY)  ## Measure speed and memory side by side, and keep the table (half an hour)
	$(BIN)/python -m tests.benchmarks $(BENCH)

bench-gpu:  ## The same on a GPU, with whatever Python has torch: no environment is made
	$(PYTHON) -m tests.benchmarks.gpu

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
