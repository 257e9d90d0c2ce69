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

LEAST_WINDOWS, LEAST_SIDE, STEPS = 8, 3, 16


@dataclass(frozen=True, slots=True)
class Change:
    """sigmas: how sure; below 0: faster. moved: of the logarithm of the latency, over the search or at the step."""

    sigmas: float
    moved: float

    @property
    def error(self) -> float:
        return abs(self.moved / self.sigmas) if self.sigmas else 0.0


def trend(levels: Iterable[Level]) -> Change | None:
    """Over all of the time. None: fewer than eight windows with a success."""
    rows = _rows(levels)
    if len(rows) < LEAST_WINDOWS:
        return None
    loads, times, logs = np.array(rows).T
    return _part(loads, (times - times[0]) / max(float(times[-1] - times[0]), 1e-9), logs)


def step(levels: Iterable[Level]) -> Change | None:
    """At some time, the likeliest of a dozen. None: fewer than eight windows with a success."""
    rows = _rows(levels)
    if len(rows) < LEAST_WINDOWS:
        return None
    loads, _, logs = np.array(rows).T
    n = len(rows)
    cuts = {round(n * k / STEPS) for k in range(1, STEPS)}
    found = [
        _part(loads, (np.arange(n) >= at).astype(float), logs) for at in cuts if LEAST_SIDE <= at <= n - LEAST_SIDE
    ]
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


def _part(loads: Floats, times: Floats, logs: Floats) -> Change | None:
    """The slope of logs over times within the loads; None: no load was held at two times."""
    _, at, held = np.unique(loads, return_inverse=True, return_counts=True)
    times = times - (np.bincount(at, times) / held)[at]
    logs = logs - (np.bincount(at, logs) / held)[at]
    square = float((times**2).sum())
    if square < 1e-9:
        return None
    moved = float((times * logs).sum()) / square
    residual = logs - moved * times
    alike = min(max(float((residual[1:] * residual[:-1]).sum() / max((residual**2).sum(), 1e-12)), 0.0), 0.9)
    freedom = max(len(logs) - len(held) - 1, 1)
    error = math.sqrt(max(float((residual**2).sum()) / freedom * (1 + alike) / (1 - alike) / square, 1e-18))
    return Change(moved / error, moved)
