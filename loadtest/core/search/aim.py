"""Where the visits near the capacity lie, and how long they are. No clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable

from loadtest.core.search.known import Known
from loadtest.core.search.level import LEAST_SHOWN

__all__ = ["QUICK", "aim"]

QUICK = 20  # requests of a level that may be left
LINELESS = 40  # windows near the capacity through which no line goes: its neighbours are held one by one
BELOW, ABOVE = 0.04, 0.12  # by users the visits lie so far below and above the crossing
LOGITS_BELOW, LOGITS_ABOVE = 0.6, 1.0  # by rate so far that the share is that much below and above what is allowed,
LEAST_RATE, MOST_RATE = 0.008, 0.06  # but at least and at most so far, and on a grid:
GRID, FIRST_SLOPE = 1.015, 40.0  # loads that are met again, so that their windows add up
ABOVE_SHARE = {"users": 0.2, "rate": 0.35}  # of the time
CYCLE, CYCLES = {"users": 12.0, "rate": 20.0}, 12.0  # windows of two visits, at least; a part of all, later
GOLDEN = (math.sqrt(5) - 1) / 2


def aim(known: Known, load: float, number: int) -> tuple[float, int] | None:
    """(load, windows) of the visit after the one at `load`; None: no load seems to break an objective any more.

    number: of visits so far.
    """
    _bracket(known)
    if known.high == math.inf:
        return None
    if known.steep():
        return known.high if load == known.low else known.low, LEAST_SHOWN
    by, middle = known.settings.by, known.crosses()
    if middle is None:
        middle = math.sqrt(known.low * known.high)
        if by == "users" and known.high - known.low > 1 and _near_windows(known) > LINELESS:
            return float(max(math.floor(middle), known.low + 1)), LEAST_SHOWN
    below, above = _around(known, middle)
    share = ABOVE_SHARE[by]
    cycle = max(CYCLE[by], _near_windows(known) / CYCLES) * (0.5 + (number * GOLDEN) % 1)
    up = load <= middle
    wanted = min(max(above if up else below, known.settings.start), known.settings.max_load)
    return float(wanted), max(2, round(cycle * (share if up else 1 - share)))


def _around(known: Known, middle: float) -> tuple[float, float]:
    """The loads below and above the crossing."""
    if known.settings.by == "users":
        low = min((x.low for x in known.crossings if x), default=0.0)
        below = max(1.0, math.floor(max(min(low, middle), middle * (1 - BELOW))))
        return below, max(below + 1.0, round(middle * (1 + ABOVE)))
    slope = max((x.slope for x in known.crossings if x), default=FIRST_SLOPE)
    down, up = (min(max(each / slope, LEAST_RATE), MOST_RATE) for each in (LOGITS_BELOW, LOGITS_ABOVE))
    return _grid(known, middle * (1 - down), math.floor), _grid(known, middle * (1 + up), math.ceil)


def _bracket(known: Known) -> None:
    """What seems to meet and to break it, by all that was seen of each load."""
    held = sorted((x for x in known.levels.values() if x.n >= QUICK), key=lambda x: x.load)
    broken = [x.load for x in held if any(x.excess(i, c) > 1 for i, c in enumerate(known.criteria))]
    low = max([x.load for x in held if not broken or x.load < broken[0]], default=0.0)
    if broken and low:
        known.low, known.high = low, broken[0]
    elif low and low < known.settings.max_load:
        known.low, known.high = low, math.inf


def _grid(known: Known, load: float, whole: Callable[[float], int]) -> float:
    return known.settings.start * GRID ** whole(math.log(load / known.settings.start) / math.log(GRID) - 1e-9)


def _near_windows(known: Known) -> int:
    return sum(len(x.readings) for x in known.near())
