"""The course of a run whose load is chosen as it goes: the search, and the curve that its moves make.

The controller steers by it while the run goes, and a result is rebuilt by it from the windows alone: the same windows
give the same moves. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from loadtest.core.judge.decision import Reason
from loadtest.core.measure.window import Window
from loadtest.core.search.capacity import Capacity, Finished, Move
from loadtest.core.search.plateau_search import PlateauSearch
from loadtest.core.search.search import Search
from loadtest.core.traffic.plan import Plan

__all__ = ["Course", "capacity_evidence", "found_by", "progress_of", "sailed"]


class Course:
    """The moves of a search, and the curve that they make.

    Of one run of `plan`, which asks for a search; moves that the plan has already are made anew.

    plan: with the loads so far; a new one after each move.
    """

    def __init__(self, plan: Plan) -> None:
        assert plan.search is not None
        window_s = plan.options.window_s
        # Several generators must have heard of a move before its time; one is told at once.
        lead_s = window_s if plan.workers > 1 else 0.0
        self._search = (
            PlateauSearch(plan.search, window_s, lead_s)
            if plan.search.goal == "plateau"
            else Search(plan.search, window_s, lead_s, plan.options.latency_clock)
        )
        self.plan = plan.unmoved

    def observe(self, window: Window) -> Finished | None:
        """Take the next window, in order, none of the draining; what ended the search, None: it goes on."""
        found = self._search.observe(window)
        if isinstance(found, Move):
            self.plan = self.plan.moved(found.at_s, found.load)
        return found if isinstance(found, Finished) else None

    def capacity(self) -> Capacity:
        """What is known so far."""
        return self._search.capacity()


def sailed(plan: Plan, windows: Sequence[Window], stopped_at_s: float | None) -> Course:
    """The course that `windows` have taken, those of a whole run, in order.

    stopped_at_s: when the traffic ended; None: not told.
    """
    course = Course(plan)
    ended_s = math.inf if stopped_at_s is None else stopped_at_s
    for window in windows:
        if window.users and window.end_s <= ended_s + 1e-3 and course.observe(window) is not None:
            break
    return course


def found_by(course: Course, reason: Reason) -> Capacity:
    """What a search found that is over for `reason`: one that time ended without a last window says so, too."""
    found = course.capacity()
    return replace(found, finding="budget") if (found.finding, reason) == ("searching", Reason.CAPACITY) else found


def capacity_evidence(course: Course) -> dict[str, Any]:
    """Why the search ended, for the audit log."""
    found = course.capacity()
    return {"finding": found.finding, "load": found.load, "low": found.low, "high": found.high, "by": found.by}


def progress_of(found: Capacity) -> Mapping[str, Any]:
    """What a line that is told every few seconds says of a search."""
    return {"low": found.low, "high": found.high, "shown_met": found.shown_met, "shown_broken": found.shown_broken}
