"""The capacity that a finished run has found: by a search, or by the levels that were planned. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.core.judge.course import found_by, sailed
from loadtest.core.judge.decision import Reason
from loadtest.core.judge.slow import SlowRequests
from loadtest.core.judge.watch import is_told
from loadtest.core.measure.window import Window
from loadtest.core.request.search import Objective
from loadtest.core.result.thresholds import Threshold
from loadtest.core.search.capacity import Capacity
from loadtest.core.search.of_levels import capacity_of_levels
from loadtest.core.traffic.plan import Plan

__all__ = ["held_capacity", "searched_capacity"]


def held_capacity(
    plan: Plan, traffic: Sequence[Window], slow: SlowRequests | None, asked: Sequence[Threshold] = ()
) -> Capacity | None:
    """What the levels of a run show of the largest load that holds its threshold, its error budget and `asked`.

    traffic: its windows, without the draining. slow: names the cold starts, which do not count. None: as for
    `capacity_of_levels`, and if limits of latency are about a clock that is not told.
    """
    limits = [Objective(each.percentile, each.limit) for each in asked if each.percentile is not None]
    if (limits or plan.stop.latency is not None) and not is_told(plan, traffic):
        return None
    ratios = [each.limit for each in asked if each.metric == "error_rate"]
    cold = () if slow is None else tuple((each.start_s, each.start_s + each.length_s) for each in slow.cold_starts)
    return capacity_of_levels(plan, traffic, limits, min(ratios, default=None), cold)


def searched_capacity(
    plan: Plan, windows: Sequence[Window], reason: Reason, stopped_at_s: float | None
) -> tuple[Plan, Capacity | None]:
    """(the plan with the loads that its search held, what that found); None: it has no search."""
    if plan.search is None:
        return plan, None
    course = sailed(plan, windows, stopped_at_s)
    return course.plan, found_by(course, reason)
