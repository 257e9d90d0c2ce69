"""The users: started and stopped at the curve's own times, each in its closed loop.

Locust gives the `User`, and the runners in `loadtest.engine.cluster.runners`. Its shape loop is not used: it
ticks about once a second, releases users in bunches and refuses a spawn rate of 0 (locust/runners.py shape_worker,
locust/dispatch.py). Its statistics are not used either: they keep two digits. Runs in a patched process only.
"""

from __future__ import annotations

import time
from time import monotonic
from typing import Any

import gevent
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import Runner

from loadtest.core.measure.outcome import NOT_THE_ENDPOINT, Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.traffic.curve import TrafficCurve
from loadtest.engine.generator.probe import Probe
from loadtest.engine.generator.timer import Timer
from loadtest.payload.payload import Payloads
from loadtest.targets.base import PerUserTarget, RepeatingTarget, Target, raised

__all__ = ["Swarm"]

# After a refused connection, an answer that is none, or a broken target: a dead endpoint must not turn users into a
# busy loop, and a broken one not into a loop of new connections.
PAUSE_S = 0.1
PAUSING = frozenset({Kind.CONNECTION, Kind.MALFORMED, Kind.EXCEPTION, *NOT_THE_ENDPOINT})
# Until something has succeeded, a request that the service calls wrong: a mistyped name is no load to put on anybody.
WRONG = frozenset({*PAUSING, Kind.CLIENT_ERROR})
YIELD_S = 0.02  # a target that answers without ever waiting gets the loop turned for it this often


