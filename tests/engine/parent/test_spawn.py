"""Real generator processes under plug-in targets: what a run measures, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import descendants, plan_of

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, StopConditions
from loadtest.core.traffic.plan import PayloadSource
from loadtest.engine.parent.spawn import start
from loadtest.errors import Problem, SpecError, TargetError

pytestmark = [pytest.mark.usefixtures("no_orphans"), pytest.mark.live]


def test_users_follow_the_curve_and_everything_is_counted() -> None:
    windows: list[Window] = []
    changes: list[object] = []
    run = start(
        plan_of((0.0, 2), (1.0, 4), (2.0, 1), end_s=3.0),
        on_window=lambda window, progress: windows.append(window),
        on_changes=changes.extend,
        label="curve",
    )
    result = run.result(30)
    assert run.status == "finished"
    assert result.reason is Reason.CURVE_END
    assert result.label == "curve"
    assert [window.index for window in windows] == sorted({window.index for window in windows})
    assert list(result.windows) == windows
    # Every user started once and stopped once, at its planned time; the newest left first.
    starts = [(c.user, c.planned_s) for c in result.changes if c.action == "start"]
    assert starts == [(0, 0.0), (1, 0.0), (2, 1.0), (3, 1.0)]
    stops = {c.user: c.planned_s for c in result.changes if c.action == "stop"}
    assert {user: stops[user] for user in (3, 2, 1)} == {3: 2.0, 2: 2.0, 1: 2.0}
    assert stops[0] >= 3.0
    assert result.schedule.started == 4
    # A closed loop of N users on a 10 ms endpoint: N / R, and no more than that.
    for level, users in zip(result.levels, (2, 4, 1), strict=True):
        assert level.users == users
        assert 0 < level.throughput_per_s <= users / 0.0099
    assert result.totals.errors == 0
    assert sum(window.ok for window in windows) == result.totals.ok > 0


def test_no_request_is_older_than_the_run() -> None:
    result = start(plan_of((0.0, 1), end_s=0.25, target="plugin_targets:Clock")).result(30)
    asked_at = min(float(detail.split()[-1]) for window in result.windows for detail in window.counts.details)
    assert result.started_at is not None
    assert -0.002 <= asked_at - result.started_at < 5


@pytest.mark.live
def test_nothing_is_loaded_in_the_middle_of_a_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    stop = StopConditions(10**6, LatencyThreshold(0.95, 10_000), flat_stops=True, max_error_ratio=None)
    plan = plan_of((0.0, 2), (1.0, 4), (2.0, 6), (3.0, 8), end_s=4.0, target="plugin_targets:Modules", stop=stop)
    result = start(replace(plan, payload=PayloadSource(str(tmp_path)))).result(30)
    assert result.totals.ok > 100
    assert [window.counts.details for window in result.windows if window.counts.details] == []


@pytest.mark.live
def test_a_step_down_cuts_no_request() -> None:
    result = start(plan_of((0.0, 4), (0.5, 1), end_s=1.2, target="plugin_targets:Slow")).result(30)
    assert result.reason is Reason.CURVE_END
    assert result.totals.errors == 0
    # All four were in their first request at the step down; each was finished and counted.
    assert result.totals.ok >= 5
    lefts = {c.user: c.actual_s for c in result.changes if c.action == "stop"}
    assert all(lefts[user] >= 1.0 for user in (1, 2, 3))


def test_stop_drains_and_keeps_the_result() -> None:
    ready = threading.Event()
    run = start(plan_of((0.0, 3), end_s=60.0, target="plugin_targets:Slow"), on_window=lambda *_: ready.set())
    assert ready.wait(20)
    assert run.status == "running"
    run.stop()
    result = run.result(20)
    assert result.reason is Reason.USER
    assert result.totals.errors == 0
    assert result.totals.ok >= 3


def test_stop_before_the_start_is_a_stop() -> None:
    run = start(plan_of((0.0, 1), end_s=60.0))
    run.stop()
    assert run.result(30).reason is Reason.USER


def test_kill_ends_at_once_and_keeps_the_windows() -> None:
    ready = threading.Event()
    run = start(plan_of((0.0, 3), end_s=60.0, target="plugin_targets:Silent"), on_window=lambda *_: ready.set())
    assert ready.wait(20)
    run.kill()
    result = run.result(10)
    assert result.reason is Reason.USER
    assert result.windows


def test_requests_that_never_end_are_cut_and_counted() -> None:
    result = start(plan_of((0.0, 3), end_s=0.5, target="plugin_targets:Silent", drain_s=0.5)).result(30)
    assert result.reason is Reason.TARGET_DOWN  # nothing had failed yet when the traffic ended, but nothing came either
    assert result.totals.ok == 0
    assert result.totals.counts.errors == {"cut": 3}


def test_a_killed_generator_is_an_engine_lost() -> None:
    ready = threading.Event()
    before = descendants(os.getpid())
    run = start(plan_of((0.0, 1), end_s=60.0), on_window=lambda *_: ready.set())
    assert ready.wait(20)
    for pid in descendants(os.getpid()) - before:
        os.kill(pid, signal.SIGKILL)
    result = run.result(20)
    assert result.reason is Reason.ENGINE_LOST
    assert "signal 9" in result.evidence["why"]
    assert result.windows


@pytest.mark.live
def test_a_target_that_blocks_the_loop_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADTEST_BLOCKED_LIMIT_S", "2")
    result = start(plan_of((0.0, 1), end_s=60.0, target="plugin_targets:Blocker")).result(30)
    assert result.reason is Reason.ENGINE_LOST
    assert "blocks it without yielding" in result.evidence["why"]


def test_a_target_that_raises_is_counted_and_named() -> None:
    result = start(plan_of((0.0, 2), end_s=1.0, target="plugin_targets:Raiser")).result(30)
    assert result.totals.ok == 0
    assert set(result.totals.counts.errors) == {"exception"}
    assert any("the plug-in has a bug" in detail for detail in result.totals.counts.details)
    # A broken target rests between its tries: two users, ten tries a second each.
    assert result.totals.errors < 60


def test_what_a_target_prints_garbles_nothing() -> None:
    result = start(plan_of((0.0, 2), end_s=1.0, target="plugin_targets:Printer")).result(30)
    assert result.reason is Reason.CURVE_END
    assert result.totals.ok > 50


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("plugin_targets:Unopenable", TargetError, "no such place"),
        ("plugin_targets:Missing", TargetError, "Missing"),
        ("no_such_module_anywhere:X", SpecError, "no_such_module_anywhere"),
    ],
)
def test_a_target_that_cannot_be_opened_is_a_clear_error(target: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        start(plan_of((0.0, 1), end_s=1.0, target=target)).result(30)


def test_a_problem_comes_from_the_generator_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "C: my files" / "a: b.json")
    with pytest.raises(SpecError) as refused:
        start(replace(plan_of((0.0, 1), end_s=1.0), payload=PayloadSource(path))).result(30)
    assert refused.value.problems == (
        Problem("payload", path, "must be a file, a folder or an archive", "there is nothing of that name"),
    )


def test_an_unknown_kind_of_target_is_refused_before_anything_starts() -> None:
    with pytest.raises(SpecError):
        start(plan_of((0.0, 1), end_s=1.0, target="gopher:x"))


def test_a_callback_that_raises_ends_the_run_and_is_raised() -> None:
    def broken(*_: object) -> None:
        raise KeyError("mine")

    run = start(plan_of((0.0, 1), end_s=60.0), on_window=broken)
    with pytest.raises(KeyError, match="mine"):
        run.result(30)


@pytest.mark.live
def test_the_mock_endpoint_lives_as_long_as_the_run_and_its_theory_holds() -> None:
    result = start(
        plan_of((0.0, 1), (2.0, 2), (4.0, 4), end_s=6.0, target="mock:servers=2,service_ms=20,law=fixed,seed=1")
    ).result(40)
    assert result.reason is Reason.CURVE_END
    assert result.totals.errors == 0
    # At any speed of this machine: no more than the operational laws allow (what begins a level late ends in it), and
    # each request takes its service time at least. How near the figures come is for benchmarks/fidelity.py.
    for level, most_per_s in zip(result.levels, (50, 100, 100), strict=True):
        assert 0 < level.throughput_per_s <= 1.05 * most_per_s
        assert level.latencies.model.p50_ms >= 19.9


@pytest.mark.live
def test_several_at_once_from_threads_beside_a_running_event_loop() -> None:
    results: list[Reason] = []

    def one() -> None:
        results.append(start(plan_of((0.0, 2), end_s=1.0)).result(40).reason)

    async def beside() -> int:
        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        ticks = 0
        while any(thread.is_alive() for thread in threads):
            await asyncio.sleep(0.05)
            ticks += 1
        return ticks

    assert asyncio.run(beside()) > 10
    assert results == [Reason.CURVE_END] * 3


def test_result_times_out_cleanly() -> None:
    run = start(plan_of((0.0, 1), end_s=60.0))
    with pytest.raises(TimeoutError):
        run.result(0.01)
    run.kill()
    run.result(20)


@pytest.mark.live
def test_a_request_that_is_wrong_is_not_hammered_until_one_has_succeeded() -> None:
    result = start(plan_of((0.0, 2), end_s=1.0, target="plugin_targets:Wrong")).result(30)
    assert result.totals.counts.errors == {"client_error": result.totals.errors}
    assert result.totals.errors <= 2 * 11  # 100 ms between two of a user
    result = start(plan_of((0.0, 2), end_s=1.5, target="plugin_targets:SometimesWrong")).result(30)
    assert result.totals.errors > 2 * 20


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), ValueError("no")])
def test_whatever_a_callback_raises_ends_the_run_and_is_heard(raised: BaseException) -> None:
    def on_window(window: Window, progress: object) -> None:
        raise raised

    run = start(plan_of((0.0, 1), end_s=60.0), on_window=on_window)
    with pytest.raises(type(raised)):
        run.result(60)
    assert run.status == "finished"
