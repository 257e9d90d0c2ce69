"""Points of CloudWatch matched to periods, levels and units, the subtraction, and what is said to be absent or doubtful."""

from __future__ import annotations

import json

import pytest
from told import FIRST_AT, STARTED_AT, document, latency_point, minutes, plan_of, run_of, series

from loadtest.core.result.periods import unpublished
from loadtest.core.result.result import RunResult
from loadtest.core.result.service_side import ServiceSide, service_side
from loadtest.core.result.spread import counted_name, spread_of


def side_of(result: RunResult) -> ServiceSide:
    found = service_side(result)
    assert found is not None
    return found


def test_the_start_is_where_the_fixture_says() -> None:
    assert FIRST_AT % 60 == 0
    assert STARTED_AT - FIRST_AT == 30


def test_points_belong_to_the_minutes_and_levels_that_they_are_of() -> None:
    result = run_of(plan_of(), lambda s: 40.0, document(*minutes(11)))
    side = side_of(result)
    assert [(each.start_s, each.end_s, each.level) for each in side.periods] == [
        (-30, 30, None),
        *((30 + 60 * i, 90 + 60 * i, 0) for i in range(4)),
        (270, 330, None),
        *((330 + 60 * i, 390 + 60 * i, 1) for i in range(4)),
        (570, 630, None),
    ]
    assert [(each.level, each.periods, each.start_s, each.end_s) for each in side.levels] == [
        (0, 4, 30, 270),
        (1, 4, 330, 570),
    ]


def test_network_is_what_is_left_of_the_clients_mean() -> None:
    side = side_of(run_of(plan_of(), lambda s: 40.0 if s < 300 else 45.0, document(*minutes(11))))
    assert [each.network_ms for each in side.levels] == [pytest.approx(5, abs=0.1), pytest.approx(10, abs=0.1)]
    low = side.levels[0]
    assert (low.model_mean_ms, low.overhead_mean_ms) == (30, 5)
    assert low.client.mean_ms == pytest.approx(40)
    assert low.client.completed == 4 * 1200, "of the same minutes"
    assert low.model_percentiles == {0.5: (30, 30), 0.95: (30, 30), 0.99: (30, 30)}
    assert low.invocations_per_min == 1200


def test_percentiles_of_minutes_give_a_range_and_counts_add_up() -> None:
    values = lambda i: [20_000] * 1100 + [(110_000 if i % 2 else 90_000)] * 100  # noqa: E731
    (level, *_) = side_of(run_of(plan_of(), lambda s: 120.0, document(*minutes(11, values)))).levels
    assert level.model_percentiles is not None
    assert level.model_percentiles[0.95] == (90, 110)
    assert level.over == (200, 200), "of minutes 1 and 3"


@pytest.mark.parametrize(
    ("names", "values_us", "over"),
    [
        ((), [50_000] * 10, (0, 0)),  # the maximum is below the limit
        ((), [150_000] * 10, (10, 10)),  # the minimum is above it
        ((), [50_000] * 9 + [150_000], (1, 9)),
        (("p50", "p95"), [50_000] * 190 + [150_000] * 10, (1, 10)),
        (("p50", "p95"), [50_000] * 180 + [150_000] * 20, (11, 100)),
        (("p50", "p95", "TC(:100000)"), [50_000] * 180 + [150_000] * 20, (20, 20)),
        (("TC(:90000)",), [50_000] * 9 + [150_000], (1, 9)),  # of another limit
        (("TC(:100000)",), [100_000] * 10, (0, 0)),  # the limit itself is not over it
    ],
)
def test_what_a_period_tells_of_a_limit(names: tuple[str, ...], values_us: list[float], over: tuple[int, int]) -> None:
    assert spread_of([latency_point(0.0, values_us, *names)], 100.0).over == over


def test_statistics_that_contradict_each_other_tell_no_more_than_both() -> None:
    point = {"at": 0.0, "Average": 1.0, "SampleCount": 100.0, "p95": 101_000.0, "TC(:100000)": 99.0}
    assert spread_of([point], 100.0).over == (1, 6)


