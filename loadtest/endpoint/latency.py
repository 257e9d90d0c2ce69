"""How long an endpoint takes to answer: `LatencyModel`, a queue in front of c servers, as a function of arrival times.

First come, first served, so a request's completion is known when it arrives: no events are needed, and the mock
endpoint's process and the engine in virtual time share the very same arithmetic. No clock, no I/O, no numpy.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappush, heapreplace
from random import Random
from typing import NamedTuple

from loadtest.endpoint.settings import DEFAULT_SIGMA, Law, MockSettings
from loadtest.errors import Problem, SpecError

__all__ = ["DEFAULT_SIGMA", "Answer", "LatencyModel", "Law", "MockSettings"]


class Answer(NamedTuple):
    """What happens to one request. Instants are seconds of the caller's clock.

    done_s: when the answer is complete. start_s: when a server took the request (for a throttled one: done_s).
    first_s: when the first part of a streamed answer is ready; done_s otherwise.
    status, code: 200 and ""; 424 and ModelError; or 400 and ThrottlingException.
    model_latency_us: done - arrival: waiting and service.
    original_status: what the container is said to have answered (ModelError: 500); 0 otherwise.
    """

    done_s: float
    start_s: float
    first_s: float
    status: int
    code: str
    model_latency_us: int
    original_status: int

    @property
    def ok(self) -> bool:
        return self.status == 200


class LatencyModel:
    """c parallel servers with one FIFO queue in front, drawn from a seed: the same arrivals get the same answers.

    A full queue throttles at once: ThrottlingException, status 400. That is what the runtime API answers although its
    model does not list it (the modelled 429, ModelNotReadyException, means that a model is still being loaded); the
    body's `message` is "Rate exceeded", and every AWS client knows the code as one to back off from.

    Time 0 of freezes is the first arrival. Service, errors and stalls have a random stream each, so that turning one
    on does not change the draws of the others. A call costs O(log servers), about 1 us.

    samples_ms: what the empirical law draws from, in ms; () for every other law. Raises SpecError if the two disagree.
    """

    def __init__(self, settings: MockSettings, samples_ms: Sequence[float] = ()) -> None:
        if (settings.law == "empirical") != bool(samples_ms):
            rule = "the empirical law needs samples" if not samples_ms else "only the empirical law has samples"
            raise SpecError([Problem("mock:samples", settings.samples, rule)])
        self.settings = settings
        self._samples_s = tuple(value / 1000 for value in samples_ms)
        self._draw_s = _law(settings, self._samples_s, Random(f"service {settings.seed}"))
        self._error = Random(f"error {settings.seed}").random
        self._stall = Random(f"stall {settings.seed}").random
        self._origin_s: float | None = None
        self._last_s = -math.inf
        self._free: list[float] = []  # heap: when each warm server has nothing left to do
        self._cold = settings.servers
        self._starts: deque[float] = deque()  # of the waiting; never falls, since the queue is FIFO
        self._idle_s = 0.0  # server time between two busy periods, over all servers

    def arrive(self, now_s: float, extra_s: float = 0.0) -> Answer:
        """The answer to a request that has arrived completely at `now_s`; an earlier instant counts as the latest seen.

        extra_s: service beyond the law's, such as the later parts of a streamed answer.
        """
        now_s = self._last_s = max(now_s, self._last_s)
        if self._origin_s is None:
            self._origin_s = now_s
        settings, starts, free = self.settings, self._starts, self._free
        while starts and starts[0] <= now_s:
            starts.popleft()
        idle = bool(free) and free[0] <= now_s
        waits = not idle and not self._cold
        if waits and len(starts) >= settings.queue:
            return Answer(now_s, now_s, now_s, 400, "ThrottlingException", 0, 0)

        service_s = self._draw_s()
        if settings.stall_ratio and self._stall() < settings.stall_ratio:
            service_s += settings.stall_ms / 1000
        start_s = now_s
        if idle:
            self._idle_s += now_s - free[0]
        elif waits:
            start_s = free[0]
            starts.append(start_s)
        else:
            self._cold -= 1
            self._idle_s += now_s - self._origin_s
            service_s += settings.cold_start_ms / 1000
        first_s = self._served_s(start_s, service_s)
        done_s = self._served_s(first_s, extra_s) if extra_s else first_s
        if idle or waits:
            heapreplace(free, done_s)
        else:
            heappush(free, done_s)

        latency_us = round((done_s - now_s) * 1e6)
        if settings.error_ratio and self._error() < settings.error_ratio:
            return Answer(done_s, start_s, done_s, 424, "ModelError", latency_us, 500)
        return Answer(done_s, start_s, first_s, 200, "", latency_us, 0)

    @property
    def mean_service_s(self) -> float:
        """Expected service time, stalls included; cold starts and freezes are not."""
        settings = self.settings
        if settings.law == "empirical":
            mean_s = math.fsum(self._samples_s) / len(self._samples_s)
        else:
            mean_s = settings.service_ms / 1000
            if settings.law == "lognormal":
                mean_s *= math.exp(settings.sigma**2 / 2)
        return mean_s + settings.stall_ratio * settings.stall_ms / 1000

    def waiting(self, now_s: float) -> int:
        """Requests in the queue; `now_s` is not before the last arrival."""
        return sum(start_s > now_s for start_s in self._starts)

    def busy_s(self, now_s: float) -> float:
        """Server seconds in use from the first arrival to `now_s`, which is not before the last arrival.

        The utilisation of an interval is the difference of two calls over servers x length.
        """
        if self._origin_s is None:
            return 0.0
        passed_s = now_s - self._origin_s
        since_free_s = math.fsum(now_s - free_s for free_s in self._free if free_s < now_s) + self._cold * passed_s
        return max(0.0, self.settings.servers * passed_s - self._idle_s - since_free_s)

    def utilisation(self, now_s: float) -> float:
        """Share of all server time, 0..1, that was in use from the first arrival to `now_s`; 0.0 before it."""
        if self._origin_s is None or now_s <= self._origin_s:
            return 0.0
        return min(1.0, self.busy_s(now_s) / (self.settings.servers * (now_s - self._origin_s)))

    def _served_s(self, start_s: float, work_s: float) -> float:
        """When a server that takes up `work_s` of work at `start_s` is done: nothing moves during a freeze."""
        settings = self.settings
        length_s = settings.freeze_s
        if not length_s:
            return start_s + work_s
        every_s = settings.freeze_every_s or math.inf
        assert self._origin_s is not None
        # Instants are seconds after the beginning of the latest freeze, or before the first one if negative.
        at_s = start_s - self._origin_s - settings.freeze_at_s
        if at_s >= 0:
            at_s = math.fmod(at_s, every_s)
            waits_s = max(0.0, length_s - at_s)
            left_s = every_s - max(at_s, length_s)
        else:
            waits_s, left_s = 0.0, -at_s
        if work_s > left_s:
            waits_s += length_s * max(1, math.ceil((work_s - left_s) / (every_s - length_s)))
        return start_s + waits_s + work_s


def _law(settings: MockSettings, samples_s: Sequence[float], random: Random) -> Callable[[], float]:
    """A function that draws one service time in seconds."""
    scale_s = settings.service_ms / 1000
    if settings.law == "fixed":
        return lambda: scale_s
    if settings.law == "exponential":
        uniform, log = random.random, math.log
        return lambda: -log(1.0 - uniform()) * scale_s
    if settings.law == "lognormal":
        gauss, exp, sigma = random.gauss, math.exp, settings.sigma
        return lambda: exp(gauss(0.0, sigma)) * scale_s
    return lambda: samples_s[int(random.random() * len(samples_s))]
