# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 and a C compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(wildcard pulsaurora/_core/*.pyx pulsaurora/_core/*.pxd pulsaurora/_core/*.h) setup.py pyproject.toml requirements.txt

.PHONY: demo test bench asan fuzz fuzz-kernels docs model model-from-labels refinement refinement-simulated compare sensitivity judge lint clean

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

# Whole files are shared out over two processes: what a file's tests have in common is made once.
test: $(BIN)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Peers that are only timed against; without a registry the others are measured all the same.
$(BIN)/.installed-peers: $(BIN)/.installed-test benchmarks/peers.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers.txt && \
		touch $@ || echo "peers cannot be installed: what needs them is skipped" >&2

# One table of ratios beside the kept ones; `make bench KEEP=1` keeps this run's. One kind:
# make bench ONLY=test_footprint.py
ONLY ?=
bench: $(BIN)/.installed-peers
	$(BIN)/python -m pytest $(addprefix benchmarks/,$(or $(ONLY),.)) -o addopts= -s -rs --benchmark-columns=min,median,rounds \
		$(if $(KEEP),--keep)

# Kernels under address and undefined-behaviour sanitizers, on mutated files and files that end at every byte.
asan: $(BIN)/.installed-test
	$(BIN)/python tests/sanitize.py

# Every reader on files spoiled by the thousand: SECONDS for each format; what is found goes to logs/fuzz.
SECONDS ?= 60
fuzz: $(BIN)/.installed-test
	$(BIN)/python tests/fuzz.py --seconds $(SECONDS)

# The kernel that takes a file's bytes, led by coverage, under sanitizers; needs clang with libFuzzer, and says so.
# make fuzz-kernels PLANTED=1 shows that faults put into it are found.
fuzz-kernels: $(BIN)/.installed-test
	$(BIN)/python tests/fuzzkernels.py --seconds $(SECONDS) $(if $(PLANTED),--planted)

docs: $(BIN)/.installed
	$(BIN)/python -m pulsaurora.pulsation.features > docs/features.md
	$(BIN)/python -m pulsaurora.simulation > docs/simulation.md

model: $(BIN)/.installed-test
	$(BIN)/pulsaurora train --simulated --out pulsaurora/models/features.onnx

# From human labels and the archive's files: make model-from-labels LABELS=workbook.xlsx STREAM0=folder
MODEL ?= data/models/features.onnx
model-from-labels: $(BIN)/.installed-test
	$(BIN)/pulsaurora train --labels "$(LABELS)" --stream0 "$(STREAM0)" --out "$(MODEL)"

# From human labels and the files they judge: make refinement LABELS=workbook.xlsx CLASSIFICATIONS=folder
refinement: $(BIN)/.installed-test
	$(BIN)/python -m pulsaurora.cli.train_refinement --labels "$(LABELS)" \
		--classifications "$(CLASSIFICATIONS)" --out pulsaurora/models/refine_reference.onnx

# The same for the embedded features model, from simulated nights whose truth is known. Images of one night at
# a time stay on the disk, 170 MB an hour. Do it after `make model`: a refinement belongs to one model.
SEEDS ?= $(shell seq 2001 2060)
MINUTES ?= 240
SIMULATED ?= data/refinement
refinement-simulated: $(BIN)/.installed-test
	mkdir -p $(SIMULATED)/truth
	for seed in $(SEEDS); do \
		rm -rf $(SIMULATED)/stream0 && \
		$(BIN)/pulsaurora simulate $(SIMULATED)/stream0 --seed $$seed --minutes $(MINUTES) && \
		$(BIN)/pulsaurora classify 2005-01-01 2026-12-31 --stream0 $(SIMULATED)/stream0 \
			--out $(SIMULATED)/classifications && \
		mv $(SIMULATED)/stream0/truth/*.csv $(SIMULATED)/truth/ || exit 1; \
	done
	rm -rf $(SIMULATED)/stream0
	$(BIN)/python -m pulsaurora.cli.train_refinement --truth $(SIMULATED)/truth \
		--classifications $(SIMULATED)/classifications --evidence probabilities \
		--out pulsaurora/models/refine_features.onnx

# Whether features carry over to real frames:
# make compare STREAM0=folder LABEL=bad_viewing ALIKE=overcast,overcast_moon
STREAM0 ?= data/stream0
compare: $(BIN)/.installed-test
	$(BIN)/pulsaurora compare-features --stream0 "$(STREAM0)" $(if $(LABEL),--label $(LABEL)) \
		$(if $(ALIKE),--alike $(ALIKE))

# What the embedded model does beyond the sites left out, into its card; some ten minutes.
judge: $(BIN)/.installed-test
	$(BIN)/python tests/judge_embedded.py --card pulsaurora/models/features.md $(if $(TOOK),--trained-in "$(TOOK)")

# What pulsation the embedded model finds, into its card; in simulated skies, and in the real frames of
# STREAM0 where that folder is there.
sensitivity: $(BIN)/.installed-test
	$(BIN)/pulsaurora sensitivity $(if $(wildcard $(STREAM0)),--stream0 "$(STREAM0)") \
		--card pulsaurora/models/features.md --picture docs/sensitivity.png

lint:
	$(BIN)/python -m pip install --quiet ruff && $(BIN)/ruff check .

clean:
	rm -rf build dist *.egg-info pulsaurora/_core/*.c pulsaurora/_core/*.so $(VENV)
