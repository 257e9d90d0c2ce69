"""What stairs show of the capacity: intervals where the data carry them, and what is said where they do not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.request.spec import LatencyThreshold, StopConditions
from loadtest.core.result.exit_code import exit_code
from loadtest.core.result.result import RunResult
from loadtest.core.result.thresholds import parse_threshold
from loadtest.core.search.capacity import Capacity
from loadtest.core.search.of_levels import capacity_of_levels, capacity_of_visits
from loadtest.core.search.reading import Reading
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.sim import simulate
from loadtest.report.recovery import read_run
from loadtest.report.whole import whole_folder

SETTINGS = SearchSettings((Objective(0.95, 100),), max_load=100.0)
RATE = 200


def visits(shares: Sequence[tuple[float, float]], seconds: int = 40, seed: int = 1, **facts: object) -> list:
    """(load, readings) of stairs with so large a share over the limit at each load."""
    rng, found, k = np.random.default_rng(seed), [], 0
    for load, share in shares:
        readings = []
        for _ in range(seconds):
            over = int(rng.binomial(RATE, share))
            readings.append(
                Reading(k, float(k), k + 1.0, RATE, RATE, (over,), latency_sum_s=RATE * 0.05 * load, **facts)
            )  # type: ignore[arg-type]
            k += 1
        found.append((load, readings))
    return found


def stated(shares: Sequence[tuple[float, float]], **how: object) -> Capacity:
    found = capacity_of_visits(SETTINGS, visits(shares, **how))  # type: ignore[arg-type]
    assert found is not None
    return found


def logit(load: float) -> float:
    """5 % at 20."""
    return float(1 / (1 + 19 * (20 / load) ** 8))


RISE = [(float(load), logit(load)) for load in range(10, 26, 2)]


def test_a_rise_through_the_limit_gives_an_interval() -> None:
    found = [stated(RISE, seed=seed) for seed in range(40)]
    assert {each.finding for each in found} == {"found"}
    assert sum(each.low <= 20 <= each.high for each in found if each.low and each.high) >= 38
    assert all(each.width is not None and each.width <= 0.2 for each in found)
    one = found[0]
    assert one.binding == "P95 <= 100 ms"
    assert one.shown_met is not None
    assert one.shown_met <= 18
    assert Capacity.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_all_levels_that_meet_it_give_a_lower_end_only() -> None:
    found = stated([(4.0, 0.001), (8.0, 0.005), (12.0, 0.01)])
    assert (found.finding, found.load, found.low, found.high) == ("above max", None, 12.0, None)


def test_all_that_break_it_give_none() -> None:
    found = stated([(4.0, 0.2), (8.0, 0.5)])
    assert (found.finding, found.load, found.low, found.shown_broken) == ("below start", None, None, 4.0)


def test_levels_too_far_apart_bound_it_and_say_no_more() -> None:
    found = stated([(10.0, 0.001), (40.0, 0.3)])
    assert (found.finding, found.load, found.low, found.high) == ("between levels", None, 10.0, 39.0)


def test_a_leap_from_nothing_is_no_line() -> None:
    """With fixed service times the share leaps: 12 meets, 13 breaks, and a line from 12 to 14 would say 13."""
    found = stated([(10.0, 0.0), (12.0, 0.0), (14.0, 0.5)])
    assert (found.finding, found.low, found.high) == ("between levels", 12.0, 13.0)
    neighbours = stated([(11.0, 0.0), (12.0, 0.0), (13.0, 0.25)])
    assert (neighbours.finding, neighbours.load, neighbours.low, neighbours.high) == ("found", 12, 12.0, 12.0)


def test_a_breach_that_was_too_short_is_called_so() -> None:
    steps = [*visits([(10.0, 0.005), (40.0, 0.005)]), *visits([(80.0, 0.06)], 6)]
    found = capacity_of_visits(SETTINGS, steps)
    assert found is not None
    assert (found.finding, found.load, found.low, found.high) == ("too short", None, 40.0, None)


def test_too_few_requests_show_nothing() -> None:
    assert stated([(10.0, 0.04), (11.0, 0.045)], seconds=6).finding == "undecided"


def test_windows_that_the_generator_limited_say_nothing_of_the_endpoint() -> None:
    steps = [*visits([(10.0, 0.001)]), *visits([(20.0, 0.5)], limited=True)]
    found = capacity_of_visits(SETTINGS, steps)
    assert found is not None
    assert (found.finding, found.low, found.high) == ("generator limited", 10.0, None)


def test_what_a_quota_refuses_is_no_capacity() -> None:
    steps = [*visits([(10.0, 0.001)]), *visits([(20.0, 0.3)], throttled=60)]
    found = capacity_of_visits(SETTINGS, steps)
    assert found is not None
    assert (found.finding, found.load) == ("throttled", None)


def test_a_higher_load_that_meets_what_a_lower_one_broke_is_no_capacity() -> None:
    found = stated([(10.0, 0.3), (20.0, 0.005)])
    assert (found.finding, found.low, found.high) == ("drifting", None, None)


def stairs(users: Sequence[int], level_s: float) -> TrafficCurve:
    return TrafficCurve(tuple(Step(level_s * i, n) for i, n in enumerate(users)), level_s * len(users))


def ran(curve: TrafficCurve, limit_ms: int | None = 60, target: str = "mock:servers=4,service_ms=20") -> RunResult:
    latency = None if limit_ms is None else LatencyThreshold(0.95, limit_ms)
    return simulate(Plan(curve, StopConditions(latency=latency, flat_stops=False), TargetRef(target)))


@pytest.fixture(scope="module")
def result() -> RunResult:
    return ran(stairs(range(9, 15), 12.0))


def test_a_run_states_it_and_keeps_it(result: RunResult, tmp_path) -> None:
    found = result.capacity
    assert found is not None
    assert (found.finding, found.load, found.low, found.high) == ("found", 12, 12.0, 12.0)
    assert not result.searched
    assert read_run(whole_folder(tmp_path, result, 1_760_000_000.0).path) == result


def test_the_job_is_answered_and_judged_as_before(result: RunResult) -> None:
    bare = replace(result, capacity=None)
    for strict in (False, True):
        assert exit_code(result, gate=True, strict=strict) == exit_code(bare, gate=True, strict=strict)


def test_a_ramp_is_read_user_by_user() -> None:
    """Neighbouring users, 12 s each: a window in which a user was added belongs to neither."""
    found = ran(TrafficCurve(tuple(Step(0.0 if i == 0 else 12.5 * i, 9 + i) for i in range(6)), 75.0)).capacity
    assert found is not None
    assert (found.load, found.low, found.high) == (12, 12.0, 12.0)


def test_one_load_or_nothing_to_hold_states_none() -> None:
    assert ran(stairs([4], 20.0)).capacity is None
    assert ran(stairs([2, 4], 10.0), limit_ms=None).capacity is None


def test_a_threshold_of_the_run_counts_too() -> None:
    plain = ran(stairs(range(9, 15), 12.0), limit_ms=None)
    judged = plain.judged([parse_threshold("p95<60ms")])
    assert judged.capacity is not None
    assert (judged.capacity.load, judged.capacity.binding) == (12, "P95 <= 60 ms")


def test_a_cold_start_breaks_nothing() -> None:
    plan = Plan(
        stairs([4, 8], 20.0), StopConditions(latency=LatencyThreshold(0.95, 60), flat_stops=False), TargetRef("mock:")
    )
    windows = ran(stairs([4, 8], 20.0)).windows
    slow = [replace(w, counts=replace(w.counts, over=w.counts.judged)) if w.index < 3 else w for w in windows]
    cold = capacity_of_levels(plan, slow, cold=[(0.0, 3.0)])
    assert cold is not None
    assert (cold.finding, cold.low) == ("above max", 8.0)
    warm = capacity_of_levels(plan, slow)
    assert warm is not None
    assert warm.finding != "above max"
