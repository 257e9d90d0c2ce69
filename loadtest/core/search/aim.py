"""Where the visits near the capacity lie, and how long they are. No clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable

from loadtest.core.search.known import Known
from loadtest.core.search.level import LEAST_SHOWN

__all__ = ["QUICK", "Aim"]

QUICK = 20  # requests of a level that may be left
LINELESS = 40  # windows near the capacity through which no line goes: its neighbours are held one by one
BELOW, ABOVE = 0.04, 0.12  # by users the visits lie so far below and above the crossing
LOGITS_BELOW, LOGITS_ABOVE = 0.6, 1.0  # by rate so far that the share is that much below and above what is allowed,
LEAST_RATE, MOST_RATE = 0.008, 0.06  # but at least and at most so far, and on a grid:
GRID, FIRST_SLOPE = 1.015, 40.0  # loads that are met again, so that their windows add up
ABOVE_SHARE = {"users": 0.2, "rate": 0.35}  # of the time
CYCLE, CYCLES = {"users": 12.0, "rate": 20.0}, 12.0  # windows of two visits, at least; a part of all, later
GOLDEN = (math.sqrt(5) - 1) / 2


class Aim(Known):
    """What is known, and what to look at next to know it better."""

    def aim(self, load: float, number: int) -> tuple[float, int] | None:
        """(load, windows) of the visit after the one at `load`; None: no load seems to break an objective any more.

        number: of visits so far.
        """
        self._bracket()
        if self._high == math.inf:
            return None
        if self._steep():
            return self._high if load == self._low else self._low, LEAST_SHOWN
        by, middle = self._settings.by, self._crosses()
        if middle is None:
            middle = math.sqrt(self._low * self._high)
            if by == "users" and self._high - self._low > 1 and self._near_windows() > LINELESS:
                return float(max(math.floor(middle), self._low + 1)), LEAST_SHOWN
        below, above = self._around(middle)
        share = ABOVE_SHARE[by]
        cycle = max(CYCLE[by], self._near_windows() / CYCLES) * (0.5 + (number * GOLDEN) % 1)
        up = load <= middle
        wanted = min(max(above if up else below, self._settings.start), self._settings.max_load)
        return float(wanted), max(2, round(cycle * (share if up else 1 - share)))

    def _around(self, middle: float) -> tuple[float, float]:
        """The loads below and above the crossing."""
        if self._settings.by == "users":
            low = min((x.low for x in self._crossings if x), default=0.0)
            below = max(1.0, math.floor(max(min(low, middle), middle * (1 - BELOW))))
            return below, max(below + 1.0, round(middle * (1 + ABOVE)))
        slope = max((x.slope for x in self._crossings if x), default=FIRST_SLOPE)
        down, up = (min(max(each / slope, LEAST_RATE), MOST_RATE) for each in (LOGITS_BELOW, LOGITS_ABOVE))
        return self._grid(middle * (1 - down), math.floor), self._grid(middle * (1 + up), math.ceil)

    def _bracket(self) -> None:
        """What seems to meet and to break it, by all that was seen of each load."""
        held = sorted((x for x in self._levels.values() if x.n >= QUICK), key=lambda x: x.load)
        broken = [x.load for x in held if any(x.excess(i, c) > 1 for i, c in enumerate(self._criteria))]
        low = max([x.load for x in held if not broken or x.load < broken[0]], default=0.0)
        if broken and low:
            self._low, self._high = low, broken[0]
        elif low and low < self._settings.max_load:
            self._low, self._high = low, math.inf

    def _grid(self, load: float, whole: Callable[[float], int]) -> float:
        return self._settings.start * GRID ** whole(math.log(load / self._settings.start) / math.log(GRID) - 1e-9)

    def _near_windows(self) -> int:
        return sum(len(x.readings) for x in self._near_levels())
