"""Did the endpoint become slower or faster while it was searched? The mean latency at the same load, over time.

The logarithms of the windows' mean latencies near the capacity, each load's own mean taken away, and so of their times
or of a step in them: the slope, in standard errors. Loads that were held once say nothing. Neighbouring windows are
alike, so their number is what the correlation of the residuals leaves of it. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from loadtest.core.search.level import Level
from loadtest.core.search.visit import latency_s
from loadtest.core.stats.clusters import Floats

__all__ = ["Change", "step", "trend"]

LEAST_WINDOWS, LEAST_SIDE, STEPS, LEAST_FREEDOM = 8, 4, 16, 10


@dataclass(frozen=True, slots=True)
class Change:
    """How the latency at the same load moved, of its logarithm: over the search, or at the step.

    sigmas: how sure that is; below 0: it became faster.
    """

    sigmas: float
    moved: float

    @property
    def error(self) -> float:
        return abs(self.moved / self.sigmas) if self.sigmas else 0.0


def trend(levels: Iterable[Level]) -> Change | None:
    """Over all of the time. None: too few windows with a success."""
    rows = _rows(levels)
    if len(rows) < LEAST_WINDOWS:
        return None
    loads, times, logs = np.array(rows).T
    return _slope(_Within(loads), (times - times[0]) / max(float(times[-1] - times[0]), 1e-9), logs)


def step(levels: Iterable[Level]) -> Change | None:
    """At some time, the likeliest of a dozen. None: too few windows with a success."""
    rows = _rows(levels)
    if len(rows) < LEAST_WINDOWS:
        return None
    loads, _, logs = np.array(rows).T
    n, within = len(rows), _Within(loads)
    later = [(np.arange(n) >= at).astype(np.float64) for at in sorted({round(n * k / STEPS) for k in range(1, STEPS)})]
    found = [_slope(within, each, logs) for each in later if within.sides(each) >= LEAST_SIDE]
    return max((each for each in found if each), key=lambda each: abs(each.sigmas), default=None)


def _rows(levels: Iterable[Level]) -> list[tuple[float, float, float]]:
    """(load, s, log of the mean latency) of each window, in the order of time."""
    rows = [
        (level.load, r.start_s, math.log(latency_s(r)))
        for level in levels
        for r in level.readings
        if r.ok and r.latency_sum_s > 0
    ]
    return sorted(rows, key=lambda row: row[1])


class _Within:
    """Takes each load's own mean away."""

    def __init__(self, loads: Floats) -> None:
        _, self._at, self._held = np.unique(loads, return_inverse=True, return_counts=True)
        self.freedom = len(loads) - len(self._held) - 1

    def sides(self, later: Floats) -> float:
        """The fewer of the windows before and after, of loads that were held at both times."""
        after = np.bincount(self._at, later)
        both = (after > 0) & (after < self._held)
        return float(min(after[both].sum(), (self._held - after)[both].sum()))

    def __call__(self, values: Floats) -> Floats:
        centred: Floats = values - (np.bincount(self._at, values) / self._held)[self._at]
        return centred


def _slope(within: _Within, times: Floats, logs: Floats) -> Change | None:
    """Of logs over times; None: too few windows, or no load was held at two times."""
    times, logs = within(times), within(logs)
    square = float(times @ times)
    if square < 1e-9 or within.freedom < LEAST_FREEDOM:
        return None
    moved = float(times @ logs) / square
    residual = logs - moved * times
    left = float(residual @ residual)
    alike = min(max(float(residual[1:] @ residual[:-1]) / max(left, 1e-12), 0.0), 0.9)
    error = math.sqrt(max(left / within.freedom * (1 + alike) / (1 - alike) / square, 1e-18))
    return Change(moved / error, moved)
