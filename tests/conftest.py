"""What holds for every test: fewer generated examples than Hypothesis would make, signals that are heard, and a
patched process for what patches one."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings
from patched import PatchedFile, is_patched

# The whole suite stays a matter of minutes; a test may ask for more.
settings.register_profile("short", max_examples=40, deadline=None)
settings.load_profile("short")

# A shell starts what it runs in the background with signals ignored, children inherit it, and `loadtest` heeds it.
for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Files of tests for a patched process are read, not imported; None: pytest's own way."""
    return PatchedFile.from_parent(parent, path=module_path) if is_patched(module_path) else None
