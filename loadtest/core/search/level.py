"""What was seen at one load, in all visits together, and whether that shows it to meet or to break a limit.

A level's test is the mixture martingale of `core/stats/evidence.py` on the effective number of requests: it may be
looked at after every window. Requests over a limit that come together count once (the design effect of windows, and of
2, 4, ... of them joined). The k-th load that is visited spends alpha / (k (k + 1)), so all of them spend alpha. No
clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from loadtest.core.search.reading import Criterion, Reading
from loadtest.core.stats.evidence import log_over, log_under

__all__ = ["Level"]

LEAST_EFFECT = 3.0  # windows from which on their spread is believed


@dataclass(slots=True)
class Level:
    """What is known of one load. number: of the load, 1 is the first that was visited. visits: index of the visit of
    each reading.
    """

    load: float
    number: int
    readings: list[Reading] = field(default_factory=list)
    visits: list[int] = field(default_factory=list)

    @property
    def n(self) -> int:
        return sum(reading.n for reading in self.readings)

    def over(self, i: int) -> int:
        """Requests over the i-th criterion's limit."""
        return sum(reading.over[i] for reading in self.readings)

    @property
    def rate_per_s(self) -> float | None:
        """Successes a second; None: nothing was measured."""
        length_s = sum(reading.end_s - reading.start_s for reading in self.readings)
        return sum(reading.ok for reading in self.readings) / length_s if length_s else None

    def evidence(self, i: int, criterion: Criterion) -> float:
        """Nats, above 0 that the share is above what is allowed, below 0 that it is below."""
        n, over = float(self.n), float(self.over(i))
        if not n:
            return 0.0
        effect = self._effect(i)
        n, over = n / effect, over / effect
        if over > criterion.allowed * n:
            return max(0.0, log_over(n, over, criterion.allowed))
        return -max(0.0, log_under(n, over, criterion.allowed))

    def answer(self, i: int, criterion: Criterion, alpha: float) -> int:
        """1: it meets the limit, -1: it breaks it, 0: not shown, with an error of this level's part of alpha."""
        needed = -math.log(alpha) + math.log(self.number * (self.number + 1))
        found = self.evidence(i, criterion)
        return 0 if abs(found) < needed else -1 if found > 0 else 1

    def _effect(self, i: int) -> float:
        n = np.array([reading.n for reading in self.readings], np.float64)
        over = np.array([reading.over[i] for reading in self.readings], np.float64)
        share = float(over.sum() / n.sum())
        if len(n) < LEAST_EFFECT or not 0 < share < 1:
            return 1.0
        best = 1.0
        while len(n) >= LEAST_EFFECT:
            expected = share * (1 - share) * float(n.sum()) * (1 - 1 / len(n))
            best = max(best, float(((over - share * n) ** 2).sum()) / expected)
            if len(n) < 2 * LEAST_EFFECT:
                break
            starts = np.arange(0, len(n) - 1, 2)
            n, over = np.add.reduceat(n, starts), np.add.reduceat(over, starts)
        return best
