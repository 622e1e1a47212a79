# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 and a C compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(wildcard pulsaurora/_core/*.pyx pulsaurora/_core/*.h) setup.py pyproject.toml requirements.txt

.PHONY: demo test bench asan docs model refinement lint clean

# Versions that are known to work together come from requirements.txt, used as constraints.
$(BIN)/.installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e .
	touch $@

$(BIN)/.installed-test: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.txt -e .[test]
	touch $@ $(BIN)/.installed

demo: $(BIN)/.installed
	$(BIN)/pulsaurora demo

test: $(BIN)/.installed-test
	$(BIN)/python -m pytest

bench: $(BIN)/.installed-test
	$(BIN)/python -m pytest benchmarks -o addopts= -s --benchmark-group-by=group

# Kernels under address and undefined-behaviour sanitizers, on mutated files.
asan: $(BIN)/.installed-test
	$(BIN)/python tests/sanitize.py

docs: $(BIN)/.installed
	$(BIN)/python -m pulsaurora.pulsation.features > docs/features.md
	$(BIN)/python -m pulsaurora.simulation > docs/simulation.md

model: $(BIN)/.installed-test
	$(BIN)/pulsaurora train --simulated --out pulsaurora/models/features.onnx

# From human labels and the files they judge: make refinement LABELS=workbook.xlsx CLASSIFICATIONS=folder
refinement: $(BIN)/.installed-test
	$(BIN)/python -m pulsaurora.classification.refine_training --labels "$(LABELS)" \
		--classifications "$(CLASSIFICATIONS)" --out pulsaurora/models/refine_reference.onnx

lint:
	$(BIN)/python -m pip install --quiet ruff && $(BIN)/ruff check .

clean:
	rm -rf build dist *.egg-info pulsaurora/_core/*.c pulsaurora/_core/*.so $(VENV)
