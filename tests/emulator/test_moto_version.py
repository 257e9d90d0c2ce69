"""The oldest moto that is good enough: one number in the code, in the package's metadata and in the tests' target."""

from __future__ import annotations

import importlib.metadata
import logging
import re
from pathlib import Path

import pytest

from loadtest.emulator.fallback import MOTO_OLDEST, moto_is_installed

ROOT = Path(__file__).parents[2]


def test_the_declared_minimum() -> None:
    declared = re.search(r'"moto\[server\]>=([0-9.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert declared is not None
    assert declared[1] == ".".join(map(str, MOTO_OLDEST))
    assert "moto==$(MOTO)" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize(
    ("version", "warned"),
    [("5.1.0", True), ("5.2.4", True), ("5.2.5", False), ("5.2.10", False), ("6.0.0.dev1", False)],
)
def test_an_older_one_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, version: str, warned: bool
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    with caplog.at_level(logging.WARNING):
        assert moto_is_installed()
    assert (f"moto {version} answers some requests with errors" in caplog.text) == warned
