"""Generators get AWS keys only if what they load is signed: read from the environment of real processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.parent.process import GeneratorProcess
from loadtest.engine.parent.processes import RunProcesses

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDNEVERSHOWN",
    "AWS_SECRET_ACCESS_KEY": "secret-never-shown",
    "AWS_SESSION_TOKEN": "session-never-shown",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-never-shown",
}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def _seen(child: GeneratorProcess) -> str:
    place = Path("/proc", str(child.pid))
    return (place / "environ").read_bytes().decode() + (place / "cmdline").read_bytes().decode()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("ref", "inherits"),
    [("http://127.0.0.1:9/invocations", False), ("null:", False), ("mock:", False), ("sagemaker:e", True)],
)
def test_only_what_signs_gets_keys(ref: str, inherits: bool) -> None:
    processes = RunProcesses({}, None)
    try:
        seen = _seen(processes.open(Plan(TrafficCurve((Step(0.0, 1),), 1.0), StopConditions(), TargetRef(ref))))
        assert [value for value in KEYS.values() if (value in seen) is not inherits] == []
    finally:
        processes.kill()
        processes.close()
