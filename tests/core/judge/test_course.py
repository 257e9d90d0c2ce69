"""A run whose load is chosen as it goes: the controller steers it, and its windows alone give it back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loadtest.core.judge.control import Controller
from loadtest.core.judge.course import sailed
from loadtest.core.judge.decision import Reason
from loadtest.core.measure.levels import plan_levels
from loadtest.core.request.search import Objective, SearchSettings
from loadtest.core.request.spec import StopConditions
from loadtest.core.result.exit_code import exit_code
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef, search_plan
from loadtest.engine.sim import simulate
from loadtest.report.recovery import read_run
from loadtest.report.whole import whole_folder

ANY = Plan(TrafficCurve((Step(0.0, 1),), 1.0), StopConditions(), TargetRef("mock:servers=4,service_ms=20"))


def searching(**settings: object) -> Plan:
    return search_plan(ANY, SearchSettings(**{"objectives": (Objective(0.95, 60),), "max_load": 200.0, **settings}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found() -> RunResult:
    return simulate(searching())


def test_the_largest_number_of_users_is_found(found: RunResult) -> None:
    # Four servers, 20 ms each: user number 12 waits 60 ms for its answer, number 13 longer.
    assert found.reason is Reason.CAPACITY
    assert (found.capacity.finding, found.capacity.load, found.capacity.per_min) == ("found", 12, 12_000)  # type: ignore[union-attr]
    assert found.max_invocations_per_min == 12_000
    assert exit_code(found, gate=True, strict=True) == 0


def test_each_load_that_was_held_is_a_level(found: RunResult) -> None:
    levels = plan_levels(found.plan)
    assert [(level.start_s, level.users) for level in levels] == [(0.0, 1), *found.plan.moves]
    for window in found.windows:
        if window.level is not None:
            assert window.users == levels[window.level].users
    assert (found.overall, found.verdicts) == (None, ()), "it goes beyond the limit on purpose"


def test_windows_alone_give_the_course_again(found: RunResult) -> None:
    again = sailed(found.plan, found.windows, found.stopped_at_s)
    assert (again.plan, again.capacity()) == (found.plan, found.capacity)
    controller = Controller(found.plan)
    for window in found.windows:
        controller.observe(window)
    assert controller.plan == found.plan


def test_a_folder_gives_the_same_result(found: RunResult, tmp_path) -> None:
    assert read_run(whole_folder(tmp_path, found, 1_760_000_000.0).path) == found
    assert RunResult.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert Plan.from_dict(json.loads(json.dumps(found.plan.to_dict()))) == found.plan


def test_the_budget_is_a_hard_end() -> None:
    result = simulate(searching(budget_s=8.0))
    assert (result.reason, result.stopped_at_s) == (Reason.CAPACITY, 8.0)
    assert result.capacity is not None
    assert result.capacity.finding == "budget"
    assert exit_code(result, gate=False, strict=False) == 3


def test_a_broken_limit_ends_no_search_but_a_dead_endpoint_does() -> None:
    dead = replace(searching(), target=TargetRef("mock:error_ratio=1"))
    assert simulate(dead).reason is Reason.TARGET_DOWN


def test_by_rate_arrivals_change_at_the_moves() -> None:
    result = simulate(searching(by="rate", max_load=400.0))
    assert result.plan.arrivals is not None
    assert result.plan.moves == result.plan.arrivals.steps
    assert result.capacity is not None
    assert result.capacity.by == "rate"
    assert 190 <= (result.capacity.low or 0) <= (result.capacity.high or 0) <= 210
    loads = [1.0, *(load for _, load in result.plan.moves)]
    for window in result.windows:
        if window.level is not None and window.users:
            assert abs(window.sends.intended - loads[window.level] * window.length_s) <= 1.001
