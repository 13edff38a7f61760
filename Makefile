# Every target puts .venv/bin first on PATH, because DVC runs the steps with the `python` that it finds there.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Without compiled modules, each of the many Python processes of a run would compile the code again.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
INSTALLED := .venv/.installed
RAY_INSTALLED := .venv/.installed-ray
UV := $(shell grep -o '^uv==[0-9.]*' requirements.txt)

.DEFAULT_GOAL := help
.PHONY: help setup repro notebooks test test-slow bench bench-train lint lock

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## Create .venv with the pinned packages

# uv installs in a tenth of pip's time. Where it fails, as with an index that only pip's own settings name, pip does it.
# What is not compiled here, on all cores, many processes of the first run would compile at once.
$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("make setup: expected Python 3.11 to 3.13, got %d.%d; name one as PYTHON=python3.12." % v)'
	$(PYTHON) -m venv .venv
	python -m pip install --quiet $(UV)
	uv pip install --quiet --compile-bytecode -r requirements.txt || python -m pip install --quiet -r requirements.txt
	touch $@

repro: setup  ## Run the pipeline, then show the networks side by side
	python -m stages.doctor
	dvc repro
	@echo
	@cat metrics/summary.md

notebooks: setup  ## Execute the notebooks again, on the pipeline's results
	pytest --nbmake --overwrite notebooks/*.ipynb
	python .ci/tidy_notebooks.py notebooks/*.ipynb

test: setup  ## Test all but what takes long (budget: 3 minutes)
	pytest -n 3 --dist worksteal -m "not slow"

test-slow: setup $(RAY_INSTALLED)  ## Test what takes long: full trainings, whole pipelines, a browser (budget: 15 minutes)
	pytest -n 3 --dist loadfile --no-loadscope-reorder -m slow

$(RAY_INSTALLED): $(INSTALLED) requirements-ray.txt
	uv pip install --quiet --compile-bytecode -r requirements-ray.txt \
		|| python -m pip install --quiet -r requirements-ray.txt
	touch $@

bench: setup .venv-peers/.installed  ## Compare clean, its hashes and its search with other tools (1 hour)
	python -m benchmarks.duplicates
	python -m benchmarks.duplicates --camera --images 300
	python -m benchmarks.hashing
	python -m benchmarks.pairing

bench-train: setup  ## Compare training steps with plain Keras and with matrix products (20 minutes)
	python -m benchmarks.training

.venv-peers/.installed: benchmarks/requirements-peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --no-deps -r $<
	touch $@

lint: setup  ## Check style, types and which way imports point
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache

# Not after setup, which a lock that cannot be installed would stop.
lock:  ## Compile requirements.in into requirements.txt, and requirements-ray.in likewise
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	python -m pip install --quiet $(UV)
	uv pip compile --quiet --universal --python-version 3.11 requirements.in --output-file requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 requirements-ray.in --output-file requirements-ray.txt
