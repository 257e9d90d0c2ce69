"""A stay at one load: which of its windows are the load's own, and when it was long enough. No clock, no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.core.search.reading import Reading

__all__ = ["Visit", "latency_s", "mean_s"]

LATENCIES = 2.0  # of the load before, after which its requests are gone


@dataclass(slots=True)
class Visit:
    """A stay at one load. number: 0 is the first of the run. since_s: from then on the load is `load`.

    open: of an open workload, whose backlog is its own, however late; before it goes down, it rests. wanted: windows
    that count before it may be left. skipped: windows that do not, whatever the latency is. seen: all of its windows;
    used: that counted.
    """

    number: int
    load: float
    since_s: float
    wanted: int = 1
    skipped: int = 1
    open: bool = False
    seen: list[Reading] = field(default_factory=list)
    used: int = 0

    def take(self, reading: Reading) -> bool:
        """Whether the window is the load's own: the first never is, but of a run."""
        before = self.seen[-1] if self.seen else None
        self.seen.append(reading)
        if not reading.usable or not reading.n:
            return False
        if self.number:
            if before is None or len(self.seen) <= self.skipped:
                return False
            if not self.open and reading.start_s < self.since_s + LATENCIES * latency_s(before):
                return False
        self.used += 1
        return True

    @property
    def done(self) -> bool:
        return self.used >= self.wanted


def latency_s(reading: Reading) -> float:
    """Mean of the successes; without one as long as the window: at least that."""
    return reading.latency_sum_s / reading.ok if reading.ok else reading.end_s - reading.start_s


def mean_s(readings: Sequence[Reading]) -> float:
    """Mean latency of the successes of all; infinity without one."""
    ok = sum(reading.ok for reading in readings)
    return sum(reading.latency_sum_s for reading in readings) / ok if ok else math.inf
