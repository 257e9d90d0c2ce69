"""Epoch seconds that never go back, and the one clock of a job with its log lines in that clock's order."""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable

from loadtest.jobs.events import EventSink, MetricPoint, NoEvents

__all__ = ["JobClock", "SteadyClock"]


class SteadyClock:
    """The wall clock; when that is set back, this one goes on from where it was, at its own pace. Thread-safe.

    wall: epoch seconds. elapsed: seconds of a clock that nobody sets.
    """

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._now_s = wall()
        self._at_s = elapsed()

    def __call__(self) -> float:
        """Epoch seconds, never less than at the call before."""
        with self._lock:
            at_s = self._elapsed()
            self._now_s = max(self._wall(), self._now_s + at_s - self._at_s)
            self._at_s = at_s
            return self._now_s


class JobClock:
    """The clock of one job, from `begin_s`, and an EventSink that passes lines on in its order. Thread-safe.

    now: epoch seconds, of a job in real time. None: the job's time is virtual, and tests that lie side by side are
    computed one after the other. A line waits then until `reach` says that nothing can begin before it.
    """

    def __init__(self, events: EventSink, begin_s: float, now: Callable[[], float] | None) -> None:
        self.begin_s = begin_s
        self._events = events
        self._now = now
        self._reached_s = begin_s
        self._waiting: list[tuple[float, int, str, str]] = []  # (time_s, how many were said before, stream, message)
        self._said = 0
        self._ended = False
        self._lock = threading.Lock()

    @property
    def virtual(self) -> bool:
        """Its seconds are not the wall clock's."""
        return self._now is None

    @property
    def is_heard(self) -> bool:
        """Is anybody listening?"""
        return not isinstance(self._events, NoEvents)

    def now_s(self) -> float:
        """Epoch seconds to the millisecond: in virtual time, the instant that was reached."""
        with self._lock:
            if self._now is not None:
                self._reached_s = max(self._reached_s, round(self._now(), 3))
            return self._reached_s

    def reach(self, time_s: float) -> None:
        """Nothing will be said any more of what was before."""
        with self._lock:
            while self._waiting and self._waiting[0][0] <= time_s:
                self._pass_on(*heapq.heappop(self._waiting))
            if time_s < math.inf:
                self._reached_s = max(self._reached_s, time_s)

    def end_s(self) -> float:
        """The job's end, epoch seconds: its tests have ended, no line waits any more."""
        self.reach(math.inf)
        with self._lock:
            self._ended = True
        return self.now_s()

    def log(self, stream: str, message: str, time_s: float) -> None:
        """One line of one stream. Of two threads that looked at the clock the later may speak first: its time holds."""
        with self._lock:
            line = (time_s, self._said, stream, message)
            self._said += 1
            if self.virtual and not self._ended:
                heapq.heappush(self._waiting, line)
            else:
                self._pass_on(*line)

    def metric(self, point: MetricPoint) -> None:
        """One minute of one metric; they have no order."""
        self._events.metric(point)

    def _pass_on(self, time_s: float, _: int, stream: str, message: str) -> None:
        self._reached_s = max(self._reached_s, time_s)
        self._events.log(stream, message, self._reached_s)
