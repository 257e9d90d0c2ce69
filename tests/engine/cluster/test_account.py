"""What a master believes of the windows that a worker tells of: one after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from engine_kit import plan_of
from hypothesis import given
from hypothesis import strategies as st
from told_windows import honest, many

from loadtest.engine.cluster.account import Account

PLAN = plan_of((0.0, 4), end_s=10.0, target="null:", window_s=1.0)
LATE_S = 100.0


def message(window: Mapping[str, Any]) -> dict[str, Any]:
    return {"window": window, "starts": [], "stops": []}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_garbage_is_refused_and_nothing_else(data: Any) -> None:
    with pytest.raises(ValueError, match=r"its |it "):
        Account(PLAN).window(data, LATE_S)


def test_more_requests_than_the_users_had_time_for() -> None:
    """4 users and 4 s are 16 s of requests."""
    Account(PLAN).window(message(many(1_500, 10_000)), LATE_S)
    with pytest.raises(ValueError, match=r"its requests took 2,000.0 s together, where 4 users had 20.0 s"):
        Account(PLAN).window(message(many(200_000, 10_000)), LATE_S)
    # Plug-ins may be on a clock of their own.
    own = Account(replace(PLAN, target=replace(PLAN.target, ref="simulated:Target")))
    own.window(message(many(200_000, 10_000)), LATE_S)


def test_a_wall_clock_that_was_set_forward_is_no_lie() -> None:
    stepped = {**many(4, 100_000_000), "clock_step_s": 180.0}
    Account(PLAN).window(message(stepped), LATE_S)
    with pytest.raises(ValueError, match="its requests took"):
        Account(PLAN).window(message({**stepped, "clock_step_s": 0.0}), LATE_S)


def test_windows_follow_each_other_in_time() -> None:
    account = Account(PLAN)
    account.window(message(honest(3)), LATE_S)
    for index in (3, 2, 0):
        with pytest.raises(ValueError, match="that it has told of before"):
            account.window(message(honest(index)), LATE_S)
    with pytest.raises(ValueError, match="that it has told of before"):
        account.window(message({**honest(4), "start_s": 3.5}), LATE_S)
    with pytest.raises(ValueError, match="still to come"):
        account.window(message(honest(9)), 4.0)
    account.window(message(honest(4)), LATE_S)


@pytest.mark.parametrize(
    "row", [[10**18, 1.0, 1.0], [-1, 1.0, 1.0], [0, 1e9, 1.0], [0.5, 1.0, 1.0], [0, 1.0], "row", [0, math.nan, 1.0]]
)
def test_users_that_cannot_be(row: object) -> None:
    started = {**honest(), "spawned": 1}
    with pytest.raises(ValueError, match=r"its starts have a row"):
        Account(PLAN).window({"window": started, "starts": [row], "stops": []}, LATE_S)
    with pytest.raises(ValueError, match=r"its stops have a row"):
        Account(PLAN).window({"window": honest(), "starts": [], "stops": [row]}, LATE_S)


def test_users_that_were_started_are_those_in_the_list() -> None:
    for spawned, starts in ((4, []), (999_999, [[0, 0.0, 0.0]]), (0, [[0, 0.0, 0.0]])):
        with pytest.raises(ValueError, match=r"that were started are|no count|no list"):
            Account(PLAN).window({"window": {**honest(), "spawned": spawned}, "starts": starts, "stops": []}, LATE_S)


def test_users_that_finish_while_others_begin_are_no_lie() -> None:
    """10 users leave slowly, 10 others have begun: 20 run at once, where the plan has 10."""
    account = Account(plan_of((0.0, 10), (1.0, 1), (2.0, 10), end_s=10.0, target="null:", window_s=1.0))
    account.window(message({**honest(), "running": 19, "active": 19.0}), LATE_S)
    with pytest.raises(ValueError, match="its running"):
        account.window(message({**honest(4), "running": 20}), LATE_S)
