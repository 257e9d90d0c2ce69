# Everything runs in .venv, which `make install` creates. PYTHON picks the interpreter that makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCENARIO ?= scenarios/quickstart.json

.PHONY: install demo test test-slow test-moto test-sdk lint bench clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/loadtest run $(SCENARIO)

test: install
	$(BIN)/python -m pytest -m "not slow" -n 4 --dist worksteal

test-slow: install
	$(BIN)/python -m pytest -m slow

# The emulator on the oldest moto that pyproject.toml allows, laid over the one that is installed.
MOTO := $(shell sed -n 's/.*moto\[server\]>=\([0-9.]*\).*/\1/p' pyproject.toml)
test-moto: install
	test -d .cache/moto-$(MOTO)/moto || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--target .cache/moto-$(MOTO) moto==$(MOTO)
	PYTHONPATH=$(CURDIR)/.cache/moto-$(MOTO) $(BIN)/python -m pytest -m "not slow" tests/emulator

# The SageMaker Python SDKs want other packages than we do: each gets an environment of its own. SDK 3 and the
# sagemaker-core that it brings take 1 GB.
test-sdk: install
	test -x .cache/sdk/bin/python || $(PYTHON) -m venv .cache/sdk
	.cache/sdk/bin/python -m pip install --quiet --disable-pip-version-check 'sagemaker<3'
	test -x .cache/sdk3/bin/python || $(PYTHON) -m venv .cache/sdk3
	.cache/sdk3/bin/python -m pip install --quiet --disable-pip-version-check 'sagemaker>=3,<4'
	LOADTEST_SDK_PYTHON=$(CURDIR)/.cache/sdk/bin/python LOADTEST_SDK3_PYTHON=$(CURDIR)/.cache/sdk3/bin/python \
		$(BIN)/python -m pytest -m slow tests/emulator/sdk

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist runs *.egg-info
