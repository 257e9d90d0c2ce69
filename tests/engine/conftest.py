from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from engine_kit import descendants, gone


@pytest.fixture
def no_orphans() -> Iterator[None]:
    """Fails if the test leaves a process behind."""
    before = descendants(os.getpid())
    yield
    assert gone(descendants(os.getpid()) - before, 10)
