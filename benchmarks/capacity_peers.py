"""How others look for the largest load, written anew from their published descriptions: one number of users."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.endpoints import FAMILIES, Loop

__all__ = ["PEERS", "Probe"]

MOST_USERS = 512


class Probe:
    """Holds a load for some seconds: does the percentile hold? Counts what that costs."""

    def __init__(self, name: str, seed: int) -> None:
        self._loop, self._allowed = Loop(FAMILIES[name], seed), 1 - FAMILIES[name].percentile
        self.time_s, self.requests = 0, 0

    def holds(self, users: int, seconds: int) -> bool:
        return self.share(users, seconds) <= self._allowed

    def share(self, users: int, seconds: int) -> float:
        """Of requests over the limit."""
        self._loop.set_users(users)
        found = [self._loop.window() for _ in range(seconds)]
        self.time_s += seconds
        self.requests = self._loop.requests
        return sum(each.over[0] for each in found) / max(sum(each.n for each in found), 1)

    def stable(self, users: int, seconds: int) -> bool:
        """perf_analyzer: three windows in a row whose shares agree, ten at most; the last three decide."""
        shares: list[float] = []
        for _ in range(10):
            shares.append(self.share(users, seconds))
            last = shares[-3:]
            if len(last) == 3 and max(last) - min(last) <= 0.1 * max(max(last), self._allowed):
                break
        return sum(shares[-3:]) / len(shares[-3:]) <= self._allowed


def _stairs(probe: Probe, seconds: int) -> int:
    users = 1
    while users < MOST_USERS and probe.holds(users, seconds):
        users += 1
    return users - 1


def _bisect(holds: Callable[[int], bool], low: int = 1) -> int:
    high = 2 * low
    while high <= MOST_USERS and holds(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _mlr(probe: Probe, seconds: int) -> int:
    """MLRsearch: trials get longer as the bounds get nearer, and both bounds are held again at the full length."""
    low = _bisect(lambda users: probe.holds(users, max(1, seconds // 8)))
    for _ in range(20):
        if not probe.holds(low, seconds) and low > 1:
            low -= 1
        elif probe.holds(low + 1, seconds):
            low += 1
        else:
            break
    return low


def _stepping(probe: Probe, seconds: int) -> int:
    """AIPerf: steps up by a tenth until a window fails."""
    users = 1
    while users < MOST_USERS and probe.holds(max(users + 1, round(1.1 * users)), seconds):
        users = max(users + 1, round(1.1 * users))
    return users


PEERS: Mapping[str, Callable[[Probe, int], int]] = {
    "stairs": _stairs,
    "doubling, bisect": lambda probe, seconds: _bisect(lambda users: probe.holds(users, seconds)),
    "stability, bisect": lambda probe, seconds: _bisect(lambda users: probe.stable(users, seconds)),
    "MLRsearch": _mlr,
    "stepping": _stepping,
}
