"""When a load test stops: the one decision maker, the same object in a child, a distributed master and virtual time.

    observe(window)  ->  history  ->  stop rules  ->  the first Decision
    tick(now_s)      ->  Hold(users) | Stop(reason, evidence)

No clock, no I/O. If several conditions hold at the same look, the first of this order wins: a request (USER,
ENGINE_LOST), then what makes the rest meaningless (TARGET_DOWN, ERRORS), then LATENCY, MAX_INVOCATIONS and FLAT, then
the end of time (JOB_DURATION, CURVE_END). Once stopped it stays stopped, for the same reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from loadtest.core.decision import Decision, Hold, Reason, Stop
from loadtest.core.plan import Plan
from loadtest.core.record import Window
from loadtest.core.stop.duration import Duration
from loadtest.core.stop.errors import ErrorBudget, TargetDown
from loadtest.core.stop.max_invocations import MaxInvocations

__all__ = ["Controller", "Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log. kind: "stop", "withheld" or "verdict"; facts: JSON values, units in the names."""

    at_s: float
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Controller:
    """Decides for one run of `plan`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._duration = Duration(plan.curve.end_s, plan.limit_s)
        self._down = TargetDown()
        stop, options = plan.stop, plan.options
        self._budget = None if stop.max_error_ratio is None else ErrorBudget(stop.max_error_ratio)
        target = stop.max_invocations_per_min
        self._rate = None if target is None else MaxInvocations(target, options.rate_window_s)
        self._kept_s = max(60.0, self._down.silent_s, options.rate_window_s) + 2 * options.window_s
        self._recent: deque[Window] = deque()
        self._stop: Stop | None = None
        self._now_s = 0.0
        self._events: list[Event] = []

    def observe(self, window: Window) -> None:
        """Take the next window, in order. After a stop windows are of the draining and decide nothing."""
        if self._stop is not None:
            return
        self._now_s = max(self._now_s, window.end_s)
        # The encoded histograms are a thousand times what the rules need.
        self._recent.append(replace(window, latency="", model_latency=""))
        while self._recent[-1].end_s - self._recent[0].end_s > self._kept_s:
            self._recent.popleft()
        decision = next(self._decisions(), None)
        if decision is not None:
            self._end(decision, window.end_s)

    def tick(self, now_s: float) -> Hold | Stop:
        """What to do at `now_s` (s since run start): go on with so many users, or stop."""
        self._now_s = max(self._now_s, now_s)
        if self._stop is None:
            decision = self._duration.check(now_s)
            if decision is None:
                return Hold(self._plan.curve.users_at(now_s))
            self._end(decision, now_s)
        assert self._stop is not None
        return self._stop

    def request_stop(self, reason: Reason, evidence: Mapping[str, Any] | None = None) -> None:
        """Stop for a reason from outside (USER, ENGINE_LOST); nothing changes if it has stopped already."""
        if self._stop is None:
            self._end(Decision(reason, evidence or {}), self._now_s)

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, in time order."""
        return tuple(self._events)

    def progress(self) -> Mapping[str, Any]:
        """How near each stop condition is: 0..1 by name, or a few facts; JSON values."""
        near: dict[str, Any] = {"time": self._duration.progress(self._now_s)}
        if self._rate is not None:
            near["max_invocations"] = self._rate.progress(self._recent)
        if self._budget is not None:
            near["errors"] = self._budget.progress(self._recent)
        return near

    def _decisions(self) -> Iterator[Decision]:
        """Every condition that holds now, the most important first."""
        found = [self._down.check(self._recent)]
        if self._budget is not None:
            found.append(self._budget.check(self._recent))
        if self._rate is not None:
            found.append(self._rate.check(self._recent))
        return (decision for decision in found if decision is not None)

    def _end(self, decision: Decision, at_s: float) -> None:
        self._stop = Stop(decision.reason, decision.evidence)
        self._events.append(Event(at_s, "stop", {"reason": decision.reason.value, **decision.evidence}))
