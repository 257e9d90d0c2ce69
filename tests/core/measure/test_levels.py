"""Which levels a plan has, and what their windows add up to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from windows import flat_frame

from loadtest.core.measure.distribution import Distribution
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import LevelResult, level_of, level_results, plan_levels, taken_together
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import RunOptions, StopConditions
from loadtest.core.traffic.curve import Level, Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef


def plan_of(*steps: tuple[float, int], end_s: float, limit_s: float | None = None, window_s: float = 1.0) -> Plan:
    return Plan(
        TrafficCurve(tuple(Step(at_s, users) for at_s, users in steps), end_s),
        StopConditions(),
        TargetRef("mock:"),
        options=RunOptions(window_s=window_s),
        limit_s=limit_s,
    )


STAIRS = ((0.0, 2), (10.0, 4), (20.0, 6))


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(plan_of(*STAIRS, end_s=30), [(0, 10, 2, 2), (10, 20, 4, 4), (20, 30, 6, 6)], id="stairs"),
        pytest.param(
            plan_of(*STAIRS, end_s=30, limit_s=99), [(0, 10, 2, 2), (10, 20, 4, 4), (20, 30, 6, 6)], id="limit after"
        ),
        pytest.param(plan_of(*STAIRS, end_s=30, limit_s=15), [(0, 10, 2, 2), (10, 15, 4, 4)], id="limit cuts a level"),
        pytest.param(plan_of(*STAIRS, end_s=30, limit_s=10), [(0, 10, 2, 2)], id="limit on a border"),
        pytest.param(
            plan_of(*STAIRS, end_s=30, limit_s=21), [(0, 10, 2, 2), (10, 20, 4, 4), (20, 21, 6, 6)], id="short rest"
        ),
        pytest.param(plan_of(*STAIRS, end_s=30, window_s=6.0), [(0, 30, 6, 2)], id="two windows at least"),
        pytest.param(plan_of((0.0, 1), end_s=0.5), [(0, 0.5, 1, 1)], id="shorter than a window"),
    ],
)
def test_the_levels_of_a_plan(plan: Plan, expected: list[tuple[float, float, int, int]]) -> None:
    found = plan_levels(plan)
    assert [(level.start_s, level.end_s, level.users, level.from_users) for level in found] == expected
    assert [level.index for level in found] == list(range(len(expected)))


@pytest.mark.parametrize(
    ("start_s", "end_s", "index"),
    [(0, 1, 0), (9, 10, 0), (10, 11, 1), (9.5, 10.5, None), (29, 30, 2), (29.5, 30.5, None), (30, 31, None)],
)
def test_a_window_lies_in_one_level_or_none(start_s: float, end_s: float, index: int | None) -> None:
    assert level_of(plan_levels(plan_of(*STAIRS, end_s=30)), start_s, end_s) == index


def test_a_border_that_is_a_sum_of_floats_still_counts() -> None:
    levels = plan_levels(plan_of((0.0, 1), (0.3, 2), end_s=0.6, window_s=0.1))
    assert level_of(levels, 0.1 + 0.1, 0.1 + 0.1 + 0.1) == 0, "0.1 + 0.1 + 0.1 is more than 0.3"


def window(index: int, level: int | None, latencies_ms: list[int], failures: int = 0) -> Window:
    recorder = Recorder(50_000_000)
    for ms in latencies_ms:
        recorder.record(Outcome(Kind.OK, 200, 5, 0, 0, ms * 1_000_000, 1000 * ms // 2))
    for _ in range(failures):
        recorder.record(Outcome(Kind.TIMEOUT, 0, 0, 0, 0, 1_000_000_000))
    return recorder.take(flat_frame(index, index, index + 1.0, level, 2, 2, active=2.0))


LEVELS = (Level(0, 0.0, 2.0, 2, 2), Level(1, 2.0, 4.0, 4, 4), Level(2, 4.0, 6.0, 6, 6))


def test_a_level_is_the_sum_of_its_own_windows() -> None:
    windows = [
        window(0, 0, [10, 20, 30]),
        window(1, 0, [40, 60], failures=2),
        window(2, None, [999]),
        window(3, 1, [7]),
    ]
    first, second = level_results(LEVELS, windows)
    assert (first.windows, first.measured_s, first.ok, first.errors) == (2, 2.0, 5, 2)
    assert first.counts.errors == {"timeout": 2}
    assert first.throughput_per_s == 2.5
    assert first.counts.over == 2, "the failures; the answer of 60 ms took the model 30"
    assert first.active == 2.0
    assert first.in_flight == pytest.approx((0.06 + 0.1 + 2.0) / 2)
    assert first.latencies.client.mean_ms == pytest.approx(32)
    assert (
        first.latencies.client.p50_ms,
        first.latencies.client.p95_ms,
        first.latencies.client.p99_ms,
        first.latencies.client.max_ms,
    ) == (pytest.approx(30, rel=1e-3), 60, 60, 60)
    assert first.latencies.model.p50_ms == pytest.approx(15, rel=1e-3)
    assert Histogram.decode(first.latencies.client.encoded).total == 5
    assert (second.ok, second.latencies.client.p99_ms, second.windows) == (1, 7, 1)


def test_levels_that_are_there_whole_are_taken_together() -> None:
    windows = [window(0, 0, [10, 20]), window(1, 0, [40]), window(2, None, [999]), window(3, 1, [7]), window(4, 1, [8])]
    levels = level_results(LEVELS, windows)
    assert taken_together(levels, windows) == [
        *(level.latencies for level in levels[:2]),
        windows[2].latencies,
    ], "nobody got to the third"
    part = windows[1:]
    assert taken_together(levels, part) == [levels[1].latencies, windows[1].latencies, windows[2].latencies]
    assert taken_together((), part) == [each.latencies for each in part]


def test_a_level_that_was_begun_but_not_measured_says_so() -> None:
    whole, begun = level_results(LEVELS, [window(0, 0, [1]), window(1, 0, [1]), window(2, None, [1])])
    assert whole.windows == 2
    assert (begun.windows, begun.ok, begun.throughput_per_s, begun.latencies.client.p95_ms, begun.in_flight) == (
        0,
        0,
        None,
        None,
        None,
    )
    assert begun.latencies.client.encoded == ""


def test_a_level_of_failures_has_a_rate_of_zero_and_no_latency() -> None:
    (level,) = level_results(LEVELS[:1], [window(0, 0, [], failures=3)])
    assert (level.throughput_per_s, level.errors, level.latencies.client.mean_ms, level.latencies.client.max_ms) == (
        0.0,
        3,
        None,
        None,
    )


def test_no_windows_no_levels() -> None:
    assert level_results(LEVELS, []) == ()


def test_no_percentile_exceeds_the_exact_maximum() -> None:
    histogram = Histogram()
    histogram.record([24_000] * 3)
    assert (Distribution.of(histogram).p50_ms or 0) > 24, "the counter's highest value"
    assert Distribution.of(histogram, 24.0).row == (24.0, 24.0, 24.0, 24.0)
    assert Distribution.of(Histogram(), 24.0).row == (None, None, None, None)


def test_round_trip_drops_what_a_newer_writer_added() -> None:
    (level,) = level_results(LEVELS[:1], [window(0, 0, [1, 2])])
    assert LevelResult.from_dict({**level.to_dict(), "novelty": 1}) == level
    assert LevelResult.from_dict(level.to_dict()) != replace(level, windows=9)
