"""What an endpoint serves that has more than it can: loads above that do not stay. No clock, no I/O.

Windows of loads that are clearly above what was served there, with (almost) every request over a limit, are of an
endpoint that is never idle. Their throughput is the load from which on a backlog grows without end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from loadtest.core.search.level import Level

__all__ = ["Saturation", "saturation"]

LEAST_WINDOWS = 4
CLEARLY, LATE = 1.03, 0.9  # times the throughput; of the requests over some limit


@dataclass(frozen=True, slots=True)
class Saturation:
    """Successes a second, their standard error, and of how many windows."""

    per_s: float
    error: float
    windows: int


def saturation(levels: Iterable[Level]) -> Saturation | None:
    """Of all loads that are too high, from the highest down. None: too few windows of any."""
    rates: list[float] = []
    for level in sorted(levels, key=lambda x: -x.load):
        late = sum(max(r.over, default=0) for r in level.readings) >= LATE * level.n
        own = [r.ok / (r.end_s - r.start_s) for r in level.readings]
        if not level.n or not late or level.load < CLEARLY * float(np.mean(rates + own)):
            continue
        rates += own
    if len(rates) < LEAST_WINDOWS:
        return None
    return Saturation(float(np.mean(rates)), float(np.std(rates, ddof=1)) / math.sqrt(len(rates)), len(rates))
