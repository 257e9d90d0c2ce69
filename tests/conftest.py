"""What holds for every test: fewer generated examples than Hypothesis would make, signals that are heard, and a
patched process for what patches one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from patched import PatchedFile, is_patched

# The whole suite stays a matter of minutes; a test may ask for more.
settings.register_profile("short", max_examples=40, deadline=None)
settings.load_profile("short")

# A shell starts what it runs in the background with signals ignored, children inherit it, and `loadtest` heeds it.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
for _number in SIGNALS:
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    """A run that a signal ended keeps its handlers for one more, which would be the next test's."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture
def no_aws_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No AWS and no proxy but what a test puts into the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Files of tests for a patched process are read, not imported; None: pytest's own way."""
    return PatchedFile.from_parent(parent, path=module_path) if is_patched(module_path) else None
