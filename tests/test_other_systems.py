"""A system without what Linux alone has, as macOS is: no epoll, no timestamps of the kernel, no timerfd, no figures of the
scheduler. All of it is taken away from real processes here, and whole runs go through.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

# Of modules that ask for their system when they are used, the answer is changed; `sys` itself is left to the others.
TAKEN_AWAY = """
import importlib.abc, importlib.util, os, select, sys
from types import SimpleNamespace

del select.epoll
if hasattr(os, "sched_getaffinity"):
    del os.sched_getaffinity


def elsewhere(module):
    module.sys = SimpleNamespace(platform="darwin")


def no_scheduler(module):
    opened = module._File
    module._File = lambda path: opened("/nowhere" + path)


def untold(module):
    kernel = module.KernelFiles(scheduler=(module.Path("/nowhere/schedstat"),))
    module.machine.__defaults__ = (kernel,)


CHANGES = {
    "loadtest.targets.http.timestamps": elsewhere,
    "loadtest.engine.generator.timer": elsewhere,
    "loadtest.engine.generator.probe": no_scheduler,
    "loadtest.doctor.machine": untold,
}


class Changed(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        change = CHANGES.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            change(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Changed())
"""
RUN = [
    "run",
    "--target",
    "mock:servers=4,service_ms=5",
    "--p95",
    "500ms",
    "--output-dir",
    "out",
    "--quiet",
    "--window",
    "500ms",
]


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Environment of a Python, and of those that it starts, on such a system."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(TAKEN_AWAY)
    return {**os.environ, "PYTHONPATH": str(tmp_path / "site")}


def _loadtest(environment: dict[str, str], folder: Path, *words: str) -> str:
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.append({str(ROOT)!r}); from loadtest.cli import main; main()",
    ]
    done = subprocess.run([*command, *words], env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_doctor_says_what_takes_its_place(elsewhere: dict[str, str], tmp_path: Path) -> None:
    findings = {
        each["topic"]: each for each in json.loads(_loadtest(elsewhere, tmp_path, "doctor", "--no-run", "--json"))
    }
    for topic in ("Kernel timestamps", "Readiness", "Waiting for a core"):
        assert findings[topic]["state"] == "note"
        assert findings[topic]["advice"]


@pytest.mark.live
@pytest.mark.parametrize(
    "traffic",
    [("--stairs", "2x2/2s"), ("--rate", "50/s", "--duration", "2s"), ("--stairs", "2x1/2s", "--workers", "2")],
    ids=["users", "rate", "workers"],
)
def test_a_run_goes_through(traffic: tuple[str, ...], elsewhere: dict[str, str], tmp_path: Path) -> None:
    _loadtest(elsewhere, tmp_path, *RUN, *traffic)
    windows = [json.loads(line) for line in (tmp_path / "out/windows.jsonl").read_text().splitlines()]
    done = sum(window["ok"] for window in windows)
    assert done > 20
    assert sum(window["user_clock"] for window in windows) == done, "every time is the process' own"
    assert not [window for window in windows if window["errors"]]
