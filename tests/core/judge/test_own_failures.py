"""Failures that are the sender's own: counted and shown, and held against nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from windows import flat_frame

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import REASONS, Reason, Stop
from loadtest.core.judge.stop.errors import ErrorBudget
from loadtest.core.judge.stop.final import final_stop
from loadtest.core.judge.trust import assess
from loadtest.core.measure.outcome import NOT_THE_ENDPOINT, Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold, RunOptions, StopConditions
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef


def plan(**stop: Any) -> Plan:
    return Plan(
        TrafficCurve((Step(0.0, 10),), 60.0),
        StopConditions(flat_stops=False, **stop),
        TargetRef("null:"),
        options=RunOptions(window_s=1.0),
    )


def window(index: int, ok: int = 0, **failures: int) -> Window:
    """failures: by kind, or kind__detail."""
    recorder = Recorder(threshold_ns=50_000_000)
    for _ in range(ok):
        recorder.record(Outcome(Kind.OK, 200, 1, 0, 0, 10_000_000))
    for name, n in failures.items():
        kind, _, detail = name.partition("__")
        for _ in range(n):
            recorder.record(Outcome(Kind(kind), 0, 0, 0, 0, 1_000_000, detail=detail.replace("_", " ")))
    return recorder.take(flat_frame(index, float(index), index + 1.0, 0, 10, 10, 10.0))


def run(windows: list[Window], **stop: Any) -> Stop | None:
    controller = Controller(plan(**stop))
    for each in windows:
        controller.observe(each)
        found = controller.tick(each.end_s)
        if isinstance(found, Stop):
            return found
    return None


@pytest.mark.parametrize("kind", sorted(NOT_THE_ENDPOINT))
def test_they_are_over_no_threshold_and_in_no_error_budget(kind: str) -> None:
    found = window(0, ok=50, **{kind: 50})
    assert (found.failed, found.counts.own, found.counts.over) == (50, 50, 0)
    assert sum(n for n, _ in found.counts.over_batches) == 50
    windows = [window(i, ok=50, **{kind: 50}) for i in range(30)]
    assert ErrorBudget(0.01).check(windows) is None
    assert ErrorBudget(0.01).progress(windows) == 0.0
    assert run(windows, latency=LatencyThreshold(0.95, 50), max_error_ratio=0.01) is None


def test_the_endpoint_s_failures_beside_them_still_count() -> None:
    windows = [window(i, ok=50, local=50, server_error=25) for i in range(30)]
    found = run(windows, max_error_ratio=0.1)
    assert found is not None
    assert (found.reason, found.evidence["error_ratio"]) == (Reason.ERRORS, pytest.approx(1 / 3))


def test_refused_credentials_end_a_run_soon_and_by_their_own_name() -> None:
    before = [window(i, ok=50) for i in range(3)]
    refused = [window(i, credentials__ExpiredTokenException=90) for i in range(3, 30)]
    found = run([*before, *refused], latency=LatencyThreshold(0.95, 50), max_error_ratio=0.01)
    assert found is not None
    assert (found.reason, found.evidence["end_s"]) == (Reason.CREDENTIALS, 6.0)
    assert found.evidence["kinds"] == {"credentials ExpiredTokenException": 270}
    assert REASONS[Reason.CREDENTIALS].job_status == "FAILED"


def test_a_machine_that_can_send_nothing_is_no_endpoint_that_is_down() -> None:
    windows = [window(i, local__too_many_open_files=90) for i in range(30)]
    found = run(windows)
    assert found is not None
    assert (found.reason, found.evidence["end_s"]) == (Reason.LOCAL_LIMIT, 10.0)
    short = final_stop(Stop(Reason.CURVE_END), windows[:5], None)
    assert short.reason is Reason.LOCAL_LIMIT
    mixed = final_stop(Stop(Reason.CURVE_END), [window(0, local=5, connection=5)], None)
    assert mixed.reason is Reason.TARGET_DOWN


def test_a_run_that_could_not_send_is_invalid_with_what_helps() -> None:
    trust = assess(plan(), [window(i, ok=500, local__too_many_open_files=20) for i in range(5)])
    assert not trust.valid
    assert trust.client_limited
    reasons = {reason.code: reason for reason in trust.reasons}
    assert {"local", "local-limit"} <= set(reasons)
    assert "100 requests could not be sent by this machine: too many open files" in reasons["local-limit"].text
    assert "ulimit -n" in reasons["local-limit"].advice
    few = assess(plan(), [window(0, ok=1000, local__no_memory=4), *(window(i, ok=1000) for i in range(1, 3))])
    assert [reason.code for reason in few.reasons] == ["local-limit"]
    assert assess(plan(), [window(i, ok=1000) for i in range(5)]).valid
