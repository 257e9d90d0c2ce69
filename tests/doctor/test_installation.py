"""Parts that are installed, and a run of a second."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from topics import by_topic

import loadtest.doctor.installation as installation
from loadtest.errors import EngineError


def test_parts_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["click>=8", "no-such-core>=1", "no-such-extra; extra == 'emulator'", "ruff; extra == 'dev'"]
    monkeypatch.setattr(installation, "requires", lambda _: wanted)
    extras = SimpleNamespace(get_all=lambda _: ["emulator", "dev", "empty"])
    monkeypatch.setattr(installation, "metadata", lambda _: extras)
    found = by_topic(installation.parts())
    assert list(found) == ["Packages", "Part emulator", "Part empty"]
    assert (found["Packages"].state, found["Packages"].found) == ("bad", "not installed: no-such-core")
    assert found["Part emulator"].state == "note"
    assert found["Part emulator"].advice == "pip install 'loadtest[emulator]'"
    assert found["Part empty"].state == "good"


def test_parts_of_a_checkout_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise installation.PackageNotFoundError(name)

    monkeypatch.setattr(installation, "requires", absent)
    assert [finding.state for finding in installation.parts()] == ["note"]


def test_a_run_of_a_second() -> None:
    assert installation.engine().state == "good"


@pytest.mark.parametrize("problem", [EngineError("the generator ended\nwith this"), OSError("no more processes")])
def test_a_run_that_cannot_be(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(installation.api, "run", fail)
    finding = installation.engine()
    assert finding.state == "bad"
    assert finding.advice
