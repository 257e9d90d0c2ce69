"""What an endpoint serves that has more than it can: loads above that do not stay. No clock, no I/O.

Windows of loads that are clearly above what was served there, with (almost) every request over a limit, are of an
endpoint that is never idle. Their throughput is the load from which on a backlog grows without end.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from loadtest.core.search.change import Change
from loadtest.core.search.level import Level
from loadtest.core.search.reading import Reading
from loadtest.core.stats.clusters import Floats

__all__ = ["UNLOADED", "Saturation", "most_per_s", "saturation"]

LEAST_WINDOWS = 4
UNLOADED = 0.6  # of saturation: who waits there, waits for nobody
STANDS, STOOD = 1.1, 12  # times the throughput, windows
LEAST_SERVED, SIGMAS = 6, 3.0  # windows of one load that is too high; standard errors of what is served at most
CLEARLY, LATE = 1.03, 0.9  # times the throughput; of the requests over some limit


@dataclass(frozen=True, slots=True)
class Saturation:
    """Successes a second, their standard error, of how many windows, and how it moved between them, of its mean.

    floors: shares over each limit where there is hardly a queue; 0.0 where nothing was seen.
    """

    per_s: float
    error: float
    windows: int
    change: Change
    floors: tuple[float, ...] = ()

    def floor(self, i: int) -> float:
        """Of the i-th limit."""
        return self.floors[i] if self.floors else 0.0


def saturation(levels: Collection[Level]) -> Saturation | None:
    """Of all loads that are too high, from the highest down. None: too few windows of any."""
    rows: list[tuple[float, float]] = []
    for level in sorted(levels, key=lambda x: -x.load):
        own = [(r.start_s, r.ok / (r.end_s - r.start_s)) for r in level.readings if _late(r)]
        if own and level.load >= CLEARLY * float(np.mean([rate for _, rate in rows + own])):
            rows += own
    if len(rows) < LEAST_WINDOWS:
        return None
    times_s, rates = np.array(sorted(rows)).T
    per_s, error = float(rates.mean()), float(rates.std(ddof=1)) / math.sqrt(len(rows))
    if any(_serves_more(level, per_s) for level in levels):
        return None
    quiet = [x for x in levels if x.load <= UNLOADED * per_s and x.n]
    limits = range(len(quiet[0].readings[0].over) if quiet else 0)
    floors = tuple(sum(x.over(i) for x in quiet) / sum(x.n for x in quiet) for i in limits)
    return Saturation(per_s, error, len(rows), _change(times_s - times_s.mean(), rates), floors)


def _change(times_s: Floats, rates: Floats) -> Change:
    square = float(times_s @ times_s)
    slope = float(times_s @ rates) / square
    left = rates - rates.mean() - slope * times_s
    sigma = math.sqrt(max(float(left @ left) / (len(rates) - 2) / square, 1e-18))
    return Change(slope / sigma, slope * float(np.ptp(times_s) / rates.mean()))


def _late(r: Reading) -> bool:
    """Its requests are answered, too late for some limit: it is never idle. Failures say nothing of what is served."""
    return r.n > 0 and r.ok >= LATE * r.n and max(r.over, default=0) >= LATE * r.n


def _serves_more(level: Level, per_s: float) -> bool:
    """It breaks down under a load that is too high: that says nothing of what it can serve."""
    late = sum(max(r.over, default=0) for r in level.readings)
    return level.load > STANDS * per_s and len(level.readings) >= STOOD and late < 0.5 * LATE * level.n


def most_per_s(levels: Iterable[Level], top: Saturation | None) -> float:
    """No rate above the throughput of an overload stays: that, and its error; infinity: there was none."""
    if top is not None:
        return top.per_s + SIGMAS * top.error
    most = math.inf
    for level in levels:
        ok = np.array([r.ok / (r.end_s - r.start_s) for r in level.readings])
        if len(ok) < LEAST_SERVED:
            continue
        rate, error = float(ok.mean()), float(ok.std(ddof=1)) / math.sqrt(len(ok))
        if rate + SIGMAS * error + 1 < level.load:
            most = min(most, rate + SIGMAS * error)
    return most
