"""A run whose machine slept, or whose processes were stopped, ends as it would have, and says what happened."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from engine_kit import descendants, plan_of
from plugin_targets import Suspended

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.window import Window
from loadtest.engine.awake import Awake
from loadtest.engine.generator.probe import boot_s, suspended_s
from loadtest.engine.parent.spawn import start

pytestmark = pytest.mark.usefixtures("no_orphans")


def test_what_passed_while_nobody_looked_is_not_counted() -> None:
    clock = iter([100.0, 100.5, 101.0, 701.0, 701.5, 701.4, 702.0])
    awake = Awake(lambda: next(clock), most_s=2.0)
    assert [awake.look() for _ in range(6)] == pytest.approx([0.5, 1.0, 3.0, 3.5, 3.5, 4.1])
    assert awake.back_s == 701.0


def test_a_sleep_is_what_the_one_clock_has_more_than_the_other() -> None:
    assert suspended_s(3601.0, 1.0) == 3600.0
    assert suspended_s(1.3, 1.0) == suspended_s(0.9, 1.0) == 0.0
    assert boot_s() <= boot_s()


@pytest.mark.live
def test_a_suspended_machine_is_said_to_have_been_one() -> None:
    result = start(plan_of((0.0, 2), end_s=2.5, target="plugin_targets:Suspended")).result(60)
    assert result.reason is Reason.CURVE_END
    assert "suspended" in [reason.code for reason in result.trust.reasons]
    assert not result.trust.valid
    (asleep,) = [window for window in result.windows if window.health.suspended_s]
    assert asleep.health.suspended_s == pytest.approx(Suspended.HOUR_S, abs=5)
    # No figure has it: windows, rates and latencies are as long as the traffic was.
    assert result.windows[-1].end_s < 60
    assert result.totals.latencies.client.max_ms is not None
    assert result.totals.latencies.client.max_ms < 60_000


@pytest.mark.slow
@pytest.mark.live
def test_a_stopped_generator_is_not_taken_for_a_blocked_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADTEST_BLOCKED_LIMIT_S", "2")
    _stopped(plan_of((0.0, 2), end_s=10.0), 5.0)


@pytest.mark.slow
@pytest.mark.live
def test_stopped_masters_and_workers_do_not_take_each_other_for_lost() -> None:
    """For longer than a worker waits for a sign of its master."""
    _stopped(replace(plan_of((0.0, 2), end_s=14.0), workers=2), 9.0)


def test_whoever_watched_nobody_meanwhile_takes_nobody_for_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead_s = 0.0
    monkeypatch.setattr(
        "loadtest.engine.parent.process.time", SimpleNamespace(monotonic=lambda: time.monotonic() + ahead_s)
    )

    def on_window(window: Window, progress: object) -> None:
        nonlocal ahead_s
        ahead_s = 3600.0

    result = start(plan_of((0.0, 1), end_s=2.0), on_window=on_window).result(60)
    assert ahead_s
    assert result.reason is Reason.CURVE_END


@pytest.mark.slow
@pytest.mark.live
def test_a_wall_clock_that_is_set_forward_sends_no_worker_home() -> None:
    plan = replace(plan_of((0.0, 2), end_s=5.0, target="plugin_targets:Hasty"), workers=2)
    result = start(plan).result(60)
    assert (result.reason, result.totals.lost_workers) == (Reason.CURVE_END, 0)


def _stopped(plan: object, for_s: float) -> None:
    """A run all of whose processes are stopped for a while ends with its curve, and is marked."""
    before, ready = descendants(os.getpid()), threading.Event()
    run = start(plan, on_window=lambda window, progress: ready.set())  # type: ignore[arg-type]
    assert ready.wait(60)
    ours = descendants(os.getpid()) - before
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in ours:
            os.kill(pid, number)
        time.sleep(for_s if number is signal.SIGSTOP else 0)
    result = run.result(120)
    assert result.reason is Reason.CURVE_END, result.evidence
    assert result.totals.lost_workers == 0
    assert not result.trust.valid
    assert result.trust.client_limited
