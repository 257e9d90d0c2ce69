"""Where evidence may begin: at the levels' starts, and every few seconds, so that a breach that begins midway is found.

One alpha is spent over all of them. No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.core.stats.assumed import ALPHA, Assumed
from loadtest.core.stats.timeline import Timeline

__all__ = ["Start", "Starts"]

LEAST_REQUESTS = 100
MOST_RESTARTS = 96  # of a long run, the older ones are thinned
PATIENCE = 0.01  # a stretch that was asked about in vain is asked again when it has grown by this share


@dataclass(slots=True)
class Start:
    """A window from which on evidence is gathered. window: the first one. limit: the evidence that is needed, in nats.
    asked: the window before which it was.
    """

    window: int
    limit: float
    midway: bool
    asked: int = 0


class Starts:
    """All windows from which on evidence is gathered. run_s: planned length of the run, over which the restarts' part
    of alpha is spread.
    """

    def __init__(self, assumed: Assumed, run_s: float) -> None:
        self._limit = -math.log(ALPHA)
        restarts = max(1.0, (run_s - assumed.midway_s) // assumed.block_s)
        self._restart_limit = self._limit + math.log(4 * restarts)
        self._block_s, self._least_s, self._next_s = assumed.block_s, assumed.least_s, 0.0
        self._starts: list[Start] = []

    def __iter__(self) -> Iterator[Start]:
        return iter(self._starts)

    def enter(self, window: int, number: int) -> None:
        """The `number`-th level, from 1, begins with `window`."""
        spent = math.log(2) if number == 1 else math.log(4 * number * (number - 1))
        self._starts.append(Start(window, self._limit + spent, midway=False))
        self._next_s = self._block_s

    def restart(self, window: int, into_s: float) -> None:
        """`window` begins `into_s` after its level: a start, if it is time for one."""
        if into_s < self._next_s - 1e-6:
            return
        self._next_s += self._block_s
        self._starts.append(Start(window, self._restart_limit, midway=True))
        midway = [start for start in self._starts if start.midway]
        if len(midway) > MOST_RESTARTS:
            gone = {start.window for start in midway[1 : MOST_RESTARTS // 2 : 2]}
            self._starts = [start for start in self._starts if not start.midway or start.window not in gone]

    def worth_asking(self, timeline: Timeline, end: int, allowed: float) -> Iterator[Start]:
        """The starts from which the evidence could be enough, by an upper bound of it that costs little."""
        first = np.array([start.window for start in self._starts])
        sums, over_sums = timeline.sums(0, end)
        n, over = sums[end] - sums[first], over_sums[end] - over_sums[first]
        edges_s = timeline.edges_s()
        wide = (over > allowed * n) & (n >= LEAST_REQUESTS) & (edges_s[end] - edges_s[first] >= self._least_s)
        if not wide.any():
            return
        share = np.where(wide, over / np.maximum(n, 1), 0.5)
        # n KL(share, q) is never below the logarithm of the mixture.
        bound = share * np.log(share / allowed) + (1 - share) * np.log(np.maximum(1 - share, 1e-300) / (1 - allowed))
        limits = np.array([start.limit for start in self._starts])
        for index in np.flatnonzero(wide & (n * bound >= limits)).tolist():
            start = self._starts[index]
            if end - start.asked >= PATIENCE * (start.asked - start.window):
                start.asked = end
                yield start
