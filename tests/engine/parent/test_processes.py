"""Generators get AWS keys only if what they load is signed, and by their stdin: no environment of a process has them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

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
    for name, value in {**KEYS, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody is there


def _seen(child: GeneratorProcess) -> str:
    place = Path("/proc", str(child.pid))
    while not (environ := (place / "environ").read_bytes()):  # it is empty while the kernel lays the program out
        time.sleep(0.01)
    return environ.decode() + (place / "cmdline").read_bytes().decode()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("ref", "inherits"),
    [("http://127.0.0.1:9/invocations", False), ("null:", False), ("mock:", False), ("sagemaker:e", True)],
)
def test_only_what_signs_gets_keys(ref: str, inherits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    processes, told, send = RunProcesses({}, None), dict[str, str](), GeneratorProcess.send

    def heard(child: GeneratorProcess, kind: str, **members: Any) -> None:
        told.update(members.get("values", {}))
        send(child, kind, **members)

    monkeypatch.setattr(GeneratorProcess, "send", heard)
    try:
        seen = _seen(processes.open(Plan(TrafficCurve((Step(0.0, 1),), 60.0), StopConditions(), TargetRef(ref))))
        assert "LOADTEST_KEYS_FOLLOW" in seen
        assert [value for value in KEYS.values() if value in seen] == []
        assert [name for name, value in KEYS.items() if (told.get(name) == value) is not inherits] == []
    finally:
        processes.kill()
        processes.close()
