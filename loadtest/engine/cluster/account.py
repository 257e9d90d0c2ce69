"""What one worker has told of a run so far, and whether its next window can be true beside it.

A window may be possible by itself and not after those before it: time that was told already, time to come, more
requests than so many users can have had in flight. No clock: what time it is is an argument. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.core.measure.window import Window
from loadtest.core.traffic.plan import SCHEMES, Plan
from loadtest.engine.cluster import heard
from loadtest.engine.cluster.window_check import WindowBounds, most_running

__all__ = ["Account"]

CLOCKS_S = 5.0  # two machines' clocks are asked beforehand; an exchange is slow where a machine stalls
BUSY_SLACK_S = 1.0  # a user: what is in flight when a window ends is known to the loop's turn only
TICK_S = 1e-5  # bounds of windows are told in whole microseconds


class Account:
    """The account of one worker of `plan`."""

    def __init__(self, plan: Plan) -> None:
        self._bounds = WindowBounds(plan)
        self._users = most_running(plan)
        self._numbers = (2 * self._users + 1) * plan.workers  # of users that took over from a lost worker too
        if plan.search is not None:
            self._numbers *= 100  # each move starts users with numbers of their own
        # A plug-in may be on a clock of its own, a simulated one, say. Ours are on this machine's.
        self._real_time = plan.target.scheme in SCHEMES
        self._index = -1
        self._end_s = 0.0
        self._busy_s = 0.0
        self._steps_s = 0.0

    def window(self, message: object, now_s: float) -> tuple[Window, list[list[float]], list[list[float]]]:
        """(window, starts, stops) that a worker's message tells of, heard at run time `now_s`.

        Raises ValueError with the first thing that cannot be.
        """
        told = heard.members(message)
        window = self._bounds.window(told.get("window"))
        starts = heard.user_times(told, "starts", self._numbers, self._bounds.end_s)
        stops = heard.user_times(told, "stops", self._numbers, self._bounds.end_s)
        if window.health.spawned != len(starts):
            raise ValueError(f"its {window.health.spawned:,} users that were started are {len(starts):,} in its list")
        self._follow(window, now_s)
        return window, starts, stops

    def cut(self, message: object) -> int:
        """How many requests it had to end."""
        data: Mapping[str, Any] = heard.members(message)
        return heard.count(data, "cut", self._users)

    def _follow(self, window: Window, now_s: float) -> None:
        """Raises ValueError if it cannot follow what was told."""
        if window.index <= self._index or window.start_s < self._end_s - TICK_S:
            raise ValueError(f"its window {window.index} tells of a time that it has told of before")
        if window.end_s > now_s + CLOCKS_S:
            raise ValueError(f"its window {window.index} tells of a time that is still to come")
        self._index, self._end_s = window.index, window.end_s
        # A wall clock that was set forward falsifies the requests in flight; the windows say so.
        self._steps_s += max(window.health.clock_step_s, 0.0)
        self._busy_s += max(window.counts.latency_sum_s, window.load.in_flight * window.length_s)
        most_s = self._users * (window.end_s + self._steps_s + BUSY_SLACK_S)
        if self._real_time and self._busy_s > most_s:
            raise ValueError(
                f"its requests took {self._busy_s:,.1f} s together, where {self._users} users had {most_s:,.1f} s"
            )
