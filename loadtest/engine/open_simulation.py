"""The loop of virtual time for an open workload: requests at their own times, whatever became of those before."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.window import Window
from loadtest.core.traffic.arrivals import Sends
from loadtest.core.traffic.plan import Plan
from loadtest.engine.simulation import INSTANT_S, ROUND_TRIP_S, Server, Simulation, outcome_of

__all__ = ["OpenSimulation"]


class OpenSimulation(Simulation):
    """A request that finds as many in flight as the curve allows is dropped."""

    def __init__(self, plan: Plan, server: Server, on_window: Callable[[Window], None]) -> None:
        super().__init__(plan, server, on_window)
        assert plan.arrivals is not None
        self._ahead.clear()  # the curve is a limit: it starts nobody
        self._limit = plan.curve.peak
        self._times_s = plan.arrivals.times_s()
        self._due_s = next(self._times_s, inf)
        self._intended = self._dropped = self._number = 0

    def _follow(self, plan: Plan) -> None:
        if plan is not self._plan:
            super()._follow(plan)
            self._ahead.clear()
            assert plan.arrivals is not None
            # What is due from the move's time on is due at the new rate.
            self._times_s = plan.arrivals.times_s(after_s=self._sent_s)
            self._due_s = next(self._times_s, inf)

    _sent_s = -1.0

    def _fly_until(self, until_s: float) -> None:
        """Send what is due and finish what is done before `until_s`, in the order of time."""
        flights = self._flights
        while True:
            done_s = flights[0][0] if flights else inf
            due_s = self._due_s if self._stop is None else inf
            if min(done_s, due_s) >= until_s:
                return
            now_s = min(done_s, due_s)
            if now_s >= self._slice_end_s:
                self._mark(now_s)
            self._count(now_s)
            if done_s <= due_s:
                _, _, sent_s, answer = heappop(flights)
                outcome = outcome_of(sent_s, done_s, answer)
                self._recorder.record_response(outcome, outcome.done_ns - outcome.sent_ns)
            else:
                self._send(due_s)

    def _send(self, at_s: float) -> None:
        self._intended += 1
        self._sent_s = at_s
        self._due_s = next(self._times_s, inf)
        if len(self._flights) >= self._limit:
            self._dropped += 1
            return
        answer = self._server(at_s)
        done_s = answer.done_s if answer.done_s > at_s + INSTANT_S else at_s + ROUND_TRIP_S
        self._number += 1
        heappush(self._flights, (done_s, self._number, at_s, answer))

    def _take_sends(self) -> Sends:
        sends = Sends(self._intended, 0, 0, self._dropped)
        self._intended = self._dropped = 0
        return sends

    def _cut(self, now_s: float) -> None:
        self._count(now_s)
        for _, _, sent_s, _ in sorted(self._flights):
            age_ns = round((now_s - sent_s) * 1e9)
            outcome = Outcome(Kind.CUT, 0, 0, 0, age_ns, age_ns, kernel_clock=True)
            self._recorder.record_response(outcome, age_ns)
        self._flights.clear()
