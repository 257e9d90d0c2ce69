"""A search that does not come to its end by itself: Ctrl-C, SIGTERM, a worker that is lost, all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import descendants, plan_of
from siblings import siblings

import loadtest
from loadtest.core.judge.course import sailed
from loadtest.core.judge.decision import Reason
from loadtest.core.measure.window import Window
from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.result.exit_code import exit_code
from loadtest.core.traffic.plan import Plan, search_plan
from loadtest.engine.parent.spawn import Run, start

pytestmark = pytest.mark.live
SEARCH = ["capacity", "mock:servers=4,service_ms=20", "--threshold", "p95<60ms", "--budget", "5m", "--no-report"]


def lines_of(folder: Path) -> int:
    found = folder.with_name(folder.name + ".partial") / "windows.jsonl"
    return len(found.read_text().splitlines()) if found.exists() else 0


def until(good: Callable[[], object], limit_s: float = 90.0) -> None:
    """Generous: the machine may be busy."""
    end_s = time.monotonic() + limit_s
    while not good():
        assert time.monotonic() < end_s
        time.sleep(0.05)


@pytest.mark.parametrize("how", siblings([signal.SIGINT, signal.SIGTERM]))
def test_a_search_that_is_stopped_keeps_what_it_knows(tmp_path: Path, how: signal.Signals) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "loadtest", *SEARCH, "--quiet", "--output-dir", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        until(lambda: lines_of(out) >= 6 or run.poll() is not None)
        run.send_signal(how)
        text, _ = run.communicate(timeout=90)
    assert run.returncode == 130
    summary = json.loads((out / "summary.json").read_text())
    found = summary["capacity"]
    assert (summary["reason"], found["finding"], found["load"]) == ("USER", "searching", None)
    assert found["requests"] > 0
    assert "stopped on request before the interval was as narrow as was asked for" in " ".join(text.split())
    assert not list(tmp_path.glob("*.partial"))
    again = loadtest.load(out)
    assert again.capacity is not None
    assert again.capacity.to_dict() == found
    assert exit_code(again, gate=True, strict=True) == 130


def searching(workers: int) -> Plan:
    asked = SearchSettings((Objective(0.95, 60.0),), budget_s=40.0, max_load=60.0)
    return replace(search_plan(plan_of((0.0, 1), end_s=1.0), asked), workers=workers)


def watched(plan: Plan) -> tuple[Run, list[int]]:
    """A run that has moved its load at least once, and its workers."""
    before, moved, windows = descendants(os.getpid()), threading.Event(), list[Window]()

    def on_window(window: Window, progress: object) -> None:
        windows.append(window)
        if window.users >= 4:
            moved.set()

    run = start(plan, on_window=on_window)
    assert moved.wait(60)
    workers = [
        pid for pid in descendants(os.getpid()) - before if "\0worker\0" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    return run, workers


def test_a_lost_worker_does_not_end_a_search_and_is_told() -> None:
    run, workers = watched(searching(2))
    os.kill(workers[0], signal.SIGKILL)
    result = run.result(120)
    assert result.reason is Reason.CAPACITY
    assert result.totals.lost_workers == 1
    assert not result.trust.valid
    assert result.capacity is not None
    assert result.capacity.finding != "searching"
    again = sailed(result.plan, result.windows, result.stopped_at_s)
    assert again.plan == result.plan, "the windows alone give the same moves"
    # After each move, and the second in which users start or leave, as many ran as the search asked for.
    for level in result.levels[-3:]:
        own = [window for window in result.windows if window.level == level.level]
        if len(own) >= 3:
            assert own[-1].load.running == level.users


@pytest.mark.slow
def test_all_workers_lost_is_the_end() -> None:
    run, workers = watched(searching(2))
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    result = run.result(120)
    assert result.reason is Reason.ENGINE_LOST
    assert exit_code(result, gate=True, strict=True) == 1
    assert result.capacity is not None
    assert result.capacity.finding == "searching"
