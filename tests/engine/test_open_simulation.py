"""Open workloads in virtual time: every request at its own time, whatever became of those before."""

from __future__ import annotations

import pytest

from loadtest.core.judge.decision import Reason
from loadtest.core.request.spec import RunOptions, StopConditions
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef, open_plan
from loadtest.endpoint.latency import Answer
from loadtest.engine.sim import run_virtual, server_of, simulate


def plan(rate_per_s: float, duration_s: float, ref: str = "mock:", *, limit: int | None = None, **options) -> Plan:
    stop = StopConditions(flat_stops=False)
    closed = Plan(TrafficCurve((Step(0.0, 1),), 1.0), stop, TargetRef(ref), options=RunOptions(**options))
    return open_plan(closed, Arrivals(rate_per_s, duration_s), limit)


def test_each_request_is_sent_at_its_time_and_counted_once() -> None:
    given, asked = plan(10, 3, "mock:servers=1,service_ms=250,law=fixed"), []
    answers = server_of(given.target)

    def server(at_s: float) -> Answer:
        asked.append(at_s)
        return answers(at_s)

    done = run_virtual(given, server)
    assert given.arrivals is not None
    assert asked == list(given.arrivals.times_s())
    assert sum(window.sends.intended for window in done.windows) == len(asked) == 30
    assert sum(window.completed for window in done.windows) == 30
    assert all(window.sends.late == 0 for window in done.windows)


def test_one_too_many_in_flight_is_dropped_not_delayed() -> None:
    """One server of 1 s, two in flight at most, ten a second: one of ten is served and one waits."""
    totals = simulate(plan(10, 10, "mock:servers=1,service_ms=1000,law=fixed", limit=2)).totals
    assert totals.sends.intended == 100
    assert totals.completed + totals.sends.dropped == 100
    assert totals.completed in (11, 12)


def test_waiting_for_a_server_is_part_of_the_response_latency() -> None:
    """Two arrive each second where one is served: the k-th waits k / 2 s and is served for 1 s."""
    totals = simulate(plan(2, 4, "mock:servers=1,service_ms=1000,law=fixed", latency_clock="client")).totals
    assert totals.latencies.response.max_ms == pytest.approx(1000 + 500 * 7, rel=0.01)


def test_what_does_not_end_in_time_is_cut() -> None:
    result = simulate(plan(5, 2, "mock:servers=1,service_ms=60000", drain_s=3.0))
    assert (result.reason, result.totals.cut, result.totals.ok) == (Reason.TARGET_DOWN, 10, 0)
    assert result.totals.length_s == pytest.approx(5.0)
