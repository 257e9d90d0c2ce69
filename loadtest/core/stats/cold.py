"""Cold starts: a level that begins with nearly every request slow, and then no longer. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.core.stats.assumed import Assumed
from loadtest.core.stats.timeline import Timeline

__all__ = ["ColdStart", "ColdStarts"]

SATURATED = 0.9  # share over in a window through which nothing gets
HOT = 0.5
LEAST_WINDOWS = 3  # of a cold start that does not end


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One that was left out of the evidence. level: as it was called; n, over: with the window in which it ended."""

    level: Hashable
    start_s: float
    length_s: float
    n: int
    over: int


class ColdStarts:
    """Tells of each window whether it belongs to its level's cold start."""

    def __init__(self, allowed: float, level_s: Sequence[float], assumed: Assumed) -> None:
        self._allowed, self._level_s, self._assumed = allowed, level_s, assumed
        self._state: Literal["maybe", "perhaps", "cold", "no"] = "no"
        self._number, self._first, self._most_s = 0, 0, 0.0
        self._level: Hashable = None
        self.begin = 0  # window in which the level, or what follows its cold start, begins
        self.found: list[ColdStart] = []

    def enter(self, window: int, number: int, level: Hashable) -> None:
        """The `number`-th level, from 1, begins with `window`."""
        self._state, self._number, self._first, self._level, self.begin = "maybe", number, window, level, window
        length_s = self._level_s[min(number, len(self._level_s)) - 1]
        self._most_s = min(self._assumed.cold_s, self._assumed.cold_share * length_s)

    def step(self, timeline: Timeline, i: int, share: float | None, slow_s: float) -> Literal["no", "cold", "endless"]:
        """share: over in the newest window `i`; None: it is empty. slow_s: for how long windows have been slow."""
        before = self._state
        if before == "maybe" and share is not None:
            slow = share >= min(4 * self._allowed, SATURATED)
            self._state = "cold" if share >= SATURATED else "perhaps" if slow else "no"
        elif before == "perhaps" and share is not None:
            self._state = "cold" if share >= SATURATED else "no"
        if self._state != "cold":
            return "no"
        if share is None or share >= HOT:
            levels = self._number * (self._number + 1) / 2
            longest_s = min(self._assumed.lasting_s, self._assumed.cold_s + self._assumed.level_delay_s(levels))
            longer = timeline.length_s(self._first, i + 1) > self._most_s + 1e-6
            enough = longer and i + 1 - self._first >= LEAST_WINDOWS
            return "endless" if enough and slow_s >= longest_s - 1e-6 else "cold"
        self._state = "no"
        length_s = timeline.length_s(self._first, i)
        if length_s > self._most_s + 1e-6:
            return "no"
        n, over = timeline.counts(self._first, i + 1)
        self.found.append(ColdStart(self._level, timeline.at_s(self._first), length_s, int(n), int(over)))
        timeline.blank(self._first, i + 1)
        self.begin = i + 1
        return "cold"