class Swarm:
    """The users of one generator process.

    started: (user, planned_s, actual_s) and stopped: the same of leaving, since the last `audit`. running: users now.
    numbers: the numbers that this process's users get, k * step + offset, so that users of several processes differ.
    """

    def __init__(
        self,
        runner: Runner,
        target: Target,
        payloads: Payloads,
        recorder: Recorder,
        probe: Probe,
        seed: int,
        numbers: tuple[int, int] = (0, 1),
    ) -> None:
        self._runner = runner
        self._target = target
        self._payloads = payloads
        self._recorder = recorder
        self._probe = probe
        self._seed = seed
        self._offset, self._stride = numbers
        self._staying: list[Any] = []  # in the order of their start; the newest leave first (T5)
        self._alive: dict[int, Any] = {}
        self._spawned = 0
        self._planned_s = 0.0
        self._start_s = 0.0
        self._starts: list[tuple[int, float, float]] = []
        self._stops: list[tuple[int, float, float]] = []
        self._active = 0
        self._active_area_s = 0.0
        self._active_at_s = time.monotonic()
        self._user_class = _user_class(self)
        # What `Environment(user_classes=...)` would do, for one class that is made after the environment.
        runner.environment.user_classes = [self._user_class]

    @property
    def pausing(self) -> frozenset[Kind]:
        """After these failures a user rests before it tries again."""
        return PAUSING if self._recorder.succeeded else WRONG

    @property
    def running(self) -> int:
        """Users whose loop has not ended, those finishing their last request included."""
        return len(self._alive)

    def follow(self, curve: TrafficCurve, start_s: float) -> None:
        """Start and stop users at the curve's times, counted from `start_s` of the monotonic clock. Blocks."""
        self._start_s = start_s
        self._keep_to(curve, start_s, -1.0)

    def rejoin(self, curve: TrafficCurve, start_s: float) -> None:
        """Take up another curve in the middle of a run: adjust to its users now, then follow it. Blocks."""
        self._start_s = start_s  # the curve before may not have begun
        now_s = time.monotonic() - start_s
        self.change(curve.users_at(now_s) - len(self._staying), now_s)
        self._keep_to(curve, start_s, now_s)

    def _keep_to(self, curve: TrafficCurve, start_s: float, after_s: float) -> None:
        timer = Timer()
        try:
            for at_s, change in curve.changes():
                if at_s > after_s:
                    due_ns = round((start_s + at_s) * 1e9)
                    if due_ns > time.monotonic_ns():
                        timer.wait_until(due_ns)
                    else:
                        gevent.sleep(0)
                    self.change(change, at_s)
        finally:
            timer.close()

    def change(self, change: int, planned_s: float) -> None:
        """Start `change` users, or let the newest -`change` go after their request in flight."""
        self._planned_s = planned_s
        # What `runner.spawn_users` does, without its debug text, for which it walks all users at every call.
        for _ in range(change):
            self._user_class(self._runner.environment).start(self._runner.user_greenlets)
        for _ in range(-change):
            if self._staying:
                user = self._staying.pop()
                user.leaves_s = planned_s
                user.leaving = True

    def release(self, now_s: float) -> None:
        """No user starts another request; `now_s` since run start."""
        self.change(-len(self._staying), now_s)

    def cut(self) -> int:
        """Kill whoever is still in a request, and record each as CUT. Returns how many."""
        now_s = time.monotonic()
        cut = [user for user in self._alive.values() if user.sent_s]
        for user in cut:
            age_ns = int((now_s - user.sent_s) * 1e9)
            self._recorder.record(Outcome(Kind.CUT, 0, 0, 0, age_ns, age_ns))
            user.sent_s = 0.0
        # Not Group.kill, which kills them in several turns of the loop: some would go on until theirs comes, and a
        # request that was counted as cut would be counted as answered too.
        gevent.killall(list(self._runner.user_greenlets), block=True, timeout=5)
        return len(cut)

    def take_active_s(self) -> float:
        """Summed time (s) that users were at work since the last take: the integral of active users."""
        self._count(0)
        area_s, self._active_area_s = self._active_area_s, 0.0
        return area_s

    def age_sum_s(self) -> float:
        """Summed ages (s) of the requests in flight."""
        now_s = time.monotonic()
        return sum(now_s - float(user.sent_s) for user in self._alive.values() if user.sent_s)

    def audit(self) -> tuple[list[tuple[int, float, float]], list[tuple[int, float, float]]]:
        """(starts, stops) since the last audit: user, planned and actual time in s since run start."""
        taken = self._starts, self._stops
        self._starts, self._stops = [], []
        return taken

    def enlist(self, user: Any) -> None:
        """A user was made (called by it): it gets its number and its place in the order."""
        user.number = self._spawned * self._stride + self._offset
        user.planned_s = self._planned_s
        self._spawned += 1
        self._staying.append(user)
        self._alive[user.number] = user

    def live(self, user: Any) -> None:
        """One user's life: payload, invoke, record, again, until it is told to leave."""
        target = shared = self._target
        self._count(+1)
        self._starts.append((user.number, user.planned_s, time.monotonic() - self._start_s))
        try:
            if isinstance(shared, PerUserTarget):
                target = shared.for_user()
            if isinstance(target, RepeatingTarget):
                self._repeat(user, target)
            else:
                self._loop(user, target)
        finally:
            self._count(-1)
            self._alive.pop(user.number, None)
            self._stops.append((user.number, user.leaves_s, time.monotonic() - self._start_s))
            if target is not shared:
                target.close()

    def _repeat(self, user: Any, target: RepeatingTarget) -> None:
        """The target goes from request to request; the user sees the outcomes, and when to end."""
        pick, listener = self._payloads.picker(self._seed, user.number), _Tally(user, self._recorder, self)
        while not user.leaving:
            user.sent_s = time.monotonic()
            try:
                target.invoke_repeatedly(pick, listener)
            except Exception as problem:
                self._recorder.record(raised(problem, int(user.sent_s * 1e9), time.monotonic_ns()))
                user.sent_s = 0.0
            self._pause(user)

    def _loop(self, user: Any, target: Target) -> None:
        invoke, record, clock = target.invoke, self._recorder.record, time.monotonic
        pick = self._payloads.picker(self._seed, user.number)
        probe, turns, turned_s = self._probe, self._probe.turns, clock()
        while not user.leaving:
            user.sent_s = sent_s = clock()
            try:
                outcome = invoke(pick())
            except Exception as problem:
                outcome = raised(problem, int(sent_s * 1e9), time.monotonic_ns())
            user.sent_s = 0.0
            record(outcome)
            if outcome.kind in self.pausing:
                self._pause(user)
            elif probe.turns != turns:
                turns, turned_s = probe.turns, sent_s
            elif sent_s - turned_s > YIELD_S:
                # Not 0: gevent would run such sleepers fifty times over before it looks at a timer again.
                gevent.sleep(1e-4)
                turned_s = clock()

    def _pause(self, user: Any) -> None:
        if not user.leaving:
            self._count(-1)
            try:
                gevent.sleep(PAUSE_S)
            finally:
                self._count(+1)

    def _count(self, change: int) -> None:
        now_s = time.monotonic()
        self._active_area_s += self._active * (now_s - self._active_at_s)
        self._active_at_s = now_s
        self._active += change


class _Tally:
    """Records what a repeating target did for one user, and says whether the user goes on."""

    __slots__ = ("_record", "_record_success", "_swarm", "_user")

    def __init__(self, user: Any, recorder: Recorder, swarm: Swarm) -> None:
        self._user, self._swarm = user, swarm
        self._record, self._record_success = recorder.record, recorder.record_success

    def answered(
        self,
        status: int,
        bytes_in: int,
        sent_ns: int,
        done_ns: int,
        model_latency_us: int | None,
        kernel_clock: bool,
    ) -> bool:
        self._record_success(done_ns - sent_ns, bytes_in, model_latency_us, kernel_clock)
        user = self._user
        if user.leaving:
            user.sent_s = 0.0
            return False
        user.sent_s = monotonic()
        return True

    def ended(self, outcome: Outcome) -> bool:
        self._record(outcome)
        goes_on = not (self._user.leaving or outcome.kind in self._swarm.pausing)
        self._user.sent_s = monotonic() if goes_on else 0.0
        return goes_on


def _user_class(swarm: Swarm) -> type[User]:
    class Invoker(User):
        """A user of Locust that calls the target until it is to leave."""

        leaving = False
        leaves_s = 0.0
        sent_s = 0.0  # monotonic time of the request in flight, 0.0 between requests

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            swarm.enlist(self)

        @task
        def live(self) -> None:
            swarm.live(self)
            raise StopUser

    return Invoker
