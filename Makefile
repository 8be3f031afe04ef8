# make install | demo | test | lint
# THREADS bounds the processor threads of the demo and the tests.
PYTHON ?= python3.11
THREADS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export OMP_NUM_THREADS = $(THREADS)

.PHONY: install demo test lint clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[pretrained,train,dev]'
	touch $@

demo: install
	$(BIN)/ddrscope analyze --out demo --overwrite

test: install lint
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check src tests tools
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build dist
