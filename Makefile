# make compare: environment and the main comparison; make test: environment and the tests; make lint; make bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KERNELS := $(wildcard cext/*.pyx cext/*.pxd cext/*.h)

.PHONY: compare test lint bench clean

compare: $(VENV)/installed
	$(BIN)/aifabric compare

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -q -n auto

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint cext

bench: $(VENV)/installed-test
	$(BIN)/python -m benchmarks

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "no virtual environment: on Debian, apt-get install python3-venv python3-dev" >&2; exit 1; }

$(VENV)/installed: pyproject.toml setup.py $(KERNELS) | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-test: pyproject.toml setup.py $(KERNELS) | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test,lint]'
	@touch $(VENV)/installed $@

clean:
	rm -rf $(VENV) build *.egg-info cext/*.c cext/*.so
