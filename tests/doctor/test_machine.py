"""What the doctor finds on this machine, and what it would find on others."""

from __future__ import annotations

import select
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from topics import by_topic

import loadtest.doctor.machine as machine


def test_this_machine_can_run() -> None:
    found = by_topic(machine.machine())
    assert len(found) == 7
    assert not [finding for finding in found.values() if finding.state == "bad"]
    if sys.platform == "linux":
        assert found["Kernel timestamps"].state == found["Readiness"].state == "good"


def test_what_is_missing_elsewhere_is_said_with_what_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(select, "epoll", raising=False)
    kernel = machine.KernelFiles(scheduler=(Path("/nowhere/schedstat"),))
    found = by_topic(machine.machine(kernel))
    for topic, word in (
        ("Kernel timestamps", "own clock"),
        ("Readiness", "calibrate"),
        ("Waiting for a core", "loop"),
    ):
        assert found[topic].state == "note"
        assert word in found[topic].advice


@pytest.mark.parametrize(
    ("name", "text", "topic", "state"),
    [
        ("clock", "hpet\n", "Clock", "note"),
        ("clock", "tsc\n", "Clock", "good"),
        ("clock", None, "Clock", "good"),
        ("quota", "50000 100000\n", "Cores", "note"),
        ("quota", "max 100000\n", "Cores", "good"),
        ("quota", "", "Cores", "good"),
        ("quota", None, "Cores", "good"),
    ],
)
def test_files_of_the_kernel(name: str, text: str | None, topic: str, state: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    finding = by_topic(machine.machine(machine.KernelFiles(**{name: path})))[topic]
    assert finding.state == state
    assert (finding.advice == "") == (state == "good")


@pytest.mark.parametrize(("hard", "state"), [(100, "bad"), (4096, "note"), (65536, "good"), (-1, "good")])
def test_open_files(hard: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (min(hard, 1024), hard))
    assert by_topic(machine.machine())["Open files"].state == state


@pytest.mark.parametrize(
    ("version", "name", "state"),
    [((3, 10, 9), "cpython", "bad"), ((3, 11, 0), "cpython", "good"), ((3, 11, 0), "pypy", "bad")],
)
def test_interpreters(version: tuple[int, ...], name: str, state: str) -> None:
    fake = SimpleNamespace(version_info=version, implementation=SimpleNamespace(name=name), executable="python")
    assert machine.python(fake).state == state
    fake._is_gil_enabled = lambda: False  # what sys calls it
    assert machine.python(fake).state == ("note" if state == "good" else state)
