"""Latency from the intended send time: kept beside the service latency, judged in its place, merged exactly."""

from __future__ import annotations

import numpy as np
import pytest
from windows import flat_frame, framed

from loadtest.core.measure.distribution import Distribution
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import level_results
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.totals import totals_of
from loadtest.core.measure.window import Window, merge_windows
from loadtest.core.request.spec import RunOptions, StopConditions
from loadtest.core.traffic.arrivals import Arrivals, Sends
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef, open_plan
from loadtest.errors import SpecError

MS = 1_000_000
FRAME = flat_frame(0, 0.0, 1.0, 0, 1, 1, 1.0)


def _window(responses_ms: list[int], sends: Sends = Sends()) -> Window:
    recorder = Recorder(threshold_ns=50 * MS, clock="client")
    for response_ms in responses_ms:
        recorder.record_response(Outcome(Kind.OK, 200, 0, 0, 0, 10 * MS, 1), response_ms * MS)
    recorder.record_response(Outcome(Kind.TIMEOUT, 0, 0, 0, 0, 10 * MS), 5 * MS)
    return recorder.take(framed(FRAME, sends=sends))


def test_a_window_holds_both_latencies_and_judges_the_response() -> None:
    window = _window(list(range(1, 101)), Sends(110, 5, 2, 3))
    assert window.latencies.client.p99_ms == pytest.approx(10, rel=0.001)
    assert (
        window.latencies.response.p50_ms,
        window.latencies.response.p95_ms,
        window.latencies.response.p99_ms,
    ) == pytest.approx((50, 95, 99), rel=0.001)
    assert window.latencies.response.max_ms == 100
    assert (window.sends.intended, window.sends.late, window.sends.very_late, window.sends.dropped) == (110, 5, 2, 3)
    # 51 .. 100 ms and the failure, although every service latency is 10 ms.
    assert window.counts.over == 51
    assert Window.from_dict(window.to_dict()) == window


def test_a_closed_workload_has_none() -> None:
    recorder = Recorder(threshold_ns=5 * MS)
    recorder.record(Outcome(Kind.OK, 200, 0, 0, 0, 10 * MS))
    window = recorder.take(FRAME)
    assert (
        window.latencies.response.encoded,
        window.latencies.response.p99_ms,
        window.latencies.response.max_ms,
        window.sends.intended,
    ) == ("", None, None, 0)
    assert window.counts.over == 1


def test_the_next_window_starts_empty() -> None:
    recorder = Recorder()
    recorder.record_response(Outcome(Kind.OK, 200, 0, 0, 0, MS), 2 * MS)
    recorder.take(FRAME)
    recorder.record(Outcome(Kind.OK, 200, 0, 0, 0, MS))
    assert recorder.take(FRAME).latencies.response.encoded == ""


def test_parts_levels_and_totals_are_the_exact_sum() -> None:
    parts = [_window(list(range(first, 101, 2)), Sends(60, 4, 1, 2)) for first in (1, 2)]
    whole = _window(list(range(1, 101)))
    merged = merge_windows(parts)
    assert (
        Histogram.decode(merged.latencies.response.encoded).counts
        == Histogram.decode(whole.latencies.response.encoded).counts
    ).all()
    assert (merged.sends.intended, merged.sends.late, merged.sends.very_late, merged.sends.dropped) == (120, 8, 2, 4)
    assert (merged.latencies.response.p99_ms, merged.latencies.response.max_ms) == (
        whole.latencies.response.p99_ms,
        100,
    )
    (level,) = level_results(TrafficCurve((Step(0.0, 1),), 1.0).levels(0.1), parts)
    totals = totals_of(parts, Histogram(), Histogram())
    for figures in (level, totals):
        assert (figures.latencies.response.p95_ms, figures.latencies.response.max_ms) == (
            whole.latencies.response.p95_ms,
            100,
        )
    assert (totals.sends.intended, totals.sends.late, totals.sends.very_late, totals.sends.dropped) == (120, 8, 2, 4)


def test_nothing_measured_is_nothing_reported() -> None:
    assert Distribution.of_ns(np.array([], np.int64)) == Distribution()
    assert Distribution.merged([Recorder().take(FRAME).latencies.response]) == Distribution()


def test_workers_share_the_limit_of_requests_in_flight() -> None:
    plan = Plan(TrafficCurve((Step(0.0, 3),), 10.0), StopConditions(), TargetRef("null:"), workers=200)
    assert open_plan(plan, Arrivals(1, 2)).curve.peak == 200
    assert open_plan(plan, Arrivals(1, 2), in_flight_limit=200).curve.peak == 200
    with pytest.raises(
        SpecError, match=r"--max-in-flight: must be at least the number of workers \(200\).*\(got 199\)"
    ):
        open_plan(plan, Arrivals(1, 2), in_flight_limit=199)


@pytest.mark.parametrize(("asked", "clock"), [("auto", "client"), ("client", "client"), ("model", "model")])
def test_an_open_plan_keeps_what_is_not_traffic(asked: str, clock: str) -> None:
    curve = TrafficCurve((Step(0.0, 3), Step(5.0, 6)), 10.0)
    closed = Plan(curve, StopConditions(), TargetRef("null:"), options=RunOptions(latency_clock=asked))  # type: ignore[arg-type]
    plan = open_plan(closed, Arrivals(50, 2))
    assert (plan.curve, plan.end_s) == (TrafficCurve((Step(0.0, 500),), 2.0), 2.0)
    assert plan.stop == StopConditions(flat_stops=False)
    assert plan.options.latency_clock == clock
    assert (plan.target, plan.workers) == (closed.target, closed.workers)
    assert Plan.from_dict(plan.to_dict()) == plan
    assert plan.digest() != closed.digest()
    assert open_plan(closed, Arrivals(50, 2), in_flight_limit=7).curve.peak == 7
