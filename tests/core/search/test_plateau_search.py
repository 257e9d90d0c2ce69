"""The search of a Default job: where throughput levels out, in closed loops whose plateau is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from loadtest.core.judge.course import sailed
from loadtest.core.judge.decision import Reason
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import StopConditions
from loadtest.core.result.result import RunResult
from loadtest.core.search.capacity import Capacity, Finished, Move
from loadtest.core.search.plateau_search import GROWS, PlateauSearch
from loadtest.core.search.reading import Reading
from loadtest.core.search.throughput import Held, Throughput
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef, search_plan
from loadtest.engine.sim import simulate

SETTINGS = SearchSettings(goal="plateau", max_error_ratio=0.01, max_load=48, level_s=20, budget_s=220)
Curve = Callable[[int], float]


def searched(
    curve: Curve,
    settings: SearchSettings = SETTINGS,
    *,
    fails: Callable[[int], float] = lambda users: 0.0,
    limited_from: int = 10**9,
    later: float = 1.0,
) -> tuple[Capacity, list[float]]:
    """What is found where `users` bring curve(users) a second, exactly; `later`: times as many after 24 s."""
    search, users, k, loads = PlateauSearch(settings), round(settings.start), 0, [settings.start]
    pending: Move | None = None
    while True:
        if pending is not None and pending.at_s <= k:
            users, pending = round(pending.load), None
            loads.append(float(users))
        n = round(curve(users) * (later if k >= 24 else 1.0))
        bad = round(n * fails(users))
        sum_s = float(users) * (n - bad) / max(n, 1)
        limited = users >= limited_from
        answer = search.take(Reading(k, float(k), k + 1.0, n, n - bad, (bad,), 0, sum_s, limited=limited))
        if isinstance(answer, Finished):
            return search.capacity(), loads
        pending = answer or pending
        k += 1


def servers(c: int, per_s: float = 50.0) -> Curve:
    return lambda users: min(users, c) * per_s


@pytest.mark.parametrize("c", [1, 2, 3, 4, 5, 6, 7, 9, 12, 15, 16, 17, 23, 31, 40])
def test_as_many_users_as_servers_are_found(c: int) -> None:
    found, loads = searched(servers(c))
    assert (found.finding, found.knee_users, found.binding) == ("found", found.load, GROWS)
    assert found.load is not None
    assert found.load == pytest.approx(c, abs=0.1 * c if c > 9 else 0.0)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= c <= found.high
    assert found.per_min == pytest.approx(60 * 50 * c, rel=0.05)
    assert len(loads) <= 10, "the lines through the loads that were held meet where the plateau begins"


def test_a_step_that_was_no_gain_does_not_end_it() -> None:
    """A batching server gains in steps: one doubling brings nothing, the next as much as ever."""
    found, _ = searched(lambda users: 50.0 * min(users, 16) - (60 if users == 4 else 0))
    assert found.load == 16


def test_throughput_that_falls_after_its_peak() -> None:
    found, _ = searched(lambda users: 50.0 * users / (1 + 0.02 * (users - 1) + 0.004 * users * (users - 1)))
    assert found.load is not None
    assert 9 <= found.load <= 14


def test_one_that_grows_to_the_end_has_the_rate_of_the_highest_load() -> None:
    found, _ = searched(servers(100))
    assert (found.finding, found.load, found.shown_met, found.high) == ("above max", None, 48.0, None)
    assert found.per_min == pytest.approx(48 * 50 * 60)


def test_where_requests_fail_the_load_below_is_found() -> None:
    """A serverless endpoint: ten at a time, and everybody else is refused at once."""
    found, _ = searched(servers(40), fails=lambda users: 0.0 if users <= 10 else 0.3)
    assert (found.finding, found.load, found.high, found.shown_broken) == ("found", 10, 10, 11)
    assert found.binding == "errors <= 1 %"


def test_failures_of_the_first_load_leave_nothing_to_find() -> None:
    found, loads = searched(servers(4), fails=lambda users: 0.2)
    assert (found.finding, found.load, found.per_min, loads) == ("below start", None, None, [1.0])


def test_a_generator_that_sets_the_pace_ends_the_rise() -> None:
    found, _ = searched(servers(100), limited_from=16)
    assert (found.finding, found.load, found.shown_met) == ("generator limited", None, 15.0)
    assert found.per_min == pytest.approx(15 * 50 * 60), "what was held below is reported, and doubted"


def test_time_ends_it_with_the_best_so_far() -> None:
    found, _ = searched(servers(4), replace(SETTINGS, budget_s=12))
    assert (found.finding, found.load) == ("budget", None)
    assert found.shown_met is not None
    assert found.per_min is not None


def test_an_endpoint_that_became_another_has_no_number() -> None:
    assert searched(servers(4), later=0.6)[0].finding == "drifting"
    assert searched(servers(4), later=2.0)[0].finding == "scaling out"


def test_what_is_cold_is_not_counted() -> None:
    """Nothing for eight seconds, then at full speed."""
    search = PlateauSearch(SETTINGS)
    for k in range(8):
        assert search.take(Reading(k, float(k), k + 1.0, 0, 0, (0,))) is None
    assert search.take(Reading(8, 8.0, 9.0, 10, 10, (0,), latency_sum_s=80.0)) is None
    assert search.capacity().per_min is None
    for k in range(9, 12):
        search.take(Reading(k, float(k), k + 1.0, 50, 50, (0,), latency_sum_s=1.0))
    assert search.capacity().per_min == 3000


@pytest.fixture(scope="module")
def result() -> RunResult:
    any_plan = Plan(TrafficCurve((Step(0.0, 1),), 1.0), StopConditions(), TargetRef("mock:servers=4,service_ms=20"))
    return simulate(search_plan(any_plan, SETTINGS))


def test_a_run_reports_the_stretch_that_was_held_to_the_end(result: RunResult) -> None:
    found, best = result.capacity, result.best
    assert result.reason is Reason.CAPACITY
    assert found is not None
    assert best is not None
    assert (found.finding, found.load, best.per_min) == ("found", 4, pytest.approx(12_000, rel=0.01))
    assert best.start_s >= found.evidence["held_from_s"] > 0
    assert (best.low_per_min, best.high_per_min) == (found.per_min_low, found.per_min_high)
    latency = result.latency
    assert (latency.low_ms, latency.measured_ms, latency.high_ms) == pytest.approx((20, 20, 20), rel=0.01)


def test_windows_alone_give_it_again(result: RunResult) -> None:
    again = sailed(result.plan, result.windows, result.stopped_at_s)
    assert (again.plan, again.capacity()) == (result.plan, result.capacity)
    assert RunResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert Plan.from_dict(json.loads(json.dumps(result.plan.to_dict()))) == result.plan


def test_a_plateau_is_of_users() -> None:
    with pytest.raises(ValueError, match="a plateau is searched by users"):
        SearchSettings(goal="plateau", by="rate")
    assert SearchSettings(goal="plateau").objectives == ()


def level(users: int, per_s: int) -> Held:
    return Held(users, [per_s] * 10, [1.0] * 10, 10 * per_s)


def test_only_where_the_lines_leave_room_there_is_hope() -> None:
    known = Throughput(0.01, 0.95, {n: level(n, min(n, 6) * 50) for n in (1, 2, 4, 8, 16)})
    assert (known.best(), known.higher(48)) == (8, None)
    assert next(known.between(0.025)) == 6
    known.levels[6] = level(6, 300)
    assert (known.best(), list(known.between(0.025)), known.bounds(6)) == (6, [], (5.0, 7.0))
