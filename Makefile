# Everything runs in .venv, which `make install` fills and `make demo` fills with the package alone. PYTHON makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCENARIO ?= scenarios/quickstart.json

.PHONY: install demo test test-live test-slow test-moto test-sdk test-lowest lint docs pictures bench release-check clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(VENV)/.demo $@

# What the demo needs, charts included: half of the packages that the tests want, and none of them large.
$(VENV)/.demo: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[report]'
	touch $@

demo: $(VENV)/.demo
	$(BIN)/loadtest run $(SCENARIO)

test: install
	$(BIN)/python -m pytest -m "not slow and not live" -n 4 --dist worksteal

# Whole runs in several processes, pages in a browser (chromium and chromedriver), terminals: minutes.
test-live: install
	$(BIN)/python -m pytest -m "live and not slow" -n 6 --dist worksteal

test-slow: install
	$(BIN)/python -m pytest -m slow

# The emulator on the oldest moto that pyproject.toml allows, laid over the one that is installed.
MOTO := $(shell sed -n 's/.*moto\[server\]>=\([0-9.]*\).*/\1/p' pyproject.toml)
test-moto: install
	test -d .cache/moto-$(MOTO)/moto || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--target .cache/moto-$(MOTO) moto==$(MOTO)
	PYTHONPATH=$(CURDIR)/.cache/moto-$(MOTO) $(BIN)/python -m pytest -m "not slow and not live" tests/emulator

# The SageMaker Python SDKs want other packages than we do: each gets an environment of its own. SDK 3 and the
# sagemaker-core that it brings take 1 GB.
test-sdk: install
	test -x .cache/sdk/bin/python || $(PYTHON) -m venv .cache/sdk
	.cache/sdk/bin/python -m pip install --quiet --disable-pip-version-check 'sagemaker<3'
	test -x .cache/sdk3/bin/python || $(PYTHON) -m venv .cache/sdk3
	.cache/sdk3/bin/python -m pip install --quiet --disable-pip-version-check 'sagemaker>=3,<4'
	LOADTEST_SDK_PYTHON=$(CURDIR)/.cache/sdk/bin/python LOADTEST_SDK3_PYTHON=$(CURDIR)/.cache/sdk3/bin/python \
		$(BIN)/python -m pytest -m slow tests/emulator/sdk

# With the oldest versions of the core and the extras that pyproject.toml allows, as uv resolves them; the AWS CLI and the
# SDKs want newer ones, so their tests are left out. LOWEST_PYTHON: one that those versions have wheels for.
LOWEST_PYTHON ?= python3.11
test-lowest:
	test -x .cache/lowest/bin/python || $(LOWEST_PYTHON) -m venv .cache/lowest
	.cache/lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.cache/lowest/bin/uv pip install --quiet --python .cache/lowest/bin/python --resolution lowest-direct \
		--editable '.[emulator,otel,prometheus,report]' 'hypothesis>=6.120' 'pyte>=0.8.2' 'pytest>=8.3' \
		'pytest-xdist>=3.6' 'selenium>=4.27'
	.cache/lowest/bin/python -m pytest -m "not slow and not live" -n 4 --dist worksteal

# All of a release but the upload, which is: twine upload dist/*
release-check: install
	$(BIN)/python tools/release.py
	$(MAKE) lint test test-live docs test-slow test-lowest
	test -x .cache/release/bin/python || $(PYTHON) -m venv .cache/release
	.cache/release/bin/python -m pip install --quiet --disable-pip-version-check build twine
	rm -rf dist
	.cache/release/bin/python -m build
	.cache/release/bin/python -m twine check --strict dist/*

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Into .cache/site; a broken link or anchor, or a page that the navigation does not know, is an error.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Those of the docs, from runs of the demo: four minutes, and a chromium.
pictures: install
	$(BIN)/python tools/pictures.py

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist runs *.egg-info
