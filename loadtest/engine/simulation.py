"""The loop of virtual time: users whose next completion is always known. No clock, no sockets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

from loadtest.core.judge.control import Controller
from loadtest.core.judge.decision import Stop
from loadtest.core.measure.counts import SLICES
from loadtest.core.measure.health import Health
from loadtest.core.measure.levels import level_of, plan_levels
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Frame, recorder_of
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Load, Span, Window
from loadtest.core.traffic.arrivals import Sends
from loadtest.core.traffic.plan import Plan
from loadtest.endpoint.latency import Answer
from loadtest.targets.classify import classify

__all__ = ["ROUND_TRIP_S", "Server", "Simulation", "VirtualRun", "outcome_of"]

Server = Callable[[float], Answer]
"""Answers a request that arrives at a time in s; called with times that never fall."""

ROUND_TRIP_S = 0.001  # of an answer that takes no time at all (a refusal): virtual time must go on
INSTANT_S = 1e-6


@dataclass(frozen=True, slots=True)
class VirtualRun:
    """What came of a run in virtual time.

    windows: all, those of the draining included. stopped_at_s: when the stop came. changes: the users' schedule.

    plan: as it was given, or, of a search, with the loads that it chose.
    """

    windows: tuple[Window, ...]
    stop: Stop
    stopped_at_s: float
    changes: tuple[UserChange, ...]
    plan: Plan


class Simulation:
    """One run. Instants are s since its start; a window is half open, so a completion at its end is the next one's."""

    def __init__(self, plan: Plan, server: Server, on_window: Callable[[Window], None]) -> None:
        self._plan = plan
        self._server = server
        self._on_window = on_window
        self._levels = plan_levels(plan)
        self._controller = Controller(plan)
        self._ahead = deque(plan.curve.changes())
        self._recorder = recorder_of(plan)
        # (done_s, user, sent_s, answer) of every request in flight
        self._flights: list[tuple[float, int, float, Answer]] = []
        self._staying: list[int] = []  # oldest first
        self._leaving: dict[int, float] = {}  # user: when it was told to go
        self._next_user = 0
        self._windows: list[Window] = []
        self._user_changes: list[UserChange] = []
        self._stop: Stop | None = None
        self._stopped_at_s = 0.0
        self._index = 0
        self._start_s = 0.0  # of the window under way
        self._slice_s = plan.options.window_s / SLICES
        self._slice_end_s = self._slice_s
        self._spawned = 0
        self._active_area_s = 0.0
        self._active_at_s = 0.0

    def run(self) -> VirtualRun:
        window_s, end_s = self._plan.options.window_s, self._plan.end_s
        while self._stop is None:
            window_end_s = (self._index + 1) * window_s
            now_s = min(window_end_s, end_s, self._ahead[0][0] if self._ahead else end_s)
            self._fly_until(now_s)
            if now_s == window_end_s:
                self._close_window(now_s, window_end_s)
            if now_s in (window_end_s, end_s):
                self._decide(now_s)
            while self._ahead and self._ahead[0][0] <= now_s and self._stop is None:
                self._change(self._ahead.popleft()[1], now_s)
        self._drain()
        changes = tuple(self._user_changes)
        return VirtualRun(tuple(self._windows), self._stop, self._stopped_at_s, changes, self._plan)

    def _follow(self, plan: Plan) -> None:
        """Go on with a curve that has grown."""
        if plan is not self._plan:
            known = len(self._plan.curve.steps)
            self._ahead.extend([*plan.curve.changes()][known:])
            self._plan, self._levels = plan, plan_levels(plan)

    def _fly_until(self, until_s: float) -> None:
        """Finish every request that is done before `until_s`; users that stay send their next one at once."""
        flights, leaving, server, record = self._flights, self._leaving, self._server, self._recorder.record
        while flights and flights[0][0] < until_s:
            done_s, user, sent_s, answer = flights[0]
            if done_s >= self._slice_end_s:
                self._mark(done_s)
            record(outcome_of(sent_s, done_s, answer))
            if user in leaving:
                heappop(flights)
                self._gone(user, done_s)
                continue
            answer = server(done_s)
            next_s = answer.done_s
            if next_s <= done_s + INSTANT_S:
                next_s = done_s + ROUND_TRIP_S
            heapreplace(flights, (next_s, user, done_s, answer))

    def _mark(self, now_s: float) -> None:
        slice_ = int((now_s - self._start_s) / self._slice_s + 1e-9)
        self._recorder.mark(slice_)
        self._slice_end_s = self._start_s + (slice_ + 1) * self._slice_s

    def _change(self, change: int, now_s: float) -> None:
        """Start users, or let the newest go after their request in flight."""
        self._count(now_s)
        for _ in range(change):
            user, self._next_user = self._next_user, self._next_user + 1
            self._staying.append(user)
            self._user_changes.append(UserChange(user, "start", now_s, now_s))
            self._spawned += 1
            answer = self._server(now_s)
            done_s = answer.done_s if answer.done_s > now_s + INSTANT_S else now_s + ROUND_TRIP_S
            heappush(self._flights, (done_s, user, now_s, answer))
        for _ in range(-change):
            self._leaving[self._staying.pop()] = now_s

    def _gone(self, user: int, now_s: float) -> None:
        self._count(now_s, -1)
        self._user_changes.append(UserChange(user, "stop", self._leaving.pop(user), now_s))

    def _count(self, now_s: float, gone: int = 0) -> None:
        """Add up the time that users were running; each has a request in flight, `gone` of them had."""
        self._active_area_s += (len(self._flights) - gone) * (now_s - self._active_at_s)
        self._active_at_s = now_s

    def _close_window(self, now_s: float, planned_end_s: float) -> None:
        self._count(now_s)
        options, flights = self._plan.options, self._flights
        planned_s = self._index * options.window_s
        released = self._stop is not None
        level = None if released else level_of(self._levels, planned_s, planned_end_s)
        users = 0 if released else self._plan.curve.users_at(planned_s)
        frame = Frame(
            Span(self._index, self._start_s, now_s, level),
            Load(users, running=len(flights), active=self._active_area_s / (now_s - self._start_s)),
            age_sum_s=sum(now_s - flight[2] for flight in flights),
            health=Health(spawned=self._spawned),
            sends=self._take_sends(),
        )
        self._recorder.mark(SLICES)
        window = self._recorder.take(frame)
        self._index += 1
        self._slice_end_s = now_s + self._slice_s
        self._start_s, self._active_area_s, self._spawned = now_s, 0.0, 0
        self._windows.append(window)
        self._controller.observe(window)
        self._follow(self._controller.plan)
        self._on_window(window)

    def _take_sends(self) -> Sends:
        return Sends()

    def _decide(self, now_s: float) -> None:
        decision = self._controller.tick(now_s)
        if isinstance(decision, Stop):
            self._stop, self._stopped_at_s = decision, now_s
            self._change(-len(self._staying), now_s)

    def _drain(self) -> None:
        """Let the requests in flight end, or cut them at the drain limit (S8)."""
        limit_s = self._stopped_at_s + self._plan.options.drain_s
        while self._flights:
            window_end_s = (self._index + 1) * self._plan.options.window_s
            last_s = max(flight[0] for flight in self._flights)
            # The window in which the last request ends is cut short there, and it includes that request.
            now_s = min(window_end_s, last_s, limit_s)
            self._fly_until(now_s + INSTANT_S if now_s == last_s else now_s)
            if now_s == limit_s:
                self._cut(now_s)
            if now_s == window_end_s or not self._flights:
                self._close_window(max(now_s, self._start_s + INSTANT_S), window_end_s)

    def _cut(self, now_s: float) -> None:
        for _, user, sent_s, _ in sorted(self._flights):
            age_ns = round((now_s - sent_s) * 1e9)
            self._recorder.record(Outcome(Kind.CUT, 0, 0, 0, age_ns, age_ns, kernel_clock=True))
            self._user_changes.append(UserChange(user, "stop", self._leaving.pop(user), now_s))
        self._count(now_s)
        self._flights.clear()


def outcome_of(sent_s: float, done_s: float, answer: Answer) -> Outcome:
    # Not done - sent of the rounded instants: that differs by 1 ns, and a latency equal to the limit is not over it.
    # int(x + 0.5) rounds in half the time of round(x), and this is done for every request.
    sent_ns = int(sent_s * 1e9)
    done_ns = sent_ns + int((done_s - sent_s) * 1e9 + 0.5)
    if answer.status == 200:
        return Outcome(Kind.OK, 200, 0, sent_ns, done_ns, done_ns, answer.model_latency_us, "", True)
    kind, detail = classify(answer.status, answer.code, answer.original_status or None)
    return Outcome(kind, answer.status, 0, sent_ns, done_ns, done_ns, None, detail, True)
