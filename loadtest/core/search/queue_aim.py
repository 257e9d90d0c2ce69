"""By rate: where the visits near the capacity lie, once saturation is known, and how long they are. No clock, no I/O.

Most of the time a load a little below the crossing; a seventh of it one that saturates the endpoint, whose throughput
is the other end of the line (`decay.py`); once a load so low that nobody waits, for the share that is over the limit
without a queue.
"""

from __future__ import annotations

import math

from loadtest.core.search.known import Known
from loadtest.core.search.level import Level
from loadtest.core.search.saturation import UNLOADED, Saturation

__all__ = ["queue_aim"]

IDLE, IDLE_WINDOWS = 0.5, 8  # of saturation
UNSEEN = (0.93, 0.96, 0.98)  # of saturation, in turn, until something is over a limit
UNSEEN_CYCLE, UNSEEN_WINDOWS = 20.0, 12  # windows; of a load at which nothing is over
BELOW, FIRST_SLOPE = 0.7, 40.0  # nats below what is allowed; of the logarithm of the share
DOUBTFUL, HIGHEST = 0.8, 0.98  # of saturation: no lower as long as the crossing is hardly known, and no higher
SATURATING, SATURATED, ENOUGH = 1.08, 0.15, 12  # of saturation, of the time, windows of the first stay there
CYCLE, CYCLES = 60.0, 6.0  # windows of two visits, at least; a part of all, later
GRID = 1.005  # loads that are met again, so that their windows add up
LEAST_WINDOWS = 4


def queue_aim(known: Known, top: Saturation, load: float, near_windows: int, phase: float) -> tuple[float, int]:
    """(load, windows) of the visit after the one at `load`. phase: 0 to 1, of the visit's length."""
    settings, middle = known.settings, known.crosses()
    if load > top.per_s and not any(_is_idle(each, top) for each in known.levels.values()):
        return _on_grid(known, IDLE * top.per_s), IDLE_WINDOWS
    up = load < top.per_s and (middle is not None or top.windows < ENOUGH)
    cycle = UNSEEN_CYCLE
    if middle is not None:
        cycle = max(CYCLE, near_windows / CYCLES) * (0.5 + phase)
    wanted = _on_grid(known, SATURATING * top.per_s) if up else _below(known, top, middle)
    share = SATURATED if up else 1 - SATURATED
    return min(max(wanted, settings.start), settings.max_load), max(LEAST_WINDOWS, round(cycle * share))


def _below(known: Known, top: Saturation, middle: float | None) -> float:
    if middle is None:
        loads = [_on_grid(known, part * top.per_s) for part in UNSEEN]
        return next((load for load in loads if not _is_clean(known.level(load))), loads[-1])
    slope = max((x.slope for x in known.crossings if x), default=FIRST_SLOPE)
    least = 0.0 if all(x is None or x.low > 0 for x in known.crossings) else DOUBTFUL * top.per_s
    return _on_grid(known, min(max(middle - BELOW / slope * top.per_s, least), HIGHEST * top.per_s))


def _is_idle(level: Level, top: Saturation) -> bool:
    return level.load <= UNLOADED * top.per_s and len(level.readings) >= IDLE_WINDOWS


def _is_clean(level: Level) -> bool:
    """It was held for long, and nothing was over a limit."""
    return len(level.readings) >= UNSEEN_WINDOWS and not any(any(r.over) for r in level.readings)


def _on_grid(known: Known, load: float) -> float:
    start = known.settings.start
    return float(start * GRID ** round(math.log(load / start) / math.log(GRID)))
