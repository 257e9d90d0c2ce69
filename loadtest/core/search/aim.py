"""Where the visits near the capacity lie, and how long they are. No clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable

from loadtest.core.search.known import NEAR, Known
from loadtest.core.search.level import LEAST_OPEN, LEAST_SHOWN, Level
from loadtest.core.search.queue_aim import queue_aim
from loadtest.core.search.reading import Criterion

__all__ = ["QUICK", "aim", "close"]

QUICKLY = 8.0  # windows of a load that decide: then the next is the middle, not a line's
QUICK = 20  # requests of a level that may be left
BRACKET = {"users": 1.25, "rate": 1.15}
MANY = 200  # requests of which it is no chance that too many are over
LINELESS = 40  # windows near the capacity through which no line goes: its neighbours are held one by one
BELOW, ABOVE = 0.04, 0.12  # by users the visits lie so far below and above the crossing
LOGITS_BELOW, LOGITS_ABOVE = 0.6, 1.0  # by rate so far that the share is that much below and above what is allowed,
SURE_RATE = 0.05  # lower each time, until a load is known to meet everything
LEAST_RATE, MOST_RATE = 0.008, 0.06  # but at least and at most so far, and on a grid:
GRID, FIRST_SLOPE = 1.015, 40.0  # loads that are met again, so that their windows add up
ABOVE_SHARE = {"users": 0.2, "rate": 0.25}  # of the time
CYCLE, CYCLES = {"users": 12.0, "rate": 20.0}, 12.0  # windows of two visits, at least; a part of all, later
GOLDEN = (math.sqrt(5) - 1) / 2


def close(known: Known) -> bool:
    """The bracket is narrow enough, and a line can be drawn between its loads: they are not all and nothing."""
    low, high, by = known.low, known.high, known.settings.by
    if (by == "users" and high - low <= 1) or high - low <= 0.5 * known.settings.within * low:
        return True
    if by == "users" and known.decides(QUICKLY):
        return False
    below, above = known.level(low), known.level(high)
    drawn = any(c.per_s or (below.over(i) > 0 and above.over(i) < above.n) for i, c in enumerate(known.criteria))
    return high <= BRACKET[by] * low and drawn


def aim(known: Known, load: float, number: int) -> tuple[float, int] | None:
    """(load, windows) of the visit after the one at `load`; None: no load seems to break an objective any more.

    number: of visits so far.
    """
    _bracket(known)
    if known.high == math.inf:
        return None
    by, middle = known.settings.by, known.crosses()
    if middle is not None and not known.low / NEAR <= middle <= known.high * NEAR:
        middle = None  # a line through loads that are not near it: what seems to break an objective is held again
    lineless = by == "users" and middle is None and _near_windows(known) > LINELESS
    middle = middle or math.sqrt(known.low * known.high)
    if lineless and known.high - known.low > 1:
        return float(max(math.floor(middle), known.low + 1)), LEAST_SHOWN
    if lineless or known.steep():
        return known.high if load == known.low else known.low, LEAST_SHOWN
    if known.top is not None:
        return queue_aim(known, known.top, load, _near_windows(known), (number * GOLDEN) % 1)
    below, above = _around(known, middle)
    share = ABOVE_SHARE[by]
    cycle = max(CYCLE[by], _near_windows(known) / CYCLES) * (0.5 + (number * GOLDEN) % 1)
    up = load <= middle
    wanted = min(max(above if up else below, known.settings.start), known.settings.max_load)
    windows = max(2, round(cycle * (share if up else 1 - share)))
    sure = by == "rate" and not up and known.shown()[0] is None
    return float(wanted), max(windows, LEAST_OPEN) if sure else windows


def _breaks(level: Level, i: int, criterion: Criterion) -> bool:
    """It seems to; of few requests a few are over by chance."""
    return level.excess(i, criterion) > 1 and (level.n >= MANY or level.evidence(i, criterion) >= 1)


def _around(known: Known, middle: float) -> tuple[float, float]:
    """The loads below and above the crossing."""
    if known.settings.by == "users":
        low = min((x.low for x in known.crossings if x), default=0.0)
        below = max(1.0, math.floor(max(min(low, middle), middle * (1 - BELOW))))
        return below, max(below + 1.0, round(middle * (1 + ABOVE)))
    slope = max((x.slope for x in known.crossings if x), default=FIRST_SLOPE)
    down, up = (min(max(each / slope, LEAST_RATE), MOST_RATE) for each in (LOGITS_BELOW, LOGITS_ABOVE))
    if known.shown()[0] is None:
        # First a load that is known to meet everything, the next lower one if this cannot be told of it.
        tried = sum(len(x.readings) >= LEAST_OPEN for x in known.levels.values() if x.load < middle * (1 - down))
        down = SURE_RATE * (1 + tried)
    return _grid(known, middle * (1 - down), math.floor), _grid(known, middle * (1 + up), math.ceil)


def _bracket(known: Known) -> None:
    """What seems to meet and to break it, by all that was seen of each load."""
    held = sorted((x for x in known.levels.values() if x.n >= QUICK), key=lambda x: x.load)
    broken = [x.load for x in held if any(_breaks(x, i, c) for i, c in enumerate(known.criteria))]
    low = max([x.load for x in held if not broken or x.load < broken[0]], default=0.0)
    if broken and low:
        known.low, known.high = low, broken[0]
    elif low and low < known.settings.max_load:
        known.low, known.high = low, math.inf


def _grid(known: Known, load: float, whole: Callable[[float], int]) -> float:
    return known.settings.start * GRID ** whole(math.log(load / known.settings.start) / math.log(GRID) - 1e-9)


def _near_windows(known: Known) -> int:
    return sum(len(x.readings) for x in known.near())
