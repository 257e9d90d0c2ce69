"""Facts about this machine that go into every result: none of them says who uses it."""

from __future__ import annotations

import getpass
import json
import platform
from importlib.metadata import PackageNotFoundError

import pytest

from loadtest.engine.parent import environment as module
from loadtest.engine.parent.environment import PACKAGES, environment
from loadtest.version import VERSION


def test_what_is_told_and_what_is_not() -> None:
    facts = environment()
    assert set(facts) == {"loadtest", "python", "system", "machine", "processor", "cores", *PACKAGES}
    assert (facts["loadtest"], facts["python"]) == (VERSION, platform.python_version())
    assert isinstance(facts["cores"], int)
    assert facts["cores"] >= 1
    text = json.dumps(facts)
    assert platform.node() not in text or len(platform.node()) < 4
    assert getpass.getuser() not in text or len(getpass.getuser()) < 5


def test_a_package_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", absent)
    assert {environment()[package] for package in PACKAGES} == {"not installed"}
