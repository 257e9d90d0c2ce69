"""Closed loops against endpoints with a known capacity, in virtual time, a window a second: what a search sees of them.

An endpoint is a function (now_s, in flight) -> (service in s, whether it needs one of `servers`). The true capacity is
that of a long simulation at every load near it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from loadtest.core.search.reading import Reading

__all__ = ["FAMILIES", "Family", "Loop", "truth"]

Service = Callable[[np.random.Generator, float, int], float]
BLOCK_S = 1e-3  # of a refusal


@dataclass(frozen=True, slots=True)
class Family:
    """servers: that work at a time; 0: as many as there are requests (sharing). has: it has a capacity that stays.

    pause_s, every_s: nothing is served for so long, so often. quota: (requests a second, burst) that are let in.
    grows_at_s: twice the servers from then on.
    """

    service: Service
    servers: int
    limit_s: float
    percentile: float = 0.95
    has: bool = True
    pause_s: float = 0.0
    every_s: float = 10.0
    quota: tuple[float, float] | None = None
    grows_at_s: float = math.inf


def _exponential(mean_s: float) -> Service:
    return lambda rng, now_s, flying: rng.exponential(mean_s)


def _lognormal(mean_s: float, sigma: float = 0.6) -> Service:
    return lambda rng, now_s, flying: mean_s * math.exp(sigma * rng.standard_normal() - sigma**2 / 2)


def _pareto(mean_s: float, shape: float = 2.5) -> Service:
    return lambda rng, now_s, flying: mean_s * (shape - 1) / shape * (1 + rng.pareto(shape))


def _usl(rng: np.random.Generator, now_s: float, flying: int) -> float:
    return float(rng.exponential(0.02) * (1 + 0.05 * (flying - 1) + 0.002 * flying * (flying - 1)))


FAMILIES: Mapping[str, Family] = {
    "M/D/4": Family(lambda rng, now_s, flying: 0.02, 4, 0.101),
    "M/M/1": Family(_exponential(0.005), 1, 0.1),
    "M/M/4": Family(_exponential(0.02), 4, 0.2),
    "M/M/4 P50": Family(_exponential(0.02), 4, 0.1, 0.5),
    "M/M/4 P99": Family(_exponential(0.02), 4, 0.3, 0.99),
    "M/M/16": Family(_exponential(0.04), 16, 0.2),
    "log-normal, 4": Family(_lognormal(0.02), 4, 0.2),
    "Pareto, 4": Family(_pareto(0.02), 4, 0.2),
    "sharing": Family(lambda rng, now_s, flying: float(rng.exponential(0.005) * flying), 0, 0.3),
    "lock (USL)": Family(_usl, 0, 0.2),
    "pauses": Family(_exponential(0.02), 4, 0.2, pause_s=0.3),
    "warm-up 20 s": Family(lambda rng, now_s, flying: rng.exponential(0.02) * (3 if now_s < 20 else 1), 4, 0.2),
    "drift": Family(lambda rng, now_s, flying: rng.exponential(0.02) * (1 + 0.004 * now_s), 4, 0.2, has=False),
    "autoscaler": Family(_exponential(0.02), 4, 0.2, has=False, grows_at_s=30.0),
    "token bucket": Family(_exponential(0.02), 16, 0.2, has=False, quota=(100.0, 300.0)),
}


class Loop:
    """A closed loop whose number of users may be changed at whole seconds."""

    def __init__(self, family: Family, seed: int, start_s: float = 0.0) -> None:
        self._family, self._rng = family, np.random.default_rng(seed)
        self._free = [start_s] * family.servers
        self._flights: list[tuple[float, float, bool]] = []
        self._leaving = self._users = 0
        self._tokens, self._tokens_s = (family.quota or (0.0, 0.0))[1], start_s
        self._k = round(start_s)
        self._offset_s = float(self._rng.uniform(0, family.every_s))
        self.requests = 0

    def set_users(self, users: int) -> None:
        change, self._users = users - self._users, users
        self._leaving += max(-change, 0)
        for _ in range(change):
            if self._leaving:
                self._leaving -= 1
            else:
                self._send(float(self._k))

    def window(self) -> Reading:
        """The next second."""
        end_s, limit_s = self._k + 1.0, self._family.limit_s + 1e-12
        n = over = throttled = 0
        sum_s = 0.0
        while self._flights and self._flights[0][0] < end_s:
            done_s, sent_s, refused = heapq.heappop(self._flights)
            n += 1
            throttled += refused
            over += refused or done_s - sent_s > limit_s
            sum_s += 0.0 if refused else done_s - sent_s
            if self._leaving:
                self._leaving -= 1
            else:
                self._send(done_s)
        self._k += 1
        self.requests += n
        return Reading(self._k - 1, end_s - 1, end_s, n, n - throttled, (over,), throttled, sum_s)

    def _send(self, at_s: float) -> None:
        family = self._family
        if family.quota is not None:
            rate, burst = family.quota
            self._tokens = min(burst, self._tokens + rate * (at_s - self._tokens_s))
            self._tokens_s = at_s
            if self._tokens < 1:
                heapq.heappush(self._flights, (at_s + 0.02, at_s, True))
                return
            self._tokens -= 1
        if at_s >= family.grows_at_s and len(self._free) == family.servers:
            self._free = [*self._free, *[at_s] * family.servers]
            heapq.heapify(self._free)
        begin_s = max(at_s, heapq.heappop(self._free)) if family.servers else at_s
        if family.pause_s:
            into_s = (begin_s + self._offset_s) % family.every_s
            begin_s += max(0.0, family.pause_s - into_s)
        done_s = begin_s + family.service(self._rng, begin_s, len(self._flights) + 1)
        if family.servers:
            heapq.heappush(self._free, done_s)
        heapq.heappush(self._flights, (done_s, at_s, False))


@cache
def truth(name: str, seconds: int = 1500) -> int:
    """The largest number of users that holds the objective, of `seconds` of settled traffic each."""
    family = FAMILIES[name]

    def share(users: int) -> float:
        loop = Loop(family, 10**6 + users, 40.0)
        loop.set_users(users)
        found = [loop.window() for _ in range(seconds)][5:]
        return sum(each.over[0] for each in found) / sum(each.n for each in found)

    low, high = 1, 2
    while share(high) <= 1 - family.percentile:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if share(middle) <= 1 - family.percentile else (low, middle)
    return low
