# `make fit` and `make test` set up everything on a fresh machine with Python 3.11 or newer.
# PYTHON=python3.12 make fit uses another interpreter; ARGS="..." adds options to fit.
PYTHON ?= python3
ARGS ?=
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: fit test slow test-oldest faults check docs clean

fit: .venv/installed
	.venv/bin/python -m fractalgan fit $(ARGS)

test: .venv/installed-test
	.venv/bin/python -m pytest -n 2 --dist worksteal

slow: .venv/installed-test
	.venv/bin/python -m pytest -m slow

# The tests with the oldest versions that pyproject.toml allows, in a separate environment.
test-oldest: .venv-oldest/installed
	.venv-oldest/bin/python -m pytest -n 2 --dist worksteal

faults: .venv/installed-test
	.venv/bin/python -m tests.faults

check: .venv/installed-test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -n 2 --dist worksteal

# The site, with its notebooks executed; a warning is an error.
docs: .venv/installed-docs
	.venv/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

clean:
	rm -rf .venv .venv-oldest docs/_build

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fractalgan needs Python 3.11 or newer: PYTHON=python3.12 make ..."; exit 1; }
	@echo "creating .venv and installing torch and other packages: about 6 GB, takes some minutes, once"
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

.venv/installed-test: .venv/installed
	$(PIP) -e '.[test]'
	@touch $@

.venv/installed-docs: .venv/installed
	$(PIP) -e '.[docs]'
	@touch $@

.venv-oldest/installed: pyproject.toml tests/oldest.py
	$(PYTHON) -m venv .venv-oldest
	$(PYTHON) tests/oldest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet -c .venv-oldest/constraints.txt -e '.[test]'
	@touch $@
