"""The senders of an open workload: each request leaves at its own time, whatever became of those before it.

Runs in a patched process only. A sender is a greenlet with a connection of its own that waits to be given a request;
the one used last is given the next, so that no more connections are opened than are needed. If every sender is busy a
new one is started, up to the limit of requests in flight; beyond it a request is dropped and counted. Nothing is ever
slowed down: a request that leaves late is sent at once, counted, and measured from the time it was intended for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import Waiter

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.traffic.arrivals import LATE_NS, VERY_LATE_NS, Arrivals, Instant, Sends, intended_in_clock_of
from loadtest.core.traffic.curve import TrafficCurve
from loadtest.engine.generator.timer import Timer
from loadtest.payload.payload import Payloads
from loadtest.targets.base import Payload, PerUserTarget, Target, raised

__all__ = ["ArrivalSwarm"]

TURN = 64  # after so many requests without a wait, behind schedule, the loop is turned once for the senders


class ArrivalSwarm:
    """The senders of one generator process; the same face as `Swarm`.

    arrivals: what is sent; another value counts from the next `rejoin` on.
    numbers: this process's part of the arrivals, (part, parts). The curve it follows limits the requests in flight.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        target: Target,
        payloads: Payloads,
        recorder: Recorder,
        seed: int,
        numbers: tuple[int, int] = (0, 1),
    ) -> None:
        self.arrivals = arrivals
        self._part, self._parts = numbers
        self._target = target
        self._record = recorder.record_response
        self._pick: Callable[[], Payload] = payloads.picker(seed, self._part)
        self._loop = gevent.get_hub().loop
        self._limit = 0
        self._sent_s = -1.0
        self._senders: set[_Sender] = set()
        self._idle: list[_Sender] = []  # the one used last is at the end
        self._released = False
        self._intended = self._late = self._very_late = self._dropped = 0
        self._busy = 0
        self._busy_area_ns = 0
        self._busy_at_ns = time.monotonic_ns()

    @property
    def running(self) -> int:
        """Senders that were started and have not ended."""
        return len(self._senders)

    def follow(self, curve: TrafficCurve, start_s: float) -> None:
        """Send every request at its time, counted from `start_s` of the monotonic clock. Blocks."""
        self._limit = curve.peak
        timer, clock, start_ns, unturned = Timer(), time.monotonic_ns, round(start_s * 1e9), 0
        try:
            for at_s in self.arrivals.times_s(self._part, self._parts, self._sent_s):
                due_ns = start_ns + round(at_s * 1e9)
                if due_ns > clock():
                    timer.wait_until(due_ns)
                    unturned = 0
                elif (unturned := unturned + 1) >= TURN:
                    gevent.sleep(1e-4)  # not 0: timers would starve (swarm.py)
                    unturned = 0
                self._send(due_ns)
                self._sent_s = at_s
        finally:
            timer.close()

    def rejoin(self, curve: TrafficCurve, start_s: float) -> None:
        """Go on after the last request that was sent: with other rates, or a larger share of the requests in flight.

        A lost generator's arrivals are lost with it. Blocks.
        """
        self.follow(curve, start_s)

    def release(self, now_s: float) -> None:
        """No request is sent from now on. now_s: of no meaning here."""
        self._released = True
        for sender in self._idle:
            self._loop.run_callback(sender.waiter.switch, None)
        self._idle.clear()

    def cut(self) -> int:
        """Kill whoever is still in a request, and record each as CUT. Returns how many."""
        cut = [sender for sender in self._senders if sender.sent_ns]
        now_ns = time.monotonic_ns()
        for sender in cut:
            self._record(Outcome(Kind.CUT, 0, 0, sender.sent_ns, now_ns, now_ns), now_ns - sender.due_ns)
        gevent.killall([sender.greenlet for sender in self._senders], block=True, timeout=5)
        return len(cut)

    def take_active_s(self) -> float:
        """Summed time (s) that senders were in a request since the last take."""
        self._count(0)
        area_ns, self._busy_area_ns = self._busy_area_ns, 0
        return area_ns / 1e9

    def age_sum_s(self) -> float:
        """Summed ages (s) of the requests in flight."""
        now_ns = time.monotonic_ns()
        return sum(now_ns - sender.sent_ns for sender in self._senders if sender.sent_ns) / 1e9

    def audit(self) -> tuple[list[tuple[int, float, float]], list[tuple[int, float, float]]]:
        """Nothing: senders have no schedule of their own; `take_sends` says whether that of the requests was kept."""
        return [], []

    def take_sends(self) -> Sends:
        """What became of the arrivals since the last take."""
        sends = Sends(self._intended, self._late, self._very_late, self._dropped)
        self._intended = self._late = self._very_late = self._dropped = 0
        return sends

    def _send(self, due_ns: int) -> None:
        """Give the request that is due to a sender."""
        self._intended += 1
        if self._idle:
            sender = self._idle.pop()
            sender.due_ns = due_ns
            self._loop.run_callback(sender.waiter.switch, self._pick())
        elif len(self._senders) < self._limit:
            sender = _Sender(due_ns)
            self._senders.add(sender)
            sender.greenlet = gevent.spawn(self._live, sender, self._pick())
        else:
            self._dropped += 1

    def _live(self, sender: _Sender, payload: Payload | None) -> None:
        """One sender's life: the request it was given, then the next one, until there are no more."""
        target = shared = self._target
        try:
            if isinstance(shared, PerUserTarget):
                target = shared.for_user()
            while payload is not None:
                self._invoke(sender, target, payload)
                if self._released:
                    return
                waiter = sender.waiter = Waiter()
                self._idle.append(sender)
                payload = waiter.get()
        finally:
            self._senders.discard(sender)
            if target is not shared:
                target.close()

    def _invoke(self, sender: _Sender, target: Target, payload: Payload) -> None:
        due_ns = sender.due_ns
        self._count(+1)
        asked_ns = sender.sent_ns = time.monotonic_ns()
        # The generator's own delay; what a new connection takes is the network's, and part of the response latency.
        if asked_ns - due_ns > LATE_NS:
            self._late += 1
            self._very_late += asked_ns - due_ns > VERY_LATE_NS
        asked = Instant(asked_ns, time.time_ns())
        try:
            outcome = target.invoke(payload)
        except Exception as problem:
            outcome = raised(problem, asked_ns, time.monotonic_ns())
        finally:
            sender.sent_ns = 0
            self._count(-1)
        answered = Instant(time.monotonic_ns(), time.time_ns())
        intended_ns = intended_in_clock_of(outcome.sent_ns, outcome.kernel_clock, due_ns, asked, answered)
        if intended_ns is None:
            # The target's clock is one of its own: what this process saw is an upper bound.
            self._record(outcome, answered.monotonic_ns - due_ns)
        else:
            self._record(outcome, outcome.done_ns - intended_ns)

    def _count(self, change: int) -> None:
        now_ns = time.monotonic_ns()
        self._busy_area_ns += self._busy * (now_ns - self._busy_at_ns)
        self._busy_at_ns = now_ns
        self._busy += change


class _Sender:
    """due_ns: when its request was to be sent, sent_ns: when it was (0: it has none in flight); monotonic clock."""

    __slots__ = ("due_ns", "greenlet", "sent_ns", "waiter")

    def __init__(self, due_ns: int) -> None:
        self.due_ns = due_ns
        self.sent_ns = 0
        self.waiter: Any = None
        self.greenlet: Any = None
