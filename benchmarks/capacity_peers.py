"""How others look for the largest load, written anew from their published descriptions, all on the same endpoints.

    stairs              the job files' STAIRS: one user (or 5 requests/s) more a step, until a step breaks the objective
    doubling, bisect    guidellm's: doubles until a fixed probe fails, then bisects
    stability, bisect   perf_analyzer's --binary-search over its range (here 1 to 512): windows until three in a row
                        have throughput and mean latency within 10 % of their mean, ten at most; these three decide
    MLRsearch           RFC 9971: phases with trials four times as long and bounds half as wide each; a bound of the
                        phase before is measured again and, if it does not hold, moved outward by twice its width; in
                        the last phase a load is what most of its trials say (exceed ratio one half)
    stepping            AIPerf's adaptive scale: a tenth more until one window fails

What length their probes have is the user's to say: each is run with several (`PROBES_S`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from benchmarks.capacity_search import START
from benchmarks.endpoints import FAMILIES, Loop

__all__ = ["PEERS", "PROBES_S", "Probe"]

PROBES_S = (5, 15, 60, 240)
MOST = 512.0
FINE = 0.0125  # relative width at which a search by rate ends: its error is half of it
STAIR = {"users": 1.0, "rate": 5.0}


class Probe:
    """Holds a load for some seconds: does the objective hold? Counts what that costs. spent: s by load."""

    def __init__(self, name: str, seed: int) -> None:
        self.by, self._loop = FAMILIES[name].by, Loop(FAMILIES[name], seed)
        self._allowed = 1 - FAMILIES[name].percentile
        self.spent: dict[float, float] = {}

    @property
    def time_s(self) -> float:
        return self._loop.time_s

    @property
    def requests(self) -> int:
        return self._loop.requests

    def holds(self, load: float, seconds: int) -> bool:
        return self._seen(load, seconds)[0] <= self._allowed

    def stable(self, load: float, seconds: int) -> bool:
        seen: list[tuple[float, float, float]] = []
        for _ in range(10):
            seen.append(self._seen(load, seconds))
            last = seen[-3:]
            if len(last) == 3 and all(_alike([each[i] for each in last]) for i in (1, 2)):
                break
        return sum(each[0] for each in seen[-3:]) / len(seen[-3:]) <= self._allowed

    def most(self, load: float, seconds: int, trials: int) -> bool:
        """What more than half of the trials say."""
        good = bad = 0
        while max(good, bad) <= trials // 2:
            holds = self.holds(load, seconds)
            good, bad = good + holds, bad + (not holds)
        return good > bad

    def near(self, low: float, high: float) -> bool:
        return high - low <= 1 if self.by == "users" else high <= low * (1 + FINE)

    def between(self, low: float, high: float) -> float:
        return float((low + high) // 2) if self.by == "users" else math.sqrt(low * high)

    def _seen(self, load: float, seconds: int) -> tuple[float, float, float]:
        """(share over the limit, successes a second, mean latency in s)."""
        self._loop.set_load(load)
        reading = self._loop.window(seconds)
        self.spent[load] = self.spent.get(load, 0.0) + seconds
        share = reading.over[0] / reading.n if reading.n else 1.0
        return share, reading.ok / seconds, reading.latency_sum_s / max(reading.ok, 1)


def _alike(values: list[float]) -> bool:
    middle = sum(values) / len(values)
    return all(abs(value - middle) <= 0.1 * middle for value in values)


def _stairs(probe: Probe, seconds: int) -> float:
    step = STAIR[probe.by]
    load = step
    while load < MOST and probe.holds(load, seconds):
        load += step
    return load - step


def _doubled(holds: Callable[[float], bool]) -> tuple[float, float]:
    low, high = START, 2 * START
    while high <= MOST and holds(high):
        low, high = high, 2 * high
    return low, high


def _bisected(probe: Probe, holds: Callable[[float], bool], low: float, high: float) -> float:
    while not probe.near(low, high):
        middle = probe.between(low, high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low if probe.by == "users" else math.sqrt(low * high)


def _guidellm(probe: Probe, seconds: int) -> float:
    def holds(load: float) -> bool:
        return probe.holds(load, seconds)

    return _bisected(probe, holds, *_doubled(holds))


def _perf_analyzer(probe: Probe, seconds: int) -> float:
    return _bisected(probe, lambda load: probe.stable(load, seconds), START, MOST)


def _mlr(probe: Probe, seconds: int) -> float:
    low, high = _doubled(lambda load: probe.holds(load, max(1, seconds // 16)))
    answer = low
    for parts, trials in ((16, 1), (4, 1), (3, 3)):
        length = max(1, seconds // parts)

        def holds(load: float, length: int = length, trials: int = trials) -> bool:
            return probe.most(load, length, trials)

        width = high - low
        while low > START and not holds(low):
            low, high, width = max(START, low - width), low, 2 * width
        while high < MOST and holds(high):
            low, high, width = high, high + width, 2 * width
        wanted = _width(probe, parts)
        while not probe.near(low, high) and high - low > wanted * low:
            middle = probe.between(low, high)
            low, high = (middle, high) if holds(middle) else (low, middle)
        answer = low if probe.by == "users" else math.sqrt(low * high)
    return answer


def _width(probe: Probe, parts: int) -> float:
    return {16: 4.0, 4: 2.0, 3: 1.0}[parts] * FINE


def _stepping(probe: Probe, seconds: int) -> float:
    def more(load: float) -> float:
        return max(load + 1, float(round(1.1 * load))) if probe.by == "users" else 1.1 * load

    load = START
    while load < MOST and probe.holds(more(load), seconds):
        load = more(load)
    return load


PEERS: Mapping[str, Callable[[Probe, int], float]] = {
    "stairs": _stairs,
    "doubling, bisect": _guidellm,
    "stability, bisect": _perf_analyzer,
    "MLRsearch": _mlr,
    "stepping": _stepping,
}
