"""Open workloads in real generator processes: sent on time whatever is unanswered, and measured from that time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_kit import plan_of

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.histogram import Histogram
from loadtest.core.request.spec import LatencyThreshold, StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import Plan, open_plan
from loadtest.endpoint.latency import LatencyModel, MockSettings
from loadtest.engine.parent.spawn import start

pytestmark = pytest.mark.usefixtures("no_orphans")


def _plan(
    rate_per_s: float,
    duration_s: float,
    target: str,
    *,
    law: str = "constant",
    limit: int | None = None,
    workers: int = 1,
    stop: StopConditions | None = None,
) -> Plan:
    closed = plan_of((0.0, 1), end_s=1.0, target=target, stop=stop)
    arrivals = Arrivals(rate_per_s, duration_s, law)  # type: ignore[arg-type]
    return open_plan(replace(closed, workers=workers), arrivals, limit)


def _accounted(result: RunResult) -> int:
    return result.totals.completed + result.totals.sends.dropped


@pytest.mark.live
def test_a_freeze_shows_in_the_response_latency_as_theory_says() -> None:
    settings = MockSettings(servers=64, service_ms=20, freeze_at_s=2, freeze_s=1)
    # A median, since a P95 would end the run at the freeze.
    median = StopConditions(latency=LatencyThreshold(0.5, 100))
    plan = _plan(500, 5, settings.to_ref(), stop=median)
    assert plan.arrivals is not None
    model = LatencyModel(settings)
    expected = Histogram()
    expected.record([round(1e6 * (model.arrive(at_s).done_s - at_s)) for at_s in plan.arrivals.times_s()])

    result = start(plan).result(60)
    totals = result.totals
    assert (result.reason, totals.sends.intended, totals.sends.dropped, totals.errors) == (Reason.CURVE_END, 2500, 0, 0)
    assert totals.ok == 2500
    # 500 of 2,500 requests met the freeze, so p99 lies deep within it: a few ms of a busy machine do not show.
    p99_ms = (expected.percentile_us(0.99) or 0) / 1000
    assert p99_ms > 900
    assert totals.latencies.response.p99_ms == pytest.approx(p99_ms, rel=0.05)
    assert totals.latencies.client.p99_ms is not None
    assert totals.latencies.response.p99_ms is not None
    assert totals.latencies.client.p99_ms <= totals.latencies.response.p99_ms
    # Both are kept for every window, and the threshold is judged by the response.
    frozen = [
        window
        for window in result.windows
        if window.latencies.response.max_ms and window.latencies.response.max_ms > 900
    ]
    assert frozen
    assert all(window.latencies.client.encoded and window.latencies.response.encoded for window in frozen)
    assert sum(window.counts.over for window in result.windows) >= 400


@pytest.mark.slow
def test_a_closed_loop_of_one_user_hides_that_freeze() -> None:
    """Coordinated omission: a user that waits is not there to be delayed, so one request in hundreds shows it."""
    result = start(plan_of((0.0, 1), end_s=4.0, target="mock:servers=64,service_ms=2,freeze_at_s=2,freeze_s=1")).result(
        60
    )
    assert result.totals.latencies.client.max_ms is not None
    assert result.totals.latencies.client.p99_ms is not None
    assert result.totals.latencies.client.max_ms > 900
    assert result.totals.latencies.client.p99_ms < 500


@pytest.mark.slow
def test_requests_wait_for_no_answer_and_one_too_many_is_dropped_not_delayed() -> None:
    result = start(_plan(40, 2, "plugin_targets:Slow", limit=10)).result(60)
    totals = result.totals
    assert (totals.sends.intended, totals.errors) == (80, 0)
    # Ten connections with answers after 1 s: 10 at once, 10 more a second later; the rest is dropped.
    assert 20 <= totals.ok <= 30
    assert _accounted(result) == 80
    assert max(window.load.in_flight for window in result.windows) <= 10.5
    assert totals.latencies.client.max_ms is not None
    assert totals.latencies.client.max_ms < 2000


@pytest.mark.slow
def test_poisson_arrivals_all_leave() -> None:
    plan = _plan(200, 2, "plugin_targets:Sleeper", law="poisson")
    assert plan.arrivals is not None
    result = start(plan).result(60)
    assert result.totals.sends.intended == result.totals.ok == len(list(plan.arrivals.times_s()))
    assert result.totals.latencies.response.p50_ms is not None
    assert result.totals.latencies.response.p50_ms >= 10


@pytest.mark.slow
def test_requests_that_never_end_are_cut_and_counted() -> None:
    plan = _plan(20, 0.5, "plugin_targets:Silent")
    result = start(replace(plan, options=replace(plan.options, drain_s=0.5))).result(60)
    assert result.totals.counts.errors == {"cut": 10}


@pytest.mark.slow
def test_a_target_that_raises_is_counted_and_keeps_the_schedule() -> None:
    result = start(_plan(100, 1, "plugin_targets:Raiser")).result(60)
    assert result.totals.counts.errors == {"exception": 100}


@pytest.mark.slow
def test_a_target_faster_than_the_schedule_and_a_schedule_faster_than_the_machine() -> None:
    plan = _plan(1_000_000, 1, "null:")
    result = start(plan).result(60)
    assert result.reason is Reason.CURVE_END
    assert result.totals.ok > 1000
    # Not slowed down in silence: what was due and left late is counted.
    assert result.totals.sends.very_late > 0.5 * result.totals.ok


@pytest.mark.slow
def test_two_workers_share_the_arrivals() -> None:
    result = start(_plan(100, 2, "plugin_targets:Sleeper", workers=2)).result(60)
    assert (result.reason, result.totals.sends.intended, result.totals.ok) == (Reason.CURVE_END, 200, 200)
    assert {window.health.workers for window in result.windows if window.sends.intended} == {2}


@pytest.mark.slow
def test_a_threshold_is_judged_by_the_response_latency() -> None:
    """One connection, 10 ms each, 200 requests a second: every service latency is low, and the queue grows."""
    stop = StopConditions(latency=LatencyThreshold(0.95, 500))
    result = start(_plan(200, 15, "plugin_targets:Queue", stop=stop)).result(60)
    assert result.reason is Reason.LATENCY
    assert result.evidence["clock"] == "client"
    assert result.totals.latencies.client.max_ms is not None
    assert result.totals.latencies.client.max_ms < 500
    assert result.totals.latencies.response.max_ms is not None
    assert result.totals.latencies.response.max_ms > 500
    assert result.totals.length_s < 15
