# Everything runs from .venv, which each target makes by itself on first use.
# PYTHON chooses the interpreter; any but python3 gets a venv of its own name: make test PYTHON=python3.12

PYTHON ?= python3
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin

.PHONY: demo test install suite check test-slow lint format docs bench clean

# Train a VRRAE on handwritten digits and leave pictures and a report in runs/demo.
demo: $(VENV)/installed
	$(BIN)/fastrrae train digits --out runs/demo --overwrite
	@echo "The test error depends on the processor and its cores: 15.9 to 17.9 % were seen."

# Style, types, and all tests but the slow ones.
test: lint suite

# Under a minute, while editing: style, types, and the tests of structure, configuration and loss terms.
check: lint
	$(BIN)/pytest -q tests/test_structure.py tests/test_config.py tests/objectives tests/metrics

# The environment with everything that checks and tests need.
install: $(VENV)/installed-dev

# The tests of `make test` alone, or some of them: make suite TESTS=tests/kernels
suite: $(VENV)/installed-dev
	$(BIN)/pytest -m "not slow" -n auto --dist worksteal $(TESTS)

test-slow: lint
	$(BIN)/pytest -n auto --dist worksteal

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site, in site/: tutorials run in a Jupyter kernel, and those that have not changed are not run again.
docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -b html -W --keep-going docs site

# All benchmarks; peers that are not installed are left out, and the TPU programs where there is no libtpu.
bench: $(VENV)/installed
	$(BIN)/python bench/svd.py
	$(BIN)/python bench/large_svd.py
	$(BIN)/python bench/gpu.py --large
	$(BIN)/python bench/gradients.py
	$(BIN)/python bench/train_step.py
	$(BIN)/python bench/data.py
	$(BIN)/python bench/surrogates.py
	$(BIN)/python bench/pythae_peer.py
	JAX_PLATFORMS=cpu $(BIN)/python bench/loop_counts.py
	JAX_PLATFORMS=cpu $(BIN)/python bench/aot.py

clean:
	rm -rf $(VENV) build dist site .jupyter_cache jupyter_execute .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@ $(VENV)/installed

$(VENV)/installed-docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	touch $@ $(VENV)/installed
