"""Distributed runs with real master and worker processes."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import descendants, gone, plan_of

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.parent.process import TERM_S
from loadtest.engine.parent.spawn import Run, start
from loadtest.errors import TargetError

pytestmark = [pytest.mark.usefixtures("no_orphans"), pytest.mark.live]
PLAN = plan_of((0.0, 1), end_s=10.0)


def _child(before: set[int], role: str) -> int:
    """A process of that role which was not there before."""
    found = descendants(os.getpid()) - before
    return next(pid for pid in found if f"\0{role}\0" in Path(f"/proc/{pid}/cmdline").read_text())


def _plan(*steps: tuple[float, int], end_s: float, workers: int = 2, **options: object) -> Plan:
    return replace(plan_of(*steps, end_s=end_s, **options), workers=workers)  # type: ignore[arg-type]


def test_two_workers_make_one_run() -> None:
    result = start(_plan((0.0, 3), (1.0, 6), (2.0, 2), end_s=3.0)).result(60)
    assert result.reason is Reason.CURVE_END
    assert {window.health.workers for window in result.windows if window.users} == {2}
    assert sorted(c.user for c in result.changes if c.action == "start") == list(range(6))
    assert result.totals.errors == 0
    assert result.totals.ok > 100
    assert [worker.index for worker in result.workers] == [0, 1]
    assert {(worker.host, worker.lost) for worker in result.workers} == {(socket.gethostname(), False)}
    # On one machine there is one clock, and the offset is what the exchange cannot tell apart from it.
    assert all(abs(worker.clock_offset_s) <= worker.clock_within_s < 0.05 for worker in result.workers)
    levels = {level.users: level for level in result.levels}
    assert set(levels) == {3, 6, 2}
    assert all(level.windows for level in levels.values())


def _watched(plan: Plan) -> tuple[Run, list[Window], set[int]]:
    """A run that has sent its first window, its windows as they come, and the processes that were there before."""
    before, ready = descendants(os.getpid()), threading.Event()
    windows: list[Window] = []

    def on_window(window: Window, progress: object) -> None:
        windows.append(window)
        ready.set()

    run = start(plan, on_window=on_window)
    assert ready.wait(40)
    return run, windows, before


def test_a_killed_worker_marks_the_run_and_its_users_are_taken_over() -> None:
    run, windows, before = _watched(_plan((0.0, 4), end_s=14.0))
    os.kill(_child(before, "worker"), signal.SIGKILL)
    result = run.result(60)
    assert result.reason is Reason.CURVE_END
    assert result.totals.lost_workers == 1
    assert sorted(worker.lost for worker in result.workers) == [False, True]
    assert not result.trust.valid
    # All four run at the end again, on the worker that is left.
    traffic = [window for window in windows if window.users]
    assert traffic[-1].health.workers == 1
    assert traffic[-1].load.running == 4


@pytest.mark.slow
def test_a_worker_that_comes_back_after_it_was_given_up_is_sent_home() -> None:
    run, windows, before = _watched(_plan((0.0, 4), end_s=14.0))
    victim = _child(before, "worker")
    os.kill(victim, signal.SIGSTOP)
    until_s = time.monotonic() + 12
    while not windows[-1].health.lost_workers and time.monotonic() < until_s:
        time.sleep(0.05)
    os.kill(victim, signal.SIGCONT)
    # Its users' work is done by others now: going on would be load that nobody planned.
    assert gone({victim}, 5)
    result = run.result(60)
    assert result.reason is Reason.CURVE_END
    assert sorted(worker.lost for worker in result.workers) == [False, True]
    traffic = [window for window in windows if window.users]
    assert (traffic[-1].health.workers, traffic[-1].load.running) == (1, 4)


def test_a_killed_master_ends_its_workers() -> None:
    run, _, before = _watched(_plan((0.0, 4), end_s=60.0))
    below = descendants(os.getpid()) - before
    os.kill(_child(before, "master"), signal.SIGKILL)
    assert gone(below, 10)
    assert run.result(20).reason is Reason.ENGINE_LOST


def test_all_workers_lost_is_said_so() -> None:
    run, _, before = _watched(_plan((0.0, 4), end_s=60.0))
    below = descendants(os.getpid()) - before
    for pid in [pid for pid in below if "\0worker\0" in Path(f"/proc/{pid}/cmdline").read_text()]:
        os.kill(pid, signal.SIGKILL)
    result = run.result(30)
    assert result.reason is Reason.ENGINE_LOST
    assert [worker.lost for worker in result.workers] == [True, True]
    assert result.totals.lost_workers == 2
    assert [reason.code for reason in result.trust.reasons] == ["lost-workers"]
    assert len([text for text in result.problems if "was ended by signal 9" in text]) == 2


@pytest.mark.slow
def test_a_workers_last_words_are_kept(tmp_path: Path) -> None:
    target = TargetRef("plugin_targets:Licensed", {"path": str(tmp_path / "one")})
    result = start(replace(_plan((0.0, 4), end_s=6.0), target=target)).result(40)
    assert result.reason is Reason.CURVE_END
    assert result.totals.lost_workers == 1
    (told,) = result.problems
    assert "ended with code 3: the licence has expired" in told


def test_the_reason_of_a_refusal_is_the_workers_own() -> None:
    for _ in range(3):  # whoever tells it first
        with pytest.raises(TargetError, match=r"worker [01] on .*: plugin_targets:Unopenable: .*no such place"):
            start(_plan((0.0, 4), end_s=3.0, target="plugin_targets:Unopenable")).result(30)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_run_is_ended_while_its_workers_start(how: str) -> None:
    before = descendants(os.getpid())
    run = start(_plan((0.0, 4), end_s=60.0, workers=3))
    until_s = time.monotonic() + 20
    while len(descendants(os.getpid()) - before) < 2 and time.monotonic() < until_s:
        time.sleep(0.01)
    getattr(run, how)()
    asked_s = time.monotonic()
    result = run.result(20)
    assert result.reason is Reason.USER
    assert result.problems == ()  # nobody fell: they were told to end
    assert time.monotonic() - asked_s < 2 * TERM_S  # the patience with one worker, not with each of three in turn


@pytest.mark.slow
def test_killing_a_run_that_is_over_signals_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of its processes may be those of strangers by then."""
    run = start(_plan((0.0, 2), end_s=0.5))
    run.result(40)
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, number: signalled.append(pid))
    run.kill()
    assert signalled == []


def test_a_stop_between_ready_and_the_start_is_at_zero() -> None:
    run = start(_plan((0.0, 4), end_s=60.0))
    until_s = time.monotonic() + 40
    while run.status != "running" and time.monotonic() < until_s:
        time.sleep(0.005)
    run.stop()
    result = run.result(20)
    assert result.stopped_at_s is not None
    assert result.stopped_at_s >= 0
    assert all(window.end_s >= window.start_s >= 0 for window in result.windows)


def test_stop_reaches_every_worker() -> None:
    run, _, _ = _watched(_plan((0.0, 4), end_s=60.0))
    run.stop()
    result = run.result(20)
    assert result.reason is Reason.USER
    assert result.totals.errors == 0
