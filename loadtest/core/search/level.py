"""What was seen at one load, in all visits together, and whether that shows it to meet or to break a limit.

A level's test is the mixture martingale of `core/stats/evidence.py` on the effective number of requests: it may be
looked at after every window. Requests over a limit that come together count once (the design effect of windows, and of
2, 4, ... of them joined); where windows are more even than independent requests, as with fixed service times, each
counts for more. The k-th load that is visited spends alpha / (k (k + 1)), so all of them spend alpha. No
clock, no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from loadtest.core.search.reading import Criterion, Reading
from loadtest.core.search.visit import latency_s
from loadtest.core.stats.evidence import log_over, log_under

__all__ = ["LEAST_OPEN", "LEAST_SHOWN", "Level"]

LEAST_SHOWN, LEAST_OPEN = 6, 24  # windows of an answer; of an open workload, whose backlogs last
SOME, MOST_ALIKE = 1.3, 0.95  # standard errors of a correlation that counts; the highest that is believed
EVENEST = 0.1  # the least effect: windows of fixed service times vary less than independent requests
LEAST_EFFECT = 3.0  # windows from which on their spread is believed


@dataclass(slots=True)
class Level:
    """What is known of one load. number: of the load, 1 is the first that was visited. visits: index of the visit of
    each reading.
    """

    load: float
    number: int
    open: bool = False
    readings: list[Reading] = field(default_factory=list)
    visits: list[int] = field(default_factory=list)
    _known: dict[int, tuple[int, float]] = field(default_factory=dict)  # of the criteria: readings, evidence
    _lasts: tuple[int, float] = (0, 1.0)

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

    def excess(self, i: int, criterion: Criterion) -> float:
        """The share over the limit as a multiple of what is allowed, or the throughput of what is wanted."""
        if criterion.per_s is not None:
            return (self.rate_per_s or 0.0) / criterion.per_s
        return self.over(i) / self.n / criterion.allowed if self.n else 0.0

    def evidence(self, i: int, criterion: Criterion) -> float:
        """Nats, above 0 that the share is above what is allowed, below 0 that it is below."""
        readings, found = self._known.get(i, (0, 0.0))
        if readings != len(self.readings):
            found = self._evidence(i, criterion)
            self._known[i] = len(self.readings), found
        return found

    def _evidence(self, i: int, criterion: Criterion) -> float:
        n, over = float(self.n), float(self.over(i))
        if not n:
            return 0.0
        if criterion.per_s is not None:
            return self._reached(criterion.per_s)
        effect = self._effect(i)
        n, over = n / effect, over / effect
        if over > criterion.allowed * n:
            return max(0.0, log_over(n, over, criterion.allowed))
        return -max(0.0, log_under(n, over, criterion.allowed))

    def answer(self, i: int, criterion: Criterion, alpha: float) -> int:
        """1: it meets the limit, -1: it breaks it, 0: not shown, with an error of this level's part of alpha."""
        if len(self.readings) < (LEAST_OPEN if self.open and self.varies() else LEAST_SHOWN):
            return 0
        found = self.evidence(i, criterion)
        return 0 if abs(found) < self.needed(alpha) else -1 if found > 0 else 1

    def needed(self, alpha: float) -> float:
        """Nats of an answer."""
        return -math.log(alpha) + math.log(self.number * (self.number + 1))

    def _effect(self, i: int) -> float:
        return min(max(self._clumps(i), self.memory() if self.open else 0.0), self.n / len(set(self.visits)))

    def _reached(self, per_s: float) -> float:
        """Nats for a throughput above `per_s`: of a mean whose error is known."""
        rates = np.array([r.ok / (r.end_s - r.start_s) for r in self.readings])
        if len(rates) < LEAST_EFFECT:
            return 0.0
        error = max(float(rates.std(ddof=1)) / math.sqrt(len(rates)), 1e-3 * per_s)
        return math.copysign((float(rates.mean()) - per_s) ** 2 / (2 * error**2), float(rates.mean()) - per_s)

    @property
    def memory_s(self) -> float:
        """For so long one event lasts, by the correlation of the windows' mean latencies; 0: not beyond a window."""
        return (
            self.memory() / max(self.n, 1) * sum(r.end_s - r.start_s for r in self.readings)
            if self.memory() > 1
            else 0.0
        )

    def memory(self) -> float:
        """`memory_s` in requests, at least 1."""
        if not self.open or len(self.readings) < LEAST_SHOWN:
            return 1.0
        if self._lasts[0] != len(self.readings):
            self._lasts = len(self.readings), self._memory()
        return self._lasts[1]

    def varies(self) -> bool:
        """The windows' mean latencies differ."""
        latency = [latency_s(reading) for reading in self.readings]
        return max(latency) > 1.01 * min(latency)

    def _memory(self) -> float:
        if not self.varies():
            return 1.0
        latency = np.array([latency_s(reading) for reading in self.readings])
        latency -= latency.mean()
        spread = float((latency**2).sum())
        same = np.array(self.visits[1:]) == np.array(self.visits[:-1])
        alike = float((latency[1:] * latency[:-1])[same].sum()) / spread
        alike = min(alike * len(latency) / max(int(same.sum()), 1), MOST_ALIKE)
        error = 1 / math.sqrt(len(latency))
        if alike < SOME * error:
            return 1.0
        alike = min(alike + error, MOST_ALIKE)  # spells that were not seen yet are in no correlation
        return (1 + alike) / (1 - alike) * self.n / len(self.readings)

    def _clumps(self, i: int) -> float:
        n = np.array([reading.n for reading in self.readings], np.float64)
        over = np.array([reading.over[i] for reading in self.readings], np.float64)
        share = float(over.sum() / n.sum())
        if len(n) < LEAST_EFFECT or not 0 < share < 1:
            return 1.0
        best = 0.0
        while len(n) >= LEAST_EFFECT:
            expected = share * (1 - share) * float(n.sum()) * (1 - 1 / len(n))
            found = float(((over - share * n) ** 2).sum()) / expected
            best = max(best, found if found > 1 else min(found * _surely(len(n)), 1.0))
            if len(n) < 2 * LEAST_EFFECT:
                break
            starts = np.arange(0, len(n) - 1, 2)
            n, over = np.add.reduceat(n, starts), np.add.reduceat(over, starts)
        return max(best, EVENEST) if len(self.readings) >= LEAST_SHOWN else max(best, 1.0)


def _surely(windows: int) -> float:
    """By so much the spread of so few windows may be too small (1 %; Wilson and Hilferty's chi-square)."""
    freedom = windows - 1
    return 1 / max(1 - 2 / (9 * freedom) - 2.33 * math.sqrt(2 / (9 * freedom)), 0.2) ** 3
