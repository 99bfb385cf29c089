# Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check lint types readme readme-check samples published fuzz clean

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

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