def test_the_counting_statistic_is_in_microseconds() -> None:
    assert counted_name(100) == "TC(:100000)"
    assert counted_name(1234.5) == "TC(:1234500)"


def test_variants_are_weighed_by_their_requests() -> None:
    points = [latency_point(0.0, [10_000] * 30, "p95"), latency_point(0.0, [40_000] * 10, "p95")]
    found = spread_of(points, None)
    assert (found.n, found.mean_ms, found.min_ms, found.max_ms, dict(found.percentiles)) == (40, 17.5, 10, 40, {})


def test_a_variant_without_requests_says_nothing() -> None:
    found = spread_of([{"at": 0.0, "SampleCount": 0.0}, latency_point(0.0, [10_000], "p95")], None)
    assert (found.n, dict(found.percentiles)) == (1, {0.95: 10})


def test_usage_has_a_period_of_its_own() -> None:
    cpu = [{"at": FIRST_AT + 10 * i, "Average": float(i), "Maximum": 400.0} for i in range(12)]
    told = document(*minutes(3), series("CPUUtilization", cpu), series("GPUUtilization", []))
    told["period_s"]["instances"] = 10
    side = side_of(run_of(plan_of(), lambda s: 40.0, told))
    assert [each.cpu for each in side.usage] == [float(i) for i in range(12)]
    assert [each.level for each in side.usage] == [None] * 3 + [0] * 9
    assert side.levels[0].cpu == pytest.approx(7), "mean of 3 .. 11"
    assert side.levels[0].gpu is None
    assert side.absent == ("GPUUtilization",)


def test_a_clock_that_is_off_shifts_the_periods_and_is_said() -> None:
    side = side_of(run_of(plan_of(), lambda s: 40.0, document(*minutes(11), clock_offset_s=10.0)))
    assert side.periods[0].start_s == -20
    assert "10.0 s ahead of AWS's" in side.doubts[0]
    assert not side_of(run_of(plan_of(steps=1), lambda s: 40.0, document(*minutes(5), clock_offset_s=1.0))).doubts


def test_the_traffic_of_others_is_said() -> None:
    side = side_of(run_of(plan_of(steps=1), lambda s: 40.0, document(*minutes(5, requests=3000))))
    assert side.shared
    assert "counts 12,000 invocations where this run made 4,800" in side.doubts[0]


def test_a_network_below_zero_is_none_and_is_said() -> None:
    side = side_of(run_of(plan_of(), lambda s: 40.0, document(*minutes(6, 50_000))))
    assert side.levels[0].network_ms is None
    assert any("different requests" in each for each in side.doubts)


def test_what_is_not_there_yet_is_awaited_for_whole_minutes_of_levels_alone() -> None:
    result = run_of(plan_of(), lambda s: 40.0)
    ask = lambda told: unpublished(told, result.plan, result.windows, STARTED_AT, None)  # noqa: E731
    wanted = [(FIRST_AT + 60 * i, 0 if i < 5 else 1) for i in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert ask(document()) == wanted
    # The later level has twice the users: 1,200 requests of a minute are half of them.
    assert ask(document(*minutes(11))) == wanted[4:]
    assert ask(document(*minutes(11, requests=2400))) == []
    short = run_of(plan_of(level_s=60), lambda s: 40.0)
    assert unpublished(document(), short.plan, short.windows, STARTED_AT, None) == [], "no minute lies inside a level"


def test_a_run_that_stopped_early_has_no_more_level_than_traffic() -> None:
    result = run_of(plan_of(), lambda s: 40.0)
    assert len(unpublished(document(), result.plan, result.windows, STARTED_AT, 150.0)) == 2


def test_it_is_plain_json_and_nothing_without_a_document() -> None:
    result = run_of(plan_of(), lambda s: 40.0, document(*minutes(11)))
    flat = side_of(result).to_dict()
    assert json.loads(json.dumps(flat)) == flat
    assert flat["levels"][0]["model_p95_low_ms"] == flat["levels"][0]["model_p95_high_ms"] == 30
    assert flat["levels"][0]["client_p95_ms"] == pytest.approx(40, rel=1e-3)
    assert service_side(run_of(plan_of(), lambda s: 40.0)) is None
    assert RunResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
